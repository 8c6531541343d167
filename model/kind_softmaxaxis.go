package model

import "github.com/deconvnet/viz/internal/kernel"

// SoftmaxAxis is the softmax over the middle one of three axes, or its
// logarithm.
type SoftmaxAxis struct {
	Outer, Size, Inner int
	Log                bool
}

// Kind is the layer's name.
func (*SoftmaxAxis) Kind() string { return "SoftmaxAxis" }

func (l *SoftmaxAxis) slots() []slot {
	return []slot{attribute("outer", &l.Outer), attribute("size", &l.Size), attribute("inner", &l.Inner), attribute("log", &l.Log)}
}

func (l *SoftmaxAxis) shape(ins []Shape) (Shape, error) {
	return ins[0], holds(ins[0], []int{l.Outer, l.Size, l.Inner})
}

func (*SoftmaxAxis) inputs() int           { return 1 }
func (*SoftmaxAxis) reach(_ Shape) reach   { return everywhere }
func (*SoftmaxAxis) macs(_, _ Shape) int64 { return 0 }
func (l *SoftmaxAxis) text() string {
	if l.Log {
		return "logarithm"
	}
	return ""
}

func (l *SoftmaxAxis) forward(c *call) error {
	c.k.SoftmaxAxis(kernel.Axis{Outer: c.n * l.Outer, Size: l.Size, Inner: l.Inner}, l.Log, c.dst, c.srcs[0])
	return nil
}
