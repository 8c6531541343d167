package model

import (
	"fmt"
	"strings"
)

// Network is a trained network as plain data: a directed acyclic graph of named
// layers, listed in an order in which every node comes after its inputs.
// It is immutable once built; passes read it and allocate what they produce.
type Network struct {
	Name       string
	Input      Input
	Nodes      []Node
	Logits     string     // node with the raw class scores, before any softmax or sigmoid; "" if the network is no classifier
	Scores     Scores     // what the values at Logits mean
	Outputs    []Output   // of the file it came from, if that says; Logits is of one of them
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
	Module string // the author's module, such as layer4.1.conv2, where a file says it and the name does not
}

// Origin says where a network came from. All fields are optional.
type Origin struct {
	Arch    string `json:"arch,omitempty"`    // architecture name, if built by viz
	Source  string `json:"source,omitempty"`  // file or tool it was imported from
	Data    string `json:"data,omitempty"`    // data set it was trained on, as given to --data
	Tool    string `json:"tool,omitempty"`    // program and version that wrote it
	Command string `json:"command,omitempty"` // command line that trained it
	Step    int    `json:"step,omitempty"`    // training steps taken
	// Notes are what was unusual about the file it was imported from.
	Notes []string `json:"notes,omitempty"`
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

// Layer is what a node computes. Layers are data: they only hold weights and
// sizes. Each kind has a file of its own, kind_NAME.go; kinds.go lists them and
// says what a kind is asked for.
//
// Sizes in pairs are [rows, columns]; Pads are [top, left, bottom, right], as in
// ONNX. Kinds that work on arrays of any rank know the sizes of the axes of one
// image's value by themselves ("dims", C order), so that Shape stays what maps
// need: a value is the same numbers in the same order however it is divided into
// axes. ArrayShape says which Shape dims get.
type Layer interface {
	// Kind is the layer's name in files and messages, such as "Conv".
	Kind() string
}

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

// index finds the nodes of a network by name, and the readers of every value, without a search through all nodes each time.
type index struct {
	nodes     map[string]*Node
	consumers map[string][]*Node // as Consumers gives them
}

func (net *Network) index() index {
	x := index{make(map[string]*Node, len(net.Nodes)), make(map[string][]*Node, len(net.Nodes))}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if x.nodes[n.Name] == nil {
			x.nodes[n.Name] = n
		}
		for _, in := range n.Inputs {
			if c := x.consumers[in]; len(c) == 0 || c[len(c)-1] != n {
				x.consumers[in] = append(c, n)
			}
		}
	}
	return x
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
	if err := net.checkScores(shapes); err != nil {
		return err
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
