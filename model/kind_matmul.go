package model

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// MatMul is the matrix product over the last two axes of A and B, broadcast
// over those before; both have at least two. Value and First are as in Binary.
type MatMul struct {
	A, B  []int
	Value *tensor.Tensor
	First bool
}

// Kind is the layer's name.
func (*MatMul) Kind() string { return "MatMul" }

func (l *MatMul) slots() []slot {
	return []slot{
		attribute("a", &l.A), attribute("b", &l.B), optional(trained("value", &l.Value)), attribute("first", &l.First)}
}

func (l *MatMul) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if len(l.A) < 2 || len(l.B) < 2 || l.A[len(l.A)-1] != l.B[len(l.B)-2] {
		return s, fmt.Errorf("cannot multiply matrices of %v and %v", l.A, l.B)
	}
	if err := operands(l.A, l.B, l.Value, l.First, ins); err != nil {
		return s, err
	}
	d, err := Broadcast(l.A[:len(l.A)-2], l.B[:len(l.B)-2])
	if err != nil {
		return s, err
	}
	return arrayShape(append(d, l.A[len(l.A)-2], l.B[len(l.B)-1]))
}

func (*MatMul) inputs() int                     { return many }
func (*MatMul) reach(_ Shape) reach             { return everywhere }
func (l *MatMul) macs(_ Shape, out Shape) int64 { return int64(out.Len()) * int64(l.A[len(l.A)-1]) }
func (l *MatMul) text() string {
	return strings.TrimPrefix(operandText(l.A, l.B, l.Value, l.First), " ")
}

// matProduct is what is known of a MatMul before it runs.
type matProduct struct {
	kernel.Product
	right  []*kernel.Matrix // packed, if the right side is constant
	merged bool             // all rows of all images are multiplied by one matrix
}

func (l *MatMul) prepare(s *step) {
	m, k, n := l.Sizes()
	p := &matProduct{Product: kernel.Product{M: m, K: k, N: n}}
	l.Products(func(out, a, b int) { p.Places = append(p.Places, kernel.ProductPlace{A: a, B: b, C: out}) })
	one := true // matrix on the right, and rows in order on the left
	for i, at := range p.Places {
		one = one && at.B == p.Places[0].B && at.A == i*m*k
	}
	if one {
		p.M *= len(p.Places)
		p.Places = p.Places[:1]
	}
	if l.Value == nil || !l.First {
		p.A = ArrayShape(l.A).Len()
	}
	if l.Value == nil || l.First {
		p.B = ArrayShape(l.B).Len()
	}
	p.C = len(p.Places) * p.M * n
	if l.Value != nil && !l.First {
		p.merged = one
		value := l.Value.Floats()
		for at := 0; at < len(value); at += k * n {
			p.right = append(p.right, kernel.PackMatrix(k, n, value[at:at+k*n], false))
		}
		for i := range p.Places {
			p.Places[i].B /= k * n
		}
	}
	if s.Bias != nil {
		p.Bias = s.Bias.Layer.(*Binary).Value.Data
	}
	if s.Act != nil {
		f, _ := s.Act.Layer.(*Unary).function()
		p.Act = &f
	}
	s.product = p
}

func (l *MatMul) forward(c *call) error {
	p := c.step.product
	run := p.Product
	run.Images = c.n
	if p.merged {
		run.M, run.Images = run.M*c.n, 1
	}
	a, b := c.srcs[0], []float32(nil)
	switch {
	case l.Value == nil:
		b = c.srcs[1]
	case l.First:
		a, b = l.Value.Floats(), c.srcs[0]
	}
	c.k.MatMul(run, c.dst, a, b, p.right)
	return nil
}

// Sizes are those of each product: of m x k and k x n.
func (l *MatMul) Sizes() (m, k, n int) {
	return l.A[len(l.A)-2], l.A[len(l.A)-1], l.B[len(l.B)-1]
}

// Products calls do for every product of two matrices with the places where they
// and their product begin.
func (l *MatMul) Products(do func(out, a, b int)) {
	m, k, n := l.Sizes()
	headA, headB := l.A[:len(l.A)-2], l.B[:len(l.B)-2]
	dims, err := Broadcast(headA, headB)
	if err != nil {
		return
	}
	walk2(dims, strides(headA, dims), strides(headB, dims), func(at, x, y, count, da, db int) {
		for range count {
			do(at*m*n, x*m*k, y*k*n)
			at, x, y = at+1, x+da, y+db
		}
	})
}

// Turn writes the transpose of the matrix src, of rows x columns, to dst.
func Turn(dst, src []float32, rows, columns int) {
	const tile = 16
	for y := 0; y < rows; y += tile {
		for x := 0; x < columns; x += tile {
			for i := y; i < min(y+tile, rows); i++ {
				for j := x; j < min(x+tile, columns); j++ {
					dst[j*rows+i] = src[i*columns+j]
				}
			}
		}
	}
}
