package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// cells are the kinds of recurrent layers by name.
var cells = map[string]kernel.Cell{"rnn": kernel.RNN, "lstm": kernel.LSTM, "gru": kernel.GRU}

// Geometry returns the layer's sizes for an input of shape s.
func (l *Recurrent) Geometry(s Shape) (kernel.Recurrent, error) {
	cell, ok := cells[l.Cell]
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

// Weights are the layer's arrays as the kernel takes them.
func (l *Recurrent) Weights() kernel.RecurrentWeights {
	return kernel.RecurrentWeights{WX: l.WeightX.Data, WH: l.WeightH.Data, BX: l.BiasX, BH: l.BiasH}
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
		b.err = fmt.Errorf("model: %d recurrent units, want at most %d", units, 1<<14)
		return
	}
	gates, in := cells[cell].Gates(), b.shape.W
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
					dot += float64(v) * float64(row[k])
				}
				for k, v := range other {
					row[k] -= float32(dot * float64(v))
				}
			}
		}
		norm := 0.0
		for _, v := range row {
			norm += float64(v) * float64(v)
		}
		scale := float32(1 / math.Sqrt(max(norm, 1e-30)))
		for k := range row {
			row[k] *= scale
		}
	}
}
