package model

import (
	"slices"
	"strconv"
	"strings"
)

// PyTorch's exporter numbers the calls of a module that a program calls several
// times: the nodes of the first are /block/relu/Relu, of the next /block/relu_1/Relu.
// A module of the author may be called relu_1, too. Equal weights tell a call from a
// module of its own, and so does a neighbour: beside a module conv_1 with weights other
// than those of conv, relu_1 is a module, too. Where nothing tells it is a call.

// lastCall is the last node of the module path, in the nodes of its last call; "" if
// it has one call only.
func (net *Network) lastCall(path []string) string {
	first := net.call(path)
	if len(first) == 0 {
		return ""
	}
	last := ""
	for k := 1; !net.authorNumbers(path[:len(path)-1], k); k++ {
		again := slices.Clone(path)
		again[len(again)-1] += "_" + strconv.Itoa(k)
		nodes := net.call(again)
		if !sameModule(first, nodes) || !net.inOrder(first[0], nodes[0]) {
			break
		}
		last = nodes[len(nodes)-1].Name
	}
	return last
}

// call lists the nodes inside the module path, by PyTorch's names for scopes, without constants.
func (net *Network) call(path []string) (nodes []*Node) {
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if _, constant := n.Layer.(*Constant); constant || n.Module != "" || !strings.HasPrefix(n.Name, "/") {
			continue
		}
		if have := n.modulePath(); len(have) > len(path) && slices.Equal(have[:len(path)], path) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// inOrder reports whether node a comes before b.
func (net *Network) inOrder(a, b *Node) bool {
	for i := range net.Nodes {
		switch &net.Nodes[i] {
		case a:
			return true
		case b:
			return false
		}
	}
	return false
}

// authorNumbers reports whether the ends _k of the names of modules in a module are their
// author's: one of them has other weights than the module without that end.
func (net *Network) authorNumbers(around []string, k int) bool {
	end := "_" + strconv.Itoa(k)
	seen := map[string]bool{}
	for i := range net.Nodes {
		have := net.Nodes[i].modulePath()
		if len(have) < len(around)+2 || !slices.Equal(have[:len(around)], around) {
			continue
		}
		own := have[len(around)]
		base, ok := strings.CutSuffix(own, end)
		if !ok || base == "" || seen[own] {
			continue
		}
		seen[own] = true
		a := net.call(append(slices.Clone(around), base))
		b := net.call(append(slices.Clone(around), own))
		if (weighty(a) || weighty(b)) && !sameModule(a, b) {
			return true
		}
	}
	return false
}

func weighty(nodes []*Node) bool {
	return slices.ContainsFunc(nodes, func(n *Node) bool {
		k, ok := n.Layer.(kind)
		return ok && weightCount(k) > 0
	})
}

// sameModule reports whether two lists of nodes can be calls of one module: the same
// kinds of layers with the same weights.
func sameModule(a, b []*Node) bool {
	return slices.EqualFunc(a, b, func(x, y *Node) bool {
		k, ok := x.Layer.(kind)
		l, also := y.Layer.(kind)
		if !ok || !also || x.Layer.Kind() != y.Layer.Kind() {
			return false
		}
		theirs := l.slots()
		for i, s := range k.slots() {
			if !s.counted {
				continue
			}
			v, w := s.weights(), theirs[i].weights()
			if (v == nil) != (w == nil) || v != nil && !(slices.Equal(v.shape, w.shape) && slices.Equal(v.values.Floats(), w.values.Floats())) {
				return false
			}
		}
		return true
	})
}
