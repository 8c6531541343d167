package onnx

import (
	"math"
	"slices"
)

// foldOps computes nodes whose inputs are all constants, such as the chains
// Shape, Gather, Concat with which exporters compute the target of a Reshape.
// Only Shape takes a value that is not constant.
var foldOps map[string]func(*converter, *node) (*constant, error)

func init() {
	foldOps = map[string]func(*converter, *node) (*constant, error){
		"Constant":        foldConstant,
		"ConstantOfShape": foldConstantOfShape,
		"Shape":           foldShape,
		"Identity":        func(c *converter, n *node) (*constant, error) { return c.need(n, 0) },
		"Cast":            foldCast,
		"Gather":          foldGather,
		"Concat":          foldConcat,
		"Slice":           foldSlice,
		"Reshape":         foldReshape,
		"Flatten":         foldFlatten,
		"Squeeze":         foldSqueeze,
		"Unsqueeze":       foldSqueeze,
		"Transpose":       foldTranspose,
		"Add":             arithmetic(func(a, b float64) float64 { return a + b }, func(a, b int64) (int64, bool) { return a + b, true }),
		"Sub":             arithmetic(func(a, b float64) float64 { return a - b }, func(a, b int64) (int64, bool) { return a - b, true }),
		"Mul":             arithmetic(func(a, b float64) float64 { return a * b }, func(a, b int64) (int64, bool) { return a * b, true }),
		"Div":             arithmetic(func(a, b float64) float64 { return a / b }, divide),
		"Sqrt":            unary(math.Sqrt),
		"Neg":             unary(func(v float64) float64 { return -v }),
		"Floor":           unary(math.Floor),
		"Ceil":            unary(math.Ceil),
	}
}

// divide truncates, as ONNX does.
func divide(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	return a / b, true
}

// need returns input i of a node all of whose inputs are constant.
func (c *converter) need(n *node, i int) (*constant, error) {
	k, err := c.constant(n, i)
	if err == nil && k == nil {
		err = malformed("input %d is missing", i)
	}
	return k, err
}

// like returns n elements of k's type.
func (c *converter) like(k *constant, dims []int, count int) (*constant, error) {
	if err := c.spend(count); err != nil {
		return nil, err
	}
	out := &constant{dims: dims, typ: k.typ}
	if k.f != nil {
		out.f = make([]float32, count)
	} else {
		out.i = make([]int64, count)
	}
	return out, nil
}

// set copies element j of k to element i of out.
func (out *constant) set(i int, k *constant, j int) {
	if k.f != nil {
		out.f[i] = k.f[j]
	} else {
		out.i[i] = k.i[j]
	}
}

// with is k with other dims.
func (k *constant) with(dims []int) *constant {
	return &constant{dims: dims, f: k.f, i: k.i, typ: k.typ}
}

// axis makes an axis that may count from the end an index into rank axes.
func axis(a int64, rank int) (int, error) {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		return 0, malformed("axis %d of %d", a, rank)
	}
	return int(a), nil
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

func foldConstant(c *converter, n *node) (*constant, error) {
	for i := range n.attrs {
		a := &n.attrs[i]
		switch a.name {
		case "value":
			if a.tensor == nil {
				return nil, malformed("attribute value is no tensor")
			}
			return a.tensor.decode(c.src)
		case "sparse_value":
			if a.sparse == nil {
				return nil, malformed("attribute sparse_value is no sparse tensor")
			}
			return a.sparse.dense(c)
		case "value_string", "value_strings":
			return nil, refuse("it holds text")
		case "value_float":
			return &constant{f: []float32{a.f}}, nil
		case "value_floats":
			return &constant{dims: []int{len(a.floats)}, f: append([]float32{}, a.floats...)}, nil
		case "value_int":
			return &constant{i: []int64{a.i}}, nil
		case "value_ints":
			return &constant{dims: []int{len(a.ints)}, i: append([]int64{}, a.ints...)}, nil
		}
	}
	return nil, refuse("it holds no numbers")
}

func foldConstantOfShape(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	if k.i == nil || len(k.i) > maxRank {
		return nil, refuse("shape is %v", k)
	}
	count, err := elements(k.i, c.budget)
	if err != nil {
		return nil, err
	}
	fill := &constant{f: []float32{0}}
	if a := n.attr("value"); a != nil && a.tensor != nil {
		if fill, err = a.tensor.decode(c.src); err != nil {
			return nil, err
		}
		if fill.len() != 1 {
			return nil, malformed("value is %v, want one number", fill)
		}
	}
	var dims []int
	for _, d := range k.i {
		dims = append(dims, int(d))
	}
	out, err := c.like(fill, dims, count)
	if err != nil {
		return nil, err
	}
	for i := range count {
		out.set(i, fill, 0)
	}
	return out, nil
}

func foldShape(c *converter, n *node) (*constant, error) {
	v, err := c.arg(n, 0)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, malformed("input 0 is missing")
	}
	dims := v.dims
	if v.k != nil {
		dims = nil
		for _, d := range v.k.dims {
			dims = append(dims, int64(d))
		}
	}
	bound := func(name string, def int64) int64 {
		at := n.int(name, def)
		if at < 0 {
			at += int64(len(dims))
		}
		return min(max(at, 0), int64(len(dims)))
	}
	from, to := bound("start", 0), bound("end", int64(len(dims)))
	out := append([]int64{}, dims[from:max(from, to)]...)
	return &constant{dims: []int{len(out)}, i: out}, nil
}

func foldCast(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	switch to := elemTypeOf(uint64(n.int("to", 0))); to {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16:
		return c.asFloats(k)
	case typeInt8, typeInt16, typeInt32, typeInt64, typeUint8, typeUint16, typeUint32, typeUint64:
		if k.i != nil {
			same := k.with(k.dims)
			same.typ = to
			return same, nil
		}
		out, err := c.like(&constant{typ: to}, k.dims, k.len())
		if err != nil {
			return nil, err
		}
		for i, v := range k.f {
			if !(math.Abs(float64(v)) < 1<<31) {
				return nil, malformed("%g does not fit an integer", v)
			}
			out.i[i] = int64(v)
		}
		return out, nil
	case typeBool:
		out, err := c.like(&constant{}, k.dims, k.len())
		if err != nil {
			return nil, err
		}
		for i := range out.i {
			if k.at(i) != 0 {
				out.i[i] = 1
			}
		}
		return out, nil
	default:
		return nil, refuse("conversion of a constant to %v", to)
	}
}

// asFloats is a constant as floats.
func (c *converter) asFloats(k *constant) (*constant, error) {
	if k.f != nil {
		return k, nil
	}
	out, err := c.like(&constant{f: []float32{}}, k.dims, k.len())
	if err != nil {
		return nil, err
	}
	for i, v := range k.i {
		out.f[i] = float32(v)
	}
	return out, nil
}

func foldGather(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	at, err := c.need(n, 1)
	if err != nil {
		return nil, err
	}
	ax, err := axis(n.int("axis", 0), len(k.dims))
	if err != nil {
		return nil, err
	}
	if at.i == nil || len(at.dims)+len(k.dims) > maxRank {
		return nil, malformed("indices are %v", at)
	}
	outer, size, inner := product(k.dims[:ax]), k.dims[ax], product(k.dims[ax+1:])
	dims := slices.Concat(k.dims[:ax], at.dims, k.dims[ax+1:])
	count, err := elements64(dims, c.budget)
	if err != nil {
		return nil, err
	}
	out, err := c.like(k, dims, count)
	if err != nil {
		return nil, err
	}
	if count == 0 { // loops over the other axes would do nothing, slowly
		return out, nil
	}
	for o := range outer {
		for j, v := range at.i {
			if v < 0 {
				v += int64(size)
			}
			if v < 0 || v >= int64(size) {
				return nil, malformed("index %d of %d", at.i[j], size)
			}
			for i := range inner {
				out.set((o*len(at.i)+j)*inner+i, k, (o*size+int(v))*inner+i)
			}
		}
	}
	return out, nil
}

func elements64(dims []int, limit int) (int, error) {
	var d64 []int64
	for _, d := range dims {
		d64 = append(d64, int64(d))
	}
	return elements(d64, limit)
}

func foldConcat(c *converter, n *node) (*constant, error) {
	first, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	ax, err := axis(n.int("axis", 1), len(first.dims))
	if err != nil {
		return nil, err
	}
	dims := slices.Clone(first.dims)
	dims[ax] = 0
	var parts []*constant
	total := 0
	for i := range n.inputs {
		k, err := c.need(n, i)
		if err != nil {
			return nil, err
		}
		if len(k.dims) != len(dims) || (k.f == nil) != (first.f == nil) ||
			!slices.Equal(k.dims[:ax], dims[:ax]) || !slices.Equal(k.dims[ax+1:], dims[ax+1:]) {
			return nil, malformed("cannot join %v to %v", k, first)
		}
		if total += k.len(); total > c.budget {
			return nil, c.spend(total)
		}
		dims[ax] += k.dims[ax]
		if k.len() > 0 {
			parts = append(parts, k)
		}
	}
	out, err := c.like(first, dims, total)
	if err != nil || total == 0 {
		return out, err
	}
	at := 0
	for o := range product(dims[:ax]) {
		for _, k := range parts {
			row := product(k.dims[ax:])
			for i := range row {
				out.set(at, k, o*row+i)
				at++
			}
		}
	}
	return out, nil
}

func foldSlice(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	cuts, err := c.cuts(n, k.dims)
	if err != nil {
		return nil, err
	}
	dims, strides, at := []int{}, steps(k.dims), 0
	for i, cut := range cuts {
		dims = append(dims, cut.count)
		at += cut.from * strides[i]
		strides[i] *= cut.step
	}
	count, err := elements64(dims, c.budget)
	if err != nil {
		return nil, err
	}
	out, err := c.like(k, dims, count)
	if err != nil || count == 0 {
		return out, err
	}
	walk(dims, func(i int, index []int) {
		j := at
		for a, v := range index {
			j += v * strides[a]
		}
		out.set(i, k, j)
	})
	return out, nil
}

func foldReshape(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	target, err := c.integers(n, 1, "shape")
	if err != nil {
		return nil, err
	}
	dims, err := reshaped(target, k.dims, k.len(), n.int("allowzero", 0) != 0)
	if err != nil {
		return nil, err
	}
	return k.with(dims), nil
}

// reshaped resolves the target of a Reshape: 0 keeps a size, -1 is what is left.
func reshaped(target []int64, dims []int, count int, allowZero bool) ([]int, error) {
	var out []int
	open, known := -1, int64(1)
	for i, d := range target {
		if d == 0 && !allowZero && i < len(dims) {
			d = int64(dims[i])
		}
		switch {
		case d == -1 && open < 0:
			open = i
			d = 1
		case d < 0 || d > int64(max(count, 1)):
			return nil, malformed("shape %v of %d values", target, count)
		}
		if known *= d; known > int64(max(count, 1)) {
			return nil, malformed("shape %v of %d values", target, count)
		}
		out = append(out, int(d))
	}
	if open >= 0 && known > 0 {
		out[open] = count / int(known)
		known *= int64(out[open])
	}
	if known != int64(count) || len(out) > maxRank {
		return nil, malformed("shape %v of %d values", target, count)
	}
	return out, nil
}

func foldFlatten(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	a := n.int("axis", 1)
	if a < 0 {
		a += int64(len(k.dims))
	}
	if a < 0 || a > int64(len(k.dims)) {
		return nil, malformed("axis %d of %d", a, len(k.dims))
	}
	return k.with([]int{product(k.dims[:a]), product(k.dims[a:])}), nil
}

func foldSqueeze(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	axes, err := c.integers(n, 1, "axes")
	if err != nil {
		return nil, err
	}
	var dims []int64
	for _, d := range k.dims {
		dims = append(dims, int64(d))
	}
	if dims, err = squeezed(n.op, dims, axes); err != nil {
		return nil, err
	}
	out := make([]int, len(dims))
	for i, d := range dims {
		out[i] = int(d)
	}
	return k.with(out), nil
}

// squeezed is what Squeeze and Unsqueeze make of dims. Axes left out: all of size 1.
func squeezed(op string, dims, axes []int64) ([]int64, error) {
	rank := len(dims)
	if op == "Unsqueeze" {
		rank += len(axes)
	}
	if rank > maxRank {
		return nil, malformed("more than %d axes", maxRank)
	}
	chosen := make([]bool, rank)
	for _, v := range axes {
		a, err := axis(v, rank)
		if err != nil {
			return nil, err
		}
		if chosen[a] || op == "Squeeze" && dims[a] != 1 {
			return nil, malformed("axes %v of %v", axes, dims)
		}
		chosen[a] = true
	}
	out := []int64{}
	if op == "Unsqueeze" {
		for _, one := range chosen {
			if one {
				out = append(out, 1)
			} else {
				out, dims = append(out, dims[0]), dims[1:]
			}
		}
		return out, nil
	}
	for i, d := range dims {
		if !chosen[i] && (axes != nil || d != 1) {
			out = append(out, d)
		}
	}
	return out, nil
}

// permutation reads Transpose's perm; left out, it reverses.
func permutation(n *node, rank int) ([]int, error) {
	p := n.ints("perm")
	var out []int
	for i := range rank {
		out = append(out, rank-1-i)
	}
	if p == nil {
		return out, nil
	}
	seen := make([]bool, rank)
	if len(p) != rank {
		return nil, malformed("perm %v of %d axes", p, rank)
	}
	for i, v := range p {
		if v < 0 || v >= int64(rank) || seen[v] {
			return nil, malformed("perm %v of %d axes", p, rank)
		}
		seen[v] = true
		out[i] = int(v)
	}
	return out, nil
}

func foldTranspose(c *converter, n *node) (*constant, error) {
	k, err := c.need(n, 0)
	if err != nil {
		return nil, err
	}
	perm, err := permutation(n, len(k.dims))
	if err != nil {
		return nil, err
	}
	dims, strides := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		dims[i], strides[i] = k.dims[p], product(k.dims[p+1:])
	}
	out, err := c.like(k, dims, k.len())
	if err != nil {
		return nil, err
	}
	walk(dims, func(i int, index []int) {
		j := 0
		for a, v := range index {
			j += v * strides[a]
		}
		out.set(i, k, j)
	})
	return out, nil
}

// walk visits every index of an array of the given dims, in C order.
func walk(dims []int, do func(i int, index []int)) {
	index := make([]int, len(dims))
	for i := range product(dims) {
		do(i, index)
		for a := len(dims) - 1; a >= 0; a-- {
			if index[a]++; index[a] < dims[a] {
				break
			}
			index[a] = 0
		}
	}
}

// arithmetic folds an operation on two constants, broadcast as NumPy does.
func arithmetic(float func(a, b float64) float64, integer func(a, b int64) (int64, bool)) func(*converter, *node) (*constant, error) {
	return func(c *converter, n *node) (*constant, error) {
		a, err := c.need(n, 0)
		if err != nil {
			return nil, err
		}
		b, err := c.need(n, 1)
		if err != nil {
			return nil, err
		}
		if n.int("broadcast", 0) != 0 || (a.f == nil) != (b.f == nil) {
			return nil, refuse("it takes %v and %v", a, b)
		}
		rank := max(len(a.dims), len(b.dims))
		dims := make([]int, rank)
		var strides [2][]int
		for i, k := range []*constant{a, b} {
			strides[i] = make([]int, rank)
			for x := range k.dims {
				at := rank - len(k.dims) + x
				if k.dims[x] == 1 {
					continue
				}
				strides[i][at] = product(k.dims[x+1:])
				if dims[at] > 1 && dims[at] != k.dims[x] {
					return nil, malformed("cannot combine %v and %v", a, b)
				}
				dims[at] = k.dims[x]
				if dims[at] == 0 {
					return nil, refuse("it takes no values")
				}
			}
		}
		for i := range dims {
			dims[i] = max(dims[i], 1)
		}
		count, err := elements64(dims, c.budget)
		if err != nil {
			return nil, err
		}
		out, err := c.like(a, dims, count)
		if err != nil {
			return nil, err
		}
		walk(dims, func(i int, index []int) {
			var at [2]int
			for x, v := range index {
				at[0] += v * strides[0][x]
				at[1] += v * strides[1][x]
			}
			if a.f != nil {
				out.f[i] = float32(float(float64(a.f[at[0]]), float64(b.f[at[1]])))
				return
			}
			v, ok := integer(a.i[at[0]], b.i[at[1]])
			if !ok {
				err = refuse("it divides by 0")
			}
			out.i[i] = v
		})
		return out, err
	}
}

func unary(float func(float64) float64) func(*converter, *node) (*constant, error) {
	return func(c *converter, n *node) (*constant, error) {
		k, err := c.need(n, 0)
		if err != nil {
			return nil, err
		}
		if k.f == nil {
			return nil, refuse("it takes %v", k)
		}
		out, err := c.like(k, k.dims, len(k.f))
		if err != nil {
			return nil, err
		}
		for i, v := range k.f {
			out.f[i] = float32(float(float64(v)))
		}
		return out, nil
	}
}
