package onnx

import "strings"

// Operators of ONNX Runtime's optimiser, and some that older converters wrote,
// become operators of ONNX.

// nhwcDomain holds ONNX's operators on maps with the channels last.
const nhwcDomain = "com.ms.internal.nhwc"

// rewriter writes one node as several.
type rewriter struct {
	c *converter
	n *node
	// err is the first thing that went wrong; what is written after it does nothing.
	err error
}

// rewriteOps are operators by key, with their domain if that is not ONNX's own.
func rewriteOps() map[string]func(*rewriter) {
	all := map[string]func(*rewriter){
		"SimplifiedLayerNormalization": func(r *rewriter) { r.norm("RMSNormalization", r.in(0), 1, -1) },
		"ImageScaler":                  imageScaler,
		"Affine": func(r *rewriter) {
			r.last("Add", nil, r.scaled(r.in(0), r.float("alpha", 1)), r.number(r.float("beta", 0)))
		},
		"Scale":              func(r *rewriter) { r.last("Mul", nil, r.in(0), r.number(r.float("scale", 1))) },
		"ScaledTanh":         func(r *rewriter) { r.curve("Tanh") },
		"ParametricSoftplus": func(r *rewriter) { r.curve("Softplus") },
		"Crop":               crop,
		"CastLike":           castLike,
		"EyeLike":            eyeLike,
		"RotaryEmbedding":    rotaryEmbedding,
		"DeformConv":         deformConv,
	}
	for op, f := range map[string]func(*rewriter){
		"FusedConv": func(r *rewriter) { fusedConv(r, false) }, "NhwcFusedConv": func(r *rewriter) { fusedConv(r, true) },
		"NhwcConv": func(r *rewriter) { fusedConv(r, true) }, "NhwcMaxPool": channelsLast("MaxPool"),
		"FusedMatMul": fusedMatMul, "TransposeMatMul": fusedMatMul, "FusedMatMulActivation": fusedMatMul,
		"FusedGemm": fusedGemm, "GemmFastGelu": gemmFastGelu,
		"Gelu":      func(r *rewriter) { r.last("Gelu", nil, r.in(0)) },
		"FastGelu":  func(r *rewriter) { r.last("Gelu", tanhGelu, r.plus(r.in(0), r.in(1))) },
		"BiasGelu":  func(r *rewriter) { r.last("Gelu", nil, r.plus(r.in(0), r.in(1))) },
		"QuickGelu": func(r *rewriter) { r.last("Swish", []attribute{{name: "alpha", f: r.float("alpha", 1.702)}}, r.in(0)) },
		"BiasAdd":   func(r *rewriter) { r.sum(r.in(0), r.in(1), r.in(2)) }, "BiasDropout": func(r *rewriter) { r.sum(r.in(0), r.in(1), r.in(2)) },
		"BitmaskDropout": func(r *rewriter) { r.last("Identity", nil, r.in(0)) }, "BiasSoftmax": biasSoftmax, "BiasSplitGelu": biasSplitGelu,
		"LayerNormalization":               func(r *rewriter) { r.norm("LayerNormalization", r.in(0), 1, 2) },
		"SimplifiedLayerNormalization":     func(r *rewriter) { r.norm("RMSNormalization", r.in(0), 1, -1) },
		"SkipLayerNormalization":           func(r *rewriter) { skipNorm(r, "LayerNormalization", 3, 4) },
		"SkipSimplifiedLayerNormalization": func(r *rewriter) { skipNorm(r, "RMSNormalization", -1, 3) },
		"GroupNorm":                        mapsNorm, "SkipGroupNorm": mapsNorm,
		"RotaryEmbedding": rotaryEmbedding, "MultiHeadAttention": multiHeadAttention, "Attention": packedAttention,
		"ExpandDims": func(r *rewriter) { r.last("Unsqueeze", nil, r.in(0), r.list(r.in(1))) },
	} {
		all[microsoft+"."+op] = f
	}
	for _, op := range []string{"Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization",
		"InstanceNormalization", "DepthToSpace", "SpaceToDepth", "LRN"} {
		all[nhwcDomain+"."+op] = channelsLast(op)
	}
	return all
}

// alike are ONNX Runtime's operators that became ONNX's, under the same names.
var alike = []string{"Pad", "Trilu", "GridSample", "GatherND", "Range"}

// channelsLast reports whether a node wants maps with the channels last.
func (n *node) channelsLast() bool {
	switch {
	case n.domain == nhwcDomain:
		return true
	case n.domain != microsoft:
		return false
	case n.op == "GroupNorm" || n.op == "SkipGroupNorm":
		return n.int("channels_last", 1) != 0
	case strings.HasPrefix(n.op, "QLinear"):
		return n.int("channels_last", 0) != 0
	}
	return strings.HasPrefix(n.op, "Nhwc")
}

// rewritten computes a node by others; what is refused among them is refused for it.
func (c *converter) rewritten(n *node, how func(*rewriter)) error {
	r := &rewriter{c: c, n: n}
	was := c.within
	c.within = n
	how(r)
	c.within = was
	return r.err
}

// in is the node's input i, "" if it is left out.
func (r *rewriter) in(i int) string {
	if i < 0 || i >= len(r.n.inputs) {
		return ""
	}
	return r.n.inputs[i]
}

// out is the node's output i, "" if nothing reads it.
func (r *rewriter) out(i int) string {
	if i >= len(r.n.outputs) || r.c.uses[r.n.outputs[i]] == 0 {
		return ""
	}
	return r.n.outputs[i]
}

func (r *rewriter) float(name string, def float32) float32 { return r.n.float(name, def) }

// op adds a node and returns the name of what it makes.
func (r *rewriter) op(op string, attrs []attribute, ins ...string) string {
	if r.err != nil {
		return ""
	}
	out := r.c.fresh(r.n.output() + "/" + strings.ToLower(op))
	r.err = r.c.run(op, ins, []string{out}, attrs...)
	return out
}

// to is op with a given output.
func (r *rewriter) to(out, op string, attrs []attribute, ins ...string) {
	if r.err == nil && out != "" {
		r.err = r.c.made(&node{op: op, inputs: ins, outputs: []string{out}, attrs: attrs, opsets: newest})
	}
}

// last adds the node that makes the output, called like the node itself.
func (r *rewriter) last(op string, attrs []attribute, ins ...string) {
	if r.err == nil {
		r.err = r.c.made(&node{name: r.n.name, op: op, inputs: ins, outputs: []string{r.n.output()}, attrs: attrs, opsets: newest})
	}
}

var newest = []opset{{version: maxOpset}}

func (r *rewriter) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// constant gives a constant a name.
func (r *rewriter) constant(k *constant) string { return r.c.known(r.n.output()+"/constant", k) }

func (r *rewriter) number(v float32) string { return r.constant(&constant{f: []float32{v}}) }

func (r *rewriter) integers(v ...int64) string {
	return r.constant(&constant{dims: []int{len(v)}, i: v})
}

// list is an integer as a list.
func (r *rewriter) list(name string) string { return r.op("Reshape", nil, name, r.integers(-1)) }

func (r *rewriter) scaled(name string, by float32) string {
	if by == 1 {
		return name
	}
	return r.op("Mul", nil, name, r.number(by))
}

// plus is the sum of two values, the second of which may be left out.
func (r *rewriter) plus(a, b string) string {
	if b == "" {
		return a
	}
	return r.op("Add", nil, a, b)
}

// sum makes the output the sum of values, those left out aside.
func (r *rewriter) sum(ins ...string) {
	total := ins[0]
	for _, in := range ins[1:] {
		total = r.plus(total, in)
	}
	r.last("Identity", nil, total)
}

// dims are those of a value.
func (r *rewriter) dims(name string) []int64 {
	if r.err != nil {
		return nil
	}
	d, err := r.c.dimsOf(&node{inputs: []string{name}}, 0)
	r.fail(err)
	return d
}

// bad reports whether a value cannot be used, which has been said.
func (r *rewriter) bad(name string) bool {
	v := r.c.values[name]
	return r.err != nil || v != nil && v.bad
}

// attributes are the node's but for some.
func (r *rewriter) attributes(but ...string) []attribute {
	var out []attribute
	for _, a := range r.n.attrs {
		keep := true
		for _, name := range but {
			keep = keep && a.name != name
		}
		if keep {
			out = append(out, a)
		}
	}
	return out
}

// first and behind put the channels of maps in front and back.
func (r *rewriter) first(name string) string { return r.turned(name, false) }

func (r *rewriter) turned(name string, back bool) string {
	d := r.dims(name)
	if len(d) < 3 || r.err != nil {
		return name
	}
	return r.op("Transpose", []attribute{{name: "perm", ints: channelsPerm(len(d), back)}}, name)
}

func (r *rewriter) lastTurned(name string) {
	if d := r.dims(name); r.err == nil {
		r.last("Transpose", []attribute{{name: "perm", ints: channelsPerm(len(d), true)}}, name)
	}
}

// channelsPerm moves the channels from the end to axis 1, or back.
func channelsPerm(rank int, back bool) []int64 {
	perm := []int64{0}
	if !back {
		perm = append(perm, int64(rank-1))
	}
	for i := 1; i < rank-1; i++ {
		if back {
			perm = append(perm, int64(i+1))
		} else {
			perm = append(perm, int64(i))
		}
	}
	if back && rank > 1 {
		perm = append(perm, 1)
	}
	return perm
}

// channelsLast is ONNX's operator on maps with the channels last.
func channelsLast(op string) func(*rewriter) {
	return func(r *rewriter) {
		if r.bad(r.in(0)) {
			r.last("Identity", nil, r.in(0))
			return
		}
		ins := append([]string{r.first(r.in(0))}, r.n.inputs[1:]...)
		r.lastTurned(r.op(op, r.n.attrs, ins...))
	}
}

// activated applies the function that is fused to a node: ONNX's operator of
// that name with parameters in its attributes' order.
func (r *rewriter) activated(in, name string, params []float32) {
	var attrs []attribute
	ins := []string{in}
	given := func(names ...string) {
		for i, p := range params {
			if i < len(names) {
				attrs = append(attrs, attribute{name: names[i], f: p})
			}
		}
	}
	switch name {
	case "":
		name = "Identity"
	case "Clip":
		for _, p := range params {
			ins = append(ins, r.number(p))
		}
	case "LeakyRelu", "Elu", "ThresholdedRelu", "Celu", "HardSigmoid", "Swish":
		given("alpha", "beta")
	case "QuickGelu":
		name = "Swish"
		if len(params) == 0 {
			params = []float32{1.702}
		}
		given("alpha")
	case "Selu":
		given("alpha", "gamma")
	case "Relu", "Tanh", "Sigmoid", "HardSwish", "Softplus", "Softsign", "Gelu", "Mish", "Identity":
	default:
		r.fail(refuse("its activation is %q", name))
	}
	r.last(name, attrs, ins...)
}

// fusedConv is a convolution, plus Z, under a function.
func fusedConv(r *rewriter, last bool) {
	if r.bad(r.in(0)) {
		r.last("Identity", nil, r.in(0))
		return
	}
	x, w, z := r.in(0), r.in(1), r.in(3)
	attrs := r.attributes("activation", "activation_params")
	if last {
		x = r.first(x)
		dx, dw := r.dims(x), r.dims(w)
		g := max(r.n.int("group", 1), 1)
		if len(dw) == len(dx) && len(dx) > 2 && dw[1]*g != dx[1] && dw[len(dw)-1]*g == dx[1] {
			w = r.first(w)
		}
		if z != "" {
			z = r.first(z)
		}
	}
	ins := []string{x, w}
	if b := r.in(2); b != "" {
		ins = append(ins, b)
	}
	var params []float32
	if a := r.n.attr("activation_params"); a != nil {
		params = a.floats
	}
	name := r.n.text("activation", "")
	if name == "" && z == "" && !last { // the convolution keeps the node's name
		r.last("Conv", attrs, ins...)
		return
	}
	y := r.plus(r.op("Conv", attrs, ins...), z)
	if !last {
		r.activated(y, name, params)
		return
	}
	inner := &rewriter{c: r.c, n: &node{name: "", op: r.n.op, outputs: []string{r.c.fresh(r.n.output() + "/maps")}}, err: r.err}
	r.c.uses[inner.n.output()] += 2
	inner.activated(y, name, params)
	r.err = inner.err
	r.lastTurned(inner.n.output())
}

// transposed swaps the last two axes of a value, after moving the first behind
// those of the batch if batch is set.
func (r *rewriter) transposed(name string, swap, batch bool) string {
	if !swap && !batch || r.bad(name) {
		return name
	}
	rank := len(r.dims(name))
	if rank < 2 || batch && rank < 3 {
		return name
	}
	var perm []int64
	for i := range rank {
		perm = append(perm, int64(i))
	}
	if batch {
		perm = append(append(append([]int64{}, perm[1:rank-1]...), 0), int64(rank-1))
	}
	if swap {
		perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
	}
	return r.op("Transpose", []attribute{{name: "perm", ints: perm}}, name)
}

func fusedMatMul(r *rewriter) {
	on := func(name string) bool { return r.n.int(name, 0) != 0 }
	a := r.transposed(r.in(0), on("transA"), on("transBatchA"))
	b := r.transposed(r.in(1), on("transB"), on("transBatchB"))
	alpha := r.float("alpha", 1)
	act := r.n.text("activation", "")
	if act == "" && alpha == 1 {
		r.last("MatMul", nil, a, b)
		return
	}
	y := r.op("MatMul", nil, a, b)
	if act == "" {
		r.last("Mul", nil, y, r.number(alpha))
		return
	}
	r.activated(r.scaled(y, alpha), act, r.activationParams())
}

// activationParams are activation_alpha and the like, as far as they are given.
func (r *rewriter) activationParams() []float32 {
	var out []float32
	for _, name := range []string{"activation_alpha", "activation_beta", "activation_gamma"} {
		if !r.n.has(name) {
			break
		}
		out = append(out, r.float(name, 0))
	}
	return out
}

func fusedGemm(r *rewriter) {
	attrs := r.attributes("activation", "activation_alpha", "activation_beta", "activation_gamma")
	params := r.activationParams()
	act := r.n.text("activation", "")
	if act == "Selu" && len(params) == 3 {
		params = []float32{params[0], params[2]}
	}
	r.activated(r.op("Gemm", attrs, r.n.inputs...), act, params)
}

func gemmFastGelu(r *rewriter) {
	r.last("Gelu", tanhGelu, r.plus(r.op("MatMul", nil, r.in(0), r.in(1)), r.in(2)))
}

var tanhGelu = []attribute{{name: "approximate", s: []byte("tanh")}}

// biasSoftmax is the softmax over the axes from axis on, as in operator sets before 13.
func biasSoftmax(r *rewriter) {
	sum := r.op("Add", nil, r.in(0), r.in(1))
	if r.err == nil {
		r.err = r.c.made(&node{name: r.n.name, op: "Softmax", inputs: []string{sum}, outputs: []string{r.n.output()},
			attrs: []attribute{{name: "axis", i: r.n.int("axis", 1)}}, opsets: []opset{{version: 11}}})
	}
}

// halves cuts a value into two along its last axis.
func (r *rewriter) halves(name string) (a, b string) {
	parts := r.parts(name, 2, nil)
	return parts[0], parts[1]
}

// parts cuts a value along its last axis, into equal parts unless sizes are given.
func (r *rewriter) parts(name string, count int, sizes []int64) []string {
	out := make([]string, count)
	if r.err != nil {
		return out
	}
	for i := range out {
		out[i] = r.c.fresh(r.n.output() + "/part")
	}
	ins := []string{name}
	if sizes != nil {
		ins = append(ins, r.integers(sizes...))
	}
	r.err = r.c.run("Split", ins, out, attribute{name: "axis", i: -1})
	return out
}

func biasSplitGelu(r *rewriter) {
	a, b := r.halves(r.op("Add", nil, r.in(0), r.in(1)))
	r.last("Mul", nil, a, r.op("Gelu", nil, b))
}

// norm is a normalisation of the last axes of in, with scale and shift from the
// node's inputs.
func (r *rewriter) norm(op, in string, scale, shift int) {
	ins := []string{in, r.in(scale)}
	if b := r.in(shift); b != "" {
		ins = append(ins, b)
	}
	r.last(op, []attribute{{name: "axis", i: r.n.int("axis", -1)}, {name: "epsilon", f: r.float("epsilon", 1e-5)}}, ins...)
}

// skipNorm normalises the sum of the first two inputs and a bias, which is the
// fourth output.
func skipNorm(r *rewriter, op string, shift, bias int) {
	sum := r.plus(r.op("Add", nil, r.in(0), r.in(1)), r.in(bias))
	r.to(r.out(3), "Identity", nil, sum)
	if !r.n.has("epsilon") {
		r.n = &node{name: r.n.name, op: r.n.op, inputs: r.n.inputs, outputs: r.n.outputs, attrs: append([]attribute{{name: "epsilon", f: 1e-12}}, r.n.attrs...)}
	}
	r.norm(op, sum, 2, shift)
}

// mapsNorm is for maps with the channels last, unless channels_last is 0. With
// Skip it is of a sum, which is the second output.
func mapsNorm(r *rewriter) {
	x := r.in(0)
	if r.bad(x) {
		r.last("Identity", nil, x)
		return
	}
	if r.n.op == "SkipGroupNorm" {
		skip := r.in(3)
		if d, dx := r.dims(skip), r.dims(x); len(d) == 2 && len(dx) == 4 {
			skip = r.op("Reshape", nil, skip, r.integers(d[0], 1, 1, d[1]))
		}
		x = r.plus(r.op("Add", nil, x, skip), r.in(4))
		r.to(r.out(1), "Identity", nil, x)
	}
	last := r.n.int("channels_last", 1) != 0
	if last {
		x = r.first(x)
	}
	y := r.op("GroupNormalization", []attribute{{name: "num_groups", i: r.n.int("groups", 0)}, {name: "epsilon", f: r.float("epsilon", 1e-5)}}, x, r.in(1), r.in(2))
	if r.n.int("activation", 0) != 0 {
		y = r.op("Swish", nil, y)
	}
	if r.bad(y) {
		r.last("Identity", nil, y)
	} else if last {
		r.lastTurned(y)
	} else {
		r.last("Identity", nil, y)
	}
}

// imageScaler is scale*x + bias per channel.
func imageScaler(r *rewriter) {
	x := r.scaled(r.in(0), r.float("scale", 1))
	a := r.n.attr("bias")
	if a == nil {
		r.last("Identity", nil, x)
		return
	}
	r.last("Add", nil, x, r.constant(&constant{dims: []int{len(a.floats), 1, 1}, f: a.floats}))
}

// curve is alpha * f(beta * x).
func (r *rewriter) curve(op string) {
	r.last("Mul", nil, r.op(op, nil, r.scaled(r.in(0), r.float("beta", 1))), r.number(r.float("alpha", 1)))
}

// crop leaves out borders: left, top, right, bottom; or takes scale rows and columns.
func crop(r *rewriter) {
	border, size := r.n.ints("border"), r.n.ints("scale")
	d := r.dims(r.in(0))
	if len(border) != 4 || len(d) != 4 || size != nil && len(size) != 2 {
		r.fail(malformed("border is %v, scale %v, of an input of %v", border, size, d))
		return
	}
	to := []int64{d[2] - border[3], d[3] - border[2]}
	if size != nil {
		to = []int64{border[1] + size[0], border[0] + size[1]}
	}
	r.last("Slice", nil, r.in(0), r.integers(border[1], border[0]), r.integers(to...), r.integers(2, 3))
}

// castLike has the type of another value, which is a float's unless it is constant.
func castLike(r *rewriter) {
	v, err := r.c.arg(r.n, 1)
	to := typeFloat
	switch {
	case err != nil || v == nil:
		r.fail(malformed("input 1 is missing"))
	case v.k != nil && v.k.typ != 0:
		to = v.k.typ
	case v.k != nil && v.k.f == nil:
		to = typeInt64
	}
	r.last("Cast", []attribute{{name: "to", i: int64(to)}}, r.in(0))
}

// eyeLike is 1 on a diagonal of a matrix as large as another.
func eyeLike(r *rewriter) {
	d := r.dims(r.in(0))
	if len(d) != 2 && r.err == nil {
		r.fail(malformed("input of %v, want a matrix", d))
	}
	if r.err != nil {
		return
	}
	n, err := elements(d, r.c.budget)
	if err == nil {
		err = r.c.spend(n)
	}
	r.fail(err)
	if r.err != nil {
		return
	}
	k := &constant{dims: ints(d), f: make([]float32, n)}
	for y := range d[0] {
		if x := y + r.n.int("k", 0); x >= 0 && x < d[1] {
			k.f[y*d[1]+x] = 1
		}
	}
	r.last("Cast", []attribute{{name: "to", i: r.n.int("dtype", int64(typeFloat))}}, r.constant(k))
}
