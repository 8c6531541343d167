package model

import (
	"fmt"
	"math"
	"slices"
)

// BatchNorm is batch normalisation with fixed statistics, per channel:
// Scale * (x-Mean)/sqrt(Var+Eps) + Shift.
type BatchNorm struct {
	Scale, Shift, Mean, Var []float32 // [C]
	Eps                     float64
}

// Kind is the layer's name.
func (*BatchNorm) Kind() string { return "BatchNorm" }

func (l *BatchNorm) slots() []slot {
	return []slot{
		trained("scale", &l.Scale).torch("weight"), trained("shift", &l.Shift).torch("bias"),
		fixed("mean", &l.Mean).torch("running_mean"), fixed("var", &l.Var).torch("running_var"), attribute("eps", &l.Eps)}
}

func (l *BatchNorm) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	for _, p := range [][]float32{l.Scale, l.Shift, l.Mean, l.Var} {
		if len(p) != s.C {
			return Shape{}, fmt.Errorf("statistics for %d channels, the input has %d", len(p), s.C)
		}
	}
	return s, nil
}

func (*BatchNorm) inputs() int           { return 1 }
func (*BatchNorm) reach(_ Shape) reach   { return pointwise }
func (*BatchNorm) macs(_, _ Shape) int64 { return 0 }
func (*BatchNorm) text() string          { return "" }

func (*BatchNorm) forward(c *call) error {
	in := c.ins[0]
	c.k.ScaleShift(c.n, in.C, in.H*in.W, c.dst, c.srcs[0], c.step.scale, c.step.shift)
	return nil
}

func (l *BatchNorm) prepare(s *step) { s.scale, s.shift = l.affine() }

func (l *BatchNorm) drawn(_ *builder, ins []Shape, _ int) (Layer, error) {
	one := slices.Repeat([]float32{1}, ins[0].C)
	return &BatchNorm{Scale: one, Shift: make([]float32, len(one)), Mean: make([]float32, len(one)), Var: slices.Clone(one), Eps: l.Eps}, nil
}

// affine returns the layer as out = scale*x + shift per channel.
func (l *BatchNorm) affine() (scale, shift []float32) {
	scale, shift = make([]float32, len(l.Scale)), make([]float32, len(l.Scale))
	for c := range scale {
		s := float64(l.Scale[c]) / math.Sqrt(float64(l.Var[c])+l.Eps)
		scale[c] = float32(s)
		shift[c] = float32(float64(l.Shift[c]) - float64(float64(l.Mean[c])*s))
	}
	return scale, shift
}

// Affine returns the layer as out = scale*x + shift per channel.
func (l *BatchNorm) Affine() (scale, shift []float32) { return l.affine() }

// TopDownScale is what the layer multiplies a top-down signal by, per channel:
// Scale/sqrt(Var+Eps).
func (l *BatchNorm) TopDownScale() []float32 {
	s, _ := l.affine()
	return s
}
