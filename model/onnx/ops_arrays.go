package onnx

import (
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Operators on arrays of any rank: what moves numbers about, takes some of them
// together or makes new ones between them.

// reductions are the names of model.Reduce by operator.
var reductions = map[string]model.ReduceOp{"ReduceMean": model.ReduceMean, "ReduceSum": model.ReduceSum, "ReduceMax": model.ReduceMax, "ReduceMin": model.ReduceMin, "ReduceProd": model.ReduceProd,
	"ReduceL1": model.ReduceL1, "ReduceL2": model.ReduceL2, "ReduceSumSquare": model.ReduceSumSquare, "ReduceLogSum": model.ReduceLogSum, "ReduceLogSumExp": model.ReduceLogSumExp}

// axesOf makes axes that may count from the end a sorted list without doubles.
func axesOf(axes []int64, rank int) ([]int, error) {
	var out []int
	for _, v := range axes {
		a, err := axis(v, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, a) {
			return nil, malformed("axes %v", axes)
		}
		out = append(out, a)
	}
	slices.Sort(out)
	return out, nil
}

// reduce over rows and columns is a global pool, if it is a mean or a maximum.
func reduce(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	given, err := c.integers(n, 1, "axes")
	if err != nil {
		return err
	}
	axes, err := axesOf(given, len(in.dims))
	if err != nil {
		return err
	}
	if len(axes) == 0 {
		if n.int("noop_with_empty_axes", 0) != 0 {
			return c.reducedAlone(n)
		}
		for i := range in.dims {
			axes = append(axes, i)
		}
	}
	keep := n.int("keepdims", 1) != 0
	var dims []int64
	for i, d := range in.dims {
		switch {
		case !slices.Contains(axes, i):
			dims = append(dims, d)
		case keep:
			dims = append(dims, 1)
		}
	}
	op := reductions[n.op]
	space := []int{2, 3}
	if in.hwc != nil {
		space = []int{1, 2}
	}
	maps := !in.shape.Flat && len(in.dims) == 4 && in.dims[0] == c.images && (in.hwc != nil || in.shape == model.ArrayShape(ints(in.dims[1:])))
	if maps && slices.Equal(axes, space) && (op == model.ReduceMean || op == model.ReduceMax) {
		var l model.Layer = &model.GlobalAvgPool{}
		if op == model.ReduceMax {
			l = &model.Pool{Op: model.PoolMax, Kernel: []int{in.shape.H, in.shape.W}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: make([]int, 4)}
		}
		if keep {
			return c.put(n, dims, l, in)
		}
		v, err := c.add(c.unique(c.name(n)+".pool"), l, in)
		if err != nil {
			return err
		}
		return c.put(n, dims, &model.Reshape{}, v)
	}
	if in, err = c.array(n, 0); err != nil {
		return err
	}
	own, before, err := c.own(in, !slices.Contains(axes, 0))
	if err != nil {
		return err
	}
	for i := range axes {
		axes[i] -= before
	}
	return c.put(n, dims, &model.Reduce{Op: op, From: own, Axes: axes}, in)
}

// reducedAlone computes a reduction over no axes, which takes every number by
// itself.
func (c *converter) reducedAlone(n *node) error {
	in := n.inputs[0]
	switch n.op {
	case "ReduceL1", "ReduceL2":
		return c.run("Abs", []string{in}, n.outputs[:1])
	case "ReduceSumSquare":
		return c.run("Mul", []string{in, in}, n.outputs[:1])
	case "ReduceLogSum":
		return c.run("Log", []string{in}, n.outputs[:1])
	}
	return identity(c, n)
}

func argMax(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	a, err := axis(n.int("axis", 0), len(in.dims))
	if err != nil {
		return err
	}
	own, before, err := c.own(in, a != 0)
	if err != nil {
		return err
	}
	dims := slices.Clone(in.dims)
	dims[a] = 1
	if n.int("keepdims", 1) == 0 {
		dims = slices.Delete(dims, a, a+1)
	}
	op := map[string]model.ReduceOp{"ArgMax": model.ReduceArgMax, "ArgMin": model.ReduceArgMin}[n.op]
	return c.put(n, dims, &model.Reduce{Op: op, From: own, Axes: []int{a - before}, Last: n.int("select_last_index", 0) != 0}, in)
}

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

// softmax runs over one axis since operator set 13, over all from axis on before.
func softmax(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	def, count := int64(-1), 1
	if c.opset < 13 {
		def = 1
	}
	rank := len(in.dims)
	if rank == 0 {
		return refuse("a single number")
	}
	a := rank - 1
	if rank > 1 || n.has("axis") || c.opset >= 13 {
		if a, err = axis(n.int("axis", def), rank); err != nil {
			return err
		}
	}
	if c.opset < 13 {
		count = rank - a
	}
	log := n.op == "LogSoftmax"
	if row, err := c.row(in); err != nil {
		return err
	} else if row != in && a == 1 && log {
		return c.put(n, in.dims, &model.Softmax{Outer: 1, Size: row.shape.C, Inner: 1, Log: true}, row)
	} else if row != in && a == 1 {
		return c.put(n, in.dims, &model.Softmax{}, row)
	}
	if in.hwc != nil && a == 3 && count == 1 && !log && !in.shape.Flat {
		return c.elementwise(n, &model.Softmax{})
	}
	size := 1
	for _, d := range in.dims[a : a+count] {
		size *= int(d)
	}
	if !log && a == 1 && in.dims[0] == c.images && in.hwc == nil && in.shape.C == size && in.shape == model.ArrayShape(ints(in.dims[1:])) {
		return c.elementwise(n, &model.Softmax{})
	}
	if in, err = c.array(n, 0); err != nil {
		return err
	}
	own, before, err := c.own(in, a != 0)
	if err != nil {
		return err
	}
	l := &model.Softmax{Outer: 1, Size: size, Inner: 1, Log: log}
	for i, d := range own {
		switch i += before; {
		case i < a:
			l.Outer *= d
		case i >= a+count:
			l.Inner *= d
		}
	}
	return c.put(n, in.dims, l, in)
}

func dropout(c *converter, n *node) error {
	rate := n.float("ratio", 0.5)
	if c.opset >= 12 {
		k, err := c.vector(n, 1, 1)
		if err != nil {
			return err
		}
		if k != nil {
			rate = k[0]
		}
		training, err := c.constant(n, 2)
		if err != nil {
			return err
		}
		if training != nil && (training.len() != 1 || training.i == nil || training.i[0] != 0) {
			return refuse("it is in training mode: export the network for inference")
		}
	}
	if !(rate >= 0 && rate <= 1) {
		return refuse("ratio is %g", rate)
	}
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	if len(n.outputs) > 1 && n.outputs[1] != "" && c.uses[n.outputs[1]] > 0 { // everything is kept
		count, err := elements(in.dims, c.budget)
		if err != nil {
			return malformed("%v", err)
		}
		if err := c.spend(count); err != nil {
			return err
		}
		c.values[n.outputs[1]] = &value{k: &constant{dims: ints(in.dims), f: slices.Repeat([]float32{1}, count)}}
		if c.images > 1 {
			return refuse("the mask of a batch of %d", c.images)
		}
	}
	if n.outputs[0] == "" {
		return nil
	}
	return c.elementwise(n, &model.Dropout{Rate: float64(rate)})
}

func identity(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	c.alias(n, 0, in, in.dims)
	return nil
}

// cast rounds toward zero when it makes integers; numbers stay floats here.
func cast(c *converter, n *node) error {
	switch to := elemTypeOf(uint64(n.int("to", 0))); to {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16:
		return identity(c, n)
	case typeInt8, typeInt16, typeInt32, typeInt64, typeUint8, typeUint16, typeUint32, typeUint64:
		return c.elementwise(n, &model.Unary{Op: model.UnaryTruncate})
	case typeBool:
		return c.elementwise(n, &model.Unary{Op: model.UnaryNotZero})
	default:
		return refuse("conversion to %v", to)
	}
}

// view lets a node's output be its input with other dims: a Flatten layer if it
// becomes a vector, nothing at all otherwise.
func (c *converter) view(n *node, in *value, dims []int64) error {
	if slices.Equal(dims, in.dims) {
		c.alias(n, 0, in, dims)
		return nil
	}
	if in.hwc != nil && in.shape.Flat && len(dims) == 2 && dims[0] == c.images { // stays the vector it is
		c.alias(n, 0, in, dims)
		return nil
	}
	vector := len(dims) == 2 && dims[0] == c.images && c.images > 0 && !in.shape.Flat
	if vector {
		v, err := c.add(c.name(n), &model.Reshape{}, in)
		if err != nil {
			return err
		}
		v.hwc, v.dims = in.hwc, dims
		c.values[n.output()] = v
		return nil
	}
	if in.hwc != nil {
		var err error
		if in, err = c.array(n, 0); err != nil {
			return err
		}
	}
	if c.images > 1 && (len(dims) == 0 || dims[0] != c.images) {
		return refuse("it makes shape %v of %v: it mixes the %d images of a batch", dims, in.dims, c.images)
	}
	c.alias(n, 0, in, dims)
	return nil
}

func flatten(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	a := n.int("axis", 1)
	if a < 0 {
		a += int64(len(in.dims))
	}
	if a < 0 || a > int64(len(in.dims)) {
		return malformed("axis %d of %d", n.int("axis", 1), len(in.dims))
	}
	dims := []int64{1, 1}
	for i, d := range in.dims {
		if i < int(a) {
			dims[0] *= d
		} else {
			dims[1] *= d
		}
	}
	if in.shape.Flat && slices.Equal(dims, in.dims) {
		return c.put(n, dims, &model.Reshape{}, in)
	}
	return c.view(n, in, dims)
}

func reshape(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	target, err := c.integers(n, 1, "shape")
	if err != nil {
		return err
	}
	if len(target) > maxRank {
		return refuse("it makes shape %v of %v", target, in.dims)
	}
	count, err := elements(in.dims, 1<<30)
	if err != nil {
		return malformed("%v", err)
	}
	dims, err := reshaped(target, ints(in.dims), count, n.int("allowzero", 0) != 0)
	if err != nil && c.images > 1 && len(target) > 1 && target[0] == 1 {
		// Written for one image, though the file fixes several.
		dims, err = reshaped(append([]int64{c.images}, target[1:]...), ints(in.dims), count, n.int("allowzero", 0) != 0)
	}
	if err != nil {
		return refuse("it makes shape %v of %v: %v", target, in.dims, err)
	}
	return c.view(n, in, int64s(dims))
}

func squeeze(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	axes, err := c.integers(n, 1, "axes")
	if err != nil {
		return err
	}
	dims, err := squeezed(n.op, in.dims, axes)
	if err != nil {
		return err
	}
	return c.view(n, in, dims)
}

// recurrent turns RNN, LSTM and GRU into one layer that gives all there is to
// know, and layers that take each of the outputs out of it.
func recurrent(c *converter, n *node) error {
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	if len(in.dims) != 3 || c.images > 1 {
		return refuse("input has shape %v, want [steps, 1, values]: sequences of a batch", in.dims)
	}
	name := c.name(n)
	batchFirst := n.int("layout", 0) != 0
	if batchFirst {
		if in, err = c.turned(c.unique(name+".steps"), in, []int{1, 0, 2}); err != nil {
			return err
		}
	}
	x := ints(in.dims)
	l := &model.Recurrent{Cell: model.Cell(strings.ToLower(n.op)), From: x, Direction: model.Direction(n.text("direction", "forward")), Clip: n.float("clip", 0),
		InputForget: n.int("input_forget", 0) != 0, ResetState: n.op == "GRU" && n.int("linear_before_reset", 0) == 0}
	if l.Direction == "forward" {
		l.Direction = model.Forward
	}
	if err := c.sequenceWeights(n, l, batchFirst); err != nil {
		return err
	}
	if err := sequenceActivations(n, l); err != nil {
		return err
	}
	all, err := c.add(c.unique(name+".states"), l, in)
	if err != nil {
		return err
	}
	return c.sequenceOutputs(n, l, all, batchFirst)
}

// sequenceWeights reads what a recurrent layer has learned, where it starts and how
// long the sequences are.
func (c *converter) sequenceWeights(n *node, l *model.Recurrent, batchFirst bool) (err error) {
	w, err := c.weights(n, 1, 3)
	if err != nil {
		return err
	}
	r, err := c.weights(n, 2, 3)
	if err != nil {
		return err
	}
	if h := n.int("hidden_size", int64(r.Shape[2])); h != int64(r.Shape[2]) {
		return malformed("hidden_size is %d, the weights are %v", h, r.Shape)
	}
	var b, p *tensor.Tensor
	optional := []struct {
		input int
		to    **tensor.Tensor
		state bool // turned if the batch comes first
		only  string
	}{{3, &b, false, ""}, {5, &l.H0, true, ""}, {6, &l.C0, true, "LSTM"}, {7, &p, false, "LSTM"}}
	for _, o := range optional {
		if o.only != "" && o.only != n.op {
			continue
		}
		k, err := c.floats(n, o.input)
		if err != nil {
			return err
		}
		if k == nil {
			continue
		}
		if *o.to = tensor.From(k.f, k.dims...); o.state && batchFirst && len(k.dims) == 3 {
			if *o.to, err = c.stateOfBatches(k); err != nil {
				return err
			}
		}
	}
	if err := l.SetONNX(w.Unpacked(), r.Unpacked(), b, p); err != nil {
		return malformed("%v", err)
	}
	lengths, err := c.integersUpTo(n, 4, "", 1<<16)
	if lengths != nil {
		l.Lengths = ints(lengths)
	}
	return err
}

// stateOfBatches is a state [batch, directions, hidden] as [directions, batch, hidden].
func (c *converter) stateOfBatches(k *constant) (*tensor.Tensor, error) {
	if err := c.spend(k.len()); err != nil {
		return nil, err
	}
	a, b, h := k.dims[0], k.dims[1], k.dims[2]
	t := tensor.New(b, a, h)
	for i := range a {
		for j := range b {
			copy(t.Data[(j*a+i)*h:(j*a+i+1)*h], k.f[(i*b+j)*h:(i*b+j+1)*h])
		}
	}
	return t, nil
}

func sequenceActivations(n *node, l *model.Recurrent) (err error) {
	if a := n.attr("activations"); a != nil {
		for i, s := range a.strings {
			if i > 0 {
				l.Activations += ","
			}
			l.Activations += s
		}
	}
	for attr, to := range map[string]*[]float32{"activation_alpha": &l.Alpha, "activation_beta": &l.Beta} {
		if a := n.attr(attr); a != nil && len(a.floats) > 0 {
			*to = a.floats
		}
	}
	l.Alpha, l.Beta, err = parameters(l, l.Directions())
	return err
}

// sequenceOutputs takes the outputs that are read out of all states: those of every
// step, the last one, and the last cell.
func (c *converter) sequenceOutputs(n *node, l *model.Recurrent, all *value, batchFirst bool) error {
	directions, steps, batch, h := l.Directions(), l.From[0], l.From[1], l.Hidden()
	last := directions * batch * h
	for i, out := range n.outputs {
		if out == "" || c.uses[out] == 0 {
			continue
		}
		if i > 2 || i == 2 && n.op != "LSTM" {
			return malformed("it has %d outputs", len(n.outputs))
		}
		r := &model.Rearrange{What: []string{"states", "last state", "last cell"}[i], To: []int{directions, batch, h}, Strides: []int{batch * h, h, 1}}
		switch {
		case i == 0 && batchFirst:
			r.To, r.Strides = []int{batch, steps, directions, h}, []int{h, last, batch * h, 1}
		case i == 0:
			r.To, r.Strides = []int{steps, directions, batch, h}, []int{last, batch * h, h, 1}
		case batchFirst:
			r.To, r.Strides = []int{batch, directions, h}, []int{h, batch * h, 1}
		}
		if i > 0 {
			r.Offset = (steps + i - 1) * last
		}
		v, err := c.add(c.unique(out), r, all)
		if err != nil {
			return err
		}
		v.dims = int64s(r.To)
		c.values[out] = v
	}
	return nil
}

// parameters spreads activation_alpha and _beta, which ONNX lists for those
// activations only that have them, over all.
func parameters(l *model.Recurrent, directions int) (alpha, beta []float32, err error) {
	if l.Alpha == nil && l.Beta == nil {
		return nil, nil, nil
	}
	names := l.ActivationNames()
	a, b := l.Alpha, l.Beta
	for _, name := range names {
		x, y := model.ActivationDefaults(name)
		one := func(list *[]float32, v float64, has bool) float32 {
			if has && len(*list) > 0 {
				v = float64((*list)[0])
				*list = (*list)[1:]
			}
			return float32(v)
		}
		hasBeta := slices.Contains([]string{"HardSigmoid", "Affine", "ScaledTanh"}, name)
		hasAlpha := hasBeta || slices.Contains([]string{"LeakyRelu", "ThresholdedRelu", "Elu"}, name)
		alpha, beta = append(alpha, one(&a, x, hasAlpha)), append(beta, one(&b, y, hasBeta))
	}
	return alpha, beta, nil
}
