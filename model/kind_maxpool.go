package model

import (
	"github.com/deconvnet/viz/internal/kernel"
)

// MaxPool is the maximum over windows; padding never wins.
type MaxPool struct {
	Kernel, Stride, Dilation [2]int
	Pads                     [4]int
	Ceil                     bool // round the output size up
}

// Kind is the layer's name.
func (*MaxPool) Kind() string { return "MaxPool" }

func (l *MaxPool) slots() []slot {
	return []slot{
		attribute("kernel", &l.Kernel), attribute("stride", &l.Stride), attribute("dilation", &l.Dilation),
		attribute("pads", &l.Pads), attribute("ceil", &l.Ceil)}
}

func (l *MaxPool) shape(ins []Shape) (Shape, error) {
	return poolShape(ins[0], l.Kernel, l.Stride, l.Dilation, l.Pads, l.Ceil)
}

func (*MaxPool) inputs() int           { return 1 }
func (l *MaxPool) reach(_ Shape) reach { return windows(asConv(l.Geometry())) }
func (*MaxPool) macs(_, _ Shape) int64 { return 0 }
func (l *MaxPool) text() string        { return window(l.Kernel, l.Stride, l.Dilation, l.Pads) }

func (l *MaxPool) forward(c *call) error {
	in := c.ins[0]
	c.k.MaxPool(l.Geometry(), c.n*in.C, c.dst, c.switches, c.out.Box(), c.srcs[0], in.Box(), in.H, in.W)
	return nil
}

// Geometry is the layer as the kernels see it.
func (l *MaxPool) Geometry() kernel.Pool {
	return kernel.Pool{KH: l.Kernel[0], KW: l.Kernel[1], StrideY: l.Stride[0], StrideX: l.Stride[1],
		DilY: l.Dilation[0], DilX: l.Dilation[1], PadTop: l.Pads[0], PadLeft: l.Pads[1]}
}
