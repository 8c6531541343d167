package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model"
)

// Arithmetic on constants: of floats by the layers, of whole numbers exactly, to 64 bits.

// integerOp is an operation on two whole numbers; ok is false if it has no result.
type integerOp func(a, b int64) (v int64, ok bool)

// truth is an operation whose result is 0 or 1.
func truth(f func(a, b int64) bool) integerOp {
	return func(a, b int64) (int64, bool) {
		if f(a, b) {
			return 1, true
		}
		return 0, true
	}
}

var integerOps = map[string]integerOp{
	"Add": func(a, b int64) (int64, bool) { return a + b, true },
	"Sub": func(a, b int64) (int64, bool) { return a - b, true },
	"Mul": func(a, b int64) (int64, bool) { return a * b, true },
	"Div": func(a, b int64) (int64, bool) { // truncates, as ONNX does
		if b == 0 {
			return 0, false
		}
		return a / b, true
	},
	"Mod": remainder,
	"Pow": func(a, b int64) (int64, bool) {
		p := exact.Pow(float64(a), float64(b))
		return int64(p), b >= 0 && math.Abs(p) < 1<<53
	},
	"Max":            func(a, b int64) (int64, bool) { return max(a, b), true },
	"Min":            func(a, b int64) (int64, bool) { return min(a, b), true },
	"And":            func(a, b int64) (int64, bool) { return a & b, true },
	"Or":             func(a, b int64) (int64, bool) { return a | b, true },
	"Equal":          truth(func(a, b int64) bool { return a == b }),
	"Greater":        truth(func(a, b int64) bool { return a > b }),
	"GreaterOrEqual": truth(func(a, b int64) bool { return a >= b }),
	"Less":           truth(func(a, b int64) bool { return a < b }),
	"LessOrEqual":    truth(func(a, b int64) bool { return a <= b }),
}

// remainder has the sign of the divisor.
func remainder(a, b int64) (int64, bool) {
	if b == 0 || b == -1 {
		return 0, b != 0
	}
	m := a % b
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m, true
}

// truncated has the sign of the dividend.
func truncated(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	return a % b, true
}

// integerSums are the reductions of whole numbers.
var integerSums = map[string]func(sum, v int64) int64{
	"ReduceSum":  func(s, v int64) int64 { return s + v },
	"ReduceProd": func(s, v int64) int64 { return s * v },
	"ReduceMax":  func(s, v int64) int64 { return max(s, v) },
	"ReduceMin":  func(s, v int64) int64 { return min(s, v) },
}

// at is a constant's number as a float.
func (k *constant) at(i int) float64 {
	if k.f != nil {
		return float64(k.f[i])
	}
	return float64(k.i[i])
}

// together is the dims that constants combine to.
func (c *converter) together(ks ...*constant) ([]int, int, error) {
	var dims []int
	for _, k := range ks {
		var err error
		if dims, err = model.Broadcast(dims, k.dims); err != nil {
			return nil, 0, malformed("%v", err)
		}
		if len(dims) > maxRank {
			return nil, 0, malformed("more than %d axes", maxRank)
		}
	}
	count, err := elements64(dims, c.budget)
	return dims, count, err
}

func foldUnary(c *converter, n *node, k *constant) (*constant, error) {
	if k.f == nil {
		return nil, refuse("it takes %v", k)
	}
	if k.len() == 0 {
		return k, nil
	}
	return c.computed(&model.Unary{Op: model.UnaryOp(n.op)}, k.dims, k)
}

// foldBinary computes an operation on two constants, broadcast as NumPy does.
func foldBinary(whole integerOp) func(*converter, *node) (*constant, error) {
	return func(c *converter, n *node) (*constant, error) {
		if len(n.inputs) == 1 { // of Max and Min
			return c.need(n, 0)
		}
		if len(n.inputs) != 2 || n.int("broadcast", 0) != 0 {
			return nil, refuse("%d constants", len(n.inputs))
		}
		k, err := c.needs(n, 2)
		if err != nil {
			return nil, err
		}
		a, b := k[0], k[1]
		l := &model.Binary{Op: model.BinaryOp(n.op), A: a.dims, B: b.dims}
		truth := l.Level()
		switch {
		case (a.f == nil) == (b.f == nil):
		case !truth:
			return nil, refuse("it takes %v and %v", a, b)
		default:
			if a, err = c.asFloats(a); err != nil {
				return nil, err
			}
			if b, err = c.asFloats(b); err != nil {
				return nil, err
			}
		}
		dims, count, err := c.together(a, b)
		if err != nil {
			return nil, err
		}
		if a.f == nil || count == 0 {
			op := whole
			if n.op == "Mod" && n.int("fmod", 0) != 0 {
				op = truncated
			}
			return c.wholes(l, op, dims, count, a, b)
		}
		if n.op == "Mod" && n.int("fmod", 0) != 0 {
			l.Op = "Fmod"
		}
		out, err := c.computed(l, dims, a, b)
		if err != nil || !truth {
			return out, err
		}
		return c.asWholes(out)
	}
}

// wholes combines whole numbers along the paths of l.
func (c *converter) wholes(l *model.Binary, op integerOp, dims []int, count int, a, b *constant) (*constant, error) {
	like := a
	if l.Level() {
		like = &constant{}
	}
	out, err := c.like(like, dims, count)
	if err != nil || count == 0 {
		return out, err
	}
	l.Visit(func(i, x, y int) {
		v, ok := op(a.i[x], b.i[y])
		if !ok {
			err = refuse("it divides by 0")
		}
		out.i[i] = v
	})
	return out, err
}

// asWholes is a constant of 0 and 1 as whole numbers.
func (c *converter) asWholes(k *constant) (*constant, error) {
	out, err := c.like(&constant{}, k.dims, k.len())
	if err != nil {
		return nil, err
	}
	for i, v := range k.f {
		out.i[i] = int64(v)
	}
	return out, nil
}

func foldNot(c *converter, n *node, k *constant) (*constant, error) {
	if k.i == nil {
		return nil, malformed("it takes %v", k)
	}
	out, err := c.like(k, k.dims, k.len())
	if err != nil {
		return nil, err
	}
	for i, v := range k.i {
		out.i[i] = 1 - min(v, 1)
	}
	return out, nil
}

func foldReduce(c *converter, n *node, k *constant) (*constant, error) {
	given, err := c.integers(n, 1, "axes")
	if err != nil {
		return nil, err
	}
	axes, err := axesOf(given, len(k.dims))
	if err != nil {
		return nil, err
	}
	if len(axes) == 0 {
		if n.int("noop_with_empty_axes", 0) != 0 {
			return k, nil
		}
		for i := range k.dims {
			axes = append(axes, i)
		}
	}
	if k.len() == 0 || k.f == nil && n.op == "ReduceMean" {
		return nil, refuse("it takes %v", k)
	}
	kept, shown := slices.Clone(k.dims), []int{}
	for i, d := range k.dims {
		switch {
		case !slices.Contains(axes, i):
			shown = append(shown, d)
			continue
		case n.int("keepdims", 1) != 0:
			shown = append(shown, 1)
		}
		kept[i] = 1
	}
	count := product(kept)
	l := &model.Reduce{Op: reductions[n.op], From: k.dims, Axes: slices.Sorted(slices.Values(axes))}
	if k.f != nil {
		return c.computed(l, shown, k)
	}
	out, err := c.like(k, shown, count)
	if err != nil {
		return nil, err
	}
	seen, add := make([]bool, count), integerSums[n.op]
	l.Visit(func(i, j int) {
		if seen[i] {
			out.i[i] = add(out.i[i], k.i[j])
		} else {
			seen[i], out.i[i] = true, k.i[j]
		}
	})
	return out, nil
}
