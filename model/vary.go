package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Variation says how a variant of a network differs from it.
type Variation struct {
	Remove []string           // convolutions and dense layers to leave out, with the batch normalisation, rectifier and dropout behind them
	Width  map[string]float64 // factors for the number of maps or outputs of convolutions and dense layers
	Seed   uint64             // of the initial weights
}

// Vary returns an untrained variant of a network: layers left out or of another
// width, as in the experiments of [zeiler14] Table 2. Weights are drawn anew as
// in Reset, in the sizes that follow.
func Vary(net *Network, v Variation) (*Network, error) {
	own, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	gone, err := net.without(v.Remove)
	if err != nil {
		return nil, err
	}
	for name, f := range v.Width {
		if err := net.hasWidth(name); err != nil {
			return nil, err
		}
		if !(f > 0 && f <= 64) || name == net.Logits {
			return nil, fmt.Errorf("layer %s: width times %g, want more than 0 and at most 64, and not of the class scores", name, f)
		}
	}
	b := &builder{rng: rand.New(rand.NewPCG(v.Seed, 0x76617279))}
	out := *net
	out.Nodes, out.Origin = nil, Origin{Arch: net.Origin.Arch}
	shapes := map[string]Shape{net.Input.Name: net.Input.Shape()}
	for _, n := range net.Nodes {
		if _, ok := gone[n.Name]; ok {
			continue
		}
		n.Inputs = slices.Clone(n.Inputs)
		var ins []Shape
		for i, in := range n.Inputs {
			for gone[in] != "" {
				in = gone[in]
			}
			n.Inputs[i] = in
			ins = append(ins, shapes[in])
		}
		if _, ok := n.Layer.(*Recurrent); ok {
			return nil, fmt.Errorf("layer %s is recurrent: no variants of it", n.Name)
		}
		width := 0
		if f, ok := v.Width[n.Name]; ok {
			width = max(int(float64(float64(own[n.Name].C)*f)+0.5), 1)
		}
		if n.Layer, err = drawn(b, n.Layer, ins, width); err != nil {
			return nil, fmt.Errorf("layer %s: %w", n.Name, err)
		}
		s, err := outShape(n.Layer, ins)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", n.Name, err)
		}
		shapes[n.Name] = s
		out.Nodes = append(out.Nodes, n)
	}
	return &out, out.Check()
}

// hasWidth reports an error unless the layer is one whose number of outputs can be chosen.
func (net *Network) hasWidth(name string) error {
	n := net.Node(name)
	if n == nil {
		return fmt.Errorf("%w", &UnknownName{What: "layer", Name: name, Nearest: nearest(name, net.names())})
	}
	switch l := n.Layer.(type) {
	case *Conv:
		if !l.Maps() {
			return fmt.Errorf("layer %s goes over three axes or more: its width cannot change", name)
		}
		if l.Groups == 1 {
			return nil
		}
		return fmt.Errorf("layer %s has groups: its width cannot change", name)
	case *Dense:
		return nil
	}
	return fmt.Errorf("layer %s is a %s, want a convolution or a dense layer", name, n.Layer.Kind())
}

// without leaves layers out, see Variation.Remove: for each value that is gone, the one that takes its place.
func (net *Network) without(layers []string) (map[string]string, error) {
	gone := map[string]string{}
	for _, name := range layers {
		if err := net.hasWidth(name); err != nil {
			return nil, err
		}
		if name == net.Logits {
			return nil, fmt.Errorf("layer %s gives the class scores and cannot be left out", name)
		}
		gone[name] = net.Node(name).Inputs[0]
		for at := name; ; {
			next := net.Consumers(at)
			if len(next) != 1 || !goesWith(next[0].Layer) {
				break
			}
			gone[next[0].Name] = at
			at = next[0].Name
		}
	}
	return gone, nil
}

// goesWith reports whether a layer is left out with the convolution or dense layer before it.
func goesWith(l Layer) bool {
	switch l.(type) {
	case *BatchNorm, *Dropout:
		return true
	}
	return IsRectifier(l)
}
