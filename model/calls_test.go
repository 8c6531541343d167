package model

import (
	"slices"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// TestCalledTwice: the node that a forward hook on the module sees last.
func TestCalledTwice(t *testing.T) {
	conv := func(v float32) Layer {
		return &Conv{Weight: tensor.From([]float32{v}, 1, 1, 1, 1), Stride: []int{1, 1}}
	}
	for _, c := range []struct {
		what, spec, want string
		nodes            []Node
	}{
		{"rectifier, three calls", "relu", "/relu_2/Relu", []Node{
			{Name: "/conv/Conv", Layer: conv(1)}, {Name: "/relu/Relu", Layer: &ReLU{}}, {Name: "/conv2/Conv", Layer: conv(2)},
			{Name: "/relu_1/Relu", Layer: &ReLU{}}, {Name: "/relu_2/Relu", Layer: &ReLU{}}}},
		{"exact name", "relu_1", "/relu_1/Relu", []Node{
			{Name: "/relu/Relu", Layer: &ReLU{}}, {Name: "/relu_1/Relu", Layer: &ReLU{}}, {Name: "/relu_2/Relu", Layer: &ReLU{}}}},
		{"a gap in the numbers", "relu", "/relu/Relu", []Node{{Name: "/relu/Relu", Layer: &ReLU{}}, {Name: "/relu_2/Relu", Layer: &ReLU{}}}},
		{"another kind", "act", "/act/Relu", []Node{{Name: "/act/Relu", Layer: &ReLU{}}, {Name: "/act_1/LeakyRelu", Layer: &Unary{Op: "LeakyRelu"}}}},
		{"called before", "relu", "/relu/Relu", []Node{{Name: "/relu_1/Relu", Layer: &ReLU{}}, {Name: "/relu/Relu", Layer: &ReLU{}}}},
		{"shared weights", "conv", "/conv_1/Conv", []Node{{Name: "/conv/Conv", Layer: conv(1)}, {Name: "/conv_1/Conv", Layer: conv(1)}}},
		{"weights of its own", "conv", "/conv/Conv", []Node{{Name: "/conv/Conv", Layer: conv(1)}, {Name: "/conv_1/Conv", Layer: conv(2)}}},
		{"a neighbour with weights of its own", "relu", "/relu/Relu", []Node{{Name: "/conv/Conv", Layer: conv(1)}, {Name: "/relu/Relu", Layer: &ReLU{}},
			{Name: "/conv_1/Conv", Layer: conv(2)}, {Name: "/relu_1/Relu", Layer: &ReLU{}}}},
		{"a block", "net.block", "/net/block_1/relu/Relu", []Node{{Name: "/net/block/conv/Conv", Layer: conv(1)}, {Name: "/net/block/relu/Relu", Layer: &ReLU{}},
			{Name: "/net/block_1/conv/Conv", Layer: conv(1)}, {Name: "/net/block_1/relu/Relu", Layer: &ReLU{}}}},
		{"the end of a path", "block.relu", "/net/block/relu_1/Relu", []Node{
			{Name: "/net/block/relu/Relu", Layer: &ReLU{}}, {Name: "/net/block/relu_1/Relu", Layer: &ReLU{}}}},
		{"a function, not a module", "net.Relu", "/net/Relu", []Node{{Name: "/net/Relu", Layer: &ReLU{}}, {Name: "/net/Relu_1", Layer: &ReLU{}}}},
		{"Keras numbers layers", "activation", "model/activation/Relu", []Node{
			{Name: "model/activation/Relu", Layer: &ReLU{}}, {Name: "model/activation_1/Relu", Layer: &ReLU{}}}},
		{"the file says the module", "relu", "/a", []Node{{Name: "/a", Module: "relu", Layer: &ReLU{}}, {Name: "/b", Module: "relu_1", Layer: &ReLU{}}}},
	} {
		net := &Network{Input: Input{Name: "x", C: 1, H: 4, W: 4}, Nodes: slices.Clone(c.nodes)}
		at := "x"
		for i := range net.Nodes {
			net.Nodes[i].Inputs, at = []string{at}, net.Nodes[i].Name
		}
		if got, err := net.Resolve(c.spec); err != nil || got != c.want {
			t.Errorf("%s: %s is %q (%v), want %q", c.what, c.spec, got, err, c.want)
		}
	}
}
