package model

import "slices"

// Graph is a network as those see it who run it for some of its values: what is
// needed for these, who reads a value, and what can be computed in one step.
type Graph struct {
	net            *Network
	wanted, needed map[string]bool
	readers        map[string][]*Node
}

// Graph returns the network as it is run for the values called wanted.
func (net *Network) Graph(wanted ...string) *Graph {
	g := &Graph{net: net, wanted: map[string]bool{}, needed: net.Needed(wanted, nil), readers: map[string][]*Node{}}
	for _, name := range wanted {
		g.wanted[name] = true
	}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if !g.needed[n.Name] {
			continue
		}
		for _, in := range n.Inputs {
			g.readers[in] = append(g.readers[in], n)
		}
	}
	return g
}

// Needed lists the values that those called wanted depend on, themselves among
// them. along, if not nil, says which inputs of a node to follow.
func (net *Network) Needed(wanted []string, along func(n *Node, input int) bool) map[string]bool {
	needed := map[string]bool{}
	for _, name := range wanted {
		needed[name] = true
	}
	for i := range slices.Backward(net.Nodes) {
		n := &net.Nodes[i]
		if !needed[n.Name] {
			continue
		}
		for which, in := range n.Inputs {
			if along == nil || along(n, which) {
				needed[in] = true
			}
		}
	}
	return needed
}

// Wanted reports whether the value is one of those that the network is run for.
func (g *Graph) Wanted(name string) bool { return g.wanted[name] }

// Needed reports whether a wanted value depends on the value or is it.
func (g *Graph) Needed(name string) bool { return g.needed[name] }

// Readers lists the needed nodes that read the value, in order, each once for
// every input that is the value.
func (g *Graph) Readers(name string) []*Node { return g.readers[name] }

// OnlyReader is the one node that reads a value that nobody wants, or nil.
func (g *Graph) OnlyReader(name string) *Node {
	if r := g.readers[name]; len(r) == 1 && !g.wanted[name] {
		return r[0]
	}
	return nil
}

// Fused is a node and those behind it whose values are computed in one step.
type Fused struct {
	Node *Node // reads the inputs
	Epilogue
	Pool *Node  // the Pool (MaxOfMaps) of what the epilogue makes, or nil
	Out  string // the value that is stored: that of the last of them
}

// Epilogue is what is done to the values that a node computes before they are
// stored, in the order of the fields; each may be nil.
type Epilogue struct {
	Norm *Node // the BatchNorm; of a Conv it goes into the weights
	Bias *Node // the Binary that adds a number to each column, see addsBias
	Act  *Node // a function of each number, see IsActivation
}

// IsActivation reports whether a layer can be an Epilogue's Act: it makes each
// number from the one number at its place.
func IsActivation(l Layer) bool {
	switch l.(type) {
	case *ReLU, *Clip, *Unary:
		return true
	}
	return false
}

// IsRectifier reports whether a layer is one of those that deconvnets treat as
// rectifiers: a ReLU, a Clip or a leaky one.
func IsRectifier(l Layer) bool {
	switch l := l.(type) {
	case *ReLU, *Clip:
		return true
	case *Unary:
		return l.leaky() && l.Alpha >= 0
	}
	return false
}

// Fusions cuts the needed nodes into steps, in the network's order. A node joins
// the step that makes its only input if nothing else reads that and nobody wants
// it, if it comes next in the order of Fused and Epilogue, and if can says that
// whoever computes the step f can do next with it.
func (g *Graph) Fusions(can func(f *Fused, next *Node) bool) []Fused {
	var out []Fused
	taken := map[string]bool{}
	for i := range g.net.Nodes {
		n := &g.net.Nodes[i]
		if !g.needed[n.Name] || taken[n.Name] {
			continue
		}
		f := Fused{Node: n, Out: n.Name}
		for {
			next := g.OnlyReader(f.Out)
			if next == nil || !f.add(next, can) {
				break
			}
			f.Out, taken[next.Name] = next.Name, true
		}
		out = append(out, f)
	}
	return out
}

// add makes next a part of the step if it can be one.
func (f *Fused) add(next *Node, can func(f *Fused, next *Node) bool) bool {
	var to **Node
	_, norm := next.Layer.(*BatchNorm)
	switch {
	case norm && f.Norm == nil && f.Bias == nil && f.Act == nil && f.Pool == nil:
		to = &f.Norm
	case addsBias(next.Layer) && f.Bias == nil && f.Act == nil && f.Pool == nil:
		to = &f.Bias
	case IsActivation(next.Layer) && f.Act == nil && f.Pool == nil:
		to = &f.Act
	case isMaxPool(next.Layer) && f.Pool == nil:
		to = &f.Pool
	}
	if to == nil || !can(f, next) {
		return false
	}
	*to = next
	return true
}

// Weights are those of a step that begins with a Conv of maps, its Norm folded in.
func (f *Fused) Weights() (weight, bias []float32) {
	l := f.Node.Layer.(*Conv)
	if f.Norm == nil {
		return l.Weight.Floats(), l.Bias
	}
	return foldBatchNorm(l, f.Norm.Layer.(*BatchNorm))
}

// addsBias reports whether a layer adds a constant to each number along the last axis,
// the same ones for all places along the others.
func addsBias(l Layer) bool {
	b, ok := l.(*Binary)
	if !ok || b.Op != BinaryAdd || b.Value == nil {
		return false
	}
	value, other := b.B, b.A
	if b.First {
		value, other = b.A, b.B
	}
	return len(value) > 0 && len(value) <= len(other) && len(b.Value.Data) == value[len(value)-1] && len(b.Value.Data) == other[len(other)-1]
}

// storedWith reports whether the kernels of a layer apply an activation while
// they store its values; epilogue is how they are told.
func storedWith(l, act Layer) bool {
	_, relu := act.(*ReLU)
	switch l := l.(type) {
	case *Conv:
		_, clip := act.(*Clip)
		return l.Maps() && (relu || clip || isFunction(act))
	case *Add:
		return relu
	case *MatMul:
		return isFunction(act)
	}
	return false
}

func isMaxPool(l Layer) bool {
	pool, ok := l.(*Pool)
	return ok && pool.MaxOfMaps()
}
