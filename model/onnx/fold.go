package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

// Nodes whose inputs are all constants are computed when a file is read: mostly
// the chains Shape, Gather, Concat with which exporters work out the target of a
// Reshape. What is computed on floats is computed by the layers themselves
// (computed, and settle in evaluate.go), and numbers are moved along the paths of
// the layers that move values (reread). What stands here and in fold_integers.go
// beside them is what no layer can do: shapes, arrays without numbers and axes,
// types, and whole numbers, which are exact to 64 bits where a layer's float32
// would round from 2^24 on.

// foldOps computes nodes of constants. Only Shape and Size take a value that is not constant.
func foldOps() map[string]folding {
	all := map[string]folding{
		"Constant":        foldConstant,
		"ConstantOfShape": of(foldConstantOfShape),
		"Range":           foldRange,
		"Shape":           foldShape,
		"Size":            foldSize,
		"Identity":        func(c *converter, n *node) (*constant, error) { return c.need(n, 0) },
		"Cast":            of(foldCast),
		"Gather":          of(foldGather),
		"Concat":          foldConcat,
		"Slice":           of(foldSlice),
		"Expand":          of(foldExpand),
		"Tile":            of(foldTile),
		"Compress":        of(foldCompress),
		"Reshape":         of(foldReshape),
		"Flatten":         of(foldFlatten),
		"Squeeze":         of(foldSqueeze),
		"Unsqueeze":       of(foldSqueeze),
		"Transpose":       of(foldTranspose),
		"Where":           foldWhere,
		"NonZero":         of(foldNonZero),
		"Not":             of(foldNot),
	}
	for _, op := range []string{"Sqrt", "Neg", "Floor", "Ceil", "Exp", "Log", "Abs", "Erf", "Round", "Reciprocal"} {
		all[op] = of(foldUnary)
	}
	for op, whole := range integerOps {
		all[op] = foldBinary(whole)
	}
	for op := range integerSums {
		all[op] = of(foldReduce)
	}
	all["ReduceMean"] = of(foldReduce)
	return all
}

// computed runs a layer on constants, as it runs on values, to one of dims.
func (c *converter) computed(l model.Layer, dims []int, inputs ...*constant) (*constant, error) {
	node, shapes := model.Node{Name: "y", Layer: l}, map[string]model.Shape{}
	var ins []model.Shape
	var data [][]float32
	for i, k := range inputs {
		name := string(rune('a' + i))
		shapes[name] = model.Shape{C: k.len(), H: 1, W: 1, Flat: true}
		node.Inputs, ins, data = append(node.Inputs, name), append(ins, shapes[name]), append(data, k.f)
	}
	s, err := model.OutputShape(l, ins)
	if err != nil {
		return nil, refuse("%v", err)
	}
	shapes[node.Name] = s
	out, err := c.like(&constant{f: []float32{}}, dims, s.Len())
	if err != nil {
		return nil, err
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	return out, engine.Layer(&node, shapes, 1, out.f, data...)
}

// reread is an array of dims made of the numbers of k, each from the place that
// visit says.
func (c *converter) reread(k *constant, dims []int, visit func(do func(i, j int))) (*constant, error) {
	count, err := elements64(dims, c.budget)
	if err != nil {
		return nil, err
	}
	out, err := c.like(k, dims, count)
	if err != nil || count == 0 { // loops over the other axes would do nothing, slowly
		return out, err
	}
	visit(func(i, j int) { out.set(i, k, j) })
	return out, nil
}

// chosen is k with the rows of one axis that an index lists.
func (c *converter) chosen(k *constant, from []int, ax int, index, dims []int) (*constant, error) {
	l := model.AlongAxis{From: from, Axis: ax, Taps: 1, Index: index}
	return c.reread(k, dims, func(do func(i, j int)) { l.Visit(func(i, j int, _ float32) { do(i, j) }) })
}

// of is for nodes whose first input must be there.
func of(fold func(*converter, *node, *constant) (*constant, error)) func(*converter, *node) (*constant, error) {
	return func(c *converter, n *node) (*constant, error) {
		k, err := c.need(n, 0)
		if err != nil {
			return nil, err
		}
		return fold(c, n, k)
	}
}

// needs returns the first inputs of a node all of whose inputs are constant.
func (c *converter) needs(n *node, count int) (ks []*constant, err error) {
	for i := range count {
		k, err := c.need(n, i)
		if err != nil {
			return nil, err
		}
		ks = append(ks, k)
	}
	return ks, nil
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

func foldConstantOfShape(c *converter, n *node, k *constant) (*constant, error) {
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

func foldCast(c *converter, n *node, k *constant) (*constant, error) {
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

func foldGather(c *converter, n *node, k *constant) (*constant, error) {
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
	index := make([]int, len(at.i))
	for j, v := range at.i {
		if v < 0 {
			v += int64(k.dims[ax])
		}
		if v < 0 || v >= int64(k.dims[ax]) {
			return nil, malformed("index %d of %d", at.i[j], k.dims[ax])
		}
		index[j] = int(v)
	}
	return c.chosen(k, k.dims, ax, index, slices.Concat(k.dims[:ax], at.dims, k.dims[ax+1:]))
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

func foldSlice(c *converter, n *node, k *constant) (*constant, error) {
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
	return c.reread(k, dims, (&model.Rearrange{Offset: at, To: dims, Strides: strides}).Visit)
}

func foldReshape(c *converter, n *node, k *constant) (*constant, error) {
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

func foldFlatten(c *converter, n *node, k *constant) (*constant, error) {
	a := n.int("axis", 1)
	if a < 0 {
		a += int64(len(k.dims))
	}
	if a < 0 || a > int64(len(k.dims)) {
		return nil, malformed("axis %d of %d", a, len(k.dims))
	}
	return k.with([]int{product(k.dims[:a]), product(k.dims[a:])}), nil
}

func foldSqueeze(c *converter, n *node, k *constant) (*constant, error) {
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

func foldTranspose(c *converter, n *node, k *constant) (*constant, error) {
	perm, err := permutation(n, len(k.dims))
	if err != nil {
		return nil, err
	}
	dims, strides := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		dims[i], strides[i] = k.dims[p], product(k.dims[p+1:])
	}
	return c.reread(k, dims, (&model.Rearrange{To: dims, Strides: strides}).Visit)
}

func foldRange(c *converter, n *node) (*constant, error) {
	k, err := c.needs(n, 3)
	if err != nil {
		return nil, err
	}
	for i := range k {
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
			out.f[i] = float32(start + float64(float64(i)*delta))
		} else {
			out.i[i] = k[0].i[0] + int64(i)*k[2].i[0]
		}
	}
	return out, nil
}

func foldExpand(c *converter, n *node, k *constant) (*constant, error) {
	shape, err := c.integers(n, 1, "shape")
	if err != nil {
		return nil, err
	}
	if _, err := elements(shape, c.budget); err != nil {
		return nil, err
	}
	dims, _, err := c.together(k, &constant{dims: ints(shape)})
	if err != nil {
		return nil, err
	}
	return c.repeated(k, dims)
}

// repeated repeats k along the axes that dims have beside its own.
func (c *converter) repeated(k *constant, dims []int) (*constant, error) {
	strides, step := make([]int, len(dims)), 1
	for i := len(k.dims) - 1; i >= 0; i-- {
		if k.dims[i] > 1 {
			strides[i+len(dims)-len(k.dims)] = step
		}
		step *= k.dims[i]
	}
	return c.reread(k, dims, (&model.Rearrange{To: dims, Strides: strides}).Visit)
}

func foldTile(c *converter, n *node, k *constant) (*constant, error) {
	repeats, err := c.integers(n, 1, "repeats")
	if err != nil {
		return nil, err
	}
	if len(repeats) != len(k.dims) {
		return nil, refuse("repeats are %v for %v", repeats, k)
	}
	var dims, to, strides []int // each axis as repetitions and what is repeated
	for i, step := range steps(k.dims) {
		r := repeats[i]
		if r < 0 || r > maxSize {
			return nil, malformed("repeats are %v", repeats)
		}
		dims, to, strides = append(dims, int(r)*k.dims[i]), append(to, int(r), k.dims[i]), append(strides, 0, step)
	}
	return c.reread(k, dims, (&model.Rearrange{To: to, Strides: strides}).Visit)
}

func foldWhere(c *converter, n *node) (*constant, error) {
	k, err := c.needs(n, 3)
	if err != nil {
		return nil, err
	}
	if k[0].i == nil || (k[1].f == nil) != (k[2].f == nil) {
		return nil, malformed("it takes %v, %v and %v", k[0], k[1], k[2])
	}
	dims, count, err := c.together(k...)
	if err != nil {
		return nil, err
	}
	for i := range k {
		if k[i], err = c.repeated(k[i], dims); err != nil {
			return nil, err
		}
	}
	out, err := c.like(k[1], dims, count)
	if err != nil {
		return nil, err
	}
	for i := range count {
		from := k[2]
		if k[0].i[i] != 0 {
			from = k[1]
		}
		out.set(i, from, i)
	}
	return out, nil
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

// foldNonZero lists the places of what is not 0, an axis a row.
func foldNonZero(c *converter, n *node, k *constant) (*constant, error) {
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
func foldCompress(c *converter, n *node, k *constant) (*constant, error) {
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
	from := slices.Clone(dims)
	dims[a] = len(at)
	return c.chosen(k, from, a, at, dims)
}
