package onnx

import (
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// operators are what is done for nodes, by their operator. They are a value and
// no variables of the package, since what is done leads to other operators.
type operators struct {
	layers     map[string]operator        // turn nodes into layers, and check what their constants may be with refuse
	folds      map[string]folding         // compute nodes of constants; only Shape and Size take a value that is not constant
	quantised  map[string]operator        // make, take or give quantised values, and read constants themselves; by key
	rewrites   map[string]func(*rewriter) // write a node in operators of ONNX; by key
	structures map[string]operator        // are about other nodes, or about lists of arrays
}

type operator func(*converter, *node) error

type folding func(*converter, *node) (*constant, error)

func newOperators() *operators {
	return &operators{layers: layerOps(), folds: foldOps(), quantised: quantOps(), rewrites: rewriteOps(), structures: structureOps()}
}

// known reports whether an operator of ONNX can be used.
func (o *operators) known(op string) bool { return o.layers[op] != nil || o.folds[op] != nil }

// rewrite returns how a node is written in operators of ONNX, nil if it need not be.
func (o *operators) rewrite(n *node) func(*rewriter) {
	if n.domain == microsoft && slices.Contains(alike, n.op) && o.known(n.op) {
		return func(r *rewriter) { r.last(n.op, n.attrs, n.inputs...) }
	}
	return o.rewrites[n.key()]
}

// layerOps lists what makes layers of which operators of ONNX. A new operator is
// one entry here, if the model has a layer for it.
func layerOps() map[string]operator {
	all := map[string]operator{}
	for _, f := range []struct {
		to    operator
		names string
	}{
		{conv, "Conv"}, {convTranspose, "ConvTranspose"}, {gemm, "Gemm"}, {matMul, "MatMul"}, {einsum, "Einsum"},
		{attention, "Attention"}, {recurrent, "RNN LSTM GRU"},
		{pool, "MaxPool AveragePool LpPool"}, {globalPool, "GlobalAveragePool GlobalMaxPool GlobalLpPool"}, {maxUnpool, "MaxUnpool"},
		{relu, "Relu"}, {leakyRelu, "LeakyRelu"}, {prelu, "PRelu"}, {clip, "Clip"}, {gelu, "Gelu"}, {shrink, "Shrink"}, {isInf, "IsInf"},
		{lrn, "LRN"}, {batchNorm, "BatchNormalization"}, {instanceNorm, "InstanceNormalization"}, {groupNorm, "GroupNormalization"},
		{layerNorm, "LayerNormalization RMSNormalization"}, {lpNorm, "LpNormalization"}, {meanVariance, "MeanVarianceNormalization"},
		{softmax, "Softmax LogSoftmax"}, {hardmax, "Hardmax"}, {dropout, "Dropout"}, {identity, "Identity"}, {cast, "Cast"},
		{binaryOp, "Add Sub Mul Div Pow"}, {variadic, "Max Min Mean Sum"}, {where, "Where"},
		{logical, "Greater GreaterOrEqual Less LessOrEqual Equal And Or Xor Mod"},
		{concat, "Concat"}, {splitOp, "Split"}, {slice, "Slice"}, {pad, "Pad"}, {centerCropPad, "CenterCropPad"},
		{flatten, "Flatten"}, {reshape, "Reshape"}, {squeeze, "Squeeze Unsqueeze"}, {transpose, "Transpose"},
		{expand, "Expand"}, {tile, "Tile"}, {trilu, "Trilu"}, {depthToSpace, "DepthToSpace"}, {spaceToDepth, "SpaceToDepth"},
		{resize, "Resize Upsample"}, {gridSample, "GridSample"}, {affineGrid, "AffineGrid"}, {col2Im, "Col2Im"},
		{lookup, "Gather GatherElements GatherND"}, {scatter, "Scatter ScatterElements ScatterND"}, {oneHot, "OneHot"},
		{argMax, "ArgMax ArgMin"}, {topK, "TopK"}, {cumSum, "CumSum"}, {compress, "Compress"}, {reverseSequence, "ReverseSequence"},
	} {
		for _, name := range strings.Fields(f.names) {
			all[name] = f.to
		}
	}
	for name := range reductions {
		all[name] = reduce
	}
	for name := range unaries {
		all[name] = unary
	}
	return all
}

func relu(c *converter, n *node) error { return c.elementwise(n, &model.ReLU{}) }

// unary is an operator on single numbers that the table of unaries has.
func unary(c *converter, n *node) error {
	u := unaries[n.op]
	return c.elementwise(n, &model.Unary{Op: u.op, Alpha: n.float("alpha", u.alpha), Beta: n.float(u.second, u.beta)})
}

// unaries are operators that are functions of single numbers, with the defaults
// of alpha and of the attribute called second.
var unaries = map[string]struct {
	op          model.UnaryOp
	alpha, beta float32
	second      string
}{
	"Elu": {model.UnaryElu, 1, 0, ""}, "Selu": {model.UnarySelu, 1.67326319217681884765625, 1.05070102214813232421875, "gamma"}, "Celu": {model.UnaryCelu, 1, 0, ""},
	"Sigmoid": {op: model.UnarySigmoid}, "HardSigmoid": {model.UnaryHardSigmoid, 0.2, 0.5, "beta"}, "HardSwish": {op: model.UnaryHardSwish}, "Tanh": {op: model.UnaryTanh},
	"Softplus": {op: model.UnarySoftplus}, "Softsign": {op: model.UnarySoftsign}, "Mish": {op: model.UnaryMish}, "ThresholdedRelu": {model.UnaryThresholdedRelu, 1, 0, ""},
	"Neg": {op: model.UnaryNeg}, "Sqrt": {op: model.UnarySqrt}, "Exp": {op: model.UnaryExp}, "Log": {op: model.UnaryLog}, "Abs": {op: model.UnaryAbs}, "Erf": {op: model.UnaryErf},
	"Reciprocal": {op: model.UnaryReciprocal}, "Floor": {op: model.UnaryFloor}, "Ceil": {op: model.UnaryCeil}, "Round": {op: model.UnaryRound}, "Sign": {op: model.UnarySign},
	"Sin": {op: model.UnarySin}, "Cos": {op: model.UnaryCos}, "Tan": {op: model.UnaryTan}, "Asin": {op: model.UnaryAsin}, "Acos": {op: model.UnaryAcos}, "Atan": {op: model.UnaryAtan},
	"Sinh": {op: model.UnarySinh}, "Cosh": {op: model.UnaryCosh}, "Asinh": {op: model.UnaryAsinh}, "Acosh": {op: model.UnaryAcosh}, "Atanh": {op: model.UnaryAtanh}, "Not": {op: model.UnaryNot}, "IsNaN": {op: model.UnaryIsNaN}, "Swish": {model.UnarySwish, 1, 0, ""},
}

// weights returns input i as a tensor of one of the given ranks.
func (c *converter) weights(n *node, i int, ranks ...int) (*tensor.Tensor, error) {
	w, err := c.packedWeights(n, i, ranks...)
	return w.Unpacked(), err
}

// packedWeights is weights for layers that take them packed.
func (c *converter) packedWeights(n *node, i int, ranks ...int) (*tensor.Tensor, error) {
	k, err := c.packedFloats(n, i)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, malformed("input %d, the weights, is missing", i)
	}
	if !slices.Contains(ranks, len(k.dims)) {
		return nil, refuse("weights are %v, want %v axes", k.dims, ranks)
	}
	if k.len() == 0 {
		return nil, malformed("weights are %v, which is empty", k.dims)
	}
	return k.tensor(k.dims...), nil
}

// packedFloats is floats, packed if they are.
func (c *converter) packedFloats(n *node, i int) (*constant, error) {
	if v, err := c.look(n, i); err == nil && v != nil && v.k != nil && v.k.packed != nil {
		return v.k, nil
	}
	return c.floats(n, i)
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

// filters returns input 1 as [a, b, sizes of the window...] for maps of the given
// number of spatial axes, of one as [a, b, 1, columns], and the sizes, which
// kernel_shape must fit.
func (c *converter) filters(n *node, axes int) (*tensor.Tensor, []int, error) {
	w, err := c.packedWeights(n, 1, axes+2)
	if err != nil {
		return nil, nil, err
	}
	kernel := w.Shape[2:]
	given, err := n.sizes("kernel_shape", axes, 1, 1)
	if err != nil {
		return nil, nil, err
	}
	if n.has("kernel_shape") && !slices.Equal(given, kernel) {
		return nil, nil, malformed("kernel_shape is %v, weights are %v", given, w.Shape)
	}
	if slices.Max(kernel) > maxSize {
		return nil, nil, refuse("weights are %v", w.Shape)
	}
	if axes == 1 {
		w = &tensor.Tensor{Shape: []int{w.Shape[0], w.Shape[1], 1, w.Shape[2]}, Data: w.Data, Packed: w.Packed}
	}
	return w, kernel, nil
}

// spatial makes a node a layer on maps of the given number of spatial axes.
func (c *converter) spatial(n *node, axes int, l model.Layer, ins ...*value) error {
	v, err := c.add(c.name(n), l, ins...)
	if err != nil {
		return err
	}
	if axes == 1 {
		v.dims = []int64{c.images, int64(v.shape.C), int64(v.shape.W)}
	}
	if l, ok := l.(interface{ Dims() ([]int, error) }); ok {
		dims, err := l.Dims()
		if err != nil {
			return err
		}
		if dims != nil {
			v.dims = append([]int64{c.images}, int64s(dims)...)
		}
	}
	c.values[n.output()] = v
	return nil
}

func (n *node) groups() (int, error) {
	g := n.int("group", 1)
	if g < 1 || g > maxSize {
		return 0, malformed("group is %d", g)
	}
	return int(g), nil
}

func conv(c *converter, n *node) error {
	if w, err := c.look(n, 1); err == nil && w != nil && w.k == nil {
		if _, err := c.constant(n, 1); err != nil {
			return convComputed(c, n)
		}
	}
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	w, kernel, err := c.filters(n, axes)
	if err != nil {
		return err
	}
	dims := ints(in.dims[1:])
	g, err := n.window(kernel, dims[1:])
	if err != nil {
		return err
	}
	groups, err := n.groups()
	if err != nil {
		return err
	}
	bias, err := c.vector(n, 2, w.Shape[0])
	if err != nil {
		return err
	}
	l := &model.Conv{Weight: w, Bias: bias, Groups: groups}
	l.Stride, l.Dilation, l.Pads, l.From = g.settings(dims)
	if l.From != nil {
		l.Weight = w.Unpacked()
	}
	return c.spatial(n, axes, l, in)
}

func convTranspose(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	w, kernel, err := c.filters(n, axes)
	if err != nil {
		return err
	}
	w = w.Unpacked()
	groups, err := n.groups()
	if err != nil {
		return err
	}
	dims := ints(in.dims[1:])
	g, more, err := n.transposed(kernel, dims[1:])
	if err != nil {
		return err
	}
	bias, err := c.vector(n, 2, min(w.Shape[1], maxSize)*groups)
	if err != nil {
		return err
	}
	if axes == 1 {
		more = []int{0, more[0]}
	}
	l := &model.ConvTranspose{Weight: w, Bias: bias, OutPad: more, Groups: groups}
	l.Stride, l.Dilation, l.Pads, l.From = g.settings(dims)
	return c.spatial(n, axes, l, in)
}

// transposed is window for a transposed convolution, with its output padding. It
// works out pads from output_shape or auto_pad as ONNX says. What would be negative
// padding becomes rows and columns of nothing at the end.
func (n *node) transposed(kernel, sizes []int) (g window, more []int, err error) {
	axes := len(kernel)
	if g.stride, err = n.sizes("strides", axes, 1, 1); err != nil {
		return g, nil, err
	}
	if g.dilation, err = n.sizes("dilations", axes, 1, 1); err != nil {
		return g, nil, err
	}
	if more, err = n.sizes("output_padding", axes, 0, 0); err != nil {
		return g, nil, err
	}
	g.pads = make([]int, 2*axes)
	auto := n.text("auto_pad", "NOTSET")
	shape := n.ints("output_shape")
	if len(shape) == axes+2 {
		shape = shape[2:]
	}
	var want []int
	switch {
	case shape != nil:
		if len(shape) != axes || slices.Min(shape) < 1 || slices.Max(shape) > maxSize {
			return g, nil, malformed("output_shape is %v", n.ints("output_shape"))
		}
		want = ints(shape)
	case auto == "SAME_UPPER" || auto == "SAME_LOWER":
		for a, size := range sizes {
			want = append(want, size*g.stride[a])
		}
	case auto == "NOTSET" || auto == "":
		g.pads, err = n.pads(axes)
		return g, more, err
	case auto == "VALID":
		return g, more, nil
	default:
		return g, nil, refuse("auto_pad is %q", auto)
	}
	for a, size := range sizes {
		total := g.stride[a]*(size-1) + more[a] + (kernel[a]-1)*g.dilation[a] + 1 - want[a]
		if total < 0 {
			more[a] -= total
			total = 0
		}
		// The odd one goes to the end for SAME_UPPER, else to the beginning.
		g.pads[a], g.pads[a+axes] = total-total/2, total/2
		if auto == "SAME_UPPER" {
			g.pads[a], g.pads[a+axes] = g.pads[a+axes], g.pads[a]
		}
	}
	return g, more, nil
}

func pool(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	if !n.has("kernel_shape") {
		return malformed("kernel_shape is missing")
	}
	kernel, err := n.sizes("kernel_shape", axes, 1, 1)
	if err != nil {
		return err
	}
	dims := ints(in.dims[1:])
	g, err := n.window(kernel, dims[1:])
	if err != nil {
		return err
	}
	for a := range axes {
		if span := (kernel[a]-1)*g.dilation[a] + 1; max(g.pads[a], g.pads[a+axes]) >= span && n.op != "LpPool" {
			return refuse("pads are %v of a window of %v: some windows would see nothing but padding", g.pads, kernel)
		}
	}
	count, power := n.int("count_include_pad", 0) != 0, n.int("p", 2)
	if n.op == "LpPool" && (power < 1 || power > 1000) {
		return refuse("p is %d", power)
	}
	places := ""
	if n.op == "MaxPool" && len(n.outputs) > 1 && c.uses[n.outputs[1]] > 0 {
		if places = n.outputs[1]; places != "" && c.images != 1 {
			return refuse("the places of maxima in a batch of %d", c.images)
		}
	}
	l := model.Pool{Op: model.PoolMax, Kernel: kernel, Ceil: g.ceil}
	l.Stride, l.Dilation, l.Pads, l.From = g.settings(dims)
	switch n.op {
	case "LpPool":
		l.Op, l.P = model.PoolLp, int(power)
	case "AveragePool":
		l.Op, l.CountPad = model.PoolAverage, count
	}
	if axes == 1 {
		l.Kernel = []int{1, kernel[0]}
	}
	if l.MeanOfMaps() {
		l.Dilation = nil
	}
	if n.outputs[0] != "" {
		if err := c.spatial(n, axes, &l, in); err != nil {
			return err
		}
	}
	if places == "" {
		return nil
	}
	argmax := l
	argmax.Op, argmax.Columns = model.PoolArgmax, n.int("storage_order", 0) != 0
	if argmax.Columns && axes > 2 {
		return refuse("the places of maxima with columns before rows in %d axes", axes)
	}
	return c.spatial(&node{outputs: []string{places}}, axes, &argmax, in)
}

func globalPool(c *converter, n *node) error {
	in, axes, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	var l model.Layer = &model.GlobalAvgPool{}
	whole, one, none := []int{in.shape.H, in.shape.W}, []int{1, 1}, make([]int, 4)
	switch n.op {
	case "GlobalMaxPool":
		l = &model.Pool{Op: model.PoolMax, Kernel: whole, Stride: one, Dilation: one, Pads: none}
	case "GlobalLpPool":
		p := n.int("p", 2)
		if p < 1 || p > 1000 {
			return refuse("p is %d", p)
		}
		l = &model.Pool{Op: model.PoolLp, P: int(p), Kernel: whole, Stride: one, Dilation: one, Pads: none}
	}
	dims := append([]int64{in.dims[0], in.dims[1]}, slices.Repeat([]int64{1}, axes)...)
	return c.put(n, dims, l, in)
}

func leakyRelu(c *converter, n *node) error {
	return c.elementwise(n, &model.Unary{Op: model.UnaryLeakyRelu, Alpha: n.float("alpha", 0.01)})
}

func gelu(c *converter, n *node) error {
	switch how := n.text("approximate", "none"); how {
	case "none":
		return c.elementwise(n, &model.Unary{Op: model.UnaryGelu})
	case "tanh":
		return c.elementwise(n, &model.Unary{Op: model.UnaryGeluTanh})
	default:
		return refuse("approximate is %q", how)
	}
}

// prelu with one slope is a leaky rectifier.
func prelu(c *converter, n *node) error {
	k, err := c.floats(n, 1)
	if err != nil {
		return err
	}
	if k != nil && k.len() == 1 {
		return c.elementwise(n, &model.Unary{Op: model.UnaryLeakyRelu, Alpha: k.f[0]})
	}
	in, err := c.array(n, 0)
	if err != nil {
		return err
	}
	if k != nil && len(k.dims) == 1 && len(in.dims) > 2 && int64(k.dims[0]) == in.dims[1] && (c.opset < 7 || in.dims[len(in.dims)-1] != in.dims[1]) {
		// One slope for each channel, which operator sets before 7 did not align at the end.
		k = k.with(append([]int{k.dims[0]}, slices.Repeat([]int{1}, len(in.dims)-2)...))
		return c.two(n, c.name(n), model.BinaryPRelu, in, &value{k: k})
	}
	return binaryOp(c, n)
}

// clip has its bounds in attributes before operator set 11, then in inputs.
// From 0 to infinity it is a rectifier.
func clip(c *converter, n *node) error {
	bounds := [2]float32{n.float("min", -math.MaxFloat32), n.float("max", math.MaxFloat32)}
	if c.opset >= 11 {
		for i := range bounds {
			if v, err := c.arg(n, i+1); err != nil {
				return err
			} else if v != nil && v.k == nil {
				return c.clipComputed(n)
			}
			k, err := c.constant(n, i+1)
			if err != nil {
				return err
			}
			if k != nil && k.len() != 1 {
				return malformed("input %s is %v, want one number", n.inputs[i+1], k.dims)
			}
			if k != nil {
				bounds[i] = float32(k.at(0))
			}
		}
	}
	for i, b := range bounds {
		if math.IsNaN(float64(b)) {
			return malformed("a bound is not a number")
		}
		bounds[i] = min(max(b, -math.MaxFloat32), math.MaxFloat32)
	}
	if bounds[0] > bounds[1] { // the maximum wins
		bounds[0] = bounds[1]
	}
	if bounds == [2]float32{0, math.MaxFloat32} {
		return c.elementwise(n, &model.ReLU{})
	}
	return c.elementwise(n, &model.Clip{Min: bounds[0], Max: bounds[1]})
}

// clipComputed has a bound that is computed from the picture.
func (c *converter) clipComputed(n *node) error {
	at := n.inputs[0]
	for i, op := range []string{"Max", "Min"} {
		if i+1 >= len(n.inputs) || n.inputs[i+1] == "" {
			continue
		}
		out := c.fresh(n.output() + "." + op)
		if err := c.run(op, []string{at, n.inputs[i+1]}, []string{out}); err != nil {
			return err
		}
		at = out
	}
	return c.run("Identity", []string{at}, n.outputs[:1])
}

func lrn(c *converter, n *node) error {
	in, _, err := c.maps(n, 0, 0, maxRank)
	if err != nil {
		return err
	}
	size := n.int("size", 0)
	if size < 1 || size > maxSize {
		return malformed("size is %d", size)
	}
	return c.put(n, in.dims, &model.LRN{Size: int(size), Alpha: float64(n.float("alpha", 1e-4)), Beta: float64(n.float("beta", 0.75)),
		Bias: float64(n.float("bias", 1))}, in)
}

func batchNorm(c *converter, n *node) error {
	switch {
	case n.int("spatial", 1) == 0:
		return refuse("it normalises every place by itself")
	}
	in, _, err := c.maps(n, 0, 0, maxRank)
	if err != nil {
		return err
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
	if n.int("training_mode", 0) != 0 || c.opset < 7 && n.int("is_test", 0) == 0 {
		return batchNormTraining(c, n, in, p)
	}
	return c.put(n, in.dims, &model.BatchNorm{Scale: p[0], Shift: p[1], Mean: p[2], Var: p[3], Eps: float64(n.float("epsilon", 1e-5))}, in)
}

func instanceNorm(c *converter, n *node) error {
	in, _, err := c.maps(n, 0, 1, maxRank)
	if err != nil {
		return err
	}
	var p [2][]float32
	for i := range p {
		if p[i], err = c.vector(n, i+1, in.shape.C); err != nil {
			return err
		}
		if p[i] == nil {
			return malformed("input %d is missing", i+1)
		}
	}
	return c.put(n, in.dims, &model.GroupNorm{Scale: p[0], Shift: p[1], Eps: float64(n.float("epsilon", 1e-5))}, in)
}

// gemm is alpha*A'*B' + beta*C. With A the picture's features, and B and C
// constants, it is a dense layer.
func gemm(c *converter, n *node) error {
	a, err := c.arg(n, 0)
	if err != nil {
		return err
	}
	b, err := c.look(n, 1)
	if err != nil {
		return err
	}
	k, err := c.arg(n, 2)
	if err != nil {
		return err
	}
	if a == nil || b == nil {
		return malformed("it has no two matrices")
	}
	if n.int("transA", 0) == 0 && a.k == nil && b.k != nil && c.isVector(a) && (k == nil || k.k != nil) {
		if done, err := c.gemmDense(n, k != nil); done || err != nil {
			return err
		}
	}
	return c.gemmProduct(n, k)
}

// gemmDense is gemm as a dense layer, if C is one number or one row of them.
func (c *converter) gemmDense(n *node, biased bool) (done bool, err error) {
	w, err := c.packedWeights(n, 1, 2)
	if err != nil {
		return false, err
	}
	turned := n.int("transB", 0) != 0
	out := w.Shape[1]
	if turned {
		out = w.Shape[0]
	}
	var bias []float32
	if biased {
		k, err := c.floats(n, 2)
		if err != nil {
			return false, err
		}
		var ok bool
		if bias, ok, err = c.spread(k, n.float("beta", 1), out); err != nil || !ok {
			return false, err
		}
	}
	return true, c.dense(n, w, turned, n.float("alpha", 1), bias)
}

// gemmProduct is gemm as a product of matrices, and what is done with it. k is C,
// or nil.
func (c *converter) gemmProduct(n *node, k *value) error {
	name := c.name(n)
	left, err := c.matrix(n, 0, n.int("transA", 0) != 0)
	if err != nil {
		return err
	}
	right, err := c.matrix(n, 1, n.int("transB", 0) != 0)
	if err != nil {
		return err
	}
	alpha := n.float("alpha", 1)
	steps := []string{"product"}
	if alpha != 1 {
		steps = append(steps, "alpha")
	}
	if k != nil {
		steps = append(steps, "sum")
	}
	next := func() string { // the last step has the node's name
		step := steps[0]
		if steps = steps[1:]; len(steps) == 0 {
			return name
		}
		return c.unique(name + "." + step)
	}
	v, err := c.product(next(), left, right)
	if err != nil {
		return err
	}
	if alpha != 1 {
		if v, err = c.pair(next(), model.BinaryMul, v, &value{k: &constant{f: []float32{alpha}}}); err != nil {
			return err
		}
	}
	if k != nil {
		if k, err = c.times(name+".beta", k, n.float("beta", 1)); err != nil {
			return err
		}
		if v, err = c.pair(next(), model.BinaryAdd, v, k); err != nil {
			return err
		}
	}
	c.values[n.output()] = v
	return nil
}

// times is v times a number: a constant, or the layer of the given name.
func (c *converter) times(name string, v *value, by float32) (*value, error) {
	switch {
	case by == 1:
		return v, nil
	case v.k == nil || v.k.f == nil:
		return c.pair(c.unique(name), model.BinaryMul, v, &value{k: &constant{f: []float32{by}}})
	}
	if err := c.spend(len(v.k.f)); err != nil {
		return nil, err
	}
	scaled := v.k.with(v.k.dims)
	scaled.f = slices.Clone(scaled.f)
	for i := range scaled.f {
		scaled.f[i] *= by
	}
	return &value{k: scaled}, nil
}

// isVector reports whether a layer's value is [images, numbers].
func (c *converter) isVector(v *value) bool {
	return v.k == nil && c.images > 0 && len(v.dims) == 2 && v.dims[0] == c.images
}

// matrix returns input i, transposed if asked.
func (c *converter) matrix(n *node, i int, turn bool) (*value, error) {
	v, err := c.arg(n, i)
	if err != nil {
		return nil, err
	}
	if v.k != nil {
		if v.k.f == nil || len(v.k.dims) != 2 {
			return nil, refuse("input %s is %v, want a matrix", n.inputs[i], v.k)
		}
		if !turn {
			return v, nil
		}
		if err := c.spend(v.k.len()); err != nil {
			return nil, err
		}
		k := &constant{dims: []int{v.k.dims[1], v.k.dims[0]}, f: make([]float32, v.k.len())}
		for y := range k.dims[0] {
			for x := range k.dims[1] {
				k.f[y*k.dims[1]+x] = v.k.f[x*k.dims[0]+y]
			}
		}
		return &value{k: k}, nil
	}
	if v, err = c.array(n, i); err != nil || !turn {
		return v, err
	}
	if len(v.dims) != 2 {
		return nil, refuse("input %s has shape %v, want a matrix", n.inputs[i], v.dims)
	}
	return c.turned(c.unique(n.inputs[i]+".transposed"), v, []int{1, 0})
}

// spread makes a bias of one number or a row of them, times scale, out numbers;
// ok is false if it is a matrix.
func (c *converter) spread(k *constant, scale float32, out int) (bias []float32, ok bool, err error) {
	if k.len() != 1 && (k.len() != out || k.dims[len(k.dims)-1] != out) {
		return nil, false, nil
	}
	if scale == 1 && k.len() == out {
		return k.f, true, nil
	}
	if err := c.spend(out); err != nil {
		return nil, false, err
	}
	b := make([]float32, out)
	for i := range b {
		b[i] = scale * k.f[i%k.len()]
	}
	return b, true, nil
}

func matMul(c *converter, n *node) error {
	a, err := c.look(n, 0)
	if err != nil {
		return err
	}
	b, err := c.look(n, 1)
	if err != nil {
		return err
	}
	if a == nil || b == nil {
		return malformed("it has no two matrices")
	}
	if b.k != nil && len(b.k.dims) == 2 && c.isVector(a) {
		w, err := c.packedWeights(n, 1, 2)
		if err != nil {
			return err
		}
		return c.dense(n, w, false, 1, nil)
	}
	var vs [2]*value
	for i, v := range []*value{a, b} {
		if vs[i] = v; v.k == nil {
			if vs[i], err = c.array(n, i); err != nil {
				return err
			}
		}
	}
	v, err := c.product(c.name(n), vs[0], vs[1])
	if err != nil {
		return err
	}
	c.values[n.output()] = v
	return nil
}

// product is the matrix product of two arrays, one of which may be constant. A
// vector counts as a row on the left, a column on the right.
func (c *converter) product(name string, a, b *value) (*value, error) {
	dims := [2][]int{}
	var vector [2]bool
	for i, v := range []*value{a, b} {
		d := ints(v.dims)
		if v.k != nil {
			d = v.k.dims
			if v.k.f == nil && v.k.packed == nil {
				return nil, refuse("it takes %v", v.k)
			}
		}
		if len(d) == 0 {
			return nil, malformed("it takes a single number")
		}
		if vector[i] = len(d) == 1; vector[i] {
			d = []int{d[0], 1}
			if i == 0 {
				d = []int{1, d[0]}
			}
		}
		dims[i] = d
	}
	ra, rb := len(dims[0]), len(dims[1])
	if dims[0][ra-1] != dims[1][rb-2] {
		return nil, malformed("it multiplies matrices of %v and %v", dims[0], dims[1])
	}
	head, err := model.Broadcast(dims[0][:ra-2], dims[1][:rb-2])
	if err != nil {
		return nil, malformed("%v", err)
	}
	full := append(int64s(head), int64(dims[0][ra-2]), int64(dims[1][rb-1]))
	own, skip, err := c.stripped([2]*value{a, b}, dims, len(full), 2)
	if err != nil {
		return nil, err
	}
	l := &model.MatMul{A: own[0], B: own[1]}
	v, err := c.operate(name, l, &l.Value, &l.First, [2]*value{a, b}, own)
	if err != nil {
		return nil, err
	}
	_ = skip
	if vector[0] {
		full = slices.Delete(full, len(full)-2, len(full)-1)
	}
	if vector[1] {
		full = full[:len(full)-1]
	}
	v.dims = full
	return v, nil
}

// stripped takes the first axis, the images, off the dims of two operands where
// it stays apart: operands of fewer axes do not have it, constants hold 1 there.
// The last `fixed` axes are left alone.
func (c *converter) stripped(vs [2]*value, dims [2][]int, rank, fixed int) (own [2][]int, skip bool, err error) {
	skip = c.images > 0 && rank > fixed
	for i, v := range vs {
		d := dims[i]
		switch {
		case rank == 0:
			skip = false
		case v.k != nil && len(d) == rank && d[0] != 1:
			skip = false
		case v.k == nil && len(d) == rank && int64(d[0]) != c.images:
			skip = false
		case v.k == nil && len(d) < rank && c.images > 1:
			skip = false
		}
	}
	if !skip {
		if c.images > 1 {
			return own, false, refuse("values of shape %v and %v: it mixes the %d images of a batch", dims[0], dims[1], c.images)
		}
		return dims, false, nil
	}
	for i, d := range dims {
		if len(d) == rank {
			d = d[1:]
		}
		own[i] = d
	}
	return own, true, nil
}

// operate appends a layer of two operands, one of which may be constant.
func (c *converter) operate(name string, l model.Layer, constant **tensor.Tensor, first *bool, vs [2]*value, dims [2][]int) (*value, error) {
	var ins []*value
	for i, v := range vs {
		if v.k == nil {
			ins = append(ins, v)
			continue
		}
		k := v.k
		if _, product := l.(*model.MatMul); !product {
			k = k.unpacked()
		}
		if k.f == nil && k.packed == nil || k.len() == 0 || len(dims[i]) > 8 {
			return nil, refuse("it takes %v", k)
		}
		*constant, *first = k.tensor(dims[i]...), i == 0
	}
	return c.add(name, l, ins...)
}

// dense makes a node a dense layer with weights w, [out, in] if rows, else
// [in, out], times alpha. Where the graph flattened maps in another order than
// the model does, the weights are put into the model's order instead.
func (c *converter) dense(n *node, w *tensor.Tensor, rows bool, alpha float32, bias []float32) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	if !in.shape.Flat {
		if in.hwc != nil {
			if in, err = c.array(n, 0); err != nil {
				return err
			}
		}
		name := c.unique(c.name(n) + ".flatten")
		flat, err := c.add(name, &model.Reshape{}, in)
		if err != nil {
			return err
		}
		in = flat
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
		stride, step := depth, 1
		if !rows {
			stride, step = 1, out
		}
		each := func(do func(to, from int)) {
			for j := range depth {
				from := j // column of the graph's weights for value j of ours
				if s := in.hwc; s != nil {
					ch, at := j/(s.H*s.W), j%(s.H*s.W)
					from = at*s.C + ch
				}
				for i := range out {
					do(i*depth+j, i*stride+from*step)
				}
			}
		}
		turned := turnPacked(w.Packed, out, depth, rows, alpha, each)
		if turned == nil {
			turned = tensor.New(out, depth)
			data := w.Floats()
			each(func(to, from int) { turned.Data[to] = alpha * data[from] })
		}
		w = turned
	}
	return c.layer(n, &model.Dense{Weight: w, Bias: bias}, in)
}

// binaryOp is an operation on two values, or of a value and a constant: per
// channel that is a bias if it directly follows the weights, else a normalisation.
func binaryOp(c *converter, n *node) error {
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
	for i, v := range vs {
		if v.k == nil {
			continue
		}
		done, err := c.affine(n, i)
		if done || err != nil {
			return err
		}
		if v.k.i != nil && v.k.len() > 0 {
			return wholeNumbers(c, n)
		}
		if vs[i], err = c.legacyBroadcast(n, vs[1-i], v); err != nil {
			return err
		}
	}
	if vs[0].k == nil && vs[1].k == nil {
		return c.two(n, c.name(n), model.BinaryOp(n.op), vs[0], vs[1])
	}
	// A scalar fits any layout.
	for i, v := range vs {
		if v.k != nil && v.k.len() == 1 && len(v.k.dims) <= len(vs[1-i].dims) {
			return c.two(n, c.name(n), model.BinaryOp(n.op), vs[0], vs[1])
		}
	}
	for i := range vs {
		if vs[i].k == nil {
			var err error
			if vs[i], err = c.array(n, i); err != nil {
				return err
			}
		}
	}
	return c.two(n, c.name(n), model.BinaryOp(n.op), vs[0], vs[1])
}

// legacyBroadcast puts a constant's axes where attribute axis wants them, as
// before operator set 7.
func (c *converter) legacyBroadcast(n *node, v, k *value) (*value, error) {
	if c.opset >= 7 || n.int("broadcast", 0) == 0 || !n.has("axis") || v.k != nil {
		return k, nil
	}
	a, err := axis(n.int("axis", 0), len(v.dims))
	if err != nil {
		return nil, err
	}
	if tail := len(v.dims) - a - len(k.k.dims); tail > 0 {
		return &value{k: k.k.with(append(slices.Clone(k.k.dims), slices.Repeat([]int{1}, tail)...))}, nil
	}
	return k, nil
}

// two combines two values element by element, by broadcasting. Both may be maps, arrays or constants; if both
// are maps with the channels last, so is the result.
func (c *converter) two(n *node, name string, op model.BinaryOp, a, b *value) error {
	v, err := c.pair(name, op, a, b)
	if err == nil {
		c.values[n.output()] = v
	}
	return err
}

// pair combines two arrays number by number, one of which may be constant.
func (c *converter) pair(name string, op model.BinaryOp, a, b *value) (*value, error) {
	vs := [2]*value{a, b}
	for i, v := range vs {
		if v.k != nil && v.k.f == nil && v.k.i != nil && slices.Contains([]model.BinaryOp{model.BinaryAdd, model.BinarySub, model.BinaryMul, model.BinaryMax, model.BinaryMin}, op) { // whole numbers stay so
			k, err := c.asFloats(v.k)
			if err != nil {
				return nil, err
			}
			vs[i] = &value{k: k}
		}
	}
	a, b = vs[0], vs[1]
	single := func(v *value) bool { return v.k != nil && v.k.len() == 1 }
	same := a.k == nil && b.k == nil && slices.Equal(a.dims, b.dims) && sameOrder(a.hwc, b.hwc)
	var err error
	if !same && !(single(a) && len(a.k.dims) <= len(b.dims)) && !(single(b) && len(b.k.dims) <= len(a.dims)) {
		for i, v := range vs {
			if v.k == nil {
				if vs[i], err = c.ordered(v); err != nil {
					return nil, err
				}
			}
		}
	}
	if same && vs[0].shape != vs[1].shape {
		if vs[1], err = c.shaped(vs[1], vs[0].shape); err != nil {
			return nil, err
		}
	}
	if same && op == model.BinaryAdd {
		v, err := c.add(name, &model.Add{}, vs[0], vs[1])
		if err == nil {
			v.dims, v.hwc = a.dims, a.hwc
		}
		return v, err
	}
	var dims [2][]int
	for i, v := range vs {
		if dims[i] = ints(v.dims); v.k != nil {
			dims[i] = v.k.dims
		}
	}
	full, err := model.Broadcast(dims[0], dims[1])
	if err != nil {
		return nil, malformed("%v", err)
	}
	own, _, err := c.stripped(vs, dims, len(full), 0)
	if err != nil {
		return nil, err
	}
	// Values as large as the result must be divided into the same maps.
	if vs[0].k == nil && vs[1].k == nil && vs[0].shape.Len() == vs[1].shape.Len() {
		if vs[1], err = c.shaped(vs[1], vs[0].shape); err != nil {
			return nil, err
		}
	}
	l := &model.Binary{Op: op, A: own[0], B: own[1]}
	v, err := c.operate(name, l, &l.Value, &l.First, vs, own)
	if err != nil {
		return nil, err
	}
	v.dims = int64s(full)
	for i := range vs {
		if vs[i].k == nil && vs[i].hwc != nil {
			v.hwc = vs[i].hwc
		}
	}
	return v, nil
}

func sameOrder(a, b *model.Shape) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// variadic combines any number of values, one after the other.
func variadic(c *converter, n *node) error {
	op := map[string]model.BinaryOp{"Sum": model.BinaryAdd, "Mean": model.BinaryAdd, "Max": model.BinaryMax, "Min": model.BinaryMin}[n.op]
	var vs []*value
	for i := range n.inputs {
		v, err := c.arg(n, i)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input %d is missing", i)
		}
		if v.k != nil && v.k.f == nil {
			return refuse("it takes %v", v.k)
		}
		vs = append(vs, v)
	}
	if len(vs) == 0 {
		return malformed("no inputs")
	}
	if len(vs) == 1 {
		return identity(c, n)
	}
	// Layers first: a constant is combined with a value.
	slices.SortStableFunc(vs, func(a, b *value) int {
		switch {
		case a.k == nil && b.k != nil:
			return -1
		case a.k != nil && b.k == nil:
			return 1
		}
		return 0
	})
	name := c.name(n)
	same := n.op == "Sum"
	for _, v := range vs {
		same = same && v.k == nil && v.shape == vs[0].shape && slices.Equal(v.dims, vs[0].dims) && sameOrder(v.hwc, vs[0].hwc)
	}
	if same {
		v, err := c.add(name, &model.Add{}, vs...)
		if err == nil {
			v.dims, v.hwc = vs[0].dims, vs[0].hwc
			c.values[n.output()] = v
		}
		return err
	}
	if k := vs[1].k; len(vs) == 2 && k != nil && k.len() == 1 && k.f[0] == 0 && op == model.BinaryMax && len(k.dims) <= len(vs[0].dims) {
		v, err := c.add(name, &model.ReLU{}, vs[0])
		if err == nil {
			v.dims, v.hwc = vs[0].dims, vs[0].hwc
			c.values[n.output()] = v
		}
		return err
	}
	sum := vs[0]
	for i, v := range vs[1:] {
		step := name
		if i < len(vs)-2 || n.op == "Mean" {
			step = c.unique(name + "." + strings.ToLower(string(op)))
		}
		var err error
		if sum, err = c.pair(step, op, sum, v); err != nil {
			return err
		}
	}
	if n.op == "Mean" {
		var err error
		if sum, err = c.pair(name, model.BinaryMul, sum, &value{k: &constant{f: []float32{1 / float32(len(vs))}}}); err != nil {
			return err
		}
	}
	c.values[n.output()] = sum
	return nil
}

// affine makes Add, Sub, Mul or Div of a value and a constant per channel, input
// number which, a bias or a batch normalisation; done is false if it is neither.
func (c *converter) affine(n *node, which int) (done bool, err error) {
	at := 1 - which
	in, err := c.arg(n, at)
	if err != nil || in.k != nil {
		return false, err
	}
	v, err := c.arg(n, which)
	if err != nil {
		return false, err
	}
	k := v.k
	if k.f == nil || !slices.Contains([]string{"Add", "Sub", "Mul", "Div"}, n.op) || n.op == "Div" && at == 1 {
		return false, nil
	}
	per, ok := c.perChannel(n, k, in)
	if !ok {
		return false, nil
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
	if err := c.spend(4 * channels); err != nil {
		return false, err
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
			c.alias(n, at, in, in.dims)
			return true, nil
		}
	}
	l := &model.BatchNorm{Scale: make([]float32, channels), Shift: make([]float32, channels),
		Mean: make([]float32, channels), Var: slices.Repeat([]float32{1}, channels)}
	for i := range channels {
		l.Scale[i], l.Shift[i] = affine(i)
	}
	w, err := c.add(c.name(n), l, in)
	if err != nil {
		return false, err
	}
	w.dims, w.hwc = in.dims, in.hwc
	c.values[n.output()] = w
	return true, nil
}

func biasOf(l model.Layer) *[]float32 {
	switch l := l.(type) {
	case *model.Conv:
		return &l.Bias
	case *model.ConvTranspose:
		return &l.Bias
	case *model.Dense:
		return &l.Bias
	}
	return nil
}

// perChannel returns a constant that is to be broadcast over v as one number,
// or one for each of v's channels.
func (c *converter) perChannel(n *node, k *constant, v *value) ([]float32, bool) {
	if c.images == 0 || len(v.dims) < 2 || len(v.dims) > 4 || v.dims[0] != c.images {
		return nil, false
	}
	channel := 1
	switch {
	case v.hwc != nil && len(v.dims) == 4:
		channel = 3
	case v.hwc != nil || v.shape != model.ArrayShape(ints(v.dims[1:])):
		return nil, false
	}
	if len(k.dims) < 2 && k.len() == 1 && len(v.dims) < 4 {
		return nil, false // nothing per channel about it
	}
	first := len(v.dims) - len(k.dims) // the axis of v that k's first one meets
	if n.int("broadcast", 0) != 0 && n.has("axis") {
		a, err := axis(n.int("axis", 0), len(v.dims)) // before operator set 7
		if err != nil {
			return nil, false
		}
		first = a
	}
	ok := first >= 0 && first+len(k.dims) <= len(v.dims) && k.len() > 0
	for i, d := range k.dims {
		ok = ok && (d == 1 || first+i == channel && d == v.shape.C)
	}
	return k.f, ok
}
