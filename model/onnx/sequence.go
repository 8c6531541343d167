package onnx

import (
	"fmt"
	"slices"
)

// Sequences are lists of arrays. They exist while a file is read only: their
// length is always known, and what is in them are values like others.

// sequence holds the names of the values in it.
type sequence struct{ items []string }

// list returns input i, which must be a sequence.
func (c *converter) list(n *node, i int) ([]string, error) {
	v, err := c.arg(n, i)
	switch {
	case err != nil:
		return nil, err
	case v == nil || v.seq == nil:
		return nil, malformed("input %d is no sequence", i)
	}
	return v.seq.items, nil
}

// makeList makes a node's output a sequence.
func (c *converter) makeList(n *node, items []string) error {
	c.opened = true
	if err := c.grow(&node{inputs: items}, 0); err != nil {
		return err
	}
	for _, name := range items {
		c.uses[name] += 2
	}
	c.values[n.output()] = &value{seq: &sequence{items}}
	return nil
}

func sequenceConstruct(c *converter, n *node) error {
	if n.op == "SequenceEmpty" {
		return c.makeList(n, nil)
	}
	for i := range n.inputs {
		if v, err := c.arg(n, i); err != nil || v == nil || v.seq != nil {
			return malformed("input %d is no array", i)
		}
	}
	return c.makeList(n, n.inputs)
}

// place returns the optional input i, an index into a sequence of the given size.
func (c *converter) place(n *node, i, size int, def int64) (int, error) {
	k, err := c.constant(n, i)
	if err != nil {
		return 0, err
	}
	at := def
	if k != nil {
		if k.i == nil || k.len() != 1 {
			return 0, malformed("position is %v, want one integer", k)
		}
		at = k.i[0]
	}
	return axis(at, size)
}

func sequenceInsert(c *converter, n *node) error {
	items, err := c.list(n, 0)
	if err != nil {
		return err
	}
	if v, err := c.arg(n, 1); err != nil || v == nil || v.seq != nil {
		return malformed("input 1 is no array")
	}
	k, err := c.constant(n, 2)
	if err != nil {
		return err
	}
	at := len(items)
	if k != nil && !(k.i != nil && k.len() == 1 && k.i[0] == int64(len(items))) {
		if at, err = c.place(n, 2, len(items), 0); err != nil {
			return err
		}
	}
	return c.makeList(n, slices.Insert(slices.Clone(items), at, n.inputs[1]))
}

func sequenceErase(c *converter, n *node) error {
	items, err := c.list(n, 0)
	if err != nil {
		return err
	}
	at, err := c.place(n, 1, len(items), -1)
	if err != nil {
		return err
	}
	return c.makeList(n, slices.Delete(slices.Clone(items), at, at+1))
}

func sequenceAt(c *converter, n *node) error {
	items, err := c.list(n, 0)
	if err != nil {
		return err
	}
	at, err := c.place(n, 1, len(items), 0)
	if err != nil {
		return err
	}
	return c.run("Identity", items[at:at+1], []string{n.output()})
}

func sequenceLength(c *converter, n *node) error {
	items, err := c.list(n, 0)
	if err == nil {
		c.values[n.output()] = &value{k: &constant{i: []int64{int64(len(items))}}}
	}
	return err
}

// splitToSequence cuts along an axis into rows, which lose the axis unless
// keepdims says otherwise, or into parts of given sizes.
func splitToSequence(c *converter, n *node) error {
	dims, err := c.dimsOf(n, 0)
	if err != nil {
		return err
	}
	a, err := axis(n.int("axis", 0), len(dims))
	if err != nil {
		return err
	}
	k, err := c.constant(n, 1)
	if err != nil {
		return err
	}
	size := dims[a]
	var sizes []int64
	switch {
	case k == nil:
		for range min(size, int64(c.more)+1) {
			sizes = append(sizes, 1)
		}
	case k.i == nil:
		return malformed("sizes are %v", k)
	case len(k.dims) == 0: // one size, the last part may be smaller
		if k.i[0] < 1 {
			return malformed("parts of %d", k.i[0])
		}
		for left := size; left > 0 && len(sizes) <= c.more; left -= k.i[0] {
			sizes = append(sizes, min(k.i[0], left))
		}
	default:
		sizes = k.i
	}
	if err := c.grow(&node{outputs: make([]string, len(sizes))}, 0); err != nil {
		return err
	}
	var parts []string
	for i := range sizes {
		parts = append(parts, c.fresh(fmt.Sprintf("%s/part%d", n.output(), i)))
	}
	split := c.known(n.output()+"/sizes", &constant{dims: []int{len(sizes)}, i: sizes})
	if err := c.run("Split", []string{n.inputs[0], split}, parts, attribute{name: "axis", i: int64(a)}); err != nil {
		return err
	}
	if k == nil && n.int("keepdims", 1) == 0 {
		for i, part := range parts {
			parts[i] = c.fresh(fmt.Sprintf("%s/row%d", n.output(), i))
			if err := c.run("Squeeze", []string{part}, parts[i:i+1], attribute{name: "axes", ints: []int64{int64(a)}}); err != nil {
				return err
			}
		}
	}
	return c.makeList(n, parts)
}

func concatFromSequence(c *converter, n *node) error {
	items, err := c.list(n, 0)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return refuse("it joins nothing")
	}
	if !n.has("axis") {
		return malformed("axis is missing")
	}
	if n.int("new_axis", 0) != 0 {
		return c.stack(items, n.output(), n.int("axis", 0))
	}
	return c.run("Concat", items, []string{n.output()}, *n.attr("axis"))
}

// sequenceMap runs its body for each value of its first input; other inputs are
// sequences as long, or arrays that all see.
func sequenceMap(c *converter, n *node) error {
	items, err := c.list(n, 0)
	if err != nil {
		return err
	}
	g, err := n.graph("body")
	if err != nil {
		return err
	}
	t, err := c.turns(n, nil, len(n.inputs), len(g.outputs))
	if err != nil {
		return err
	}
	if len(n.outputs) > len(g.outputs) {
		return malformed("its body has %d outputs, want %d", len(g.outputs), len(n.outputs))
	}
	rows := make([][]string, len(n.outputs))
	for turn := range items {
		var in []string
		for i, name := range n.inputs {
			v, err := c.arg(n, i)
			switch {
			case err != nil || v == nil:
				return malformed("input %d is missing", i)
			case v.seq == nil:
				in = append(in, name)
			case len(v.seq.items) != len(items):
				return malformed("sequences of %d and %d arrays", len(items), len(v.seq.items))
			default:
				in = append(in, v.seq.items[turn])
			}
		}
		out, ok, err := t.next(turn, in)
		if err != nil || !ok {
			return c.spoil(n, err)
		}
		for i := range rows {
			rows[i] = append(rows[i], out[i])
		}
	}
	for i, out := range n.outputs {
		if out != "" {
			if err := c.makeList(&node{outputs: []string{out}}, rows[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// passOn gives a node's input another name.
func passOn(c *converter, n *node) error {
	v, err := c.arg(n, 0)
	switch {
	case err != nil:
		return err
	case v == nil:
		return refuse("it is empty")
	}
	same := *v
	same.sole = false
	c.values[n.output()] = &same
	return nil
}

// optional is its input, or an empty sequence for nothing.
func optional(c *converter, n *node) error {
	if v, err := c.arg(n, 0); err != nil || v != nil {
		return passOn(c, n)
	}
	c.values[n.output()] = &value{seq: &sequence{}, none: true}
	return nil
}

func optionalHas(c *converter, n *node) error {
	v, err := c.arg(n, 0)
	if err != nil {
		return err
	}
	has := int64(1)
	if v == nil || v.none {
		has = 0
	}
	c.values[n.output()] = &value{k: &constant{i: []int64{has}}}
	return nil
}

// listExits makes each value of a sequence that is an output an output of its own.
func (c *converter) listExits() {
	var out []exit
	for _, e := range c.exits {
		v := c.values[e.value]
		if v == nil || v.seq == nil || v.none {
			out = append(out, e)
			continue
		}
		for i, item := range v.seq.items {
			out = append(out, exit{name: fmt.Sprintf("%s[%d]", e.name, i), value: item, asked: e.asked})
		}
	}
	c.exits = out
}
