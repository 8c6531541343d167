package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
)

// Box is a half-open rectangle of positions in a map: rows Y0..Y1, columns X0..X1.
type Box = kernel.Box

// InputBox returns the part of the layer's input (of shape in) that the values
// in box out of its output depend on, clipped to the input. Inputs of Add and
// Concat all get the same box.
func InputBox(l Layer, in Shape, out Box) (Box, error) {
	if out.Empty() {
		return Box{}, nil
	}
	var b Box
	switch l := l.(type) {
	case *Conv:
		b = l.Geometry().InputBox(out)
	case *MaxPool:
		b = windowBox(l.Geometry(), out)
	case *AvgPool:
		b = windowBox(l.Geometry(), out)
	case *WindowPool:
		b = windowBox(l.Geometry(), out)
	case *ConvTranspose:
		b = l.Geometry().OutputBox(out, in.H, in.W)
	case *GlobalAvgPool, *Dense, *Flatten, *MatMul, *InstanceNorm, *Reduce, *Rearrange, *AlongAxis, *SoftmaxAxis,
		*Join, *Reshape, *Constant, *Recurrent, *Sequence:
		return in.Box(), nil
	case *ReLU, *LeakyReLU, *Clip, *LRN, *BatchNorm, *Add, *Concat, *Dropout, *Softmax, *Unary:
		return out, nil
	case *Binary:
		if !l.local(in) {
			return in.Box(), nil
		}
		return out, nil
	case *Pad:
		b = out.Shift(-l.Pads[0], -l.Pads[1])
	default:
		return Box{}, unknownKind(l)
	}
	return b.Intersect(in.Box()), nil
}

// OutputBox returns the part of the layer's output (of shape out) that can
// change when only the values in box in of its input (of shape ins) change.
func OutputBox(l Layer, ins, out Shape, in Box) (Box, error) {
	if in.Empty() {
		return Box{}, nil
	}
	switch l := l.(type) {
	case *Conv:
		return l.Geometry().OutputBox(in, out.H, out.W), nil
	case *MaxPool:
		return reachedBy(l.Geometry(), in, out), nil
	case *AvgPool:
		return reachedBy(l.Geometry(), in, out), nil
	case *WindowPool:
		return reachedBy(l.Geometry(), in, out), nil
	case *ConvTranspose:
		return l.Geometry().InputBox(in).Intersect(out.Box()), nil
	case *GlobalAvgPool, *Dense, *Flatten, *MatMul, *InstanceNorm, *Reduce, *Rearrange, *AlongAxis, *SoftmaxAxis,
		*Join, *Reshape, *Constant, *Recurrent, *Sequence:
		return out.Box(), nil
	case *ReLU, *LeakyReLU, *Clip, *LRN, *BatchNorm, *Add, *Concat, *Dropout, *Softmax, *Unary:
		return in, nil
	case *Binary:
		if !l.local(ins) {
			return out.Box(), nil
		}
		return in, nil
	case *Pad:
		return in.Shift(l.Pads[0], l.Pads[1]), nil
	}
	return Box{}, unknownKind(l)
}

// asConv is the window arithmetic of a pool: that of a convolution with the same window.
func asConv(p kernel.Pool) kernel.Conv {
	return kernel.Conv{In: 1, Out: 1, KH: p.KH, KW: p.KW, StrideY: p.StrideY, StrideX: p.StrideX,
		DilY: p.DilY, DilX: p.DilX, PadTop: p.PadTop, PadLeft: p.PadLeft, Groups: 1}
}

func windowBox(p kernel.Pool, out Box) Box           { return asConv(p).InputBox(out) }
func reachedBy(p kernel.Pool, in Box, out Shape) Box { return asConv(p).OutputBox(in, out.H, out.W) }

// ReceptiveBox returns the part of the input image that the values in box b of
// the node called name depend on.
func (net *Network) ReceptiveBox(name string, b Box) (Box, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return Box{}, err
	}
	boxes, err := net.TopDownBoxes(shapes, name, b)
	if err != nil {
		return Box{}, err
	}
	return boxes[net.Input.Name], nil
}

// TopDownBoxes returns, for every value that box b of the named node depends
// on, the rectangle of it that matters (the union over all paths). shapes is
// what Shapes returned. Values that do not matter are absent.
func (net *Network) TopDownBoxes(shapes map[string]Shape, name string, b Box) (map[string]Box, error) {
	if _, ok := shapes[name]; !ok {
		return nil, fmt.Errorf("model: no layer %q", name)
	}
	boxes := map[string]Box{name: b.Intersect(shapes[name].Box())}
	for i := len(net.Nodes) - 1; i >= 0; i-- {
		n := &net.Nodes[i]
		out, ok := boxes[n.Name]
		if !ok {
			continue
		}
		for _, in := range n.Inputs {
			need, err := InputBox(n.Layer, shapes[in], out)
			if err != nil {
				return nil, fmt.Errorf("model: layer %s: %w", n.Name, err)
			}
			boxes[in] = boxes[in].Union(need)
		}
	}
	return boxes, nil
}

// BottomUpBoxes returns, for every node, the rectangle of its value that can
// change when only box b of the input image changes (Krypton's projective
// field, [krypton19] section 4). shapes is what Shapes returned.
func (net *Network) BottomUpBoxes(shapes map[string]Shape, b Box) (map[string]Box, error) {
	boxes := map[string]Box{net.Input.Name: b.Intersect(net.Input.Shape().Box())}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		var out Box
		for _, in := range n.Inputs {
			c, err := OutputBox(n.Layer, shapes[in], shapes[n.Name], boxes[in])
			if err != nil {
				return nil, fmt.Errorf("model: layer %s: %w", n.Name, err)
			}
			out = out.Union(c)
		}
		boxes[n.Name] = out.Intersect(shapes[n.Name].Box())
	}
	return boxes, nil
}
