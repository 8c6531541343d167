package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// ConvTranspose is the transpose of a convolution (its data gradient), over maps or,
// if From is set, over more axes of space: every input value adds its multiple of the
// filter to the output. The output has (in-1)*Stride + (kernel-1)*Dilation + 1 - pads +
// OutPad rows and columns.
type ConvTranspose struct {
	Weight           *tensor.Tensor // [C, K/Groups, sizes of the window...]
	Bias             []float32      // [K] or nil
	Stride, Dilation []int          // along each axis of space; nil: 1
	Pads             []int          // before all axes, then behind; nil: none
	OutPad           []int          // along each axis of space; nil: none
	From             []int          // dims of the input; nil: maps
	Groups           int
}

// Kind is the layer's name.
func (*ConvTranspose) Kind() string { return "ConvTranspose" }

func (l *ConvTranspose) slots() []slot {
	axes := spaceAxes(l.Weight)
	return []slot{
		trained("weight", &l.Weight), optional(trained("bias", &l.Bias)),
		repeated("stride", &l.Stride, 1, axes), repeated("dilation", &l.Dilation, 1, axes), repeated("pads", &l.Pads, 0, 2*axes),
		repeated("output_pad", &l.OutPad, 0, axes), attribute("groups", &l.Groups), attribute("from", &l.From)}
}

// Maps reports whether it goes over maps.
func (l *ConvTranspose) Maps() bool { return l.From == nil }

// Window is how the convolution that it is the transpose of walks over its output,
// for an input of shape in.
func (l *ConvTranspose) Window(in Shape) (WindowND, error) {
	w := l.window(in)
	out, err := l.dims(in)
	w.From = out
	return w, err
}

// window has the dims of the input.
func (l *ConvTranspose) window(in Shape) WindowND {
	return windowOf(in, l.From, l.Stride, l.Dilation, l.Pads, spaceAxes(l.Weight))
}

// Out is the output padding along each axis.
func (l *ConvTranspose) Out() []int { return orRepeat(l.OutPad, 0, spaceAxes(l.Weight)) }

// Dims are those of the output for one image, nil if it is maps.
func (l *ConvTranspose) Dims() ([]int, error) {
	if l.Maps() {
		return nil, nil
	}
	return l.dims(Shape{})
}

func (l *ConvTranspose) dims(in Shape) ([]int, error) {
	s, w, more := l.window(in), l.Weight.Shape, l.Out()
	axes := len(w) - 2
	out := []int{w[1] * l.Groups}
	for a := range axes {
		all := []int{w[a+2], s.Stride[a], s.Dilation[a], s.Pads[a], s.Pads[a+axes], more[a]}
		if slices.Min(all[:3]) < 1 || slices.Min(all[3:]) < 0 || slices.Max(all) > 1<<20 {
			return nil, fmt.Errorf("kernel %d, stride %d, dilation %d, pads %d and %d, output padding %d", all[0], all[1], all[2], all[3], all[4], all[5])
		}
		n := (s.From[a+1]-1)*s.Stride[a] + (w[a+2]-1)*s.Dilation[a] + 1 - s.Pads[a] - s.Pads[a+axes] + more[a]
		if n < 1 {
			return nil, fmt.Errorf("the output of %v would have size %d along axis %d", s.From, n, a+1)
		}
		out = append(out, n)
	}
	return out, nil
}

func (l *ConvTranspose) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	from := l.window(s)
	if err := checkFilters("in, out", l.Weight, s, l.From, from); err != nil {
		return s, err
	}
	w := l.Weight.Shape
	switch {
	case l.Groups < 1 || w[0]%l.Groups != 0 || w[0] != from.From[0]:
		return s, fmt.Errorf("weights are %v in %d groups, the input has %d channels", w, l.Groups, from.From[0])
	case !fits(w[1], l.Groups):
		return s, fmt.Errorf("weights are %v in %d groups", w, l.Groups)
	case l.Bias != nil && len(l.Bias) != w[1]*l.Groups:
		return s, fmt.Errorf("bias has %d values, want %d", len(l.Bias), w[1]*l.Groups)
	case len(l.Out()) != len(w)-2:
		return s, fmt.Errorf("output padding %v for %d axes", l.OutPad, len(w)-2)
	}
	dims, err := l.dims(s)
	if err != nil {
		return s, err
	}
	if err := fewTaps(from.From[1:len(w)-3], w[2:len(w)-2]); err != nil {
		return s, err
	}
	return arrayShape(dims)
}

func (*ConvTranspose) inputs() int { return 1 }
func (l *ConvTranspose) reach(_ Shape) reach {
	if l.Maps() {
		return transposedWindows(l.geometry())
	}
	return everywhere
}
func (l *ConvTranspose) macs(in Shape, _ Shape) int64 {
	return int64(in.H*in.W) * int64(l.Weight.Len())
}
func (l *ConvTranspose) text() string {
	w := l.window(Shape{})
	s := w.settings(l.Weight.Shape[2:], l.Maps())
	if more := l.Out(); slices.Max(more) > 0 {
		s += ", output padding " + times(more)
	}
	return s + groupsText(l.Groups)
}

func (l *ConvTranspose) forward(c *call) error {
	if l.Maps() {
		c.k.ConvData(c.step.filters, c.n, c.dst, c.out.Box(), c.srcs[0], c.ins[0].Box())
	} else {
		p, in, out := l.planes(), c.ins[0].Len(), c.out.Len()
		for i := range c.n {
			p.Data(c.k, c.step.filters, c.dst[i*out:(i+1)*out], c.srcs[0][i*in:(i+1)*in])
		}
	}
	if l.Bias == nil {
		return nil
	}
	each := c.out.Len() / len(l.Bias)
	for i := range c.dst {
		c.dst[i] += l.Bias[i/each%len(l.Bias)]
	}
	return nil
}

func (l *ConvTranspose) prepare(s *step) {
	geo := l.geometry
	if !l.Maps() {
		geo = func() kernel.Conv { return l.planes().Plane }
	}
	s.filters = kernel.PackData(geo(), l.Weight.Floats())
}

func (l *ConvTranspose) drawn(b *builder, _ []Shape, _ int) (Layer, error) {
	s := l.Weight.Shape
	out := *l
	out.Weight, out.Bias = b.normal(he(s[0]/l.Groups*size(s[2:])), s...), zeros(l.Bias, len(l.Bias))
	return &out, nil
}

// geometry is the convolution of maps that the layer is the transpose of, planes that
// over more axes.
func (l *ConvTranspose) geometry() kernel.Conv {
	return kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups)
}

func (l *ConvTranspose) planes() *kernel.Planewise {
	back, _ := l.Window(Shape{})
	return back.planewise(l.Weight.Shape, l.From[1:], l.Groups)
}
