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
		return nil, fmt.Errorf("network %s names no logits, so it cannot be given other classes", net.Name)
	}
	if _, ok := last.Layer.(*Dense); !ok {
		return nil, fmt.Errorf("the class scores of %s come from a %s, want a Dense to give it other classes", net.Name, last.Layer.Kind())
	}
	if len(classes) < 2 {
		return nil, fmt.Errorf("%d classes, want at least 2", len(classes))
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	b := &builder{rng: rand.New(rand.NewPCG(seed, 0x7265736574))}
	out := *net
	out.Scores = SoftmaxScores // what training makes of them
	out.Nodes, out.Classes, out.Origin = slices.Clone(net.Nodes), slices.Clone(classes), Origin{Arch: net.Origin.Arch}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		var ins []Shape
		for _, in := range n.Inputs {
			ins = append(ins, shapes[in])
		}
		rows := 0
		if n.Name == net.Logits {
			rows = len(classes)
		}
		if n.Layer, err = drawn(b, n.Layer, ins, rows); err != nil {
			return nil, fmt.Errorf("layer %s: %w", n.Name, err)
		}
		if l, ok := n.Layer.(*Dense); ok && rows > 0 && l.Bias == nil {
			l.Bias = make([]float32, rows)
		}
	}
	return &out, out.Check()
}

// Weighted lists the nodes whose weights Redraw can draw, in the order of the network.
func Weighted(net *Network) []string {
	var out []string
	for i := range net.Nodes {
		if k, ok := net.Nodes[i].Layer.(drawer); ok && weightCount(k.(kind)) > 0 {
			out = append(out, net.Nodes[i].Name)
		}
	}
	return out
}

// Redraw returns the network with the weights of the named nodes drawn anew, as Reset
// draws them. Those of a node follow from the seed and its place alone.
func Redraw(net *Network, nodes []string, seed uint64) (*Network, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	out := *net
	out.Nodes = slices.Clone(net.Nodes)
	for _, name := range nodes {
		i := slices.IndexFunc(out.Nodes, func(n Node) bool { return n.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%w", &UnknownName{What: "layer", Name: name, Nearest: nearest(name, net.names())})
		}
		n := &out.Nodes[i]
		var ins []Shape
		for _, in := range n.Inputs {
			ins = append(ins, shapes[in])
		}
		b := &builder{rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		if n.Layer, err = drawn(b, n.Layer, ins, 0); err != nil {
			return nil, fmt.Errorf("layer %s: %w", name, err)
		}
	}
	return &out, out.Check()
}

// drawn returns an untrained layer in the place of l: the weights drawn anew, for
// inputs of shapes ins and out outputs (0: as many as l has). A layer without
// weights stays as it is.
func drawn(b *builder, l Layer, ins []Shape, out int) (Layer, error) {
	k, ok := l.(kind)
	if !ok {
		return nil, unknownKind(l)
	}
	if d, ok := l.(drawer); ok {
		return d.drawn(b, ins, out)
	}
	if weightCount(k) > 0 {
		return nil, fmt.Errorf("it is not known how the weights of a %s begin before training", l.Kind())
	}
	return l, nil
}

// zeros are n zeros, or nil if there were no numbers before.
func zeros(old []float32, n int) []float32 {
	if old == nil {
		return nil
	}
	return make([]float32, n)
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
		return nil, fmt.Errorf("%w", &UnknownName{What: "layer", Name: layer, Nearest: nearest(layer, net.names())})
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
		out.Nodes = append(out.Nodes, Node{Name: flat, Inputs: []string{at}, Layer: &Reshape{}})
		at = flat
	}
	out.Logits, out.Scores, out.Outputs = name("scores"), SoftmaxScores, nil
	out.Nodes = append(out.Nodes, Node{Name: out.Logits, Inputs: []string{at}, Layer: &Dense{Weight: weight, Bias: bias}},
		Node{Name: name("probability"), Inputs: []string{out.Logits}, Layer: &Softmax{}})
	return &out, out.Check()
}
