package onnx

import "bytes"

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
	d := decoder{left: 10}
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
