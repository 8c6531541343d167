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
	graph  *model.Graph
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
	arena  int // floats of the buffers of a block
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
	opNorm   // of the channels at each place, in place
	opBinary // of two values, of which one may be a number for each map
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
	relu  bool             // fused
	clip  *kernel.Clip     // fused, or what the layer is
	fused *kernel.Function // or nil
	arith kernel.Arith
	small int // the operand of opBinary that has a number for each map, or -1
	scale []float32
	shift []float32
	// A depthwise convolution makes its input by itself, some channels at a time, if
	// that is a 1x1 convolution that nothing else reads: inner is that step, which is
	// left out in its place.
	inner   *step
	leftOut bool
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
	wanted := slices.Concat(o.Outputs, o.Totals)
	for _, name := range wanted {
		if _, ok := shapes[name]; !ok {
			return nil, fmt.Errorf("no layer %q", name)
		}
	}
	n.graph = net.Graph(wanted...)
	for i := range net.Nodes { // the least error would become a whole step where values are rounded
		_, rounds := net.Nodes[i].Layer.(*model.Quantize)
		n.o.Exact = n.o.Exact || rounds && n.graph.Needed(net.Nodes[i].Name)
	}
	late := n.lateNodes()
	n.add(value{name: net.Input.Name, clean: net.Input.Name, shape: net.Input.Shape()}, net.Input.Name)
	for _, f := range n.graph.Fusions(func(f *model.Fused, next *model.Node) bool { return !late[f.Out] && !late[next.Name] && fuses(f, next) }) {
		switch {
		case late[f.Out]:
			n.late = append(n.late, lateStep{node: f.Node, alias: model.IsView(f.Node.Layer), delta: -1})
		case n.renames(f.Node):
			n.ids[f.Out] = n.ids[f.Node.Inputs[0]]
		default:
			n.steps = append(n.steps, n.step(f))
		}
	}
	for i := range n.steps {
		for _, v := range n.steps[i].in {
			n.values[v].readers++
		}
	}
	n.lateReads()
	for _, name := range slices.Compact(slices.Sorted(slices.Values(wanted))) {
		if id, ok := n.ids[name]; ok {
			n.values[id].readers++
		}
	}
	n.joinInPlace()
	n.keepClean(late)
	n.nest()
	if err := n.choose(); err != nil {
		return nil, err
	}
	return n, nil
}

// fuses reports whether one step on lanes can do next with f.
func fuses(f *model.Fused, next *model.Node) bool {
	l := model.ConvOfMaps(f.Node.Layer)
	_, sum := f.Node.Layer.(*model.Add)
	switch act := next.Layer.(type) {
	case *model.BatchNorm:
		return l != nil
	case *model.ReLU:
		return l != nil || sum
	case *model.Clip:
		return l != nil && alwaysDirect(geometry(l))
	case *model.Unary:
		_, ok := kernel.FunctionOf(string(act.Op), act.Alpha, act.Beta)
		return ok && l != nil && alwaysDirect(geometry(l))
	}
	return false
}

func geometry(l *model.Conv) kernel.Conv {
	return kernel.ConvOf(l.Weight.Shape, l.Stride, l.Dilation, l.Pads, l.Groups)
}

// alwaysDirect reports whether a convolution has one way only.
func alwaysDirect(g kernel.Conv) bool { return g.KH*g.KW == 1 || g.LanePlanes() }

// renames reports whether a node's windows are those of its input.
func (n *Net) renames(node *model.Node) bool {
	switch node.Layer.(type) {
	case *model.Dropout:
		return true
	case *model.Reshape:
		in, out := n.shapes[node.Inputs[0]], n.shapes[node.Name]
		return in.H*in.W == 1 && out.H*out.W == 1
	}
	return false
}

// step adds the value of a step and returns what it does.
func (n *Net) step(f model.Fused) step {
	s := step{node: f.Node, op: opWhole}
	if f.Act != nil {
		switch act := f.Act.Layer.(type) {
		case *model.ReLU:
			s.relu = true
		case *model.Clip:
			s.clip = kernel.NewClip(act.Min, act.Max)
		case *model.Unary:
			function, _ := kernel.FunctionOf(string(act.Op), act.Alpha, act.Beta)
			s.fused = &function
		}
	}
	for _, in := range f.Node.Inputs {
		s.in = append(s.in, n.ids[in])
	}
	switch l := f.Node.Layer.(type) {
	case *model.Conv:
		if l.Maps() {
			s.op, s.geo = opConv, geometry(l)
			s.w, s.bias = f.Weights()
		}
	case *model.Pool:
		if l.MaxOfMaps() {
			s.op, s.pool = opMaxPool, kernel.PoolOf(l.Kernel, l.Stride, l.Dilation, l.Pads)
		} else if l.MeanOfMaps() && !n.o.Exact {
			s.op, s.pool = opAvgPool, kernel.PoolOf(l.Kernel, l.Stride, l.Dilation, l.Pads)
		}
	case *model.GlobalAvgPool:
		if !n.o.Exact {
			s.op = opGlobalAvg
		}
	case *model.ReLU, *model.Unary:
		s.op = opEach
	case *model.Clip:
		s.op, s.clip = opEach, kernel.NewClip(l.Min, l.Max)
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
	case *model.Normalize:
		// Of a single place the whole pass sums along a row, in another order.
		if in := n.shapes[f.Node.Inputs[0]]; in.H*in.W > 1 && l.OnChannels(in) {
			s.op = opNorm
		}
	case *model.Binary:
		if small, ok := l.OnMaps(n.shapes[f.Node.Name], n.inputShapes(f.Node)); ok {
			s.op, s.small = opBinary, small
			s.arith, _ = kernel.ArithOf(string(l.Op))
		}
	case *model.Concat:
		if l.Maps() {
			s.op = opConcat
		}
	case *model.Pad:
		if slices.Min(l.Pads[:]) >= 0 {
			s.op = opPad
		}
	}
	v := value{name: f.Out, clean: f.Out, relu: s.relu, shape: n.shapes[f.Out]}
	if s.relu {
		v.clean = f.Act.Inputs[0]
	}
	s.out = n.add(v, f.Out)
	return s
}

func (n *Net) inputShapes(node *model.Node) []model.Shape {
	var out []model.Shape
	for _, in := range node.Inputs {
		out = append(out, n.shapes[in])
	}
	return out
}

// joinInPlace lets convolutions that only a concatenation reads write where that
// wants them.
func (n *Net) joinInPlace() {
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
}

// keepClean lists what the pass of the clean image keeps.
func (n *Net) keepClean(late map[string]bool) {
	for _, v := range n.values {
		if v.clean != n.net.Input.Name {
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
	for _, name := range slices.Concat(n.o.Outputs, n.o.Totals) {
		if late[name] {
			n.keep = append(n.keep, name)
		}
	}
	slices.Sort(n.keep)
	n.keep = slices.Compact(n.keep)
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

// lateNodes are the dense layers, all that depends on one, and the flattening
// that only such read.
func (n *Net) lateNodes() map[string]bool {
	late := map[string]bool{}
	for i := range n.net.Nodes {
		node := &n.net.Nodes[i]
		_, dense := node.Layer.(*model.Dense)
		late[node.Name] = dense || slices.ContainsFunc(node.Inputs, func(in string) bool { return late[in] })
	}
	for i := len(n.net.Nodes) - 1; i >= 0; i-- {
		node := &n.net.Nodes[i]
		if !model.IsView(node.Layer) || late[node.Name] || len(node.Inputs) != 1 {
			continue
		}
		readers := n.graph.Readers(node.Name)
		late[node.Name] = len(readers) > 0 && !n.graph.Wanted(node.Name) &&
			!slices.ContainsFunc(readers, func(r *model.Node) bool { return !late[r.Name] })
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
