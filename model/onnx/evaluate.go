package onnx

import (
	"errors"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// evaluated computes a value that depends on constants only, though by layers that
// constants are not folded through, such as weights that are normalised; ok is
// false if it depends on the picture.
func (c *converter) evaluated(v *value) (k *constant, ok bool, err error) {
	need := map[string]bool{}
	stack := []string{v.ref}
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		i, layer := c.layers[name]
		if !layer {
			return nil, false, nil
		}
		if need[name] {
			continue
		}
		need[name] = true
		if _, fixed := c.net.Nodes[i].Layer.(*model.Constant); !fixed {
			stack = append(stack, c.net.Nodes[i].Inputs...)
		}
	}
	if v.bad || v.seq != nil {
		return nil, false, nil
	}
	if v, err = c.ordered(v); err != nil {
		return nil, false, err
	}
	need[v.ref] = true
	net := &model.Network{Name: "constants", Input: c.net.Input}
	for _, n := range c.net.Nodes {
		if need[n.Name] {
			net.Nodes = append(net.Nodes, n)
		}
	}
	dims := ints(v.dims)
	if c.images > 1 {
		dims = dims[1:]
	}
	if product(dims) != v.shape.Len() {
		return nil, false, errors.New("a constant of an uncertain shape")
	}
	if err := c.spend(v.shape.Len()); err != nil {
		return nil, false, err
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	plan, err := engine.Compile(net, model.Keep{Layers: []string{v.ref}})
	if err != nil {
		return nil, false, err
	}
	trace, err := plan.Run(tensor.New(1, net.Input.C, net.Input.H, net.Input.W))
	if err != nil {
		return nil, false, err
	}
	c.folded = true
	return &constant{dims: dims, f: trace.Value(v.ref).Data}, true, nil
}

// placesAndTruths are operators that make whole numbers of others.
var placesAndTruths = []string{"ArgMax", "ArgMin", "And", "Or", "Xor", "Not", "IsNaN", "IsInf",
	"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}

// settle makes what a node of constants computes constants, too. It is whole
// numbers if all that went in is, or if they are places or truth values.
func (c *converter) settle(n *node) error {
	floats := false
	for i := range n.inputs {
		if v, err := c.arg(n, i); err == nil && v != nil && v.k != nil {
			floats = floats || v.k.f != nil
		}
	}
	for i, out := range n.outputs {
		v := c.values[out]
		if v == nil || v.k != nil {
			continue
		}
		k, ok, err := c.evaluated(v)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !floats || slices.Contains(placesAndTruths, n.op) || n.op == "TopK" && i == 1 {
			k.i = make([]int64, len(k.f))
			for j, x := range k.f {
				k.i[j] = int64(x)
			}
			k.f = nil
		}
		c.values[out] = &value{k: k}
	}
	return nil
}
