package model

import (
	"fmt"

	"github.com/deconvnet/viz/model/tensor"
)

// older is a layer as older checkpoints have it, with slots of other names; now is the
// layer that it has become.
type older interface{ now() (kind, error) }

// oldSequence is a Recurrent over an array, with weights as ONNX lays them out.
type oldSequence struct {
	Recurrent
	steps, batch, values, hidden int
	op, direction                string
	w, r, b, p                   *tensor.Tensor
	beforeReset                  bool
}

func (l *oldSequence) slots() []slot {
	of := map[string]slot{}
	for _, s := range l.Recurrent.slots() {
		of[s.name] = s
	}
	return []slot{
		attribute("op", &l.op), attribute("steps", &l.steps), attribute("batch", &l.batch), attribute("values", &l.values),
		attribute("hidden", &l.hidden), attribute("direction", &l.direction),
		trained("w", &l.w), trained("r", &l.r), optional(trained("b", &l.b)), optional(trained("p", &l.p)),
		of["h0"], of["c0"], attribute("activations", &l.Activations), of["alpha"], of["beta"], attribute("clip", &l.Clip),
		attribute("input_forget", &l.InputForget), attribute("before_reset", &l.beforeReset), of["lengths"]}
}

func (l *oldSequence) now() (kind, error) {
	out := l.Recurrent
	out.Cell = map[string]Cell{"RNN": CellRNN, "LSTM": CellLSTM, "GRU": CellGRU}[l.op]
	out.From, out.ResetState = []int{l.steps, l.batch, l.values}, l.op == "GRU" && !l.beforeReset
	if l.direction != "forward" {
		out.Direction = Direction(l.direction)
	}
	if out.Cell == "" || l.direction == "" || l.w == nil || l.r == nil {
		return nil, fmt.Errorf("cell %q of direction %q, or its weights, are not known", l.op, l.direction)
	}
	if err := out.SetONNX(l.w, l.r, l.b, l.p); err != nil {
		return nil, err
	}
	if out.Hidden() != l.hidden {
		return nil, fmt.Errorf("weights of %d units, want %d", out.Hidden(), l.hidden)
	}
	return &out, nil
}
