package model

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/model/tensor"
)

// Network is a trained network as plain data: a directed acyclic graph of named
// layers, listed in an order in which every node comes after its inputs.
// It is immutable once built; passes read it and allocate what they produce.
type Network struct {
	Name       string
	Input      Input
	Nodes      []Node
	Logits     string     // node with the raw class scores, before any softmax; "" if the network is no classifier
	Preprocess Preprocess // how pixels become the input
	Classes    []string   // class names by index; may be empty
	Origin     Origin
}

// Input is the network's only input: its name and the shape of one image.
type Input struct {
	Name    string
	C, H, W int
}

// Shape returns the input's shape.
func (in Input) Shape() Shape { return Shape{C: in.C, H: in.H, W: in.W} }

// Node is a layer in its place: the values named in Inputs go in, the value
// called Name comes out.
type Node struct {
	Name   string
	Inputs []string
	Layer  Layer
}

// Origin says where a network came from. All fields are optional.
type Origin struct {
	Arch    string `json:"arch,omitempty"`    // architecture name, if built by viz
	Source  string `json:"source,omitempty"`  // file or tool it was imported from
	Data    string `json:"data,omitempty"`    // data set it was trained on, as given to --data
	Tool    string `json:"tool,omitempty"`    // program and version that wrote it
	Command string `json:"command,omitempty"` // command line that trained it
	Step    int    `json:"step,omitempty"`    // training steps taken
}

// Shape is the shape of one image's value at some node: C maps of H x W, or C
// numbers without place (Flat) as after Flatten or Dense.
type Shape struct {
	C, H, W int
	Flat    bool
}

// Len is the number of values.
func (s Shape) Len() int { return s.C * s.H * s.W }

// Box is the whole plane.
func (s Shape) Box() Box { return Box{Y1: s.H, X1: s.W} }

// Batch returns the tensor shape of n such values: [n, C, H, W], or [n, C] if flat.
func (s Shape) Batch(n int) []int {
	if s.Flat {
		return []int{n, s.C}
	}
	return []int{n, s.C, s.H, s.W}
}

func (s Shape) String() string {
	if s.Flat {
		return fmt.Sprint(s.C)
	}
	return fmt.Sprintf("%dx%dx%d", s.C, s.H, s.W)
}

// Layer is what a node computes. Layers are data: each pass (shapes, forward,
// boxes, projection, training graph, ...) is one function with a switch over the
// kinds below, and reports a kind it does not know as an error naming the node.
type Layer interface {
	// Kind is the layer's name in files and messages, such as "Conv".
	Kind() string
}

// The layer kinds. Sizes in pairs are [rows, columns]; Pads are [top, left,
// bottom, right], as in ONNX.
type (
	// Conv is a cross-correlation, as ONNX and every training framework has it:
	// out[k][y][x] = Bias[k] + sum_{c,r,s} Weight[k][c][r][s] * in[c][y*Stride+r*Dilation-top][...].
	Conv struct {
		Weight   *tensor.Tensor // [K, C/Groups, R, S]
		Bias     []float32      // [K] or nil
		Stride   [2]int
		Dilation [2]int
		Pads     [4]int
		Groups   int
	}
	// Dense is a fully connected layer: out = Weight·in + Bias.
	Dense struct {
		Weight *tensor.Tensor // [out, in]
		Bias   []float32      // [out] or nil
	}
	// MaxPool is the maximum over windows; padding never wins.
	MaxPool struct {
		Kernel, Stride, Dilation [2]int
		Pads                     [4]int
		Ceil                     bool // round the output size up
	}
	// AvgPool is the mean over windows.
	AvgPool struct {
		Kernel, Stride [2]int
		Pads           [4]int
		Ceil           bool
		CountPad       bool // padding counts as elements of value 0
	}
	// GlobalAvgPool is the mean over each map: [C, H, W] to [C, 1, 1].
	GlobalAvgPool struct{}
	// ReLU is max(x, 0).
	ReLU struct{}
	// LeakyReLU is x where x > 0, else Alpha*x.
	LeakyReLU struct{ Alpha float32 }
	// Clip is min(max(x, Min), Max).
	Clip struct{ Min, Max float32 }
	// LRN is local response normalisation over Size neighbouring channels:
	// x / (Bias + Alpha/Size * sum of squares)^Beta, as in ONNX.
	LRN struct {
		Size              int
		Alpha, Beta, Bias float64
	}
	// BatchNorm is batch normalisation with fixed statistics, per channel:
	// Scale * (x-Mean)/sqrt(Var+Eps) + Shift.
	BatchNorm struct {
		Scale, Shift, Mean, Var []float32 // [C]
		Eps                     float64
	}
	// Add is the sum of two or more inputs of one shape.
	Add struct{}
	// Concat joins its inputs along the channels.
	Concat struct{}
	// Flatten turns [C, H, W] into C*H*W numbers, in that order.
	Flatten struct{}
	// Pad adds Value around each map.
	Pad struct {
		Pads  [4]int
		Value float32
	}
	// Dropout does nothing except in training, where it drops a value with
	// probability Rate and scales the rest by 1/(1-Rate).
	Dropout struct{ Rate float64 }
	// Recurrent reads its input, one channel of T rows of F values, as a sequence
	// of T vectors, and gives its hidden state after the last. Cell is "rnn",
	// "lstm" or "gru"; equations and order of the gates are at kernel.Cell.
	Recurrent struct {
		Cell    string
		WeightX *tensor.Tensor // [gates*hidden, F]
		WeightH *tensor.Tensor // [gates*hidden, hidden]
		BiasX   []float32      // [gates*hidden]
		BiasH   []float32      // [gates*hidden]
	}
	// Softmax is exp(x) / sum exp(x) over the channels.
	Softmax struct{}
)

func (*Conv) Kind() string          { return "Conv" }
func (*Dense) Kind() string         { return "Dense" }
func (*MaxPool) Kind() string       { return "MaxPool" }
func (*AvgPool) Kind() string       { return "AvgPool" }
func (*GlobalAvgPool) Kind() string { return "GlobalAvgPool" }
func (*ReLU) Kind() string          { return "ReLU" }
func (*LeakyReLU) Kind() string     { return "LeakyReLU" }
func (*Clip) Kind() string          { return "Clip" }
func (*LRN) Kind() string           { return "LRN" }
func (*BatchNorm) Kind() string     { return "BatchNorm" }
func (*Add) Kind() string           { return "Add" }
func (*Concat) Kind() string        { return "Concat" }
func (*Flatten) Kind() string       { return "Flatten" }
func (*Pad) Kind() string           { return "Pad" }
func (*Dropout) Kind() string       { return "Dropout" }
func (*Recurrent) Kind() string     { return "Recurrent" }
func (*Softmax) Kind() string       { return "Softmax" }

// Node returns the node called name, or nil.
func (net *Network) Node(name string) *Node {
	for i := range net.Nodes {
		if net.Nodes[i].Name == name {
			return &net.Nodes[i]
		}
	}
	return nil
}

// Consumers returns the nodes that read the value called name, in order.
func (net *Network) Consumers(name string) []*Node {
	var out []*Node
	for i := range net.Nodes {
		for _, in := range net.Nodes[i].Inputs {
			if in == name {
				out = append(out, &net.Nodes[i])
				break
			}
		}
	}
	return out
}

// ReadsPixels reports whether the node called name reads the input, at most
// normalised or padded.
func (net *Network) ReadsPixels(name string) bool {
	n := net.Node(name)
	for n != nil && len(n.Inputs) > 0 && n.Inputs[0] != net.Input.Name {
		if n = net.Node(n.Inputs[0]); n == nil {
			return false
		}
		switch n.Layer.(type) {
		case *BatchNorm, *Pad, *Dropout, *LRN:
		default:
			return false
		}
	}
	return n != nil && len(n.Inputs) > 0
}

// Output is the name of the last node.
func (net *Network) Output() string {
	if len(net.Nodes) == 0 {
		return net.Input.Name
	}
	return net.Nodes[len(net.Nodes)-1].Name
}

// Class returns the name of class i, or its number if it has none.
func (net *Network) Class(i int) string {
	if i >= 0 && i < len(net.Classes) && net.Classes[i] != "" {
		return net.Classes[i]
	}
	return fmt.Sprint(i)
}

// Check reports the first thing wrong with the network: names missing or taken
// twice, a node before its inputs, weights that do not fit.
func (net *Network) Check() error {
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	if net.Logits != "" {
		s, ok := shapes[net.Logits]
		switch {
		case !ok:
			return fmt.Errorf("model: logits node %q is not in the network", net.Logits)
		case s.H*s.W > 1:
			return fmt.Errorf("model: logits node %s is %v, want one score for each class", net.Logits, s)
		}
	}
	return net.Preprocess.check(net.Input)
}

// names lists the value names, input first.
func (net *Network) names() []string {
	out := []string{net.Input.Name}
	for _, n := range net.Nodes {
		out = append(out, n.Name)
	}
	return out
}

func (net *Network) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %v", net.Name, net.Input.Name, net.Input.Shape())
	for _, n := range net.Nodes {
		fmt.Fprintf(&b, " -> %s", n.Name)
	}
	return b.String()
}
