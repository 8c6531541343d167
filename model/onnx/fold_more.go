package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

// Folds of operators that exporters use to work out sizes, indices, masks and
// first states.

func init() {
	for op, fold := range map[string]func(*converter, *node) (*constant, error){
		"Range":          foldRange,
		"Expand":         foldExpand,
		"Tile":           foldTile,
		"Where":          foldWhere,
		"Size":           foldSize,
		"NonZero":        foldNonZero,
		"Compress":       foldCompress,
		"Not":            foldNot,
		"Mod":            foldMod,
		"Pow":            arithmetic(math.Pow, intPow),
		"Max":            fold2(arithmetic(math.Max, func(a, b int64) (int64, bool) { return max(a, b), true })),
		"Min":            fold2(arithmetic(math.Min, func(a, b int64) (int64, bool) { return min(a, b), true })),
		"And":            arithmetic(math.Min, func(a, b int64) (int64, bool) { return a & b, true }),
		"Or":             arithmetic(math.Max, func(a, b int64) (int64, bool) { return a | b, true }),
		"Exp":            unary(math.Exp),
		"Log":            unary(math.Log),
		"Abs":            unary(math.Abs),
		"Erf":            unary(math.Erf),
		"Round":          unary(math.RoundToEven),
		"Reciprocal":     unary(func(v float64) float64 { return 1 / v }),
		"Equal":          compare(func(a, b float64) bool { return a == b }),
		"Greater":        compare(func(a, b float64) bool { return a > b }),
		"GreaterOrEqual": compare(func(a, b float64) bool { return a >= b }),
		"Less":           compare(func(a, b float64) bool { return a < b }),
		"LessOrEqual":    compare(func(a, b float64) bool { return a <= b }),
		"ReduceSum":      foldReduce, "ReduceMax": foldReduce, "ReduceMin": foldReduce, "ReduceMean": foldReduce, "ReduceProd": foldReduce,
	} {
		foldOps[op] = fold
	}
}

func intPow(a, b int64) (int64, bool) {
	p := math.Pow(float64(a), float64(b))
	return int64(p), b >= 0 && math.Abs(p) < 1<<53
}

// fold2 is for operators of any number of inputs: more than two are not folded.
func fold2(f func(*converter, *node) (*constant, error)) func(*converter, *node) (*constant, error) {
	return func(c *converter, n *node) (*constant, error) {
		if len(n.inputs) == 1 {
			return c.need(n, 0)
		}
		if len(n.inputs) != 2 {
			return nil, refuse("%d constants", len(n.inputs))
		}
		return f(c, n)
	}
}

// at is a constant's number as a float.
func (k *constant) at(i int) float64 {
	if k.f != nil {
		return float64(k.f[i])
	}
	return float64(k.i[i])
}

// broadcast returns the places in k for every number of an array of dims.
func (k *constant) broadcast(dims []int) (strides []int) {
	strides = make([]int, len(dims))
	step := 1
	for i := len(k.dims) - 1; i >= 0; i-- {
		if k.dims[i] > 1 {
			strides[i+len(dims)-len(k.dims)] = step
		}
		step *= k.dims[i]
	}
	return strides
}

func dot(a, b []int) int {
	s := 0
	for i, v := range a {
		s += v * b[i]
	}
	return s
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

func foldRange(c *converter, n *node) (*constant, error) {
	var k [3]*constant
	for i := range k {
		var err error
		if k[i], err = c.need(n, i); err != nil {
			return nil, err
		}
		if k[i].len() != 1 || (k[i].f == nil) != (k[0].f == nil) {
			return nil, malformed("input %d is %v, want one number", i, k[i])
		}
	}
	start, limit, delta := k[0].at(0), k[1].at(0), k[2].at(0)
	steps := math.Ceil((limit - start) / delta)
	if delta == 0 || math.IsNaN(steps) || steps > float64(c.budget) {
		return nil, malformed("from %g to %g in steps of %g", start, limit, delta)
	}
	count := int(max(steps, 0))
	out, err := c.like(k[0], []int{count}, count)
	if err != nil {
		return nil, err
	}
	for i := range count {
		if out.f != nil {
			out.f[i] = float32(start + float64(i)*delta)
		} else {
			out.i[i] = k[0].i[0] + int64(i)*k[2].i[0]
		}
	}
	return out, nil
}

func foldExpand(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	shape, err := c.integers(n, 1, "shape")
	if err != nil {
		return nil, err
	}
	if _, err := elements(shape, c.budget); err != nil {
		return nil, err
	}
	dims, count, err := c.together(k, &constant{dims: ints(shape)})
	if err != nil {
		return nil, err
	}
	out, err := c.like(k, dims, count)
	if err != nil || count == 0 {
		return out, err
	}
	strides := k.broadcast(dims)
	walk(dims, func(i int, index []int) { out.set(i, k, dot(index, strides)) })
	return out, nil
}

func foldTile(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	repeats, err := c.integers(n, 1, "repeats")
	if err != nil {
		return nil, err
	}
	if len(repeats) != len(k.dims) {
		return nil, refuse("repeats are %v for %v", repeats, k)
	}
	dims := slices.Clone(k.dims)
	for i, r := range repeats {
		if r < 0 || r > maxSize {
			return nil, malformed("repeats are %v", repeats)
		}
		dims[i] *= int(r)
	}
	count, err := elements64(dims, c.budget)
	if err != nil {
		return nil, err
	}
	out, err := c.like(k, dims, count)
	if err != nil || count == 0 {
		return out, err
	}
	strides := steps(k.dims)
	walk(dims, func(i int, index []int) {
		j := 0
		for a, v := range index {
			j += v % k.dims[a] * strides[a]
		}
		out.set(i, k, j)
	})
	return out, nil
}

func foldWhere(c *converter, n *node) (*constant, error) {
	var k [3]*constant
	for i := range k {
		var err error
		if k[i], err = c.need(n, i); err != nil {
			return nil, err
		}
	}
	if k[0].i == nil || (k[1].f == nil) != (k[2].f == nil) {
		return nil, malformed("it takes %v, %v and %v", k[0], k[1], k[2])
	}
	dims, count, err := c.together(k[:]...)
	if err != nil {
		return nil, err
	}
	out, err := c.like(k[1], dims, count)
	if err != nil || count == 0 {
		return out, err
	}
	on, yes, no := k[0].broadcast(dims), k[1].broadcast(dims), k[2].broadcast(dims)
	walk(dims, func(i int, index []int) {
		if k[0].i[dot(index, on)] != 0 {
			out.set(i, k[1], dot(index, yes))
		} else {
			out.set(i, k[2], dot(index, no))
		}
	})
	return out, nil
}

func compare(f func(a, b float64) bool) func(*converter, *node) (*constant, error) {
	return func(c *converter, n *node) (*constant, error) {
		a, err := c.need(n, 0)
		if err != nil {
			return nil, err
		}
		b, err := c.need(n, 1)
		if err != nil {
			return nil, err
		}
		dims, count, err := c.together(a, b)
		if err != nil {
			return nil, err
		}
		out, err := c.like(&constant{}, dims, count)
		if err != nil || count == 0 {
			return out, err
		}
		sa, sb := a.broadcast(dims), b.broadcast(dims)
		walk(dims, func(i int, index []int) {
			if f(a.at(dot(index, sa)), b.at(dot(index, sb))) {
				out.i[i] = 1
			}
		})
		return out, nil
	}
}

func foldNot(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
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

// foldMod has the sign of the divisor or, with fmod, that of the dividend.
func foldMod(c *converter, n *node) (*constant, error) {
	truncate := n.int("fmod", 0) != 0
	return arithmetic(math.Mod, func(a, b int64) (int64, bool) {
		if b == 0 || b == -1 {
			return 0, b != 0
		}
		m := a % b
		if !truncate && m != 0 && (m < 0) != (b < 0) {
			m += b
		}
		return m, true
	})(c, n)
}

func foldSize(c *converter, n *node) (*constant, error) {
	k, err := foldShape(c, &node{inputs: n.inputs, outputs: n.outputs})
	if err != nil {
		return nil, err
	}
	size := int64(1)
	for _, d := range k.i {
		size *= d
	}
	return &constant{i: []int64{size}}, nil
}

// foldReduce is exact for integers.
func foldReduce(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
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
	per := 1
	for i, d := range k.dims {
		switch {
		case !slices.Contains(axes, i):
			shown = append(shown, d)
			continue
		case n.int("keepdims", 1) != 0:
			shown = append(shown, 1)
		}
		kept[i] = 1
		per *= d
	}
	count := product(kept)
	out, err := c.like(k, shown, count)
	if err != nil {
		return nil, err
	}
	strides := (&constant{dims: kept}).broadcast(k.dims)
	seen := make([]bool, count)
	sums := make([]float64, count)
	walk(k.dims, func(i int, index []int) {
		j := dot(index, strides)
		first := !seen[j]
		seen[j] = true
		if k.f == nil {
			v := k.i[i]
			switch {
			case first:
				out.i[j] = v
			case n.op == "ReduceSum":
				out.i[j] += v
			case n.op == "ReduceProd":
				out.i[j] *= v
			case n.op == "ReduceMax":
				out.i[j] = max(out.i[j], v)
			default:
				out.i[j] = min(out.i[j], v)
			}
			return
		}
		v := float64(k.f[i])
		switch {
		case first:
			sums[j] = v
		case n.op == "ReduceSum" || n.op == "ReduceMean":
			sums[j] += v
		case n.op == "ReduceProd":
			sums[j] *= v
		case n.op == "ReduceMax":
			sums[j] = max(sums[j], v)
		default:
			sums[j] = min(sums[j], v)
		}
	})
	for j, s := range sums {
		if k.f != nil {
			if n.op == "ReduceMean" {
				s /= float64(per)
			}
			out.f[j] = float32(s)
		}
	}
	return out, nil
}

// foldNonZero lists the places of what is not 0, an axis a row.
func foldNonZero(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	var at []int
	for i := range k.len() {
		if k.at(i) != 0 {
			at = append(at, i)
		}
	}
	rank := max(len(k.dims), 1)
	if err := c.spend(rank * len(at)); err != nil {
		return nil, err
	}
	out := &constant{dims: []int{rank, len(at)}, i: make([]int64, 0, rank*len(at))}
	for _, step := range steps(k.dims) {
		for _, i := range at {
			out.i = append(out.i, int64(i/step))
		}
	}
	// Each row counts from 0 again along its axis.
	for a, size := range k.dims {
		for i := range at {
			out.i[a*len(at)+i] %= int64(size)
		}
	}
	if len(k.dims) == 0 {
		out.i = make([]int64, len(at))
	}
	return out, nil
}

// foldCompress keeps what a list of truth values says.
func foldCompress(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	keep, err := c.need(n, 1)
	if err != nil {
		return nil, err
	}
	dims, a := []int{k.len()}, 0
	if n.has("axis") {
		if a, err = axis(n.int("axis", 0), len(k.dims)); err != nil {
			return nil, err
		}
		dims = slices.Clone(k.dims)
	}
	if len(keep.dims) != 1 || keep.len() > dims[a] {
		return nil, malformed("%v chooses from %d", keep, dims[a])
	}
	var at []int
	for i := range keep.len() {
		if keep.at(i) != 0 {
			at = append(at, i)
		}
	}
	size := dims[a]
	outer, inner := product(dims[:a]), product(dims[a+1:])
	dims[a] = len(at)
	out, err := c.like(k, dims, outer*len(at)*inner)
	if err != nil {
		return nil, err
	}
	for o := range outer {
		for i, from := range at {
			for x := range inner {
				out.set((o*len(at)+i)*inner+x, k, (o*size+from)*inner+x)
			}
		}
	}
	return out, nil
}
