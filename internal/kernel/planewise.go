package kernel

// Planewise is a convolution over many axes as the kernels see it: for each place
// along all but the last two axes, a convolution over those two of the planes that
// the window sees, one above the other as channels.
type Planewise struct {
	Plane   Conv // over the last two axes
	maps    int  // channels of the input, which has planes of box in
	in, out Box
	planes  int   // of a channel of the input
	taps    []int // for each plane of the output: the planes of the input
}

// PlanewiseOf is the convolution of arrays of dims from by windows of the given kernel, out of them
// along each axis, for weights [k, c, ...]. taps are, for each place along all but the last two axes,
// the planes that its window sees.
func PlanewiseOf(from, stride, dilation, pads, kernel, out, taps []int, k, groups int) *Planewise {
	last := len(kernel) - 2
	depth, planes := 1, 1
	for a := range last {
		depth, planes = depth*kernel[a], planes*from[a+1]
	}
	axes := len(kernel)
	return &Planewise{maps: from[0], planes: planes, taps: taps,
		in: Box{Y1: from[axes-1], X1: from[axes]}, out: Box{Y1: out[last], X1: out[last+1]},
		Plane: Conv{In: from[0] * depth, Out: k, KH: kernel[last], KW: kernel[last+1], StrideY: stride[last], StrideX: stride[last+1],
			DilY: dilation[last], DilX: dilation[last+1], PadTop: pads[last], PadLeft: pads[last+1], Groups: groups}}
}

// Chunk is how many planes of the output are computed at once, so that what
// stands one above the other stays within some megabytes.
func (p *Planewise) Chunk() (count, depth int) {
	depth = p.Plane.In / p.maps
	const floats = 4 << 20
	return max(1, min(len(p.taps)/depth, floats/max(1, p.Plane.In*p.in.Area()+p.Plane.Out*p.out.Area()))), depth
}

// Forward computes the convolution of one image by filters of Plane packed for ConvForward.
func (p *Planewise) Forward(k *Engine, f *Filters, ep Epilogue, dst, src []float32) {
	count, depth := p.Chunk()
	all, area, outArea := len(p.taps)/depth, p.in.Area(), p.out.Area()
	stacked, made := make([]float32, count*p.Plane.In*area), make([]float32, count*p.Plane.Out*outArea)
	for first := 0; first < all; first += count {
		n := min(count, all-first)
		k.For(n*p.maps, func(i int) {
			o, c := i/p.maps, i%p.maps
			for t, plane := range p.taps[(first+o)*depth : (first+o+1)*depth] {
				to := stacked[((o*p.maps+c)*depth+t)*area:][:area]
				if plane < 0 {
					clear(to)
				} else {
					copy(to, src[(c*p.planes+plane)*area:])
				}
			}
		})
		k.ConvForward(f, n, made, p.out, stacked, p.in, ep)
		k.For(p.Plane.Out, func(c int) {
			for o := range n {
				copy(dst[(c*all+first+o)*outArea:][:outArea], made[(o*p.Plane.Out+c)*outArea:])
			}
		})
	}
}

// Data computes the transpose of Forward by filters packed for ConvData: dy is of
// its output, dx of its input and overwritten.
func (p *Planewise) Data(k *Engine, f *Filters, dx, dy []float32) {
	count, depth := p.Chunk()
	all, area, outArea := len(p.taps)/depth, p.in.Area(), p.out.Area()
	stacked, made := make([]float32, count*p.Plane.In*area), make([]float32, count*p.Plane.Out*outArea)
	clear(dx[:p.maps*p.planes*area])
	for first := 0; first < all; first += count {
		n := min(count, all-first)
		k.For(p.Plane.Out, func(c int) {
			for o := range n {
				copy(made[(o*p.Plane.Out+c)*outArea:][:outArea], dy[(c*all+first+o)*outArea:])
			}
		})
		k.ConvData(f, n, stacked, p.in, made, p.out)
		k.For(p.maps, func(c int) {
			for o := range n {
				for t, plane := range p.taps[(first+o)*depth : (first+o+1)*depth] {
					if plane < 0 {
						continue
					}
					to := dx[(c*p.planes+plane)*area:][:area]
					for i, v := range stacked[((o*p.maps+c)*depth+t)*area:][:area] {
						to[i] += v
					}
				}
			}
		})
	}
}
