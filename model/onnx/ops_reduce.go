package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// reductions are the names of model.Reduce by operator.
var reductions = map[string]model.ReduceOp{"ReduceMean": model.ReduceMean, "ReduceSum": model.ReduceSum, "ReduceMax": model.ReduceMax, "ReduceMin": model.ReduceMin, "ReduceProd": model.ReduceProd,
	"ReduceL1": model.ReduceL1, "ReduceL2": model.ReduceL2, "ReduceSumSquare": model.ReduceSumSquare, "ReduceLogSum": model.ReduceLogSum, "ReduceLogSumExp": model.ReduceLogSumExp}

// axesOf makes axes that may count from the end a sorted list without doubles.
func axesOf(axes []int64, rank int) ([]int, error) {
	var out []int
	for _, v := range axes {
		a, err := axis(v, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, a) {
			return nil, malformed("axes %v", axes)
		}
		out = append(out, a)
	}
	slices.Sort(out)
	return out, nil
}

// reduce over rows and columns is a global pool, if it is a mean or a maximum.
func reduce(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	given, err := c.integers(n, 1, "axes")
	if err != nil {
		return err
	}
	axes, err := axesOf(given, len(in.dims))
	if err != nil {
		return err
	}
	if len(axes) == 0 {
		if n.int("noop_with_empty_axes", 0) != 0 {
			return c.reducedAlone(n)
		}
		for i := range in.dims {
			axes = append(axes, i)
		}
	}
	keep := n.int("keepdims", 1) != 0
	var dims []int64
	for i, d := range in.dims {
		switch {
		case !slices.Contains(axes, i):
			dims = append(dims, d)
		case keep:
			dims = append(dims, 1)
		}
	}
	op := reductions[n.op]
	space := []int{2, 3}
	if in.hwc != nil {
		space = []int{1, 2}
	}
	maps := !in.shape.Flat && len(in.dims) == 4 && in.dims[0] == c.images && (in.hwc != nil || in.shape == model.ArrayShape(ints(in.dims[1:])))
	if maps && slices.Equal(axes, space) && (op == model.ReduceMean || op == model.ReduceMax) {
		var l model.Layer = &model.GlobalAvgPool{}
		if op == model.ReduceMax {
			l = &model.Pool{Op: model.PoolMax, Kernel: []int{in.shape.H, in.shape.W}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: make([]int, 4)}
		}
		if keep {
			return c.put(n, dims, l, in)
		}
		v, err := c.add(c.unique(c.name(n)+".pool"), l, in)
		if err != nil {
			return err
		}
		return c.put(n, dims, &model.Reshape{}, v)
	}
	if in, err = c.array(n, 0); err != nil {
		return err
	}
	own, before, err := c.own(in, !slices.Contains(axes, 0))
	if err != nil {
		return err
	}
	for i := range axes {
		axes[i] -= before
	}
	return c.put(n, dims, &model.Reduce{Op: op, From: own, Axes: axes}, in)
}

// reducedAlone computes a reduction over no axes, which takes every number by
// itself.
func (c *converter) reducedAlone(n *node) error {
	in := n.inputs[0]
	switch n.op {
	case "ReduceL1", "ReduceL2":
		return c.run("Abs", []string{in}, n.outputs[:1])
	case "ReduceSumSquare":
		return c.run("Mul", []string{in, in}, n.outputs[:1])
	case "ReduceLogSum":
		return c.run("Log", []string{in}, n.outputs[:1])
	}
	return identity(c, n)
}

func argMax(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	a, err := axis(n.int("axis", 0), len(in.dims))
	if err != nil {
		return err
	}
	own, before, err := c.own(in, a != 0)
	if err != nil {
		return err
	}
	dims := slices.Clone(in.dims)
	dims[a] = 1
	if n.int("keepdims", 1) == 0 {
		dims = slices.Delete(dims, a, a+1)
	}
	op := map[string]model.ReduceOp{"ArgMax": model.ReduceArgMax, "ArgMin": model.ReduceArgMin}[n.op]
	return c.put(n, dims, &model.Reduce{Op: op, From: own, Axes: []int{a - before}, Last: n.int("select_last_index", 0) != 0}, in)
}

// softmax runs over one axis since operator set 13, over all from axis on before.
func softmax(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	def, count := int64(-1), 1
	if c.opset < 13 {
		def = 1
	}
	rank := len(in.dims)
	if rank == 0 {
		return refuse("a single number")
	}
	a := rank - 1
	if rank > 1 || n.has("axis") || c.opset >= 13 {
		if a, err = axis(n.int("axis", def), rank); err != nil {
			return err
		}
	}
	if c.opset < 13 {
		count = rank - a
	}
	log := n.op == "LogSoftmax"
	if row, err := c.row(in); err != nil {
		return err
	} else if row != in && a == 1 && log {
		return c.put(n, in.dims, &model.Softmax{Outer: 1, Size: row.shape.C, Inner: 1, Log: true}, row)
	} else if row != in && a == 1 {
		return c.put(n, in.dims, &model.Softmax{}, row)
	}
	if in.hwc != nil && a == 3 && count == 1 && !log && !in.shape.Flat {
		return c.elementwise(n, &model.Softmax{})
	}
	size := 1
	for _, d := range in.dims[a : a+count] {
		size *= int(d)
	}
	if !log && a == 1 && in.dims[0] == c.images && in.hwc == nil && in.shape.C == size && in.shape == model.ArrayShape(ints(in.dims[1:])) {
		return c.elementwise(n, &model.Softmax{})
	}
	if in, err = c.array(n, 0); err != nil {
		return err
	}
	own, before, err := c.own(in, a != 0)
	if err != nil {
		return err
	}
	l := &model.Softmax{Outer: 1, Size: size, Inner: 1, Log: log}
	for i, d := range own {
		switch i += before; {
		case i < a:
			l.Outer *= d
		case i >= a+count:
			l.Inner *= d
		}
	}
	return c.put(n, in.dims, l, in)
}
