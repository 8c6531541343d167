package model

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/model/tensor"
)

// Reset returns an untrained network of the same layers for other classes: all
// weights drawn anew from the seed (He normal; orthogonal and Glorot where
// recurrent), biases 0, batch normalisation doing nothing. The class scores must come from a
// dense layer, which gets a row for each class.
func Reset(net *Network, classes []string, seed uint64) (*Network, error) {
	last := net.Node(net.Logits)
	if last == nil {
		return nil, fmt.Errorf("model: network %s names no logits, so it cannot be given other classes", net.Name)
	}
	if _, ok := last.Layer.(*Dense); !ok {
		return nil, fmt.Errorf("model: the class scores of %s come from a %s, want a Dense to give it other classes", net.Name, last.Layer.Kind())
	}
	if len(classes) < 2 {
		return nil, fmt.Errorf("model: %d classes, want at least 2", len(classes))
	}
	b := &builder{rng: rand.New(rand.NewPCG(seed, 0x7265736574))}
	out := *net
	out.Nodes, out.Classes, out.Origin = slices.Clone(net.Nodes), slices.Clone(classes), Origin{Arch: net.Origin.Arch}
	zero := func(v []float32) []float32 {
		if v == nil {
			return nil
		}
		return make([]float32, len(v))
	}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		switch l := n.Layer.(type) {
		case *Conv:
			c := *l
			s := l.Weight.Shape
			c.Weight, c.Bias = b.normal(he(s[1]*s[2]*s[3]), s...), zero(l.Bias)
			n.Layer = &c
		case *Dense:
			rows, in := l.Weight.Shape[0], l.Weight.Shape[1]
			c := &Dense{Bias: zero(l.Bias)}
			if n.Name == net.Logits {
				rows = len(classes)
				c.Bias = make([]float32, rows)
			}
			c.Weight = b.normal(he(in), rows, in)
			n.Layer = c
		case *BatchNorm:
			one := slices.Repeat([]float32{1}, len(l.Scale))
			n.Layer = &BatchNorm{Scale: one, Shift: make([]float32, len(one)), Mean: make([]float32, len(one)), Var: slices.Clone(one), Eps: l.Eps}
		case *Recurrent:
			fresh := &builder{net: &Network{}, rng: b.rng, shape: Shape{C: 1, H: 1, W: l.WeightX.Shape[1]}}
			fresh.recurrent(l.Cell, l.WeightH.Shape[1])
			if fresh.err != nil {
				return nil, fresh.err
			}
			n.Layer = fresh.net.Nodes[0].Layer
		}
	}
	return &out, out.Check()
}

// Fixed returns net up to and including the named layer, followed by a new dense
// layer of the given weights, [classes, F], as its scores, and a softmax.
func Fixed(net *Network, layer string, weight *tensor.Tensor, bias []float32, classes []string) (*Network, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	s, ok := shapes[layer]
	if !ok {
		return nil, fmt.Errorf("model: %w", &UnknownName{What: "layer", Name: layer, Nearest: nearest(layer, net.names())})
	}
	need := map[string]bool{layer: true}
	for i := len(net.Nodes) - 1; i >= 0; i-- {
		if need[net.Nodes[i].Name] {
			for _, in := range net.Nodes[i].Inputs {
				need[in] = true
			}
		}
	}
	out := *net
	out.Nodes, out.Classes = nil, slices.Clone(classes)
	for _, n := range net.Nodes {
		if need[n.Name] {
			out.Nodes = append(out.Nodes, n)
		}
	}
	name := func(want string) string {
		for slices.Contains(net.names(), want) {
			want += "_new"
		}
		return want
	}
	at := layer
	if !s.Flat {
		flat := name("flat")
		out.Nodes = append(out.Nodes, Node{Name: flat, Inputs: []string{at}, Layer: &Flatten{}})
		at = flat
	}
	out.Logits = name("scores")
	out.Nodes = append(out.Nodes, Node{Name: out.Logits, Inputs: []string{at}, Layer: &Dense{Weight: weight, Bias: bias}},
		Node{Name: name("probability"), Inputs: []string{out.Logits}, Layer: &Softmax{}})
	return &out, out.Check()
}
