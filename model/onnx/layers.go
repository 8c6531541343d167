package onnx

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/model"
)

// name chooses the name of a node's layer: the node's if it is the only one
// called so, else its output's; with a number if that is taken.
func (c *converter) name(n *node) string {
	if n.name != "" && c.nodeNames[n.name] == 1 && c.free(n.name) {
		return n.name
	}
	return c.unique(n.output())
}

func (c *converter) free(name string) bool {
	_, taken := c.layers[name]
	return !taken && name != c.net.Input.Name
}

func (c *converter) unique(name string) string {
	name = strings.ReplaceAll(name, "\x00", "") // of names that the graph has not
	try := name
	for k := 2; !c.free(try); k++ {
		try = fmt.Sprintf("%s.%d", name, k)
	}
	return try
}

// maxLayers bounds the layers of a network, those of loops included: what goes through all layers for each (names, fields,
// outputs) then ends within a second. The largest networks have some thousands.
const maxLayers = 10_000

// add appends a layer called name and returns its output as a value.
func (c *converter) add(name string, l model.Layer, ins ...*value) (*value, error) {
	if len(c.net.Nodes) >= maxLayers {
		return nil, malformed("a network of more layers than %d, want at most so many", maxLayers)
	}
	var shapes []model.Shape
	node := model.Node{Name: name, Layer: l, Module: c.module}
	for _, v := range ins {
		shapes = append(shapes, v.shape)
		node.Inputs = append(node.Inputs, v.ref)
	}
	s, err := model.OutputShape(l, shapes)
	if err != nil {
		return nil, err
	}
	if c.quantised {
		pack(l)
	}
	c.layers[name] = len(c.net.Nodes)
	c.net.Nodes = append(c.net.Nodes, node)
	return &value{ref: name, shape: s, dims: append([]int64{c.images}, perImage(s)...), sole: true}, nil
}

// put makes a node a layer whose output the graph sees as dims.
func (c *converter) put(n *node, dims []int64, l model.Layer, ins ...*value) error {
	v, err := c.add(c.name(n), l, ins...)
	if err != nil {
		return err
	}
	v.dims = dims
	c.values[n.output()] = v
	return nil
}

// layer makes a node a layer.
func (c *converter) layer(n *node, l model.Layer, ins ...*value) error {
	v, err := c.add(c.name(n), l, ins...)
	if err == nil {
		c.values[n.output()] = v
	}
	return err
}

// elementwise makes a node a layer that does not care how its input is seen.
func (c *converter) elementwise(n *node, l model.Layer) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	if n.op == "Sigmoid" { // scores, perhaps
		if in, err = c.row(in); err != nil {
			return err
		}
	}
	v, err := c.add(c.name(n), l, in)
	if err != nil {
		return err
	}
	v.dims, v.hwc = in.dims, in.hwc
	c.values[n.output()] = v
	return nil
}

// alias lets a node's output be input number i seen with other dims.
func (c *converter) alias(n *node, i int, in *value, dims []int64) {
	v := *in
	v.dims = dims
	v.sole = in.sole && c.uses[n.inputs[i]] == 1
	c.values[n.output()] = &v
}

// ownLayer returns the layer that input i comes from if nothing else reads it,
// so that what follows may be merged into it; else nil.
func (c *converter) ownLayer(n *node, i int, v *value) model.Layer {
	at, ok := c.layers[v.ref]
	if !ok || !v.sole || c.uses[n.inputs[i]] != 1 {
		return nil
	}
	return c.net.Nodes[at].Layer
}
