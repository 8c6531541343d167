package onnx

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// layer writes one layer as the nodes that compute it, the last of which has its
// name. Values are [N, C, H, W] or, if flat, [N, C].
func (e *exporter) layer(n *model.Node) error {
	in, out := n.Inputs, []string{n.Name}
	s := e.shapes[n.Inputs[0]]
	weights := func(suffix string, t *tensor.Tensor) string { return e.weights(n.Name+"."+suffix, t.Shape, t) }
	vector := func(suffix string, v []float32) string { return e.floats(n.Name+"."+suffix, []int{len(v)}, v) }
	withBias := func(ins []string, bias []float32) []string {
		if bias != nil {
			ins = append(ins, vector("bias", bias))
		}
		return ins
	}
	switch l := n.Layer.(type) {
	case *model.Conv:
		e.conv(n, l)
	case *model.Dense:
		e.node("Gemm", withBias([]string{in[0], weights("weight", l.Weight)}, l.Bias), out, attrInt("transB", 1))
	case *model.Pool:
		return e.pool(n, l)
	case *model.GlobalAvgPool:
		e.node("GlobalAveragePool", in, out)
	case *model.ReLU:
		e.node("Relu", in, out)
	case *model.Clip:
		e.node("Clip", []string{in[0], e.number(n.Name+".min", float64(l.Min)), e.number(n.Name+".max", float64(l.Max))}, out)
	case *model.LRN:
		e.node("LRN", in, out, attrInt("size", int64(l.Size)), attrFloat("alpha", l.Alpha), attrFloat("beta", l.Beta), attrFloat("bias", l.Bias))
	case *model.BatchNorm:
		e.node("BatchNormalization", []string{in[0], vector("scale", l.Scale), vector("shift", l.Shift), vector("mean", l.Mean), vector("var", l.Var)}, out,
			attrFloat("epsilon", l.Eps))
	case *model.Add:
		op := "Sum"
		if len(in) == 2 {
			op = "Add"
		}
		e.node(op, in, out)
	case *model.Concat:
		if !l.Maps() {
			e.joined(n, l)
			break
		}
		e.node("Concat", in, out, attrInt("axis", 1))
	case *model.Reshape:
		if l.To != nil {
			e.finish(n, in[0])
			break
		}
		e.node("Flatten", in, out, attrInt("axis", 1))
	case *model.Pad:
		p := l.Pads
		e.node("Pad", []string{in[0], e.ints("pads", 0, 0, p[0], p[1], 0, 0, p[2], p[3]), e.number(n.Name+".value", float64(l.Value))}, out)
	case *model.Dropout:
		e.node("Dropout", []string{in[0], e.number(n.Name+".rate", l.Rate)}, out)
	case *model.Softmax:
		op := "Softmax"
		if l.Log {
			op = "LogSoftmax"
		}
		if !l.Maps() {
			e.finish(n, e.step(n, op, []string{e.view(n, in[0], l.Outer, l.Size, l.Inner)}, attrInt("axis", 2)))
			break
		}
		e.node(op, in, out, attrInt("axis", 1))
	case *model.Quantize:
		return e.quantize(n, l)
	case *model.Recurrent:
		if !l.Rows() {
			return e.sequences(n, l)
		}
		e.recurrent(n, l, s)
	default:
		return e.array(n, s)
	}
	return nil
}

func bit(on bool) int64 {
	if on {
		return 1
	}
	return 0
}

// view is a value divided into other axes for each image.
func (e *exporter) view(n *model.Node, value string, dims ...int) string {
	out := e.fresh(n.Name + "/view")
	e.reshape(value, out, dims)
	return out
}

func (e *exporter) reshape(value, out string, dims []int) {
	e.node("Reshape", []string{value, e.ints("shape", append([]int{-1}, dims...)...)}, []string{out})
}

// finish gives a value the layer's name and the axes of its shape.
func (e *exporter) finish(n *model.Node, value string) {
	e.reshape(value, n.Name, ints(perImage(e.shapes[n.Name])))
}

// step appends a node of one output, which is fresh, and returns it.
func (e *exporter) step(n *model.Node, op string, ins []string, attrs ...[]byte) string {
	out := e.fresh(n.Name + "/" + op)
	e.node(op, ins, []string{out}, attrs...)
	return out
}

// array writes the layers of model/arrays.go.
func (e *exporter) array(n *model.Node, s model.Shape) error {
	in, out := n.Inputs, []string{n.Name}
	switch l := n.Layer.(type) {
	case *model.Unary:
		return e.unary(n, l)
	case *model.Binary:
		return e.binary(n, l)
	case *model.MatMul:
		vs, err := e.operands(n, l.A, l.B, l.Value, l.First)
		if err != nil {
			return err
		}
		e.finish(n, e.step(n, "MatMul", vs))
	case *model.ConvTranspose:
		return e.convTranspose(n, l)
	case *model.GroupNorm:
		ins := []string{in[0], e.floats(n.Name+".scale", []int{s.C}, l.Scale), e.floats(n.Name+".shift", []int{s.C}, l.Shift)}
		if l.Groups == 0 {
			e.node("InstanceNormalization", ins, out, attrFloat("epsilon", l.Eps))
			break
		}
		if e.opset < 21 {
			return fmt.Errorf("group normalisation with a scale per channel is in ONNX from operator set 21 on: ask for that")
		}
		e.node("GroupNormalization", ins, out, attrInt("num_groups", int64(l.Groups)), attrFloat("epsilon", l.Eps))
	case *model.Reduce:
		return e.reduce(n, l)
	case *model.Rearrange:
		e.rearrange(n, l, s)
	case *model.AlongAxis:
		e.along(n, l)
	case *model.Constant:
		size := e.step(n, "Shape", []string{in[0]})
		images := e.step(n, "Slice", []string{size, e.ints("zero", 0), e.ints("one", 1)})
		dims := ints(perImage(e.shapes[n.Name]))
		rest := slices.Repeat([]int{1}, len(dims))
		to := e.step(n, "Concat", []string{images, e.ints("ones", rest...)}, attrInt("axis", 0))
		e.node("Expand", []string{e.floats(n.Name+".value", append([]int{1}, dims...), l.Value.Data), to}, out)
	default:
		return e.indexed(n)
	}
	return nil
}

// joined writes a Concat of arrays.
func (e *exporter) joined(n *model.Node, l *model.Concat) {
	var parts []string
	for _, name := range n.Inputs {
		dims := slices.Clone(l.To)
		rest := 1
		for i, d := range dims {
			if i != l.Axis {
				rest *= d
			}
		}
		dims[l.Axis] = e.shapes[name].Len() / rest
		parts = append(parts, e.view(n, name, dims...))
	}
	e.finish(n, e.step(n, "Concat", parts, attrInt("axis", int64(l.Axis+1))))
}

// operands are the two operands of an operation on arrays with the images in
// front: axes of 1 are put in between so that those of both line up at the end.
func (e *exporter) operands(n *model.Node, a, b []int, value *tensor.Tensor, first bool) ([]string, error) {
	rank := max(len(a), len(b))
	if rank+1 > maxRank/2 {
		return nil, fmt.Errorf("arrays of %v and %v have too many axes", a, b)
	}
	var out []string
	next := 0
	for i, dims := range [][]int{a, b} {
		full := append(slices.Repeat([]int{1}, rank-len(dims)), dims...)
		if value != nil && first == (i == 0) {
			out = append(out, e.weights(n.Name+".value", append([]int{1}, full...), value))
			continue
		}
		out = append(out, e.view(n, n.Inputs[next], full...))
		next++
	}
	return out, nil
}

func (e *exporter) unary(n *model.Node, l *model.Unary) error {
	in, out := n.Inputs, []string{n.Name}
	a, b := float64(l.Alpha), float64(l.Beta)
	number := func(v float64) string { return e.number(n.Name+".number", v) }
	then := func(op, x, y string) { e.node(op, []string{x, y}, out) }
	switch l.Op {
	case model.UnaryElu, model.UnaryCelu, model.UnaryLeakyRelu, model.UnaryThresholdedRelu:
		e.node(string(l.Op), in, out, attrFloat("alpha", a))
	case model.UnarySelu:
		e.node("Selu", in, out, attrFloat("alpha", a), attrFloat("gamma", b))
	case model.UnaryHardSigmoid:
		e.node("HardSigmoid", in, out, attrFloat("alpha", a), attrFloat("beta", b))
	case model.UnaryHardSwish:
		then("Mul", in[0], e.step(n, "HardSigmoid", in, attrFloat("alpha", 1./6), attrFloat("beta", 0.5)))
	case model.UnaryMish:
		then("Mul", in[0], e.step(n, "Tanh", []string{e.step(n, "Softplus", in)}))
	case model.UnarySwish:
		x := in[0]
		if a != 1 {
			x = e.step(n, "Mul", []string{x, number(a)})
		}
		then("Mul", in[0], e.step(n, "Sigmoid", []string{x}))
	case model.UnaryGelu:
		v := e.step(n, "Erf", []string{e.step(n, "Mul", []string{in[0], number(math.Sqrt(0.5))})})
		v = e.step(n, "Add", []string{v, number(1)})
		then("Mul", e.step(n, "Mul", []string{in[0], v}), number(0.5))
	case model.UnaryGeluTanh:
		cube := e.step(n, "Mul", []string{e.step(n, "Mul", []string{in[0], in[0]}), in[0]})
		v := e.step(n, "Add", []string{in[0], e.step(n, "Mul", []string{cube, number(0.044715)})})
		v = e.step(n, "Tanh", []string{e.step(n, "Mul", []string{v, number(math.Sqrt(2 / math.Pi))})})
		v = e.step(n, "Add", []string{v, number(1)})
		then("Mul", e.step(n, "Mul", []string{in[0], v}), number(0.5))
	case model.UnaryAffine:
		then("Add", e.step(n, "Mul", []string{in[0], number(a)}), number(b))
	case model.UnaryScaledTanh:
		then("Mul", e.step(n, "Tanh", []string{e.step(n, "Mul", []string{in[0], number(b)})}), number(a))
	case model.UnaryTruncate, model.UnaryNotZero:
		to := typeInt64
		if l.Op == model.UnaryNotZero {
			to = typeBool
		}
		e.node("Cast", []string{e.step(n, "Cast", in, attrInt("to", int64(to)))}, out, attrInt("to", int64(typeFloat)))
	case model.UnaryShrink:
		e.node("Shrink", in, out, attrFloat("bias", a), attrFloat("lambd", b))
	case model.UnaryNot:
		e.node("Cast", []string{e.step(n, "Not", []string{e.cast(n, in[0], typeBool)})}, out, attrInt("to", int64(typeFloat)))
	case model.UnaryIsNaN:
		e.node("Cast", []string{e.step(n, "IsNaN", in)}, out, attrInt("to", int64(typeFloat)))
	case model.UnaryIsInf:
		found := e.step(n, "IsInf", in, attrInt("detect_positive", bit(a != 0)), attrInt("detect_negative", bit(b != 0)))
		e.node("Cast", []string{found}, out, attrInt("to", int64(typeFloat)))
	default:
		e.node(string(l.Op), in, out)
	}
	return nil
}

func (e *exporter) reduce(n *model.Node, l *model.Reduce) error {
	x := e.view(n, n.Inputs[0], l.From...)
	var axes []int
	for _, a := range l.Axes {
		axes = append(axes, a+1)
	}
	if op := map[model.ReduceOp]string{model.ReduceArgMax: "ArgMax", model.ReduceArgMin: "ArgMin"}[l.Op]; op != "" {
		v := e.step(n, op, []string{x}, attrInt("axis", int64(axes[0])), attrInt("keepdims", 0), attrInt("select_last_index", bit(l.Last)))
		e.finish(n, e.step(n, "Cast", []string{v}, attrInt("to", int64(typeFloat))))
		return nil
	}
	if len(axes) == 0 {
		return fmt.Errorf("it reduces no axis")
	}
	op := ""
	for name, is := range reductions {
		if is == l.Op {
			op = name
		}
	}
	if op == "ReduceSum" || e.opset >= 18 {
		e.finish(n, e.step(n, op, []string{x, e.ints("axes", axes...)}, attrInt("keepdims", 0)))
	} else {
		e.finish(n, e.step(n, op, []string{x}, attrInts("axes", axes...), attrInt("keepdims", 0)))
	}
	return nil
}

// rearrange is a transposition where it is one, else a lookup of every number.
func (e *exporter) rearrange(n *model.Node, l *model.Rearrange, s model.Shape) {
	order := make([]int, len(l.To))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.Strides[b], l.Strides[a]) })
	var from []int
	for _, i := range order {
		from = append(from, l.To[i])
	}
	turn := l.Offset == 0 && len(l.To) > 1 && model.ArrayShape(l.To).Len() == s.Len()
	for i, step := range steps(from) {
		turn = turn && (step == l.Strides[order[i]] || from[i] == 1)
	}
	if turn {
		perm := make([]int, len(order)+1)
		for i, o := range order {
			perm[o+1] = i + 1
		}
		e.finish(n, e.step(n, "Transpose", []string{e.view(n, n.Inputs[0], from...)}, attrInts("perm", perm...)))
		return
	}
	index := make([]int, model.ArrayShape(l.To).Len())
	l.Visit(func(i, j int) { index[i] = j })
	e.finish(n, e.step(n, "Gather", []string{e.view(n, n.Inputs[0], s.Len()), e.ints(n.Name+".index", index...)}, attrInt("axis", 1)))
}

// along is a lookup where nothing is weighed or filled in, else the product with
// the matrix of weights.
func (e *exporter) along(n *model.Node, l *model.AlongAxis) {
	x := e.view(n, n.Inputs[0], l.From...)
	if l.Taps == 1 && l.Weight == nil && !slices.Contains(l.Index, -1) {
		e.finish(n, e.step(n, "Gather", []string{x, e.ints(n.Name+".index", l.Index...)}, attrInt("axis", int64(l.Axis+1))))
		return
	}
	size, to := l.From[l.Axis], len(l.Index)/l.Taps
	matrix, fill := make([]float32, size*to), make([]float32, to)
	filled := false
	for i, j := range l.Index {
		w := float32(1)
		if l.Weight != nil {
			w = l.Weight[i]
		}
		if j < 0 {
			fill[i/l.Taps] += float32(w * l.Fill)
			filled = filled || w*l.Fill != 0
			continue
		}
		matrix[j*to+i/l.Taps] += w
	}
	perm := []int{0}
	for i := range l.From {
		if i != l.Axis {
			perm = append(perm, i+1)
		}
	}
	perm = append(perm, l.Axis+1)
	back := make([]int, len(perm))
	for i, p := range perm {
		back[p] = i
	}
	v := e.step(n, "Transpose", []string{x}, attrInts("perm", perm...))
	v = e.step(n, "MatMul", []string{v, e.floats(n.Name+".weight", []int{size, to}, matrix)})
	if filled {
		v = e.step(n, "Add", []string{v, e.floats(n.Name+".fill", []int{to}, fill)})
	}
	e.finish(n, e.step(n, "Transpose", []string{v}, attrInts("perm", back...)))
}

// recurrent writes the layer that gives its last hidden state.
func (e *exporter) recurrent(n *model.Node, l *model.Recurrent, s model.Shape) {
	x := e.step(n, "Transpose", []string{e.view(n, n.Inputs[0], s.H, s.W)}, attrInts("perm", 1, 0, 2))
	attrs := [][]byte{attrInt("hidden_size", int64(l.Hidden()))}
	if l.Cell == model.CellGRU {
		attrs = append(attrs, attrInt("linear_before_reset", 1))
	}
	last := e.fresh(n.Name + "/last")
	e.node(strings.ToUpper(string(l.Cell)), append([]string{x}, e.gates(n, l)...), []string{"", last}, attrs...)
	e.reshape(e.step(n, "Transpose", []string{last}, attrInts("perm", 1, 0, 2)), n.Name, []int{l.Hidden()})
}

// gates are the weights of a recurrent layer, and its biases if it has any.
func (e *exporter) gates(n *model.Node, l *model.Recurrent) []string {
	d := l.Directions()
	rows := l.WeightX.Shape[0] / d
	names := []string{e.floats(n.Name+".weight_x", []int{d, rows, l.WeightX.Shape[1]}, l.Cell.ToONNX(l.WeightX.Data, d)),
		e.floats(n.Name+".weight_h", []int{d, rows, l.Hidden()}, l.Cell.ToONNX(l.WeightH.Data, d))}
	if l.BiasX == nil && l.BiasH == nil && l.Peepholes == nil {
		return names
	}
	both := make([]float32, 0, 2*d*rows)
	for i := range d {
		for _, b := range [][]float32{l.BiasX, l.BiasH} {
			if b == nil {
				b = make([]float32, d*rows)
			}
			both = append(both, l.Cell.ToONNX(b[i*rows:(i+1)*rows], 1)...)
		}
	}
	return append(names, e.floats(n.Name+".bias", []int{d, 2 * rows}, both))
}

// sequences takes the sequences of all images as one batch.
func (e *exporter) sequences(n *model.Node, l *model.Recurrent) error {
	if l.H0 != nil || l.C0 != nil || l.Lengths != nil {
		return fmt.Errorf("first states and lengths would have to be repeated for every image")
	}
	steps, batch, values, hidden, directions := l.From[0], l.From[1], l.From[2], l.Hidden(), l.Directions()
	x := e.step(n, "Transpose", []string{e.view(n, n.Inputs[0], steps, batch, values)}, attrInts("perm", 1, 0, 2, 3))
	merged := e.fresh(n.Name + "/batch")
	e.node("Reshape", []string{x, e.ints("shape", steps, -1, values)}, []string{merged})
	ins := append([]string{merged}, e.gates(n, l)...)
	if l.Peepholes != nil {
		p := model.PeepholesONNX(l.Peepholes)
		ins = append(ins, "", "", "", e.floats(n.Name+".peepholes", p.Shape, p.Data))
	}
	names := l.ActivationNames()
	attrs := [][]byte{attrInt("hidden_size", int64(hidden)), attrText("direction", cmp.Or(string(l.Direction), "forward")), attrTexts("activations", names...)}
	// Alphas and betas are listed for those activations only that have them.
	var alpha, beta []float32
	for i, name := range names {
		hasBeta := slices.Contains([]string{"HardSigmoid", "Affine", "ScaledTanh"}, name)
		if l.Alpha != nil && (hasBeta || slices.Contains([]string{"LeakyRelu", "ThresholdedRelu", "Elu"}, name)) {
			alpha = append(alpha, l.Alpha[i])
		}
		if l.Beta != nil && hasBeta {
			beta = append(beta, l.Beta[i])
		}
	}
	if alpha != nil {
		attrs = append(attrs, attrFloats("activation_alpha", alpha))
	}
	if beta != nil {
		attrs = append(attrs, attrFloats("activation_beta", beta))
	}
	if l.Clip > 0 {
		attrs = append(attrs, attrFloat("clip", float64(l.Clip)))
	}
	if l.Cell == model.CellLSTM {
		attrs = append(attrs, attrInt("input_forget", bit(l.InputForget)))
	}
	if l.Cell == model.CellGRU {
		attrs = append(attrs, attrInt("linear_before_reset", bit(!l.ResetState)))
	}
	outs := []string{e.fresh(n.Name + "/states"), e.fresh(n.Name + "/last")}
	if l.Cell == model.CellLSTM {
		outs = append(outs, e.fresh(n.Name+"/cell"))
	}
	e.node(strings.ToUpper(string(l.Cell)), ins, outs, attrs...)
	var parts []string
	for i, v := range outs { // [..., directions, N*batch, hidden] to one row for each image
		lead := []int{directions}
		if i == 0 {
			lead = []int{steps, directions}
		}
		apart := e.fresh(n.Name + "/images")
		e.node("Reshape", []string{v, e.ints("shape", append(slices.Clone(lead), -1, batch, hidden)...)}, []string{apart})
		perm := []int{len(lead)}
		for k := range len(lead) + 3 {
			if k != len(lead) {
				perm = append(perm, k)
			}
		}
		turned := e.step(n, "Transpose", []string{apart}, attrInts("perm", perm...))
		size := directions * batch * hidden
		if i == 0 {
			size *= steps
		}
		parts = append(parts, e.view(n, turned, size))
	}
	e.node("Concat", parts, []string{n.Name}, attrInt("axis", 1))
	return nil
}
