package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

// Operators on arrays of any rank: what moves numbers about, takes some of them
// together or makes new ones between them.

// concat joins along the channels, as maps with the channels last too, or along
// any axis.
func concat(c *converter, n *node) error {
	if len(n.inputs) == 0 {
		return malformed("no inputs")
	}
	def := int64(1)
	var vs []*value
	maps, last := true, true
	var a int
	var dims []int64
	for i := range n.inputs {
		v, err := c.arg(n, i)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input %d is missing", i)
		}
		d := v.dims
		if v.k != nil {
			d = int64s(v.k.dims)
		}
		at, err := axis(n.int("axis", def), len(d))
		if err != nil {
			return err
		}
		if i == 0 {
			a, dims = at, slices.Clone(d)
		} else {
			if len(d) != len(dims) || !slices.Equal(d[:a], dims[:a]) || !slices.Equal(d[a+1:], dims[a+1:]) {
				return malformed("it joins %v to %v", d, dims)
			}
			dims[a] += d[a]
		}
		plain := v.k == nil && c.images > 0 && len(d) > 1 && d[0] == c.images
		maps = maps && plain && a == 1 && v.hwc == nil && v.shape == model.ArrayShape(ints(d[1:]))
		last = last && plain && a == 3 && len(d) == 4 && v.hwc != nil && !v.shape.Flat
		vs = append(vs, v)
	}
	if maps || last {
		v, err := c.add(c.name(n), &model.Concat{}, vs...)
		if err == nil {
			v.dims = dims
			if last {
				v.hwc = &v.shape
			}
			c.values[n.output()] = v
		}
		return err
	}
	var ins []*value
	strip := c.images > 0 && a != 0 && dims[0] == c.images
	for i := range n.inputs {
		v, err := c.array(n, i)
		if err != nil {
			return err
		}
		if v.dims[0] != dims[0] && len(v.dims) == len(dims) && a != 0 {
			return refuse("it joins values of different numbers of images")
		}
		ins = append(ins, v)
	}
	to := ints(dims)
	switch {
	case strip:
		to, a = to[1:], a-1
	case c.images > 1:
		return refuse("it joins along axis %d of %v: it mixes the %d images of a batch", a, dims, c.images)
	}
	return c.put(n, dims, &model.Concat{Axis: a, To: to}, ins...)
}

// steps are the strides of an array of dims in C order.
func steps(dims []int) []int {
	s := make([]int, len(dims))
	step := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = step
		step *= dims[i]
	}
	return s
}

// turned is v with its axes in another order, as a layer called name.
func (c *converter) turned(name string, v *value, perm []int) (*value, error) {
	own, before, err := c.own(v, perm[0] == 0)
	if err != nil {
		return nil, err
	}
	strides := steps(own)
	l := &model.Rearrange{What: "Transpose"}
	var dims []int64
	for i, p := range perm {
		dims = append(dims, v.dims[p])
		if i >= before {
			l.To, l.Strides = append(l.To, own[p-before]), append(l.Strides, strides[p-before])
		}
	}
	w, err := c.add(name, l, v)
	if err == nil {
		w.dims = dims
	}
	return w, err
}

// transpose between channels first and last is only another way to see the same
// maps; so is one that moves axes of size 1. All else moves numbers.
func transpose(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	perm, err := permutation(n, len(in.dims))
	if err != nil {
		return err
	}
	var dims, before, after []int64
	for i, p := range perm {
		dims = append(dims, in.dims[p])
		if in.dims[i] != 1 {
			before = append(before, int64(i))
		}
		if in.dims[p] != 1 {
			after = append(after, int64(p))
		}
	}
	maps := c.images > 0 && len(in.dims) == 4 && in.dims[0] == c.images && !in.shape.Flat
	stays := slices.Equal(before, after) && (c.images <= 1 || perm[0] == 0)
	v := *in
	switch {
	case maps && in.hwc == nil && in.shape == model.ArrayShape(ints(in.dims[1:])) && slices.Equal(perm, []int{0, 2, 3, 1}):
		if !stays {
			v.hwc = &v.shape
		}
		c.alias(n, 0, &v, dims)
		return nil
	case maps && in.hwc != nil && slices.Equal(perm, []int{0, 3, 1, 2}):
		v.hwc = nil
		c.alias(n, 0, &v, dims)
		return nil
	case stays && in.hwc == nil:
		c.alias(n, 0, in, dims)
		return nil
	}
	if in, err = c.array(n, 0); err != nil {
		return err
	}
	w, err := c.turned(c.name(n), in, perm)
	if err == nil {
		c.values[n.output()] = w
	}
	return err
}

// slice takes starts, ends, axes and steps from inputs, or from attributes
// before operator set 10.
func slice(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	cuts, err := c.cuts(n, ints(in.dims))
	if err != nil {
		return err
	}
	whole := true
	dims := slices.Clone(in.dims)
	for i, cut := range cuts {
		if cut.count < 1 {
			return refuse("it leaves nothing of %v", in.dims)
		}
		dims[i] = int64(cut.count)
		whole = whole && cut.all(int(in.dims[i]))
	}
	if whole {
		c.alias(n, 0, in, dims)
		return nil
	}
	own, before, err := c.own(in, cuts[0].all(int(in.dims[0])))
	if err != nil {
		return err
	}
	l := &model.Rearrange{What: "Slice"}
	for i, s := range steps(own) {
		cut := cuts[i+before]
		l.Offset += cut.from * s
		l.To, l.Strides = append(l.To, cut.count), append(l.Strides, cut.step*s)
	}
	return c.put(n, dims, l, in)
}

// cut is what a slice takes of an axis.
type cut struct{ from, step, count int }

func (k cut) all(size int) bool { return k.from == 0 && k.step == 1 && k.count == size }

// cuts reads a Slice of an array of dims.
func (c *converter) cuts(n *node, dims []int) ([]cut, error) {
	var lists [4][]int64
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		var err error
		if lists[i], err = c.integers(n, i+1, name); err != nil {
			return nil, err
		}
	}
	starts, ends, axes, steps := lists[0], lists[1], lists[2], lists[3]
	if len(ends) != len(starts) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) || len(starts) > maxRank {
		return nil, malformed("starts %v, ends %v, axes %v, steps %v", starts, ends, axes, steps)
	}
	var out []cut
	for _, d := range dims {
		out = append(out, cut{step: 1, count: d})
	}
	for i, from := range starts {
		ax, step := int64(i), int64(1)
		if axes != nil {
			ax = axes[i]
		}
		if steps != nil {
			step = steps[i]
		}
		a, err := axis(ax, len(dims))
		if err != nil {
			return nil, err
		}
		size, to := int64(dims[a]), ends[i]
		if step == 0 || step == math.MinInt64 {
			return nil, malformed("steps of %d", step)
		}
		step = min(max(step, -size-1), size+1) // longer ones leave the array at once as well
		from, to = max(from, math.MinInt64/2), max(to, math.MinInt64/2)
		if from < 0 {
			from += size
		}
		if to < 0 {
			to += size
		}
		count := int64(0)
		if step > 0 {
			from, to = min(max(from, 0), size), min(max(to, 0), size)
			count = max((to-from+step-1)/step, 0)
		} else {
			from, to = min(max(from, 0), size-1), min(max(to, -1), size-1)
			count = max((from-to-step-1)/-step, 0)
		}
		out[a] = cut{int(from), int(step), int(count)}
	}
	return out, nil
}

// splitOp cuts along an axis into parts of given sizes, or equal ones; the last
// of num_outputs may be smaller.
func splitOp(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	a, err := axis(n.int("axis", 0), len(in.dims))
	if err != nil {
		return err
	}
	sizes, err := c.integersUpTo(n, 1, "split", 1<<16)
	if err != nil {
		return err
	}
	parts := int64(len(n.outputs))
	if sizes == nil {
		each := (in.dims[a] + parts - 1) / parts
		if !n.has("num_outputs") && in.dims[a]%parts != 0 {
			return malformed("it splits %d into %d parts", in.dims[a], parts)
		}
		for left := in.dims[a]; parts > 0; parts-- {
			size := min(each, left)
			sizes = append(sizes, size)
			left -= size
		}
	}
	total := int64(0)
	for _, s := range sizes {
		if s < 0 || s > in.dims[a] {
			return malformed("parts of %v", sizes)
		}
		total += s
	}
	if total != in.dims[a] || len(sizes) != len(n.outputs) {
		return malformed("parts of %v of %d for %d outputs", sizes, in.dims[a], len(n.outputs))
	}
	own, before, err := c.own(in, a != 0)
	if err != nil {
		return err
	}
	strides := steps(own)
	at := 0
	for i, out := range n.outputs {
		from := at
		at += int(sizes[i])
		if out == "" || c.uses[out] == 0 {
			continue
		}
		if sizes[i] == 0 {
			return refuse("its output %s is empty", out)
		}
		l := &model.Rearrange{What: "Split", Offset: from * strides[a-before], To: slices.Clone(own), Strides: slices.Clone(strides)}
		l.To[a-before] = int(sizes[i])
		dims := slices.Clone(in.dims)
		dims[a] = sizes[i]
		name := c.unique(out)
		if i == 0 && len(n.outputs) == 1 {
			name = c.name(n)
		}
		v, err := c.add(name, l, in)
		if err != nil {
			return err
		}
		v.dims = dims
		c.values[out] = v
	}
	return nil
}

// along appends an AlongAxis layer for axis a of v as the graph sees it.
func (c *converter) along(name string, v *value, a int, l *model.AlongAxis) (*value, error) {
	own, before, err := c.own(v, a != 0)
	if err != nil {
		return nil, err
	}
	l.From, l.Axis = own, a-before
	w, err := c.add(name, l, v)
	if err == nil {
		w.dims = slices.Clone(v.dims)
		w.dims[a] = int64(len(l.Index) / l.Taps)
	}
	return w, err
}

// gather looks up constant indices along an axis.
func gather(c *converter, n *node) error {
	k, err := c.constant(n, 1)
	if err != nil {
		return err
	}
	if k == nil || k.i == nil || k.len() == 0 {
		return malformed("indices are %v", k)
	}
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	a, err := axis(n.int("axis", 0), len(in.dims))
	if err != nil {
		return err
	}
	if err := c.spend(k.len()); err != nil {
		return err
	}
	l := &model.AlongAxis{What: "Gather", Taps: 1}
	size := in.dims[a]
	for _, i := range k.i {
		if i < 0 {
			i += size
		}
		if i < 0 || i >= size {
			return malformed("index %d of %d", i, size)
		}
		l.Index = append(l.Index, int(i))
	}
	v, err := c.along(c.name(n), in, a, l)
	if err != nil {
		return err
	}
	v.dims = slices.Concat(in.dims[:a], int64s(k.dims), in.dims[a+1:])
	if len(v.dims) > maxRank {
		return malformed("more than %d axes", maxRank)
	}
	c.values[n.output()] = v
	return nil
}

// expand repeats axes of size 1.
func expand(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	shape, err := c.integers(n, 1, "shape")
	if err != nil {
		return err
	}
	if _, err := elements(shape, 1<<30); err != nil {
		return malformed("%v", err)
	}
	full, err := model.Broadcast(ints(in.dims), ints(shape))
	if err != nil {
		return malformed("%v", err)
	}
	if slices.Contains(full, 0) {
		return refuse("it makes shape %v", full)
	}
	dims := int64s(full)
	if slices.Equal(dims, in.dims) {
		c.alias(n, 0, in, dims)
		return nil
	}
	more := len(dims) - len(in.dims)
	own, before, err := c.own(in, more == 0 && dims[0] == in.dims[0])
	if err != nil {
		return err
	}
	l := &model.Rearrange{What: "Expand", To: full[before:]}
	strides := steps(own)
	for i := range l.To {
		s := 0
		if j := i - (len(l.To) - len(own)); j >= 0 && own[j] > 1 {
			s = strides[j]
		}
		l.Strides = append(l.Strides, s)
	}
	return c.put(n, dims, l, in)
}

// tile repeats an array along its axes.
func tile(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	repeats, err := c.integers(n, 1, "repeats")
	if err != nil {
		return err
	}
	if len(repeats) != len(in.dims) || len(repeats) == 0 || c.opset < 6 {
		return refuse("repeats are %v for %v", repeats, in.dims)
	}
	dims := slices.Clone(in.dims)
	for i, r := range repeats {
		if r < 1 || r > maxSize {
			return refuse("repeats are %v", repeats)
		}
		dims[i] *= r
	}
	own, before, err := c.own(in, repeats[0] == 1)
	if err != nil {
		return err
	}
	l := &model.Rearrange{What: "Tile"}
	for i, s := range steps(own) {
		if r := int(repeats[i+before]); r > 1 {
			l.To, l.Strides = append(l.To, r), append(l.Strides, 0)
		}
		l.To, l.Strides = append(l.To, own[i]), append(l.Strides, s)
	}
	return c.moved(n, l, dims, before, in)
}

// moved is a Rearrange whose result is divided into other axes than it has.
func (c *converter) moved(n *node, l *model.Rearrange, dims []int64, before int, in *value) error {
	v, err := c.add(c.unique(c.name(n)+".moved"), l, in)
	if err != nil {
		return err
	}
	return c.put(n, dims, &model.Reshape{To: ints(dims[before:])}, v)
}

func depthToSpace(c *converter, n *node) error {
	in, b, err := c.blocks(n)
	if err != nil {
		return err
	}
	ch, h, w := int(in.dims[1]), int(in.dims[2]), int(in.dims[3])
	if ch%(b*b) != 0 {
		return malformed("%d channels in blocks of %d", ch, b)
	}
	k := ch / (b * b)
	// Depth-column-row: channels are [block row, block column, k]; column-row-depth: [k, row, column].
	cs, rs, ss := h*w, b*k*h*w, k*h*w
	switch mode := n.text("mode", "DCR"); mode {
	case "DCR":
	case "CRD":
		cs, rs, ss = b*b*h*w, b*h*w, h*w
	default:
		return refuse("mode is %q", mode)
	}
	l := &model.Rearrange{What: "DepthToSpace", To: []int{k, h, b, w, b}, Strides: []int{cs, w, rs, 1, ss}}
	return c.moved(n, l, []int64{in.dims[0], int64(k), int64(h * b), int64(w * b)}, 1, in)
}

func spaceToDepth(c *converter, n *node) error {
	in, b, err := c.blocks(n)
	if err != nil {
		return err
	}
	ch, h, w := int(in.dims[1]), int(in.dims[2]), int(in.dims[3])
	if h%b != 0 || w%b != 0 {
		return malformed("maps of %dx%d in blocks of %d", h, w, b)
	}
	l := &model.Rearrange{What: "SpaceToDepth", To: []int{b, b, ch, h / b, w / b}, Strides: []int{w, 1, h * w, b * w, b}}
	return c.moved(n, l, []int64{in.dims[0], int64(ch * b * b), int64(h / b), int64(w / b)}, 1, in)
}

// blocks returns the input of a move between depth and space and its blocksize.
func (c *converter) blocks(n *node) (*value, int, error) {
	in, err := c.array(n, 0)
	if err != nil {
		return nil, 0, err
	}
	b := n.int("blocksize", 0)
	if b < 1 || b > 1<<10 {
		return nil, 0, malformed("blocksize is %d", b)
	}
	if len(in.dims) != 4 || in.dims[0] != c.images {
		return nil, 0, refuse("a value of shape %v, want [N, channels, height, width]", in.dims)
	}
	return in, int(b), nil
}
