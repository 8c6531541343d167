package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Recurrent reads its input as sequences of vectors. Of one channel of T rows of F
// values it gives its hidden state after the last, by the kernels; that can be trained.
// If From is set, of an array [steps, batch, values], it does all that ONNX has, in
// float64, and gives one vector: the hidden states [steps, directions, batch, hidden],
// the last of them [directions, batch, hidden] and, of an LSTM, the last cell state.
// The equations are PyTorch's, the gates in its order: i, f, g, o of an LSTM, r, z, n
// of a GRU.
type Recurrent struct {
	Cell    Cell
	WeightX *tensor.Tensor // [directions*gates*hidden, F]
	WeightH *tensor.Tensor // [directions*gates*hidden, hidden]
	BiasX   []float32      // [directions*gates*hidden]; of an array both biases may be nil
	BiasH   []float32
	From    []int // [steps, batch, values]; nil: rows
	// Of an array only:
	Direction   Direction
	Peepholes   *tensor.Tensor // LSTM's [directions, 3*hidden], of i, f, o; or nil
	H0, C0      *tensor.Tensor // [directions, batch, hidden] or nil
	Activations string         // names, separated by commas: those of each direction in turn, as ONNX lists them
	Alpha, Beta []float32      // of the activations; nil: as in ONNX
	Clip        float32        // of what goes into activations; 0: none
	InputForget bool           // LSTM: the input gate is 1 - the forget gate
	ResetState  bool           // GRU: the reset gate multiplies the state, not what the weights make of it
	Lengths     []int          // steps of each sequence of the batch; nil: all
}

// Cell is a kind of recurrent cell.
type Cell string

const (
	CellRNN  Cell = "rnn"
	CellLSTM Cell = "lstm"
	CellGRU  Cell = "gru"
)

// Direction is the way through a sequence.
type Direction string

const (
	Forward       Direction = ""
	Reverse       Direction = "reverse"
	Bidirectional Direction = "bidirectional"
)

// gates is how many gates a cell has, 0 if there is no such cell.
func (c Cell) gates() int { return map[Cell]int{CellRNN: 1, CellLSTM: 4, CellGRU: 3}[c] }

// Our gates in ONNX's order: i, o, f, c of an LSTM, z, r, h of a GRU, and i, o, f of peepholes.
var onnxGates = map[Cell][]int{CellRNN: {0}, CellLSTM: {0, 3, 1, 2}, CellGRU: {1, 0, 2}}

var onnxPeepholes = []int{0, 2, 1}

// ToONNX puts the gates' blocks of weights of one direction after the other in ONNX's
// order, FromONNX in ours.
func (c Cell) ToONNX(v []float32, directions int) []float32 {
	return blocks(v, directions, onnxGates[c])
}

// FromONNX undoes ToONNX.
func (c Cell) FromONNX(v []float32, directions int) []float32 {
	order := onnxGates[c]
	back := make([]int, len(order))
	for i, g := range order {
		back[g] = i
	}
	return blocks(v, directions, back)
}

// PeepholesONNX turns peepholes in our order of gates into ONNX's, and back.
func PeepholesONNX(p *tensor.Tensor) *tensor.Tensor {
	return tensor.From(blocks(p.Data, p.Shape[0], onnxPeepholes), p.Shape...)
}

// blocks puts the blocks that each of several parts has in another order.
func blocks(v []float32, parts int, order []int) []float32 {
	out := make([]float32, 0, len(v))
	part := len(v) / parts
	size := part / len(order)
	for d := range parts {
		for _, g := range order {
			out = append(out, v[d*part+g*size:d*part+(g+1)*size]...)
		}
	}
	return out
}

// SetONNX sets the weights from those of ONNX: W [directions, gates*hidden, values],
// R [directions, gates*hidden, hidden], B [directions, 2*gates*hidden] and P
// [directions, 3*hidden], the last two of which may be nil.
func (l *Recurrent) SetONNX(w, r, b, p *tensor.Tensor) error {
	d, gates := l.Directions(), l.Cell.gates()
	if gates == 0 || len(w.Shape) != 3 || len(r.Shape) != 3 {
		return fmt.Errorf("weights are %v and %v for cell %q", w.Shape, r.Shape, l.Cell)
	}
	h, values := r.Shape[2], w.Shape[2]
	rows := gates * h
	for _, t := range []struct {
		name string
		t    *tensor.Tensor
		want []int
	}{{"W", w, []int{d, rows, values}}, {"R", r, []int{d, rows, h}}, {"B", b, []int{d, 2 * rows}}, {"P", p, []int{d, 3 * h}}} {
		if t.t != nil && (h < 1 || !slices.Equal(t.t.Shape, t.want)) {
			return fmt.Errorf("%s is %v, want %v", t.name, t.t.Shape, t.want)
		}
	}
	l.WeightX = tensor.From(l.Cell.FromONNX(w.Data, d), d*rows, values)
	l.WeightH = tensor.From(l.Cell.FromONNX(r.Data, d), d*rows, h)
	for i := range d {
		if b != nil {
			l.BiasX = append(l.BiasX, l.Cell.FromONNX(b.Data[i*2*rows:][:rows], 1)...)
			l.BiasH = append(l.BiasH, l.Cell.FromONNX(b.Data[(i*2+1)*rows:][:rows], 1)...)
		}
	}
	if p != nil {
		l.Peepholes = PeepholesONNX(p)
	}
	return nil
}

// Kind is the layer's name.
func (*Recurrent) Kind() string { return "Recurrent" }

func (l *Recurrent) slots() []slot {
	return []slot{
		attribute("cell", (*string)(&l.Cell)),
		trained("weight_x", &l.WeightX).torch("weight_ih_l0"), trained("weight_h", &l.WeightH).torch("weight_hh_l0"),
		optional(trained("bias_x", &l.BiasX)).torch("bias_ih_l0"), optional(trained("bias_h", &l.BiasH)).torch("bias_hh_l0"),
		attribute("from", &l.From), unusual("direction", (*string)(&l.Direction)), optional(trained("peepholes", &l.Peepholes)),
		optional(fixed("h0", &l.H0)), optional(fixed("c0", &l.C0)), unusual("activations", &l.Activations),
		optional(fixed("alpha", &l.Alpha)), optional(fixed("beta", &l.Beta)), unusual("clip", &l.Clip),
		unusual("input_forget", &l.InputForget), unusual("reset_state", &l.ResetState), attribute("lengths", &l.Lengths)}
}

// Rows reports whether the sequences are rows of maps, and the last state comes out.
func (l *Recurrent) Rows() bool { return l.From == nil }

// Hidden is the size of the hidden state.
func (l *Recurrent) Hidden() int { return l.WeightH.Shape[1] }

// Directions is how many ways through a sequence there are.
func (l *Recurrent) Directions() int {
	if l.Direction == Bidirectional {
		return 2
	}
	return 1
}

func (l *Recurrent) shape(ins []Shape) (Shape, error) {
	if err := l.check(ins[0]); err != nil {
		return Shape{}, err
	}
	if l.Rows() {
		return Shape{C: l.Hidden(), H: 1, W: 1, Flat: true}, nil
	}
	states := l.From[0] + 1
	if l.Cell == CellLSTM {
		states++
	}
	return arrayShape([]int{l.Directions() * l.From[1] * l.Hidden() * states})
}

func (*Recurrent) inputs() int         { return 1 }
func (*Recurrent) reach(_ Shape) reach { return everywhere }
func (l *Recurrent) macs(in Shape, _ Shape) int64 {
	steps := in.H
	if !l.Rows() {
		steps = l.From[0] * l.From[1]
	}
	return int64(steps) * int64(l.WeightX.Len()+l.WeightH.Len())
}
func (l *Recurrent) text() string {
	s := fmt.Sprintf("%s, %d units", l.Cell, l.Hidden())
	if !l.Rows() {
		s += fmt.Sprintf(", %d steps", l.From[0])
	}
	if l.Direction != Forward {
		s += ", " + string(l.Direction)
	}
	return s
}

func (l *Recurrent) forward(c *call) error {
	if !l.Rows() {
		c.each(func(dst, src []float32) { l.run(dst, src) })
		return nil
	}
	cell, _ := kernel.CellOf(string(l.Cell))
	geo := kernel.Recurrent{Cell: cell, Steps: c.ins[0].H, In: c.ins[0].W, Hidden: l.Hidden()}
	var s kernel.Recurrence
	c.k.RecurrentForward(geo, c.n, &s, c.dst, c.srcs[0], kernel.RecurrentWeights{WX: l.WeightX.Data, WH: l.WeightH.Data, BX: l.BiasX, BH: l.BiasH})
	return nil
}

// drawn draws the weights of each direction as those of a layer that is to be trained.
func (l *Recurrent) drawn(b *builder, _ []Shape, _ int) (Layer, error) {
	out := *l
	out.WeightX, out.WeightH, out.BiasX, out.BiasH = tensor.New(l.WeightX.Shape...), tensor.New(l.WeightH.Shape...), nil, nil
	for d := range l.Directions() {
		fresh := &builder{net: &Network{}, rng: b.rng, shape: Shape{C: 1, H: 1, W: l.WeightX.Shape[1]}}
		fresh.recurrent(string(l.Cell), l.Hidden())
		if fresh.err != nil {
			return nil, fresh.err
		}
		one := fresh.net.Nodes[0].Layer.(*Recurrent)
		copy(out.WeightX.Data[d*len(one.WeightX.Data):], one.WeightX.Data)
		copy(out.WeightH.Data[d*len(one.WeightH.Data):], one.WeightH.Data)
		if l.BiasX != nil {
			out.BiasX = append(out.BiasX, one.BiasX...)
		}
		if l.BiasH != nil {
			out.BiasH = append(out.BiasH, one.BiasH...)
		}
	}
	if l.Peepholes != nil {
		out.Peepholes = tensor.New(l.Peepholes.Shape...)
	}
	return &out, nil
}

// check wants weights that fit to each other and to an input of shape s.
func (l *Recurrent) check(s Shape) error {
	gates, values := l.Cell.gates(), s.W
	if gates == 0 {
		return fmt.Errorf("cell %q, want rnn, lstm or gru", l.Cell)
	}
	switch {
	case !l.Rows() && len(l.From) != 3:
		return fmt.Errorf("an input of %v, want [steps, batch, values]", l.From)
	case !l.Rows():
		values = l.From[2]
		if err := holds(s, l.From); err != nil {
			return err
		}
	case s.Flat || s.C != 1:
		return fmt.Errorf("input is %v, want one channel, whose rows are the steps", s)
	}
	if l.WeightX == nil || l.WeightH == nil || len(l.WeightX.Shape) != 2 || len(l.WeightH.Shape) != 2 {
		return fmt.Errorf("weights are not [gates*units, values] and [gates*units, units]")
	}
	hidden := l.Hidden()
	if hidden < 1 || hidden > 1<<20 {
		return fmt.Errorf("hidden size %d", hidden)
	}
	rows := l.Directions() * gates * hidden
	bias := func(v []float32) bool { return len(v) == rows || v == nil && !l.Rows() }
	if !slices.Equal(l.WeightX.Shape, []int{rows, values}) || !slices.Equal(l.WeightH.Shape, []int{rows, hidden}) || !bias(l.BiasX) || !bias(l.BiasH) {
		return fmt.Errorf("weights are %v and %v with %d and %d biases, want %v and %v with %d each",
			l.WeightX.Shape, l.WeightH.Shape, len(l.BiasX), len(l.BiasH), []int{rows, values}, []int{rows, hidden}, rows)
	}
	return l.checkArray()
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
	gates, in := Cell(cell).gates(), b.shape.W
	l := &Recurrent{Cell: Cell(cell), WeightX: b.normal(0, gates*units, in), WeightH: b.normal(1, gates*units, units),
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
