package onnx

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
)

// Detectors end with a list of candidates, each a box and how much it is of every
// class. The image's score of a class is the highest of any candidate: what is
// explained is the strongest detection. The boxes stay outputs.

// found is the scores of a detector's classes, one number for each.
type found struct {
	value string // their name
	kind  model.Scores
	note  string
}

// strip is numbers side by side along an axis of a value: those of a sigmoid, or
// others. Where parts of a value differ (levels of a detector), one strip has the
// same numbers of every part.
type strip struct {
	n       int
	sigmoid bool
	from    []stripAt
}

// stripAt is where a strip's numbers are: in value, from index at on along axis.
type stripAt struct {
	value    string
	axis, at int
}

// detector looks at a graph from its outputs.
type detector struct {
	c     *converter
	maker map[string]*node
	left  int // values that may still be looked at
}

// detect finds the exits that are lists of candidates. What cannot be computed of
// them is left as it is.
func (c *converter) detect() {
	d := &detector{c: c, maker: c.makers(), left: 100 * (len(c.done) + 100)}
	boxes := map[int]bool{} // numbers of candidates of outputs that have boxes alone
	for _, e := range c.exits {
		if s := d.dims(e.value); len(s) == 3 && s[0] == 1 && s[2] == 4 && s[1] > 1 {
			boxes[s[1]] = true
		}
	}
	layers := len(c.net.Nodes)
	for i := range c.exits {
		e := &c.exits[i]
		if e.asked && c.opt.Output != "" || !c.usable(*e) {
			continue
		}
		var err error
		switch s := d.dims(e.value); {
		case len(s) != 3 || s[0] != 1:
		case slices.Contains(e.tail, "NonMaxSuppression"):
			err = d.beside(e, 1)
		case s[2] != 4 && boxes[s[1]]:
			err = d.beside(e, 2)
		default:
			err = d.rows(e, s)
		}
		if err != nil {
			e.found, e.also = nil, nil
		}
	}
	c.folded = c.folded || len(c.net.Nodes) > layers
}

// dims are those of a value as the graph sees it, nil if it cannot be used.
func (d *detector) dims(name string) []int {
	v := d.c.values[name]
	switch {
	case v == nil || v.bad || v.seq != nil || v.none:
		return nil
	case v.k != nil:
		return v.k.dims
	}
	return ints(v.dims)
}

// rows looks for boxes and classes side by side: [1, candidates, numbers] or
// [1, numbers, candidates].
func (d *detector) rows(e *exit, s []int) error {
	for _, axis := range []int{2, 1} {
		strips := d.strips(e.value, axis, 0)
		at, i := 0, 0
		for at < 4 && i < len(strips) {
			at += strips[i].n
			i++
		}
		if at != 4 || i == len(strips) || !strips[i].sigmoid || s[3-axis] < 2 {
			continue
		}
		first := strips[i]
		switch {
		case first.n == 1 && i+1 < len(strips) && strips[i+1].sigmoid:
			return d.objects(e, s, axis, strips[i+1].n)
		case first.n > 1 && d.behindBox(first):
			return d.objects(e, s, axis, first.n-1)
		}
		return d.take(e, d.strongest(first), model.SigmoidScores, s[3-axis], "")
	}
	if s[2] == 6 {
		return d.picked(e)
	}
	return nil
}

// behindBox reports whether what a sigmoid gives comes behind the box in what one
// layer makes for a candidate: then its first number is that there is an object.
func (d *detector) behindBox(s strip) bool {
	for _, f := range s.from {
		if f.at == 4 {
			return true
		}
		in := d.strips(d.maker[f.value].inputs[0], f.axis, 0)
		if f.at == 0 && len(in) == 1 && in[0].from[0].at == 4 {
			return true
		}
	}
	return false
}

// objects takes scores that are the product of two: that there is an object, and
// of which class it would be.
func (d *detector) objects(e *exit, s []int, axis, classes int) error {
	r := d.rewriter(e)
	cut := func(from, to int) string {
		return r.op("Slice", nil, e.value, r.integers(int64(from)), r.integers(int64(to)), r.integers(int64(axis)))
	}
	both := r.op("Mul", nil, cut(5, 5+classes), cut(4, 5))
	return d.probable(e, r, both, axis, s[3-axis], "object times class, ")
}

// beside looks at an output that has scores of classes along an axis, apart from
// the boxes.
func (d *detector) beside(e *exit, axis int) error {
	candidates := d.dims(e.value)[3-axis]
	if candidates < 2 {
		return nil
	}
	if strips := d.strips(e.value, axis, 0); len(strips) == 1 && strips[0].sigmoid {
		return d.take(e, d.strongest(strips[0]), model.SigmoidScores, candidates, "")
	}
	r := d.rewriter(e)
	if d.bounded(e.value, 0) {
		return d.probable(e, r, e.value, axis, candidates, "")
	}
	most := r.op("ReduceMax", []attribute{{name: "keepdims"}}, e.value, r.integers(int64(3-axis)))
	if slices.Contains(e.tail, "NonMaxSuppression") {
		return d.take(e, most, model.RawScores, candidates, "as values, ")
	}
	return d.take(e, most, model.SigmoidScores, candidates, "read as sigmoids, as nothing in the graph says (--scores), ")
}

// picked looks for the scores by which a graph has picked its best candidates.
func (d *detector) picked(e *exit) error {
	seen := map[string]bool{}
	stack := []string{e.value}
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := d.maker[name]
		if n == nil || seen[name] {
			continue
		}
		seen[name] = true
		for n.op == "TopK" || n.op == "ReduceMax" || n.op == "Flatten" || n.op == "Reshape" {
			for _, axis := range []int{2, 1} {
				s := d.dims(n.inputs[0])
				if len(s) != 3 {
					break
				}
				if strips := d.strips(n.inputs[0], axis, 0); len(strips) == 1 && strips[0].sigmoid {
					return d.take(e, d.strongest(strips[0]), model.SigmoidScores, s[3-axis], "")
				}
			}
			if n = d.maker[n.inputs[0]]; n == nil {
				break
			}
		}
		stack = append(stack, d.maker[name].inputs...)
	}
	return nil
}

// rewriter writes nodes behind an exit.
func (d *detector) rewriter(e *exit) *rewriter {
	return &rewriter{c: d.c, n: &node{name: e.name + "/classes", outputs: []string{e.name + "/classes"}}}
}

// probable takes the highest of probabilities, as they are: what HardSigmoid does
// to them is nothing.
func (d *detector) probable(e *exit, r *rewriter, value string, axis, candidates int, how string) error {
	most := r.op("ReduceMax", []attribute{{name: "keepdims"}}, value, r.integers(int64(3-axis)))
	end := r.op("HardSigmoid", []attribute{{name: "alpha", f: 1}, {name: "beta", f: 0}}, most)
	if r.err != nil {
		return r.err
	}
	if err := d.take(e, most, model.SigmoidScores, candidates, how); err != nil {
		return err
	}
	e.also = append(e.also, end)
	return nil
}

// take notes scores, a list with one number for each class.
func (d *detector) take(e *exit, value string, kind model.Scores, candidates int, how string) error {
	v := d.c.values[value]
	if v == nil || v.bad || v.k != nil {
		return nil
	}
	v, err := d.c.row(v)
	if err != nil {
		return err
	}
	d.c.values[value] = v
	e.also = append(e.also, value)
	e.found = &found{value, kind, fmt.Sprintf("output %s has %d candidates with boxes: a class's score is the highest of them, %sas %s; --output takes those of each",
		e.name, candidates, how, v.ref)}
	return nil
}

// strongest is the name of the highest of all candidates' numbers, before the sigmoid.
func (d *detector) strongest(s strip) string {
	var levels []string
	r := &rewriter{c: d.c}
	for _, f := range s.from {
		r.n = &node{outputs: []string{f.value + "/classes"}}
		in := d.maker[f.value].inputs[0]
		dims := d.dims(f.value)
		if s.n != dims[f.axis] {
			in = r.op("Slice", nil, in, r.integers(int64(f.at)), r.integers(int64(f.at+s.n)), r.integers(int64(f.axis)))
		}
		var axes []int64
		for a := 1; a < len(dims); a++ {
			if a != f.axis {
				axes = append(axes, int64(a))
			}
		}
		levels = append(levels, r.op("ReduceMax", []attribute{{name: "keepdims"}}, in, r.integers(axes...)))
	}
	if len(levels) == 1 || r.err != nil {
		return levels[0]
	}
	return r.op("Max", nil, levels...)
}

// strips says what a value is made of along an axis.
func (d *detector) strips(name string, axis, depth int) []strip {
	dims := d.dims(name)
	if axis >= len(dims) {
		return nil
	}
	n := d.maker[name]
	whole := []strip{{n: dims[axis], from: []stripAt{{name, axis, 0}}}}
	if d.left--; n == nil || depth > 60 || d.left < 0 || len(n.inputs) == 0 || d.dims(n.inputs[0]) == nil {
		return whole
	}
	in := n.inputs[0]
	switch n.op {
	case "Sigmoid":
		whole[0].sigmoid = true
	case "Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Dropout":
		return d.strips(in, axis, depth+1)
	case "Transpose":
		perm := n.ints("perm")
		if len(perm) == len(dims) && perm[axis] >= 0 && int(perm[axis]) < len(dims) {
			return d.strips(in, int(perm[axis]), depth+1)
		}
	case "Reshape", "Squeeze", "Unsqueeze", "Flatten":
		if a := sameAxis(d.dims(in), dims, axis); a >= 0 {
			return d.strips(in, a, depth+1)
		}
	case "Concat":
		along, err := axisOf(n, len(dims))
		switch {
		case err != nil:
		case along == axis:
			var all []strip
			for _, part := range n.inputs {
				all = append(all, d.strips(part, axis, depth+1)...)
			}
			return all
		default:
			return d.stacked(n.inputs, axis, depth+1, whole)
		}
	case "ScatterND":
		return d.covered(n, d.strips(in, axis, depth+1), axis, whole)
	case "Split", "Slice":
		if at, ok := d.offset(n, name, axis); ok {
			return cutStrips(d.strips(in, axis, depth+1), at, dims[axis])
		}
	}
	return whole
}

func axisOf(n *node, rank int) (int, error) { return axis(n.int("axis", 1), rank) }

// stacked is what values have in common that are put together along another axis.
func (d *detector) stacked(parts []string, axis, depth int, whole []strip) []strip {
	var all []strip
	for i, part := range parts {
		s := d.strips(part, axis, depth)
		if i == 0 {
			all = slices.Clone(s)
			continue
		}
		if len(s) != len(all) {
			return whole
		}
		for j := range s {
			if s[j].n != all[j].n || s[j].sigmoid != all[j].sigmoid {
				return whole
			}
			all[j].from = append(slices.Clone(all[j].from), s[j].from...)
		}
	}
	return all
}

// covered are the strips of an array of which a ScatterND has replaced some.
func (d *detector) covered(n *node, strips []strip, axis int, whole []strip) []strip {
	v := d.c.values[n.inputs[1]]
	if v == nil || v.k == nil || len(v.k.dims) == 0 || v.k.dims[len(v.k.dims)-1] <= axis {
		return whole
	}
	depth, total := v.k.dims[len(v.k.dims)-1], whole[0].n
	replaced := make([]bool, total)
	for i := axis; i < len(v.k.i); i += depth {
		if at := v.k.i[i]; at >= 0 && at < int64(total) {
			replaced[at] = true
		}
	}
	var out []strip
	for at := 0; at < total; {
		end := at + 1
		for end < total && replaced[end] == replaced[at] {
			end++
		}
		if replaced[at] {
			out = append(out, strip{n: end - at, from: []stripAt{{n.output(), axis, at}}})
		} else {
			out = append(out, cutStrips(strips, at, end-at)...)
		}
		at = end
	}
	return out
}

// offset is where along an axis a part begins that Split or Slice has cut out. Other
// axes are whole.
func (d *detector) offset(n *node, name string, ax int) (int, bool) {
	in, out := d.dims(n.inputs[0]), d.dims(name)
	if len(in) != len(out) || ax >= len(in) { // items of a sequence may lack the axis
		return 0, false
	}
	for a := range in {
		if a != ax && in[a] != out[a] {
			return 0, false
		}
	}
	if n.op == "Split" {
		along, err := axis(n.int("axis", 0), len(in))
		if err != nil || along != ax {
			return 0, false
		}
		at := 0
		for _, o := range n.outputs {
			if o == name {
				return at, true
			}
			s := d.dims(o)
			if ax >= len(s) {
				return 0, false
			}
			at += s[ax]
		}
		return 0, false
	}
	starts, err1 := d.c.integers(n, 1, "starts")
	axes, err2 := d.c.integers(n, 3, "axes")
	steps, err3 := d.c.integers(n, 4, "steps")
	if err1 != nil || err2 != nil || err3 != nil {
		return 0, false
	}
	for i, v := range starts {
		along := i
		if axes != nil && i < len(axes) {
			a, err := axis(axes[i], len(in))
			if err != nil {
				return 0, false
			}
			along = a
		}
		if i < len(steps) && steps[i] != 1 {
			return 0, false
		}
		if along == ax {
			if v < 0 {
				v += int64(in[ax])
			}
			return int(min(max(v, 0), int64(in[ax]))), true
		}
	}
	return 0, in[ax] == out[ax]
}

// cutStrips are n numbers of strips from index at on.
func cutStrips(strips []strip, at, n int) []strip {
	var out []strip
	begin := 0
	for _, s := range strips {
		from, to := max(at, begin), min(at+n, begin+s.n)
		if from < to {
			cut := strip{n: to - from, sigmoid: s.sigmoid}
			for _, f := range s.from {
				f.at += from - begin
				cut.from = append(cut.from, f)
			}
			out = append(out, cut)
		}
		begin += s.n
	}
	return out
}

// sameAxis is the axis of an array of dims from that is an axis of the same numbers
// seen as to, -1 if there is none.
func sameAxis(from, to []int, axis int) int {
	behind := product(to[axis+1:])
	for a := range from {
		if from[a] == to[axis] && product(from[a+1:]) == behind {
			return a
		}
	}
	return -1
}

// bounded reports whether a value is surely between 0 and 1.
func (d *detector) bounded(name string, depth int) bool {
	n := d.maker[name]
	if d.left--; n == nil || depth > 60 || d.left < 0 || len(n.inputs) == 0 {
		return false
	}
	all := func(names []string) bool {
		return !slices.ContainsFunc(names, func(s string) bool { return !d.bounded(s, depth+1) })
	}
	switch n.op {
	case "Sigmoid", "Softmax", "HardSigmoid":
		return true
	case "Mul", "Concat", "Max", "Min":
		return all(n.inputs)
	case "Split", "Slice":
		dims := d.dims(name)
		for ax := range dims {
			at, ok := d.offset(n, name, ax)
			if !ok {
				continue
			}
			strips := cutStrips(d.strips(n.inputs[0], ax, 0), at, dims[ax])
			return len(strips) > 0 && !slices.ContainsFunc(strips, func(s strip) bool {
				return !s.sigmoid && slices.ContainsFunc(s.from, func(f stripAt) bool { return !d.bounded(f.value, depth+1) })
			})
		}
		return d.bounded(n.inputs[0], depth+1)
	case "Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Gather", "ReduceMax", "QuantizeLinear", "DequantizeLinear":
		return d.bounded(n.inputs[0], depth+1)
	}
	return false
}
