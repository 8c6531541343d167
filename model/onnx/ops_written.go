package onnx

// Operators that are written in others.

// rotaryEmbedding turns pairs of numbers of each token by angles whose cosines and
// sines are given for each place.
func rotaryEmbedding(r *rewriter) {
	microsofts := r.n.domain == microsoft
	x, cos, sin, places := r.in(0), r.in(1), r.in(2), r.in(3)
	if microsofts {
		x, places, cos, sin = r.in(0), r.in(1), r.in(2), r.in(3)
	}
	d := r.dims(x)
	if r.err != nil {
		return
	}
	heads := r.n.int("num_heads", 0)
	if len(d) == 3 {
		if heads == 0 && microsofts {
			if c := r.dims(cos); len(c) > 0 && c[len(c)-1] > 0 {
				heads = d[2] / (2 * c[len(c)-1])
			}
		}
		if heads < 1 || d[2]%heads != 0 {
			r.fail(malformed("%d heads of %v", heads, d))
			return
		}
		x = r.op("Reshape", nil, x, r.integers(0, 0, heads, -1))
	} else {
		x = r.op("Transpose", []attribute{{name: "perm", ints: []int64{0, 2, 1, 3}}}, x) // [N, places, heads, numbers]
	}
	if places != "" {
		if p := r.dims(places); len(p) < 2 && (microsofts || len(p) == 0) {
			r.fail(refuse("places that are counted on from one number"))
			return
		}
		cos, sin = r.op("Gather", nil, cos, places), r.op("Gather", nil, sin, places)
	}
	full := r.dims(x)
	if r.err != nil || len(full) != 4 {
		r.fail(malformed("it takes an array of %v", d))
		return
	}
	size := r.n.int("rotary_embedding_dim", 0)
	if size == 0 {
		size = full[3]
	}
	if size%2 != 0 || size > full[3] || size < 2 {
		r.fail(malformed("it turns %d of %d numbers", size, full[3]))
		return
	}
	cut := func(from, to, step int64) string {
		return r.op("Slice", nil, x, r.integers(from), r.integers(to), r.integers(3), r.integers(step))
	}
	cos, sin = r.op("Unsqueeze", nil, cos, r.integers(2)), r.op("Unsqueeze", nil, sin, r.integers(2))
	between := r.n.int("interleaved", 0) != 0
	a, b := "", ""
	if between {
		a, b = cut(0, size, 2), cut(1, size, 2)
	} else {
		a, b = cut(0, size/2, 1), cut(size/2, size, 1)
	}
	re := r.op("Sub", nil, r.op("Mul", nil, a, cos), r.op("Mul", nil, b, sin))
	im := r.op("Add", nil, r.op("Mul", nil, a, sin), r.op("Mul", nil, b, cos))
	last := []attribute{{name: "axis", i: 3}}
	turned := ""
	if between {
		end := r.integers(4)
		pairs := r.op("Concat", []attribute{{name: "axis", i: 4}}, r.op("Unsqueeze", nil, re, end), r.op("Unsqueeze", nil, im, end))
		turned = r.op("Reshape", nil, pairs, r.integers(full[0], full[1], full[2], size))
	} else {
		turned = r.op("Concat", last, re, im)
	}
	if size < full[3] {
		turned = r.op("Concat", last, turned, cut(size, full[3], 1))
	}
	if len(d) == 3 {
		r.last("Reshape", nil, turned, r.integers(d...))
		return
	}
	r.last("Transpose", []attribute{{name: "perm", ints: []int64{0, 2, 1, 3}}}, turned)
}

// deformConv is a convolution each of whose taps reads beside its place, by offsets
// that are computed: the maps sampled at every tap, then a product for each place.
func deformConv(r *rewriter) {
	x, w, offset, bias, mask := r.in(0), r.in(1), r.in(2), r.in(3), r.in(4)
	dx, dw, do := r.dims(x), r.dims(w), r.dims(offset)
	if r.err != nil {
		return
	}
	if len(dx) != 4 || len(dw) != 4 || len(do) != 4 || dx[0] != 1 {
		r.fail(refuse("it takes %v with weights %v and offsets %v, want one image of maps", dx, dw, do))
		return
	}
	groups, taps := r.n.int("offset_group", 1), dw[2]*dw[3]
	g, err := r.n.window([]int{int(dw[2]), int(dw[3])}, []int{int(dx[2]), int(dx[3])})
	if err != nil {
		r.fail(err)
		return
	}
	stride, dilation, pads := two(g.stride, 1), two(g.dilation, 1), four(g.pads)
	rows, columns := do[2], do[3]
	if groups < 1 || groups > maxSize || dx[1]%groups != 0 || do[1] != groups*taps*2 || dw[1] < 1 || taps < 1 || taps > maxSize {
		r.fail(malformed("weights %v, offsets %v in %d groups for maps of %v", dw, do, groups, dx))
		return
	}
	count := int(taps * rows * columns)
	if err := r.c.spend(2 * count); err != nil {
		r.fail(err)
		return
	}
	base := &constant{dims: []int{1, int(taps), int(rows), int(columns), 2}, f: make([]float32, 0, 2*count)}
	for k := range taps {
		for y := range rows {
			for c := range columns {
				base.f = append(base.f, float32(int(c)*stride[1]-pads[1]+int(k%dw[3])*dilation[1]), float32(int(y)*stride[0]-pads[0]+int(k/dw[3])*dilation[0]))
			}
		}
	}
	places := r.constant(base)
	// From places to -1 to 1 over the outer edges of the map.
	scale := r.constant(&constant{dims: []int{2}, f: []float32{2 / float32(dx[3]), 2 / float32(dx[2])}})
	shift := r.constant(&constant{dims: []int{2}, f: []float32{1/float32(dx[3]) - 1, 1/float32(dx[2]) - 1}})
	var sampled []string
	per := dx[1] / groups
	part := func(name string, from, to int64) string {
		return r.op("Slice", nil, name, r.integers(from), r.integers(to), r.integers(1))
	}
	for i := range groups {
		o := r.op("Reshape", nil, part(offset, i*taps*2, (i+1)*taps*2), r.integers(1, taps, 2, rows, columns))
		o = r.op("Transpose", []attribute{{name: "perm", ints: []int64{0, 1, 3, 4, 2}}}, o)
		o = r.op("Gather", []attribute{{name: "axis", i: 4}}, o, r.integers(1, 0)) // columns first
		grid := r.op("Add", nil, r.op("Mul", nil, r.op("Add", nil, o, places), scale), shift)
		grid = r.op("Reshape", nil, grid, r.integers(1, taps*rows, columns, 2))
		s := r.op("GridSample", nil, part(x, i*per, (i+1)*per), grid)
		if mask != "" {
			m := r.op("Reshape", nil, part(mask, i*taps, (i+1)*taps), r.integers(1, 1, taps*rows, columns))
			s = r.op("Mul", nil, s, m)
		}
		sampled = append(sampled, r.op("Reshape", nil, s, r.integers(1, per*taps, rows, columns)))
	}
	all := sampled[0]
	if len(sampled) > 1 {
		all = r.op("Concat", []attribute{{name: "axis", i: 1}}, sampled...)
	}
	ins := []string{all, r.op("Reshape", nil, w, r.integers(dw[0], dw[1]*taps, 1, 1))}
	if bias != "" {
		ins = append(ins, bias)
	}
	r.last("Conv", []attribute{{name: "group", i: r.n.int("group", 1)}}, ins...)
}
