package kernel

// Box is a half-open rectangle of positions in a plane: rows Y0..Y1-1, columns
// X0..X1-1.
type Box struct{ Y0, X0, Y1, X1 int }

// Full returns the box of a whole h x w plane.
func Full(h, w int) Box { return Box{0, 0, h, w} }

// H returns the number of rows, 0 if the box is empty.
func (b Box) H() int { return max(b.Y1-b.Y0, 0) }

// W returns the number of columns, 0 if the box is empty.
func (b Box) W() int { return max(b.X1-b.X0, 0) }

// Area returns the number of positions.
func (b Box) Area() int { return b.H() * b.W() }

// Empty reports whether the box holds no position.
func (b Box) Empty() bool { return b.Y1 <= b.Y0 || b.X1 <= b.X0 }

// Union returns the smallest box that contains both; empty boxes don't count.
func (b Box) Union(c Box) Box {
	if b.Empty() {
		return c
	}
	if c.Empty() {
		return b
	}
	return Box{min(b.Y0, c.Y0), min(b.X0, c.X0), max(b.Y1, c.Y1), max(b.X1, c.X1)}
}

// Intersect returns the positions in both boxes; the zero Box if there are none.
func (b Box) Intersect(c Box) Box {
	r := Box{max(b.Y0, c.Y0), max(b.X0, c.X0), min(b.Y1, c.Y1), min(b.X1, c.X1)}
	if r.Empty() {
		return Box{}
	}
	return r
}

// Contains reports whether every position of c is in b.
func (b Box) Contains(c Box) bool {
	return c.Empty() || b.Y0 <= c.Y0 && b.X0 <= c.X0 && c.Y1 <= b.Y1 && c.X1 <= b.X1
}

// Shift returns the box moved by dy rows and dx columns.
func (b Box) Shift(dy, dx int) Box {
	return Box{b.Y0 + dy, b.X0 + dx, b.Y1 + dy, b.X1 + dx}
}

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
}

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
	return Box{y0, x0, y1, x1}
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
	return Box{y0, x0, y1, x1}.Intersect(Full(oh, ow))
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
	return Conv{1, 1, g.KH, g.KW, g.StrideY, g.StrideX, g.DilY, g.DilX, g.PadTop, g.PadLeft, 1}
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
