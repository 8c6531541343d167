package kernel

import "github.com/deconvnet/viz/model/tensor"

// Box is a half-open rectangle of positions in a plane: rows Y0..Y1-1, columns
// X0..X1-1.
type Box = tensor.Box

// Full returns the box of a whole h x w plane.
func Full(h, w int) Box { return Box{Y1: h, X1: w} }

// rect is the box of rows y0 to y1, columns x0 to x1.
func rect(y0, x0, y1, x1 int) Box { return Box{Y0: y0, X0: x0, Y1: y1, X1: x1} }

// Conv is the geometry of a convolution (a cross-correlation, as in ONNX):
//
//	y[k][oy][ox] = sum over c, i, j of w[k][c][i][j] *
//	               x[c][oy*StrideY - PadTop + i*DilY][ox*StrideX - PadLeft + j*DilX]
//
// Weights are [Out][In/Groups][KH][KW]; output channel k reads the channels of
// its group only. Zero strides, dilations and Groups mean 1. The padding below
// and to the right follows from the size of the output.
type Conv struct {
	In, Out          int
	KH, KW           int
	StrideY, StrideX int
	DilY, DilX       int
	PadTop, PadLeft  int
	Groups           int

	// Places is the number of outputs of a map, if known. Filters are packed for
	// such maps, and compute others too; the results are the same.
	Places int
}

// ConvOf is the convolution with weights of shape [Out, In/groups, KH, KW], or the one
// that a transposed convolution with weights [In, Out/groups, KH, KW] is the transpose of.
// Pads are top, left and what the output's size says.
func ConvOf(shape, stride, dilation, pads []int, groups int) Conv {
	c := Conv{In: shape[1] * groups, Out: shape[0], KH: shape[2], KW: shape[3], StrideY: 1, StrideX: 1, DilY: 1, DilX: 1, Groups: groups}
	if stride != nil {
		c.StrideY, c.StrideX = stride[0], stride[1]
	}
	if dilation != nil {
		c.DilY, c.DilX = dilation[0], dilation[1]
	}
	if pads != nil {
		c.PadTop, c.PadLeft = pads[0], pads[1]
	}
	return c
}

// PoolOf is the pool of a plane with these settings along rows and columns; nil
// stride or dilation: 1; nil pads: none.
func PoolOf(kernel, stride, dilation, pads []int) Pool {
	p := Pool{KH: kernel[0], KW: kernel[1], StrideY: 1, StrideX: 1, DilY: 1, DilX: 1}
	if stride != nil {
		p.StrideY, p.StrideX = stride[0], stride[1]
	}
	if dilation != nil {
		p.DilY, p.DilX = dilation[0], dilation[1]
	}
	if pads != nil {
		p.PadTop, p.PadLeft = pads[0], pads[1]
	}
	return p
}

// WholePool is the pool of whole h x w planes.
func WholePool(h, w int) Pool { return PoolOf([]int{h, w}, []int{1, 1}, nil, nil) }

func (g Conv) norm() Conv {
	g.StrideY, g.StrideX = max(g.StrideY, 1), max(g.StrideX, 1)
	g.DilY, g.DilX = max(g.DilY, 1), max(g.DilX, 1)
	g.Groups = max(g.Groups, 1)
	return g
}

func (g Conv) check() Conv {
	g = g.norm()
	if g.In < 1 || g.Out < 1 || g.KH < 1 || g.KW < 1 || g.In%g.Groups != 0 || g.Out%g.Groups != 0 {
		panic("kernel: bad convolution geometry")
	}
	return g
}

// weights returns the number of weights.
func (g Conv) weights() int { return g.Out * (g.In / g.Groups) * g.KH * g.KW }

// InputBox returns the inputs that an output box reads. It is not clipped to
// the plane: what lies outside is padding.
func (g Conv) InputBox(out Box) Box {
	if out.Empty() {
		return Box{}
	}
	g = g.norm()
	y0, y1 := inputRange(out.Y0, out.Y1, g.StrideY, g.PadTop, g.KH, g.DilY)
	x0, x1 := inputRange(out.X0, out.X1, g.StrideX, g.PadLeft, g.KW, g.DilX)
	return rect(y0, x0, y1, x1)
}

// OutputBox returns the outputs of an oh x ow plane that an input box can
// change: the smallest box with InputBox reaching into it.
func (g Conv) OutputBox(in Box, oh, ow int) Box {
	if in.Empty() {
		return Box{}
	}
	g = g.norm()
	y0, y1 := outputRange(in.Y0, in.Y1, oh, g.StrideY, g.PadTop, g.KH, g.DilY)
	x0, x1 := outputRange(in.X0, in.X1, ow, g.StrideX, g.PadLeft, g.KW, g.DilX)
	return rect(y0, x0, y1, x1).Intersect(Full(oh, ow))
}

// Pool is the geometry of a pooling layer; zero strides and dilations mean 1.
type Pool struct {
	KH, KW           int
	StrideY, StrideX int
	DilY, DilX       int
	PadTop, PadLeft  int
}

func (g Pool) norm() Pool {
	g.StrideY, g.StrideX = max(g.StrideY, 1), max(g.StrideX, 1)
	g.DilY, g.DilX = max(g.DilY, 1), max(g.DilX, 1)
	return g
}

func (g Pool) check() Pool {
	g = g.norm()
	if g.KH < 1 || g.KW < 1 {
		panic("kernel: bad pool geometry")
	}
	return g
}

func (g Pool) conv() Conv {
	return Conv{1, 1, g.KH, g.KW, g.StrideY, g.StrideX, g.DilY, g.DilX, g.PadTop, g.PadLeft, 1, 0}
}

// InputBox returns the inputs that an output box reads, not clipped to the plane.
func (g Pool) InputBox(out Box) Box { return g.conv().InputBox(out) }

// OutputBox returns the outputs of an oh x ow plane that an input box can change.
func (g Pool) OutputBox(in Box, oh, ow int) Box { return g.conv().OutputBox(in, oh, ow) }

// inputRange returns the inputs o*stride-pad+t*dil for o in [o0, o1), t in [0, k).
func inputRange(o0, o1, stride, pad, k, dil int) (int, int) {
	return o0*stride - pad, (o1-1)*stride - pad + (k-1)*dil + 1
}

// outputRange returns the smallest range that holds the outputs in [0, n) with a
// tap in [i0, i1); with dilation some inside it may have none.
func outputRange(i0, i1, n, stride, pad, k, dil int) (int, int) {
	lo, hi := 0, 0
	for t := range k {
		l, h := spanIn(stride, t*dil-pad, i0, i1, 0, n)
		if l >= h {
			continue
		}
		if lo == hi {
			lo, hi = l, h
		} else {
			lo, hi = min(lo, l), max(hi, h)
		}
	}
	return lo, hi
}

// span returns the range of o with i0 <= o*stride+off < i1.
func span(stride, off, i0, i1 int) (int, int) {
	return ceilDiv(i0-off, stride), ceilDiv(i1-off, stride)
}

// spanIn is span cut to [o0, o1); lo >= hi if it is empty.
func spanIn(stride, off, i0, i1, o0, o1 int) (lo, hi int) {
	lo, hi = span(stride, off, i0, i1)
	return max(lo, o0), min(hi, o1)
}

// ceilDiv returns a/b rounded up, for b > 0 and any a.
func ceilDiv(a, b int) int {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// floorDiv returns a/b rounded down, for b > 0 and any a.
func floorDiv(a, b int) int { return -ceilDiv(-a, b) }
