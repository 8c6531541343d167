package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
)

// GlobalAvgPool is the mean over each map: [C, H, W] to [C, 1, 1].
type GlobalAvgPool struct{}

// Kind is the layer's name.
func (*GlobalAvgPool) Kind() string { return "GlobalAvgPool" }

func (*GlobalAvgPool) slots() []slot { return nil }

func (*GlobalAvgPool) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if s.Flat {
		return Shape{}, fmt.Errorf("input is a vector of %d, want maps", s.C)
	}
	return Shape{C: s.C, H: 1, W: 1}, nil
}

func (*GlobalAvgPool) inputs() int           { return 1 }
func (*GlobalAvgPool) reach(_ Shape) reach   { return everywhere }
func (*GlobalAvgPool) macs(_, _ Shape) int64 { return 0 }
func (*GlobalAvgPool) text() string          { return "" }

func (*GlobalAvgPool) forward(c *call) error {
	in := c.ins[0]
	c.k.AvgPool(kernel.WholePool(in.H, in.W), c.n*in.C, c.dst, c.out.Box(), c.srcs[0], in.Box(), in.H, in.W, 0, 0, false)
	return nil
}
