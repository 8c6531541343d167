package onnx

import (
	"fmt"
	"slices"
)

// Functions of the file, and graphs inside nodes, become nodes of the one graph
// that is converted: copies whose names say where they are from. Functions are
// put in before anything is computed; graphs inside nodes when their node is
// reached, because which is taken, and how often, may depend on shapes.

// A file's nodes may become this many times more: a fixed number and some for
// each byte of the file, so that a small file cannot ask for much memory.
const (
	moreNodes     = 10_000
	bytesPerNode  = 100 // of the file, for one node more
	maxScopeDepth = 64
)

// scope says what names inside a function, or inside a graph of a node, stand
// for in the graph as a whole.
type scope struct {
	around *scope            // nil: the file's graph, or, of a function, nothing
	names  map[string]string // what is made here, or given; "": left out
	prefix string            // of names made here
	depth  int
	// Of functions:
	fn   *function
	call *node
}

// of is what a name stands for.
func (s *scope) of(name string) string {
	for ; s != nil && name != ""; s = s.around {
		if to, ok := s.names[name]; ok {
			return to
		}
		if s.fn != nil {
			return s.prefix + name // the function does not make it
		}
	}
	return name
}

// function is the function that a scope is in, nil if in none.
func (s *scope) function() *scope {
	for ; s != nil; s = s.around {
		if s.fn != nil {
			return s
		}
	}
	return nil
}

// inside is a new scope for a graph of node n.
func (n *node) inside(prefix string) (*scope, error) {
	s := &scope{around: n.scope, names: map[string]string{}, prefix: prefix, depth: 1}
	if n.scope != nil {
		s.depth = n.scope.depth + 1
	}
	if s.depth > maxScopeDepth {
		return nil, refuse("functions and graphs lie inside each other more than %d deep", maxScopeDepth)
	}
	return s, nil
}

type functionKey struct{ domain, name, overload string }

func (c *converter) function(n *node) *function {
	domain := n.domain
	if domain == "ai.onnx" {
		domain = ""
	}
	fn := c.functions[functionKey{domain, n.op, n.overload}]
	if fn != nil && c.unknown(n) != "" {
		return fn
	}
	return nil
}

// flatten puts functions in place of the nodes that call them.
func (c *converter) flatten(f *file) ([]*node, error) {
	nodes := make([]*node, len(c.graph.nodes))
	for i := range nodes {
		nodes[i] = &c.graph.nodes[i]
	}
	if len(f.functions) == 0 {
		return nodes, nil
	}
	for i := range f.functions {
		fn := &f.functions[i]
		key := functionKey{fn.domain, fn.name, fn.overload}
		if key.domain == "ai.onnx" {
			key.domain = ""
		}
		if c.functions[key] != nil {
			return nil, fmt.Errorf("function %s.%s is there twice", fn.domain, fn.name)
		}
		c.functions[key] = fn
	}
	var flat []*node
	for _, n := range nodes {
		fn := c.function(n)
		if fn == nil {
			flat = append(flat, n)
			continue
		}
		var err error
		if flat, err = c.expand(fn, n, flat); err != nil {
			return nil, fmt.Errorf("node %s (%s): %w", c.title(n), n.op, err)
		}
	}
	return flat, nil
}

// expand appends the nodes of a function called by n.
func (c *converter) expand(fn *function, n *node, to []*node) ([]*node, error) {
	s, err := n.inside(c.prefix(n))
	if err != nil {
		return nil, err
	}
	s.around, s.fn, s.call = nil, fn, n
	if len(n.inputs) > len(fn.inputs) || len(n.outputs) > len(fn.outputs) {
		return nil, malformed("the function has %d inputs and %d outputs, the node %d and %d", len(fn.inputs), len(fn.outputs), len(n.inputs), len(n.outputs))
	}
	for i, name := range fn.inputs {
		s.names[name] = ""
		if i < len(n.inputs) {
			s.names[name] = n.inputs[i]
		}
	}
	return c.copies(fn.nodes, s, fn.outputs, n.outputs, to)
}

// copies appends copies of nodes in scope s to a list. Those values of the scope
// called inner are the graph's called outer.
func (c *converter) copies(nodes []node, s *scope, inner, outer []string, to []*node) ([]*node, error) {
	made := map[string]bool{}
	for i := range nodes {
		for _, out := range nodes[i].outputs {
			made[out] = true
		}
	}
	var passed []*node
	for i, out := range outer {
		in := inner[i]
		switch {
		case out == "":
		case made[in] && s.names[in] == "":
			s.names[in] = out
		default: // an input, or an output named twice
			passed = append(passed, &node{op: "Identity", inputs: []string{in}, outputs: []string{out}})
		}
	}
	for i := range nodes {
		for _, out := range nodes[i].outputs {
			if _, ok := s.names[out]; out != "" && !ok {
				s.names[out] = c.fresh(s.prefix + out)
			}
		}
	}
	for i := range nodes {
		n, err := c.copied(&nodes[i], s, len(nodes) == 1)
		if err != nil {
			return nil, err
		}
		if fn := c.function(n); fn != nil {
			if to, err = c.expand(fn, n, to); err != nil {
				return nil, err
			}
			continue
		}
		to = append(to, n)
	}
	for _, n := range passed {
		n.inputs[0] = s.of(n.inputs[0])
		to = append(to, n)
	}
	return to, nil
}

// copied is a node with the names that its own stand for in a scope. The only
// node of a function is called like the node that calls it.
func (c *converter) copied(n *node, s *scope, only bool) (*node, error) {
	f := s.function()
	out := &node{op: n.op, domain: n.domain, overload: n.overload, attrs: n.attrs, scope: s, scopes: n.scopes}
	if n.name != "" {
		out.name = s.prefix + n.name
	}
	if only && s.fn != nil && s.call.name != "" {
		out.name = s.call.name
	}
	if f != nil {
		out.opsets = f.fn.opsets
	}
	if err := c.grow(n, len(out.name)); err != nil {
		return nil, err
	}
	for _, in := range n.inputs {
		out.inputs = append(out.inputs, s.of(in))
	}
	for _, name := range n.outputs {
		out.outputs = append(out.outputs, s.of(name))
	}
	if slices.ContainsFunc(n.attrs, func(a attribute) bool { return a.ref != "" }) {
		out.attrs = referred(n.attrs, f)
	}
	return out, nil
}

// grow takes a copy of a node from the budget.
func (c *converter) grow(n *node, name int) error {
	bytes := name + 16*(len(n.inputs)+len(n.outputs)) + 150*len(n.attrs)
	for _, out := range n.outputs {
		bytes += len(out)
	}
	if c.more -= 1 + bytes/500; c.more < 0 {
		return refuse("functions and loops written out are more than %d nodes, and one for %d bytes of the file", moreNodes, bytesPerNode)
	}
	return nil
}

// referred are attributes with those that stand for an attribute of the function
// around them replaced by what the call says, or the default; without either
// they are left out.
func referred(attrs []attribute, f *scope) []attribute {
	var out []attribute
	for _, a := range attrs {
		if a.ref == "" {
			out = append(out, a)
			continue
		}
		if f == nil {
			continue
		}
		found := f.call.attr(a.ref)
		if found == nil {
			found = (&node{attrs: f.fn.defaults}).attr(a.ref)
		}
		if found != nil {
			given := *found
			given.name = a.name
			out = append(out, given)
		}
	}
	return out
}

// prefix is what names inside a node begin with.
func (c *converter) prefix(n *node) string {
	title := n.name
	if title == "" || c.prefixes[title] > 0 {
		title = n.output()
	}
	c.prefixes[title]++
	if k := c.prefixes[title]; k > 1 {
		title = fmt.Sprintf("%s.%d", title, k)
	}
	return title + "/"
}

// fresh is a name that no value of the graph has.
func (c *converter) fresh(name string) string {
	if c.taken == nil {
		c.taken = map[string]bool{}
		for i := range c.graph.nodes {
			for _, out := range c.graph.nodes[i].outputs {
				c.taken[out] = true
			}
		}
		for _, in := range c.graph.inputs {
			c.taken[in.name] = true
		}
		for t := range c.tensors {
			c.taken[t] = true
		}
	}
	try := name
	for k := 2; c.taken[try]; k++ {
		try = fmt.Sprintf("%s.%d", name, k)
	}
	c.taken[try] = true
	return try
}
