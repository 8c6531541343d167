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
		if _, ok := unaryOps[n]; !ok {
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
	steps, batch, values, h := l.Steps, l.Batch, l.Values, l.Hidden
	d, g := l.directions(), l.gates()
	lastH := dst[steps*d*batch*h:]
	names := l.ActivationNames()
	per := len(names) / d
	for dir := range d {
		reverse := l.Direction == "reverse" || dir == 1
		act := make([]func(float64) float64, per)
		for i := range act {
			a, b := ActivationDefaults(names[dir*per+i])
			if l.Alpha != nil {
				a = float64(l.Alpha[dir*per+i])
			}
			if l.Beta != nil {
				b = float64(l.Beta[dir*per+i])
			}
			f := unaryOps[names[dir*per+i]].f
			act[i] = func(x float64) float64 {
				if c := float64(l.Clip); c > 0 {
					x = min(max(x, -c), c)
				}
				return f(x, a, b)
			}
		}
		w, r := l.W.Data[dir*g*h*values:], l.R.Data[dir*g*h*h:]
		bias := func(i int) float64 {
			if l.B == nil {
				return 0
			}
			return float64(l.B.Data[dir*2*g*h+i])
		}
		peep := func(i int) float64 {
			if l.P == nil {
				return 0
			}
			return float64(l.P.Data[dir*3*h+i])
		}
		start := func(t *tensor.Tensor, b int) []float64 {
			v := make([]float64, h)
			if t != nil {
				for i := range v {
					v[i] = float64(t.Data[(dir*batch+b)*h+i])
				}
			}
			return v
		}
		for b := range batch {
			hidden, cell := start(l.H0, b), start(l.C0, b)
			length := steps
			if l.Lengths != nil {
				length = l.Lengths[b]
			}
			// Beyond a sequence's end the states are 0.
			for t := length; t < steps; t++ {
				clear(dst[((t*d+dir)*batch+b)*h:][:h])
			}
			next := make([]float64, h)
			pre := make([]float64, g*h)
			for s := range length {
				t := s
				if reverse {
					t = length - 1 - s
				}
				x := src[(t*batch+b)*values:][:values]
				from := func(i int) float64 { // W x
					var sum float64
					for j, v := range x {
						sum += float64(v) * float64(w[i*values+j])
					}
					return sum
				}
				back := func(i int, hidden []float64) float64 { // R h
					var sum float64
					for j, v := range hidden {
						sum += v * float64(r[i*h+j])
					}
					return sum
				}
				for i := range pre {
					pre[i] = from(i) + bias(i)
				}
				switch l.Op {
				case "RNN":
					for i := range h {
						next[i] = act[0](pre[i] + back(i, hidden) + bias(h+i))
					}
				case "GRU": // gates z, r, h
					z, rs := make([]float64, h), make([]float64, h)
					for i := range h {
						z[i] = act[0](pre[i] + back(i, hidden) + bias(3*h+i))
						rs[i] = act[0](pre[h+i] + back(h+i, hidden) + bias(4*h+i))
					}
					gated := make([]float64, h)
					for i := range gated {
						gated[i] = rs[i] * hidden[i]
					}
					for i := range h {
						rec := rs[i] * (back(2*h+i, hidden) + bias(5*h+i))
						if !l.BeforeReset {
							rec = back(2*h+i, gated) + bias(5*h+i)
						}
						next[i] = (1-z[i])*act[1](pre[2*h+i]+rec) + z[i]*hidden[i]
					}
				case "LSTM": // gates i, o, f, c
					for i := range h {
						sum := func(gate int) float64 {
							return pre[gate*h+i] + back(gate*h+i, hidden) + bias((4+gate)*h+i)
						}
						in := act[0](sum(0) + peep(i)*cell[i])
						forget := 1 - in
						if !l.InputForget {
							forget = act[0](sum(2) + peep(2*h+i)*cell[i])
						}
						c := forget*cell[i] + in*act[1](sum(3))
						out := act[0](sum(1) + peep(h+i)*c)
						cell[i] = c
						next[i] = out * act[2](c)
					}
				}
				hidden, next = next, hidden
				for i, v := range hidden {
					dst[((t*d+dir)*batch+b)*h+i] = float32(v)
				}
			}
			for i := range h {
				lastH[(dir*batch+b)*h+i] = float32(hidden[i])
				if l.Op == "LSTM" {
					lastH[((d+dir)*batch+b)*h+i] = float32(cell[i])
				}
			}
		}
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
