package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// convComputed is a convolution whose weights are computed from the picture: a
// product of the weights and what each window sees.
func convComputed(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 1, maxRank)
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
	from := ints(in.dims[1:])
	if len(dims) != axes+2 || slices.Min(dims) < 1 || dims[0]%groups != 0 || dims[1]*groups != from[0] || slices.Max(dims[2:]) > maxSize {
		return malformed("weights are %v in %d groups, the input has %d channels", dims, groups, from[0])
	}
	kernel := dims[2:]
	g, err := n.window(kernel, from[1:])
	if err != nil {
		return err
	}
	walk := g.on(from)
	out, err := walk.Counts(kernel, false)
	if err != nil {
		return malformed("%v", err)
	}
	if _, err := elements(int64s(slices.Concat(out, kernel)), 1<<28); err != nil {
		return malformed("windows of %v at %v places are too many", kernel, out)
	}
	size, places, taps := 1, 1, 1
	for a := range kernel {
		size, places, taps = size*from[a+1], places*out[a], taps*kernel[a]
	}
	if err := c.spend(places * taps); err != nil {
		return err
	}
	seen := &model.AlongAxis{What: "Windows", From: []int{from[0], size}, Axis: 1, Taps: 1, Index: make([]int, places*taps)}
	for i, at := range walk.Taps(out, kernel) { // place by place
		seen.Index[i%taps*places+i/taps] = at
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
	full := append([]int64{in.dims[0], int64(dims[0])}, int64s(out)...)
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
	if err := c.run("Reshape", []string{n.inputs[2], c.known("shape", &constant{dims: []int{axes + 2}, i: append([]int64{1, int64(dims[0])}, slices.Repeat([]int64{1}, axes)...)})}, []string{shaped}); err != nil {
		return err
	}
	return c.run("Add", []string{sums.outputs[0], shaped}, n.outputs[:1])
}
