package model

import (
	"fmt"
)

// LRN is local response normalisation over Size neighbouring channels:
// x / (Bias + Alpha/Size * sum of squares)^Beta, as in ONNX.
type LRN struct {
	Size              int
	Alpha, Beta, Bias float64
}

// Kind is the layer's name.
func (*LRN) Kind() string { return "LRN" }

func (l *LRN) slots() []slot {
	return []slot{attribute("size", &l.Size), attribute("alpha", &l.Alpha), attribute("beta", &l.Beta), attribute("bias", &l.Bias)}
}

func (l *LRN) shape(ins []Shape) (Shape, error) {
	if l.Size < 1 {
		return Shape{}, fmt.Errorf("size %d", l.Size)
	}
	return ins[0], nil
}

func (*LRN) inputs() int           { return 1 }
func (*LRN) reach(_ Shape) reach   { return pointwise }
func (*LRN) macs(_, _ Shape) int64 { return 0 }
func (l *LRN) text() string {
	return fmt.Sprintf("size %d, alpha %g, beta %g, bias %g", l.Size, l.Alpha, l.Beta, l.Bias)
}

func (l *LRN) forward(c *call) error {
	in := c.ins[0]
	c.k.LRN(c.n, in.C, in.H*in.W, c.dst, c.srcs[0], l.Size, l.Alpha, l.Beta, l.Bias)
	return nil
}
