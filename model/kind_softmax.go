package model

import (
	"github.com/deconvnet/viz/internal/kernel"
)

// Softmax is exp(x) / sum exp(x), or its logarithm: over the channels at each place
// or, if Size is set, over the middle one of three axes of an array.
type Softmax struct {
	Outer, Size, Inner int
	Log                bool
}

// Kind is the layer's name.
func (*Softmax) Kind() string { return "Softmax" }

func (l *Softmax) slots() []slot {
	return []slot{unusual("outer", &l.Outer), unusual("size", &l.Size), unusual("inner", &l.Inner), unusual("log", &l.Log)}
}

// Maps reports whether it runs over the channels at each place.
func (l *Softmax) Maps() bool { return l.Size == 0 }

func (l *Softmax) shape(ins []Shape) (Shape, error) {
	if l.Maps() {
		return ins[0], nil
	}
	return ins[0], holds(ins[0], []int{l.Outer, l.Size, l.Inner})
}

func (*Softmax) inputs() int { return 1 }
func (l *Softmax) reach(_ Shape) reach {
	if l.Maps() {
		return pointwise
	}
	return everywhere
}
func (*Softmax) macs(_, _ Shape) int64 { return 0 }
func (l *Softmax) text() string {
	if l.Log {
		return "logarithm"
	}
	return ""
}

func (l *Softmax) forward(c *call) error {
	axis, in := kernel.Axis{Outer: c.n * l.Outer, Size: l.Size, Inner: l.Inner}, c.ins[0]
	switch {
	case l.Maps() && !l.Log && in.H*in.W == 1:
		c.k.Softmax(c.n, in.C, c.dst, c.srcs[0])
		return nil
	case l.Maps():
		axis = kernel.Axis{Outer: c.n, Size: in.C, Inner: in.H * in.W}
	}
	c.k.SoftmaxAxis(axis, l.Log, c.dst, c.srcs[0])
	return nil
}
