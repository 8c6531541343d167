package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Binary combines two arrays of dims A and B number by number, broadcast as in
// NumPy: axes are aligned at the end, an axis of 1 repeats. With Value one of the
// two is constant, the second or, if First is set, the first.
type Binary struct {
	Op    BinaryOp
	A, B  []int
	Value *tensor.Tensor // dims as A or B; nil: both are inputs
	First bool
}

// Kind is the layer's name.
func (*Binary) Kind() string { return "Binary" }

func (l *Binary) slots() []slot {
	return []slot{
		attribute("op", (*string)(&l.Op)), attribute("a", &l.A), attribute("b", &l.B), optional(trained("value", &l.Value)), attribute("first", &l.First)}
}

func (l *Binary) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if _, ok := binaryOps[l.Op]; !ok {
		return s, fmt.Errorf("unknown operation %q", l.Op)
	}
	if err := operands(l.A, l.B, l.Value, l.First, ins); err != nil {
		return s, err
	}
	dims, err := Broadcast(l.A, l.B)
	if err != nil {
		return s, err
	}
	if _, err := arrayLen(dims); err != nil {
		return s, err
	}
	// A value of the result's size keeps its shape.
	out := ArrayShape(dims)
	for i, in := range ins {
		switch {
		case holds(in, dims) != nil:
		case i > 0 && out != in && holds(ins[0], dims) == nil:
			return s, fmt.Errorf("cannot combine %v with %v", ins[0], in)
		default:
			out = in
		}
	}
	return out, nil
}

func (*Binary) inputs() int { return many }
func (l *Binary) reach(in Shape) reach {
	if !l.local(in) {
		return everywhere
	}
	return pointwise
}
func (*Binary) macs(_, _ Shape) int64 { return 0 }
func (l *Binary) text() string        { return string(l.Op) + operandText(l.A, l.B, l.Value, l.First) }

// Squares reports whether the operation is the square of its input.
func (l *Binary) Squares() bool {
	return l.Op == BinaryPow && l.Value != nil && !l.First && len(l.Value.Data) == 1 && l.Value.Data[0] == 2
}

func (l *Binary) prepare(s *step) {
	if dims, err := Broadcast(l.A, l.B); err == nil {
		s.walk = kernel.NewWalk(dims, strides(l.A, dims), strides(l.B, dims))
	}
}

func (l *Binary) forward(c *call) error {
	op, ok := kernel.ArithOf(string(l.Op))
	a, b, sizeA, sizeB := c.srcs[0], []float32(nil), c.ins[0].Len(), 0
	switch {
	case l.Value == nil:
		b, sizeB = c.srcs[1], c.ins[1].Len()
	case l.First:
		a, sizeA, b, sizeB = l.Value.Data, 0, a, sizeA
	default:
		b = l.Value.Data
	}
	if ok {
		c.k.Combine(op, c.step.walk, c.n, c.out.Len(), sizeA, sizeB, c.dst, a, b)
		return nil
	}
	if l.Squares() {
		c.k.Mul(c.dst[:c.n*c.out.Len()], a, a)
		return nil
	}
	c.k.For(c.n, func(i int) {
		a, b := operandData(l.Value, l.First, c.srcs, c.ins, i)
		combine(l, c.dst[i*c.out.Len():(i+1)*c.out.Len()], a, b)
	})
	return nil
}

// OnMaps reports whether the operation is arithmetic on two inputs of shapes ins place by
// place, one of which may have a number for each map: small is that one, or -1.
func (l *Binary) OnMaps(out Shape, ins []Shape) (small int, ok bool) {
	if _, known := kernel.ArithOf(string(l.Op)); !known || l.Value != nil || len(ins) != 2 || out.H*out.W < 2 {
		return -1, false
	}
	small = -1
	for i, dims := range [][]int{l.A, l.B} {
		switch one := (Shape{C: out.C, H: 1, W: 1}); {
		case ins[i] == out && slices.Equal(dims, []int{out.C, out.H, out.W}):
		case ins[i] == one && slices.Equal(dims, []int{out.C, 1, 1}) && small < 0:
			small = i
		default:
			return -1, false
		}
	}
	return small, true
}

// local reports whether an input of shape in is as large as the result: then
// number i of the result depends on no other number of it than number i.
func (l *Binary) local(in Shape) bool {
	dims, err := Broadcast(l.A, l.B)
	return err == nil && holds(in, dims) == nil
}

// Visit calls do for every number of the result of the operation with its place
// i and those of the operands.
func (l *Binary) Visit(do func(i, a, b int)) {
	dims, err := Broadcast(l.A, l.B)
	if err != nil {
		return
	}
	walk2(dims, strides(l.A, dims), strides(l.B, dims), func(i, a, b, n, da, db int) {
		for range n {
			do(i, a, b)
			i, a, b = i+1, a+da, b+db
		}
	})
}

func combine(l *Binary, dst, a, b []float32) {
	dims, _ := Broadcast(l.A, l.B)
	f := binaryOps[l.Op].f
	walk2(dims, strides(l.A, dims), strides(l.B, dims), func(i, x, y, n, da, db int) {
		row := dst[i : i+n]
		switch l.Op {
		case BinaryAdd:
			for j := range row {
				row[j] = a[x+j*da] + b[y+j*db]
			}
		case BinaryMul:
			for j := range row {
				row[j] = a[x+j*da] * b[y+j*db]
			}
		default:
			for j := range row {
				row[j] = f(a[x+j*da], b[y+j*db])
			}
		}
	})
}

// Slopes are the derivatives of the operation by its first and second operand.
func (l *Binary) Slopes() (first, second func(a, b float32) float32) {
	op := binaryOps[l.Op]
	return op.da, op.db
}

// binaryOp is an operation on two numbers and its two derivatives.
type binaryOp struct {
	f      func(a, b float32) float32
	da, db func(a, b float32) float32
}

func float32Step(on bool) float32 { return float32(indicator(on)) }

func one(_, _ float32) float32 { return 1 }

// level is the slope of an operation that is 0 or 1.
func level(_, _ float32) float32 { return 0 }

// remainder has the sign of b.
func remainder(a, b float64) float64 {
	r := math.Mod(a, b)
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

// Level reports whether the operation is a comparison or logical: 0 or 1, so that
// its slope is 0.
func (l *Binary) Level() bool {
	return slices.Contains([]BinaryOp{BinaryEqual, BinaryGreater, BinaryGreaterOrEqual, BinaryLess, BinaryLessOrEqual, BinaryAnd, BinaryOr, BinaryXor}, l.Op)
}

var binaryOps = map[BinaryOp]binaryOp{
	BinaryAdd: {func(a, b float32) float32 { return a + b }, func(_, _ float32) float32 { return 1 }, func(_, _ float32) float32 { return 1 }},
	BinarySub: {func(a, b float32) float32 { return a - b }, func(_, _ float32) float32 { return 1 }, func(_, _ float32) float32 { return -1 }},
	BinaryMul: {func(a, b float32) float32 { return a * b }, func(_, b float32) float32 { return b }, func(a, _ float32) float32 { return a }},
	BinaryDiv: {func(a, b float32) float32 { return a / b }, func(_, b float32) float32 { return 1 / b }, func(a, b float32) float32 { return -a / (b * b) }},
	BinaryPow: {func(a, b float32) float32 { return float32(exact.Pow(float64(a), float64(b))) },
		func(a, b float32) float32 {
			return float32(float64(b) * exact.Pow(float64(a), float64(b)-1))
		},
		func(a, b float32) float32 {
			return float32(exact.Pow(float64(a), float64(b)) * exact.Log(float64(a)))
		}},
	BinaryMax: {func(a, b float32) float32 { return max(a, b) }, func(a, b float32) float32 { return float32Step(a >= b) }, func(a, b float32) float32 { return float32Step(b > a) }},
	BinaryMin: {func(a, b float32) float32 { return min(a, b) }, func(a, b float32) float32 { return float32Step(a <= b) }, func(a, b float32) float32 { return float32Step(b < a) }},
	BinaryMod: {func(a, b float32) float32 { return float32(remainder(float64(a), float64(b))) }, one,
		func(a, b float32) float32 { return -float32(math.Floor(float64(a) / float64(b))) }},
	BinaryFmod: {func(a, b float32) float32 { return float32(math.Mod(float64(a), float64(b))) }, one,
		func(a, b float32) float32 { return -float32(math.Trunc(float64(a) / float64(b))) }},
	BinaryEqual:          {func(a, b float32) float32 { return float32Step(a == b) }, level, level},
	BinaryGreater:        {func(a, b float32) float32 { return float32Step(a > b) }, level, level},
	BinaryGreaterOrEqual: {func(a, b float32) float32 { return float32Step(a >= b) }, level, level},
	BinaryLess:           {func(a, b float32) float32 { return float32Step(a < b) }, level, level},
	BinaryLessOrEqual:    {func(a, b float32) float32 { return float32Step(a <= b) }, level, level},
	BinaryAnd:            {func(a, b float32) float32 { return float32Step(a != 0 && b != 0) }, level, level},
	BinaryOr:             {func(a, b float32) float32 { return float32Step(a != 0 || b != 0) }, level, level},
	BinaryXor:            {func(a, b float32) float32 { return float32Step((a != 0) != (b != 0)) }, level, level},
	BinaryPRelu: {func(a, b float32) float32 {
		if a > 0 {
			return a
		}
		return a * b
	}, func(a, b float32) float32 {
		if a > 0 {
			return 1
		}
		return b
	}, func(a, _ float32) float32 { return min(a, 0) }},
}
