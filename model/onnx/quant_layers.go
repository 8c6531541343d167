package onnx

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
)

// quantType is the model's name of a type that values can be quantised to.
func quantType(t elemType) (model.QuantType, error) {
	q, err := model.ParseQuantType(t.String())
	if err != nil {
		return "", refuse("values cannot be quantised to %v", t)
	}
	return q, nil
}

// quantise appends a layer that rounds a value to a scaling.
func (c *converter) quantise(name string, v *value, s *scaling) (*value, error) {
	typ, err := quantType(s.typ)
	if err != nil {
		return nil, err
	}
	if v, err = c.rectified(v, s, typ); err != nil {
		return nil, err
	}
	l := &model.Quantize{Type: typ, Scale: s.scale, Zero: s.zero}
	if len(s.scale) == 1 || c.channelAxis(v, s) {
		w, err := c.add(name, l, v)
		if err == nil {
			w.dims, w.hwc, w.q = v.dims, v.hwc, s
		}
		return w, err
	}
	if !slices.Equal(s.zero, slices.Repeat(s.zero[:1], len(s.zero))) {
		return nil, refuse("it has zero points of its own for each index of axis %d of %v", s.axis, v.dims)
	}
	k, err := c.over(s, s.scale, len(v.dims))
	if err != nil {
		return nil, err
	}
	if s.block > 0 {
		k.dims = ints(v.dims)
	}
	w, err := c.pair(c.unique(name+".scaled"), "Div", v, &value{k: k})
	if err != nil {
		return nil, err
	}
	l.Scale, l.Zero = []float32{1}, s.zero[:1]
	x, err := c.add(c.unique(name+".rounded"), l, w)
	if err != nil {
		return nil, err
	}
	x.dims, x.hwc = w.dims, w.hwc
	if x, err = c.pair(name, "Mul", x, &value{k: k}); err == nil {
		x.q = s
	}
	return x, err
}

// channelAxis reports whether a scaling's axis is that of a value's channels.
func (c *converter) channelAxis(v *value, s *scaling) bool {
	if s.block != 0 || c.images == 0 || len(v.dims) < 2 || v.dims[0] != c.images || s.size != v.shape.C {
		return false
	}
	if v.hwc != nil {
		return len(v.dims) == 4 && s.axis == 3
	}
	return s.axis == 1 && v.shape == model.ArrayShape(ints(v.dims[1:]))
}

// rectified puts the rectifier back that a quantiser has folded into the range of
// integers: a sum of products is cut off at 0 if the least integer stands for 0.
func (c *converter) rectified(v *value, s *scaling, typ model.QuantType) (*value, error) {
	least, _, whole := typ.Range()
	if !whole || s.dynamic != "" {
		return v, nil
	}
	for _, z := range s.zero {
		if z != least {
			return v, nil
		}
	}
	at, ok := c.layers[v.ref]
	if !ok {
		return v, nil
	}
	switch l := c.net.Nodes[at].Layer.(type) {
	case *model.Conv, *model.Dense, *model.ConvTranspose, *model.Add, *model.BatchNorm, *model.MatMul:
	case *model.Binary:
		if l.Op != "Add" {
			return v, nil
		}
	default:
		return v, nil
	}
	w, err := c.add(c.unique(v.ref+".relu"), &model.ReLU{}, v)
	if err == nil {
		w.dims, w.hwc = v.dims, v.hwc
	}
	return w, err
}

func quantizeLinear(c *converter, n *node) error {
	x, err := c.arg(n, 0)
	if err != nil {
		return err
	}
	if x == nil {
		return malformed("input 0 is missing")
	}
	if x.q != nil || x.sym != nil {
		if x, err = c.integersIn(n.inputs[0], x); err != nil {
			return err
		}
	}
	dims := ints(x.dims)
	if x.k != nil {
		dims = x.k.dims
	}
	s, err := c.scalingOf(n, 1, 2, dims, n.int("axis", 1), n.int("block_size", 0))
	if err != nil {
		return err
	}
	if to := elemTypeOf(uint64(n.int("output_dtype", 0))); to != 0 && len(n.inputs) < 3 {
		s.typ = to
	}
	if x.k == nil {
		v, err := c.quantise(c.name(n), x, s)
		if err == nil {
			c.values[n.output()] = v
		}
		return err
	}
	typ, err := quantType(s.typ)
	if err != nil {
		return err
	}
	if x.k.f == nil {
		return refuse("it takes %v", x.k)
	}
	if err := c.spend((x.k.len() + 1) / 2); err != nil {
		return err
	}
	k := &constant{dims: dims, typ: typeFloat, f: make([]float32, x.k.len())}
	for i, v := range x.k.f {
		at := s.at(i)
		k.f[i] = typ.Round(v, s.scale[at], s.zero[at])
	}
	c.values[n.output()] = &value{k: k, q: s}
	return nil
}

// real is input i as the numbers that its integers stand for, by the scale and
// zero point in inputs scale and zero: a constant or a layer's.
func (c *converter) real(n *node, i, scale, zero int, ax, block int64) (*value, *scaling, error) {
	dims, err := c.dimsIn(n, i)
	if err != nil {
		return nil, nil, err
	}
	v := c.values[n.inputs[i]]
	if scale < len(n.inputs) {
		if k := c.values[n.inputs[scale]]; k != nil && k.sym != nil {
			if v == nil || v.q == nil || v.q.dynamic != k.sym.dynamic || k.sym.factor != nil || k.sym.zero {
				return nil, nil, refuse("its scale %s is computed from other values", n.inputs[scale])
			}
			w := *v
			w.q, w.sole = nil, false
			return &w, v.q, nil
		}
	}
	s, err := c.scalingOf(n, scale, zero, dims, ax, block)
	if err != nil {
		return nil, nil, err
	}
	k, err := c.dequantised(n, i, s)
	if err != nil {
		return nil, nil, err
	}
	if k != nil {
		return &value{k: k}, s, nil
	}
	w := *v
	w.q, w.sole = nil, false
	if v.q != nil && v.q.same(s) {
		return &w, s, nil
	}
	x := &w
	if v.q != nil || v.sym != nil {
		if x, err = c.integersIn(n.inputs[i], v); err != nil {
			return nil, nil, err
		}
	}
	x, err = c.affinely(n, x, s)
	return x, s, err
}

// affinely is (x-zero)*scale as layers.
func (c *converter) affinely(n *node, x *value, s *scaling) (*value, error) {
	if len(s.scale) == 1 {
		w, err := c.add(c.unique(c.layerName(n)+".real"), &model.Unary{Op: "Affine", Alpha: s.scale[0], Beta: -s.zero[0] * s.scale[0]}, x)
		if err == nil {
			w.dims, w.hwc = x.dims, x.hwc
		}
		return w, err
	}
	for _, step := range []struct {
		op string
		by []float32
	}{{"Sub", s.zero}, {"Mul", s.scale}} {
		k, err := c.over(s, step.by, len(x.dims))
		if err != nil {
			return nil, err
		}
		if s.block > 0 {
			k.dims = ints(x.dims)
		}
		if x, err = c.pair(c.unique(c.layerName(n)+"."+step.op), step.op, x, &value{k: k}); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// layerName is the name that messages and layers of a node begin with.
func (c *converter) layerName(n *node) string {
	if n.name != "" {
		return n.name
	}
	return n.output()
}

func dequantizeLinear(c *converter, n *node) error {
	v, _, err := c.real(n, 0, 1, 2, n.int("axis", 1), n.int("block_size", 0))
	if err == nil {
		c.values[n.output()] = v
	}
	return err
}

// dynamicQuantize rounds to a scaling that the values at hand make.
func dynamicQuantize(c *converter, n *node) error {
	x, err := c.array(n, 0)
	if err != nil {
		return err
	}
	if x.q != nil || x.sym != nil {
		return refuse("it takes quantised values")
	}
	if c.images > 1 {
		return refuse("one scale for a batch of %d images", c.images)
	}
	v, err := c.add(c.name(n), &model.Quantize{Type: model.Uint8}, x)
	if err != nil {
		return err
	}
	key := c.newName(n.inputs[0]+"\x00", x)
	v.dims, v.q = x.dims, &scaling{typ: typeUint8, dynamic: key}
	for i, made := range []*value{v, {dims: []int64{}, sym: &symbol{dynamic: key}}, {dims: []int64{}, sym: &symbol{dynamic: key, zero: true}}} {
		if i < len(n.outputs) && n.outputs[i] != "" {
			c.values[n.outputs[i]] = made
		}
	}
	return nil
}

// onReal computes an operator on numbers in the place of a node: its inputs are
// the given values (nil: left out), its output is the node's.
func (c *converter) onReal(n *node, op string, ins ...*value) (*value, error) {
	sub := &node{name: n.name, op: op, outputs: []string{n.output()}, attrs: n.attrs}
	constants := true
	for i, v := range ins {
		name := ""
		if v != nil {
			name = c.newName(fmt.Sprintf("%s\x00%d", n.output(), i), v)
			constants = constants && v.k != nil
		}
		sub.inputs = append(sub.inputs, name)
	}
	if constants {
		return nil, refuse("all its inputs are constant")
	}
	if err := c.computeFloats(sub, false); err != nil {
		return nil, err
	}
	v := c.values[n.output()]
	if v == nil {
		return nil, malformed("it has no output")
	}
	return v, nil
}

// rounded gives a node the value v, rounded to the scaling in inputs scale and zero.
func (c *converter) rounded(n *node, v *value, scale, zero int) error {
	s, err := c.scalingOf(n, scale, zero, ints(v.dims), 1, 0)
	if err != nil {
		return err
	}
	if v, err = c.quantise(c.unique(v.ref+".quantized"), v, s); err == nil {
		c.values[n.output()] = v
	}
	return err
}

func qlinearConv(c *converter, n *node) error {
	x, sx, err := c.real(n, 0, 1, 2, 1, 0)
	if err != nil {
		return err
	}
	w, sw, err := c.real(n, 3, 4, 5, 0, 0)
	if err != nil {
		return err
	}
	ins := []*value{x, w}
	b, err := c.sums(n, 8, sx, sw)
	if err != nil {
		return err
	}
	if b != nil {
		ins = append(ins, b)
	}
	v, err := c.onMaps(n, "Conv", ins...)
	if err != nil {
		return err
	}
	return c.rounded(n, v, 6, 7)
}

// onMaps is onReal for operators that look at rows and columns: if the node wants
// the channels last, its first input and its output have them there.
func (c *converter) onMaps(n *node, op string, ins ...*value) (*value, error) {
	if !n.channelsLast() || ins[0].k != nil || len(ins[0].dims) < 3 {
		return c.onReal(n, op, ins...)
	}
	first, last := []int64{0, int64(len(ins[0].dims)) - 1}, []int64{0}
	for a := range int64(len(ins[0].dims) - 2) {
		first, last = append(first, a+1), append(last, a+2)
	}
	var err error
	if ins[0], err = c.withAxes(n, ins[0], first); err != nil {
		return nil, err
	}
	v, err := c.onReal(n, op, ins...)
	if err != nil {
		return nil, err
	}
	return c.withAxes(n, v, append(last, 1))
}

// withAxes is a value with its axes in another order.
func (c *converter) withAxes(n *node, v *value, perm []int64) (*value, error) {
	in := c.newName(n.output()+"\x00axes", v)
	turn := &node{op: "Transpose", inputs: []string{in}, outputs: []string{in + "\x00"}, attrs: []attribute{{name: "perm", ints: perm}}}
	if err := transpose(c, turn); err != nil {
		return nil, err
	}
	return c.values[turn.output()], nil
}

// sums is input i, a bias in units of the product of two scales, one for all or
// for each channel; nil if it is left out.
func (c *converter) sums(n *node, i int, a, b *scaling) (*value, error) {
	if i >= len(n.inputs) || n.inputs[i] == "" {
		return nil, nil
	}
	if len(a.scale) != 1 || b.block != 0 {
		return nil, refuse("a bias in units of several scales")
	}
	s := &scaling{typ: typeInt32, inner: 1, size: len(b.scale), zero: make([]float32, len(b.scale))}
	for _, v := range b.scale {
		s.scale = append(s.scale, v*a.scale[0])
	}
	dims, err := c.dimsIn(n, i)
	if err != nil {
		return nil, err
	}
	if len(s.scale) > 1 && (len(dims) == 0 || dims[len(dims)-1] != s.size) {
		return nil, malformed("input %s is %v for %d scales", n.inputs[i], dims, s.size)
	}
	k, err := c.dequantised(n, i, s)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, refuse("input %s is computed from the picture, want a constant", n.inputs[i])
	}
	return &value{k: k}, nil
}

func qlinearMatMul(c *converter, n *node) error {
	a, _, err := c.real(n, 0, 1, 2, -2, 0)
	if err != nil {
		return err
	}
	b, _, err := c.real(n, 3, 4, 5, -1, 0)
	if err != nil {
		return err
	}
	v, err := c.onReal(n, "MatMul", a, b)
	if err != nil {
		return err
	}
	return c.rounded(n, v, 6, 7)
}

func qgemm(c *converter, n *node) error {
	a, sa, err := c.real(n, 0, 1, 2, 1, 0)
	if err != nil {
		return err
	}
	columns := int64(1)
	if n.int("transB", 0) != 0 {
		columns = 0
	}
	b, sb, err := c.real(n, 3, 4, 5, columns, 0)
	if err != nil {
		return err
	}
	k, err := c.sums(n, 6, sa, sb)
	if err != nil {
		return err
	}
	ins := []*value{a, b}
	if k != nil {
		ins = append(ins, k)
	}
	v, err := c.onReal(n, "Gemm", ins...)
	if err != nil || len(n.inputs) < 8 || n.inputs[7] == "" {
		return err
	}
	return c.rounded(n, v, 7, 8)
}

// qlinearBinary is QLinearAdd or QLinearMul.
func qlinearBinary(c *converter, n *node) error {
	var vs [2]*value
	var err error
	for i := range vs {
		if vs[i], _, err = c.real(n, 3*i, 3*i+1, 3*i+2, 1, 0); err != nil {
			return err
		}
	}
	v, err := c.onReal(n, n.op[len("QLinear"):], vs[0], vs[1])
	if err != nil {
		return err
	}
	return c.rounded(n, v, 6, 7)
}

// qlinearConcat has the output's scaling first, then three inputs for each part.
func qlinearConcat(c *converter, n *node) error {
	var ins []*value
	for i := 2; i+1 < len(n.inputs); i += 3 {
		v, _, err := c.real(n, i, i+1, i+2, 1, 0)
		if err != nil {
			return err
		}
		ins = append(ins, v)
	}
	if len(ins) == 0 {
		return malformed("no inputs")
	}
	v, err := c.onReal(n, "Concat", ins...)
	if err != nil {
		return err
	}
	return c.rounded(n, v, 0, 1)
}

// qlinearUnary is an operator on one value, between two scalings.
func qlinearUnary(c *converter, n *node) error {
	x, _, err := c.real(n, 0, 1, 2, 1, 0)
	if err != nil {
		return err
	}
	opset := c.opset
	if n.op == "QLinearSoftmax" { // it says whose softmax it is
		c.opset = n.int("opset", opset)
	}
	v, err := c.onMaps(n, map[string]string{"QLinearAveragePool": "AveragePool", "QLinearGlobalAveragePool": "GlobalAveragePool",
		"QLinearLeakyRelu": "LeakyRelu", "QLinearSigmoid": "Sigmoid", "QLinearSoftmax": "Softmax", "QLinearReduceMean": "ReduceMean"}[n.op], x)
	c.opset = opset
	if err != nil {
		return err
	}
	return c.rounded(n, v, 3, 4)
}

// centred is input i less its zero point, in units of the scaling that comes with it.
func (c *converter) centred(n *node, i, zero int, ax int64) (*value, *scaling, error) {
	one := &scaling{typ: typeInt32, scale: []float32{1}, zero: []float32{0}, inner: 1, size: 1}
	dims, err := c.dimsIn(n, i)
	if err != nil {
		return nil, nil, err
	}
	v := c.values[n.inputs[i]]
	var z *value
	if zero < len(n.inputs) && n.inputs[zero] != "" {
		if z, err = c.arg(n, zero); err != nil {
			return nil, nil, err
		}
	}
	if v != nil && v.k == nil && v.q != nil { // the usual case: the numbers as they are
		w := *v
		w.q, w.sole = nil, false
		switch {
		case v.q.dynamic != "" && z != nil && z.sym != nil && z.sym.zero && z.sym.dynamic == v.q.dynamic:
			return &w, &scaling{typ: typeInt32, dynamic: v.q.dynamic}, nil
		case v.q.dynamic == "" && len(v.q.scale) == 1 && (z == nil && v.q.zero[0] == 0 || z != nil && z.k != nil && z.k.len() == 1 && float32(z.k.at(0)) == v.q.zero[0]):
			return &w, &scaling{typ: typeInt32, scale: v.q.scale, zero: one.zero, inner: 1, size: 1}, nil
		}
		if w, err := c.integersIn(n.inputs[i], v); err == nil {
			v = w
		} else {
			return nil, nil, err
		}
	}
	if z != nil {
		if z.k == nil {
			return nil, nil, refuse("its zero point %s is computed from other values", n.inputs[zero])
		}
		one.scale, one.zero = slices.Repeat(one.scale, z.k.len()), make([]float32, z.k.len())
		for j := range one.zero {
			one.zero[j] = float32(z.k.at(j))
		}
		if err := one.along(z.k.dims, dims, ax, 0); err != nil {
			return nil, nil, err
		}
	}
	if k, err := c.dequantised(n, i, one); k != nil || err != nil {
		return &value{k: k}, nil, err
	}
	if z != nil {
		v, err = c.affinely(n, v, one)
	}
	return v, nil, err
}

// integerProduct computes an operator on integers less their zero points.
func (c *converter) integerProduct(n *node, op string, axes [2]int64) error {
	var vs [2]*value
	var units [2]*scaling
	var err error
	for i := range vs {
		if vs[i], units[i], err = c.centred(n, i, i+2, axes[i]); err != nil {
			return err
		}
	}
	unit := units[0]
	if unit == nil {
		unit = units[1]
	} else if units[1] != nil {
		if unit.dynamic != "" || units[1].dynamic != "" {
			return refuse("both its inputs have scales of their own")
		}
		unit = &scaling{typ: typeInt32, scale: []float32{unit.scale[0] * units[1].scale[0]}, zero: unit.zero, inner: 1, size: 1}
	}
	v, err := c.onReal(n, op, vs[0], vs[1])
	if err != nil {
		return err
	}
	w := *v
	w.q = unit
	c.values[n.output()] = &w
	return nil
}

func convInteger(c *converter, n *node) error {
	return c.integerProduct(n, "Conv", [2]int64{1, 0})
}

func matMulInteger(c *converter, n *node) error {
	return c.integerProduct(n, "MatMul", [2]int64{-2, -1})
}

// matMulIntegerToFloat has the scales after the matrices, then zero points and a bias.
func matMulIntegerToFloat(c *converter, n *node) error {
	a, _, err := c.real(n, 0, 2, 4, -2, 0)
	if err != nil {
		return err
	}
	return c.productAndBias(n, a, 3, 5, 6)
}

// dynamicQuantizeMatMul quantises its first matrix by its own extremes.
func dynamicQuantizeMatMul(c *converter, n *node) error {
	if err := dynamicQuantize(c, &node{name: c.unique(c.layerName(n) + ".a"), op: n.op, inputs: n.inputs[:1], outputs: []string{n.output() + "\x00a"}}); err != nil {
		return err
	}
	a := *c.values[n.output()+"\x00a"]
	a.q, a.sole = nil, false
	return c.productAndBias(n, &a, 2, 3, 4)
}

func (c *converter) productAndBias(n *node, a *value, scale, zero, bias int) error {
	b, _, err := c.real(n, 1, scale, zero, -1, 0)
	if err != nil {
		return err
	}
	v, err := c.onReal(n, "MatMul", a, b)
	if err != nil || bias >= len(n.inputs) || n.inputs[bias] == "" {
		return err
	}
	k, err := c.arg(n, bias)
	if err != nil {
		return err
	}
	return c.two(n, c.unique(c.layerName(n)+".bias"), "Add", v, k)
}
