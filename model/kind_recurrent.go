package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Recurrent reads its input, one channel of T rows of F values, as a sequence
// of T vectors, and gives its hidden state after the last. Cell is "rnn",
// "lstm" or "gru"; the equations are PyTorch's, the gates in its order: i, f, g, o of an LSTM, r, z, n of a GRU.
type Recurrent struct {
	Cell    string
	WeightX *tensor.Tensor // [gates*hidden, F]
	WeightH *tensor.Tensor // [gates*hidden, hidden]
	BiasX   []float32      // [gates*hidden]
	BiasH   []float32      // [gates*hidden]
}

// Kind is the layer's name.
func (*Recurrent) Kind() string { return "Recurrent" }

func (l *Recurrent) slots() []slot {
	return []slot{
		attribute("cell", &l.Cell),
		trained("weight_x", &l.WeightX).torch("weight_ih_l0"), trained("weight_h", &l.WeightH).torch("weight_hh_l0"),
		trained("bias_x", &l.BiasX).torch("bias_ih_l0"), trained("bias_h", &l.BiasH).torch("bias_hh_l0")}
}

func (l *Recurrent) shape(ins []Shape) (Shape, error) {
	geo, err := l.geometry(ins[0])
	return Shape{C: geo.Hidden, H: 1, W: 1, Flat: true}, err
}

func (*Recurrent) inputs() int         { return 1 }
func (*Recurrent) reach(_ Shape) reach { return everywhere }
func (l *Recurrent) macs(in Shape, _ Shape) int64 {
	return int64(in.H) * int64(l.WeightX.Len()+l.WeightH.Len())
}
func (l *Recurrent) text() string { return fmt.Sprintf("%s, %d units", l.Cell, l.WeightH.Shape[1]) }

func (l *Recurrent) forward(c *call) error {
	geo, err := l.geometry(c.ins[0])
	if err != nil {
		return err
	}
	var s kernel.Recurrence
	c.k.RecurrentForward(geo, c.n, &s, c.dst, c.srcs[0], kernel.RecurrentWeights{WX: l.WeightX.Data, WH: l.WeightH.Data, BX: l.BiasX, BH: l.BiasH})
	return nil
}

func (l *Recurrent) drawn(b *builder, _ []Shape, _ int) (Layer, error) {
	fresh := &builder{net: &Network{}, rng: b.rng, shape: Shape{C: 1, H: 1, W: l.WeightX.Shape[1]}}
	fresh.recurrent(l.Cell, l.WeightH.Shape[1])
	if fresh.err != nil {
		return nil, fresh.err
	}
	return fresh.net.Nodes[0].Layer, nil
}

// geometry returns the layer's sizes for an input of shape s.
func (l *Recurrent) geometry(s Shape) (kernel.Recurrent, error) {
	cell, ok := kernel.CellOf(l.Cell)
	if !ok {
		return kernel.Recurrent{}, fmt.Errorf("cell %q, want rnn, lstm or gru", l.Cell)
	}
	if s.Flat || s.C != 1 {
		return kernel.Recurrent{}, fmt.Errorf("input is %v, want one channel, whose rows are the steps", s)
	}
	if l.WeightX == nil || l.WeightH == nil || len(l.WeightX.Shape) != 2 || len(l.WeightH.Shape) != 2 {
		return kernel.Recurrent{}, fmt.Errorf("weights are not [gates*units, values] and [gates*units, units]")
	}
	hidden := l.WeightH.Shape[1]
	rows := cell.Gates() * hidden
	if hidden < 1 || !slices.Equal(l.WeightX.Shape, []int{rows, s.W}) || l.WeightH.Shape[0] != rows || len(l.BiasX) != rows || len(l.BiasH) != rows {
		return kernel.Recurrent{}, fmt.Errorf("weights are %v and %v with %d and %d biases, want %v and %v with %d each",
			l.WeightX.Shape, l.WeightH.Shape, len(l.BiasX), len(l.BiasH), []int{rows, s.W}, []int{rows, hidden}, rows)
	}
	return kernel.Recurrent{Cell: cell, Steps: s.H, In: s.W, Hidden: hidden}, nil
}

// recurrent adds a recurrent layer: input weights by Glorot and Bengio, uniform
// in +-sqrt(6/(in+out)) of each gate; hidden weights orthogonal in each gate,
// which neither blows up nor forgets over the steps; biases 0, but 1 at an LSTM's
// forget gate, so that it starts by remembering.
func (b *builder) recurrent(cell string, units int) {
	if b.err != nil {
		return
	}
	if units > 1<<14 {
		b.err = fmt.Errorf("%d recurrent units, want at most %d", units, 1<<14)
		return
	}
	kind, _ := kernel.CellOf(cell)
	gates, in := kind.Gates(), b.shape.W
	l := &Recurrent{Cell: cell, WeightX: b.normal(0, gates*units, in), WeightH: b.normal(1, gates*units, units),
		BiasX: make([]float32, gates*units), BiasH: make([]float32, gates*units)}
	limit := math.Sqrt(6 / float64(in+units))
	for i := range l.WeightX.Data {
		l.WeightX.Data[i] = float32((2*b.rng.Float64() - 1) * limit)
	}
	for g := range gates {
		orthonormal(l.WeightH.Data[g*units*units:(g+1)*units*units], units)
	}
	if cell == "lstm" {
		for i := range units {
			l.BiasX[units+i] = 1
		}
	}
	b.add(cell, l)
}

// orthonormal makes the n rows of w, [n][n], orthonormal (Gram and Schmidt).
func orthonormal(w []float32, n int) {
	for i := range n {
		row := w[i*n : (i+1)*n]
		for range 2 { // the second pass takes away what rounding left
			for j := range i {
				other := w[j*n : (j+1)*n]
				dot := 0.0
				for k, v := range other {
					dot += float64(float64(v) * float64(row[k]))
				}
				for k, v := range other {
					row[k] -= float32(dot * float64(v))
				}
			}
		}
		norm := 0.0
		for _, v := range row {
			norm += float64(float64(v) * float64(v))
		}
		scale := float32(1 / math.Sqrt(max(norm, 1e-30)))
		for k := range row {
			row[k] *= scale
		}
	}
}
