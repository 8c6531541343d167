package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
)

// An exit is an output of the graph and the value that stands for it: another one
// if operators behind the scores make something else of them, such as a label.
type exit struct {
	name  string
	value string
	tail  []string // the operators that are left out, from the value on
	asked bool     // by Options.Output
	found *found   // the scores, if it is a list of candidates
	also  []string // values to keep beside it
}

// NoOutput is the error about an Options.Output that is not in the graph.
type NoOutput struct {
	Name    string
	Outputs []string // the graph's
}

func (e *NoOutput) Error() string {
	return fmt.Sprintf("no output %q: the graph's outputs are %s; any value inside the graph will do, too", e.Name, strings.Join(some(e.Outputs), ", "))
}

// some is a list to tell people: the first of many, and how many more there are.
func some(list []string) []string {
	const most = 8
	if len(list) <= most+1 {
		return list
	}
	return append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(list)-most))
}

// findExits finds what the network's outputs are.
func (c *converter) findExits() error {
	maker := map[string]*node{}
	var names []string
	for _, n := range c.nodes {
		for _, out := range n.outputs {
			maker[out] = n
		}
	}
	asked := c.opt.Output == ""
	for _, out := range c.graph.outputs {
		e := exit{name: out.name, asked: out.name == c.opt.Output}
		asked = asked || e.asked
		e.value, e.tail = c.beforeTail(maker, out.name)
		c.exits, names = append(c.exits, e), append(names, out.name)
	}
	if asked {
		return nil
	}
	value := c.opt.Output
	for _, n := range c.nodes {
		if n.name == value && maker[value] == nil && len(n.outputs) > 0 {
			value = n.output()
		}
	}
	if maker[value] == nil {
		return &NoOutput{c.opt.Output, names}
	}
	c.exits = append(c.exits, exit{name: c.opt.Output, value: value, asked: true})
	return nil
}

// beforeTail follows an output up through operators that make labels, lists or
// choices of scores. A graph that is nothing else keeps them.
func (c *converter) beforeTail(maker map[string]*node, name string) (value string, tail []string) {
	value = name
	var passed []string
	for at := name; len(passed) <= len(c.nodes); {
		n := maker[at]
		if n == nil {
			break
		}
		in, ends := c.tailInput(n)
		if in == "" {
			break
		}
		passed, at = append(passed, n.op), in
		if ends && computed(maker, at) {
			value, tail = at, slices.Clone(passed)
		}
	}
	if tail == nil {
		if boxes := suppression(maker, name); boxes != nil && maker[boxes.inputs[1]] != nil {
			return boxes.inputs[1], []string{boxes.op}
		}
	}
	slices.Reverse(tail)
	return value, tail
}

// computed reports whether a value is more than the input in another order or shape.
func computed(maker map[string]*node, name string) bool {
	for range len(maker) + 1 {
		n := maker[name]
		if n == nil || len(n.inputs) == 0 {
			return false
		}
		switch n.op {
		case "Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Cast":
			name = n.inputs[0]
		default:
			return true
		}
	}
	return false
}

// tailInput is the input that a node of a tail makes something of; ends: it is no
// score any more. "": the node belongs to no tail.
func (c *converter) tailInput(n *node) (in string, ends bool) {
	at := func(i int) string {
		if i < len(n.inputs) {
			return n.inputs[i]
		}
		return ""
	}
	switch n.op {
	case "ArgMax", "TopK", "ZipMap", "LabelEncoder", "CategoryMapper", "Binarizer":
		return at(0), true
	case "ArrayFeatureExtractor", "NonMaxSuppression":
		return at(1), true
	case "Greater", "GreaterOrEqual", "Less", "LessOrEqual":
		if c.stored(at(1)) {
			return at(0), true
		}
		if c.stored(at(0)) {
			return at(1), true
		}
	case "Cast":
		switch elemType(n.int("to", 1)) {
		case typeFloat, typeFloat16, typeDouble, typeBfloat16:
			return at(0), false
		}
		return at(0), true
	case "Gather":
		if c.stored(at(0)) { // names by number
			return at(1), false
		}
		return at(0), false
	case "Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Round", "ReduceMax", "SequenceConstruct", "OneHot":
		return at(0), false
	}
	return "", false
}

// stored reports whether a value is in the file.
func (c *converter) stored(name string) bool { return c.tensors[name] != nil || c.sparse[name] != nil }

// suppression is a node that picks boxes, if the output depends on one.
func suppression(maker map[string]*node, name string) *node {
	seen := map[*node]bool{}
	stack := []string{name}
	for len(stack) > 0 {
		n := maker[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		if n == nil || seen[n] {
			continue
		}
		seen[n] = true
		if n.op == "NonMaxSuppression" && len(n.inputs) > 1 {
			return n
		}
		stack = append(stack, n.inputs...)
	}
	return nil
}

// ends are the values that the network is for.
func (c *converter) ends() []*value {
	var out []*value
	for _, e := range c.exits {
		for _, name := range append([]string{e.value}, e.also...) {
			if v := c.values[name]; v != nil {
				out = append(out, v)
			}
		}
	}
	return out
}

// usable reports whether the network can give an exit's value.
func (c *converter) usable(e exit) bool {
	v := c.values[e.value]
	return v != nil && !v.bad && v.seq == nil && !v.none
}

// leaveOut drops the exits that depend on refused nodes, if the scores do not.
func (c *converter) leaveOut() bool {
	best := c.choose(nil)
	if len(c.exits) < 2 || !c.usable(c.exits[best]) {
		return false
	}
	kept := c.exits[:0]
	for _, e := range c.exits {
		if c.usable(e) {
			kept = append(kept, e)
			continue
		}
		c.notes = append(c.notes, fmt.Sprintf("output %s is left out: it depends on nodes that cannot be used, %s first", e.name, c.refused[0].Node))
	}
	c.exits, c.refused = kept, nil
	c.prune()
	return true
}

// choose is the exit with the scores of a classifier: the one that was asked for,
// or the one that names, shapes and what comes before speak for most.
func (c *converter) choose(shapes map[string]model.Shape) int {
	labelled := map[string]bool{} // scores that something makes labels of
	for _, e := range c.exits {
		if len(e.tail) > 0 {
			labelled[c.scoresNode(e, shapes)] = true
		}
	}
	makers := map[string]int{}
	for i, n := range c.nodes {
		for _, out := range n.outputs {
			makers[out] = i
		}
	}
	best, most := 0, -1<<30
	for i, e := range c.exits {
		w := c.weight(e, shapes, makers)
		if len(labelled) > 0 && labelled[c.scoresNode(e, shapes)] { // to look for the scores goes through all nodes
			w += 50
		}
		if w > most {
			best, most = i, w
		}
	}
	return best
}

// scoresNode is the node with an exit's scores, or its value's name if that is not known yet.
func (c *converter) scoresNode(e exit, shapes map[string]model.Shape) string {
	if shapes != nil && c.usable(e) {
		if at, _ := c.net.ScoresOf(c.values[e.value].ref, shapes); at != "" {
			return at
		}
	}
	return e.value
}

var (
	scoreWords = []string{"logit", "score", "prob", "softmax", "pred", "class", "output", "cls", "sigmoid"}
	otherWords = []string{"feat", "embed", "hidden", "pool", "aux", "attention", "box", "state", "latent", "label"}
)

// pooled reports whether a node is a vector of pooled maps.
func (c *converter) pooled(name string) bool {
	n := c.net.Node(c.net.Unshaped(name))
	if n == nil {
		return false
	}
	switch l := n.Layer.(type) {
	case *model.GlobalAvgPool:
		return true
	case *model.Pool:
		return l.MaxOfMaps() || l.MeanOfMaps()
	}
	return false
}

// calledFeatures reports whether an output's name says that it has features.
func calledFeatures(name string) bool {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(s string) bool { return strings.Contains(strings.ToLower(name), s) })
	}
	return has("feat", "embed", "latent") && !has(scoreWords...)
}

// weight is how much speaks for an exit.
func (c *converter) weight(e exit, shapes map[string]model.Shape, makers map[string]int) int {
	w := 0
	has := func(words []string) bool {
		return slices.ContainsFunc(words, func(s string) bool { return strings.Contains(strings.ToLower(e.name), s) })
	}
	if e.asked {
		w += 10000
	}
	if len(e.tail) > 0 { // of two outputs with the same scores, the one that is them
		w -= 30
	}
	if e.found != nil {
		w += 60
	}
	if has(scoreWords) {
		w += 20
	}
	if has(otherWords) && len(e.tail) == 0 {
		w -= 20
	}
	if i, ok := makers[e.value]; ok {
		w += 5 * i / len(c.nodes)
		switch c.nodes[i].op {
		case "Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid":
			w += 12
		case "Gemm", "MatMul", "Add":
			w += 6
		}
	}
	v := c.values[e.value]
	if shapes == nil || !c.usable(e) {
		return w
	}
	if v.k != nil {
		return w - 200
	}
	if s := v.shape; s.H*s.W == 1 && s.C > 1 {
		w += 15
		if s.C == c.opt.Classes {
			w += 100
		}
	}
	return w
}

// row is v as a list, if it is one number after the other for each image and the
// layer that makes it has them along an axis of space, such as one token of many.
func (c *converter) row(v *value) (*value, error) {
	if v.k != nil || v.q != nil || v.shape.Flat || len(v.dims) != 2 || v.dims[0] != c.images || v.shape.H*v.shape.W == 1 {
		return v, nil
	}
	return c.shaped(v, model.Shape{C: v.shape.Len(), H: 1, W: 1, Flat: true})
}

// outputs makes the exits outputs of the network and says which of them has the scores.
func (c *converter) outputs(g *Graph) error {
	for _, e := range c.exits {
		v, err := c.output(e.value)
		if err != nil {
			return fmt.Errorf("output %s: %w", e.name, err)
		}
		if v, err = c.row(v); err != nil {
			return fmt.Errorf("output %s: %w", e.name, err)
		}
		g.Outputs = append(g.Outputs, Output{Name: e.name, Layer: v.ref, Dims: ints(v.dims)})
		c.net.Outputs = append(c.net.Outputs, model.Output{Name: e.name, Node: v.ref})
	}
	shapes, err := c.net.Shapes()
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	best := c.choose(shapes)
	chosen := g.Outputs[best]
	scores := chosen.Layer
	if v := c.values[c.exits[best].value]; v.q != nil && v.k == nil { // the numbers that the integers stand for
		scores = v.ref
	}
	c.net.Logits, c.net.Scores = c.net.ScoresOf(scores, shapes)
	if f := c.exits[best].found; f != nil {
		scores = c.values[f.value].ref
		c.net.Logits, c.net.Scores = scores, f.kind
		g.Notes = append(g.Notes, f.note)
	}
	s := shapes[scores]
	if c.net.Scores == model.RawScores && s.C > 1 && s.C == c.opt.Classes && c.pooled(scores) { // as many names as means of maps
		c.net.Scores = model.LogitScores
	}
	if c.net.Scores == model.LogitScores && s.C != c.opt.Classes && calledFeatures(chosen.Name) {
		c.net.Scores = model.RawScores
		g.Notes = append(g.Notes, fmt.Sprintf("output %s has features by its name, no scores of classes: its numbers are values", chosen.Name))
	}
	var tails []string
	for _, e := range c.exits {
		if len(e.tail) > 0 {
			tails = append(tails, fmt.Sprintf("output %s: what comes after the scores is left out (%s); they are those of %s", e.name, strings.Join(some(e.tail), ", "), c.values[e.value].ref))
		}
	}
	g.Notes = append(g.Notes, some(tails)...)
	differ := slices.ContainsFunc(g.Outputs, func(o Output) bool { return o.Layer != chosen.Layer })
	if differ && !c.exits[best].asked {
		var all []string
		for _, o := range g.Outputs {
			all = append(all, fmt.Sprintf("%s (%v)", o.Name, shapes[o.Layer]))
		}
		g.Choice = fmt.Sprintf("the network has %d outputs, %s: scores are those of %s", len(all), strings.Join(some(all), ", "), chosen.Name)
	}
	return nil
}
