package onnx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
)

// value is what a name in the graph stands for: a constant, or the output of a
// layer as the graph sees it.
type value struct {
	k   *constant
	bad bool // depends on a node that was refused

	ref   string      // layer, or the network's input
	shape model.Shape // of that layer's output, for one image
	dims  []int64     // as the graph sees it; dims[0] counts the images
	// hwc: the graph sees the layer's maps with the channels last (dims are
	// [N, H, W, C]), or, if they were flattened, the numbers in that order.
	// Set only where that is another order.
	hwc  *model.Shape
	sole bool // nothing but this name stands for the layer's output
}

// plain reports whether the graph sees the value just as the layer makes it.
func (v *value) plain() bool { return v.hwc == nil && slices.Equal(v.dims[1:], perImage(v.shape)) }

// perImage is the shape of one image's value as ONNX writes it.
func perImage(s model.Shape) []int64 {
	if s.Flat {
		return []int64{int64(s.C)}
	}
	return []int64{int64(s.C), int64(s.H), int64(s.W)}
}

// refusal is the reason why a node is not supported; malformed errors are about
// files that are wrong.
type refusal struct{ reason string }

func (e *refusal) Error() string { return e.reason }

func refuse(format string, args ...any) error    { return &refusal{fmt.Sprintf(format, args...)} }
func malformed(format string, args ...any) error { return fmt.Errorf(format, args...) }

// converter turns a graph into a network.
type converter struct {
	graph  *graph
	meta   map[string]string
	opset  int64
	others map[string]int64 // operator sets of other domains

	tensors   map[string]*tensorProto
	values    map[string]*value
	uses      map[string]int // readers of a value, the graph's outputs included
	nodeNames map[string]int
	nodes     []*node // those that matter, in an order that can be computed

	net    *model.Network
	layers map[string]int // index in net.Nodes
	images int64          // size of the first axis: fixed, or batch

	budget  int // numbers that constants computed here may still take
	refused []UnsupportedOp
}

func newConverter(f *file, bytes int) (*converter, error) {
	c := &converter{graph: f.graph, meta: map[string]string{}, others: map[string]int64{},
		tensors: map[string]*tensorProto{}, values: map[string]*value{}, uses: map[string]int{},
		nodeNames: map[string]int{}, layers: map[string]int{},
		net:    &model.Network{Preprocess: model.Preprocess{Scale: 1}},
		budget: bytes + 1<<16}
	for _, e := range f.metadata {
		c.meta[e.key] = e.value
	}
	for _, o := range f.opsets {
		if o.domain == "" || o.domain == "ai.onnx" {
			c.opset = o.version
		} else {
			c.others[o.domain] = o.version
		}
	}
	if c.opset == 0 && f.irVersion < 3 {
		c.opset = 1
	}
	if c.opset < minOpset || c.opset > maxOpset {
		return nil, fmt.Errorf("onnx: the file uses operator set %d, want %d to %d", c.opset, minOpset, maxOpset)
	}
	if c.graph.sparse > 0 {
		return nil, errors.New("onnx: sparse initialisers are not supported")
	}
	for i := range c.graph.tensors {
		t := &c.graph.tensors[i]
		if t.name == "" || c.tensors[t.name] != nil {
			return nil, fmt.Errorf("onnx: initialiser %d: the name %q is missing or taken", i, t.name)
		}
		c.tensors[t.name] = t
	}
	return c, nil
}

func (c *converter) convert() error {
	if err := c.order(); err != nil {
		return err
	}
	for _, n := range c.nodes {
		c.nodeNames[n.name]++
		if reason := c.unknown(n); reason != "" {
			c.refuse(n, reason)
		}
	}
	err := c.input()
	for i := 0; err == nil && i < len(c.nodes); i++ {
		err = c.node(c.nodes[i])
	}
	if len(c.refused) > 0 {
		return &Unsupported{c.refused}
	}
	if err != nil {
		return err
	}
	if len(c.net.Nodes) == 0 {
		return errors.New("onnx: the graph has no layers")
	}
	c.net.Logits = c.logits()
	return c.metadata()
}

// order finds the nodes that the outputs depend on, counts readers, and sorts:
// the file's order where that works, else the first that can be computed.
func (c *converter) order() error {
	g := c.graph
	maker := map[string]int{}
	for i := range g.nodes {
		n := &g.nodes[i]
		for _, out := range n.outputs {
			if out == "" {
				continue
			}
			if _, taken := maker[out]; taken || c.tensors[out] != nil {
				return fmt.Errorf("onnx: value %q is made twice, again by node %s", out, c.title(n))
			}
			maker[out] = i
		}
	}
	live := make([]bool, len(g.nodes))
	var stack []int
	need := func(name string) {
		if i, ok := maker[name]; ok && !live[i] {
			live[i] = true
			stack = append(stack, i)
		}
	}
	for _, out := range g.outputs {
		c.uses[out.name]++
		need(out.name)
	}
	for len(stack) > 0 {
		n := &g.nodes[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		for _, in := range n.inputs {
			c.uses[in]++
			need(in)
		}
	}
	// Visit in the file's order, makers first. state: 1 open, 2 done.
	state := make([]byte, len(g.nodes))
	for i := range g.nodes {
		if !live[i] || state[i] == 2 {
			continue
		}
		stack = append(stack[:0], i)
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			n := &g.nodes[at]
			if state[at] == 2 {
				stack = stack[:len(stack)-1]
				continue
			}
			if state[at] == 1 {
				state[at] = 2
				c.nodes = append(c.nodes, n)
				stack = stack[:len(stack)-1]
				continue
			}
			state[at] = 1
			for k := len(n.inputs) - 1; k >= 0; k-- {
				m, ok := maker[n.inputs[k]]
				if ok && state[m] == 1 {
					return fmt.Errorf("onnx: node %s depends on itself", c.title(n))
				}
				if ok && state[m] == 0 {
					stack = append(stack, m)
				}
			}
		}
	}
	return nil
}

// input finds the network's one input.
func (c *converter) input() error {
	var found []valueInfo
	for _, v := range c.graph.inputs {
		if c.tensors[v.name] == nil && c.uses[v.name] > 0 {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		names := []string{}
		for _, v := range found {
			names = append(names, v.name)
		}
		return fmt.Errorf("onnx: the graph has %d inputs %q, want one, a picture", len(found), names)
	}
	v := found[0]
	switch v.typ {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16:
	default:
		return fmt.Errorf("onnx: input %s has element type %d, want floating point", v.name, v.typ)
	}
	shown := slices.Clone(v.dims)
	if !v.ranked || len(v.dims) != 4 {
		return fmt.Errorf("onnx: input %s has shape %v, want [N, channels, height, width]", v.name, shown)
	}
	if slices.Contains(v.dims[1:], -1) {
		return fmt.Errorf("onnx: input %s has shape %v (-1: open), want channels, height and width fixed: sizes cannot be bound yet; export with a fixed size", v.name, shown)
	}
	for _, d := range v.dims[1:] {
		if d > 1<<30 {
			return fmt.Errorf("onnx: input %s has shape %v, which is too large", v.name, shown)
		}
	}
	c.images = v.dims[0]
	if c.images < 0 {
		c.images = batch
	}
	in := model.Input{Name: v.name, C: int(v.dims[1]), H: int(v.dims[2]), W: int(v.dims[3])}
	x := &value{ref: v.name, dims: append([]int64{c.images}, v.dims[1:]...), sole: true}
	// Keras and its kin put the channels last: 1 to 4 there and not in front.
	if last := v.dims[3]; last <= 4 && v.dims[1] > 4 && v.dims[2] > 4 {
		in.C, in.H, in.W = int(v.dims[3]), int(v.dims[1]), int(v.dims[2])
		if last > 1 {
			s := in.Shape()
			x.hwc = &s
		}
	}
	if x.ref == "" {
		return errors.New("onnx: the input has no name")
	}
	x.shape = in.Shape()
	c.net.Input = in
	c.values[v.name] = x
	return nil
}

// unknown says why a node's operator is out of the question, "" if it is not.
func (c *converter) unknown(n *node) string {
	if n.domain != "" && n.domain != "ai.onnx" {
		return "operators of other domains are not supported"
	}
	if _, ok := layerOps[n.op]; ok {
		return ""
	}
	if _, ok := foldOps[n.op]; ok {
		return ""
	}
	return "the operator is not supported"
}

func (c *converter) refuse(n *node, reason string) {
	op := UnsupportedOp{Node: c.title(n), Op: n.op, Opset: c.opset, Reason: reason}
	if n.domain != "" && n.domain != "ai.onnx" {
		op.Op, op.Opset = n.domain+"."+n.op, c.others[n.domain]
	}
	c.refused = append(c.refused, op)
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
	fail := func(err error) error { return fmt.Errorf("onnx: node %s (%s): %w", c.title(n), n.op, err) }
	if len(n.outputs) == 0 || n.outputs[0] == "" {
		return fail(errors.New("it has no output"))
	}
	constants, bad := true, c.unknown(n) != ""
	for i := range n.inputs {
		v, err := c.arg(n, i)
		if err != nil {
			return fail(err)
		}
		if v != nil {
			bad = bad || v.bad
			constants = constants && v.k != nil
		}
	}
	var err error
	if !bad {
		fold, foldable := foldOps[n.op]
		layer, known := layerOps[n.op]
		switch {
		case constants && foldable || n.op == "Shape":
			var k *constant
			if k, err = fold(c, n); err == nil {
				c.values[n.outputs[0]] = &value{k: k}
			}
		case constants:
			err = refuse("its inputs are constants")
		case known:
			for _, out := range n.outputs[1:] {
				if out != "" && c.uses[out] > 0 {
					err = refuse("its output %s is used, only the first is supported", out)
				}
			}
			if err == nil {
				err = layer(c, n)
			}
		default:
			err = refuse("the operator is supported on constants only")
		}
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		c.refuse(n, r.reason)
		bad = true
	} else if err != nil {
		return fail(err)
	}
	if bad {
		for _, out := range n.outputs {
			c.values[out] = &value{bad: true}
		}
	}
	return nil
}

// arg returns input i of a node, nil if it is left out.
func (c *converter) arg(n *node, i int) (*value, error) {
	if i >= len(n.inputs) || n.inputs[i] == "" {
		return nil, nil
	}
	name := n.inputs[i]
	if v := c.values[name]; v != nil {
		return v, nil
	}
	t := c.tensors[name]
	if t == nil {
		return nil, fmt.Errorf("input %q is not computed by any node", name)
	}
	k, err := t.decode()
	if err != nil {
		return nil, fmt.Errorf("initialiser %s: %w", name, err)
	}
	v := &value{k: k}
	c.values[name] = v
	return v, nil
}

// image returns input i, which must come from a layer.
func (c *converter) image(n *node, i int) (*value, error) {
	v, err := c.arg(n, i)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, fmt.Errorf("input %d is missing", i)
	case v.k != nil:
		return nil, refuse("input %s is constant", n.inputs[i])
	}
	return v, nil
}

// plain returns input i, which must come from a layer as that layer makes it.
func (c *converter) plain(n *node, i int) (*value, error) {
	v, err := c.image(n, i)
	if err == nil && !v.plain() {
		if v.hwc != nil {
			return nil, refuse("input %s has its channels last", n.inputs[i])
		}
		return nil, refuse("input %s has shape %v, which no layer here can take", n.inputs[i], c.show(v.dims))
	}
	return v, err
}

// maps is plain for layers that need maps.
func (c *converter) maps(n *node, i int) (*value, error) {
	v, err := c.plain(n, i)
	if err == nil && v.shape.Flat {
		return nil, refuse("input %s has shape %v, want [N, channels, height, width]", n.inputs[i], c.show(v.dims))
	}
	return v, err
}

// show writes an open number of images as -1.
func (c *converter) show(dims []int64) []int64 {
	dims = slices.Clone(dims)
	for i, d := range dims {
		if d == batch {
			dims[i] = -1
		}
	}
	return dims
}

// constant returns input i, which must be known; nil if it is left out.
func (c *converter) constant(n *node, i int) (*constant, error) {
	v, err := c.arg(n, i)
	if err != nil || v == nil {
		return nil, err
	}
	if v.k == nil {
		return nil, refuse("input %s is computed from the picture, want a constant", n.inputs[i])
	}
	return v.k, nil
}

// floats is constant for numbers in floating point.
func (c *converter) floats(n *node, i int) (*constant, error) {
	k, err := c.constant(n, i)
	if err == nil && k != nil && k.f == nil {
		return nil, malformed("input %s is %v, want floats", n.inputs[i], k)
	}
	return k, err
}

// integers returns the numbers of input i or, in older operator sets, of an
// attribute; nil if neither is there. They are about axes, so they are few.
func (c *converter) integers(n *node, i int, attr string) ([]int64, error) {
	var v []int64
	if a := n.attr(attr); a != nil {
		v = append([]int64{}, a.ints...)
	} else {
		k, err := c.constant(n, i)
		if err != nil || k == nil {
			return nil, err
		}
		if k.i == nil {
			return nil, malformed("input %s is %v, want integers", n.inputs[i], k)
		}
		v = k.i
	}
	if len(v) > 2*maxRank {
		return nil, malformed("%d numbers for at most %d axes", len(v), maxRank)
	}
	return v, nil
}

// spend takes n numbers from the budget of constants made at import.
func (c *converter) spend(n int) error {
	if n < 0 || n > c.budget {
		return malformed("constants computed in the graph take too much memory for the file's size")
	}
	c.budget -= n
	return nil
}

// name chooses the name of a node's layer: the node's if it is the only one
// called so, else its output's; with a number if that is taken.
func (c *converter) name(n *node) string {
	if n.name != "" && c.nodeNames[n.name] == 1 && c.free(n.name) {
		return n.name
	}
	return c.unique(n.outputs[0])
}

func (c *converter) free(name string) bool {
	_, taken := c.layers[name]
	return !taken && name != c.net.Input.Name
}

func (c *converter) unique(name string) string {
	try := name
	for k := 2; !c.free(try); k++ {
		try = fmt.Sprintf("%s.%d", name, k)
	}
	return try
}

// add appends a layer called name and returns its output as a value.
func (c *converter) add(name string, l model.Layer, ins ...*value) (*value, error) {
	var shapes []model.Shape
	node := model.Node{Name: name, Layer: l}
	for _, v := range ins {
		shapes = append(shapes, v.shape)
		node.Inputs = append(node.Inputs, v.ref)
	}
	s, err := model.OutputShape(l, shapes)
	if err != nil {
		return nil, err
	}
	c.layers[name] = len(c.net.Nodes)
	c.net.Nodes = append(c.net.Nodes, node)
	return &value{ref: name, shape: s, dims: append([]int64{c.images}, perImage(s)...), sole: true}, nil
}

// layer makes a node a layer.
func (c *converter) layer(n *node, l model.Layer, ins ...*value) error {
	v, err := c.add(c.name(n), l, ins...)
	if err == nil {
		c.values[n.outputs[0]] = v
	}
	return err
}

// elementwise makes a node a layer that does not care how its input is seen.
func (c *converter) elementwise(n *node, l model.Layer) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	v, err := c.add(c.name(n), l, in)
	if err != nil {
		return err
	}
	v.dims, v.hwc = in.dims, in.hwc
	c.values[n.outputs[0]] = v
	return nil
}

// alias lets a node's output be its input seen with other dims.
func (c *converter) alias(n *node, in *value, dims []int64) {
	v := *in
	v.dims = dims
	v.sole = in.sole && c.uses[n.inputs[0]] == 1
	c.values[n.outputs[0]] = &v
}

// ownLayer returns the layer that input i comes from if nothing else reads it,
// so that what follows may be merged into it; else nil.
func (c *converter) ownLayer(n *node, i int, v *value) model.Layer {
	at, ok := c.layers[v.ref]
	if !ok || !v.sole || c.uses[n.inputs[i]] != 1 {
		return nil
	}
	return c.net.Nodes[at].Layer
}

// logits is the node with the raw class scores: what feeds the softmax at the
// end, or the end if that is a vector. "" if it is neither.
func (c *converter) logits() string {
	v := c.values[c.graph.outputs[0].name]
	if v == nil || v.k != nil {
		return ""
	}
	at := v.ref
	for {
		i, ok := c.layers[at]
		if !ok {
			break
		}
		n := c.net.Nodes[i]
		switch n.Layer.(type) {
		case *model.Dropout, *model.Flatten:
			at = n.Inputs[0]
			continue
		case *model.Softmax:
			return c.scores(n.Inputs[0])
		}
		break
	}
	return c.scores(v.ref)
}

// scores returns name if it is a layer without space.
func (c *converter) scores(name string) string {
	if _, ok := c.layers[name]; !ok {
		return ""
	}
	for _, v := range c.values {
		if v.ref == name && v.shape.H == 1 && v.shape.W == 1 {
			return name
		}
	}
	return ""
}

// metadata takes over what viz itself has written into the file.
func (c *converter) metadata() error {
	for key, to := range map[string]any{"viz.preprocess": &c.net.Preprocess, "viz.classes": &c.net.Classes} {
		text, ok := c.meta[key]
		if !ok {
			continue
		}
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(to); err != nil {
			return fmt.Errorf("onnx: metadata %s: %w", key, err)
		}
	}
	return nil
}
