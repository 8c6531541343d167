package model

import (
	"fmt"
	"math"
	"slices"
)

// ScatterOp says what becomes of a number and the one that is put at its place.
type ScatterOp string

const (
	ScatterSet ScatterOp = "none"
	ScatterAdd ScatterOp = "add"
	ScatterMul ScatterOp = "mul"
	ScatterMax ScatterOp = "max"
	ScatterMin ScatterOp = "min"
)

// ParseScatterOp reads the name of a ScatterOp.
func ParseScatterOp(s string) (ScatterOp, error) {
	all := []ScatterOp{ScatterSet, ScatterAdd, ScatterMul, ScatterMax, ScatterMin}
	if !slices.Contains(all, ScatterOp(s)) {
		return "", fmt.Errorf("unknown reduction %q, want one of %v", s, all)
	}
	return ScatterOp(s), nil
}

// Scatter is its first input, of dims Data, with the numbers of the third put at
// the places that the second, indices of dims Index, names.
type Scatter struct {
	Op          IndexOp
	Data, Index []int
	Axis        int
	Reduction   ScatterOp
}

// Kind is the layer's name.
func (*Scatter) Kind() string { return "Scatter" }

func (l *Scatter) slots() []slot {
	return []slot{attribute("op", (*string)(&l.Op)), attribute("data", &l.Data), attribute("index", &l.Index), attribute("axis", &l.Axis),
		attribute("reduction", (*string)(&l.Reduction))}
}

func (l *Scatter) shape(ins []Shape) (Shape, error) {
	if _, err := ParseScatterOp(string(l.Reduction)); err != nil {
		return ins[0], err
	}
	dims, err := checkIndexed(l.Op, l.Data, l.Index, l.Axis, ins)
	if err != nil {
		return ins[0], err
	}
	if err := holds(ins[2], dims); err != nil {
		return ins[0], err
	}
	return ins[0], nil
}

func (*Scatter) inputs() int           { return 3 }
func (*Scatter) reach(_ Shape) reach   { return everywhere }
func (*Scatter) macs(_, _ Shape) int64 { return 0 }
func (l *Scatter) text() string {
	s := fmt.Sprintf("%s %v in %v", l.Op, l.Index, l.Data)
	if l.Reduction != ScatterSet {
		s += ", " + string(l.Reduction)
	}
	return s
}

func (l *Scatter) forward(c *call) error {
	for i := range c.n {
		ins, dst := c.image(i), c.dst[i*c.out.Len():(i+1)*c.out.Len()]
		copy(dst, ins[0])
		err := VisitIndexed(l.Op, l.Data, l.Index, l.Axis, ins[1], func(i, j int) {
			v := ins[2][i]
			switch l.Reduction {
			case ScatterSet:
				dst[j] = v
			case ScatterAdd:
				dst[j] += v
			case ScatterMul:
				dst[j] *= v
			case ScatterMax:
				dst[j] = float32(math.Max(float64(dst[j]), float64(v)))
			case ScatterMin:
				dst[j] = float32(math.Min(float64(dst[j]), float64(v)))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
