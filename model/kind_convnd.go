package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// ConvND is Conv over two axes of space or more, such as those of a volume.
type ConvND struct {
	Weight *tensor.Tensor // [K, C/Groups, sizes of the window...]
	Bias   []float32      // [K] or nil
	WindowND
	Groups int
}

// Kind is the layer's name.
func (*ConvND) Kind() string { return "ConvND" }

func (l *ConvND) slots() []slot {
	return append([]slot{trained("weight", &l.Weight), optional(trained("bias", &l.Bias)), attribute("groups", &l.Groups)}, l.WindowND.slots()...)
}

// Dims are those of the output for one image.
func (l *ConvND) Dims() ([]int, error) {
	out, err := l.Counts(l.Weight.Shape[2:], false)
	return append([]int{l.Weight.Shape[0]}, out...), err
}

func (l *ConvND) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if l.Weight == nil || len(l.Weight.Shape) < 4 {
		return s, fmt.Errorf("weights are not [out, in, sizes of the window...]")
	}
	w := l.Weight.Shape
	if err := l.check(s, w[2:]); err != nil {
		return s, err
	}
	if _, err := arrayLen(w); err != nil {
		return s, fmt.Errorf("weights: %w", err)
	}
	switch {
	case l.Groups < 1 || w[0]%l.Groups != 0:
		return s, fmt.Errorf("%d groups of %d outputs", l.Groups, w[0])
	case !fits(w[1], l.Groups) || w[1]*l.Groups != l.From[0]:
		return s, fmt.Errorf("weights are %v in %d groups, the input has %d channels", w, l.Groups, l.From[0])
	case l.Bias != nil && len(l.Bias) != w[0]:
		return s, fmt.Errorf("bias has %d values, want %d", len(l.Bias), w[0])
	}
	dims, err := l.Dims()
	if err != nil {
		return s, err
	}
	if err := fewTaps(dims[1:len(dims)-2], w[2:len(w)-2]); err != nil {
		return s, err
	}
	return arrayShape(dims)
}

func (*ConvND) inputs() int         { return 1 }
func (*ConvND) reach(_ Shape) reach { return everywhere }
func (l *ConvND) macs(_ Shape, out Shape) int64 {
	return int64(out.H*out.W) * int64(l.Weight.Len())
}
func (l *ConvND) text() string {
	s := l.settings(l.Weight.Shape[2:])
	if l.Groups > 1 {
		s += fmt.Sprintf(", groups %d", l.Groups)
	}
	return s
}

// planes is the layer as the kernels see it.
func (l *ConvND) planes() *kernel.Planewise {
	out, _ := l.Counts(l.Weight.Shape[2:], false)
	return l.planewise(l.Weight.Shape[2:], out, l.Weight.Shape[0], l.Groups)
}

func (l *ConvND) forward(c *call) error {
	p, in, out := l.planes(), c.ins[0].Len(), c.out.Len()
	for i := range c.n {
		p.Forward(c.k, c.step.filters, c.step.epilogue, c.dst[i*out:(i+1)*out], c.srcs[0][i*in:(i+1)*in])
	}
	return nil
}

func (l *ConvND) prepare(s *step) {
	s.filters, s.epilogue.Bias = kernel.PackForward(l.planes().Plane, l.Weight.Data), l.Bias
}

func (l *ConvND) drawn(b *builder, _ []Shape, _ int) (Layer, error) {
	s := l.Weight.Shape
	depth := 1
	for _, n := range s[1:] {
		depth *= n
	}
	out := *l
	out.Weight, out.Bias = b.normal(he(depth), s...), zeros(l.Bias, len(l.Bias))
	return &out, nil
}
