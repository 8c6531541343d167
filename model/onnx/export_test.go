package onnx

import "github.com/deconvnet/viz/model"

// ReadBound is Read with some of the graph's inputs bound to constants, given
// as TensorProto messages by input.
func ReadBound(data []byte, tensors map[string][]byte) (*model.Network, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	size := len(data)
	for name, msg := range tensors {
		d := decoder{left: 10}
		t, err := d.tensor(msg)
		if err != nil {
			return nil, err
		}
		t.name = name
		f.graph.tensors = append(f.graph.tensors, t)
		size += len(msg)
	}
	return read(f, size, "bound")
}

// Inputs are the names of the graph's inputs.
func Inputs(data []byte) ([]string, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, v := range f.graph.inputs {
		names = append(names, v.name)
	}
	return names, nil
}

// Tensor decodes a TensorProto of floats; f is nil if it holds integers.
func Tensor(msg []byte) (dims []int, f []float32, err error) {
	d := decoder{left: 10}
	t, err := d.tensor(msg)
	if err != nil {
		return nil, nil, err
	}
	k, err := t.decode()
	if err != nil {
		return nil, nil, err
	}
	return k.dims, k.f, nil
}
