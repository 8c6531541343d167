package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

// attention is written out as the layers it is made of: products of the scaled
// queries and keys, a softmax over the keys, a product with the values.
func attention(c *converter, n *node) error {
	a := &attending{c: c, n: n}
	if (a.in(4) == "") != (a.in(5) == "") {
		return malformed("it takes past keys without past values, or values without keys")
	}
	if a.in(4) != "" && n.int("is_causal", 0) != 0 {
		return refuse("it takes keys and values of the past and hides those that come later")
	}
	if a.in(6) != "" {
		return refuse("it takes lengths of keys that are not padding")
	}
	if len(n.inputs) < 3 {
		return malformed("%d inputs, want queries, keys and values", len(n.inputs))
	}
	q, k, v := a.dims(n.inputs[0]), a.dims(n.inputs[1]), a.dims(n.inputs[2])
	if a.err != nil {
		return a.err
	}
	heads, shared := n.int("q_num_heads", 0), n.int("kv_num_heads", 0)
	flat := len(q) == 3
	if len(q) != len(k) || len(q) != len(v) || !flat && len(q) != 4 {
		return malformed("queries, keys and values are %v, %v and %v", q, k, v)
	}
	if !flat {
		heads, shared = q[1], k[1]
	}
	if heads < 1 || shared < 1 || heads%shared != 0 || flat && (q[2]%heads != 0 || k[2]%shared != 0 || v[2]%shared != 0) {
		return malformed("%d heads of queries %v, %d of keys %v and values %v", heads, q, shared, k, v)
	}
	query, key, val := n.inputs[0], n.inputs[1], n.inputs[2]
	if flat {
		query, key, val = a.apart(query, q, heads), a.apart(key, k, shared), a.apart(val, v, shared)
	}
	for i, at := range []*string{&key, &val} {
		if p := a.in(4 + i); p != "" {
			*at = a.step("Concat", []string{p, *at}, attribute{name: "axis", i: 2})
		}
		a.also(1+i, *at)
	}
	key, val = a.repeated(key, heads/shared), a.repeated(val, heads/shared)
	if a.err != nil {
		return a.err
	}
	probability, err := a.probability(query, key)
	if err != nil {
		return err
	}
	if !flat {
		return a.last("MatMul", probability, val)
	}
	heard := a.step("Transpose", []string{a.step("MatMul", []string{probability, val})}, attribute{name: "perm", ints: []int64{0, 2, 1, 3}})
	return a.last("Reshape", heard, a.list(0, 0, -1))
}

// attending writes the steps of an attention.
type attending struct {
	c   *converter
	n   *node
	err error
}

// in is the name of input i, "" if it is left out.
func (a *attending) in(i int) string {
	if i < len(a.n.inputs) {
		return a.n.inputs[i]
	}
	return ""
}

// probability is how much each query hears of each key.
func (a *attending) probability(query, key string) (string, error) {
	c, n, mask := a.c, a.n, a.in(3)
	width := a.dims(query)[3]
	root := float32(math.Sqrt(1 / math.Sqrt(float64(width))))
	if n.has("scale") {
		scale := n.float("scale", 1)
		if scale < 0 {
			return "", malformed("scale is %g", scale)
		}
		root = float32(math.Sqrt(float64(scale)))
	}
	number := func(x float32) string { return c.known("number", &constant{f: []float32{x}}) }
	turned := a.step("Transpose", []string{a.step("Mul", []string{key, number(root)})}, attribute{name: "perm", ints: []int64{0, 1, 3, 2}})
	scores := a.step("MatMul", []string{a.step("Mul", []string{query, number(root)}), turned})
	mode := n.int("qk_matmul_output_mode", 0)
	if mode == 0 {
		a.also(3, scores)
	}
	// The cap comes before the masks, or it would lift what they hide.
	if soft := n.float("softcap", 0); soft > 0 {
		scores = a.step("Mul", []string{a.step("Tanh", []string{a.step("Div", []string{scores, number(soft)})}), number(soft)})
	}
	if mode == 1 {
		a.also(3, scores)
	}
	if n.int("is_causal", 0) != 0 {
		if a.err != nil {
			return "", a.err
		}
		if err := c.spend(int(a.dims(query)[2] * a.dims(key)[2])); err != nil {
			return "", err
		}
		scores = a.step("Add", []string{scores, c.known("causal", causal(int(a.dims(query)[2]), int(a.dims(key)[2])))})
	}
	if mask != "" {
		scores = a.masked(scores, mask)
	}
	if mode == 2 {
		a.also(3, scores)
	}
	probability := a.step("Softmax", []string{scores}, attribute{name: "axis", i: -1})
	if mask != "" && a.blind(mask, n.int("is_causal", 0) != 0) {
		probability = a.step("Where", []string{a.step("IsNaN", []string{probability}), number(0), probability})
	}
	if mask != "" && a.computed(mask) { // a query from which all keys are hidden hears nothing
		most := a.step("ReduceMax", []string{scores, a.list(-1)})
		hidden := a.step("IsInf", []string{most}, attribute{name: "detect_positive", i: 0})
		probability = a.step("Where", []string{hidden, number(0), probability})
	}
	if mode == 3 {
		a.also(3, probability)
	}
	return probability, nil
}

// dims are the sizes of a value of four axes or three.
func (a *attending) dims(name string) []int64 {
	if a.err != nil {
		return []int64{1, 1, 1, 1}
	}
	v, err := a.c.arg(&node{inputs: []string{name}}, 0)
	switch {
	case err != nil:
		a.err = err
	case v == nil:
		a.err = malformed("an input is missing")
	case v.k != nil:
		return int64s(v.k.dims)
	default:
		return v.dims
	}
	return []int64{1, 1, 1, 1}
}

// step computes a node with a name of its own.
func (a *attending) step(op string, ins []string, attrs ...attribute) string {
	out := a.c.fresh(a.n.outputs[0] + "." + op)
	if a.err == nil {
		a.err = a.c.run(op, ins, []string{out}, attrs...)
	}
	if v := a.c.values[out]; a.err == nil && v != nil && v.bad {
		a.err = refuse("a part of it, %s, cannot be computed", op)
	}
	return out
}

// wants reports whether output i of the node is used.
func (a *attending) wants(i int) bool {
	return i < len(a.n.outputs) && a.n.outputs[i] != "" && a.c.uses[a.n.outputs[i]] > 0
}

// also makes a value output i of the node, if that is used.
func (a *attending) also(i int, name string) {
	if a.err == nil && a.wants(i) {
		a.err = a.c.run("Identity", []string{name}, a.n.outputs[i:i+1])
	}
}

// computed reports whether a value depends on the picture.
func (a *attending) computed(name string) bool {
	v, err := a.c.look(&node{inputs: []string{name}}, 0)
	return a.err == nil && err == nil && v != nil && v.k == nil
}

func (a *attending) last(op string, ins ...string) error {
	if a.err != nil {
		return a.err
	}
	return a.c.run(op, ins, a.n.outputs[:1])
}

func (a *attending) list(v ...int64) string {
	return a.c.known("shape", &constant{dims: []int{len(v)}, i: v})
}

// apart makes [N, places, heads*width] into [N, heads, places, width].
func (a *attending) apart(name string, dims []int64, heads int64) string {
	return a.step("Transpose", []string{a.step("Reshape", []string{name, a.list(dims[0], dims[1], heads, dims[2]/heads)})}, attribute{name: "perm", ints: []int64{0, 2, 1, 3}})
}

// repeated gives each head of keys or values to several heads of queries.
func (a *attending) repeated(name string, times int64) string {
	if times == 1 || a.err != nil {
		return name
	}
	d := a.dims(name)
	if a.err != nil {
		return name
	}
	wide := a.step("Expand", []string{a.step("Reshape", []string{name, a.list(d[0], d[1], 1, d[2], d[3])}), a.list(d[0], d[1], times, d[2], d[3])})
	return a.step("Reshape", []string{wide, a.list(d[0], d[1]*times, d[2], d[3])})
}

// blind reports whether a constant mask hides all keys from some query, which then
// hears nothing.
func (a *attending) blind(mask string, causal bool) bool {
	v, err := a.c.arg(&node{inputs: []string{mask}}, 0)
	if a.err != nil || err != nil || v == nil || v.k == nil || len(v.k.dims) == 0 || v.k.len() == 0 {
		return false
	}
	k := v.k
	keys, queries := k.dims[len(k.dims)-1], 1
	if len(k.dims) > 1 {
		queries = k.dims[len(k.dims)-2]
	}
	for row := range k.len() / keys {
		seen := keys
		if causal {
			seen = min(keys, row%queries+1)
		}
		hidden := true
		for i := row * keys; i < row*keys+seen && hidden; i++ {
			hidden = k.f == nil && k.i[i] == 0 || k.f != nil && math.IsInf(float64(k.f[i]), -1)
		}
		if hidden {
			return true
		}
	}
	return false
}

// masked adds a mask, or keeps where a mask of truth values holds.
func (a *attending) masked(scores, mask string) string {
	if a.err != nil {
		return scores
	}
	v, err := a.c.arg(&node{inputs: []string{mask}}, 0)
	if err != nil {
		a.err = err
		return scores
	}
	if v.k != nil && v.k.f == nil {
		k := &constant{dims: v.k.dims, f: make([]float32, v.k.len())}
		if a.err = a.c.spend(v.k.len()); a.err != nil {
			return scores
		}
		for i, on := range v.k.i {
			if on == 0 {
				k.f[i] = float32(math.Inf(-1))
			}
		}
		mask = a.c.known("mask", k)
	} else if v.k == nil && a.c.truth(v) {
		return a.step("Where", []string{mask, scores, a.c.known("number", &constant{f: []float32{float32(math.Inf(-1))}})})
	}
	return a.step("Add", []string{scores, mask})
}

// truth reports whether a value comes from layers that give truth values, in whatever
// order.
func (c *converter) truth(v *value) bool { return c.truths(v.ref) }

func (c *converter) truths(name string) bool {
	at, ok := c.layers[name]
	if !ok {
		return false
	}
	n := c.net.Nodes[at]
	switch l := n.Layer.(type) {
	case *model.Binary:
		return l.Level()
	case *model.Unary:
		return l.Level()
	case *model.Rearrange, *model.Reshape, *model.Dropout:
		return c.truths(n.Inputs[0])
	case *model.AlongAxis:
		return l.Weight == nil && l.Taps <= 1 && c.truths(n.Inputs[0])
	case *model.Concat:
		return !slices.ContainsFunc(n.Inputs, func(in string) bool { return !c.truths(in) })
	}
	return false
}

// causal is 0 where query i may see key j, those up to its own place, else minus infinity.
func causal(queries, keys int) *constant {
	k := &constant{dims: []int{queries, keys}, f: make([]float32, queries*keys)}
	for i := range queries {
		for j := i + 1; j < keys; j++ {
			k.f[i*keys+j] = float32(math.Inf(-1))
		}
	}
	return k
}
