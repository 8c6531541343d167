package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// WindowND is how the windows of a layer walk over arrays [C, sizes...] of two axes
// of space or more. Pads are those before all axes, then those behind.
type WindowND struct {
	From                   []int // dims of the input
	Stride, Dilation, Pads []int
}

func (w *WindowND) slots() []slot {
	return []slot{attribute("from", &w.From), attribute("stride", &w.Stride), attribute("dilation", &w.Dilation), attribute("pads", &w.Pads)}
}

// check wants an input s of dims From, and a setting for each axis.
func (w *WindowND) check(s Shape, kernel []int) error {
	axes := len(w.From) - 1
	if axes < 2 {
		return fmt.Errorf("an input of %v, want channels and two axes or more", w.From)
	}
	if len(kernel) != axes || len(w.Stride) != axes || len(w.Dilation) != axes || len(w.Pads) != 2*axes {
		return fmt.Errorf("kernel %v, strides %v, dilations %v, pads %v for %d axes", kernel, w.Stride, w.Dilation, w.Pads, axes)
	}
	if _, err := arrayLen(kernel); err != nil {
		return fmt.Errorf("kernel %v: %w", kernel, err)
	}
	return holds(s, w.From)
}

// Counts is the number of windows of the given kernel along each axis.
func (w *WindowND) Counts(kernel []int, ceil bool) ([]int, error) {
	axes := len(w.From) - 1
	out := make([]int, axes)
	var err error
	for a := range axes {
		if out[a], err = windowCount(w.From[a+1], kernel[a], w.Stride[a], w.Dilation[a], w.Pads[a], w.Pads[a+axes], ceil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Taps lists, for windows over the first axes of space, as many as out has sizes,
// the places that each sees, tap by tap; -1: padding.
func (w *WindowND) Taps(out, kernel []int) []int {
	list := []int{0}
	per := 1
	for a, n := range out { // each place so far becomes n windows of kernel[a] taps
		size, k := w.From[a+1], kernel[a]
		next := make([]int, 0, len(list)*n*k)
		for at := 0; at < len(list); at += per {
			for o := range n {
				for _, base := range list[at : at+per] {
					for t := range k {
						x := o*w.Stride[a] - w.Pads[a] + t*w.Dilation[a]
						if base < 0 || x < 0 || x >= size {
							next = append(next, -1)
						} else {
							next = append(next, base*size+x)
						}
					}
				}
			}
		}
		list, per = next, per*k
	}
	return list
}

// fewTaps is an error if windows at places, laid out one by one, would take absurd memory.
func fewTaps(places, kernel []int) error {
	if all := slices.Concat(places, kernel, []int{maxElements >> 26}); !fits(all...) {
		return fmt.Errorf("windows of %v at %v places are too many", kernel, places)
	}
	return nil
}

// settings describes a window for a reader.
func (w *WindowND) settings(kernel []int) string {
	s := times(kernel)
	one := slices.Repeat([]int{1}, len(kernel))
	if !slices.Equal(w.Stride, one) {
		s += ", strides " + times(w.Stride)
	}
	if !slices.Equal(w.Dilation, one) {
		s += ", dilations " + times(w.Dilation)
	}
	if slices.ContainsFunc(w.Pads, func(p int) bool { return p != 0 }) {
		s += fmt.Sprintf(", pads %v", w.Pads)
	}
	return s + " on " + times(w.From)
}

func times(v []int) string {
	s := ""
	for i, n := range v {
		if i > 0 {
			s += "x"
		}
		s += fmt.Sprint(n)
	}
	return s
}

// Planewise is a convolution over many axes as the kernels see it: for each place
// along all but the last two axes, a convolution over those two of the planes that
// the window sees, one above the other as channels.
type Planewise struct {
	Plane   kernel.Conv // over the last two axes
	maps    int         // channels of the input, which has planes of box in
	in, out Box
	planes  int   // of a channel of the input
	taps    []int // for each plane of the output: the planes of the input
}

// planewise makes it of windows of the given kernel, counts of them, for weights [k, c, ...].
func (w *WindowND) planewise(kernelSize, out []int, k, groups int) *Planewise {
	last := len(kernelSize) - 2
	depth, planes := 1, 1
	for a := range last {
		depth, planes = depth*kernelSize[a], planes*w.From[a+1]
	}
	axes := len(kernelSize)
	return &Planewise{maps: w.From[0], planes: planes, taps: w.Taps(out[:last], kernelSize),
		in: Box{Y1: w.From[axes-1], X1: w.From[axes]}, out: Box{Y1: out[last], X1: out[last+1]},
		Plane: kernel.Conv{In: w.From[0] * depth, Out: k, KH: kernelSize[last], KW: kernelSize[last+1], StrideY: w.Stride[last], StrideX: w.Stride[last+1],
			DilY: w.Dilation[last], DilX: w.Dilation[last+1], PadTop: w.Pads[last], PadLeft: w.Pads[last+1], Groups: groups}}
}

// chunk is how many planes of the output are computed at once, so that what
// stands one above the other stays within some megabytes.
func (p *Planewise) chunk() (count, depth int) {
	depth = p.Plane.In / p.maps
	const floats = 4 << 20
	return max(1, min(len(p.taps)/depth, floats/max(1, p.Plane.In*p.in.Area()+p.Plane.Out*p.out.Area()))), depth
}

// Forward computes the convolution of one image by filters of Plane packed for ConvForward.
func (p *Planewise) Forward(k *kernel.Engine, f *kernel.Filters, ep kernel.Epilogue, dst, src []float32) {
	count, depth := p.chunk()
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
func (p *Planewise) Data(k *kernel.Engine, f *kernel.Filters, dx, dy []float32) {
	count, depth := p.chunk()
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
