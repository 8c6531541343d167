package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Conv is a cross-correlation, as ONNX and every training framework has it:
// out[k][y][x] = Bias[k] + sum_{c,r,s} Weight[k][c][r][s] * in[c][y*Stride+r*Dilation-top][...],
// over maps or, if From is set, over more axes of space, such as those of a volume.
// The kernels compute maps as they are, of more axes plane by plane.
type Conv struct {
	Weight           *tensor.Tensor // [K, C/Groups, sizes of the window...]
	Bias             []float32      // [K] or nil
	Stride, Dilation []int          // along each axis of space; nil: 1
	Pads             []int          // before all axes, then behind; nil: none
	From             []int          // dims of the input; nil: maps
	Groups           int
}

// Kind is the layer's name.
func (*Conv) Kind() string { return "Conv" }

func (l *Conv) slots() []slot {
	axes := spaceAxes(l.Weight)
	return []slot{
		trained("weight", &l.Weight), optional(trained("bias", &l.Bias)),
		repeated("stride", &l.Stride, 1, axes), repeated("dilation", &l.Dilation, 1, axes), repeated("pads", &l.Pads, 0, 2*axes),
		attribute("groups", &l.Groups), attribute("from", &l.From)}
}

// Maps reports whether it goes over maps.
func (l *Conv) Maps() bool { return l.From == nil }

// ConvOfMaps is a layer if it is a convolution of maps, else nil.
func ConvOfMaps(l Layer) *Conv {
	if c, ok := l.(*Conv); ok && c.Maps() {
		return c
	}
	return nil
}

// Window is how it walks over an input of shape in.
func (l *Conv) Window(in Shape) WindowND {
	return windowOf(in, l.From, l.Stride, l.Dilation, l.Pads, spaceAxes(l.Weight))
}

// Dims are those of the output for one image, nil if it is maps.
func (l *Conv) Dims() ([]int, error) {
	if l.Maps() {
		return nil, nil
	}
	return l.dims(Shape{})
}

func (l *Conv) dims(in Shape) ([]int, error) {
	w := l.Window(in)
	out, err := w.Counts(l.Weight.Shape[2:], false)
	return append([]int{l.Weight.Shape[0]}, out...), err
}

func (l *Conv) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if err := checkFilters("out, in", l.Weight, s, l.From, l.Window(s)); err != nil {
		return Shape{}, err
	}
	w := l.Weight.Shape
	maps := l.Window(s).From[0]
	switch {
	case l.Groups < 1 || w[0]%l.Groups != 0:
		return s, fmt.Errorf("%d groups of %d outputs", l.Groups, w[0])
	case !fits(w[1], l.Groups) || w[1]*l.Groups != maps:
		return s, fmt.Errorf("weights are %v in %d groups, the input has %d channels", w, l.Groups, maps)
	case l.Bias != nil && len(l.Bias) != w[0]:
		return s, fmt.Errorf("bias has %d values, want %d", len(l.Bias), w[0])
	}
	dims, err := l.dims(s)
	if err != nil {
		return s, err
	}
	if err := fewTaps(dims[1:len(dims)-2], w[2:len(w)-2]); err != nil {
		return s, err
	}
	return arrayShape(dims)
}

func (*Conv) inputs() int { return 1 }
func (l *Conv) reach(_ Shape) reach {
	if l.Maps() {
		return windows(l.geometry())
	}
	return everywhere
}
func (l *Conv) macs(_ Shape, out Shape) int64 { return int64(out.H*out.W) * int64(l.Weight.Len()) }
func (l *Conv) text() string {
	w := l.Window(Shape{})
	return w.settings(l.Weight.Shape[2:], l.Maps()) + groupsText(l.Groups)
}

func (l *Conv) forward(c *call) error {
	s, in := c.step, c.ins[0]
	switch {
	case !l.Maps():
		p, from, to := l.planes(), in.Len(), c.out.Len()
		for i := range c.n {
			p.Forward(c.k, s.filters, s.epilogue, c.dst[i*to:(i+1)*to], c.srcs[0][i*from:(i+1)*from])
		}
	case s.Pool != nil:
		c.k.ConvMaxPool(s.filters, c.n, c.dst, c.out.Box(), s.Pool.Layer.(*Pool).geometry(), s.mid.H, s.mid.W, c.srcs[0], in.Box(), s.epilogue)
	default:
		c.k.ConvForward(s.filters, c.n, c.dst, c.out.Box(), c.srcs[0], in.Box(), s.epilogue)
	}
	return nil
}

// prepare packs the weights, with the batch normalisation behind them if the step
// has one.
func (l *Conv) prepare(s *step) {
	if !l.Maps() {
		s.filters, s.epilogue.Bias = kernel.PackForward(l.planes().Plane, l.Weight.Floats()), l.Bias
		return
	}
	weight, bias := s.Weights()
	s.epilogue.Bias = bias
	if s.Act != nil {
		switch act := s.Act.Layer.(type) {
		case *ReLU:
			s.epilogue.ReLU = true
		case *Clip:
			act.prepare(s)
		case *Unary:
			f, _ := act.function()
			s.epilogue.Func = &f
		}
	}
	pack := kernel.PackForward
	if s.fast {
		pack = kernel.PackForwardFast
	}
	if s.filters == nil { // else another plan has them, and may be running
		g := l.geometry()
		if out, err := l.shape(s.shapes); err == nil {
			g.Places = out.H * out.W
		}
		s.filters = pack(g, weight)
		s.filters.For(s.batch)
	}
}

func (l *Conv) drawn(b *builder, ins []Shape, maps int) (Layer, error) {
	shape := slices.Clone(l.Weight.Shape)
	if maps > 0 && l.Maps() {
		shape[0] = maps
	}
	if l.Groups == 1 && l.Maps() {
		shape[1] = ins[0].C
	}
	out := *l
	out.Weight, out.Bias = b.normal(he(size(shape[1:])), shape...), zeros(l.Bias, shape[0])
	return &out, nil
}

// geometry is the layer over maps as the kernels see it, planes that over more axes.
func (l *Conv) geometry() kernel.Conv {
	return kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups)
}

func (l *Conv) planes() *kernel.Planewise {
	w := l.Window(Shape{})
	out, _ := w.Counts(l.Weight.Shape[2:], false)
	return w.planewise(l.Weight.Shape, out, l.Groups)
}

// foldBatchNorm returns weights and bias of the convolution followed by bn.
func foldBatchNorm(l *Conv, bn *BatchNorm) (weight, bias []float32) {
	scale, shift := bn.affine()
	weight, bias = l.Weight.Clone().Data, slices.Clone(shift)
	per := len(weight) / len(scale)
	for k, s := range scale {
		for i := range weight[k*per : (k+1)*per] {
			weight[k*per+i] *= s
		}
		if l.Bias != nil {
			bias[k] += float32(l.Bias[k] * s)
		}
	}
	return weight, bias
}
