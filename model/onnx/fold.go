package onnx

import (
	"math"

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

func elements64(dims []int, limit int) (int, error) {
	var d64 []int64
	for _, d := range dims {
		d64 = append(d64, int64(d))
	}
	return elements(d64, limit)
}
