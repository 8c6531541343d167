package onnx

import (
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
)

// Einsum is written as what it is made of: sums, one product of matrices, and
// moves of axes.

// label names an axis of an equation: a letter, or -1, -2, ... for the last, the
// last but one, ... of those that "..." stands for.
type label int

// term is an operand of an equation: its axes, without those of size 1.
type term struct {
	v      *value
	labels []label
	own    []int // sizes of all axes of v, in order, and which label each has (0: none)
	axes   []label
}

// labelsOf reads one side of an equation for an array of the given rank.
func labelsOf(text string, rank int) ([]label, error) {
	var out []label
	letters := len(strings.Replace(text, "...", "", 1))
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case strings.HasPrefix(text[i:], "..."):
			for k := rank - letters; k > 0; k-- {
				out = append(out, label(-k))
			}
			i += 2
		case ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z':
			out = append(out, label(ch))
		default:
			return nil, malformed("equation has %q", ch)
		}
	}
	if len(out) != rank {
		return nil, malformed("equation has %q for an array of %d axes", text, rank)
	}
	return out, nil
}

func einsum(c *converter, n *node) error {
	equation := strings.ReplaceAll(n.text("equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	sides := strings.Split(left, ",")
	if len(sides) != len(n.inputs) || len(sides) > 2 {
		return refuse("equation %q of %d inputs, want one or two", equation, len(n.inputs))
	}
	sizes := map[label]int{}
	var terms []*term
	var seen []label
	for i, side := range sides {
		v, err := c.arg(n, i)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input %d is missing", i)
		}
		if v.k == nil {
			v, err = c.array(n, i)
		} else if v.k, err = c.asFloats(v.k); err == nil {
			v = &value{k: v.k, dims: int64s(v.k.dims)}
		}
		if err != nil {
			return err
		}
		t := &term{v: v, own: ints(v.dims)}
		if t.axes, err = labelsOf(side, len(v.dims)); err != nil {
			return err
		}
		for a, l := range t.axes {
			size := t.own[a]
			if have := sizes[l]; have > 1 && size > 1 && have != size {
				return malformed("equation %q: axes of %d and %d have one name", equation, have, size)
			}
			sizes[l] = max(sizes[l], size)
			seen = append(seen, l)
		}
		terms = append(terms, t)
	}
	var out []label
	if explicit {
		rank := strings.Count(right, "") - 1
		if strings.Contains(right, "...") {
			rank -= 3
			for l := range sizes {
				if l < 0 {
					rank++
				}
			}
		}
		var err error
		if out, err = labelsOf(right, rank); err != nil {
			return err
		}
	} else { // all axes that are named once, in the order of the alphabet
		for l := range sizes {
			if l < 0 || named(seen, l) == 1 {
				out = append(out, l)
			}
		}
		slices.Sort(out)
	}
	for i, l := range out {
		if sizes[l] == 0 || slices.Contains(out[:i], l) {
			return malformed("equation %q: the result has an axis that is in no input, or one twice", equation)
		}
	}
	return c.contract(n, terms, out, sizes)
}

func named(labels []label, l label) int {
	n := 0
	for _, x := range labels {
		if x == l {
			n++
		}
	}
	return n
}

// contract computes an equation of one or two terms.
func (c *converter) contract(n *node, terms []*term, out []label, sizes map[label]int) error {
	dims := make([]int64, len(out))
	for i, l := range out {
		dims[i] = int64(sizes[l])
	}
	if c.images > 1 {
		if err := c.imagesApart(terms, out); err != nil {
			return err
		}
		sizes[out[0]] = 1
	}
	own := dims
	if c.images > 1 || c.images == 1 && len(dims) > 1 && dims[0] == 1 {
		own = dims[1:]
	}
	name := c.name(n)
	v, order, err := c.summedOrMultiplied(name, terms, roles(terms, out), sizes)
	if err != nil {
		return err
	}
	// The axes of the result in their order.
	var have, perm []int
	for _, l := range order {
		have = append(have, sizes[l])
	}
	strides := steps(have)
	move := &model.Rearrange{What: "Transpose"}
	for _, l := range out {
		if i := slices.Index(order, l); i >= 0 {
			perm = append(perm, i)
			move.To, move.Strides = append(move.To, have[i]), append(move.Strides, strides[i])
		}
	}
	if !slices.IsSorted(perm) {
		if v, err = c.add(c.unique(name+".turned"), move, v); err != nil {
			return err
		}
	}
	return c.put(n, dims, &model.Reshape{To: ints(own)}, v)
}

// imagesApart takes the axis of the images off the terms, or refuses an equation in
// which they do not stay apart.
func (c *converter) imagesApart(terms []*term, out []label) error {
	for _, t := range terms {
		apart := len(out) > 0 && len(t.own) > 1 && int64(t.own[0]) == c.images && t.axes[0] == out[0] && named(t.axes, out[0]) == 1
		if t.v.k != nil {
			apart = len(out) > 0 && named(t.axes, out[0]) == 0
		}
		if !apart {
			return refuse("it mixes the %d images of a batch", c.images)
		}
		if t.v.k == nil {
			t.own, t.axes = t.own[1:], t.axes[1:]
		}
	}
	return nil
}

// has reports whether the term has an axis of that name larger than 1.
func (t *term) has(l label) bool {
	for a, x := range t.axes {
		if x == l && t.own[a] > 1 {
			return true
		}
	}
	return false
}

// role is what an equation does with the axes of a term.
type role struct {
	batch  []label // in the result and in both terms
	kept   []label // in the result, from this term alone
	shared []label // summed with the other term's
	alone  []label // summed alone
}

// roles sorts the axes of the terms. The second has those of both in the order of
// the first.
func roles(terms []*term, out []label) []role {
	all := make([]role, len(terms))
	for i, t := range terms {
		for a, l := range t.axes {
			if t.own[a] == 1 || slices.Contains(t.axes[:a], l) {
				continue
			}
			r := &all[i]
			kept, both := slices.Contains(out, l), len(terms) == 2 && terms[1-i].has(l)
			switch {
			case kept && both:
				r.batch = append(r.batch, l)
			case kept:
				r.kept = append(r.kept, l)
			case both:
				r.shared = append(r.shared, l)
			default:
				r.alone = append(r.alone, l)
			}
		}
	}
	if len(all) == 2 {
		all[1].batch, all[1].shared = all[0].batch, all[0].shared
	}
	return all
}

// summedOrMultiplied is the sum of one term or the product of two, with the axes in
// the order that is returned.
func (c *converter) summedOrMultiplied(name string, terms []*term, roles []role, sizes map[label]int) (*value, []label, error) {
	total := func(labels []label) int {
		p := 1
		for _, l := range labels {
			p *= sizes[l]
		}
		return p
	}
	a := roles[0]
	if len(terms) == 1 {
		v, err := c.summed(name, terms[0], slices.Concat(a.kept, a.alone), []int{total(a.kept)}, total(a.alone), sizes)
		return v, a.kept, err
	}
	b := roles[1]
	l := &model.MatMul{A: []int{total(a.batch), total(a.kept), total(a.shared)}, B: []int{total(b.batch), total(b.shared), total(b.kept)}}
	x, err := c.summed(name+".left", terms[0], slices.Concat(a.batch, a.kept, a.shared, a.alone), slices.Clone(l.A), total(a.alone), sizes)
	if err != nil {
		return nil, nil, err
	}
	y, err := c.summed(name+".right", terms[1], slices.Concat(b.batch, b.shared, b.kept, b.alone), slices.Clone(l.B), total(b.alone), sizes)
	if err != nil {
		return nil, nil, err
	}
	v, err := c.operate(c.unique(name+".product"), l, &l.Value, &l.First, [2]*value{x, y}, [2][]int{l.A, l.B})
	return v, slices.Concat(a.batch, a.kept, b.kept), err
}

// summed is a term with its axes in the given order, in which the last ones, extra
// numbers in all, are summed up, divided into dims.
func (c *converter) summed(name string, t *term, order []label, dims []int, extra int, sizes map[label]int) (*value, error) {
	move := &model.Rearrange{What: "Transpose"}
	all := steps(t.own)
	plain, next := true, 0
	for _, l := range order {
		step := 0
		for a, x := range t.axes {
			if x == l && t.own[a] > 1 { // along a diagonal if there are several
				step += all[a]
				for next < a && t.own[next] == 1 {
					next++
				}
				plain = plain && next == a
				next++
			}
		}
		move.To, move.Strides = append(move.To, sizes[l]), append(move.Strides, step)
	}
	v, err := t.v, error(nil)
	if v.k != nil {
		if extra > 1 {
			return nil, refuse("it sums up axes of a constant")
		}
		return c.rearranged(v.k, move, dims)
	}
	if !plain || product(move.To) != v.shape.Len() {
		if v, err = c.add(c.unique(name+".turned"), move, v); err != nil {
			return nil, err
		}
	}
	if extra > 1 {
		if v, err = c.add(c.unique(name+".sum"), &model.Reduce{Op: model.ReduceSum, From: []int{product(dims), extra}, Axes: []int{1}}, v); err != nil {
			return nil, err
		}
	}
	return c.add(c.unique(name+".divided"), &model.Reshape{To: dims}, v)
}

// rearranged is a constant in another order, of the given dims.
func (c *converter) rearranged(k *constant, move *model.Rearrange, dims []int) (*value, error) {
	size := product(dims)
	if err := c.spend(size); err != nil {
		return nil, err
	}
	out := &constant{dims: dims, f: make([]float32, size)}
	if len(move.To) == 0 {
		copy(out.f, k.f)
	} else {
		move.Visit(func(i, j int) { out.f[i] = k.f[j] })
	}
	return &value{k: out}, nil
}
