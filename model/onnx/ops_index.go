package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// Operators that choose numbers by indices, constant or computed, or make such
// indices. With constant indices they only move numbers.

// whole is input i as an array in order, with all its axes, for operators that do
// not keep the images of a batch apart.
func (c *converter) whole(n *node, i int) (*value, []int, error) {
	v, err := c.array(n, i)
	if err != nil {
		return nil, nil, err
	}
	dims, _, err := c.own(v, false)
	return v, dims, err
}

// divided is a row of numbers as an array of dims, made by the last layer of node n.
func (c *converter) divided(n *node, dims []int, l model.Layer, ins ...*value) error {
	v, err := c.add(c.unique(c.name(n)+".numbers"), l, ins...)
	if err != nil {
		return err
	}
	return c.put(n, int64s(dims), &model.Reshape{To: dims}, v)
}

// lookup is Gather, GatherElements or GatherND.
func lookup(c *converter, n *node) error {
	op := map[string]model.IndexOp{"Gather": model.IndexAxis, "GatherElements": model.IndexElements, "GatherND": model.IndexND}[n.op]
	idx, err := c.arg(n, 1)
	if err != nil {
		return err
	}
	if idx == nil {
		return malformed("it has no indices")
	}
	if n.op == "Gather" && idx.k != nil {
		return gather(c, n)
	}
	in, data, err := c.whole(n, 0)
	if err != nil {
		return err
	}
	a, err := indexAxis(n, op, len(data))
	if err != nil {
		return err
	}
	if idx.k != nil {
		k, err := c.asFloats(idx.k)
		if err != nil {
			return err
		}
		out, err := model.Indexed(op, data, k.dims, a)
		if err != nil {
			return malformed("%v", err)
		}
		if _, err := elements(int64s(out), 1<<30); err != nil || product(out) == 0 {
			return refuse("it makes shape %v", out)
		}
		if err := c.spend(product(out)); err != nil {
			return err
		}
		l := &model.AlongAxis{What: n.op, From: []int{product(data)}, Taps: 1, Index: make([]int, product(out))}
		if err := model.VisitIndexed(op, data, k.dims, a, k.f, func(i, j int) { l.Index[i] = j }); err != nil {
			return malformed("%v", err)
		}
		return c.divided(n, out, l, in)
	}
	at, index, err := c.whole(n, 1)
	if err != nil {
		return err
	}
	out, err := model.Indexed(op, data, index, a)
	if err != nil {
		return malformed("%v", err)
	}
	return c.put(n, int64s(out), &model.Lookup{Op: op, Data: data, Index: index, Axis: a}, in, at)
}

// indexAxis is the axis of a lookup, or the number of leading axes in common.
func indexAxis(n *node, op model.IndexOp, rank int) (int, error) {
	if op == model.IndexND {
		b := n.int("batch_dims", 0)
		if b < 0 || b >= int64(rank) {
			return 0, malformed("batch_dims is %d of %d axes", b, rank)
		}
		return int(b), nil
	}
	return axis(n.int("axis", 0), rank)
}

// scatter is Scatter, ScatterElements or ScatterND. With constant indices the
// result is a lookup in data and updates, one behind the other.
func scatter(c *converter, n *node) error {
	op := model.IndexElements
	if n.op == "ScatterND" {
		op = model.IndexND
	}
	reduction, err := model.ParseScatterOp(n.text("reduction", "none"))
	if err != nil {
		return malformed("%v", err)
	}
	in, data, err := c.whole(n, 0)
	if err != nil {
		return err
	}
	a, err := indexAxis(n, op, len(data))
	if err != nil {
		return err
	}
	idx, err := c.arg(n, 1)
	if err != nil {
		return err
	}
	updates, given, err := c.whole(n, 2)
	if err != nil {
		return err
	}
	if idx == nil || idx.k == nil || reduction != model.ScatterSet {
		at, index, err := c.whole(n, 1)
		if err != nil {
			return err
		}
		return c.put(n, int64s(data), &model.Scatter{Op: op, Data: data, Index: index, Axis: a, Reduction: reduction}, in, at, updates)
	}
	k, err := c.asFloats(idx.k)
	if err != nil {
		return err
	}
	out, err := model.Indexed(op, data, k.dims, a)
	if err != nil || !slices.Equal(out, given) {
		return malformed("updates are %v for indices %v of %v", given, k.dims, data)
	}
	size := product(data)
	if err := c.spend(size); err != nil {
		return err
	}
	l := &model.AlongAxis{What: n.op, From: []int{size + product(out)}, Taps: 1, Index: make([]int, size)}
	for j := range l.Index {
		l.Index[j] = j
	}
	if err := model.VisitIndexed(op, data, k.dims, a, k.f, func(i, j int) { l.Index[j] = size + i }); err != nil {
		return malformed("%v", err)
	}
	both, err := c.add(c.unique(c.name(n)+".both"), &model.Concat{To: l.From}, in, updates)
	if err != nil {
		return err
	}
	return c.divided(n, data, l, both)
}

// topK gives values, places or both.
func topK(c *converter, n *node) error {
	count, err := c.integers(n, 1, "k")
	if err != nil {
		return err
	}
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	a, err := axis(n.int("axis", -1), len(in.dims))
	if err != nil {
		return err
	}
	if len(count) != 1 || count[0] < 1 || count[0] > in.dims[a] {
		return malformed("it takes the %v largest of %d", count, in.dims[a])
	}
	own, before, err := c.own(in, a != 0)
	if err != nil {
		return err
	}
	dims := slices.Clone(in.dims)
	dims[a] = count[0]
	for i, out := range n.outputs {
		if out == "" || i > 1 || c.uses[out] == 0 {
			continue
		}
		l := &model.TopK{From: own, Axis: a - before, K: int(count[0]), Smallest: n.int("largest", 1) == 0, Places: i == 1}
		name := c.unique(out)
		if i == 0 {
			name = c.name(n)
		}
		v, err := c.add(name, l, in)
		if err != nil {
			return err
		}
		v.dims = dims
		c.values[out] = v
	}
	return nil
}

// threeAxes divides input 0 into what lies before, in and behind axis a.
func (c *converter) threeAxes(n *node, a int64) (in *value, outer, size, inner int, err error) {
	if in, err = c.array(n, 0); err != nil {
		return
	}
	at, err := axis(a, len(in.dims))
	if err != nil {
		return
	}
	own, before, err := c.own(in, at != 0)
	if err != nil {
		return
	}
	at -= before
	return in, product(own[:at]), own[at], product(own[at+1:]), nil
}

// hardmax is over an axis, before operator set 13 over all axes from one on.
func hardmax(c *converter, n *node) error {
	def := int64(-1)
	if c.opset < 13 {
		def = 1
	}
	in, outer, size, inner, err := c.threeAxes(n, n.int("axis", def))
	if err != nil {
		return err
	}
	if c.opset < 13 {
		size, inner = size*inner, 1
	}
	return c.put(n, in.dims, &model.Hardmax{Outer: outer, Size: size, Inner: inner}, in)
}

func cumSum(c *converter, n *node) error {
	a, err := c.constant(n, 1)
	if err != nil {
		return err
	}
	if a == nil || a.len() != 1 || a.i == nil {
		return malformed("axis is %v", a)
	}
	in, outer, size, inner, err := c.threeAxes(n, a.i[0])
	if err != nil {
		return err
	}
	return c.put(n, in.dims, &model.CumSum{Outer: outer, Size: size, Inner: inner, Exclusive: n.int("exclusive", 0) != 0, Reverse: n.int("reverse", 0) != 0}, in)
}

// oneHot has off and on values in its last input.
func oneHot(c *converter, n *node) error {
	in, from, err := c.whole(n, 0)
	if err != nil {
		return err
	}
	depth, err := c.constant(n, 1)
	if err != nil {
		return err
	}
	values, err := c.constant(n, 2)
	if err != nil {
		return err
	}
	if depth == nil || depth.len() != 1 || values == nil || values.len() != 2 || !(depth.at(0) >= 1 && depth.at(0) <= maxSize) {
		return malformed("depth is %v, values are %v", depth, values)
	}
	a, err := axis(n.int("axis", -1), len(from)+1)
	if err != nil {
		return err
	}
	l := &model.OneHot{From: from, Axis: a, Depth: int(depth.at(0)), Off: float32(values.at(0)), On: float32(values.at(1))}
	return c.put(n, int64s(slices.Insert(slices.Clone(from), a, l.Depth)), l, in)
}

// trilu keeps one triangle of each matrix, and puts 0 in the other.
func trilu(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	shift, err := c.constant(n, 1)
	if err != nil {
		return err
	}
	if len(in.dims) < 2 || shift != nil && (shift.len() != 1 || shift.i == nil) {
		return malformed("a value of shape %v, diagonal %v", in.dims, shift)
	}
	k := 0
	if shift != nil {
		k = int(min(max(shift.i[0], -maxSize), maxSize))
	}
	own, before, err := c.own(in, len(in.dims) > 2)
	if err != nil {
		return err
	}
	size := product(own)
	if err := c.spend(size); err != nil {
		return err
	}
	rows, columns := own[len(own)-2], own[len(own)-1]
	upper := n.int("upper", 1) != 0
	l := &model.AlongAxis{What: "Trilu", From: []int{size}, Taps: 1, Index: make([]int, size)}
	for i := range l.Index {
		y, x := i/columns%rows, i%columns
		l.Index[i] = -1
		if upper && x >= y+k || !upper && x <= y+k {
			l.Index[i] = i
		}
	}
	v, err := c.add(c.unique(c.name(n)+".numbers"), l, in)
	if err != nil {
		return err
	}
	return c.put(n, in.dims, &model.Reshape{To: ints(in.dims[before:])}, v)
}

// maxUnpool puts numbers back where a max pool says they were, among zeros.
func maxUnpool(c *converter, n *node) error {
	in, from, err := c.whole(n, 0)
	if err != nil {
		return err
	}
	at, index, err := c.whole(n, 1)
	if err != nil {
		return err
	}
	if !slices.Equal(from, index) || len(from) < 3 {
		return malformed("values are %v, their places %v", from, index)
	}
	shape, err := c.integers(n, 2, "output_shape")
	if err != nil {
		return err
	}
	axes := len(from) - 2
	list := func(name string, want int, def int64) ([]int64, error) {
		v := n.ints(name)
		if v == nil {
			return slices.Repeat([]int64{def}, want), nil
		}
		if len(v) != want || slices.Min(v) < 0 || slices.Max(v) > maxSize {
			return nil, malformed("%s is %v", name, v)
		}
		return v, nil
	}
	kernel, err := list("kernel_shape", axes, 1)
	if err != nil {
		return err
	}
	strides, err := list("strides", axes, 1)
	if err != nil {
		return err
	}
	pads, err := list("pads", 2*axes, 0)
	if err != nil {
		return err
	}
	// The places count in the array that the pool has seen.
	seen := []int64{int64(from[0]), int64(from[1])}
	for i := range axes {
		seen = append(seen, (int64(from[i+2])-1)*strides[i]-pads[i]-pads[i+axes]+kernel[i])
	}
	size, err := elements(seen, 1<<28)
	if err != nil || size == 0 {
		return malformed("it makes shape %v", seen)
	}
	if shape == nil {
		shape = seen
	}
	if _, err := elements(shape, 1<<28); err != nil || len(shape) != len(from) {
		return malformed("output_shape is %v", shape)
	}
	if err := c.spend(int(size)); err != nil {
		return err
	}
	zeros, err := c.asValue(n.inputs[0], &constant{dims: []int{int(size)}, f: make([]float32, size)})
	if err != nil {
		return err
	}
	count := []int{product(from)}
	l := &model.Scatter{Op: model.IndexElements, Data: []int{int(size)}, Index: count, Reduction: model.ScatterSet}
	if slices.Equal(shape, seen) {
		return c.divided(n, ints(shape), l, zeros, at, in)
	}
	// What the wanted shape has more than that follows behind.
	part := &node{op: n.op, outputs: []string{c.fresh(n.output() + ".seen")}}
	if err := c.divided(part, ints(seen), l, zeros, at, in); err != nil {
		return err
	}
	more := make([]int64, 2*len(seen))
	for i := range seen {
		more[len(seen)+i] = shape[i] - seen[i]
	}
	return c.run("Pad", []string{part.outputs[0], c.known("pads", &constant{dims: []int{len(more)}, i: more})}, n.outputs[:1])
}

// compress takes what a constant list of truth values says, along an axis or of
// all numbers in a row.
func compress(c *converter, n *node) error {
	keep, err := c.constant(n, 1)
	if err != nil {
		return err
	}
	if keep == nil || len(keep.dims) != 1 {
		return malformed("it keeps by %v, want a list", keep)
	}
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	flat := !n.has("axis")
	v, a := in, 0
	if flat {
		_, dims, err := c.whole(n, 0)
		if err != nil {
			return err
		}
		w := *in
		w.dims, v = []int64{int64(product(dims))}, &w
	} else if a, err = axis(n.int("axis", 0), len(in.dims)); err != nil {
		return err
	}
	if int64(keep.len()) > v.dims[a] {
		return malformed("it keeps by %d truth values of %d", keep.len(), v.dims[a])
	}
	if err := c.spend(keep.len()); err != nil {
		return err
	}
	l := &model.AlongAxis{What: n.op, Taps: 1}
	for i := range keep.len() {
		if keep.at(i) != 0 {
			l.Index = append(l.Index, i)
		}
	}
	if len(l.Index) == 0 {
		return refuse("it keeps nothing")
	}
	w, err := c.along(c.name(n), v, a, l)
	if err == nil {
		c.values[n.output()] = w
	}
	return err
}

// reverseSequence turns the first numbers of each row of a batch around.
func reverseSequence(c *converter, n *node) error {
	lengths, err := c.integersUpTo(n, 1, "", 1<<16)
	if err != nil {
		return err
	}
	in, dims, err := c.whole(n, 0)
	if err != nil {
		return err
	}
	time, err := axis(n.int("time_axis", 0), len(dims))
	if err != nil {
		return err
	}
	batch, err := axis(n.int("batch_axis", 1), len(dims))
	if err != nil {
		return err
	}
	if batch == time || len(lengths) != dims[batch] || len(lengths) == 0 || slices.Min(lengths) < 0 || slices.Max(lengths) > int64(dims[time]) {
		return malformed("lengths %v along axis %d of %v", lengths, time, dims)
	}
	size := product(dims)
	if err := c.spend(size); err != nil {
		return err
	}
	all := steps(dims)
	l := &model.AlongAxis{What: n.op, From: []int{size}, Taps: 1, Index: make([]int, size)}
	for i := range l.Index {
		at, last := i/all[time]%dims[time], int(lengths[i/all[batch]%dims[batch]])-1
		if l.Index[i] = i; at <= last {
			l.Index[i] = i + (last-2*at)*all[time]
		}
	}
	return c.divided(n, dims, l, in)
}
