package model

import (
	"github.com/deconvnet/viz/internal/kernel"
)

// AvgPool is the mean over windows.
type AvgPool struct {
	Kernel, Stride [2]int
	Pads           [4]int
	Ceil           bool
	CountPad       bool // padding counts as elements of value 0
}

// Kind is the layer's name.
func (*AvgPool) Kind() string { return "AvgPool" }

func (l *AvgPool) slots() []slot {
	return []slot{
		attribute("kernel", &l.Kernel), attribute("stride", &l.Stride), attribute("pads", &l.Pads),
		attribute("ceil", &l.Ceil), attribute("count_pad", &l.CountPad)}
}

func (l *AvgPool) shape(ins []Shape) (Shape, error) {
	return poolShape(ins[0], l.Kernel, l.Stride, [2]int{1, 1}, l.Pads, l.Ceil)
}

func (*AvgPool) inputs() int           { return 1 }
func (l *AvgPool) reach(_ Shape) reach { return windows(asConv(l.Geometry())) }
func (*AvgPool) macs(_, _ Shape) int64 { return 0 }
func (l *AvgPool) text() string        { return window(l.Kernel, l.Stride, [2]int{1, 1}, l.Pads) }

func (l *AvgPool) forward(c *call) error {
	in := c.ins[0]
	c.k.AvgPool(l.Geometry(), c.n*in.C, c.dst, c.out.Box(), c.srcs[0], in.Box(), in.H, in.W, l.Pads[2], l.Pads[3], l.CountPad)
	return nil
}

// Geometry is the layer as the kernels see it.
func (l *AvgPool) Geometry() kernel.Pool {
	return kernel.Pool{KH: l.Kernel[0], KW: l.Kernel[1], StrideY: l.Stride[0], StrideX: l.Stride[1],
		DilY: 1, DilX: 1, PadTop: l.Pads[0], PadLeft: l.Pads[1]}
}
