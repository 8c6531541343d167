package onnx

import (
	"bytes"
	"maps"
	"slices"

	"github.com/deconvnet/viz/model"
)

// Inputs are the names of the graph's inputs without initialisers.
func Inputs(data []byte) ([]string, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, t := range f.graph.tensors {
		known[t.name] = true
	}
	var names []string
	for _, v := range f.graph.inputs {
		if !known[v.name] {
			names = append(names, v.name)
		}
	}
	return names, nil
}

// Outputs are the names of the graph's outputs.
func Outputs(data []byte) ([]string, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, v := range f.graph.outputs {
		names = append(names, v.name)
	}
	return names, nil
}

// OutputTypes are the element types of the graph's outputs.
func OutputTypes(data []byte) ([]string, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	var types []string
	for _, v := range f.graph.outputs {
		types = append(types, v.typ.String())
	}
	return types, nil
}

// TensorType is the element type of a tensor message.
func TensorType(msg []byte) string {
	d := decoder{left: 1 << 20}
	t, err := d.tensor(msg)
	if err != nil {
		return ""
	}
	return t.typ.String()
}

// Operators are the graph's operators.
func Operators(data []byte) ([]string, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	var ops []string
	for i := range f.graph.nodes {
		ops = append(ops, f.graph.nodes[i].op)
	}
	return ops, nil
}

// Tensor decodes a TensorProto.
func Tensor(msg []byte) (Value, error) {
	d := decoder{left: 1 << 20}
	t, err := d.tensor(msg)
	if err != nil {
		return Value{}, err
	}
	k, err := t.decode(&source{r: bytes.NewReader(msg), size: int64(len(msg))})
	if err != nil {
		return Value{}, err
	}
	return Value{Dims: k.dims, F: k.f, I: k.i}, nil
}

// HelpWith is what is said of an operator that is not read.
func HelpWith(op string) string { return helpWith(op) }

// Supported are the names of all operators, with their domain if that is not
// ONNX's own, and what is known of each: it can be on constants, or on values
// that depend on the picture.
func Supported() map[string]bool {
	out := map[string]bool{}
	ops := newOperators()
	for op := range ops.folds {
		out[op] = false
	}
	for _, op := range alike {
		if ops.known(op) {
			out[microsoft+"."+op] = true
		}
	}
	for _, list := range [][]string{slices.Collect(maps.Keys(ops.layers)), slices.Collect(maps.Keys(ops.quantised)), slices.Collect(maps.Keys(ops.rewrites)), slices.Collect(maps.Keys(ops.structures))} {
		for _, op := range list {
			out[op] = true
		}
	}
	return out
}

// Made are the layers that each operator of a file becomes, before any are put
// together, and their input shapes.
func Made(data []byte) (made map[string][]model.Node, shapes map[string]model.Shape, err error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, nil, err
	}
	c, err := newConverter(f, &source{r: bytes.NewReader(data), size: int64(len(data))}, Options{}, imagesApart)
	if err != nil {
		return nil, nil, err
	}
	var wanted []string
	for _, out := range c.graph.outputs {
		wanted = append(wanted, out.name)
	}
	if c.nodes, err = c.order(c.nodes, wanted); err == nil {
		err = c.input()
	}
	made = map[string][]model.Node{}
	for i := 0; err == nil && i < len(c.nodes); i++ {
		from := len(c.net.Nodes)
		n := c.nodes[i]
		c.nodeNames[n.name]++
		err = c.node(n)
		made[n.key()] = append(made[n.key()], c.net.Nodes[from:]...)
	}
	if err == nil && len(c.refused) > 0 {
		err = c.unsupported()
	}
	if err != nil {
		return nil, nil, err
	}
	shapes, err = c.net.Shapes()
	return made, shapes, err
}
