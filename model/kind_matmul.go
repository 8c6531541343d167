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

func (l *MatMul) forward(c *call) error {
	c.k.For(c.n, func(i int) {
		a, b := operandData(l.Value, l.First, c.srcs, c.ins, i)
		matMul(l, c.dst[i*c.out.Len():(i+1)*c.out.Len()], a, b)
	})
	return nil
}

// Visit calls do for every product a*b that goes into number i of the result,
// the terms of one number one after the other.
func (l *MatMul) Visit(do func(i, a, b int)) {
	ra, rb := len(l.A), len(l.B)
	m, k, n := l.A[ra-2], l.A[ra-1], l.B[rb-1]
	dims, err := Broadcast(l.A[:ra-2], l.B[:rb-2])
	if err != nil {
		return
	}
	walk2(dims, strides(l.A[:ra-2], dims), strides(l.B[:rb-2], dims), func(at, x, y, count, da, db int) {
		for range count {
			for i := range m {
				for j := range n {
					for t := range k {
						do((at*m+i)*n+j, (x*m+i)*k+t, (y*k+t)*n+j)
					}
				}
			}
			at, x, y = at+1, x+da, y+db
		}
	})
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
