package model

import "fmt"

// Hardmax is 1 at the largest of the numbers along the middle one of three axes,
// the first among equals, and 0 elsewhere.
type Hardmax struct{ Outer, Size, Inner int }

// Kind is the layer's name.
func (*Hardmax) Kind() string { return "Hardmax" }

func (l *Hardmax) slots() []slot {
	return []slot{attribute("outer", &l.Outer), attribute("size", &l.Size), attribute("inner", &l.Inner)}
}

func (l *Hardmax) shape(ins []Shape) (Shape, error) {
	return ins[0], holds(ins[0], []int{l.Outer, l.Size, l.Inner})
}

func (*Hardmax) inputs() int           { return 1 }
func (*Hardmax) reach(_ Shape) reach   { return everywhere }
func (*Hardmax) macs(_, _ Shape) int64 { return 0 }
func (l *Hardmax) text() string        { return fmt.Sprintf("of %d numbers", l.Size) }

func (l *Hardmax) forward(c *call) error {
	c.each(func(dst, src []float32) {
		clear(dst)
		for o := range l.Outer {
			for x := range l.Inner {
				best := o*l.Size*l.Inner + x
				for k := 1; k < l.Size; k++ {
					if j := (o*l.Size+k)*l.Inner + x; src[j] > src[best] {
						best = j
					}
				}
				dst[best] = 1
			}
		}
	})
	return nil
}
