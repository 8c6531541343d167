package onnx

import (
	"fmt"
)

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
	if constants { // computed anew with every picture, but computed
		v, err := c.asValue(n.output(), ins[0].k)
		if err != nil {
			return nil, err
		}
		sub.inputs[0] = c.newName(sub.inputs[0], v)
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
	if a == nil || b == nil || len(a.scale) != 1 || b.block != 0 {
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
