package model

import (
	"math"
)

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
	c.each(func(dst, src []float32) { softmaxAxis(l, dst, src) })
	return nil
}

func softmaxAxis(l *SoftmaxAxis, dst, src []float32) {
	outer, size, inner := l.Outer, l.Size, l.Inner
	for o := range outer {
		for x := range inner {
			at := o*size*inner + x
			top := float32(math.Inf(-1))
			for i := range size {
				top = max(top, src[at+i*inner])
			}
			sum := 0.0
			for i := range size {
				sum += math.Exp(float64(src[at+i*inner]) - float64(top))
			}
			for i := range size {
				v := float64(src[at+i*inner]) - float64(top)
				if l.Log {
					v -= math.Log(sum)
				} else {
					v = math.Exp(v) / sum
				}
				dst[at+i*inner] = float32(v)
			}
		}
	}
}
