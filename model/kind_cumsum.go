package model

import "fmt"

// CumSum is the sum of all numbers up to each, along the middle one of three axes:
// without the number itself if Exclusive, from the end if Reverse.
type CumSum struct {
	Outer, Size, Inner int
	Exclusive, Reverse bool
}

// Kind is the layer's name.
func (*CumSum) Kind() string { return "CumSum" }

func (l *CumSum) slots() []slot {
	return []slot{attribute("outer", &l.Outer), attribute("size", &l.Size), attribute("inner", &l.Inner),
		attribute("exclusive", &l.Exclusive), attribute("reverse", &l.Reverse)}
}

func (l *CumSum) shape(ins []Shape) (Shape, error) {
	return ins[0], holds(ins[0], []int{l.Outer, l.Size, l.Inner})
}

func (*CumSum) inputs() int           { return 1 }
func (*CumSum) reach(_ Shape) reach   { return everywhere }
func (*CumSum) macs(_, _ Shape) int64 { return 0 }
func (l *CumSum) text() string        { return fmt.Sprintf("along %d numbers", l.Size) }

func (l *CumSum) forward(c *call) error {
	c.each(func(dst, src []float32) { l.Sum(dst, src, l.Reverse) })
	return nil
}

// Sum computes the sums, from the end if reverse. In the other direction that is
// the transpose.
func (l *CumSum) Sum(dst, src []float32, reverse bool) {
	for o := range l.Outer {
		for x := range l.Inner {
			sum := 0.0
			for k := range l.Size {
				if reverse {
					k = l.Size - 1 - k
				}
				j := (o*l.Size+k)*l.Inner + x
				v := float64(src[j])
				if l.Exclusive {
					dst[j] = float32(sum)
				} else {
					dst[j] = float32(sum + v)
				}
				sum += v
			}
		}
	}
}
