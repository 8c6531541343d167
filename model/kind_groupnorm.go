package model

import (
	"fmt"
	"math"
	"slices"
)

// GroupNorm normalises groups of neighbouring channels, each by its own mean and
// variance: Scale * (x-mean)/sqrt(var+Eps) + Shift, scale and shift per channel.
// With one group it is a layer normalisation of the whole image, with one for each
// channel (Groups 0) an instance normalisation.
type GroupNorm struct {
	Groups       int
	Scale, Shift []float32 // [C]
	Eps          float64
}

// Kind is the layer's name. In files one with a group for each channel has a name of
// its own.
func (l *GroupNorm) Kind() string {
	if l.Groups == 0 {
		return "InstanceNorm"
	}
	return "GroupNorm"
}

func (l *GroupNorm) slots() []slot {
	return []slot{unusual("groups", &l.Groups), trained("scale", &l.Scale).torch("weight"), trained("shift", &l.Shift).torch("bias"), attribute("eps", &l.Eps)}
}

// GroupsOf is the number of groups of so many channels.
func (l *GroupNorm) GroupsOf(channels int) int {
	if l.Groups == 0 {
		return channels
	}
	return l.Groups
}

func (l *GroupNorm) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if l.Groups < 0 || s.C%l.GroupsOf(s.C) != 0 {
		return s, fmt.Errorf("%d groups of %d channels", l.Groups, s.C)
	}
	if len(l.Scale) != s.C || len(l.Shift) != s.C {
		return s, fmt.Errorf("scales for %d channels, the input has %d", len(l.Scale), s.C)
	}
	return s, nil
}

func (*GroupNorm) inputs() int           { return 1 }
func (*GroupNorm) reach(_ Shape) reach   { return everywhere }
func (*GroupNorm) macs(_, _ Shape) int64 { return 0 }
func (l *GroupNorm) text() string {
	if l.Groups == 0 {
		return ""
	}
	return fmt.Sprintf("%d groups", l.Groups)
}

func (l *GroupNorm) forward(c *call) error {
	in := c.ins[0]
	c.k.GroupNorm(c.n, in.C, in.H*in.W, l.GroupsOf(in.C), l.Eps, c.dst, c.srcs[0], l.Scale, l.Shift)
	return nil
}

func (l *GroupNorm) drawn(_ *builder, ins []Shape, _ int) (Layer, error) {
	return &GroupNorm{Groups: l.Groups, Scale: slices.Repeat([]float32{1}, ins[0].C), Shift: make([]float32, ins[0].C), Eps: l.Eps}, nil
}

// Moments are mean and 1/sqrt(variance+Eps) of each group of one image.
func (l *GroupNorm) Moments(src []float32) (mean, scale []float64) {
	size := len(src) / l.GroupsOf(len(l.Scale))
	for group := range slices.Chunk(src, size) {
		var sum, square float64
		for _, v := range group {
			sum += float64(v)
		}
		m := sum / float64(size)
		for _, v := range group {
			square += float64((float64(v) - m) * (float64(v) - m))
		}
		mean, scale = append(mean, m), append(scale, 1/math.Sqrt(square/float64(size)+l.Eps))
	}
	return mean, scale
}
