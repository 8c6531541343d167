package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// filters returns input 1 as [a, b, sizes of the window...] for maps of the given
// number of spatial axes, of one as [a, b, 1, columns], and the sizes, which
// kernel_shape must fit.
func (c *converter) filters(n *node, axes int) (*tensor.Tensor, []int, error) {
	w, err := c.packedWeights(n, 1, axes+2)
	if err != nil {
		return nil, nil, err
	}
	kernel := w.Shape[2:]
	given, err := n.sizes("kernel_shape", axes, 1, 1)
	if err != nil {
		return nil, nil, err
	}
	if n.has("kernel_shape") && !slices.Equal(given, kernel) {
		return nil, nil, malformed("kernel_shape is %v, weights are %v", given, w.Shape)
	}
	if slices.Max(kernel) > maxSize {
		return nil, nil, refuse("weights are %v", w.Shape)
	}
	if axes == 1 {
		w = &tensor.Tensor{Shape: []int{w.Shape[0], w.Shape[1], 1, w.Shape[2]}, Data: w.Data, Packed: w.Packed}
	}
	return w, kernel, nil
}

// spatial makes a node a layer on maps of the given number of spatial axes.
func (c *converter) spatial(n *node, axes int, l model.Layer, ins ...*value) error {
	v, err := c.add(c.name(n), l, ins...)
	if err != nil {
		return err
	}
	if axes == 1 {
		v.dims = []int64{c.images, int64(v.shape.C), int64(v.shape.W)}
	}
	if l, ok := l.(interface{ Dims() ([]int, error) }); ok {
		dims, err := l.Dims()
		if err != nil {
			return err
		}
		if dims != nil {
			v.dims = append([]int64{c.images}, int64s(dims)...)
		}
	}
	c.values[n.output()] = v
	return nil
}

func (n *node) groups() (int, error) {
	g := n.int("group", 1)
	if g < 1 || g > maxSize {
		return 0, malformed("group is %d", g)
	}
	return int(g), nil
}

func conv(c *converter, n *node) error {
	if w, err := c.look(n, 1); err == nil && w != nil && w.k == nil {
		if _, err := c.constant(n, 1); err != nil {
			return convComputed(c, n)
		}
	}
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	w, kernel, err := c.filters(n, axes)
	if err != nil {
		return err
	}
	dims := ints(in.dims[1:])
	g, err := n.window(kernel, dims[1:])
	if err != nil {
		return err
	}
	groups, err := n.groups()
	if err != nil {
		return err
	}
	bias, err := c.vector(n, 2, w.Shape[0])
	if err != nil {
		return err
	}
	l := &model.Conv{Weight: w, Bias: bias, Groups: groups}
	l.Stride, l.Dilation, l.Pads, l.From = g.settings(dims)
	if l.From != nil {
		l.Weight = w.Unpacked()
	}
	return c.spatial(n, axes, l, in)
}

func convTranspose(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	w, kernel, err := c.filters(n, axes)
	if err != nil {
		return err
	}
	w = w.Unpacked()
	groups, err := n.groups()
	if err != nil {
		return err
	}
	dims := ints(in.dims[1:])
	g, more, err := n.transposed(kernel, dims[1:])
	if err != nil {
		return err
	}
	bias, err := c.vector(n, 2, min(w.Shape[1], maxSize)*groups)
	if err != nil {
		return err
	}
	if axes == 1 {
		more = []int{0, more[0]}
	}
	l := &model.ConvTranspose{Weight: w, Bias: bias, OutPad: more, Groups: groups}
	l.Stride, l.Dilation, l.Pads, l.From = g.settings(dims)
	return c.spatial(n, axes, l, in)
}

// transposed is window for a transposed convolution, with its output padding. It
// works out pads from output_shape or auto_pad as ONNX says. What would be negative
// padding becomes rows and columns of nothing at the end.
func (n *node) transposed(kernel, sizes []int) (g window, more []int, err error) {
	axes := len(kernel)
	if g.stride, err = n.sizes("strides", axes, 1, 1); err != nil {
		return g, nil, err
	}
	if g.dilation, err = n.sizes("dilations", axes, 1, 1); err != nil {
		return g, nil, err
	}
	if more, err = n.sizes("output_padding", axes, 0, 0); err != nil {
		return g, nil, err
	}
	g.pads = make([]int, 2*axes)
	auto := n.text("auto_pad", "NOTSET")
	shape := n.ints("output_shape")
	if len(shape) == axes+2 {
		shape = shape[2:]
	}
	var want []int
	switch {
	case shape != nil:
		if len(shape) != axes || slices.Min(shape) < 1 || slices.Max(shape) > maxSize {
			return g, nil, malformed("output_shape is %v", n.ints("output_shape"))
		}
		want = ints(shape)
	case auto == "SAME_UPPER" || auto == "SAME_LOWER":
		for a, size := range sizes {
			want = append(want, size*g.stride[a])
		}
	case auto == "NOTSET" || auto == "":
		g.pads, err = n.pads(axes)
		return g, more, err
	case auto == "VALID":
		return g, more, nil
	default:
		return g, nil, refuse("auto_pad is %q", auto)
	}
	for a, size := range sizes {
		total := g.stride[a]*(size-1) + more[a] + (kernel[a]-1)*g.dilation[a] + 1 - want[a]
		if total < 0 {
			more[a] -= total
			total = 0
		}
		// The odd one goes to the end for SAME_UPPER, else to the beginning.
		g.pads[a], g.pads[a+axes] = total-total/2, total/2
		if auto == "SAME_UPPER" {
			g.pads[a], g.pads[a+axes] = g.pads[a+axes], g.pads[a]
		}
	}
	return g, more, nil
}

func pool(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	if !n.has("kernel_shape") {
		return malformed("kernel_shape is missing")
	}
	kernel, err := n.sizes("kernel_shape", axes, 1, 1)
	if err != nil {
		return err
	}
	dims := ints(in.dims[1:])
	g, err := n.window(kernel, dims[1:])
	if err != nil {
		return err
	}
	for a := range axes {
		if span := (kernel[a]-1)*g.dilation[a] + 1; max(g.pads[a], g.pads[a+axes]) >= span && n.op != "LpPool" {
			return refuse("pads are %v of a window of %v: some windows would see nothing but padding", g.pads, kernel)
		}
	}
	count, power := n.int("count_include_pad", 0) != 0, n.int("p", 2)
	if n.op == "LpPool" && (power < 1 || power > 1000) {
		return refuse("p is %d", power)
	}
	places := ""
	if n.op == "MaxPool" && len(n.outputs) > 1 && c.uses[n.outputs[1]] > 0 {
		if places = n.outputs[1]; places != "" && c.images != 1 {
			return refuse("the places of maxima in a batch of %d", c.images)
		}
	}
	l := model.Pool{Op: model.PoolMax, Kernel: kernel, Ceil: g.ceil}
	l.Stride, l.Dilation, l.Pads, l.From = g.settings(dims)
	switch n.op {
	case "LpPool":
		l.Op, l.P = model.PoolLp, int(power)
	case "AveragePool":
		l.Op, l.CountPad = model.PoolAverage, count
	}
	if axes == 1 {
		l.Kernel = []int{1, kernel[0]}
	}
	if l.MeanOfMaps() {
		l.Dilation = nil
	}
	if n.outputs[0] != "" {
		if err := c.spatial(n, axes, &l, in); err != nil {
			return err
		}
	}
	if places == "" {
		return nil
	}
	argmax := l
	argmax.Op, argmax.Columns = model.PoolArgmax, n.int("storage_order", 0) != 0
	if argmax.Columns && axes > 2 {
		return refuse("the places of maxima with columns before rows in %d axes", axes)
	}
	return c.spatial(&node{outputs: []string{places}}, axes, &argmax, in)
}

func globalPool(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	var l model.Layer = &model.GlobalAvgPool{}
	whole, one, none := []int{in.shape.H, in.shape.W}, []int{1, 1}, make([]int, 4)
	switch n.op {
	case "GlobalMaxPool":
		l = &model.Pool{Op: model.PoolMax, Kernel: whole, Stride: one, Dilation: one, Pads: none}
	case "GlobalLpPool":
		p := n.int("p", 2)
		if p < 1 || p > 1000 {
			return refuse("p is %d", p)
		}
		l = &model.Pool{Op: model.PoolLp, P: int(p), Kernel: whole, Stride: one, Dilation: one, Pads: none}
	}
	dims := append([]int64{in.dims[0], in.dims[1]}, slices.Repeat([]int64{1}, axes)...)
	return c.put(n, dims, l, in)
}
