package onnx

import (
	"fmt"
	"slices"
)

// Parts of onnx.proto that hold others: functions, graphs inside nodes, sparse
// tensors.

// maxDepth bounds how deep graphs lie inside each other.
const maxDepth = 20

func (d *decoder) function(b []byte) (fn function, err error) {
	err = fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1):
			fn.name, err = f.string()
		case f.bytes(4):
			err = d.name(f, &fn.inputs, maxList, "inputs of a function")
		case f.bytes(5):
			err = d.name(f, &fn.outputs, maxList, "outputs of a function")
		case f.bytes(6):
			err = d.name(f, &fn.attrs, maxList, "attributes of a function")
		case f.bytes(7):
			var n node
			if n, err = d.node(f.b); err == nil {
				err = put(d, &fn.nodes, n, maxNodes, "nodes in a function")
			}
		case f.bytes(9):
			var o opset
			if o, err = d.opset(f.b); err == nil {
				err = put(d, &fn.opsets, o, maxList, "operator sets")
			}
		case f.bytes(10):
			fn.domain, err = f.string()
		case f.bytes(11):
			var a attribute
			if a, err = d.attribute(f.b); err == nil {
				err = put(d, &fn.defaults, a, maxAttributes, "attributes of a function")
			}
		case f.bytes(13):
			fn.overload, err = f.string()
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("function %s: %w", fn.name, err)
	}
	return fn, err
}

// subgraph is the graph of an attribute.
func (d *decoder) subgraph(b []byte) (*graph, error) {
	if d.depth++; d.depth > maxDepth {
		return nil, fmt.Errorf("graphs lie inside each other more than %d deep", maxDepth)
	}
	defer func() { d.depth-- }()
	g, err := d.graph(b)
	if err == nil {
		g.free = freeNames(g)
	}
	return g, err
}

// freeNames are the values that a graph reads but does not make.
func freeNames(g *graph) []string {
	own := map[string]bool{"": true}
	for i := range g.inputs {
		own[g.inputs[i].name] = true
	}
	for i := range g.tensors {
		own[g.tensors[i].name] = true
	}
	for i := range g.sparse {
		own[g.sparse[i].values.name] = true
	}
	for i := range g.nodes {
		for _, out := range g.nodes[i].outputs {
			own[out] = true
		}
	}
	var free []string
	need := func(name string) {
		if !own[name] {
			own[name] = true
			free = append(free, name)
		}
	}
	for i := range g.nodes {
		for _, in := range g.nodes[i].inputs {
			need(in)
		}
		for _, sub := range g.nodes[i].graphs() {
			for _, name := range sub.free {
				need(name)
			}
		}
	}
	for i := range g.outputs {
		need(g.outputs[i].name)
	}
	return slices.Clip(free)
}

// graphs are the graphs inside a node.
func (n *node) graphs() []*graph {
	var out []*graph
	for i := range n.attrs {
		if g := n.attrs[i].graph; g != nil {
			out = append(out, g)
		}
	}
	return out
}

// captures are the values of the whole graph that a node's graphs read.
func (n *node) captures() []string {
	var out []string
	for i := range n.attrs {
		if g := n.attrs[i].graph; g != nil {
			for _, name := range g.free {
				out = append(out, n.scope.of(name))
			}
		}
	}
	return out
}

func (d *decoder) sparse(b []byte) (t sparseProto, err error) {
	err = fields(b, func(f field) (err error) {
		switch {
		case f.bytes(1), f.bytes(2):
			var part tensorProto
			if part, err = d.tensor(f.b); f.num == 1 {
				t.values = part
			} else {
				t.indices = part
			}
		case f.num == 3:
			err = eachVarint(f, func(v uint64) {
				if len(t.dims) <= maxRank {
					t.dims = append(t.dims, int64(v))
				}
			})
		}
		return err
	})
	if err == nil && len(t.dims) > maxRank {
		err = fmt.Errorf("more than %d axes", maxRank)
	}
	return t, err
}
