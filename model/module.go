package model

import (
	"slices"
	"strings"
)

// modulePath is the path of the author's module that a node belongs to, in its
// parts: of "/layer4/layer4.1/conv2/Conv" layer4, 1, conv2, Conv. Exporters repeat
// the name of a list before its members.
func (n *Node) modulePath() []string {
	name := n.Name
	if n.Module != "" {
		name = n.Module
	}
	name, _, _ = strings.Cut(name, ":") // Keras's ":0"
	var parts []string
	last := ""
	for _, part := range strings.Split(name, "/") {
		switch {
		case part == "" || part == "StatefulPartitionedCall" || part == "PartitionedCall":
			continue
		case last != "" && strings.HasPrefix(part, last+"."):
			parts = append(parts, strings.Split(part[len(last)+1:], ".")...)
		default:
			parts = append(parts, strings.Split(part, ".")...)
		}
		last = part
	}
	return parts
}

// lastOfModule returns the last node of the module that path names: from the
// outermost module on, or else, if only one module has that end, from any. Of a
// module that is called several times it is the last node of the last call, as a
// forward hook sees last. Several ends are returned as candidates.
func (net *Network) lastOfModule(path string) (name string, candidates []string) {
	want := (&Node{Name: path}).modulePath()
	if len(want) == 0 {
		return "", nil
	}
	inner := map[string]string{} // last node by the modules around
	var order []string
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if _, fixed := n.Layer.(*Constant); fixed {
			continue
		}
		have := n.modulePath()
		for at := range have {
			if len(have)-at < len(want) || !slices.Equal(have[at:at+len(want)], want) {
				continue
			}
			if at == 0 {
				name = n.Name
				break
			}
			around := strings.Join(have[:at], ".")
			if inner[around] == "" {
				order = append(order, around)
			}
			inner[around] = n.Name
			break
		}
	}
	if name != "" {
		return net.lastOf(want, name, want), nil
	}
	if len(order) == 1 {
		return net.lastOf(append(strings.Split(order[0], "."), want...), inner[order[0]], want), nil
	}
	for _, around := range order {
		candidates = append(candidates, net.lastOf(append(strings.Split(around, "."), want...), inner[around], want))
	}
	return "", candidates
}

// lastOf is the last node of the module path (in full), in its last call. name is the last node under that
// path, want what the user said of it.
func (net *Network) lastOf(path []string, name string, want []string) string {
	if last := net.lastCall(path); last != "" {
		return last
	}
	return net.moduleEnd(name, want)
}

// moduleEnd follows a module of several layers to its end where the file names
// only layers with weights: over the sum and the rectifiers that come next and
// belong to no module.
func (net *Network) moduleEnd(name string, path []string) string {
	n := net.Node(name)
	if n.Module == "" || len(n.modulePath()) <= len(path) {
		return name
	}
	for {
		next := net.Consumers(name)
		if len(next) != 1 || next[0].Module != "" {
			return name
		}
		switch l := next[0].Layer.(type) {
		case *Add, *ReLU, *Clip, *BatchNorm:
		case *Unary:
			if !IsRectifier(l) {
				return name
			}
		case *Binary:
			if l.Op != BinaryAdd {
				return name
			}
		default:
			return name
		}
		name = next[0].Name
	}
}

// modules lists the paths of modules, each once.
func (net *Network) modules() []string {
	var out []string
	seen := map[string]bool{}
	for i := range net.Nodes {
		parts := net.Nodes[i].modulePath()
		for k := 1; k <= len(parts); k++ {
			if path := strings.Join(parts[:k], "."); len(parts) > 1 && !seen[path] {
				seen[path] = true
				out = append(out, path)
			}
		}
	}
	return out
}
