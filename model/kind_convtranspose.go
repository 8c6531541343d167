package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// ConvTranspose is the transpose of a convolution (its data gradient): every
// input value adds its multiple of the filter to the output. The output has
// (in-1)*Stride + (kernel-1)*Dilation + 1 - pads + OutPad rows and columns.
type ConvTranspose struct {
	Weight   *tensor.Tensor // [C, K/Groups, R, S]
	Bias     []float32      // [K] or nil
	Stride   [2]int
	Dilation [2]int
	Pads     [4]int
	OutPad   [2]int
	Groups   int
}

// Kind is the layer's name.
func (*ConvTranspose) Kind() string { return "ConvTranspose" }

func (l *ConvTranspose) slots() []slot {
	return []slot{
		trained("weight", &l.Weight), optional(trained("bias", &l.Bias)), attribute("stride", &l.Stride), attribute("dilation", &l.Dilation),
		attribute("pads", &l.Pads), attribute("output_pad", &l.OutPad), attribute("groups", &l.Groups)}
}

func (l *ConvTranspose) shape(ins []Shape) (Shape, error) { return l.outShape(ins[0]) }

func (*ConvTranspose) inputs() int           { return 1 }
func (l *ConvTranspose) reach(_ Shape) reach { return transposedWindows(l.geometry()) }
func (l *ConvTranspose) macs(in Shape, _ Shape) int64 {
	return int64(in.H*in.W) * int64(l.Weight.Len())
}
func (l *ConvTranspose) text() string {
	s := window([2]int{l.Weight.Shape[2], l.Weight.Shape[3]}, l.Stride, l.Dilation, l.Pads)
	if l.OutPad != [2]int{} {
		s += fmt.Sprintf(", output padding %dx%d", l.OutPad[0], l.OutPad[1])
	}
	if l.Groups > 1 {
		s += fmt.Sprintf(", groups %d", l.Groups)
	}
	return s
}

func (l *ConvTranspose) forward(c *call) error {
	c.k.ConvData(c.step.filters, c.n, c.dst, c.out.Box(), c.srcs[0], c.ins[0].Box())
	if l.Bias == nil {
		return nil
	}
	plane := c.out.H * c.out.W
	for i := range c.dst {
		c.dst[i] += l.Bias[i/plane%c.out.C]
	}
	return nil
}

func (l *ConvTranspose) prepare(s *step) { s.filters = kernel.PackData(l.geometry(), l.Weight.Data) }

func (l *ConvTranspose) drawn(b *builder, _ []Shape, _ int) (Layer, error) {
	s := l.Weight.Shape
	out := *l
	out.Weight, out.Bias = b.normal(he(s[0]/l.Groups*s[2]*s[3]), s...), zeros(l.Bias, len(l.Bias))
	return &out, nil
}

func (l *ConvTranspose) outShape(s Shape) (Shape, error) {
	if l.Weight == nil || len(l.Weight.Shape) != 4 {
		return s, fmt.Errorf("weights are not [in, out, rows, columns]")
	}
	w := l.Weight.Shape
	switch {
	case s.Flat:
		return s, fmt.Errorf("input is a vector of %d, want maps", s.C)
	case slices.Min(w) < 1 || l.Groups < 1 || w[0]%l.Groups != 0 || w[0] != s.C:
		return s, fmt.Errorf("weights are %v in %d groups, the input has %d channels", w, l.Groups, s.C)
	case !fits(w[1], l.Groups):
		return s, fmt.Errorf("weights are %v in %d groups", w, l.Groups)
	case l.Bias != nil && len(l.Bias) != w[1]*l.Groups:
		return s, fmt.Errorf("bias has %d values, want %d", len(l.Bias), w[1]*l.Groups)
	}
	out := Shape{C: w[1] * l.Groups}
	for a, size := range [2]int{s.H, s.W} {
		if min(l.Stride[a], l.Dilation[a]) < 1 || min(l.Pads[a], l.Pads[a+2], l.OutPad[a]) < 0 ||
			max(w[a+2], l.Stride[a], l.Dilation[a], l.Pads[a], l.Pads[a+2], l.OutPad[a]) > 1<<20 {
			return s, fmt.Errorf("kernel %d, stride %d, dilation %d, pads %d and %d, output padding %d",
				w[a+2], l.Stride[a], l.Dilation[a], l.Pads[a], l.Pads[a+2], l.OutPad[a])
		}
		n := (size-1)*l.Stride[a] + (w[a+2]-1)*l.Dilation[a] + 1 - l.Pads[a] - l.Pads[a+2] + l.OutPad[a]
		if n < 1 {
			return s, fmt.Errorf("the output of %v would have %d rows or columns", s, n)
		}
		if a == 0 {
			out.H = n
		} else {
			out.W = n
		}
	}
	return out, nil
}

func (l *ConvTranspose) geometry() kernel.Conv {
	return kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups)
}
