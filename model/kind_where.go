package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model/tensor"
)

// Where takes each number from X where Mask is not 0, else from Y. Mask, X and Y
// are arrays of dims M, A and B, broadcast as in NumPy; each is constant or, if nil,
// the next of the inputs.
type Where struct {
	M, A, B    []int
	Mask, X, Y *tensor.Tensor
}

// Kind is the layer's name.
func (*Where) Kind() string { return "Where" }

func (l *Where) slots() []slot {
	return []slot{attribute("m", &l.M), attribute("a", &l.A), attribute("b", &l.B),
		optional(fixed("mask", &l.Mask)), optional(fixed("x", &l.X)), optional(fixed("y", &l.Y))}
}

func (l *Where) dims() ([]int, error) {
	d, err := Broadcast(l.M, l.A)
	if err != nil {
		return nil, err
	}
	return Broadcast(d, l.B)
}

func (l *Where) shape(ins []Shape) (Shape, error) {
	dims, err := l.dims()
	if err != nil {
		return ins[0], err
	}
	out, err := arrayShape(dims)
	if err != nil {
		return ins[0], err
	}
	rest, whole := ins, false
	for i, t := range []*tensor.Tensor{l.Mask, l.X, l.Y} {
		d := [][]int{l.M, l.A, l.B}[i]
		if t != nil {
			if n, err := arrayLen(d); err != nil || !slices.Equal(t.Shape, d) || n != len(t.Data) {
				return ins[0], fmt.Errorf("a constant is %v, want %v", t.Shape, d)
			}
			continue
		}
		if len(rest) == 0 {
			return ins[0], fmt.Errorf("%d inputs are too few", len(ins))
		}
		if err := holds(rest[0], d); err != nil {
			return ins[0], err
		}
		// A value of the result's size keeps its shape.
		if holds(rest[0], dims) == nil {
			if whole && out != rest[0] {
				return ins[0], fmt.Errorf("cannot combine %v with %v", out, rest[0])
			}
			out, whole = rest[0], true
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return ins[0], fmt.Errorf("%d inputs are too many", len(ins))
	}
	return out, nil
}

func (*Where) inputs() int { return many }
func (l *Where) reach(in Shape) reach {
	if dims, err := l.dims(); err != nil || holds(in, dims) != nil {
		return everywhere
	}
	return pointwise
}
func (*Where) macs(_, _ Shape) int64 { return 0 }
func (l *Where) text() string {
	return fmt.Sprintf("%s ? %s : %s", arrayName(l.M, l.Mask), arrayName(l.A, l.X), arrayName(l.B, l.Y))
}

func arrayName(dims []int, t *tensor.Tensor) string {
	switch {
	case t == nil:
		return fmt.Sprint(dims)
	case len(t.Data) == 1:
		return fmt.Sprint(t.Data[0])
	}
	return fmt.Sprintf("a constant %v", dims)
}

// Operands returns the three arrays, given those that are inputs.
func (l *Where) Operands(ins [][]float32) (mask, x, y []float32) {
	var all [3][]float32
	for i, t := range []*tensor.Tensor{l.Mask, l.X, l.Y} {
		if t != nil {
			all[i] = t.Data
		} else {
			all[i], ins = ins[0], ins[1:]
		}
	}
	return all[0], all[1], all[2]
}

func (l *Where) forward(c *call) error {
	c.k.For(c.n, func(i int) {
		mask, x, y := l.Operands(c.image(i))
		dst := c.dst[i*c.out.Len():]
		l.Visit(func(i, m, a, b int) {
			if mask[m] != 0 {
				dst[i] = x[a]
			} else {
				dst[i] = y[b]
			}
		})
	})
	return nil
}

// Visit calls do for every number of the result with the places in the three arrays.
func (l *Where) Visit(do func(i, m, a, b int)) {
	dims, err := l.dims()
	if err != nil {
		return
	}
	steps := [3][]int{strides(l.M, dims), strides(l.A, dims), strides(l.B, dims)}
	index := make([]int, len(dims))
	var at [3]int
	for i := 0; ; i++ {
		do(i, at[0], at[1], at[2])
		k := len(dims) - 1
		for ; k >= 0; k-- {
			index[k]++
			carry := index[k] == dims[k]
			for j := range at {
				at[j] += steps[j][k]
				if carry {
					at[j] -= steps[j][k] * dims[k]
				}
			}
			if !carry {
				break
			}
			index[k] = 0
		}
		if k < 0 {
			return
		}
	}
}
