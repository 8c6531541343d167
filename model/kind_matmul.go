package model

import (
	"fmt"
	"strings"

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

// bigProduct is the number of multiply-adds of one product from which on the
// kernels compute it, in float32; smaller ones are plain sums in float64.
const bigProduct = 1 << 14

func (l *MatMul) forward(c *call) error {
	m, k, n := l.Sizes()
	if m*k*n < bigProduct {
		c.k.For(c.n, func(i int) {
			a, b := operandData(l.Value, l.First, c.srcs, c.ins, i)
			matMul(l, c.dst[i*c.out.Len():(i+1)*c.out.Len()], a, b)
		})
		return nil
	}
	turned, from := make([]float32, k*n), -1
	for i := range c.n {
		a, b := operandData(l.Value, l.First, c.srcs, c.ins, i)
		dst := c.dst[i*c.out.Len():]
		l.Products(func(out, x, y int) {
			if from != y || l.Value == nil || l.First { // not the same constant as before
				Turn(turned, b[y:], k, n)
				from = y
			}
			c.k.DenseForward(m, k, n, dst[out:out+m*n], a[x:x+m*k], turned, nil)
		})
	}
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

func matMul(l *MatMul, dst, a, b []float32) {
	ra, rb := len(l.A), len(l.B)
	m, k, n := l.A[ra-2], l.A[ra-1], l.B[rb-1]
	dims, _ := Broadcast(l.A[:ra-2], l.B[:rb-2])
	row := make([]float64, n)
	walk2(dims, strides(l.A[:ra-2], dims), strides(l.B[:rb-2], dims), func(at, x, y, count, da, db int) {
		for range count {
			for i := range m {
				clear(row)
				for t := range k {
					v := float64(a[(x*m+i)*k+t])
					for j, w := range b[(y*k+t)*n : (y*k+t+1)*n] {
						row[j] += v * float64(w)
					}
				}
				for j, v := range row {
					dst[(at*m+i)*n+j] = float32(v)
				}
			}
			at, x, y = at+1, x+da, y+db
		}
	})
}
