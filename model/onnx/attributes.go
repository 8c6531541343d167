package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

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

// ints are numbers about axes: of very many, so many that they are refused.
func (n *node) ints(name string) []int64 {
	if a := n.attr(name); a != nil {
		return a.ints[:min(len(a.ints), 2*maxRank+1)]
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

// sizes reads an attribute of one size for each of the spatial axes; nil: def for
// each. Sizes are from least to maxSize.
func (n *node) sizes(name string, axes, def int, least int64) ([]int, error) {
	v := n.ints(name)
	if v == nil {
		return slices.Repeat([]int{def}, axes), nil
	}
	if len(v) != axes {
		return nil, malformed("%s is %v, want %d sizes", name, v, axes)
	}
	if slices.Min(v) < least || slices.Max(v) > maxSize {
		return nil, malformed("%s is %v, want sizes from %d to %d", name, v, least, maxSize)
	}
	return ints(v), nil
}

// two are the settings of rows and columns, of which there may be only the
// columns; rows then have one.
func two(v []int, one int) [2]int {
	if len(v) == 1 {
		return [2]int{one, v[0]}
	}
	return [2]int{v[0], v[1]}
}

// four is two for pads, which come before all axes, then behind.
func four(v []int) [4]int {
	before, behind := two(v[:len(v)/2], 0), two(v[len(v)/2:], 0)
	return [4]int{before[0], before[1], behind[0], behind[1]}
}

// window is how a convolution or pool walks over its input.
type window struct {
	stride, dilation []int // of each spatial axis
	pads             []int // before all axes, then behind
	ceil             bool
}

// on is the window over an array [C, sizes...] of one image.
func (g window) on(dims []int) model.WindowND {
	return model.WindowND{From: dims, Stride: g.stride, Dilation: g.dilation, Pads: g.pads}
}

// settings are those of a layer over an array [C, sizes...] of one image, whose dims are
// from; with one or two axes of space these are maps, and from is nil.
func (g window) settings(dims []int) (stride, dilation, pads, from []int) {
	if len(dims) > 3 {
		return g.stride, g.dilation, g.pads, dims
	}
	s, d, p := two(g.stride, 1), two(g.dilation, 1), four(g.pads)
	return s[:], d[:], p[:], nil
}

// window reads strides, dilations and pads of a node with the given kernel over
// spatial axes of these sizes, with automatic padding worked out.
func (n *node) window(kernel, sizes []int) (window, error) {
	var g window
	var err error
	axes := len(kernel)
	if g.stride, err = n.sizes("strides", axes, 1, 1); err != nil {
		return g, err
	}
	if g.dilation, err = n.sizes("dilations", axes, 1, 1); err != nil {
		return g, err
	}
	g.ceil = n.int("ceil_mode", 0) != 0
	g.pads = make([]int, 2*axes)
	switch mode := n.text("auto_pad", "NOTSET"); mode {
	case "NOTSET", "":
		g.pads, err = n.pads(axes)
		return g, err
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		// Output sizes are ceil(size/stride); the odd pixel of padding goes to
		// the end (upper) or the beginning (lower).
		g.ceil = false
		for a, size := range sizes {
			out := (size + g.stride[a] - 1) / g.stride[a]
			total := max((out-1)*g.stride[a]+(kernel[a]-1)*g.dilation[a]+1-size, 0)
			g.pads[a], g.pads[a+axes] = total/2, total-total/2
			if mode == "SAME_LOWER" {
				g.pads[a], g.pads[a+axes] = g.pads[a+axes], g.pads[a]
			}
		}
	default:
		return g, refuse("auto_pad is %q", mode)
	}
	return g, nil
}

// pads reads the attribute pads.
func (n *node) pads(axes int) ([]int, error) {
	v := n.ints("pads")
	if v == nil {
		return make([]int, 2*axes), nil
	}
	if len(v) != 2*axes {
		return nil, malformed("pads are %v, want %d", v, 2*axes)
	}
	for _, p := range v {
		if p < 0 || p > maxSize {
			return nil, refuse("pads are %v, want 0 to %d", v, maxSize)
		}
	}
	return ints(v), nil
}
