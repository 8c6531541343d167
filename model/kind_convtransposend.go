package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// ConvTransposeND is ConvTranspose over two axes of space or more.
type ConvTransposeND struct {
	Weight *tensor.Tensor // [C, K/Groups, sizes of the window...]
	Bias   []float32      // [K] or nil
	WindowND
	OutPad []int
	Groups int
}

// Kind is the layer's name.
func (*ConvTransposeND) Kind() string { return "ConvTransposeND" }

func (l *ConvTransposeND) slots() []slot {
	return append([]slot{trained("weight", &l.Weight), optional(trained("bias", &l.Bias)), attribute("output_pad", &l.OutPad),
		attribute("groups", &l.Groups)}, l.WindowND.slots()...)
}

// Dims are those of the output for one image.
func (l *ConvTransposeND) Dims() ([]int, error) {
	w, axes := l.Weight.Shape, len(l.From)-1
	out := []int{w[1] * l.Groups}
	for a := range axes {
		all := []int{w[a+2], l.Stride[a], l.Dilation[a], l.Pads[a], l.Pads[a+axes], l.OutPad[a]}
		if slices.Min(all[:3]) < 1 || slices.Min(all[3:]) < 0 || slices.Max(all) > 1<<20 {
			return nil, fmt.Errorf("kernel %d, stride %d, dilation %d, pads %d and %d, output padding %d", all[0], all[1], all[2], all[3], all[4], all[5])
		}
		n := (l.From[a+1]-1)*l.Stride[a] + (w[a+2]-1)*l.Dilation[a] + 1 - l.Pads[a] - l.Pads[a+axes] + l.OutPad[a]
		if n < 1 {
			return nil, fmt.Errorf("the output of %v would have size %d along axis %d", l.From, n, a+1)
		}
		out = append(out, n)
	}
	return out, nil
}

func (l *ConvTransposeND) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if l.Weight == nil || len(l.Weight.Shape) < 4 {
		return s, fmt.Errorf("weights are not [in, out, sizes of the window...]")
	}
	w := l.Weight.Shape
	if err := l.check(s, w[2:]); err != nil {
		return s, err
	}
	if _, err := arrayLen(w); err != nil {
		return s, fmt.Errorf("weights: %w", err)
	}
	switch {
	case l.Groups < 1 || w[0]%l.Groups != 0 || w[0] != l.From[0]:
		return s, fmt.Errorf("weights are %v in %d groups, the input has %d channels", w, l.Groups, l.From[0])
	case !fits(w[1], l.Groups):
		return s, fmt.Errorf("weights are %v in %d groups", w, l.Groups)
	case l.Bias != nil && len(l.Bias) != w[1]*l.Groups:
		return s, fmt.Errorf("bias has %d values, want %d", len(l.Bias), w[1]*l.Groups)
	case len(l.OutPad) != len(l.From)-1:
		return s, fmt.Errorf("output padding %v for %d axes", l.OutPad, len(l.From)-1)
	}
	dims, err := l.Dims()
	if err != nil {
		return s, err
	}
	if err := fewTaps(l.From[1:len(l.From)-2], w[2:len(w)-2]); err != nil {
		return s, err
	}
	return arrayShape(dims)
}

func (*ConvTransposeND) inputs() int         { return 1 }
func (*ConvTransposeND) reach(_ Shape) reach { return everywhere }
func (l *ConvTransposeND) macs(in Shape, _ Shape) int64 {
	return int64(in.H*in.W) * int64(l.Weight.Len())
}
func (l *ConvTransposeND) text() string {
	s := l.settings(l.Weight.Shape[2:])
	if slices.Max(l.OutPad) > 0 {
		s += ", output padding " + times(l.OutPad)
	}
	if l.Groups > 1 {
		s += fmt.Sprintf(", groups %d", l.Groups)
	}
	return s
}

// planes is the convolution that the layer is the transpose of.
func (l *ConvTransposeND) planes() *kernel.Planewise {
	w := l.Weight.Shape
	dims, _ := l.Dims()
	back := WindowND{From: dims, Stride: l.Stride, Dilation: l.Dilation, Pads: l.Pads}
	return back.planewise(w[2:], l.From[1:], w[0], l.Groups)
}

func (l *ConvTransposeND) forward(c *call) error {
	p, in, out := l.planes(), c.ins[0].Len(), c.out.Len()
	for i := range c.n {
		dst := c.dst[i*out : (i+1)*out]
		p.Data(c.k, c.step.filters, dst, c.srcs[0][i*in:(i+1)*in])
		for j := range dst {
			if l.Bias != nil {
				dst[j] += l.Bias[j/(out/len(l.Bias))]
			}
		}
	}
	return nil
}

func (l *ConvTransposeND) prepare(s *step) {
	s.filters = kernel.PackData(l.planes().Plane, l.Weight.Data)
}

func (l *ConvTransposeND) drawn(b *builder, _ []Shape, _ int) (Layer, error) {
	s := l.Weight.Shape
	depth := s[0] / l.Groups
	for _, n := range s[2:] {
		depth *= n
	}
	out := *l
	out.Weight, out.Bias = b.normal(he(depth), s...), zeros(l.Bias, len(l.Bias))
	return &out, nil
}
