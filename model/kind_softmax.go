package model

import (
	"github.com/deconvnet/viz/internal/kernel"
)

// Softmax is exp(x) / sum exp(x) over the channels.
type Softmax struct{}

// Kind is the layer's name.
func (*Softmax) Kind() string { return "Softmax" }

func (*Softmax) slots() []slot { return nil }

func (*Softmax) shape(ins []Shape) (Shape, error) { return ins[0], nil }

func (*Softmax) inputs() int           { return 1 }
func (*Softmax) reach(_ Shape) reach   { return pointwise }
func (*Softmax) macs(_, _ Shape) int64 { return 0 }
func (*Softmax) text() string          { return "" }

func (*Softmax) forward(c *call) error {
	softmax(c.k, c.n, c.ins[0], c.dst, c.srcs[0])
	return nil
}

// softmax over the channels, at each place apart.
func softmax(k *kernel.Engine, n int, in Shape, dst, src []float32) {
	if in.H*in.W == 1 {
		k.Softmax(n, in.C, dst, src)
		return
	}
	k.SoftmaxAxis(kernel.Axis{Outer: n, Size: in.C, Inner: in.H * in.W}, false, dst, src)
}
