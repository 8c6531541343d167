package onnx

import (
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// recurrent turns RNN, LSTM and GRU into one layer that gives all there is to
// know, and layers that take each of the outputs out of it.
func recurrent(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	if len(in.dims) != 3 || c.images > 1 {
		return refuse("input has shape %v, want [steps, 1, values]: sequences of a batch", in.dims)
	}
	name := c.name(n)
	batchFirst := n.int("layout", 0) != 0
	if batchFirst {
		if in, err = c.turned(c.unique(name+".steps"), in, []int{1, 0, 2}); err != nil {
			return err
		}
	}
	x := ints(in.dims)
	l := &model.Recurrent{Cell: model.Cell(strings.ToLower(n.op)), From: x, Direction: model.Direction(n.text("direction", "forward")), Clip: n.float("clip", 0),
		InputForget: n.int("input_forget", 0) != 0, ResetState: n.op == "GRU" && n.int("linear_before_reset", 0) == 0}
	if l.Direction == "forward" {
		l.Direction = model.Forward
	}
	if err := c.sequenceWeights(n, l, batchFirst); err != nil {
		return err
	}
	if err := sequenceActivations(n, l); err != nil {
		return err
	}
	all, err := c.add(c.unique(name+".states"), l, in)
	if err != nil {
		return err
	}
	return c.sequenceOutputs(n, l, all, batchFirst)
}

// sequenceWeights reads what a recurrent layer has learned, where it starts and how
// long the sequences are.
func (c *converter) sequenceWeights(n *node, l *model.Recurrent, batchFirst bool) (err error) {
	w, err := c.weights(n, 1, 3)
	if err != nil {
		return err
	}
	r, err := c.weights(n, 2, 3)
	if err != nil {
		return err
	}
	if h := n.int("hidden_size", int64(r.Shape[2])); h != int64(r.Shape[2]) {
		return malformed("hidden_size is %d, the weights are %v", h, r.Shape)
	}
	var b, p *tensor.Tensor
	optional := []struct {
		input int
		to    **tensor.Tensor
		state bool // turned if the batch comes first
		only  string
	}{{3, &b, false, ""}, {5, &l.H0, true, ""}, {6, &l.C0, true, "LSTM"}, {7, &p, false, "LSTM"}}
	for _, o := range optional {
		if o.only != "" && o.only != n.op {
			continue
		}
		k, err := c.floats(n, o.input)
		if err != nil {
			return err
		}
		if k == nil {
			continue
		}
		if *o.to = tensor.From(k.f, k.dims...); o.state && batchFirst && len(k.dims) == 3 {
			if *o.to, err = c.stateOfBatches(k); err != nil {
				return err
			}
		}
	}
	if err := l.SetONNX(w.Unpacked(), r.Unpacked(), b, p); err != nil {
		return malformed("%v", err)
	}
	lengths, err := c.integersUpTo(n, 4, "", 1<<16)
	if lengths != nil {
		l.Lengths = ints(lengths)
	}
	return err
}

// stateOfBatches is a state [batch, directions, hidden] as [directions, batch, hidden].
func (c *converter) stateOfBatches(k *constant) (*tensor.Tensor, error) {
	if err := c.spend(k.len()); err != nil {
		return nil, err
	}
	a, b, h := k.dims[0], k.dims[1], k.dims[2]
	t := tensor.New(b, a, h)
	for i := range a {
		for j := range b {
			copy(t.Data[(j*a+i)*h:(j*a+i+1)*h], k.f[(i*b+j)*h:(i*b+j+1)*h])
		}
	}
	return t, nil
}

func sequenceActivations(n *node, l *model.Recurrent) (err error) {
	if a := n.attr("activations"); a != nil {
		for i, s := range a.strings {
			if i > 0 {
				l.Activations += ","
			}
			l.Activations += s
		}
	}
	for attr, to := range map[string]*[]float32{"activation_alpha": &l.Alpha, "activation_beta": &l.Beta} {
		if a := n.attr(attr); a != nil && len(a.floats) > 0 {
			*to = a.floats
		}
	}
	l.Alpha, l.Beta, err = parameters(l, l.Directions())
	return err
}

// sequenceOutputs takes the outputs that are read out of all states: those of every
// step, the last one, and the last cell.
func (c *converter) sequenceOutputs(n *node, l *model.Recurrent, all *value, batchFirst bool) error {
	directions, steps, batch, h := l.Directions(), l.From[0], l.From[1], l.Hidden()
	last := directions * batch * h
	for i, out := range n.outputs {
		if out == "" || c.uses[out] == 0 {
			continue
		}
		if i > 2 || i == 2 && n.op != "LSTM" {
			return malformed("it has %d outputs", len(n.outputs))
		}
		r := &model.Rearrange{What: []string{"states", "last state", "last cell"}[i], To: []int{directions, batch, h}, Strides: []int{batch * h, h, 1}}
		switch {
		case i == 0 && batchFirst:
			r.To, r.Strides = []int{batch, steps, directions, h}, []int{h, last, batch * h, 1}
		case i == 0:
			r.To, r.Strides = []int{steps, directions, batch, h}, []int{last, batch * h, h, 1}
		case batchFirst:
			r.To, r.Strides = []int{batch, directions, h}, []int{h, batch * h, 1}
		}
		if i > 0 {
			r.Offset = (steps + i - 1) * last
		}
		v, err := c.add(c.unique(out), r, all)
		if err != nil {
			return err
		}
		v.dims = int64s(r.To)
		c.values[out] = v
	}
	return nil
}

// parameters spreads activation_alpha and _beta, which ONNX lists for those
// activations only that have them, over all.
func parameters(l *model.Recurrent, directions int) (alpha, beta []float32, err error) {
	if l.Alpha == nil && l.Beta == nil {
		return nil, nil, nil
	}
	names := l.ActivationNames()
	a, b := l.Alpha, l.Beta
	for _, name := range names {
		x, y := model.ActivationDefaults(name)
		one := func(list *[]float32, v float64, has bool) float32 {
			if has && len(*list) > 0 {
				v = float64((*list)[0])
				*list = (*list)[1:]
			}
			return float32(v)
		}
		hasBeta := slices.Contains([]string{"HardSigmoid", "Affine", "ScaledTanh"}, name)
		hasAlpha := hasBeta || slices.Contains([]string{"LeakyRelu", "ThresholdedRelu", "Elu"}, name)
		alpha, beta = append(alpha, one(&a, x, hasAlpha)), append(beta, one(&b, y, hasBeta))
	}
	return alpha, beta, nil
}
