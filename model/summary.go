package model

import "fmt"

// LayerSummary describes one node for a reader.
type LayerSummary struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Inputs     []string `json:"inputs"`
	Shape      Shape    `json:"-"`
	Output     string   `json:"output"`          // shape, as text
	Paper      int      `json:"layer,omitempty"` // number of the convolution layer whose features this node gives, see ConvLayers
	Weights    int      `json:"weights"`         // trained numbers
	MACs       int64    `json:"macs"`            // multiply-adds for one image
	Field      [2]int   `json:"receptive_field"` // rows, columns of the input a unit far from the border sees; 0: all of it
	Stride     [2]int   `json:"stride"`          // input pixels between neighbouring units; 0: no space left
	Attributes string   `json:"attributes,omitempty"`
}

// Summary lists the nodes in order with sizes, weights, receptive fields and
// multiply-adds per image.
func (net *Network) Summary() ([]LayerSummary, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	paper := map[string]int{}
	for i, name := range net.ConvLayers() {
		paper[name] = i + 1
	}
	fields := map[string]field{net.Input.Name: {rf: [2]int{1, 1}, jump: [2]int{1, 1}}}
	var out []LayerSummary
	for i := range net.Nodes {
		n := &net.Nodes[i]
		l, ok := n.Layer.(kind)
		if !ok {
			return nil, fmt.Errorf("model: layer %s: %w", n.Name, unknownKind(n.Layer))
		}
		s := shapes[n.Name]
		f := fieldAfter(n.Layer, fields, n.Inputs)
		fields[n.Name] = f
		out = append(out, LayerSummary{Name: n.Name, Kind: n.Layer.Kind(), Inputs: n.Inputs, Shape: s, Output: s.String(),
			Paper: paper[n.Name], Weights: weightCount(l), MACs: l.macs(shapes[first(n.Inputs)], s), Field: f.rf, Stride: f.jump,
			Attributes: l.text()})
	}
	return out, nil
}

// field is a receptive field in input pixels, per axis; zero jump: the node has
// lost its spatial axes and sees everything.
type field struct{ rf, jump [2]int }

func fieldAfter(l Layer, fields map[string]field, inputs []string) field {
	var f field
	for i, in := range inputs {
		g := fields[in]
		if i == 0 {
			f = g
		}
		if g.jump[0] == 0 {
			return field{}
		}
		for a := range 2 {
			f.rf[a] = max(f.rf[a], g.rf[a])
			f.jump[a] = max(f.jump[a], g.jump[a])
		}
	}
	if f.jump[0] == 0 {
		return field{}
	}
	var kernel, stride, dilation [2]int
	switch l := l.(type) {
	case *Conv:
		kernel, stride, dilation = [2]int{l.Weight.Shape[2], l.Weight.Shape[3]}, l.Stride, l.Dilation
	case *MaxPool:
		kernel, stride, dilation = l.Kernel, l.Stride, l.Dilation
	case *AvgPool:
		kernel, stride, dilation = l.Kernel, l.Stride, [2]int{1, 1}
	case *WindowPool:
		kernel, stride, dilation = l.Kernel, l.Stride, l.Dilation
	case *GlobalAvgPool, *Flatten, *Dense, *ConvTranspose, *MatMul, *InstanceNorm, *Reduce, *Rearrange, *AlongAxis, *SoftmaxAxis,
		*Join, *Reshape, *Constant, *Recurrent, *Sequence:
		return field{} // what these see depends on the place, or is everything
	default:
		return f
	}
	for a := range 2 {
		f.rf[a] += (kernel[a] - 1) * dilation[a] * f.jump[a]
		f.jump[a] *= stride[a]
	}
	return f
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// MACs is the number of multiply-adds of one forward pass of one image.
func (net *Network) MACs() (int64, error) {
	layers, err := net.Summary()
	var total int64
	for _, l := range layers {
		total += l.MACs
	}
	return total, err
}
