package onnx

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// layerOps turns nodes into layers. A new operator is one entry here, if the
// model has a layer for it; what its constants may be is checked with refuse.
var layerOps map[string]func(*converter, *node) error

func init() {
	layerOps = map[string]func(*converter, *node) error{
		"Conv":               conv,
		"Gemm":               gemm,
		"MatMul":             matMul,
		"MaxPool":            pool,
		"AveragePool":        pool,
		"GlobalAveragePool":  globalPool,
		"GlobalMaxPool":      globalPool,
		"ReduceMean":         reduceMean,
		"Relu":               func(c *converter, n *node) error { return c.elementwise(n, &model.ReLU{}) },
		"LeakyRelu":          leakyRelu,
		"Clip":               clip,
		"LRN":                lrn,
		"BatchNormalization": batchNorm,
		"Add":                addOrScale,
		"Sub":                addOrScale,
		"Mul":                addOrScale,
		"Div":                addOrScale,
		"Sum":                sum,
		"Concat":             concat,
		"Pad":                pad,
		"Softmax":            softmax,
		"Dropout":            dropout,
		"Identity":           identity,
		"Flatten":            flatten,
		"Reshape":            reshape,
		"Squeeze":            squeeze,
		"Unsqueeze":          squeeze,
		"Transpose":          transpose,
	}
}

// weights returns input i as a tensor of the given rank.
func (c *converter) weights(n *node, i, rank int) (*tensor.Tensor, error) {
	k, err := c.floats(n, i)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, malformed("input %d, the weights, is missing", i)
	}
	if len(k.dims) != rank {
		return nil, refuse("weights are %v, want %d axes", k.dims, rank)
	}
	if k.len() == 0 {
		return nil, malformed("weights are %v, which is empty", k.dims)
	}
	return tensor.From(k.f, k.dims...), nil
}

// vector returns input i as want numbers, nil if it is left out.
func (c *converter) vector(n *node, i, want int) ([]float32, error) {
	k, err := c.floats(n, i)
	if err != nil || k == nil {
		return nil, err
	}
	if k.len() != want {
		return nil, malformed("input %s is %v, want [%d]", n.inputs[i], k.dims, want)
	}
	return k.f, nil
}

func conv(c *converter, n *node) error {
	w, err := c.weights(n, 1, 4)
	if err != nil {
		return err
	}
	in, err := c.maps(n, 0)
	if err != nil {
		return err
	}
	kernel, err := n.pair("kernel_shape", [2]int{w.Shape[2], w.Shape[3]}, 1)
	if err != nil {
		return err
	}
	if kernel != [2]int{w.Shape[2], w.Shape[3]} {
		return malformed("kernel_shape is %v, weights are %v", kernel, w.Shape)
	}
	if max(kernel[0], kernel[1]) > maxSize {
		return refuse("weights are %v", w.Shape)
	}
	g, err := n.window(kernel, in.shape.H, in.shape.W)
	if err != nil {
		return err
	}
	groups := n.int("group", 1)
	if groups < 1 || groups > maxSize {
		return malformed("group is %d", groups)
	}
	bias, err := c.vector(n, 2, w.Shape[0])
	if err != nil {
		return err
	}
	return c.layer(n, &model.Conv{Weight: w, Bias: bias, Stride: g.stride, Dilation: g.dilation, Pads: g.pads, Groups: int(groups)}, in)
}

func pool(c *converter, n *node) error {
	in, err := c.maps(n, 0)
	if err != nil {
		return err
	}
	if !n.has("kernel_shape") {
		return malformed("kernel_shape is missing")
	}
	kernel, err := n.pair("kernel_shape", [2]int{}, 1)
	if err != nil {
		return err
	}
	g, err := n.window(kernel, in.shape.H, in.shape.W)
	if err != nil {
		return err
	}
	for a := range 2 {
		if span := (kernel[a]-1)*g.dilation[a] + 1; max(g.pads[a], g.pads[a+2]) >= span {
			return refuse("pads are %v of a window of %v: some windows would see nothing but padding", g.pads, kernel)
		}
	}
	if n.op == "MaxPool" {
		return c.layer(n, &model.MaxPool{Kernel: kernel, Stride: g.stride, Dilation: g.dilation, Pads: g.pads, Ceil: g.ceil}, in)
	}
	if g.dilation != [2]int{1, 1} {
		return refuse("dilations are %v", g.dilation)
	}
	return c.layer(n, &model.AvgPool{Kernel: kernel, Stride: g.stride, Pads: g.pads, Ceil: g.ceil,
		CountPad: n.int("count_include_pad", 0) != 0}, in)
}

func globalPool(c *converter, n *node) error {
	in, err := c.maps(n, 0)
	if err != nil {
		return err
	}
	if n.op == "GlobalAveragePool" {
		return c.layer(n, &model.GlobalAvgPool{}, in)
	}
	return c.layer(n, &model.MaxPool{Kernel: [2]int{in.shape.H, in.shape.W}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}}, in)
}

// reduceMean over rows and columns is a global average pool.
func reduceMean(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	axes, err := c.integers(n, 1, "axes")
	if err != nil {
		return err
	}
	if in.shape.Flat || len(in.dims) != 4 || in.hwc == nil && !in.plain() {
		return refuse("input has shape %v, want [N, channels, height, width]", c.show(in.dims))
	}
	want := []int{2, 3}
	if in.hwc != nil {
		want = []int{1, 2}
	}
	var got []int
	for _, v := range axes {
		a, err := axis(v, 4)
		if err != nil {
			return err
		}
		got = append(got, a)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return refuse("axes are %v, want those of height and width, %v", axes, want)
	}
	if n.int("keepdims", 1) == 0 {
		v, err := c.add(c.unique(c.name(n)+".pool"), &model.GlobalAvgPool{}, in)
		if err != nil {
			return err
		}
		return c.layer(n, &model.Flatten{}, v)
	}
	if err := c.layer(n, &model.GlobalAvgPool{}, in); err != nil {
		return err
	}
	if in.hwc != nil {
		v := c.values[n.outputs[0]]
		v.dims = []int64{v.dims[0], 1, 1, v.dims[1]}
	}
	return nil
}

func leakyRelu(c *converter, n *node) error {
	return c.elementwise(n, &model.LeakyReLU{Alpha: n.float("alpha", 0.01)})
}

// clip has its bounds in attributes before operator set 11, then in inputs.
// From 0 to infinity it is a rectifier.
func clip(c *converter, n *node) error {
	bounds := [2]float32{n.float("min", -math.MaxFloat32), n.float("max", math.MaxFloat32)}
	if c.opset >= 11 {
		for i := range bounds {
			k, err := c.vector(n, i+1, 1)
			if err != nil {
				return err
			}
			if k != nil {
				bounds[i] = k[0]
			}
		}
	}
	for i, b := range bounds {
		if math.IsNaN(float64(b)) {
			return malformed("a bound is not a number")
		}
		bounds[i] = min(max(b, -math.MaxFloat32), math.MaxFloat32)
	}
	if bounds[0] > bounds[1] {
		return refuse("its minimum %g is above its maximum %g", bounds[0], bounds[1])
	}
	if bounds == [2]float32{0, math.MaxFloat32} {
		return c.elementwise(n, &model.ReLU{})
	}
	return c.elementwise(n, &model.Clip{Min: bounds[0], Max: bounds[1]})
}

func lrn(c *converter, n *node) error {
	in, err := c.maps(n, 0)
	if err != nil {
		return err
	}
	size := n.int("size", 0)
	if size < 1 || size > maxSize {
		return malformed("size is %d", size)
	}
	return c.layer(n, &model.LRN{Size: int(size), Alpha: float64(n.float("alpha", 1e-4)), Beta: float64(n.float("beta", 0.75)),
		Bias: float64(n.float("bias", 1))}, in)
}

func batchNorm(c *converter, n *node) error {
	in, err := c.plain(n, 0)
	if err != nil {
		return err
	}
	switch {
	case n.int("training_mode", 0) != 0 || c.opset < 7 && n.int("is_test", 0) == 0:
		return refuse("it is in training mode: export the network for inference")
	case n.int("spatial", 1) == 0:
		return refuse("it normalises every place by itself")
	}
	var p [4][]float32
	for i := range p {
		if p[i], err = c.vector(n, i+1, in.shape.C); err != nil {
			return err
		}
		if p[i] == nil {
			return malformed("input %d is missing", i+1)
		}
	}
	return c.layer(n, &model.BatchNorm{Scale: p[0], Shift: p[1], Mean: p[2], Var: p[3], Eps: float64(n.float("epsilon", 1e-5))}, in)
}

// gemm is alpha*A'*B' + beta*C with A the picture's features; it becomes a dense layer.
func gemm(c *converter, n *node) error {
	if n.int("transA", 0) != 0 {
		return refuse("transA is set")
	}
	w, err := c.weights(n, 1, 2)
	if err != nil {
		return err
	}
	out := w.Shape[1]
	if n.int("transB", 0) != 0 {
		out = w.Shape[0]
	}
	bias, err := c.floats(n, 2)
	if err != nil {
		return err
	}
	var b []float32
	if bias != nil {
		if b, err = c.spread(bias, n.float("beta", 1), out); err != nil {
			return err
		}
	}
	return c.dense(n, w, n.int("transB", 0) != 0, n.float("alpha", 1), b)
}

// spread makes a bias of one number or a row of them, times scale, out numbers.
func (c *converter) spread(k *constant, scale float32, out int) ([]float32, error) {
	if k.len() != 1 && (k.len() != out || k.dims[len(k.dims)-1] != out) {
		return nil, refuse("bias is %v, want [%d]", k.dims, out)
	}
	if scale == 1 && k.len() == out {
		return k.f, nil
	}
	if err := c.spend(out); err != nil {
		return nil, err
	}
	b := make([]float32, out)
	for i := range b {
		b[i] = scale * k.f[i%k.len()]
	}
	return b, nil
}

func matMul(c *converter, n *node) error {
	w, err := c.weights(n, 1, 2)
	if err != nil {
		return err
	}
	return c.dense(n, w, false, 1, nil)
}

// dense makes a node a dense layer with weights w, [out, in] if rows, else
// [in, out], times alpha. Where the graph flattened maps in another order than
// the model does, the weights are put into the model's order instead.
func (c *converter) dense(n *node, w *tensor.Tensor, rows bool, alpha float32, bias []float32) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	if !in.shape.Flat && in.plain() && in.shape.H*in.shape.W == 1 {
		if in, err = c.add(c.unique(c.name(n)+".flatten"), &model.Flatten{}, in); err != nil {
			return err
		}
	}
	if len(in.dims) != 2 || !in.shape.Flat {
		return refuse("input %s has shape %v, want [N, values]", n.inputs[0], c.show(in.dims))
	}
	out, depth := w.Shape[0], w.Shape[1]
	if !rows {
		out, depth = depth, out
	}
	if depth != in.shape.C {
		return malformed("weights are %v, the input has %d values", w.Shape, in.shape.C)
	}
	if !rows || alpha != 1 || in.hwc != nil {
		if err := c.spend(w.Len()); err != nil {
			return err
		}
		turned := tensor.New(out, depth)
		stride, step := depth, 1
		if !rows {
			stride, step = 1, out
		}
		for j := range depth {
			from := j // column of the graph's weights for value j of ours
			if s := in.hwc; s != nil {
				ch, at := j/(s.H*s.W), j%(s.H*s.W)
				from = at*s.C + ch
			}
			for i := range out {
				turned.Data[i*depth+j] = alpha * w.Data[i*stride+from*step]
			}
		}
		w = turned
	}
	return c.layer(n, &model.Dense{Weight: w, Bias: bias}, in)
}

// addOrScale is Add, Sub, Mul or Div: of two values of one shape (Add only), or of
// a value and a constant per channel, which is a bias if it directly follows
// the weights, else a normalisation.
func addOrScale(c *converter, n *node) error {
	if len(n.inputs) != 2 {
		return malformed("%d inputs, want 2", len(n.inputs))
	}
	var vs [2]*value
	for i := range vs {
		v, err := c.arg(n, i)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input %d is missing", i)
		}
		vs[i] = v
	}
	if vs[0].k == nil && vs[1].k == nil {
		return c.addValues(n)
	}
	at := 0
	if vs[0].k != nil {
		at = 1
	}
	in, k := vs[at], vs[1-at].k
	if k.f == nil {
		return malformed("input %s is %v, want floats", n.inputs[1-at], k)
	}
	per, err := c.perChannel(n, k, in)
	if err != nil {
		return err
	}
	channels := in.shape.C
	value := func(i int) float32 { return per[i%len(per)] }
	// The result is scale*x + shift.
	affine := func(i int) (scale, shift float32) {
		switch n.op {
		case "Add":
			return 1, value(i)
		case "Sub":
			if at == 1 {
				return -1, value(i)
			}
			return 1, -value(i)
		case "Mul":
			return value(i), 0
		}
		return 1 / value(i), 0
	}
	if n.op == "Div" && at == 1 {
		return refuse("it divides a constant by a value")
	}
	if err := c.spend(4 * channels); err != nil {
		return err
	}
	if scale, _ := affine(0); scale == 1 && (n.op == "Add" || n.op == "Sub") {
		if bias := biasOf(c.ownLayer(n, at, in)); bias != nil {
			sum := make([]float32, channels)
			for i := range sum {
				_, shift := affine(i)
				sum[i] = shift
				if *bias != nil {
					sum[i] += (*bias)[i]
				}
			}
			*bias = sum
			c.alias(n, in, in.dims)
			return nil
		}
	}
	l := &model.BatchNorm{Scale: make([]float32, channels), Shift: make([]float32, channels),
		Mean: make([]float32, channels), Var: slices.Repeat([]float32{1}, channels)}
	for i := range channels {
		l.Scale[i], l.Shift[i] = affine(i)
	}
	v, err := c.add(c.name(n), l, in)
	if err != nil {
		return err
	}
	v.dims, v.hwc = in.dims, in.hwc
	c.values[n.outputs[0]] = v
	return nil
}

func biasOf(l model.Layer) *[]float32 {
	switch l := l.(type) {
	case *model.Conv:
		return &l.Bias
	case *model.Dense:
		return &l.Bias
	}
	return nil
}

// perChannel returns a constant that is to be broadcast over v as one number,
// or one for each of v's channels.
func (c *converter) perChannel(n *node, k *constant, v *value) ([]float32, error) {
	channel := 1
	if v.hwc != nil {
		channel = 3
	}
	if !v.plain() && (v.hwc == nil || v.shape.Flat) {
		return nil, refuse("a value of shape %v", c.show(v.dims))
	}
	first := len(v.dims) - len(k.dims) // the axis of v that k's first one meets
	if n.int("broadcast", 0) != 0 && n.has("axis") {
		a, err := axis(n.int("axis", 0), len(v.dims)) // before operator set 7
		if err != nil {
			return nil, err
		}
		first = a
	}
	ok := first >= 0 && first+len(k.dims) <= len(v.dims) && k.len() > 0
	for i, d := range k.dims {
		ok = ok && (d == 1 || first+i == channel && d == v.shape.C)
	}
	if !ok {
		return nil, refuse("a constant of shape %v with a value of shape %v: want one number for all or one per channel", k.dims, c.show(v.dims))
	}
	return k.f, nil
}

// addValues adds values of one shape.
func (c *converter) addValues(n *node) error {
	if n.op != "Add" && n.op != "Sum" {
		return refuse("both its inputs are computed from the picture")
	}
	var ins []*value
	for i := range n.inputs {
		v, err := c.image(n, i)
		if err != nil {
			return err
		}
		if i > 0 && (v.shape != ins[0].shape || !slices.Equal(v.dims, ins[0].dims) || !sameOrder(v.hwc, ins[0].hwc)) {
			return refuse("it adds values of different shapes, %v and %v", c.show(ins[0].dims), c.show(v.dims))
		}
		ins = append(ins, v)
	}
	v, err := c.add(c.name(n), &model.Add{}, ins...)
	if err != nil {
		return err
	}
	v.dims, v.hwc = ins[0].dims, ins[0].hwc
	c.values[n.outputs[0]] = v
	return nil
}

func sameOrder(a, b *model.Shape) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func sum(c *converter, n *node) error {
	for i := range n.inputs {
		v, err := c.arg(n, i)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input %d is missing", i)
		}
		if v.k != nil {
			return refuse("input %s is constant", n.inputs[i])
		}
	}
	if len(n.inputs) == 0 {
		return malformed("no inputs")
	}
	return c.addValues(n)
}

func concat(c *converter, n *node) error {
	if len(n.inputs) == 0 {
		return malformed("no inputs")
	}
	var ins []*value
	for i := range n.inputs {
		v, err := c.plain(n, i)
		if err != nil {
			return err
		}
		a, err := axis(n.int("axis", 1), len(v.dims))
		if err != nil {
			return err
		}
		if a != 1 {
			return refuse("it joins along axis %d, want 1, the channels", n.int("axis", 1))
		}
		ins = append(ins, v)
	}
	return c.layer(n, &model.Concat{}, ins...)
}

// pad has its sizes and value in attributes before operator set 11, then in inputs.
func pad(c *converter, n *node) error {
	if mode := n.text("mode", "constant"); mode != "constant" {
		return refuse("mode is %s, only constant is supported", mode)
	}
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	var pads []int64
	fill := n.float("value", 0)
	if c.opset < 11 {
		if pads = n.ints("pads"); pads == nil {
			pads = n.ints("paddings")
		}
	} else {
		if pads, err = c.integers(n, 1, ""); err != nil {
			return err
		}
		k, err := c.vector(n, 2, 1)
		if err != nil {
			return err
		}
		if k != nil {
			fill = k[0]
		}
	}
	rank := len(in.dims)
	axes, err := c.integers(n, 3, "")
	if err != nil {
		return err
	}
	if axes == nil {
		for i := range rank {
			axes = append(axes, int64(i))
		}
	}
	if len(axes) > rank || len(pads) != 2*len(axes) {
		return malformed("pads are %v for axes %v", pads, axes)
	}
	all := make([]int, 2*rank)
	for i, v := range axes {
		a, err := axis(v, rank)
		if err != nil {
			return err
		}
		for j, p := range []int64{pads[i], pads[i+len(axes)]} {
			if p < 0 || p > maxSize {
				return refuse("pads are %v, want 0 to %d", pads, maxSize)
			}
			all[a+j*rank] = int(p)
		}
	}
	if slices.Max(all) == 0 {
		c.alias(n, in, in.dims)
		return nil
	}
	if in, err = c.maps(n, 0); err != nil {
		return err
	}
	if all[0] != 0 || all[1] != 0 || all[4] != 0 || all[5] != 0 {
		return refuse("pads are %v, want none of images and channels", pads)
	}
	return c.layer(n, &model.Pad{Pads: [4]int{all[2], all[3], all[6], all[7]}, Value: fill}, in)
}

// softmax runs over one axis since operator set 13, over all from axis on before.
func softmax(c *converter, n *node) error {
	in, err := c.plain(n, 0)
	if err != nil {
		return err
	}
	def := int64(-1)
	if c.opset < 13 {
		def = 1
	}
	a, err := axis(n.int("axis", def), len(in.dims))
	if err != nil {
		return err
	}
	if a != 1 || c.opset < 13 && in.shape.H*in.shape.W != 1 {
		return refuse("axis is %d of a value of shape %v, want the channels alone", n.int("axis", def), c.show(in.dims))
	}
	return c.layer(n, &model.Softmax{}, in)
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
	if !(rate >= 0 && rate < 1) {
		return refuse("ratio is %g", rate)
	}
	return c.elementwise(n, &model.Dropout{Rate: float64(rate)})
}

func identity(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	c.alias(n, in, in.dims)
	return nil
}

// view lets a node's output be its input with other dims: a Flatten layer if it
// becomes a vector, nothing at all otherwise.
func (c *converter) view(n *node, in *value, dims []int64) error {
	if slices.Equal(dims, in.dims) || in.hwc == nil && (in.shape.Flat || len(dims) != 2) {
		c.alias(n, in, dims)
		return nil
	}
	if len(dims) != 2 || in.shape.Flat {
		return refuse("it makes shape %v of %v, whose channels are last", c.show(dims), c.show(in.dims))
	}
	v, err := c.add(c.name(n), &model.Flatten{}, in)
	if err != nil {
		return err
	}
	v.hwc = in.hwc
	c.values[n.outputs[0]] = v
	return nil
}

func flatten(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	if a := n.int("axis", 1); a != 1 && a != 1-int64(len(in.dims)) {
		return refuse("axis is %d, want 1", a)
	}
	if in.shape.Flat && in.plain() {
		return c.layer(n, &model.Flatten{}, in)
	}
	return c.view(n, in, []int64{in.dims[0], int64(in.shape.Len())})
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
	if len(target) < 1 || len(target) > maxRank {
		return refuse("it makes shape %v of %v", c.show(target), c.show(in.dims))
	}
	bad := refuse("it makes shape %v of %v, which does not keep the images apart", c.show(target), c.show(in.dims))
	allowZero := n.int("allowzero", 0) != 0
	rest := slices.Clone(target[1:])
	for i, d := range rest {
		if d == 0 && !allowZero && i+1 < len(in.dims) {
			rest[i] = in.dims[i+1]
		}
	}
	per := in.shape.Len()
	switch d := target[0]; {
	case d == 0 && !allowZero, d == c.images, d == 1 && c.images == batch:
	case d == -1: // stands for the images if the rest is one image
		if slices.Contains(rest, -1) {
			return bad
		}
	default:
		return bad
	}
	var none []int
	dims, err := reshaped(rest, none, per, true)
	if err != nil {
		return bad
	}
	out := []int64{in.dims[0]}
	for _, d := range dims {
		out = append(out, int64(d))
	}
	return c.view(n, in, out)
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
	if len(dims) == 0 || dims[0] != in.dims[0] {
		return refuse("it makes shape %v of %v: the images must stay the first axis", c.show(dims), c.show(in.dims))
	}
	return c.view(n, in, dims)
}

// transpose is supported where it moves nothing, or between channels first and
// channels last, which is only another way to see the same maps.
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
	v := *in
	v.dims = dims
	switch {
	case slices.Equal(perm, []int{0, 2, 3, 1}) && in.plain() && !in.shape.Flat:
		if !slices.Equal(before, after) {
			v.hwc = &v.shape
		}
	case slices.Equal(perm, []int{0, 3, 1, 2}) && in.hwc != nil && !in.shape.Flat:
		v.hwc = nil
	case slices.Equal(before, after) && perm[0] == 0:
	default:
		return refuse("it turns axes %v of a value of shape %v", perm, c.show(in.dims))
	}
	c.alias(n, &v, dims)
	return nil
}
