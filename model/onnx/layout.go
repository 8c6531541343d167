package onnx

import (
	"fmt"
	"slices"
	"strings"
)

// Layout is the order of the axes of a file's input.
type Layout string

const (
	AutoLayout    Layout = ""     // as the graph shows it, else by the sizes
	ChannelsFirst Layout = "nchw" // [N, channels, height, width]
	ChannelsLast  Layout = "nhwc" // [N, height, width, channels]
)

// ParseLayout reads the name of a layout.
func ParseLayout(s string) (Layout, error) {
	switch strings.ToLower(s) {
	case "", "auto":
		return AutoLayout, nil
	case "nchw", "channels-first", "channels_first":
		return ChannelsFirst, nil
	case "nhwc", "channels-last", "channels_last":
		return ChannelsLast, nil
	}
	return AutoLayout, fmt.Errorf("layout %q: want nchw (channels first), nhwc (channels last) or auto", s)
}

// layout says where the channels of the input are, and whether the graph or an
// option shows it; otherwise the sizes decide: Keras and its kin have 1 to 4
// channels last.
func (c *converter) layout(v valueInfo) (l Layout, shown bool) {
	if c.opt.Layout != AutoLayout {
		return c.opt.Layout, true
	}
	if l, _ := c.firstLook(v); l != AutoLayout {
		return l, true
	}
	large := func(d int64) bool { return d > 4 || d == -1 }
	if d := v.dims; d[3] > 0 && d[3] <= 4 && large(d[1]) && large(d[2]) {
		return ChannelsLast, false
	}
	return ChannelsFirst, false
}

// places are operators whose input 0 has images, channels and space on its axes
// in this order.
var places = []string{"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "GlobalLpPool", "BatchNormalization",
	"InstanceNormalization", "GroupNormalization", "LRN", "DepthToSpace", "SpaceToDepth", "MaxRoiPool", "RoiAlign", "GridSample",
	"QLinearAveragePool", "QLinearGlobalAveragePool"}

// keepAxes are operators whose output has the axes of what they read.
var keepAxes = []string{"Identity", "Cast", "CastLike", "Dropout", "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "Neg", "Abs", "Sqrt",
	"Exp", "Log", "Reciprocal", "Clip", "Floor", "Ceil", "Round", "Mod", "Where", "Relu", "LeakyRelu", "PRelu", "Sigmoid", "Tanh", "Pad", "Resize", "Upsample",
	"Slice", "Concat", "Gather", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearAdd", "QLinearMul"}

// firstLook follows the input to the first operator that knows channels from
// space, and returns what the input is to it, and the operator. A graph for
// images with the channels last turns them before its first convolution.
func (c *converter) firstLook(v valueInfo) (Layout, *node) {
	seen := map[string][]int{v.name: {0, 1, 2, 3}} // which axis of the input each axis of a value is
	for _, n := range c.nodes {
		if len(n.inputs) == 0 {
			continue
		}
		axes, known := seen[n.inputs[0]]
		for i := 1; !known && i < len(n.inputs); i++ {
			axes, known = seen[n.inputs[i]]
		}
		if !known || n.output() == "" {
			continue
		}
		switch {
		case n.channelsLast():
			switch axes[3] {
			case 1:
				return ChannelsFirst, n
			case 3:
				return ChannelsLast, n
			}
		case slices.Contains(places, n.op) || strings.Contains(n.op, "Conv"):
			switch axes[1] {
			case 1:
				return ChannelsFirst, n
			case 3:
				return ChannelsLast, n
			}
		case n.op == "Transpose":
			perm := n.ints("perm")
			if len(perm) != 4 || !slices.Equal(slices.Sorted(slices.Values(perm)), []int64{0, 1, 2, 3}) {
				continue
			}
			turned := make([]int, 4)
			for i, p := range perm {
				turned[i] = axes[p]
			}
			seen[n.output()] = turned
		case n.op == "Reshape":
			if turned := c.turnedBy(n, v.dims, axes); turned != nil {
				seen[n.output()] = turned
			}
		case n.op == "Gather":
			if k := c.initial(n.inputs[len(n.inputs)-1]); k == nil || len(k.dims) != 1 {
				continue // the axis is lost
			}
			seen[n.output()] = axes
		case slices.Contains(keepAxes, n.op):
			seen[n.output()] = axes
		}
	}
	return AutoLayout, nil
}

// initial is the named initialiser, or the tensor of the Constant node that makes it.
func (c *converter) initial(name string) *tensorProto {
	for _, n := range c.nodes {
		if n.op == "Constant" && n.output() == name && n.attr("value") != nil {
			return n.attr("value").tensor
		}
	}
	return c.tensors[name]
}

// turnedBy follows a Reshape that moves an axis of size 1, as exporters write
// the transpose of grey images; nil if it is anything else.
func (c *converter) turnedBy(n *node, dims []int64, axes []int) []int {
	if len(n.inputs) < 2 {
		return nil
	}
	t := c.initial(n.inputs[1])
	if t == nil || len(t.dims) != 1 || t.dims[0] != 4 {
		return nil
	}
	k, err := t.decode(c.src)
	if err != nil || len(k.i) != 4 {
		return nil
	}
	at := func(i int) int64 { return dims[axes[i]] }
	fits := func(i int, size int64) bool { return k.i[i] == -1 || size == -1 || k.i[i] == size }
	switch {
	case at(3) == 1 && k.i[1] == 1 && fits(2, at(1)) && fits(3, at(2)) && !(at(1) == 1 && fits(2, at(2)) && fits(3, at(3))):
		return []int{axes[0], axes[3], axes[1], axes[2]}
	case at(1) == 1 && k.i[3] == 1 && fits(1, at(2)) && fits(2, at(3)) && !(at(3) == 1 && fits(1, at(1)) && fits(2, at(2))):
		return []int{axes[0], axes[2], axes[3], axes[1]}
	case fits(1, at(1)) && fits(2, at(2)) && fits(3, at(3)):
		return axes
	}
	return nil
}

// bindSize returns the input's dims for one image, with what the file leaves
// open filled in, and whether the channels are last.
func (c *converter) bindSize(v valueInfo) (dims []int64, last bool, err error) {
	dims = slices.Clone(v.dims)
	if !v.ranked {
		return nil, false, fmt.Errorf("input %s has no shape, want [N, channels, height, width]", v.name)
	}
	if len(dims) > 0 && dims[0] == -1 {
		dims[0] = 1
	}
	if len(dims) != 4 {
		if len(dims) == 5 {
			if err := c.bindVolume(v, dims); err != nil {
				return nil, false, err
			}
		}
		if slices.Contains(dims, -1) {
			return nil, false, fmt.Errorf("input %s has shape %v (-1: open), want [N, channels, height, width] or all sizes fixed", v.name, v.dims)
		}
		if c.opt.Layout == ChannelsLast {
			return nil, false, fmt.Errorf("input %s has shape %v: layout %s is for four axes", v.name, v.dims, ChannelsLast)
		}
		return dims, false, nil
	}
	l, shown := c.layout(v)
	c.guessed, last = !shown, l == ChannelsLast
	if c.guessed && (last || dims[1] > 4) {
		c.notes = append(c.notes, fmt.Sprintf("input %s has shape %v: nothing in the graph says where the channels are, it is read as %s (layout)", v.name, v.dims, l))
	}
	h, w, ch := 2, 3, 1
	if last {
		h, w, ch = 1, 2, 3
	}
	if dims[ch] == -1 {
		if dims[ch] = c.channels(v); dims[ch] == 0 {
			return nil, false, fmt.Errorf("input %s has shape %v (-1: open), want the channels fixed", v.name, v.dims)
		}
	}
	for i, axis := range []int{h, w} {
		size := []int{c.opt.Height, c.opt.Width}[i]
		switch {
		case dims[axis] == -1 && size > 0:
			dims[axis] = int64(size)
		case dims[axis] != -1 && size > 0 && dims[axis] != int64(size):
			return nil, false, fmt.Errorf("input %s has shape %v: it cannot become %dx%d", v.name, v.dims, c.opt.Height, c.opt.Width)
		}
	}
	if slices.Contains(dims, -1) {
		return nil, false, &OpenSize{Input: v.name, Shape: v.dims}
	}
	return dims, last, nil
}

// bindVolume fills in what a file leaves open of a volume's depth, height and width.
func (c *converter) bindVolume(v valueInfo, dims []int64) error {
	if dims[1] == -1 {
		return fmt.Errorf("input %s has shape %v (-1: open), want the channels fixed", v.name, v.dims)
	}
	for i, size := range []int{c.opt.Depth, c.opt.Height, c.opt.Width} {
		switch d := &dims[2+i]; {
		case size > 0 && *d == -1:
			*d = int64(size)
		case size > 0 && *d != int64(size):
			return fmt.Errorf("input %s has shape %v: its %s cannot become %d", v.name, v.dims, []string{"depth", "height", "width"}[i], size)
		}
	}
	if slices.Contains(dims, -1) {
		return &OpenSize{Input: v.name, Shape: v.dims}
	}
	return nil
}

// channels is the number of channels that a convolution of the input wants, 0 if
// there is none.
func (c *converter) channels(v valueInfo) int64 {
	_, n := c.firstLook(v)
	if n == nil || n.op != "Conv" || len(n.inputs) < 2 {
		return 0
	}
	if t := c.tensors[n.inputs[1]]; t != nil && len(t.dims) == 4 && t.dims[1] > 0 && t.dims[1] < maxSize {
		return t.dims[1] * min(max(n.int("group", 1), 1), maxSize)
	}
	return 0
}
