package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// Operators that read maps at other places.

// gridSample with a constant grid takes fixed sums of numbers of each map.
func gridSample(c *converter, n *node) error {
	in, _, err := c.maps(n, 0, 2, 2)
	if err != nil {
		return err
	}
	mode, err := model.ParseGridMode(n.text("mode", "linear"))
	if err != nil {
		return refuse("%v", err)
	}
	padding, err := model.ParseGridPadding(n.text("padding_mode", "zeros"))
	if err != nil {
		return refuse("%v", err)
	}
	l := &model.GridSample{Mode: mode, Padding: padding, Align: n.int("align_corners", 0) != 0}
	grid, err := c.arg(n, 1)
	if err != nil {
		return err
	}
	if grid == nil {
		return malformed("it has no grid")
	}
	size := grid.dims
	if grid.k != nil {
		size = int64s(grid.k.dims)
	}
	if len(size) != 4 || size[3] != 2 || size[0] != in.dims[0] || c.images > 1 || min(size[1], size[2]) < 1 || max(size[1], size[2]) > maxSize {
		return refuse("a grid of shape %v for maps of %v, want [1, rows, columns, 2]", size, in.dims)
	}
	l.Out = [2]int{int(size[1]), int(size[2])}
	dims := []int64{in.dims[0], in.dims[1], size[1], size[2]}
	if grid.k == nil {
		if grid, err = c.array(n, 1); err != nil {
			return err
		}
		return c.put(n, dims, l, in, grid)
	}
	k, err := c.asFloats(grid.k)
	if err != nil {
		return err
	}
	taps := map[model.GridMode]int{model.GridNearest: 1, model.GridLinear: 4, model.GridCubic: 16}[mode]
	count := l.Out[0] * l.Out[1] * taps
	if err := c.spend(2 * count); err != nil {
		return err
	}
	s := in.shape
	to := &model.AlongAxis{What: n.op, From: []int{s.C, s.H * s.W}, Axis: 1, Taps: taps, Index: slices.Repeat([]int{-1}, count), Weight: make([]float32, count)}
	used := make([]int, count/taps)
	l.Visit(k.f, s.H, s.W, func(p, j int, w, _, _ float64) {
		at := p*taps + used[p]
		to.Index[at], to.Weight[at] = j, float32(w)
		used[p]++
	})
	v, err := c.add(c.unique(c.name(n)+".numbers"), to, in)
	if err != nil {
		return err
	}
	return c.put(n, dims, &model.Reshape{To: ints(dims[1:])}, v)
}

// affineGrid is a product of the places of a regular grid and the matrices theta.
func affineGrid(c *converter, n *node) error {
	size, err := c.integers(n, 1, "size")
	if err != nil {
		return err
	}
	if len(size) != 4 {
		return refuse("size is %v, want [N, channels, rows, columns]", size)
	}
	count, err := elements(size[2:], 1<<24)
	if err != nil || count == 0 {
		return malformed("size is %v", size)
	}
	if err := c.spend(3 * int(count)); err != nil {
		return err
	}
	align := n.int("align_corners", 0) != 0
	at := func(i, size int64) float32 {
		switch {
		case !align:
			return float32((2*float64(i)+1)/float64(size) - 1)
		case size == 1:
			return 0
		}
		return float32(2*float64(i)/float64(size-1) - 1)
	}
	base := &constant{dims: []int{1, int(count), 3}}
	for y := range size[2] {
		for x := range size[3] {
			base.f = append(base.f, at(x, size[3]), at(y, size[2]), 1)
		}
	}
	turned, product := c.fresh(n.output()+".turned"), c.fresh(n.output()+".product")
	if err := c.run("Transpose", []string{n.inputs[0]}, []string{turned}, attribute{name: "perm", ints: []int64{0, 2, 1}}); err != nil {
		return err
	}
	if err := c.run("MatMul", []string{c.known("base", base), turned}, []string{product}); err != nil {
		return err
	}
	shape := c.known("shape", &constant{dims: []int{4}, i: []int64{size[0], size[2], size[3], 2}})
	return c.run("Reshape", []string{product, shape}, n.outputs[:1])
}

// centerCropPad cuts or pads axes evenly on both sides.
func centerCropPad(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	shape, err := c.integers(n, 1, "shape")
	if err != nil {
		return err
	}
	axes := n.ints("axes")
	if axes == nil {
		for a := range in.dims {
			axes = append(axes, int64(a))
		}
	}
	if len(shape) != len(axes) {
		return malformed("shape %v for axes %v", shape, axes)
	}
	var cutAt, starts, ends []int64
	pads := make([]int64, 2*len(in.dims))
	for i, v := range axes {
		a, err := axis(v, len(in.dims))
		if err != nil {
			return err
		}
		switch want, have := shape[i], in.dims[a]; {
		case want < 1 || want > maxSize:
			return malformed("shape is %v", shape)
		case want < have:
			cutAt, starts, ends = append(cutAt, int64(a)), append(starts, (have-want)/2), append(ends, (have-want)/2+want)
		case want > have:
			pads[a] = (want - have) / 2
			pads[a+len(in.dims)] = want - have - pads[a]
		}
	}
	list := func(v []int64) string { return c.known("sizes", &constant{dims: []int{len(v)}, i: v}) }
	from := n.inputs[0]
	if len(cutAt) > 0 {
		out := c.fresh(n.output() + ".cut")
		if err := c.run("Slice", []string{from, list(starts), list(ends), list(cutAt)}, []string{out}); err != nil {
			return err
		}
		from = out
	}
	return c.run("Pad", []string{from, list(pads)}, n.outputs[:1])
}

// col2Im adds columns up where their windows lie in the image.
func col2Im(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	image, err := c.integers(n, 1, "image_shape")
	if err != nil {
		return err
	}
	block, err := c.integers(n, 2, "block_shape")
	if err != nil {
		return err
	}
	if len(in.dims) != 3 || in.dims[0] != c.images || len(image) != 2 || len(block) != 2 {
		return refuse("a value of shape %v for windows %v of an image of %v, want two axes of space", in.dims, block, image)
	}
	g := window{}
	if g.stride, err = n.sizes("strides", 2, 1, 1); err != nil {
		return err
	}
	if g.dilation, err = n.sizes("dilations", 2, 1, 1); err != nil {
		return err
	}
	if g.pads, err = n.pads(2); err != nil {
		return err
	}
	if _, err := elements(append(slices.Clone(image), block...), 1<<28); err != nil || min(slices.Min(image), slices.Min(block)) < 1 {
		return malformed("windows of %v in an image of %v", block, image)
	}
	var windows [2]int
	for a := range windows {
		room := int(image[a]) + g.pads[a] + g.pads[a+2] - (int(block[a])-1)*g.dilation[a] - 1
		if room < 0 {
			return malformed("windows of %v in an image of %v", block, image)
		}
		windows[a] = room/g.stride[a] + 1
	}
	taps, columns := int(block[0]*block[1]), windows[0]*windows[1]
	if in.dims[1]%int64(taps) != 0 || in.dims[2] != int64(columns) {
		return malformed("columns are %v, want [N, channels*%d, %d]", in.dims, taps, columns)
	}
	terms := make([][]int, image[0]*image[1])
	if err := c.spend(taps * columns); err != nil {
		return err
	}
	most := 1
	for k := range taps {
		for w := range columns {
			y := w/windows[1]*g.stride[0] - g.pads[0] + k/int(block[1])*g.dilation[0]
			x := w%windows[1]*g.stride[1] - g.pads[1] + k%int(block[1])*g.dilation[1]
			if y >= 0 && y < int(image[0]) && x >= 0 && x < int(image[1]) {
				at := y*int(image[1]) + x
				terms[at] = append(terms[at], k*columns+w)
				most = max(most, len(terms[at]))
			}
		}
	}
	if err := c.spend(most * len(terms)); err != nil {
		return err
	}
	channels := int(in.dims[1]) / taps
	l := &model.AlongAxis{What: n.op, From: []int{channels, taps * columns}, Axis: 1, Taps: most, Index: slices.Repeat([]int{-1}, most*len(terms))}
	for i, t := range terms {
		copy(l.Index[i*most:], t)
	}
	v, err := c.add(c.unique(c.name(n)+".sums"), l, in)
	if err != nil {
		return err
	}
	dims := []int64{in.dims[0], int64(channels), image[0], image[1]}
	return c.put(n, dims, &model.Reshape{To: ints(dims[1:])}, v)
}
