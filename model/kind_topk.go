package model

import (
	"cmp"
	"fmt"
	"slices"
)

// TopK gives the K largest numbers along axis Axis of an array of dims From, the
// largest first and the first among equals, or the smallest if Smallest; or, if
// Places, where they are along the axis.
type TopK struct {
	From             []int
	Axis, K          int
	Smallest, Places bool
}

// Kind is the layer's name.
func (*TopK) Kind() string { return "TopK" }

func (l *TopK) slots() []slot {
	return []slot{attribute("from", &l.From), attribute("axis", &l.Axis), attribute("k", &l.K), attribute("smallest", &l.Smallest), attribute("places", &l.Places)}
}

func (l *TopK) shape(ins []Shape) (Shape, error) {
	if err := holds(ins[0], l.From); err != nil {
		return ins[0], err
	}
	if l.Axis < 0 || l.Axis >= len(l.From) || l.K < 1 || l.K > l.From[l.Axis] {
		return ins[0], fmt.Errorf("%d along axis %d of %v", l.K, l.Axis, l.From)
	}
	dims := slices.Clone(l.From)
	dims[l.Axis] = l.K
	return arrayShape(dims)
}

func (*TopK) inputs() int           { return 1 }
func (*TopK) reach(_ Shape) reach   { return everywhere }
func (*TopK) macs(_, _ Shape) int64 { return 0 }
func (l *TopK) text() string {
	s := fmt.Sprintf("%d largest along axis %d of %v", l.K, l.Axis, l.From)
	if l.Smallest {
		s = fmt.Sprintf("%d smallest along axis %d of %v", l.K, l.Axis, l.From)
	}
	if l.Places {
		return "places of the " + s
	}
	return s
}

func (l *TopK) forward(c *call) error {
	_, size, inner := split(l.From, l.Axis)
	c.each(func(dst, src []float32) {
		l.Visit(src, func(i, j int) {
			if l.Places {
				dst[i] = float32(j / inner % size)
			} else {
				dst[i] = src[j]
			}
		})
	})
	return nil
}

// Visit calls do for every number i of the result with the place j in src.
func (l *TopK) Visit(src []float32, do func(i, j int)) {
	outer, size, inner := split(l.From, l.Axis)
	order := make([]int, size)
	for o := range outer {
		for x := range inner {
			at := func(k int) int { return (o*size+k)*inner + x }
			for k := range order {
				order[k] = k
			}
			slices.SortStableFunc(order, func(a, b int) int {
				if l.Smallest {
					return cmp.Compare(src[at(a)], src[at(b)])
				}
				return cmp.Compare(src[at(b)], src[at(a)])
			})
			for k, from := range order[:l.K] {
				do((o*l.K+k)*inner+x, at(from))
			}
		}
	}
}
