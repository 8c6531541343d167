package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Dense is a fully connected layer: out = Weight·in + Bias.
type Dense struct {
	Weight *tensor.Tensor // [out, in]
	Bias   []float32      // [out] or nil
}

// Kind is the layer's name.
func (*Dense) Kind() string { return "Dense" }

func (l *Dense) slots() []slot {
	return []slot{trained("weight", &l.Weight), optional(trained("bias", &l.Bias))}
}

func (l *Dense) shape(ins []Shape) (Shape, error) {
	s := ins[0]
	if l.Weight == nil || len(l.Weight.Shape) != 2 {
		return Shape{}, fmt.Errorf("weights are not [out, in]")
	}
	if !s.Flat {
		return Shape{}, fmt.Errorf("input is %v, want a vector: put a Flatten before it", s)
	}
	if s.C != l.Weight.Shape[1] {
		return Shape{}, fmt.Errorf("weights are %v, the input has %d values", l.Weight.Shape, s.C)
	}
	if l.Bias != nil && len(l.Bias) != l.Weight.Shape[0] {
		return Shape{}, fmt.Errorf("bias has %d values, want %d", len(l.Bias), l.Weight.Shape[0])
	}
	return Shape{C: l.Weight.Shape[0], H: 1, W: 1, Flat: true}, nil
}

func (*Dense) inputs() int             { return 1 }
func (*Dense) reach(_ Shape) reach     { return everywhere }
func (l *Dense) macs(_, _ Shape) int64 { return int64(l.Weight.Len()) }
func (*Dense) text() string            { return "" }

func (l *Dense) forward(c *call) error {
	in, out := c.ins[0].C, c.out.C
	l.rows(c.k, func(from, to int, w []float32) {
		if to-from == out {
			c.k.DenseForward(c.n, in, out, c.dst, c.srcs[0], w, l.Bias)
			return
		}
		var bias []float32
		if l.Bias != nil {
			bias = l.Bias[from:to]
		}
		part := make([]float32, c.n*(to-from))
		c.k.DenseForward(c.n, in, to-from, part, c.srcs[0], w, bias)
		for i := range c.n {
			copy(c.dst[i*out+from:], part[i*(to-from):(i+1)*(to-from)])
		}
	})
	return nil
}

// unpackedAtOnce is how many packed weights are floats at a time.
const unpackedAtOnce = 1 << 20

// Rows calls do with the weights as floats, those of outputs from to to: of all, or of
// a few at a time if they are packed.
func (l *Dense) Rows(e *Engine, do func(from, to int, w []float32)) { l.rows(e.k, do) }

func (l *Dense) rows(k *kernel.Engine, do func(from, to int, w []float32)) {
	out, in := l.Weight.Shape[0], l.Weight.Shape[1]
	if l.Weight.Packed == nil {
		do(0, out, l.Weight.Data)
		return
	}
	rows := min(max(unpackedAtOnce/in/64, 1)*64, out)
	w := make([]float32, rows*in)
	for from := 0; from < out; from += rows {
		to := min(from+rows, out)
		k.For(to-from, func(i int) { l.Weight.Part((from+i)*in, (from+i+1)*in, w[i*in:]) })
		do(from, to, w[:(to-from)*in])
	}
}

// Down takes n signals at the outputs down to the inputs: dst [n][in] is g [n][out]
// times the weights.
func (l *Dense) Down(e *Engine, n int, dst, g []float32) {
	k := e.k
	out, in := l.Weight.Shape[0], l.Weight.Shape[1]
	if l.Weight.Packed == nil {
		k.DenseData(n, in, out, dst, g, l.Weight.Data)
		return
	}
	columns := min(max(unpackedAtOnce/out/64, 1)*64, in)
	w, part := make([]float32, out*columns), make([]float32, n*columns)
	for from := 0; from < in; from += columns {
		count := min(columns, in-from)
		k.For(out, func(j int) { l.Weight.Part(j*in+from, j*in+from+count, w[j*count:]) })
		k.DenseData(n, count, out, part[:n*count], g, w[:out*count])
		for i := range n {
			copy(dst[i*in+from:], part[i*count:(i+1)*count])
		}
	}
}

func (l *Dense) drawn(b *builder, ins []Shape, rows int) (Layer, error) {
	if rows == 0 {
		rows = l.Weight.Shape[0]
	}
	return &Dense{Weight: b.normal(he(ins[0].C), rows, ins[0].C), Bias: zeros(l.Bias, rows)}, nil
}
