package onnx

import (
	"errors"
	"fmt"
	"slices"
)

// Nodes with graphs inside: which of them run, and how often, must be known
// from shapes and constants. Then what runs is written out.

// structureOps are operators about other nodes, or about lists of arrays.
func structureOps() map[string]operator {
	return map[string]operator{
		"If": ifNode, "Loop": loop, "Scan": scan, "SequenceMap": sequenceMap,
		"SequenceConstruct": sequenceConstruct, "SequenceEmpty": sequenceConstruct, "SequenceInsert": sequenceInsert,
		"SequenceErase": sequenceErase, "SequenceAt": sequenceAt, "SequenceLength": sequenceLength,
		"SplitToSequence": splitToSequence, "ConcatFromSequence": concatFromSequence,
		"Optional": optional, "OptionalHasElement": optionalHas, "OptionalGetElement": passOn,
	}
}

// graph is the graph that is an attribute of a node.
func (n *node) graph(name string) (*graph, error) {
	a := n.attr(name)
	if a == nil || a.graph == nil {
		return nil, malformed("it has no graph %s", name)
	}
	return a.graph, nil
}

// run computes a node that is made here. What it makes may be read any number
// of times.
func (c *converter) run(op string, inputs, outputs []string, attrs ...attribute) error {
	n := &node{op: op, inputs: inputs, outputs: outputs, attrs: attrs, opsets: newest}
	for _, out := range outputs {
		c.uses[out] += 2
	}
	return c.made(n)
}

// made computes a node that is not in the file.
func (c *converter) made(n *node) error {
	if reason := c.unknown(n); reason != "" {
		c.refuse(n, reason)
	}
	return c.node(n)
}

// known gives a constant a name.
func (c *converter) known(name string, k *constant) string {
	name = c.fresh(name)
	c.values[name] = &value{k: k}
	return name
}

// enter makes a scope for a graph of node n, with its constants.
func (c *converter) enter(n *node, g *graph) (*scope, error) {
	c.opened = true
	s, err := n.inside(c.prefix(n))
	if err != nil {
		return nil, err
	}
	for i := range g.tensors {
		t := &g.tensors[i]
		name := c.fresh(s.prefix + t.name)
		s.names[t.name] = name
		c.tensors[name] = t
	}
	for i := range g.sparse {
		t := &g.sparse[i]
		name := c.fresh(s.prefix + t.values.name)
		s.names[t.values.name] = name
		c.sparse[name] = t
	}
	return s, nil
}

// body computes a graph in scope s. Its outputs are called outputs; those that are
// "" are not wanted.
func (c *converter) body(g *graph, s *scope, outputs []string) error {
	if len(outputs) > len(g.outputs) {
		return malformed("its graph %s has %d outputs, want %d", g.name, len(g.outputs), len(outputs))
	}
	var inner []string
	for i := range outputs {
		inner = append(inner, g.outputs[i].name)
	}
	nodes, err := c.copies(g.nodes, s, inner, outputs, nil)
	if err != nil {
		return err
	}
	var wanted []string
	for _, out := range outputs {
		if out != "" {
			wanted = append(wanted, out)
		}
	}
	if nodes, err = c.order(nodes, wanted); err != nil {
		return err
	}
	for _, n := range nodes {
		c.nodeNames[n.name]++
		if reason := c.unknown(n); reason != "" {
			c.refuse(n, reason)
		}
	}
	for _, n := range nodes {
		if err := c.node(n); err != nil {
			return err
		}
		c.forget(n)
	}
	return nil
}

// condition returns input i of a node if it is a known truth value.
func (c *converter) condition(n *node, i int) (bool, error) {
	k, err := c.constant(n, i)
	_, computed := errors.AsType[*refusal](err)
	switch {
	case computed:
		return false, refuse("its condition %s is computed from the picture", n.inputs[i])
	case err != nil:
		return false, err
	case k == nil:
		return false, malformed("input %d, the condition, is missing", i)
	case k.len() != 1:
		return false, malformed("its condition is %v, want one value", k)
	}
	return k.at(0) != 0, nil
}

// ifNode takes one of two graphs.
func ifNode(c *converter, n *node) error {
	yes, err := c.condition(n, 0)
	if err != nil {
		return err
	}
	name := "else_branch"
	if yes {
		name = "then_branch"
	}
	g, err := n.graph(name)
	if err != nil {
		return err
	}
	s, err := c.enter(n, g)
	if err != nil {
		return err
	}
	return c.body(g, s, c.wanted(n.outputs))
}

// wanted are the names of outputs that something reads, "" for the others.
func (c *converter) wanted(outputs []string) []string {
	out := slices.Clone(outputs)
	for i, name := range out {
		if c.uses[name] == 0 {
			out[i] = ""
		}
	}
	return out
}

// turns is a loop as it is written out.
type turns struct {
	c      *converter
	n      *node
	g      *graph
	s      *scope
	states []string   // values that go from turn to turn
	rows   [][]string // for each output with a row a turn, the rows
}

func (c *converter) turns(n *node, states []string, inputs, outputs int) (*turns, error) {
	g, err := n.graph("body")
	if err != nil {
		return nil, err
	}
	if len(g.inputs) != inputs || len(g.outputs) != outputs {
		return nil, malformed("its body has %d inputs and %d outputs, want %d and %d", len(g.inputs), len(g.outputs), inputs, outputs)
	}
	s, err := c.enter(n, g)
	if err != nil {
		return nil, err
	}
	return &turns{c: c, n: n, g: g, s: s, states: slices.Clone(states)}, nil
}

// next computes one turn of a body with the given inputs and returns its outputs;
// ok is false if it holds what cannot be used.
func (t *turns) next(i int, inputs []string) (outputs []string, ok bool, err error) {
	c := t.c
	s := &scope{around: t.s, names: map[string]string{}, prefix: fmt.Sprintf("%s%d/", t.s.prefix, i), depth: t.s.depth}
	for i, in := range t.g.inputs {
		s.names[in.name] = inputs[i]
		c.uses[inputs[i]] += 2
	}
	for k := range t.g.outputs {
		outputs = append(outputs, c.fresh(fmt.Sprintf("%sout%d", s.prefix, k)))
		c.uses[outputs[k]] = 2
	}
	for range 3 { // a turn costs some, whatever is in it
		if err := c.grow(&node{outputs: outputs}, 0); err != nil {
			return nil, false, err
		}
	}
	refused := len(c.refused)
	if err := c.body(t.g, s, outputs); err != nil {
		return nil, false, err
	}
	ok = len(c.refused) == refused
	for _, out := range outputs {
		v := c.values[out]
		ok = ok && v != nil && !v.bad
	}
	if !ok {
		c.spoiled[t.n] = outputs
	}
	return outputs, ok, nil
}

// finish names the last states and joins rows.
func (t *turns) finish(axes []int64) error {
	c, n := t.c, t.n
	for i, out := range n.outputs {
		if out == "" || c.uses[out] == 0 {
			continue
		}
		if i < len(t.states) {
			if err := c.run("Identity", t.states[i:i+1], []string{out}); err != nil {
				return err
			}
			continue
		}
		if i-len(t.states) >= len(t.rows) || len(t.rows[i-len(t.states)]) == 0 {
			return refuse("its output %s is empty: it makes no turn", out)
		}
		axis, rows := int64(0), t.rows[i-len(t.states)]
		if axes != nil {
			axis = axes[i-len(t.states)]
		}
		if err := c.stack(rows, out, axis); err != nil {
			return err
		}
	}
	return nil
}

// stack joins arrays along a new axis.
func (c *converter) stack(rows []string, out string, axis int64) error {
	var parts []string
	for i, row := range rows {
		part := c.fresh(fmt.Sprintf("%s/row%d", out, i))
		if err := c.run("Unsqueeze", []string{row}, []string{part}, attribute{name: "axes", ints: []int64{axis}}); err != nil {
			return err
		}
		parts = append(parts, part)
	}
	return c.run("Concat", parts, []string{out}, attribute{name: "axis", i: axis})
}

// loop runs its body a known number of times, or while a known condition holds.
func loop(c *converter, n *node) error {
	most := int64(-1)
	m, err := c.constant(n, 0)
	if _, computed := errors.AsType[*refusal](err); computed {
		return refuse("the number of its turns, %s, is computed from the picture", n.inputs[0])
	}
	if err != nil {
		return err
	}
	if m != nil {
		if m.len() != 1 || m.i == nil {
			return malformed("its number of turns is %v", m)
		}
		most = m.i[0]
	}
	goes := true
	if len(n.inputs) > 1 && n.inputs[1] != "" {
		if goes, err = c.condition(n, 1); err != nil {
			return err
		}
	}
	states := n.inputs[min(2, len(n.inputs)):]
	g, err := n.graph("body")
	if err != nil {
		return err
	}
	rows := len(g.outputs) - 1 - len(states)
	t, err := c.turns(n, states, 2+len(states), 1+len(states)+max(rows, 0))
	if err != nil {
		return err
	}
	t.rows = make([][]string, rows)
	for turn := int64(0); goes && (most < 0 || turn < most); turn++ {
		at := c.known(fmt.Sprintf("%s%d/turn", t.s.prefix, turn), &constant{i: []int64{turn}})
		on := c.known(fmt.Sprintf("%s%d/goes", t.s.prefix, turn), &constant{i: []int64{1}})
		out, ok, err := t.next(int(turn), append([]string{at, on}, t.states...))
		if err != nil || !ok {
			return c.spoil(n, err)
		}
		if goes, err = c.condition(&node{inputs: out}, 0); err != nil {
			return err
		}
		t.states = out[1 : 1+len(states)]
		for i := range t.rows {
			t.rows[i] = append(t.rows[i], out[1+len(states)+i])
		}
	}
	return t.finish(nil)
}

// spoil marks the outputs of a node whose body holds refused nodes.
func (c *converter) spoil(n *node, err error) error {
	if err != nil {
		return err
	}
	for _, out := range n.outputs {
		c.values[out] = &value{bad: true}
	}
	return nil
}

// scan runs its body for each row of its last inputs.
func scan(c *converter, n *node) error {
	if c.opset < 9 {
		return scan8(c, n)
	}
	over := int(min(max(n.int("num_scan_inputs", 0), 0), 1<<16))
	states := len(n.inputs) - over
	if over < 1 || states < 0 {
		return malformed("num_scan_inputs is %d of %d inputs", over, len(n.inputs))
	}
	g, err := n.graph("body")
	if err != nil {
		return err
	}
	rows := max(len(g.outputs)-states, 0)
	t, err := c.turns(n, n.inputs[:states], len(n.inputs), states+rows)
	if err != nil {
		return err
	}
	t.rows = make([][]string, rows)
	lists := [4][]int64{} // axes and directions of the inputs, then of the outputs
	for i, name := range []string{"scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"} {
		if lists[i], err = numbers(n, name, []int{over, rows}[i/2]); err != nil {
			return err
		}
	}
	inAxes, inBack, outAxes, outBack := lists[0], lists[1], lists[2], lists[3]
	count, err := c.scanRows(n, states, inAxes)
	if err != nil {
		return err
	}
	for turn := range count {
		in := slices.Clone(t.states)
		for i, back := range inBack {
			row := turn
			if back != 0 {
				row = count - 1 - turn
			}
			at := c.known(fmt.Sprintf("%s%d/at", t.s.prefix, turn), &constant{i: []int64{row}})
			name := c.fresh(fmt.Sprintf("%s%d/in%d", t.s.prefix, turn, i))
			if err := c.run("Gather", []string{n.inputs[states+i], at}, []string{name}, attribute{name: "axis", i: inAxes[i]}); err != nil {
				return err
			}
			in = append(in, name)
		}
		out, ok, err := t.next(int(turn), in)
		if err != nil || !ok {
			return c.spoil(n, err)
		}
		t.states = out[:states]
		for i := range t.rows {
			t.rows[i] = append(t.rows[i], out[states+i])
		}
	}
	for i, back := range outBack {
		if back != 0 {
			slices.Reverse(t.rows[i])
		}
	}
	return t.finish(outAxes)
}

// numbers are those of an attribute that has want of them, or zeros without it.
func numbers(n *node, name string, want int) ([]int64, error) {
	v := n.ints(name)
	if v == nil {
		v = make([]int64, want)
	}
	if len(v) != want {
		return nil, malformed("%s is %v, want %d numbers", name, v, want)
	}
	return v, nil
}

// scanRows is how many rows all the inputs from number first have. It makes the axes
// that those are on count from the front.
func (c *converter) scanRows(n *node, first int, axes []int64) (int64, error) {
	count := int64(-1)
	for i := range axes {
		dims, err := c.dimsOf(n, first+i)
		if err != nil {
			return 0, err
		}
		a, err := axis(axes[i], len(dims))
		if err != nil {
			return 0, err
		}
		if count >= 0 && count != dims[a] {
			return 0, malformed("its inputs have %d and %d rows", count, dims[a])
		}
		count, axes[i] = dims[a], int64(a)
	}
	return count, nil
}

// scan8 is Scan of operator set 8, whose values have the images in front and whose
// first input is the lengths of the sequences.
func scan8(c *converter, n *node) error {
	if len(n.inputs) > 0 && n.inputs[0] != "" {
		return refuse("its sequences have lengths, input %s", n.inputs[0])
	}
	inner := &node{name: n.name, op: "Scan", scope: n.scope, opsets: newest}
	for _, a := range n.attrs {
		if a.name == "directions" {
			a.name = "scan_input_directions"
		}
		inner.attrs = append(inner.attrs, a)
	}
	first := attribute{name: "axes", ints: []int64{0}}
	for i := 1; i < len(n.inputs); i++ {
		dims, err := c.dimsOf(n, i)
		if err != nil {
			return err
		}
		if len(dims) == 0 || dims[0] != 1 {
			return refuse("input %s has shape %v, want one image", n.inputs[i], dims)
		}
		name := c.fresh(n.inputs[i] + "/one")
		if err := c.run("Squeeze", n.inputs[i:i+1], []string{name}, first); err != nil {
			return err
		}
		inner.inputs = append(inner.inputs, name)
	}
	for _, out := range c.wanted(n.outputs) {
		if out != "" {
			out = c.fresh(out + "/one")
			c.uses[out] = 2
		}
		inner.outputs = append(inner.outputs, out)
	}
	if err := c.node(inner); err != nil {
		return err
	}
	for i, out := range inner.outputs {
		if out == "" {
			continue
		}
		if err := c.run("Unsqueeze", []string{out}, n.outputs[i:i+1], first); err != nil {
			return err
		}
	}
	return nil
}

// dimsOf returns the dims of input i of a node.
func (c *converter) dimsOf(n *node, i int) ([]int64, error) {
	v, err := c.arg(n, i)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, malformed("input %d is missing", i)
	case v.seq != nil:
		return nil, malformed("input %d is a sequence", i)
	case v.k != nil:
		return int64s(v.k.dims), nil
	}
	return v.dims, nil
}
