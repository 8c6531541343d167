package model

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model/tensor"
)

// ActivationNames are the names of a cell's activations, for each direction in turn.
func (l *Recurrent) ActivationNames() []string {
	per := map[Cell][]string{CellRNN: {"Tanh"}, CellLSTM: {"Sigmoid", "Tanh", "Tanh"}, CellGRU: {"Sigmoid", "Tanh"}}[l.Cell]
	if l.Activations != "" {
		return strings.Split(l.Activations, ",")
	}
	return slices.Repeat(per, l.Directions())
}

// checkArray checks the settings that only sequences in an array have.
func (l *Recurrent) checkArray() error {
	if l.Rows() {
		plain := Recurrent{Cell: l.Cell, WeightX: l.WeightX, WeightH: l.WeightH, BiasX: l.BiasX, BiasH: l.BiasH}
		if !reflect.DeepEqual(*l, plain) {
			return fmt.Errorf("settings of sequences in an array, without its dims")
		}
		return nil
	}
	d, h, batch := l.Directions(), l.Hidden(), l.From[1]
	if !slices.Contains([]Direction{Forward, Reverse, Bidirectional}, l.Direction) {
		return fmt.Errorf("unknown direction %q", l.Direction)
	}
	for _, w := range []struct {
		name string
		t    *tensor.Tensor
		want []int
	}{
		{"peepholes", l.Peepholes, []int{d, 3 * h}}, {"the first hidden state", l.H0, []int{d, batch, h}}, {"the first cell state", l.C0, []int{d, batch, h}},
	} {
		if w.t == nil {
			continue
		}
		if n, err := arrayLen(w.want); err != nil || !slices.Equal(w.t.Shape, w.want) || n != len(w.t.Data) {
			return fmt.Errorf("%s is %v, want %v", w.name, w.t.Shape, w.want)
		}
	}
	if (l.Peepholes != nil || l.C0 != nil) && l.Cell != CellLSTM {
		return fmt.Errorf("peepholes or a cell state in a %s", l.Cell)
	}
	names := l.ActivationNames()
	if want := d * map[Cell]int{CellRNN: 1, CellLSTM: 3, CellGRU: 2}[l.Cell]; len(names) != want ||
		l.Alpha != nil && len(l.Alpha) != want || l.Beta != nil && len(l.Beta) != want {
		return fmt.Errorf("activations %v, want %d", names, want)
	}
	for _, n := range names {
		if _, ok := unaryOps[UnaryOp(n)]; !ok {
			return fmt.Errorf("unknown activation %q", n)
		}
	}
	if l.Lengths != nil && len(l.Lengths) != batch {
		return fmt.Errorf("%d lengths for a batch of %d", len(l.Lengths), batch)
	}
	for _, n := range l.Lengths {
		if n < 0 || n > l.From[0] {
			return fmt.Errorf("a sequence of %d in %d steps", n, l.From[0])
		}
	}
	_, err := arrayLen([]int{d, batch, h, l.From[0] + 2})
	return err
}

// run computes the recurrence in float64 over the hidden state.
func (l *Recurrent) run(dst, src []float32) {
	for dir := range l.Directions() {
		c := l.cell(dir)
		for b := range l.From[1] {
			c.sequence(dst, src, b)
		}
	}
}

// recurrence is one direction of a Recurrent over an array, and where it stands in one sequence.
type recurrence struct {
	l            *Recurrent
	dir          int
	act          []func(float64) float64
	w, r         []float32 // of this direction
	hidden, next []float64
	cell         []float64 // of an LSTM
	pre          []float64 // W x and its bias, by gate
}

func (l *Recurrent) cell(dir int) *recurrence {
	h, g := l.Hidden(), l.Cell.gates()
	names := l.ActivationNames()
	per := len(names) / l.Directions()
	c := &recurrence{l: l, dir: dir, w: l.WeightX.Data[dir*g*h*l.From[2]:], r: l.WeightH.Data[dir*g*h*h:], pre: make([]float64, g*h)}
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
func (c *recurrence) sequence(dst, src []float32, b int) {
	l, dir := c.l, c.dir
	steps, batch, values, h, d := l.From[0], l.From[1], l.From[2], l.Hidden(), l.Directions()
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
		if l.Direction == Reverse || dir == 1 {
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
		if l.Cell == CellLSTM {
			last[((d+dir)*batch+b)*h+i] = float32(c.cell[i])
		}
	}
}

// start is a first state of sequence b, 0 if t is nil.
func (c *recurrence) start(t *tensor.Tensor, b int) []float64 {
	v := make([]float64, c.l.Hidden())
	if t != nil {
		for i := range v {
			v[i] = float64(t.Data[(c.dir*c.l.From[1]+b)*len(v)+i])
		}
	}
	return v
}

// bias is number i of this direction's part of a bias.
func (c *recurrence) bias(of []float32, i int) float64 {
	if of == nil {
		return 0
	}
	return float64(of[c.dir*len(c.pre)+i])
}

func (c *recurrence) peephole(i int) float64 {
	if c.l.Peepholes == nil {
		return 0
	}
	return float64(c.l.Peepholes.Data[c.dir*3*c.l.Hidden()+i])
}

// back is row i of R times a hidden state.
func (c *recurrence) back(i int, hidden []float64) float64 {
	var sum float64
	for j, v := range hidden {
		sum += float64(v * float64(c.r[i*len(hidden)+j]))
	}
	return sum
}

// step goes on by one input.
func (c *recurrence) step(x []float32) {
	for i := range c.pre {
		var sum float64
		for j, v := range x {
			sum += float64(float64(v) * float64(c.w[i*len(x)+j]))
		}
		c.pre[i] = sum + c.bias(c.l.BiasX, i)
	}
	switch c.l.Cell {
	case CellRNN:
		h := c.l.Hidden()
		for i := range h {
			c.next[i] = c.act[0](c.pre[i] + c.back(i, c.hidden) + c.bias(c.l.BiasH, i))
		}
	case CellGRU:
		c.gru()
	case CellLSTM:
		c.lstm()
	}
	c.hidden, c.next = c.next, c.hidden
}

// gru has the gates r, z, n.
func (c *recurrence) gru() {
	h := c.l.Hidden()
	r, z, gated := make([]float64, h), make([]float64, h), make([]float64, h)
	gate := func(g, i int) float64 {
		return c.act[0](c.pre[g*h+i] + c.back(g*h+i, c.hidden) + c.bias(c.l.BiasH, g*h+i))
	}
	for i := range h {
		r[i], z[i] = gate(0, i), gate(1, i)
		gated[i] = r[i] * c.hidden[i]
	}
	for i := range h {
		rec := r[i] * (c.back(2*h+i, c.hidden) + c.bias(c.l.BiasH, 2*h+i))
		if c.l.ResetState {
			rec = c.back(2*h+i, gated) + c.bias(c.l.BiasH, 2*h+i)
		}
		c.next[i] = float64((1-z[i])*c.act[1](c.pre[2*h+i]+rec)) + float64(z[i]*c.hidden[i])
	}
}

// lstm has the gates i, f, g, o.
func (c *recurrence) lstm() {
	h := c.l.Hidden()
	for i := range h {
		sum := func(gate int) float64 {
			return c.pre[gate*h+i] + c.back(gate*h+i, c.hidden) + c.bias(c.l.BiasH, gate*h+i)
		}
		in := c.act[0](sum(0) + float64(c.peephole(i)*c.cell[i]))
		forget := 1 - in
		if !c.l.InputForget {
			forget = c.act[0](sum(1) + float64(c.peephole(h+i)*c.cell[i]))
		}
		cell := float64(forget*c.cell[i]) + float64(in*c.act[1](sum(2)))
		out := c.act[0](sum(3) + float64(c.peephole(2*h+i)*cell))
		c.cell[i] = cell
		c.next[i] = out * c.act[2](cell)
	}
}

// ActivationDefaults are alpha and beta of a recurrent layer's activation if they are
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
