package model

import (
	"fmt"

	"github.com/deconvnet/viz/model/tensor"
)

// Dense is a fully connected layer: out = Weight·in + Bias.
type Dense struct {
	Weight *tensor.Tensor // [out, in]
	Bias   []float32      // [out] or nil
}

// Kind is the layer's name.
func (*Dense) Kind() string { return "Dense" }

func (l *Dense) slots() []slot {
	return []slot{trained("weight", &l.Weight), optional(trained("bias", &l.Bias))}
}

func (l *Dense) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if l.Weight == nil || len(l.Weight.Shape) != 2 {
		return Shape{}, fmt.Errorf("weights are not [out, in]")
	}
	if !s.Flat {
		return Shape{}, fmt.Errorf("input is %v, want a vector: put a Flatten before it", s)
	}
	if s.C != l.Weight.Shape[1] {
		return Shape{}, fmt.Errorf("weights are %v, the input has %d values", l.Weight.Shape, s.C)
	}
	if l.Bias != nil && len(l.Bias) != l.Weight.Shape[0] {
		return Shape{}, fmt.Errorf("bias has %d values, want %d", len(l.Bias), l.Weight.Shape[0])
	}
	return Shape{C: l.Weight.Shape[0], H: 1, W: 1, Flat: true}, nil
}

func (*Dense) inputs() int             { return 1 }
func (*Dense) reach(_ Shape) reach     { return everywhere }
func (l *Dense) macs(_, _ Shape) int64 { return int64(l.Weight.Len()) }
func (*Dense) text() string            { return "" }

func (l *Dense) forward(c *call) error {
	c.k.DenseForward(c.n, c.ins[0].C, c.out.C, c.dst, c.srcs[0], l.Weight.Data, l.Bias)
	return nil
}

func (l *Dense) drawn(b *builder, ins []Shape, rows int) (Layer, error) {
	if rows == 0 {
		rows = l.Weight.Shape[0]
	}
	return &Dense{Weight: b.normal(he(ins[0].C), rows, ins[0].C), Bias: zeros(l.Bias, rows)}, nil
}
