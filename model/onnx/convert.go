package onnx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
)

// value is what a name in the graph stands for: a constant, or the output of a
// layer as the graph sees it.
type value struct {
	k    *constant
	seq  *sequence // a list of values
	none bool      // an optional value that is not there
	bad  bool      // depends on a node that was refused

	ref   string      // layer, or the network's input
	shape model.Shape // of that layer's output, for one image
	dims  []int64     // as the graph sees it
	// hwc: the graph sees the layer's maps with the channels last (dims are
	// [N, H, W, C]), or, if they were flattened, the numbers in that order.
	// Set only where that is another order.
	hwc  *model.Shape
	sole bool // nothing but this name stands for the layer's output

	q   *scaling // the graph sees integers that stand for these numbers
	sym *symbol  // the scale or zero point of such, when it is computed
}

// perImage is the shape of one image's value as ONNX writes it.
func perImage(s model.Shape) []int64 {
	if s.Flat {
		return []int64{int64(s.C)}
	}
	return []int64{int64(s.C), int64(s.H), int64(s.W)}
}

// batchMode says what the first axis of the input is. Files for one image, or
// any number, are read for one: every axis is the image's. A file that fixes
// another number is first read as if its images stayed apart and then, if
// something mixes them, as one array.
type batchMode int

const (
	imagesApart batchMode = iota
	oneArray
)

// refusal is the reason why a node is not supported; malformed errors are about
// files that are wrong.
type refusal struct{ reason string }

func (e *refusal) Error() string { return e.reason }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

func malformed(format string, args ...any) error { return fmt.Errorf(format, args...) }

// converter turns a graph into a network.
type converter struct {
	ops       *operators
	graph     *graph
	src       *source
	opt       Options
	mode      batchMode
	meta      map[string]string
	opset     int64 // of the node at hand
	fileOpset int64
	others    map[string]int64 // operator sets of other domains

	functions map[functionKey]*function
	tensors   map[string]*tensorProto
	sparse    map[string]*sparseProto
	values    map[string]*value
	uses      map[string]int // readers of a value, the graph's outputs included
	nodeNames map[string]int
	nodes     []*node // those that matter, in an order that can be computed

	exits  []exit
	net    *model.Network
	layers map[string]int // index in net.Nodes
	images int64          // size of the first axis if that counts the images, else 0

	module  string // of the node at hand, "" if not known
	last    bool   // the input's channels are last
	guessed bool   // as its sizes have it, nothing else shows it

	budget    int             // numbers that constants computed here may still take
	streamed  map[string]bool // initialisers that were dequantised from the file
	more      int             // copies of nodes that may still be made (see inline.go)
	taken     map[string]bool
	within    *node // that the nodes at hand are written for
	folded    bool  // there are layers that no other reads
	quantised bool  // weights were kept as integers
	opened    bool  // a graph inside a node was computed
	prefixes  map[string]int
	refused   []refusedNode
	notes     []string
	done      []*node            // nodes as they were computed
	spoiled   map[*node][]string // what the last turn of a loop made whose body was refused
}

// refusedNode is a node that cannot be used.
type refusedNode struct {
	UnsupportedOp
	node *node
}

func newConverter(f *file, src *source, o Options, mode batchMode) (*converter, error) {
	c := &converter{ops: newOperators(), graph: f.graph, src: src, opt: o, mode: mode, meta: map[string]string{}, others: map[string]int64{},
		tensors: map[string]*tensorProto{}, values: map[string]*value{}, uses: map[string]int{},
		nodeNames: map[string]int{}, layers: map[string]int{}, streamed: map[string]bool{},
		functions: map[functionKey]*function{}, sparse: map[string]*sparseProto{}, prefixes: map[string]int{}, spoiled: map[*node][]string{},
		net: &model.Network{Preprocess: model.Preprocess{Scale: 1}}}
	bytes := int(min(src.size, 1<<40, math.MaxInt/2))
	c.budget, c.more = bytes+1<<16, moreNodes+bytes/bytesPerNode
	for _, e := range f.metadata {
		c.meta[e.key] = e.value
	}
	for _, op := range f.opsets {
		if op.domain == "" || op.domain == "ai.onnx" {
			c.opset = op.version
		} else {
			c.others[op.domain] = op.version
		}
	}
	if c.opset == 0 && f.irVersion < 3 {
		c.opset = 1
	}
	if c.opset == 0 && len(c.others) > 0 { // it has no operators of ONNX's own
		c.opset = maxOpset
	}
	c.fileOpset = c.opset
	if c.opset < minOpset {
		return nil, fmt.Errorf("the file uses operator set %d, want %d or more", c.opset, minOpset)
	}
	if c.opset > maxOpset {
		c.notes = append(c.notes, fmt.Sprintf("the file uses operator set %d, which is newer than viz knows: it is read as operator set %d", c.opset, maxOpset))
	}
	if err := c.initialisers(); err != nil {
		return nil, err
	}
	var err error
	if c.nodes, err = c.flatten(f); err != nil {
		return nil, err
	}
	return c, c.bind()
}

// initialisers notes the graph's constants. One that is written down twice is
// taken once; two of one name are an error.
func (c *converter) initialisers() error {
	for i := range c.graph.tensors {
		t := &c.graph.tensors[i]
		if t.name == "" {
			return fmt.Errorf("initialiser %d has no name", i)
		}
		if was := c.tensors[t.name]; was != nil {
			a, err1 := was.decode(c.src)
			b, err2 := t.decode(c.src)
			if err1 != nil || err2 != nil || !slices.Equal(a.dims, b.dims) || !slices.Equal(a.f, b.f) || !slices.Equal(a.i, b.i) {
				return fmt.Errorf("initialiser %d: the name %q is taken by another one", i, t.name)
			}
		}
		c.tensors[t.name] = t
	}
	for i := range c.graph.sparse {
		t := &c.graph.sparse[i]
		if name := t.values.name; name == "" || c.tensors[name] != nil || c.sparse[name] != nil {
			return fmt.Errorf("sparse initialiser %d: the name %q is missing or taken", i, name)
		}
		c.sparse[t.values.name] = t
	}
	return nil
}

// retry reports whether another reading of the batch might do better.
func (c *converter) retry() bool { return c.mode == imagesApart && c.images > 1 }

func (c *converter) convert() (*Graph, error) {
	if err := c.findExits(); err != nil {
		return nil, err
	}
	var wanted []string
	for _, e := range c.exits {
		wanted = append(wanted, e.value)
	}
	var err error
	if c.nodes, err = c.order(c.nodes, wanted); err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		c.nodeNames[n.name]++
		if reason := c.unknown(n); reason != "" {
			c.refuse(n, reason)
		}
	}
	err = c.input()
	for i := 0; err == nil && i < len(c.nodes); i++ {
		c.module = c.moduleOf(c.nodes[i])
		err = c.node(c.nodes[i])
		c.forget(c.nodes[i])
	}
	c.module = ""
	c.listExits()
	if c.opened && err == nil {
		c.refused = c.relevant()
	}
	if len(c.refused) > 0 && (err != nil || c.retry() || !c.leaveOut()) {
		return nil, c.unsupported()
	}
	if err != nil {
		return nil, err
	}
	c.detect()
	if c.opened || c.folded {
		c.prune()
	}
	c.fuse()
	c.turnless()
	countModules(c.net.Nodes)
	g := &Graph{Net: c.net, Notes: c.notes, Layout: ChannelsFirst, LayoutGuessed: c.guessed}
	if c.last {
		g.Layout = ChannelsLast
	}
	if err := c.outputs(g); err != nil {
		return nil, err
	}
	if len(c.net.Nodes) == 0 || len(g.Outputs) == 0 {
		return nil, errors.New("the graph has no layers")
	}
	return g, c.metadata()
}

// output makes a value an output: a layer's, in the graph's order, the integers if
// it is quantised.
func (c *converter) output(name string) (*value, error) {
	if v := c.values[name]; v != nil && (v.sym != nil || v.q != nil) {
		w, err := c.integersIn(name, v)
		if err != nil {
			return nil, err
		}
		name = c.newName(name, w)
	}
	v, err := c.array(&node{inputs: []string{name}}, 0)
	if err != nil {
		return nil, err
	}
	if _, ok := c.layers[v.ref]; ok {
		return v, nil
	}
	w, err := c.add(c.unique(name), &model.Reshape{To: ints(perImage(v.shape))}, v) // the input itself
	if err == nil {
		w.dims = v.dims
	}
	return w, err
}

// order finds the nodes that outputs depend on, counts readers, and sorts: the
// given order where that works, else the first that can be computed.
func (c *converter) order(nodes []*node, outputs []string) ([]*node, error) {
	maker := map[string]int{}
	for i, n := range nodes {
		for _, out := range n.outputs {
			if out == "" {
				continue
			}
			if _, taken := maker[out]; taken || c.tensors[out] != nil || c.sparse[out] != nil {
				return nil, fmt.Errorf("value %q is made twice, again by node %s", out, c.title(n))
			}
			maker[out] = i
		}
	}
	live := make([]bool, len(nodes))
	var stack []int
	need := func(name string) {
		if i, ok := maker[name]; ok && !live[i] {
			live[i] = true
			stack = append(stack, i)
		}
	}
	for _, out := range outputs {
		c.uses[out]++
		need(out)
	}
	for len(stack) > 0 {
		n := nodes[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		for _, in := range n.inputs {
			c.uses[in]++
			need(in)
		}
		for _, in := range n.captures() { // a graph may run more than once
			c.uses[in] += 2
			need(in)
		}
	}
	// Visit in the given order, makers first. state: 1 open, 2 done.
	state := make([]byte, len(nodes))
	var sorted []*node
	for i := range nodes {
		if !live[i] || state[i] == 2 {
			continue
		}
		stack = append(stack[:0], i)
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			n := nodes[at]
			if state[at] == 2 {
				stack = stack[:len(stack)-1]
				continue
			}
			if state[at] == 1 {
				state[at] = 2
				sorted = append(sorted, n)
				stack = stack[:len(stack)-1]
				continue
			}
			state[at] = 1
			for _, list := range [][]string{n.captures(), n.inputs} {
				for k := len(list) - 1; k >= 0; k-- {
					m, ok := maker[list[k]]
					if ok && state[m] == 1 {
						return nil, fmt.Errorf("node %s depends on itself", c.title(n))
					}
					if ok && state[m] == 0 {
						stack = append(stack, m)
					}
				}
			}
		}
	}
	return sorted, nil
}

// input finds the network's one input.
func (c *converter) input() error {
	var found []valueInfo
	for _, v := range c.graph.inputs {
		if c.tensors[v.name] == nil && c.sparse[v.name] == nil && c.values[v.name] == nil && c.uses[v.name] > 0 {
			found = append(found, v)
		}
	}
	if len(found) == 0 && len(c.opt.Bind) > 0 { // everything is known: a stand-in
		c.net.Input = model.Input{Name: "nothing", C: 1, H: 1, W: 1}
		return nil
	}
	if len(found) != 1 {
		if len(found) == 0 {
			return errors.New("the graph has no inputs, want one, a picture")
		}
		return openInputs(found)
	}
	v := found[0]
	switch v.typ {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16:
	case typeUint8, typeInt8, typeUint16, typeInt16, typeInt32: // pixels as cameras and files have them
	default:
		return fmt.Errorf("input %s has element type %v, want floating point, or integers of 8 to 32 bits", v.name, v.typ)
	}
	if v.name == "" {
		return errors.New("the input has no name")
	}
	dims, last, err := c.bindSize(v)
	if err != nil {
		return err
	}
	if _, err := elements(dims, 1<<30); err != nil {
		return fmt.Errorf("input %s has shape %v, which is too large", v.name, v.dims)
	}
	c.last = last
	rest := dims
	if len(dims) > 1 && (c.mode == imagesApart || dims[0] == 1) {
		c.images, rest = dims[0], dims[1:]
	}
	s := model.ArrayShape(ints(rest))
	if len(rest) == 4 { // a volume: its planes are the channels
		s = model.Shape{C: int(rest[0] * rest[1]), H: int(rest[2]), W: int(rest[3])}
	}
	in := model.Input{Name: v.name, C: s.C, H: s.H, W: s.W}
	x := &value{ref: v.name, dims: dims, sole: true}
	if last {
		in.C, in.H, in.W = int(dims[3]), int(dims[1]), int(dims[2])
		if in.C > 1 && in.H*in.W > 1 {
			s := in.Shape()
			x.hwc = &s
		}
	}
	x.shape = in.Shape()
	c.net.Input = in
	c.values[v.name] = x
	return nil
}

// unknown says why a node's operator is out of the question, "" if it is not.
func (c *converter) unknown(n *node) string {
	if c.ops.quantised[n.key()] != nil || c.ops.rewrite(n) != nil {
		return ""
	}
	if n.domain != "" && n.domain != "ai.onnx" {
		return "operators of this domain are not supported"
	}
	if c.ops.structures[n.op] != nil || c.ops.known(n.op) {
		return ""
	}
	return unknownOp
}

// earn adds to the budget what a file beside the model holds, once that is read.
func (c *converter) earn(t *tensorProto) {
	if t.external {
		c.budget += int(min(t.typ.bytes(int(t.elements())), int64(max(math.MaxInt/2-c.budget, 0))))
	}
}

// plainNames is an error without the marks of names that the graph has not (newName).
type plainNames struct{ error }

func (e plainNames) Error() string { return strings.ReplaceAll(e.error.Error(), "\x00", "") }

func (e plainNames) Unwrap() error { return e.error }

func (c *converter) refuse(n *node, reason string) {
	if c.within != nil {
		n = c.within
	}
	op := UnsupportedOp{Node: c.title(n), Op: n.op, Opset: c.opsetOf(n), Reason: plainNames{errors.New(reason)}.Error()}
	if n.domain != "" && n.domain != "ai.onnx" {
		op.Op = n.domain + "." + n.op
	}
	c.refused = append(c.refused, refusedNode{op, n})
}

// unsupported is the error about all nodes that were refused.
func (c *converter) unsupported() error {
	e := &Unsupported{}
	for _, r := range c.refused {
		r.Help = help(r.UnsupportedOp, r.node.domain)
		e.Ops = append(e.Ops, r.UnsupportedOp)
	}
	return e
}

// opsetOf is the operator set of a node: the file's, or its function's.
func (c *converter) opsetOf(n *node) int64 {
	own := n.domain == "" || n.domain == "ai.onnx"
	for _, o := range n.opsets {
		if o.domain == n.domain || own && (o.domain == "" || o.domain == "ai.onnx") {
			return o.version
		}
	}
	if own {
		return c.fileOpset
	}
	return c.others[n.domain]
}

// title is how messages call a node.
func (c *converter) title(n *node) string {
	if n.name != "" {
		return n.name
	}
	if len(n.outputs) > 0 {
		return n.outputs[0]
	}
	return "without name"
}

// node computes one node: folds it, makes a layer of it, or refuses it.
func (c *converter) node(n *node) error {
	fail := func(err error) error { return fmt.Errorf("node %s (%s): %w", c.title(n), n.op, plainNames{err}) }
	if n.output() == "" {
		return fail(errors.New("it has no output"))
	}
	lists := false
	defer func(was int64) { c.opset = was }(c.opset)
	c.opset = c.opsetOf(&node{opsets: n.opsets})
	constants, bad := true, c.unknown(n) != ""
	quant := c.ops.quantised[n.key()]
	for i := range n.inputs {
		if quant != nil && c.unread(n, i) != nil { // it goes straight to where it is used
			continue
		}
		v, err := c.look(n, i)
		if err != nil {
			return fail(err)
		}
		if v != nil {
			bad = bad || v.bad
			constants = constants && v.k != nil
			lists = lists || v.seq != nil
		}
	}
	var err error
	structure, ok := c.ops.structures[n.op]
	switch own := n.domain == "" || n.domain == "ai.onnx"; {
	case bad:
	case ok && own:
		err = structure(c, n)
	case lists && n.op == "Identity" && own:
		err = passOn(c, n)
	case lists:
		err = refuse("an input is a sequence")
	case quant != nil:
		err = quant(c, n)
	case c.ops.rewrite(n) != nil:
		err = c.rewritten(n, c.ops.rewrite(n))
	default:
		err = c.compute(n, constants)
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		c.refuse(n, r.reason)
		bad = true
	} else if err != nil {
		return fail(err)
	}
	for _, out := range n.outputs {
		if out == "" || c.values[out] != nil && !bad {
			continue
		}
		if !bad && c.uses[out] > 0 {
			c.refuse(n, fmt.Sprintf("its output %s is used, which is not supported", out))
		}
		c.values[out] = &value{bad: true}
	}
	c.done = append(c.done, n)
	return nil
}

// forget lets go of large constants that only a node of the file has read. The nodes
// that it is written in may read them more than once.
func (c *converter) forget(n *node) {
	for _, in := range n.inputs {
		if v := c.values[in]; c.quantised && v != nil && v.k != nil && v.k.len() >= worthPacking && c.uses[in] == 1 {
			delete(c.values, in)
		}
	}
}

// compute makes layers or a constant of a node. What is quantised goes through it
// as the numbers it stands for, or goes in as integers.
func (c *converter) compute(n *node, constants bool) error {
	n, done, err := c.passed(n)
	if done || err != nil {
		return err
	}
	return c.computeFloats(n, constants)
}

// computeFloats is compute for a node none of whose inputs is quantised.
func (c *converter) computeFloats(n *node, constants bool) error {
	fold, foldable := c.ops.folds[n.op]
	layer, known := c.ops.layers[n.op]
	if constants && foldable || n.op == "Shape" || n.op == "Size" {
		k, err := fold(c, n)
		if _, refused := errors.AsType[*refusal](err); !refused || !known || len(n.inputs) == 0 {
			if err == nil {
				c.values[n.output()] = &value{k: k}
			}
			return err
		}
	}
	if !known {
		return refuse("the operator is supported on constants only")
	}
	if constants && len(n.inputs) > 0 { // by layers, once
		v, err := c.arg(n, 0)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input 0 is missing")
		}
		if v, err = c.asValue(n.inputs[0], v.k); err != nil {
			return err
		}
		alias := n.inputs[0] + "\x00"
		c.values[alias], c.uses[alias] = v, 1
		copied := *n
		copied.inputs = append([]string{alias}, n.inputs[1:]...)
		if err := layer(c, &copied); err != nil {
			return err
		}
		return c.settle(n)
	}
	return layer(c, n)
}

// output is the first output that has a name.
func (n *node) output() string {
	for _, out := range n.outputs {
		if out != "" {
			return out
		}
	}
	return ""
}

// metadata takes over what viz itself has written into the file.
func (c *converter) metadata() error {
	for key, to := range map[string]any{"viz.preprocess": &c.net.Preprocess, "viz.classes": &c.net.Classes, "viz.origin": &c.net.Origin} {
		text, ok := c.meta[key]
		if !ok {
			continue
		}
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		if key != "viz.origin" {
			d.DisallowUnknownFields()
		}
		if err := d.Decode(to); err != nil {
			return fmt.Errorf("metadata %s: %w", key, err)
		}
	}
	if text, ok := c.meta["viz.scores"]; ok && c.opt.Output == "" {
		var w writtenScores
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			return fmt.Errorf("metadata viz.scores: %w", err)
		}
		kind, err := model.ParseScores(w.Kind)
		if err != nil {
			return fmt.Errorf("metadata viz.scores: %w", err)
		}
		if c.net.Node(w.Node) != nil { // other programs may have changed the layers
			c.net.Logits, c.net.Scores = w.Node, kind
		}
	}
	return nil
}
