package onnx

import "math"

// ONNX Runtime's attention as the products and the softmax that it is.

// heads divides [images, tokens, channels] into [images, heads, tokens, channels].
func (r *rewriter) heads(name string, heads int64) string {
	return r.op("Transpose", []attribute{{name: "perm", ints: []int64{0, 2, 1, 3}}}, r.op("Reshape", nil, name, r.integers(0, 0, heads, -1)))
}

// attend is the attention of queries, keys and values [images, heads, tokens,
// channels], as the node's output [images, tokens, channels].
func (r *rewriter) attend(q, k, v string, mask, bias string) {
	dq, dk := r.dims(q), r.dims(k)
	if r.err != nil {
		return
	}
	if r.bad(q) || r.bad(k) || r.bad(v) {
		r.last("Identity", nil, q)
		return
	}
	if len(dq) != 4 || len(dk) != 4 {
		r.fail(malformed("queries of %v and keys of %v", dq, dk))
		return
	}
	scale := r.float("scale", 0)
	if scale == 0 {
		scale = float32(1 / math.Sqrt(float64(dq[3])))
	}
	scores := r.scaled(r.op("MatMul", nil, q, r.op("Transpose", []attribute{{name: "perm", ints: []int64{0, 1, 3, 2}}}, k)), scale)
	scores = r.plus(scores, bias)
	if mask != "" {
		scores = r.plus(scores, r.padding(mask, dk[2]))
	}
	if r.n.int("unidirectional", 0) != 0 {
		scores = r.plus(scores, r.causal(dq[2], dk[2]))
	}
	y := r.op("MatMul", nil, r.op("Softmax", []attribute{{name: "axis", i: -1}}, scores), v)
	y = r.op("Transpose", []attribute{{name: "perm", ints: []int64{0, 2, 1, 3}}}, y)
	r.last("Reshape", nil, y, r.integers(0, 0, -1))
}

// padding is what a mask [images, tokens] of 1 and 0 adds to scores.
func (r *rewriter) padding(mask string, tokens int64) string {
	v, err := r.c.arg(&node{inputs: []string{mask}}, 0)
	if err != nil || v == nil || v.k == nil || len(v.k.dims) != 2 || int64(v.k.dims[1]) != tokens {
		r.fail(refuse("its mask %s is no constant [images, tokens]", mask))
		return ""
	}
	far := r.float("mask_filter_value", -10000)
	k := &constant{dims: []int{v.k.dims[0], 1, 1, v.k.dims[1]}, f: make([]float32, v.k.len())}
	r.fail(r.c.spend(v.k.len()))
	for i := range k.f {
		if v.k.at(i) == 0 {
			k.f[i] = far
		}
	}
	return r.constant(k)
}

// causal is what keeps tokens from later ones.
func (r *rewriter) causal(rows, columns int64) string {
	if n, err := elements([]int64{rows, columns}, r.c.budget); err != nil || r.c.spend(n) != nil {
		r.fail(malformed("attention of %d by %d tokens takes too much memory", rows, columns))
		return ""
	}
	k := &constant{dims: []int{int(rows), int(columns)}, f: make([]float32, rows*columns)}
	for y := range rows {
		for x := y + columns - rows + 1; x < columns; x++ {
			if x >= 0 {
				k.f[y*columns+x] = -math.MaxFloat32
			}
		}
	}
	return r.constant(k)
}

// past refuses attention that goes on from earlier tokens.
func (r *rewriter) past(ins ...int) {
	for _, i := range ins {
		if r.in(i) != "" {
			r.fail(refuse("it goes on from earlier tokens, input %s", r.in(i)))
		}
	}
	for i := 1; i < len(r.n.outputs); i++ {
		if r.out(i) != "" {
			r.fail(refuse("its output %s is used, which is for later tokens", r.n.outputs[i]))
		}
	}
}

func (r *rewriter) headCount() int64 {
	heads := r.n.int("num_heads", 0)
	if heads < 1 || heads > maxSize {
		r.fail(malformed("num_heads is %d", heads))
		return 1
	}
	return heads
}

// multiHeadAttention has queries, keys and values as inputs, apart or packed,
// with one bias for all three.
func multiHeadAttention(r *rewriter) {
	heads := r.headCount()
	r.past(6, 7)
	q, k, v := r.in(0), r.in(1), r.in(2)
	if r.bad(q) || k != "" && r.bad(k) || v != "" && r.bad(v) {
		if r.err == nil {
			r.last("Identity", nil, q)
		}
		return
	}
	dq := r.dims(q)
	if k == "" && len(dq) == 5 { // [images, tokens, heads, 3, channels]
		q, k, v = r.unpacked(q, 3)[0], r.unpacked(q, 3)[1], r.unpacked(q, 3)[2]
		r.attend(q, k, v, r.in(4), r.in(5))
		return
	}
	if k == "" {
		r.fail(refuse("it has queries of %v and no keys", dq))
		return
	}
	packed := v == "" && len(r.dims(k)) == 5
	if v == "" && !packed {
		r.fail(refuse("it has no values"))
		return
	}
	var biases [3]string
	if b := r.in(3); b != "" && len(dq) == 3 {
		width := r.dims(b)
		if r.err != nil || len(width) != 1 || width[0] < 2*dq[2] {
			r.fail(malformed("bias is %v for queries of %v", width, dq))
			return
		}
		copy(biases[:], r.parts(b, 3, []int64{dq[2], dq[2], width[0] - 2*dq[2]}))
	}
	part := func(name string, bias string) string {
		if len(r.dims(name)) == 4 { // keys and values of another input: [images, heads, tokens, channels]
			return name
		}
		return r.heads(r.plus(name, bias), heads)
	}
	q = part(q, biases[0])
	if packed {
		kv := r.unpacked(k, 2)
		k, v = kv[0], kv[1]
	} else {
		k, v = part(k, biases[1]), part(v, biases[2])
	}
	r.attend(q, k, v, r.in(4), r.in(5))
}

// unpacked takes [images, tokens, heads, count, channels] apart into count values
// [images, heads, tokens, channels].
func (r *rewriter) unpacked(name string, count int) []string {
	turned := r.op("Transpose", []attribute{{name: "perm", ints: []int64{3, 0, 2, 1, 4}}}, name)
	var out []string
	for i := range count {
		out = append(out, r.op("Gather", []attribute{{name: "axis", i: 0}}, turned, r.constant(&constant{i: []int64{int64(i)}})))
	}
	return out
}

// packedAttention makes queries, keys and values of its input by one product.
func packedAttention(r *rewriter) {
	heads := r.headCount()
	r.past(4)
	x := r.in(0)
	if r.err == nil && r.bad(x) {
		r.last("Identity", nil, x)
		return
	}
	if r.n.int("do_rotary", 0) != 0 {
		r.fail(refuse("do_rotary is set"))
	}
	y := r.plus(r.op("MatMul", nil, x, r.in(1)), r.in(2))
	sizes := r.n.ints("qkv_hidden_sizes")
	if sizes != nil && len(sizes) != 3 {
		r.fail(malformed("qkv_hidden_sizes is %v", sizes))
	}
	if r.err != nil {
		return
	}
	p := r.parts(y, 3, sizes)
	r.attend(r.heads(p[0], heads), r.heads(p[1], heads), r.heads(p[2], heads), r.in(3), r.in(5))
}
