package model

import (
	"fmt"
	"math"
	"slices"
)

// InstanceNorm normalises each map by its own mean and variance:
// Scale * (x-mean)/sqrt(var+Eps) + Shift per channel.
type InstanceNorm struct {
	Scale, Shift []float32 // [C]
	Eps          float64
}

// Kind is the layer's name.
func (*InstanceNorm) Kind() string { return "InstanceNorm" }

func (l *InstanceNorm) slots() []slot {
	return []slot{trained("scale", &l.Scale), trained("shift", &l.Shift), attribute("eps", &l.Eps)}
}

func (l *InstanceNorm) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if len(l.Scale) != s.C || len(l.Shift) != s.C {
		return s, fmt.Errorf("scales for %d channels, the input has %d", len(l.Scale), s.C)
	}
	return s, nil
}

func (*InstanceNorm) inputs() int           { return 1 }
func (*InstanceNorm) reach(_ Shape) reach   { return everywhere }
func (*InstanceNorm) macs(_, _ Shape) int64 { return 0 }
func (*InstanceNorm) text() string          { return "" }

func (l *InstanceNorm) forward(c *call) error {
	in := c.ins[0]
	c.k.GroupNorm(c.n, in.C, in.H*in.W, in.C, l.Eps, c.dst, c.srcs[0], l.Scale, l.Shift)
	return nil
}

func (l *InstanceNorm) drawn(_ *builder, ins []Shape, _ int) (Layer, error) {
	return &InstanceNorm{Scale: slices.Repeat([]float32{1}, ins[0].C), Shift: make([]float32, ins[0].C), Eps: l.Eps}, nil
}

// Moments are mean and 1/sqrt(variance+Eps) of each map of one image.
func (l *InstanceNorm) Moments(src []float32, in Shape) (mean, scale []float64) {
	plane := in.H * in.W
	for c := range in.C {
		var sum, square float64
		for _, v := range src[c*plane : (c+1)*plane] {
			sum += float64(v)
		}
		m := sum / float64(plane)
		for _, v := range src[c*plane : (c+1)*plane] {
			square += float64((float64(v) - m) * (float64(v) - m))
		}
		mean, scale = append(mean, m), append(scale, 1/math.Sqrt(square/float64(plane)+l.Eps))
	}
	return mean, scale
}
