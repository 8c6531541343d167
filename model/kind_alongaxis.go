package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// AlongAxis makes each number of a new axis from Taps numbers of the same row of
// axis Axis of an array of dims From: sum_k Weight[i*Taps+k] * row[Index[i*Taps+k]];
// at an index of -1 Fill stands in. No Weight: all 1. That covers lookups,
// padding of all modes, and resizing one axis after the other.
type AlongAxis struct {
	What   string
	From   []int
	Axis   int
	Taps   int
	Index  []int
	Weight []float32 // or nil
	Fill   float32
}

// Kind is the layer's name.
func (*AlongAxis) Kind() string { return "AlongAxis" }

func (l *AlongAxis) slots() []slot {
	return []slot{
		attribute("what", &l.What), attribute("from", &l.From), attribute("axis", &l.Axis), attribute("taps", &l.Taps),
		attribute("index", &l.Index), optional(fixed("weight", &l.Weight)), attribute("fill", &l.Fill)}
}

func (l *AlongAxis) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if err := holds(s, l.From); err != nil {
		return s, err
	}
	if l.Axis < 0 || l.Axis >= len(l.From) || l.Taps < 1 || len(l.Index) == 0 || len(l.Index)%l.Taps != 0 ||
		l.Weight != nil && len(l.Weight) != len(l.Index) {
		return s, fmt.Errorf("%d indices and %d weights in groups of %d along axis %d of %v", len(l.Index), len(l.Weight), l.Taps, l.Axis, l.From)
	}
	for _, i := range l.Index {
		if i < -1 || i >= l.From[l.Axis] {
			return s, fmt.Errorf("index %d along axis %d of %v", i, l.Axis, l.From)
		}
	}
	dims := slices.Clone(l.From)
	dims[l.Axis] = len(l.Index) / l.Taps
	return arrayShape(dims)
}

func (*AlongAxis) inputs() int           { return 1 }
func (*AlongAxis) reach(_ Shape) reach   { return everywhere }
func (*AlongAxis) macs(_, _ Shape) int64 { return 0 }
func (l *AlongAxis) text() string {
	return fmt.Sprintf("%s axis %d of %v to %d", l.What, l.Axis, l.From, len(l.Index)/max(l.Taps, 1))
}

func (l *AlongAxis) forward(c *call) error {
	outer, size, inner := split(l.From, l.Axis)
	c.k.TapsAxis(kernel.Axis{Outer: c.n * outer, Size: size, Inner: inner},
		&kernel.Taps{Count: l.Taps, Index: l.Index, Weight: l.Weight, Fill: l.Fill}, c.dst, c.srcs[0])
	return nil
}

// Visit calls do for every term of the result: w times number j of the input,
// or the fill if that is -1, goes into number i.
func (l *AlongAxis) Visit(do func(i, j int, w float32)) {
	outer, size, inner := split(l.From, l.Axis)
	to := len(l.Index) / l.Taps
	for o := range outer {
		for t := range to {
			for k := t * l.Taps; k < (t+1)*l.Taps; k++ {
				w := float32(1)
				if l.Weight != nil {
					w = l.Weight[k]
				}
				for x := range inner {
					j := -1
					if l.Index[k] >= 0 {
						j = (o*size+l.Index[k])*inner + x
					}
					do((o*to+t)*inner+x, j, w)
				}
			}
		}
	}
}
