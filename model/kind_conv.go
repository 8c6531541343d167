package model

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Conv is a cross-correlation, as ONNX and every training framework has it:
// out[k][y][x] = Bias[k] + sum_{c,r,s} Weight[k][c][r][s] * in[c][y*Stride+r*Dilation-top][...].
type Conv struct {
	Weight   *tensor.Tensor // [K, C/Groups, R, S]
	Bias     []float32      // [K] or nil
	Stride   [2]int
	Dilation [2]int
	Pads     [4]int
	Groups   int
}

// Kind is the layer's name.
func (*Conv) Kind() string { return "Conv" }

func (l *Conv) slots() []slot {
	return []slot{
		trained("weight", &l.Weight), optional(trained("bias", &l.Bias)),
		attribute("stride", &l.Stride), attribute("dilation", &l.Dilation), attribute("pads", &l.Pads), attribute("groups", &l.Groups)}
}

func (l *Conv) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if err := l.check(s); err != nil {
		return Shape{}, err
	}
	h, err := windowCount(s.H, l.Weight.Shape[2], l.Stride[0], l.Dilation[0], l.Pads[0], l.Pads[2], false)
	if err != nil {
		return Shape{}, err
	}
	w, err := windowCount(s.W, l.Weight.Shape[3], l.Stride[1], l.Dilation[1], l.Pads[1], l.Pads[3], false)
	return Shape{C: l.Weight.Shape[0], H: h, W: w}, err
}

func (*Conv) inputs() int                     { return 1 }
func (l *Conv) reach(_ Shape) reach           { return windows(l.geometry()) }
func (l *Conv) macs(_ Shape, out Shape) int64 { return int64(out.H*out.W) * int64(l.Weight.Len()) }
func (l *Conv) text() string {
	s := window([2]int{l.Weight.Shape[2], l.Weight.Shape[3]}, l.Stride, l.Dilation, l.Pads)
	if l.Groups > 1 {
		s += fmt.Sprintf(", groups %d", l.Groups)
	}
	return s
}

func (*Conv) forward(c *call) error {
	s, in := c.step, c.ins[0]
	if s.Pool != nil {
		c.k.ConvMaxPool(s.filters, c.n, c.dst, c.out.Box(), s.Pool.Layer.(*Pool).geometry(), s.mid.H, s.mid.W, c.srcs[0], in.Box(), s.epilogue)
		return nil
	}
	c.k.ConvForward(s.filters, c.n, c.dst, c.out.Box(), c.srcs[0], in.Box(), s.epilogue)
	return nil
}

// prepare packs the weights, with the batch normalisation behind them if the step
// has one.
func (l *Conv) prepare(s *step) {
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
	s.filters = pack(l.geometry(), weight)
	s.filters.For(s.batch)
}

func (l *Conv) drawn(b *builder, ins []Shape, maps int) (Layer, error) {
	s := l.Weight.Shape
	if maps == 0 {
		maps = s[0]
	}
	depth := s[1]
	if l.Groups == 1 {
		depth = ins[0].C
	}
	out := *l
	out.Weight, out.Bias = b.normal(he(depth*s[2]*s[3]), maps, depth, s[2], s[3]), zeros(l.Bias, maps)
	return &out, nil
}

func (l *Conv) check(s Shape) error {
	if l.Weight == nil || len(l.Weight.Shape) != 4 {
		return fmt.Errorf("weights are not [out, in, rows, columns]")
	}
	k, c := l.Weight.Shape[0], l.Weight.Shape[1]
	switch {
	case s.Flat:
		return fmt.Errorf("input is a vector of %d, want maps", s.C)
	case k < 1 || c < 1 || l.Weight.Shape[2] < 1 || l.Weight.Shape[3] < 1:
		return fmt.Errorf("weights are %v", l.Weight.Shape)
	case l.Groups < 1 || k%l.Groups != 0:
		return fmt.Errorf("%d groups of %d outputs", l.Groups, k)
	case c*l.Groups != s.C:
		return fmt.Errorf("weights are %v in %d groups, the input has %d channels", l.Weight.Shape, l.Groups, s.C)
	case l.Bias != nil && len(l.Bias) != k:
		return fmt.Errorf("bias has %d values, want %d", len(l.Bias), k)
	}
	return nil
}

func (l *Conv) geometry() kernel.Conv {
	return kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups)
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
