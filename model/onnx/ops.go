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
