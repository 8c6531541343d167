// Package incremental computes what a network makes of an image of which a
// rectangle has been changed, for many changes of one image, from what it makes
// of the image itself.
//
// A change of a rectangle changes a rectangle of every layer (Krypton's
// projective field, [krypton19] section 4). Neighbouring changes are computed
// together, one in each lane of a lane buffer (see internal/kernel): for every
// layer each lane has a window, of one size but at a place of its own, which
// contains what its change can change; the rest is read from the clean image's
// values. Dense layers and what follows them wait until there are many changes,
// so that their weights are read once for all of those.
//
// In exact mode every number is the same sum as in a whole pass, bit for bit. In
// fast mode convolutions and dense layers may start from the clean sums and add
// the products with inputs that changed only, or use the transpose of Winograd's
// F(2x2, 3x3) on those: numbers then agree to about 1e-6 of a layer's largest.
// Which way a layer takes is decided by its predicted cost. A network that rounds
// values to small types is always computed in exact mode.
//
// [krypton19] Nakandala, Kumar, Papakonstantinou: Incremental and approximate
// inference for faster occlusion-based deep CNN explanations, SIGMOD 2019.
package incremental

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// maxLanes is the largest number of lanes of any kernel level.
const maxLanes = 32

// Options say what is computed and how.
type Options struct {
	Outputs []string // values wanted of every change, whole
	Totals  []string // values of which the sum of one map is wanted
	Exact   bool     // the bits of a whole pass
	// Changes is a sample of the patches that will be run, in order; only the cost
	// model uses it.
	Changes []model.Box
	Memory  int // bytes that working memory should stay within; 0: about 280 MiB, more if the workers need it
}

// Net is a network ready to follow changes. It is immutable.
type Net struct {
	engine *model.Engine
	net    *model.Network
	shapes map[string]model.Shape
	o      Options
	lanes  int
	values []value
	steps  []step
	late   []lateStep
	ids    map[string]int // of early values and their aliases
	keep   []string       // of the clean pass
	group  int            // blocks that late steps wait for
	spare  *spare
	memory int
	works  int // blocks worked on at once
	cost   Cost
}

// value is what a step computes.
type value struct {
	name    string
	clean   string // what the clean pass keeps: the value before a fused rectifier
	relu    bool   // the value is max(clean, 0)
	shape   model.Shape
	readers int // steps that read it; one more if it is wanted after them
	spatial bool
	// A convolution that only a Concat reads writes its windows where that wants
	// them: from channel first of value join, or join is 0.
	join, first int
}

// op is the kind of a step.
type op int

const (
	opConv op = iota
	opMaxPool
	opAvgPool
	opGlobalAvg
	opEach // elementwise, in place
	opLRN
	opAdd
	opConcat
	opPad
	opWhole // whole maps, by the layer's own pass
)

type step struct {
	op    op
	node  *model.Node
	in    []int
	out   int
	geo   kernel.Conv
	pool  kernel.Pool
	conv  *kernel.LaneConv
	way   kernel.LaneWay
	w     []float32
	bias  []float32
	relu  bool // fused
	scale []float32
	shift []float32
}

// lateStep is a layer that waits for a group of blocks.
type lateStep struct {
	node  *model.Node
	alias bool
	// Delta form: the early value whose windows are multiplied, or -1.
	delta int
}

// Compile prepares a network.
func Compile(engine *model.Engine, net *model.Network, o Options) (*Net, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	n := &Net{engine: engine, net: net, shapes: shapes, o: o, lanes: kernel.Lanes(), ids: map[string]int{}, spare: &spare{}}
	if kernel.Name() == "ref" {
		return nil, fmt.Errorf("the reference kernels have no incremental form")
	}
	wanted := map[string]bool{}
	for _, name := range slices.Concat(o.Outputs, o.Totals) {
		if _, ok := shapes[name]; !ok {
			return nil, fmt.Errorf("no layer %q", name)
		}
		wanted[name] = true
	}
	needed := map[string]bool{}
	for i := len(net.Nodes) - 1; i >= 0; i-- {
		node := &net.Nodes[i]
		if wanted[node.Name] || needed[node.Name] {
			needed[node.Name] = true
			for _, in := range node.Inputs {
				needed[in] = true
			}
		}
	}
	for i := range net.Nodes { // the least error would become a whole step where values are rounded
		_, rounds := net.Nodes[i].Layer.(*model.Quantize)
		n.o.Exact = n.o.Exact || rounds && needed[net.Nodes[i].Name]
	}
	late := n.lateNodes(needed)
	n.add(value{name: net.Input.Name, clean: net.Input.Name, shape: net.Input.Shape()}, net.Input.Name)
	fused := map[string]bool{}
	sole := func(name string) *model.Node {
		if wanted[name] {
			return nil
		}
		var only *model.Node
		for _, c := range net.Consumers(name) {
			if needed[c.Name] {
				if only != nil {
					return nil
				}
				only = c
			}
		}
		return only
	}
	for i := range net.Nodes {
		node := &net.Nodes[i]
		if !needed[node.Name] || fused[node.Name] {
			continue
		}
		if late[node.Name] {
			n.late = append(n.late, lateStep{node: node, alias: isAlias(node.Layer), delta: -1})
			continue
		}
		s := step{node: node, op: opWhole}
		for _, in := range node.Inputs {
			s.in = append(s.in, n.ids[in])
		}
		out := node.Name
		clean := out
		in := model.Shape{}
		if len(node.Inputs) > 0 {
			in = shapes[node.Inputs[0]]
		}
		fuseReLU := func() {
			if next := sole(out); next != nil {
				if _, ok := next.Layer.(*model.ReLU); ok && !late[next.Name] {
					s.relu = true
					out, fused[next.Name] = next.Name, true
				}
			}
		}
		switch l := node.Layer.(type) {
		case *model.Dropout, *model.Flatten, *model.Reshape:
			if _, drop := l.(*model.Dropout); drop || in.H*in.W == 1 && shapes[out].H*shapes[out].W == 1 {
				n.ids[out] = s.in[0]
				continue
			}
		case *model.Conv:
			s.op, s.geo = opConv, l.Geometry()
			var bn *model.BatchNorm
			if next := sole(out); next != nil && !late[next.Name] {
				if b, ok := next.Layer.(*model.BatchNorm); ok {
					bn = b
					out, fused[next.Name] = next.Name, true
					clean = out
				}
			}
			s.w, s.bias = l.Folded(bn)
			fuseReLU()
		case *model.MaxPool:
			s.op, s.pool = opMaxPool, l.Geometry()
		case *model.AvgPool:
			if !n.o.Exact {
				s.op, s.pool = opAvgPool, l.Geometry()
			}
		case *model.GlobalAvgPool:
			if !n.o.Exact {
				s.op = opGlobalAvg
			}
		case *model.ReLU, *model.LeakyReLU, *model.Clip, *model.Unary:
			s.op = opEach
		case *model.Quantize:
			if len(l.Scale) > 0 {
				s.op = opEach
			}
		case *model.BatchNorm:
			s.op = opEach
			s.scale, s.shift = l.Affine()
		case *model.LRN:
			s.op = opLRN
		case *model.Add:
			s.op = opAdd
			fuseReLU()
		case *model.Concat:
			s.op = opConcat
		case *model.Pad:
			if slices.Min(l.Pads[:]) >= 0 {
				s.op = opPad
			}
		}
		s.out = n.add(value{name: out, clean: clean, relu: s.relu, shape: shapes[out]}, out)
		n.steps = append(n.steps, s)
	}
	for i := range n.steps {
		for _, v := range n.steps[i].in {
			n.values[v].readers++
		}
	}
	n.lateReads()
	for name := range wanted {
		if id, ok := n.ids[name]; ok {
			n.values[id].readers++
		}
	}
	for i := range n.steps {
		s := &n.steps[i]
		if s.op != opConcat {
			continue
		}
		first := 0
		for _, v := range s.in {
			if n.values[v].readers == 1 && slices.ContainsFunc(n.steps, func(p step) bool { return p.out == v && p.op == opConv }) {
				n.values[v].join, n.values[v].first = s.out, first
			}
			first += n.values[v].shape.C
		}
	}
	for _, v := range n.values {
		if v.clean != net.Input.Name {
			n.keep = append(n.keep, v.clean)
		}
	}
	for _, l := range n.late {
		if _, dense := l.node.Layer.(*model.Dense); dense && !n.o.Exact {
			n.keep = append(n.keep, l.node.Name)
			if in := l.node.Inputs[0]; l.delta < 0 && late[in] {
				n.keep = append(n.keep, in)
			}
		}
	}
	slices.Sort(n.keep)
	n.keep = slices.Compact(n.keep)
	for name := range wanted {
		if late[name] && !slices.Contains(n.keep, name) {
			n.keep = append(n.keep, name)
		}
	}
	if err := n.choose(); err != nil {
		return nil, err
	}
	return n, nil
}

// Lanes reports whether a layer is computed on lanes, only where changes reach;
// late ones wait for a group of blocks.
func (n *Net) Lanes(layer string) (lanes, late bool) {
	for _, s := range n.late {
		late = late || s.node.Name == layer
	}
	whole := false
	for _, s := range n.steps {
		whole = whole || s.node.Name == layer && s.op == opWhole
	}
	return !whole && !late, late
}

func (n *Net) add(v value, name string) int {
	n.values = append(n.values, v)
	n.ids[name] = len(n.values) - 1
	return len(n.values) - 1
}

func isAlias(l model.Layer) bool {
	switch l.(type) {
	case *model.Dropout, *model.Flatten, *model.Reshape:
		return true
	}
	return false
}

// lateNodes are the dense layers, all that depends on one, and the flattening
// that only such read.
func (n *Net) lateNodes(needed map[string]bool) map[string]bool {
	late := map[string]bool{}
	for i := range n.net.Nodes {
		node := &n.net.Nodes[i]
		_, dense := node.Layer.(*model.Dense)
		late[node.Name] = dense || slices.ContainsFunc(node.Inputs, func(in string) bool { return late[in] })
	}
	for i := len(n.net.Nodes) - 1; i >= 0; i-- {
		node := &n.net.Nodes[i]
		if !isAlias(node.Layer) || late[node.Name] || len(node.Inputs) != 1 {
			continue
		}
		any, all := false, true
		for _, c := range n.net.Consumers(node.Name) {
			if needed[c.Name] {
				any, all = true, all && late[c.Name]
			}
		}
		late[node.Name] = any && all && !slices.Contains(n.o.Outputs, node.Name) && !slices.Contains(n.o.Totals, node.Name)
	}
	return late
}

// lateReads finds out which early values late steps read, and which dense
// layers can take the delta form.
func (n *Net) lateReads() {
	source := map[string]string{} // late alias to what it is
	for i := range n.late {
		l := &n.late[i]
		for _, in := range l.node.Inputs {
			if s, ok := source[in]; ok {
				in = s
			}
			if l.alias {
				source[l.node.Name] = in
			}
			id, early := n.ids[in]
			if !early {
				continue
			}
			v := &n.values[id]
			if _, dense := l.node.Layer.(*model.Dense); dense && !n.o.Exact && !v.shape.Flat {
				l.delta = id
				v.readers++
			} else if !l.alias {
				v.spatial = true // wanted as whole maps
				v.readers++
			}
		}
	}
}
