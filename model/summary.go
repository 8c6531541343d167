package model

import (
	"fmt"

	"github.com/deconvnet/viz/model/tensor"
)

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
		s := shapes[n.Name]
		f := fieldAfter(n.Layer, fields, n.Inputs)
		fields[n.Name] = f
		out = append(out, LayerSummary{Name: n.Name, Kind: n.Layer.Kind(), Inputs: n.Inputs, Shape: s, Output: s.String(),
			Paper: paper[n.Name], Weights: weightCount(n.Layer), MACs: macs(n.Layer, shapes[first(n.Inputs)], s), Field: f.rf, Stride: f.jump,
			Attributes: attributes(n.Layer)})
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

func weightCount(l Layer) int {
	switch l := l.(type) {
	case *Conv:
		return l.Weight.Len() + len(l.Bias)
	case *Dense:
		return l.Weight.Len() + len(l.Bias)
	case *Recurrent:
		return l.WeightX.Len() + l.WeightH.Len() + len(l.BiasX) + len(l.BiasH)
	case *BatchNorm:
		return len(l.Scale) + len(l.Shift)
	case *InstanceNorm:
		return len(l.Scale) + len(l.Shift)
	case *ConvTranspose:
		return l.Weight.Len() + len(l.Bias)
	case *Binary:
		return valueCount(l.Value)
	case *MatMul:
		return valueCount(l.Value)
	case *Constant:
		return valueCount(l.Value)
	case *Sequence:
		return valueCount(l.W) + valueCount(l.R) + valueCount(l.B) + valueCount(l.P)
	}
	return 0
}

func valueCount(t *tensor.Tensor) int {
	if t == nil {
		return 0
	}
	return t.Len()
}

func macs(l Layer, in, out Shape) int64 {
	switch l := l.(type) {
	case *Conv:
		return int64(out.H*out.W) * int64(l.Weight.Len())
	case *Dense:
		return int64(l.Weight.Len())
	case *Recurrent:
		return int64(in.H) * int64(l.WeightX.Len()+l.WeightH.Len())
	case *ConvTranspose:
		return int64(in.H*in.W) * int64(l.Weight.Len())
	case *MatMul:
		return int64(out.Len()) * int64(l.A[len(l.A)-1])
	case *Sequence:
		return int64(l.Steps*l.Batch) * int64(l.W.Len()+l.R.Len())
	}
	return 0
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

func attributes(l Layer) string {
	switch l := l.(type) {
	case *Conv:
		s := window([2]int{l.Weight.Shape[2], l.Weight.Shape[3]}, l.Stride, l.Dilation, l.Pads)
		if l.Groups > 1 {
			s += fmt.Sprintf(", groups %d", l.Groups)
		}
		return s
	case *MaxPool:
		return window(l.Kernel, l.Stride, l.Dilation, l.Pads)
	case *AvgPool:
		return window(l.Kernel, l.Stride, [2]int{1, 1}, l.Pads)
	case *Recurrent:
		return fmt.Sprintf("%s, %d units", l.Cell, l.WeightH.Shape[1])
	case *LeakyReLU:
		return fmt.Sprintf("alpha %g", l.Alpha)
	case *Clip:
		return fmt.Sprintf("%g to %g", l.Min, l.Max)
	case *LRN:
		return fmt.Sprintf("size %d, alpha %g, beta %g, bias %g", l.Size, l.Alpha, l.Beta, l.Bias)
	case *Dropout:
		return fmt.Sprintf("rate %.4g", l.Rate)
	case *Pad:
		return fmt.Sprintf("pads %v, value %g", l.Pads, l.Value)
	}
	return arrayText(l)
}

func window(kernel, stride, dilation [2]int, pads [4]int) string {
	s := fmt.Sprintf("%dx%d", kernel[0], kernel[1])
	if stride[0] == stride[1] {
		s += fmt.Sprintf("/%d", stride[0])
	} else {
		s += fmt.Sprintf("/%dx%d", stride[0], stride[1])
	}
	if dilation != [2]int{1, 1} {
		s += fmt.Sprintf(", dilation %dx%d", dilation[0], dilation[1])
	}
	switch p := pads; {
	case p == [4]int{}:
	case p[0] == p[1] && p[0] == p[2] && p[0] == p[3]:
		s += fmt.Sprintf(", pad %d", p[0])
	default:
		s += fmt.Sprintf(", pads %d,%d,%d,%d", p[0], p[1], p[2], p[3])
	}
	return s
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
