package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// normalised is a quotient of a value by the root of its variance, or of the mean
// of its squares, along some axes: layer normalisation as exporters write it.
func (f *fuser) normalised(n *model.Node) (string, model.Layer) {
	l, ok := n.Layer.(*model.Binary)
	if !ok || l.Op != model.BinaryDiv || l.Value != nil {
		return "", nil
	}
	top := n.Inputs[0]
	root, in := f.unary(n.Inputs[1], model.UnarySqrt)
	if root == nil {
		return "", nil
	}
	sum := f.inner(in)
	if sum == nil {
		return "", nil
	}
	_, eps, ok := affineOf(sum.Layer)
	if !ok || eps <= 0 || !f.adds(sum.Layer) {
		return "", nil
	}
	mean, squares := f.mean(sum.Inputs[0])
	if mean == nil {
		return "", nil
	}
	square := f.inner(squares)
	if square == nil {
		return "", nil
	}
	of, reads := squareOf(square)
	if of == "" {
		return "", nil
	}
	out := &model.Normalize{Op: model.NormRMS, From: mean.From, Axes: mean.Axes, Inner: 1, Eps: eps}
	if !f.spreads(l, mean) {
		return "", nil
	}
	x := top
	if from := f.centred(top, mean); from != "" {
		// Both may be one difference, or each its own.
		other := f.centred(of, mean)
		switch {
		case of == top && f.readers[top] == 1+reads:
			f.used = append(f.used, top)
		case of != top && other == from && f.readers[top] == 1 && f.readers[of] == reads:
			f.used = append(f.used, top, of)
		default:
			return "", nil
		}
		if !f.meansOf(top, of) {
			return "", nil
		}
		out.Op, x = model.NormStandard, from
	} else if of != top {
		return "", nil
	}
	return x, out
}

// adds reports whether a layer adds one number.
func (f *fuser) adds(l model.Layer) bool {
	s, _, ok := affineOf(l)
	return ok && s == 1
}

// mean follows an inner mean over axes.
func (f *fuser) mean(name string) (*model.Reduce, string) {
	n := f.inner(name)
	if n == nil {
		return nil, ""
	}
	l, ok := n.Layer.(*model.Reduce)
	if !ok || l.Op != model.ReduceMean || len(l.Axes) == 0 {
		return nil, ""
	}
	return l, n.Inputs[0]
}

// squareOf returns what a layer is the square of, and how often it reads it.
func squareOf(n *model.Node) (string, int) {
	l, ok := n.Layer.(*model.Binary)
	switch {
	case !ok:
	case l.Squares():
		return n.Inputs[0], 1
	case l.Op == model.BinaryMul && l.Value == nil && n.Inputs[0] == n.Inputs[1]:
		return n.Inputs[0], 2
	}
	return "", 0
}

// spreads reports whether a layer combines an array with what a mean over axes of such
// an array makes, at the same places along the other axes.
func (f *fuser) spreads(l *model.Binary, mean *model.Reduce) bool {
	want := slices.Clone(mean.From)
	for _, a := range mean.Axes {
		want[a] = 1
	}
	trim := func(d []int) []int {
		for len(d) > 0 && d[0] == 1 {
			d = d[1:]
		}
		return d
	}
	return slices.Equal(l.A, mean.From) && slices.Equal(trim(l.B), trim(want))
}

// centred returns what the named layer takes its own mean from, or "".
func (f *fuser) centred(name string, like *model.Reduce) string {
	n := f.node(name)
	if n == nil {
		return ""
	}
	l, ok := n.Layer.(*model.Binary)
	if !ok || l.Op != model.BinarySub || l.Value != nil || !f.spreads(l, like) {
		return ""
	}
	m := f.node(n.Inputs[1])
	if m == nil {
		return ""
	}
	r, ok := m.Layer.(*model.Reduce)
	if !ok || r.Op != model.ReduceMean || m.Inputs[0] != n.Inputs[0] || !slices.Equal(r.From, like.From) || !slices.Equal(r.Axes, like.Axes) {
		return ""
	}
	return n.Inputs[0]
}

// meansOf takes the means that the differences a and b subtract into the group, if
// nothing else reads them.
func (f *fuser) meansOf(a, b string) bool {
	p, q := f.node(a).Inputs[1], f.node(b).Inputs[1]
	switch {
	case a == b && f.readers[p] == 1, p == q && a != b && f.readers[p] == 2:
		f.used = append(f.used, p)
	case p != q && f.readers[p] == 1 && f.readers[q] == 1:
		f.used = append(f.used, p, q)
	default:
		return false
	}
	return true
}

// affineNorm is a normalisation times constants, or plus constants, by the place along
// the axes that it works over.
func (f *fuser) affineNorm(n *model.Node) (string, model.Layer) {
	var scale, shift []float32
	inner := 1
	var in string
	switch l := n.Layer.(type) {
	case *model.BatchNorm:
		in, inner = n.Inputs[0], 0
		scale, shift = l.Affine()
	case *model.Binary:
		if l.Value == nil || l.Op != model.BinaryMul && l.Op != model.BinaryAdd {
			return "", nil
		}
		in = n.Inputs[0]
		dims, whole := l.B, l.A
		if l.First {
			dims, whole = l.A, l.B
		}
		ok := false
		if inner, ok = along(dims, whole); !ok {
			return "", nil
		}
		if l.Op == model.BinaryMul {
			scale = l.Value.Data
		} else {
			shift = l.Value.Data
		}
	default:
		return "", nil
	}
	before := f.inner(in)
	if before == nil {
		return "", nil
	}
	norm, ok := before.Layer.(*model.Normalize)
	if !ok || norm.Op != model.NormStandard && norm.Op != model.NormRMS || norm.Shift != nil || scale != nil && norm.Scale != nil {
		return "", nil
	}
	count := len(scale)
	if scale == nil {
		count = len(shift)
	}
	if inner == 0 { // by channel of maps
		inner = product(norm.From) / count
	}
	if !byPlace(norm, inner, count) || norm.Scale != nil && norm.Inner != inner {
		return "", nil
	}
	out := *norm
	out.Inner = inner
	if scale != nil {
		out.Scale = scale
	}
	out.Shift = shift
	return before.Inputs[0], &out
}

// along reports whether an array of dims is the same everywhere but along the last axes
// of its own that are not 1, and how many numbers of the whole array lie behind each.
func along(dims, whole []int) (inner int, ok bool) {
	if len(dims) > len(whole) {
		return 0, false
	}
	inner, i := 1, len(dims)-1
	for ; i >= 0 && dims[i] == 1; i-- {
		inner *= whole[len(whole)-len(dims)+i]
	}
	count := 0
	for ; i >= 0 && dims[i] == whole[len(whole)-len(dims)+i] && dims[i] > 1; i-- {
		count++
	}
	for ; i >= 0; i-- {
		if dims[i] != 1 {
			return 0, false
		}
	}
	return inner, count > 0
}

// byPlace reports whether count numbers with inner numbers behind each are those of the
// places that a normalisation works over.
func byPlace(l *model.Normalize, inner, count int) bool {
	size, behind := 1, 1
	last := l.Axes[len(l.Axes)-1]
	for i, d := range l.From {
		if slices.Contains(l.Axes, i) {
			size *= d
		} else if i > last {
			behind *= d
		}
	}
	return last-l.Axes[0] == len(l.Axes)-1 && count == size && inner == behind
}
