package model

import (
	"fmt"
	"slices"
)

// Blocks lists where branches of maps come together: the sums of residual
// networks and the concatenations of others, each at the rectifier directly after it if
// nothing else reads it. Entry i is called "block" and i+1, see Resolve.
func (net *Network) Blocks() []string {
	shapes, err := net.Shapes()
	if err != nil {
		return nil
	}
	var out []string
	x := net.index()
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if !x.joins(n) || !spatial(shapes[n.Name]) {
			continue
		}
		out = append(out, x.rectifierAfter(n.Name))
	}
	return out
}

// joins reports whether a node adds or concatenates values that depend on the input.
func (x index) joins(n *Node) bool {
	switch l := n.Layer.(type) {
	case *Add, *Concat:
	case *Binary:
		if l.Op != BinaryAdd {
			return false
		}
	default:
		return false
	}
	branches := 0
	for _, in := range n.Inputs {
		if m := x.nodes[in]; m != nil {
			if _, fixed := m.Layer.(*Constant); fixed {
				continue
			}
		}
		branches++
	}
	return branches > 1
}

func spatial(s Shape) bool { return !s.Flat && s.H*s.W > 1 }

// LastSpatial is the layer whose maps the decision is made from: the last one
// with rows and columns before the scores, that is the last block's output after
// its sum and rectifier, or the last convolution's features. Pools, dropout and
// reshapes before the classifier are passed over, and so are the classifier's own
// maps: one for each class, which only pools, rectifiers and a softmax turn into
// scores. Without scores it is the last such layer of all. "" if there is none.
func (net *Network) LastSpatial() string {
	shapes, err := net.Shapes()
	if err != nil || len(net.Nodes) == 0 {
		return ""
	}
	end, classes := net.Logits, 0
	if end == "" {
		end = net.Output()
	} else {
		classes = shapes[end].C
	}
	maps := net.maps()
	reached := map[string]bool{end: true}
	own := map[string]bool{end: classes > 0} // values that become scores without any weights
	best := net.bestOfMany(end)
	for i := len(net.Nodes) - 1; i >= 0; i-- {
		n := &net.Nodes[i]
		if !reached[n.Name] {
			continue
		}
		s := shapes[n.Name]
		if spatial(s) && maps[n.Name] && !passedOver(n.Layer) && !(own[n.Name] && s.C == classes) && (!best || net.allThrough(n.Name, end)) {
			return net.beforeNorm(n)
		}
		for _, in := range n.Inputs {
			reached[in] = true
			own[in] = own[in] || own[n.Name] && weightless(n.Layer)
		}
	}
	return ""
}

// bestOfMany reports whether a node has the highest numbers of candidates, such as
// those of a detector's levels. Which level has them depends on the image.
func (net *Network) bestOfMany(name string) bool {
	n := net.Node(name)
	if n == nil {
		return false
	}
	switch l := n.Layer.(type) {
	case *Reduce:
		return l.Op == ReduceMax
	case *Binary:
		return l.Op == BinaryMax && l.Value == nil && net.bestOfMany(n.Inputs[0])
	}
	return false
}

// allThrough reports whether every way from the input to a node goes through
// another one.
func (net *Network) allThrough(name, to string) bool {
	around := net.Needed([]string{to}, func(n *Node, _ int) bool {
		_, constant := n.Layer.(*Constant)
		return n.Name != name && !constant
	})
	return !around[net.Input.Name]
}

// maps tells which values have the input's rows and columns for places: those that no
// layer has turned into an array of other axes, such as the tokens of a transformer.
func (net *Network) maps() map[string]bool {
	maps := map[string]bool{net.Input.Name: true}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		switch l := n.Layer.(type) {
		case *Conv, *ConvTranspose:
			maps[n.Name] = true
		case *Concat: // of arrays, it may make a list of places
			for _, in := range n.Inputs {
				maps[n.Name] = maps[n.Name] || maps[in] && (l.Maps() || l.Axis == 0 && len(l.To) > 2)
			}
		case *Reshape, *Rearrange, *Dense, *MatMul, *Constant, *Recurrent:
		default:
			for _, in := range n.Inputs {
				maps[n.Name] = maps[n.Name] || maps[in]
			}
		}
	}
	return maps
}

// passedOver are layers that are no features of their own, between those and the scores.
func passedOver(l Layer) bool {
	switch l.(type) {
	case *Pool, *GlobalAvgPool, *Reduce, *Rearrange, *Pad, *Softmax, *Constant, *Quantize:
		return true
	}
	return IsView(l)
}

// weightless are layers that may stand between a class's own map and its score.
func weightless(l Layer) bool {
	switch l.(type) {
	case *ReLU, *Clip, *Unary, *AlongAxis:
		return true
	case *Constant:
		return false
	}
	return passedOver(l)
}

// beforeNorm is the rectified convolution before a normalisation that ends a
// plain network, else the node itself.
func (net *Network) beforeNorm(n *Node) string {
	switch n.Layer.(type) {
	case *BatchNorm, *LRN:
	default:
		return n.Name
	}
	from := net.Node(n.Inputs[0])
	if from == nil {
		return n.Name
	}
	if IsRectifier(from.Layer) {
		return from.Name
	}
	return n.Name
}

// FeatureLayers are the layers that are looked at by default: ConvLayers, and
// LastSpatial if that is another.
func (net *Network) FeatureLayers() []string {
	layers := net.ConvLayers()
	if last := net.LastSpatial(); last != "" && len(layers) > 0 && !slices.Contains(layers, last) {
		layers = append(layers, last)
	}
	return layers
}

// LastFeatures is LastSpatial, or an error that says that there is nothing of that kind.
func (net *Network) LastFeatures() (string, error) {
	if name := net.LastSpatial(); name != "" {
		return name, nil
	}
	if convs := net.ConvLayers(); len(convs) > 0 { // their maps are single numbers
		return convs[len(convs)-1], nil
	}
	shapes, err := net.Shapes()
	if err != nil {
		return "", err
	}
	for _, n := range net.Nodes {
		if s := shapes[n.Name]; !s.Flat && s.H*s.W > 1 {
			return "", fmt.Errorf("network %s has no convolutions: name a layer with maps, such as %s", net.Name, n.Name)
		}
	}
	return "", fmt.Errorf("network %s has no layer with maps", net.Name)
}
