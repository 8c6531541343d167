package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// microsoft is the domain of ONNX Runtime's own operators.
const microsoft = "com.microsoft"

// key is an operator's name, with its domain if that is not ONNX's own.
func (n *node) key() string {
	if n.domain == "" || n.domain == "ai.onnx" {
		return n.op
	}
	return n.domain + "." + n.op
}

// quantOps are the operators that make, take or give quantised values. They read
// constants themselves.
func quantOps() map[string]operator {
	return map[string]operator{
		"QuantizeLinear":        quantizeLinear,
		"DequantizeLinear":      dequantizeLinear,
		"DynamicQuantizeLinear": dynamicQuantize,
		"QLinearConv":           qlinearConv,
		"QLinearMatMul":         qlinearMatMul,
		"ConvInteger":           convInteger,
		"MatMulInteger":         matMulInteger,

		microsoft + ".QuantizeLinear":           quantizeLinear,
		microsoft + ".DequantizeLinear":         dequantizeLinear,
		microsoft + ".QLinearConv":              qlinearConv,
		nhwcDomain + ".QLinearConv":             qlinearConv,
		microsoft + ".QGemm":                    qgemm,
		microsoft + ".QLinearAdd":               qlinearBinary,
		microsoft + ".QLinearMul":               qlinearBinary,
		microsoft + ".QLinearConcat":            qlinearConcat,
		microsoft + ".QLinearAveragePool":       qlinearUnary,
		microsoft + ".QLinearGlobalAveragePool": qlinearUnary,
		microsoft + ".QLinearLeakyRelu":         qlinearUnary,
		microsoft + ".QLinearSigmoid":           qlinearUnary,
		microsoft + ".QLinearSoftmax":           qlinearUnary,
		microsoft + ".QLinearReduceMean":        qlinearUnary,
		microsoft + ".MatMulIntegerToFloat":     matMulIntegerToFloat,
		microsoft + ".MatMulNBits":              matMulNBits,
		microsoft + ".DynamicQuantizeMatMul":    dynamicQuantizeMatMul,
	}
}

// passing are the operators that move quantised numbers about without looking at
// them: what comes out has the scaling of what went in.
var passing = map[string]bool{"MaxPool": true, "GlobalMaxPool": true, "Reshape": true, "Flatten": true, "Squeeze": true, "Unsqueeze": true,
	"Transpose": true, "Identity": true, "Dropout": true, "Slice": true, "Split": true, "Gather": true, "Concat": true, "Expand": true, "Tile": true,
	"DepthToSpace": true, "SpaceToDepth": true, "Resize": true, "Upsample": true}

// symbol is a number that a DynamicQuantizeLinear gives: the scale of its values
// times a factor, or their zero point.
type symbol struct {
	dynamic string
	zero    bool
	factor  *constant // nil: 1
}

// passed computes a node one of whose inputs is quantised, or leaves it to others
// with the integers that the graph sees; done says which.
func (c *converter) passed(n *node) (plain *node, done bool, err error) {
	var q *scaling
	same, any := true, false
	for i := range n.inputs {
		v := c.values[n.inputs[i]]
		switch {
		case v == nil:
		case v.sym != nil:
			any, same = true, false
		case v.q == nil && i == 0:
			same = false
		case v.q == nil:
			same = same && n.op != "Concat"
		default:
			any = true
			same = same && (q == nil || q.same(v.q)) && len(v.q.scale) == 1 && v.q.dynamic == ""
			q = v.q
		}
	}
	if !any || n.op == "Shape" || n.op == "Size" {
		return n, false, nil
	}
	if done, err := c.scaled(n); done || err != nil {
		return n, done, err
	}
	if same && passing[n.key()] && n.text("mode", "nearest") == "nearest" {
		return n, true, c.withScaling(n, q)
	}
	copied := *n
	copied.inputs = slices.Clone(n.inputs)
	for i := range n.inputs {
		if v := c.values[n.inputs[i]]; v != nil && (v.q != nil || v.sym != nil) {
			w, err := c.integersIn(n.inputs[i], v)
			if err != nil {
				return n, false, err
			}
			copied.inputs[i] = c.newName(n.inputs[i], w)
		}
	}
	return &copied, false, nil
}

// withScaling computes a node on the numbers that its quantised inputs stand for,
// and gives its outputs their scaling.
func (c *converter) withScaling(n *node, q *scaling) error {
	constants := true
	for i := range n.inputs {
		v, err := c.arg(n, i)
		if err != nil {
			return err
		}
		constants = constants && (v == nil || v.k != nil)
	}
	if err := c.computeFloats(n, constants); err != nil {
		return err
	}
	for i, out := range n.outputs {
		if v := c.values[out]; v != nil && (i == 0 || n.op == "Split") {
			w := *v
			w.q = q
			c.values[out] = &w
		}
	}
	return nil
}

// newName gives a value a name of its own, under which a layer's operator finds it.
func (c *converter) newName(name string, v *value) string {
	for c.values[name] != nil || c.tensors[name] != nil {
		name += "\x00"
	}
	w := *v
	w.sole = false
	c.values[name], c.uses[name] = &w, 1
	return name
}

// scaled puts the sums of integer products and the scale that belongs to them
// together: Cast(sum) * (scale * constant), as dynamic quantisation writes it.
func (c *converter) scaled(n *node) (done bool, err error) {
	if n.key() == "Cast" && len(n.inputs) == 1 {
		v := c.values[n.inputs[0]]
		if v != nil && v.q != nil && v.q.dynamic != "" && v.q.typ == typeInt32 && elemTypeOf(uint64(n.int("to", 0))).floating() {
			c.alias(n, 0, v, v.dims)
			return true, nil
		}
	}
	if n.key() != "Mul" || len(n.inputs) != 2 {
		return false, nil
	}
	a, err := c.arg(n, 0)
	if err != nil {
		return false, err
	}
	b, err := c.arg(n, 1)
	if err != nil || a == nil || b == nil {
		return false, err
	}
	if a.sym != nil {
		a, b = b, a
	}
	if b.sym == nil || b.sym.zero {
		return false, nil
	}
	switch {
	case a.k != nil && a.k.f != nil && b.sym.factor == nil:
		c.values[n.output()] = &value{dims: int64s(a.k.dims), sym: &symbol{dynamic: b.sym.dynamic, factor: a.k}}
		return true, nil
	case a.q != nil && a.q.typ == typeInt32 && a.q.dynamic == b.sym.dynamic && a.k == nil:
		w := *a
		w.q = nil
		if b.sym.factor == nil {
			c.values[n.output()] = &w
			return true, nil
		}
		return true, c.two(n, c.name(n), model.BinaryMul, &w, &value{k: b.sym.factor})
	}
	return false, nil
}

// integersIn is a quantised value as the integers that the graph sees.
func (c *converter) integersIn(name string, v *value) (*value, error) {
	switch {
	case v.sym != nil:
		return c.number(v.sym)
	case v.k != nil:
		k, err := c.integersOf(v)
		return &value{k: k}, err
	}
	w := *v
	w.q = nil
	var scale *value
	var err error
	if v.q.dynamic != "" {
		if scale, err = c.number(&symbol{dynamic: v.q.dynamic}); err != nil {
			return nil, err
		}
	} else {
		k, err := c.over(v.q, v.q.scale, len(v.dims))
		if err != nil {
			return nil, err
		}
		scale = &value{k: k}
	}
	x, err := c.pair(c.unique(v.ref+".scaled"), model.BinaryDiv, &w, scale)
	if err != nil || v.q.typ == typeInt32 {
		return x, err
	}
	if v.q.dynamic != "" {
		zero, err := c.number(&symbol{dynamic: v.q.dynamic, zero: true})
		if err != nil {
			return nil, err
		}
		return c.pair(c.unique(v.ref+".integers"), model.BinaryAdd, x, zero)
	}
	if len(v.q.zero) == 1 { // exactly integers
		one := &scaling{typ: v.q.typ, scale: []float32{1}, zero: v.q.zero}
		if x, err = c.quantise(c.unique(v.ref+".rounded"), x, one); err != nil {
			return nil, err
		}
		x.q = nil
		if v.q.zero[0] == 0 {
			return x, nil
		}
	}
	zero, err := c.over(v.q, v.q.zero, len(v.dims))
	if err != nil {
		return nil, err
	}
	return c.pair(c.unique(v.ref+".integers"), model.BinaryAdd, x, &value{k: zero})
}

// over is scales or zero points as a constant that meets an array of rank axes.
func (c *converter) over(s *scaling, v []float32, rank int) (*constant, error) {
	switch {
	case len(v) == 1:
		return &constant{f: v}, nil
	case s.block == 0:
		return &constant{f: v, dims: append([]int{len(v)}, slices.Repeat([]int{1}, rank-s.axis-1)...)}, nil
	}
	rows := len(v) / ((s.size + s.block - 1) / s.block * s.inner)
	if err := c.spend(rows * s.size * s.inner); err != nil {
		return nil, err
	}
	k := &constant{f: make([]float32, rows*s.size*s.inner)}
	for i := range k.f {
		k.f[i] = v[s.at(i)]
	}
	return k, nil // of the dims of the array: the caller sets them
}

// number is what a DynamicQuantizeLinear gives beside its values, as a layer.
func (c *converter) number(s *symbol) (*value, error) {
	x := c.values[s.dynamic]
	if x == nil || x.k != nil {
		return nil, refuse("the scale of a constant is computed")
	}
	zero, size := &value{k: &constant{f: []float32{0}}}, &value{k: &constant{f: []float32{255}}}
	var ends [2]*value
	for i, op := range []model.ReduceOp{model.ReduceMin, model.ReduceMax} {
		v, err := c.ordered(x)
		if err != nil {
			return nil, err
		}
		dims, before, err := c.own(v, true)
		if err != nil {
			return nil, err
		}
		l := &model.Reduce{Op: op, From: dims}
		for a := range dims {
			l.Axes = append(l.Axes, a)
		}
		if v, err = c.add(c.unique(x.ref+"."+string(op)), l, v); err != nil {
			return nil, err
		}
		v.dims = nil
		if before > 0 && c.images > 1 {
			return nil, refuse("one scale for a batch of %d images", c.images)
		}
		if ends[i], err = c.pair(c.unique(x.ref+"."+string(op)+"0"), []model.BinaryOp{model.BinaryMin, model.BinaryMax}[i], v, zero); err != nil {
			return nil, err
		}
	}
	v, err := c.pair(c.unique(x.ref+".range"), model.BinarySub, ends[1], ends[0])
	if err != nil {
		return nil, err
	}
	scale, err := c.pair(c.unique(x.ref+".scale"), model.BinaryDiv, v, size)
	switch {
	case err != nil:
		return nil, err
	case !s.zero && s.factor == nil:
		return scale, nil
	case !s.zero:
		return c.pair(c.unique(x.ref+".factor"), model.BinaryMul, scale, &value{k: s.factor})
	}
	if v, err = c.pair(c.unique(x.ref+".zero"), model.BinaryDiv, ends[0], scale); err != nil {
		return nil, err
	}
	if v, err = c.add(c.unique(x.ref+".round"), &model.Unary{Op: model.UnaryRound}, v); err != nil {
		return nil, err
	}
	v.dims = nil
	return c.pair(c.unique(x.ref+".zeropoint"), model.BinaryMul, v, &value{k: &constant{f: []float32{-1}}})
}
