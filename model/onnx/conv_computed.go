package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// convComputed is a convolution whose weights are computed from the picture: a
// product of the weights and what each window sees.
func convComputed(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 2, 2)
	if err != nil {
		return err
	}
	w, dims, err := c.whole(n, 1)
	if err != nil {
		return err
	}
	groups, err := n.groups()
	if err != nil {
		return err
	}
	if len(dims) != 4 || slices.Min(dims) < 1 || dims[0]%groups != 0 || dims[1]*groups != in.shape.C || max(dims[2], dims[3]) > maxSize {
		return malformed("weights are %v in %d groups, the input has %d channels", dims, groups, in.shape.C)
	}
	kernel := [2]int{dims[2], dims[3]}
	g, err := n.window(axes, kernel, in.shape.H, in.shape.W)
	if err != nil {
		return err
	}
	// A convolution with constant weights knows the size of its output.
	like := &model.MaxPool{Kernel: kernel, Stride: g.stride, Dilation: g.dilation, Pads: g.pads}
	out, err := model.OutputShape(like, []model.Shape{in.shape})
	if err != nil {
		return malformed("%v", err)
	}
	s, places, taps := in.shape, out.H*out.W, kernel[0]*kernel[1]
	if err := c.spend(places * taps); err != nil {
		return err
	}
	seen := &model.AlongAxis{What: "Windows", From: []int{s.C, s.H * s.W}, Axis: 1, Taps: 1}
	for k := range taps {
		for p := range places {
			y := p/out.W*g.stride[0] - g.pads[0] + k/kernel[1]*g.dilation[0]
			x := p%out.W*g.stride[1] - g.pads[1] + k%kernel[1]*g.dilation[1]
			at := -1
			if y >= 0 && y < s.H && x >= 0 && x < s.W {
				at = y*s.W + x
			}
			seen.Index = append(seen.Index, at)
		}
	}
	name := c.name(n)
	windows, err := c.add(c.unique(name+".windows"), seen, in)
	if err != nil {
		return err
	}
	depth := dims[1] * taps
	v, err := c.add(c.unique(name+".product"), &model.MatMul{A: []int{groups, dims[0] / groups, depth}, B: []int{groups, depth, places}}, w, windows)
	if err != nil {
		return err
	}
	full := []int64{in.dims[0], int64(dims[0]), int64(out.H), int64(out.W)}
	bias, err := c.arg(n, 2)
	if err != nil {
		return err
	}
	if bias == nil {
		return c.put(n, full, &model.Reshape{To: ints(full[1:])}, v)
	}
	sums := &node{op: n.op, outputs: []string{c.fresh(n.output() + ".sums")}}
	if err := c.put(sums, full, &model.Reshape{To: ints(full[1:])}, v); err != nil {
		return err
	}
	shaped := c.fresh(n.output() + ".bias")
	if err := c.run("Reshape", []string{n.inputs[2], c.known("shape", &constant{dims: []int{4}, i: []int64{1, int64(dims[0]), 1, 1}})}, []string{shaped}); err != nil {
		return err
	}
	return c.run("Add", []string{sums.outputs[0], shaped}, n.outputs[:1])
}
