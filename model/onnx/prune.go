package onnx

// Once it is known which graphs of If nodes run, and what of a sequence is
// used, some nodes turn out to matter to nothing.

// prune leaves out layers that no output depends on.
func (c *converter) prune() {
	var wanted []string
	for _, v := range c.ends() {
		wanted = append(wanted, v.ref)
		if v.seq != nil {
			for _, item := range v.seq.items {
				wanted = append(wanted, c.values[item].ref)
			}
		}
	}
	live := c.net.Needed(wanted, nil)
	kept := c.net.Nodes[:0]
	for _, n := range c.net.Nodes {
		if live[n.Name] {
			kept = append(kept, n)
		}
	}
	c.net.Nodes = kept
	clear(c.layers)
	for i, n := range kept {
		c.layers[n.Name] = i
	}
}

// makers says which of the nodes that were computed makes a value.
func (c *converter) makers() map[string]*node {
	maker := map[string]*node{}
	for _, n := range c.done { // what a graph makes comes before the node that it is in
		for _, out := range n.outputs {
			if maker[out] == nil {
				maker[out] = n
			}
		}
	}
	return maker
}

// relevant are the refused nodes that outputs depend on, now that it is known
// which graphs run.
func (c *converter) relevant() []refusedNode {
	maker := c.makers()
	live := map[*node]bool{}
	var stack []string
	for _, out := range c.exits {
		stack = append(stack, out.value)
	}
	for len(stack) > 0 {
		n := maker[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		if n == nil || live[n] {
			continue
		}
		live[n] = true
		stack = append(append(append(stack, n.inputs...), n.captures()...), c.spoiled[n]...)
	}
	var out []refusedNode
	for _, r := range c.refused {
		if live[r.node] {
			out = append(out, r)
		}
	}
	return out
}
