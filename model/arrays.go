package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model/tensor"
)

// ArrayShape is the Shape of an array of dims: no axis or one is a vector, of
// two the second are columns, of more than three the last ones are columns.
func ArrayShape(dims []int) Shape {
	s := Shape{C: 1, H: 1, W: 1, Flat: len(dims) < 2}
	for i, d := range dims {
		switch {
		case i == 0:
			s.C = d
		case i == 1 && len(dims) > 2:
			s.H = d
		default:
			s.W *= d
		}
	}
	return s
}

// arrayShape is ArrayShape of dims that may be of any size.
func arrayShape(dims []int) (Shape, error) {
	if _, err := arrayLen(dims); err != nil {
		return Shape{}, err
	}
	return ArrayShape(dims), nil
}

// arrayLen is the number of values, an error unless dims are positive and
// sensible.
func arrayLen(dims []int) (int, error) {
	if len(dims) > maxRank || !fits(dims...) || slices.Contains(dims, 0) {
		return 0, fmt.Errorf("dims are %v, want at most %d positive sizes of sensible magnitude", dims, maxRank)
	}
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n, nil
}

// checkAxes wants axes of dims, in rising order.
func checkAxes(axes, dims []int) error {
	for i, a := range axes {
		if a < 0 || a >= len(dims) || i > 0 && a <= axes[i-1] {
			return fmt.Errorf("axes %v of %v", axes, dims)
		}
	}
	return nil
}

const maxRank = 16

// holds checks that an input is an array of dims.
func holds(s Shape, dims []int) error {
	n, err := arrayLen(dims)
	if err == nil && n != s.Len() {
		err = fmt.Errorf("input is %v, %d values, want an array of %v", s, s.Len(), dims)
	}
	return err
}

// Broadcast returns the dims that arrays of dims a and b combine to.
func Broadcast(a, b []int) ([]int, error) {
	out := make([]int, max(len(a), len(b)))
	for i := range out {
		x, y := 1, 1
		if j := i - (len(out) - len(a)); j >= 0 {
			x = a[j]
		}
		if j := i - (len(out) - len(b)); j >= 0 {
			y = b[j]
		}
		if x != y && x != 1 && y != 1 {
			return nil, fmt.Errorf("arrays of %v and %v do not combine", a, b)
		}
		out[i] = max(x, y)
		if x == 0 || y == 0 {
			out[i] = 0
		}
	}
	return out, nil
}

// operands checks the inputs of Binary and MatMul.
func operands(a, b []int, value *tensor.Tensor, first bool, ins []Shape) error {
	want := [][]int{a, b}
	if value != nil {
		known := b
		want = want[:1]
		if first {
			known, want[0] = a, b
		}
		n, err := arrayLen(known)
		if err != nil {
			return err
		}
		if !slices.Equal(value.Shape, known) || value.Len() != n {
			return fmt.Errorf("the constant is %v, want %v", value.Shape, known)
		}
	}
	if len(ins) != len(want) {
		return fmt.Errorf("%d inputs, want %d", len(ins), len(want))
	}
	for i, dims := range want {
		if err := holds(ins[i], dims); err != nil {
			return err
		}
	}
	return nil
}

func operandText(a, b []int, value *tensor.Tensor, first bool) string {
	switch {
	case value == nil:
		return fmt.Sprintf(" %v and %v", a, b)
	case value.Len() == 1 && first:
		return fmt.Sprintf(" of %g and the input", value.Data[0])
	case value.Len() == 1:
		return fmt.Sprintf(" by %g", value.Data[0])
	case first:
		return fmt.Sprintf(" of a constant %v and %v", a, b)
	}
	return fmt.Sprintf(" %v by a constant %v", a, b)
}

// operandData returns the two operands of image i.
func operandData(value *tensor.Tensor, first bool, srcs [][]float32, ins []Shape, i int) (a, b []float32) {
	a = srcs[0][i*ins[0].Len() : (i+1)*ins[0].Len()]
	switch {
	case value == nil:
		return a, srcs[1][i*ins[1].Len() : (i+1)*ins[1].Len()]
	case first:
		return value.Data, a
	}
	return a, value.Data
}

// strides are the steps through an array of dims for an array of dims out that
// it is broadcast to: 0 along axes that repeat.
func strides(dims, out []int) []int {
	s := make([]int, len(out))
	step := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] > 1 {
			s[i+len(out)-len(dims)] = step
		}
		step *= dims[i]
	}
	return s
}

// walk2 visits all places of an array of dims, with the places in two others
// that have the given strides. Axes that run on in both are taken together.
func walk2(dims, sa, sb []int, row func(i, a, b, n, da, db int)) {
	var d, x, y []int
	for i, n := range dims {
		if n == 1 {
			continue
		}
		if m := len(d) - 1; m >= 0 && x[m] == sa[i]*n && y[m] == sb[i]*n {
			d[m], x[m], y[m] = d[m]*n, sa[i], sb[i]
			continue
		}
		d, x, y = append(d, n), append(x, sa[i]), append(y, sb[i])
	}
	if len(d) == 0 {
		d, x, y = []int{1}, []int{0}, []int{0}
	}
	last := len(d) - 1
	index := make([]int, last)
	at, a, b := 0, 0, 0
	for {
		row(at, a, b, d[last], x[last], y[last])
		at += d[last]
		i := last - 1
		for ; i >= 0; i-- {
			a, b = a+x[i], b+y[i]
			if index[i]++; index[i] < d[i] {
				break
			}
			a, b, index[i] = a-x[i]*d[i], b-y[i]*d[i], 0
		}
		if i < 0 {
			return
		}
	}
}

// split divides an array into what lies before, in and behind an axis.
func split(dims []int, axis int) (outer, size, inner int) {
	outer, inner = 1, 1
	for _, d := range dims[:axis] {
		outer *= d
	}
	for _, d := range dims[axis+1:] {
		inner *= d
	}
	return outer, dims[axis], inner
}
