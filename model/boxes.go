package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// Box is a half-open rectangle of positions in a map: rows Y0..Y1, columns X0..X1.
type Box = tensor.Box

// reach says which places of a layer's output depend on which of its input.
type reach struct {
	way    way
	window kernel.Conv
}

type way int

const (
	nowhere   way = iota
	samePlace     // on the same place, in every input
	wholeMap      // on everything
	windowed      // on the window of a convolution
	scattered     // on the window of a convolution's transpose
)

var (
	pointwise  = reach{way: samePlace}
	everywhere = reach{way: wholeMap}
)

// windows is the reach of a layer with the windows of a convolution.
func windows(c kernel.Conv) reach { return reach{windowed, c} }

// transposedWindows is the reach of a convolution's transpose.
func transposedWindows(c kernel.Conv) reach { return reach{scattered, c} }

// asConv is the window arithmetic of a pool: that of a convolution with the same window.
func asConv(p kernel.Pool) kernel.Conv {
	return kernel.Conv{In: 1, Out: 1, KH: p.KH, KW: p.KW, StrideY: p.StrideY, StrideX: p.StrideX,
		DilY: p.DilY, DilX: p.DilX, PadTop: p.PadTop, PadLeft: p.PadLeft, Groups: 1}
}

// InputBox returns the part of the layer's input (of shape in) that the values
// in box out of its output depend on, clipped to the input. Inputs of Add and
// Concat all get the same box.
func InputBox(l Layer, in Shape, out Box) (Box, error) {
	if out.Empty() {
		return Box{}, nil
	}
	k, ok := l.(kind)
	if !ok {
		return Box{}, unknownKind(l)
	}
	switch r := k.reach(in); r.way {
	case samePlace:
		return out, nil
	case wholeMap:
		return in.Box(), nil
	case windowed:
		return r.window.InputBox(out).Intersect(in.Box()), nil
	case scattered:
		return r.window.OutputBox(out, in.H, in.W).Intersect(in.Box()), nil
	}
	return Box{}, fmt.Errorf("%s says nothing about its boxes", l.Kind())
}

// OutputBox returns the part of the layer's output (of shape out) that can
// change when only the values in box in of its input (of shape ins) change.
func OutputBox(l Layer, ins, out Shape, in Box) (Box, error) {
	if in.Empty() {
		return Box{}, nil
	}
	k, ok := l.(kind)
	if !ok {
		return Box{}, unknownKind(l)
	}
	switch r := k.reach(ins); r.way {
	case samePlace:
		return in, nil
	case wholeMap:
		return out.Box(), nil
	case windowed:
		return r.window.OutputBox(in, out.H, out.W), nil
	case scattered:
		return r.window.InputBox(in).Intersect(out.Box()), nil
	}
	return Box{}, fmt.Errorf("%s says nothing about its boxes", l.Kind())
}

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
		return nil, fmt.Errorf("no layer %q", name)
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
				return nil, fmt.Errorf("layer %s: %w", n.Name, err)
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
				return nil, fmt.Errorf("layer %s: %w", n.Name, err)
			}
			out = out.Union(c)
		}
		boxes[n.Name] = out.Intersect(shapes[n.Name].Box())
	}
	return boxes, nil
}
