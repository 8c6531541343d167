package model

import (
	"fmt"
)

// maxElements bounds the values of one image at one node, so that sizes read
// from files cannot overflow or ask for absurd memory.
const maxElements = 1 << 30

// Shapes returns the shape of one image's value at every node, by name,
// including the input. An error names the node, with got and want.
func (net *Network) Shapes() (map[string]Shape, error) {
	in := net.Input
	if in.Name == "" || in.C < 1 || in.H < 1 || in.W < 1 || !fits(in.C, in.H, in.W) {
		return nil, fmt.Errorf("input %q has shape %dx%dx%d, want positive sizes of sensible magnitude", in.Name, in.C, in.H, in.W)
	}
	shapes := map[string]Shape{in.Name: in.Shape()}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if n.Name == "" {
			return nil, fmt.Errorf("node %d has no name", i)
		}
		if _, taken := shapes[n.Name]; taken {
			return nil, fmt.Errorf("layer %s: the name is taken twice", n.Name)
		}
		var ins []Shape
		for _, name := range n.Inputs {
			s, ok := shapes[name]
			if !ok {
				return nil, fmt.Errorf("layer %s: input %q is not computed before it", n.Name, name)
			}
			ins = append(ins, s)
		}
		s, err := outShape(n.Layer, ins)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", n.Name, err)
		}
		if !fits(s.C, s.H, s.W) {
			return nil, fmt.Errorf("layer %s: output %v is too large", n.Name, s)
		}
		shapes[n.Name] = s
	}
	return shapes, nil
}

func fits(dims ...int) bool {
	n := 1
	for _, d := range dims {
		if d < 0 || d > maxElements || (d > 0 && n > maxElements/d) {
			return false
		}
		n *= d
	}
	return true
}

// outShape is the shape pass for one layer.
func outShape(l Layer, ins []Shape) (Shape, error) {
	k, ok := l.(kind)
	if !ok {
		return Shape{}, unknownKind(l)
	}
	if want := k.inputs(); want != many && len(ins) != want || len(ins) == 0 {
		return Shape{}, fmt.Errorf("%s takes %d inputs, got %d", l.Kind(), max(want, 1), len(ins))
	}
	return k.shape(ins)
}

// OutputShape returns the shape that the layer makes of one image's inputs of
// shapes ins, or what is wrong with them.
func OutputShape(l Layer, ins []Shape) (Shape, error) {
	s, err := outShape(l, ins)
	if err == nil && !fits(s.C, s.H, s.W) {
		err = fmt.Errorf("output %v is too large", s)
	}
	return s, err
}
