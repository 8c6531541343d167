package onnx

import "slices"

func (n *node) attr(name string) *attribute {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			return &n.attrs[i]
		}
	}
	return nil
}

func (n *node) has(name string) bool { return n.attr(name) != nil }

func (n *node) int(name string, def int64) int64 {
	if a := n.attr(name); a != nil {
		return a.i
	}
	return def
}

func (n *node) ints(name string) []int64 {
	if a := n.attr(name); a != nil {
		return a.ints
	}
	return nil
}

func (n *node) float(name string, def float32) float32 {
	if a := n.attr(name); a != nil {
		return a.f
	}
	return def
}

func (n *node) text(name, def string) string {
	if a := n.attr(name); a != nil {
		return string(a.s)
	}
	return def
}

// maxSize bounds windows, strides and pads.
const maxSize = 1 << 20

// pair reads an attribute of one size for each of the spatial axes, 1 or 2, as
// [rows, columns]; of one axis the other is 1 row. Sizes are from least to maxSize.
func (n *node) pair(name string, axes int, def [2]int, least int64) ([2]int, error) {
	v := n.ints(name)
	if v == nil {
		return def, nil
	}
	if len(v) != axes {
		return def, malformed("%s is %v, want %d sizes", name, v, axes)
	}
	if slices.Min(v) < least || slices.Max(v) > maxSize {
		return def, malformed("%s is %v, want sizes from %d to %d", name, v, least, maxSize)
	}
	if axes == 1 {
		return [2]int{int(least), int(v[0])}, nil
	}
	return [2]int{int(v[0]), int(v[1])}, nil
}

// window is how a convolution or pool walks over its input.
type window struct {
	stride, dilation [2]int
	pads             [4]int
	ceil             bool
}

// window reads strides, dilations and pads of a node with the given kernel over
// an input of h x w, which are the spatial axes or, of one axis, 1 x w, with
// automatic padding worked out.
func (n *node) window(axes int, kernel [2]int, h, w int) (window, error) {
	var g window
	var err error
	if g.stride, err = n.pair("strides", axes, [2]int{1, 1}, 1); err != nil {
		return g, err
	}
	if g.dilation, err = n.pair("dilations", axes, [2]int{1, 1}, 1); err != nil {
		return g, err
	}
	g.ceil = n.int("ceil_mode", 0) != 0
	switch mode := n.text("auto_pad", "NOTSET"); mode {
	case "NOTSET", "":
		g.pads, err = n.pads(axes)
		return g, err
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		// Output sizes are ceil(size/stride); the odd pixel of padding goes to
		// the end (upper) or the beginning (lower).
		g.ceil = false
		for a, size := range [2]int{h, w} {
			out := (size + g.stride[a] - 1) / g.stride[a]
			total := max((out-1)*g.stride[a]+(kernel[a]-1)*g.dilation[a]+1-size, 0)
			g.pads[a], g.pads[a+2] = total/2, total-total/2
			if mode == "SAME_LOWER" {
				g.pads[a], g.pads[a+2] = g.pads[a+2], g.pads[a]
			}
		}
	default:
		return g, refuse("auto_pad is %q", mode)
	}
	return g, nil
}

// pads reads the attribute pads.
func (n *node) pads(axes int) (out [4]int, err error) {
	v := n.ints("pads")
	if v == nil {
		return out, nil
	}
	if len(v) != 2*axes {
		return out, malformed("pads are %v, want %d", v, 2*axes)
	}
	for i, p := range v {
		if p < 0 || p > maxSize {
			return out, refuse("pads are %v, want 0 to %d", v, maxSize)
		}
		if axes == 1 {
			i = 2*i + 1
		}
		out[i] = int(p)
	}
	return out, nil
}
