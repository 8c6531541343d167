package model

import (
	"fmt"
	"slices"
	"strings"
)

// ScoresOf finds what output node gives: the node with its scores, before softmax or
// sigmoid, and what they mean. A network that ends without an activation gives
// logits if it has several outputs; one output alone, or maps of features, are raw.
// It is "" if no layer gives them.
func (net *Network) ScoresOf(node string, shapes map[string]Shape) (scores string, kind Scores) {
	scores, kind = net.beforeActivation(node, shapes)
	if kind == SoftmaxScores && !net.overClasses(scores, shapes) {
		scores, kind = node, RawScores
	}
	scores = net.planar(scores, shapes)
	if net.Node(scores) == nil {
		return "", SoftmaxScores
	}
	return scores, kind
}

// planar is the node whose maps are those of node with the channels last, else node.
func (net *Network) planar(node string, shapes map[string]Shape) string {
	n := net.Node(node)
	if n == nil {
		return node
	}
	l, ok := n.Layer.(*Rearrange)
	if !ok || l.What != "Transpose" || len(l.To) != 3 {
		return node
	}
	s := shapes[n.Inputs[0]]
	if !slices.Equal(l.To, []int{s.H, s.W, s.C}) || !slices.Equal(l.Strides, []int{s.W, 1, s.H * s.W}) {
		return node
	}
	return n.Inputs[0]
}

// overClasses reports whether the softmax that reads node runs over its channels.
func (net *Network) overClasses(node string, shapes map[string]Shape) bool {
	s := shapes[net.planar(node, shapes)]
	if s.H*s.W == 1 {
		return true
	}
	for _, n := range net.Consumers(node) {
		switch l := n.Layer.(type) {
		case *Softmax:
			if l.Maps() || l.Size == s.C {
				return true
			}
		}
	}
	return false
}

func (net *Network) beforeActivation(node string, shapes map[string]Shape) (string, Scores) {
	scores, kind, last := net.activation(node, len(net.Nodes))
	if scores == "" {
		return node, net.unclosed(node, last, shapes[node])
	}
	return scores, kind
}

// activation looks back from a node, which is one of the first i, for a softmax or sigmoid, and tells what it reads; ""
// if there is none, and the node where the search ended.
func (net *Network) activation(node string, i int) (scores string, kind Scores, last string) {
	at := node
	for { // nodes stand after what they read: each step looks on from where the last has ended
		for i--; i >= 0 && net.Nodes[i].Name != at; i-- {
		}
		if i < 0 {
			break
		}
		n := &net.Nodes[i]
		if IsView(n.Layer) {
			at = n.Inputs[0]
			continue
		}
		switch l := n.Layer.(type) {
		case *Quantize:
			at = n.Inputs[0]
			continue
		case *Rearrange:
			if l.What == "Transpose" {
				at = n.Inputs[0]
				continue
			}
		case *Softmax:
			return n.Inputs[0], SoftmaxScores, at
		case *Unary:
			switch l.Op {
			case UnarySigmoid, UnaryHardSigmoid:
				return n.Inputs[0], SigmoidScores, at
			case UnaryLog:
				if in := net.Node(n.Inputs[0]); in != nil && closes(in.Layer) {
					at = in.Name
					continue
				}
			}
		case *Clip: // of probabilities, to stay off 0 and 1
			if l.Min < 0.01 && l.Max > 0.99 {
				if scores, kind, _ := net.activation(n.Inputs[0], i); scores != "" {
					return scores, kind, at
				}
			}
		case *Binary:
			if x := net.quotient(n); x != "" {
				return x, SoftmaxScores, at
			}
		}
		if by := rescaled(n.Layer); by > 0 {
			scores, kind, _ := net.activation(n.Inputs[0], i)
			if scores != "" && (kind == SoftmaxScores || by == 1 || by == 100 || by == 255) {
				return scores, kind, at
			}
		}
		break
	}
	return "", "", at
}

// rescaled is by what a layer multiplies all numbers, or 1 if it rounds them: what
// becomes of probabilities that are shown as percents or bytes. 0: neither.
func rescaled(l Layer) float32 {
	switch l := l.(type) {
	case *Unary:
		switch {
		case l.Op == UnaryRound || l.Op == UnaryFloor || l.Op == UnaryCeil:
			return 1
		case l.Op == UnaryAffine && l.Beta == 0:
			return l.Alpha
		}
	case *BatchNorm:
		scale, shift := l.affine()
		for i := range scale {
			if scale[i] != scale[0] || shift[i] != 0 {
				return 0
			}
		}
		return scale[0]
	case *Binary:
		if l.Op == BinaryMul && l.Value != nil && len(l.Value.Data) == 1 {
			return l.Value.Data[0]
		}
	}
	return 0
}

// closes reports whether a layer is a softmax or sigmoid.
func closes(l Layer) bool {
	switch l := l.(type) {
	case *Softmax:
		return true
	case *Unary:
		return l.Op == UnarySigmoid
	}
	return false
}

// unclosed is the kind of scores that no softmax or sigmoid follows; last is the
// node that made them.
func (net *Network) unclosed(node, last string, s Shape) Scores {
	if s.C == 1 {
		return RawScores
	}
	if s.H*s.W == 1 {
		if net.noLogits(last) {
			return RawScores
		}
		return LogitScores
	}
	if n := net.Node(last); n != nil {
		switch n.Layer.(type) {
		case *Conv, *ConvTranspose, *AlongAxis, *BatchNorm:
			return LogitScores
		}
	}
	return RawScores
}

// noLogits reports whether the vector that a node makes is surely no classifier's logits: a function with bounds, a
// vector divided by its own length, or means of maps that are features, of a sum, a concatenation or a rectified
// convolution that looks at more than one place. (SqueezeNet's scores are means of rectified 1x1 convolutions.)
func (net *Network) noLogits(name string) bool {
	n := net.Node(net.Unshaped(name))
	if n == nil {
		return false
	}
	switch l := n.Layer.(type) {
	case *Unary:
		return slices.Contains([]UnaryOp{UnaryTanh, UnarySoftsign, UnaryErf, UnarySin, UnaryCos}, l.Op)
	case *Binary:
		return l.Op == BinaryDiv && l.Value == nil && net.dependsOn(n.Inputs[1], net.Unshaped(n.Inputs[0]))
	case *GlobalAvgPool:
		return net.features(n.Inputs[0])
	case *Pool:
		return (l.MaxOfMaps() || l.MeanOfMaps()) && net.features(n.Inputs[0])
	}
	return false
}

// Unshaped is the node, or the input, whose values a node has in another shape, else
// the node itself.
func (net *Network) Unshaped(name string) string {
	for n := net.Node(name); n != nil && IsView(n.Layer); n = net.Node(name) {
		name = n.Inputs[0]
	}
	return name
}

// dependsOn reports whether a node is another one, or computed from it.
func (net *Network) dependsOn(name, from string) bool {
	seen := map[string]bool{}
	stack := []string{name}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if at == from {
			return true
		}
		if n := net.Node(at); n != nil && !seen[at] {
			seen[at] = true
			stack = append(stack, n.Inputs...)
		}
	}
	return false
}

// features reports whether the maps of a node are features, not classes'.
func (net *Network) features(name string) bool {
	rectified := false
	for n := net.Node(name); n != nil; n = net.Node(n.Inputs[0]) {
		switch l := n.Layer.(type) {
		case *ReLU, *Clip, *Unary:
			rectified = true
		case *BatchNorm, *Dropout:
		case *Add:
			return true
		case *Concat:
			return l.Maps()
		case *Conv:
			return rectified && l.Maps() && l.Weight.Shape[2]*l.Weight.Shape[3] > 1
		default:
			return false
		}
	}
	return false
}

// quotient is x if n is exp(x) divided by its sum: a softmax in parts.
func (net *Network) quotient(n *Node) string {
	l := n.Layer.(*Binary)
	if l.Op != BinaryDiv || l.Value != nil {
		return ""
	}
	e, sum := net.Node(n.Inputs[0]), net.Node(n.Inputs[1])
	for sum != nil {
		if _, ok := sum.Layer.(*Reshape); !ok {
			break
		}
		sum = net.Node(sum.Inputs[0])
	}
	if e == nil || sum == nil {
		return ""
	}
	f, isFunction := e.Layer.(*Unary)
	r, isSum := sum.Layer.(*Reduce)
	if !isFunction || f.Op != UnaryExp || !isSum || r.Op != ReduceSum || sum.Inputs[0] != e.Name {
		return ""
	}
	return e.Inputs[0]
}

// WithOutput returns the network with the scores of another of its outputs, by its
// author's name, or of any of its nodes.
func (net *Network) WithOutput(name string) (*Network, error) {
	node := ""
	var names []string
	for _, o := range net.Outputs {
		names = append(names, o.Name)
		if o.Name == name {
			node = o.Node
		}
	}
	if node == "" && net.Node(name) != nil {
		node = name
	}
	if node == "" {
		have := "it has no others"
		if most := 8; len(names) > most+1 {
			names = append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
		}
		if len(names) > 0 {
			have = "outputs are " + strings.Join(names, ", ")
		}
		return nil, fmt.Errorf("network %s has no output %q: %s; any layer's name will do, too", net.Name, name, have)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	out := *net
	out.Logits, out.Scores = net.ScoresOf(node, shapes)
	return &out, out.Check()
}

// WithScores returns the network with scores that mean something else. Raw scores are
// the output itself, behind softmax or sigmoid if it ends so; all others are before.
func (net *Network) WithScores(kind Scores) (*Network, error) {
	r, err := net.Reading()
	if err != nil {
		return nil, err
	}
	if kind == SoftmaxScores && r.Shape.C == 1 {
		return nil, fmt.Errorf("the softmax of one output is always 1: sigmoid reads it as two classes, raw as a value")
	}
	out := *net
	out.Scores = kind
	if kind == RawScores && net.Scores != RawScores {
		shapes, err := net.Shapes()
		if err != nil {
			return nil, err
		}
		for _, o := range append(slices.Clone(net.Outputs), Output{Node: net.Output()}) {
			if at, _ := net.ScoresOf(o.Node, shapes); at == net.Logits {
				out.Logits = net.planar(o.Node, shapes)
				break
			}
		}
	}
	return &out, out.Check()
}

// Assumed says what was taken for granted about the scores of a network that ends
// without softmax or sigmoid, for people; "" if nothing.
func (net *Network) Assumed() string {
	r, err := net.Reading()
	if err != nil {
		return ""
	}
	switch {
	case net.Scores == LogitScores && r.Kind == SoftmaxScores:
		return "logits, softmax assumed"
	case net.Scores == RawScores && r.Shape.C == 1 && !r.Spatial():
		return "one value; a regression, or two classes: the network does not say which"
	case net.Scores == RawScores && !r.Spatial() && net.noLogits(net.Logits):
		return "values: they are no classifier's as the network ends"
	}
	return ""
}

// checkScores reports scores and outputs that do not fit the network.
func (net *Network) checkScores(shapes map[string]Shape) error {
	if net.Logits != "" {
		if _, ok := shapes[net.Logits]; !ok {
			return fmt.Errorf("logits node %q is not in the network", net.Logits)
		}
	}
	if !slices.Contains([]Scores{SoftmaxScores, SigmoidScores, LogitScores, RawScores}, net.Scores) {
		return fmt.Errorf("scores are %q, want softmax, sigmoid, logits or raw", string(net.Scores))
	}
	for _, o := range net.Outputs {
		if _, ok := shapes[o.Node]; !ok {
			return fmt.Errorf("output %q is node %q, which is not in the network", o.Name, o.Node)
		}
	}
	return nil
}
