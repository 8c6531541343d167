package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model/tensor"
)

// Sequence is a recurrent layer as ONNX has it (Recurrent is the one that can
// be trained): Op is RNN, LSTM or GRU, with ONNX's weights and equations. The
// input's dims are [Steps, Batch, Values]. The output is one vector: the hidden states [steps, directions, batch, Hidden], the
// last of them [directions, batch, Hidden] and, of an LSTM, the last cell state.
type Sequence struct {
	Op                   string
	Steps, Batch, Values int
	Hidden               int
	Direction            string         // forward, reverse or bidirectional
	W, R                 *tensor.Tensor // [directions, gates*Hidden, values], [directions, gates*Hidden, Hidden]
	B                    *tensor.Tensor // [directions, 2*gates*Hidden] or nil
	P                    *tensor.Tensor // LSTM's peepholes [directions, 3*Hidden] or nil
	H0, C0               *tensor.Tensor // [directions, batch, Hidden] or nil
	Activations          string         // names, separated by commas: those of each direction in turn
	Alpha, Beta          []float32      // of the activations; nil: as in ONNX
	Clip                 float32        // of what goes into activations; 0: none
	InputForget          bool           // LSTM: the input gate is 1 - the forget gate
	BeforeReset          bool           // GRU: linear_before_reset
	Lengths              []int          // steps of each sequence of the batch; nil: all
}

// Kind is the layer's name.
func (*Sequence) Kind() string { return "Sequence" }

func (l *Sequence) slots() []slot {
	return []slot{
		attribute("op", &l.Op), attribute("steps", &l.Steps), attribute("batch", &l.Batch), attribute("values", &l.Values),
		attribute("hidden", &l.Hidden), attribute("direction", &l.Direction),
		trained("w", &l.W), trained("r", &l.R), optional(trained("b", &l.B)), optional(trained("p", &l.P)),
		optional(fixed("h0", &l.H0)), optional(fixed("c0", &l.C0)), attribute("activations", &l.Activations),
		optional(fixed("alpha", &l.Alpha)), optional(fixed("beta", &l.Beta)), attribute("clip", &l.Clip),
		attribute("input_forget", &l.InputForget), attribute("before_reset", &l.BeforeReset), attribute("lengths", &l.Lengths)}
}

func (l *Sequence) shape(ins []Shape) (Shape, error) {
	n, err := l.check(ins[0])
	return Shape{C: n, H: 1, W: 1, Flat: true}, err
}

func (*Sequence) inputs() int             { return 1 }
func (*Sequence) reach(_ Shape) reach     { return everywhere }
func (l *Sequence) macs(_, _ Shape) int64 { return int64(l.Steps*l.Batch) * int64(l.W.Len()+l.R.Len()) }
func (l *Sequence) text() string {
	return fmt.Sprintf("%s %s, hidden %d, %d steps", l.Direction, l.Op, l.Hidden, l.Steps)
}

func (l *Sequence) forward(c *call) error {
	c.each(func(dst, src []float32) { l.run(dst, src) })
	return nil
}

// gates is the number of gates of a cell.
func (l *Sequence) gates() int { return map[string]int{"RNN": 1, "LSTM": 4, "GRU": 3}[l.Op] }

func (l *Sequence) directions() int {
	if l.Direction == "bidirectional" {
		return 2
	}
	return 1
}

// ActivationNames are the names of a cell's activations, for each direction in turn.
func (l *Sequence) ActivationNames() []string {
	per := map[string][]string{"RNN": {"Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}, "GRU": {"Sigmoid", "Tanh"}}[l.Op]
	if l.Activations != "" {
		return strings.Split(l.Activations, ",")
	}
	return slices.Repeat(per, l.directions())
}

// check returns the number of values that come out.
func (l *Sequence) check(s Shape) (int, error) {
	g, d := l.gates(), l.directions()
	switch {
	case g == 0 || !slices.Contains([]string{"forward", "reverse", "bidirectional"}, l.Direction):
		return 0, fmt.Errorf("unknown cell %q of direction %q", l.Op, l.Direction)
	case l.Hidden < 1 || l.Hidden > 1<<20:
		return 0, fmt.Errorf("hidden size %d", l.Hidden)
	}
	if err := holds(s, []int{l.Steps, l.Batch, l.Values}); err != nil {
		return 0, err
	}
	steps, batch, values, h := l.Steps, l.Batch, l.Values, l.Hidden
	for _, w := range []struct {
		name string
		t    *tensor.Tensor
		want []int
		must bool
	}{
		{"W", l.W, []int{d, g * h, values}, true}, {"R", l.R, []int{d, g * h, h}, true}, {"B", l.B, []int{d, 2 * g * h}, false},
		{"P", l.P, []int{d, 3 * h}, false}, {"the first hidden state", l.H0, []int{d, batch, h}, false}, {"the first cell state", l.C0, []int{d, batch, h}, false},
	} {
		if w.t == nil && w.must {
			return 0, fmt.Errorf("%s is missing", w.name)
		}
		if w.t == nil {
			continue
		}
		if n, err := arrayLen(w.want); err != nil || !slices.Equal(w.t.Shape, w.want) || n != len(w.t.Data) {
			return 0, fmt.Errorf("%s is %v, want %v", w.name, w.t.Shape, w.want)
		}
	}
	if (l.P != nil || l.C0 != nil) && l.Op != "LSTM" {
		return 0, fmt.Errorf("peepholes or a cell state in a %s", l.Op)
	}
	names := l.ActivationNames()
	if want := d * map[string]int{"RNN": 1, "LSTM": 3, "GRU": 2}[l.Op]; len(names) != want ||
		l.Alpha != nil && len(l.Alpha) != want || l.Beta != nil && len(l.Beta) != want {
		return 0, fmt.Errorf("activations %v, want %d", names, want)
	}
	for _, n := range names {
		if _, ok := unaryOps[UnaryOp(n)]; !ok {
			return 0, fmt.Errorf("unknown activation %q", n)
		}
	}
	if l.Lengths != nil && len(l.Lengths) != batch {
		return 0, fmt.Errorf("%d lengths for a batch of %d", len(l.Lengths), batch)
	}
	for _, n := range l.Lengths {
		if n < 0 || n > steps {
			return 0, fmt.Errorf("a sequence of %d in %d steps", n, steps)
		}
	}
	total := []int{d, batch, h, steps + 2}
	if _, err := arrayLen(total); err != nil {
		return 0, err
	}
	n := d * batch * h * (steps + 1)
	if l.Op == "LSTM" {
		n += d * batch * h
	}
	return n, nil
}

// run computes the recurrence in float64 over the hidden state.
func (l *Sequence) run(dst, src []float32) {
	for dir := range l.directions() {
		c := l.cell(dir)
		for b := range l.Batch {
			c.sequence(dst, src, b)
		}
	}
}

// sequenceCell is one direction of a Sequence, and where it stands in one sequence.
type sequenceCell struct {
	l            *Sequence
	dir          int
	act          []func(float64) float64
	w, r         []float32 // of this direction
	hidden, next []float64
	cell         []float64 // of an LSTM
	pre          []float64 // W x and its bias, by gate
}

func (l *Sequence) cell(dir int) *sequenceCell {
	h, g := l.Hidden, l.gates()
	names := l.ActivationNames()
	per := len(names) / l.directions()
	c := &sequenceCell{l: l, dir: dir, w: l.W.Data[dir*g*h*l.Values:], r: l.R.Data[dir*g*h*h:], pre: make([]float64, g*h)}
	for i := dir * per; i < (dir+1)*per; i++ {
		a, b := ActivationDefaults(names[i])
		if l.Alpha != nil {
			a = float64(l.Alpha[i])
		}
		if l.Beta != nil {
			b = float64(l.Beta[i])
		}
		f := unaryOps[UnaryOp(names[i])].f
		c.act = append(c.act, func(x float64) float64 {
			if clip := float64(l.Clip); clip > 0 {
				x = min(max(x, -clip), clip)
			}
			return f(x, a, b)
		})
	}
	return c
}

// sequence runs over sequence b of the batch.
func (c *sequenceCell) sequence(dst, src []float32, b int) {
	l, dir := c.l, c.dir
	steps, batch, values, h, d := l.Steps, l.Batch, l.Values, l.Hidden, l.directions()
	c.hidden, c.cell, c.next = c.start(l.H0, b), c.start(l.C0, b), make([]float64, h)
	length := steps
	if l.Lengths != nil {
		length = l.Lengths[b]
	}
	// Beyond a sequence's end the states are 0.
	for t := length; t < steps; t++ {
		clear(dst[((t*d+dir)*batch+b)*h:][:h])
	}
	for s := range length {
		t := s
		if l.Direction == "reverse" || dir == 1 {
			t = length - 1 - s
		}
		c.step(src[(t*batch+b)*values:][:values])
		for i, v := range c.hidden {
			dst[((t*d+dir)*batch+b)*h+i] = float32(v)
		}
	}
	last := dst[steps*d*batch*h:]
	for i := range h {
		last[(dir*batch+b)*h+i] = float32(c.hidden[i])
		if l.Op == "LSTM" {
			last[((d+dir)*batch+b)*h+i] = float32(c.cell[i])
		}
	}
}

// start is a first state of sequence b, 0 if t is nil.
func (c *sequenceCell) start(t *tensor.Tensor, b int) []float64 {
	v := make([]float64, c.l.Hidden)
	if t != nil {
		for i := range v {
			v[i] = float64(t.Data[(c.dir*c.l.Batch+b)*len(v)+i])
		}
	}
	return v
}

func (c *sequenceCell) bias(i int) float64 {
	if c.l.B == nil {
		return 0
	}
	return float64(c.l.B.Data[c.dir*2*len(c.pre)+i])
}

func (c *sequenceCell) peephole(i int) float64 {
	if c.l.P == nil {
		return 0
	}
	return float64(c.l.P.Data[c.dir*3*c.l.Hidden+i])
}

// back is row i of R times a hidden state.
func (c *sequenceCell) back(i int, hidden []float64) float64 {
	var sum float64
	for j, v := range hidden {
		sum += float64(v * float64(c.r[i*len(hidden)+j]))
	}
	return sum
}

// step goes on by one input.
func (c *sequenceCell) step(x []float32) {
	for i := range c.pre {
		var sum float64
		for j, v := range x {
			sum += float64(float64(v) * float64(c.w[i*len(x)+j]))
		}
		c.pre[i] = sum + c.bias(i)
	}
	switch c.l.Op {
	case "RNN":
		h := c.l.Hidden
		for i := range h {
			c.next[i] = c.act[0](c.pre[i] + c.back(i, c.hidden) + c.bias(h+i))
		}
	case "GRU":
		c.gru()
	case "LSTM":
		c.lstm()
	}
	c.hidden, c.next = c.next, c.hidden
}

// gru has the gates z, r, h.
func (c *sequenceCell) gru() {
	h := c.l.Hidden
	z, r, gated := make([]float64, h), make([]float64, h), make([]float64, h)
	for i := range h {
		z[i] = c.act[0](c.pre[i] + c.back(i, c.hidden) + c.bias(3*h+i))
		r[i] = c.act[0](c.pre[h+i] + c.back(h+i, c.hidden) + c.bias(4*h+i))
		gated[i] = r[i] * c.hidden[i]
	}
	for i := range h {
		rec := r[i] * (c.back(2*h+i, c.hidden) + c.bias(5*h+i))
		if !c.l.BeforeReset {
			rec = c.back(2*h+i, gated) + c.bias(5*h+i)
		}
		c.next[i] = float64((1-z[i])*c.act[1](c.pre[2*h+i]+rec)) + float64(z[i]*c.hidden[i])
	}
}

// lstm has the gates i, o, f, c.
func (c *sequenceCell) lstm() {
	h := c.l.Hidden
	for i := range h {
		sum := func(gate int) float64 {
			return c.pre[gate*h+i] + c.back(gate*h+i, c.hidden) + c.bias((4+gate)*h+i)
		}
		in := c.act[0](sum(0) + float64(c.peephole(i)*c.cell[i]))
		forget := 1 - in
		if !c.l.InputForget {
			forget = c.act[0](sum(2) + float64(c.peephole(2*h+i)*c.cell[i]))
		}
		cell := float64(forget*c.cell[i]) + float64(in*c.act[1](sum(3)))
		out := c.act[0](sum(1) + float64(c.peephole(h+i)*cell))
		c.cell[i] = cell
		c.next[i] = out * c.act[2](cell)
	}
}

// ActivationDefaults are alpha and beta of a Sequence's activation if they are
// not stated, as in ONNX.
func ActivationDefaults(name string) (a, b float64) {
	switch name {
	case "LeakyRelu":
		return 0.01, 0
	case "ThresholdedRelu", "Elu":
		return 1, 0
	case "HardSigmoid":
		return 0.2, 0.5
	case "Affine", "ScaledTanh":
		return 1, 1
	}
	return 0, 0
}
