package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

// computedScale is input i if it is a scale that layers compute, else nil.
func (c *converter) computedScale(n *node, i int) (*value, error) {
	v, err := c.arg(n, i)
	if err != nil || v == nil || v.k != nil || v.sym != nil {
		return nil, err
	}
	if len(v.dims) > 1 {
		return nil, refuse("its scale %s is computed from the picture", n.inputs[i])
	}
	return v, nil
}

// aligned is one number for each index of an axis of x, or one for all.
func aligned(v *value, x *value, ax int64) (*value, error) {
	if v.k != nil && len(v.k.dims) == 0 || v.k == nil && len(v.dims) == 0 || len(x.dims) < 2 {
		return v, nil
	}
	a, err := axis(ax, len(x.dims))
	if err != nil {
		return nil, err
	}
	tail := slices.Repeat([]int{1}, len(x.dims)-a-1)
	w := *v
	if v.k != nil {
		w.k = v.k.with(append(slices.Clone(v.k.dims), tail...))
	}
	w.dims = append(slices.Clone(v.dims), int64s(tail)...)
	return &w, nil
}

// scaledBy is input i less the zero point in input zero, times a computed scale.
func (c *converter) scaledBy(n *node, i, zero int, scale *value, ax int64) (*value, error) {
	x, err := c.array(n, i)
	if err != nil {
		return nil, err
	}
	if x.q != nil {
		if x, err = c.integersIn(n.inputs[i], x); err != nil {
			return nil, err
		}
	}
	if z, err := c.arg(n, zero); err != nil {
		return nil, err
	} else if z != nil {
		if z, err = aligned(z, x, ax); err != nil {
			return nil, err
		}
		if x, err = c.pair(c.unique(c.layerName(n)+".centred"), model.BinarySub, x, z); err != nil {
			return nil, err
		}
	}
	if scale, err = aligned(scale, x, ax); err != nil {
		return nil, err
	}
	return c.pair(c.unique(c.layerName(n)+".real"), model.BinaryMul, x, scale)
}

// quantisedBy is a QuantizeLinear whose scale is computed from the picture: whole numbers.
func (c *converter) quantisedBy(n *node, x, scale *value) error {
	typ := typeUint8
	zero, err := c.arg(n, 2)
	if err != nil {
		return err
	}
	if zero != nil && zero.k != nil && zero.k.typ != 0 {
		typ = zero.k.typ
	}
	t, err := quantType(typ)
	if err != nil {
		return err
	}
	low, high, whole := t.Range()
	if !whole {
		return refuse("its scale is computed from the picture, and its type is %s", t)
	}
	if scale, err = aligned(scale, x, n.int("axis", 1)); err != nil {
		return err
	}
	name := c.layerName(n)
	v, err := c.pair(c.unique(name+".scaled"), model.BinaryDiv, x, scale)
	if err != nil {
		return err
	}
	dims := v.dims
	if v, err = c.add(c.unique(name+".round"), &model.Unary{Op: model.UnaryRound}, v); err != nil {
		return err
	}
	v.dims = dims
	if zero != nil {
		if zero, err = aligned(zero, x, n.int("axis", 1)); err != nil {
			return err
		}
		if v, err = c.pair(c.unique(name+".moved"), model.BinaryAdd, v, zero); err != nil {
			return err
		}
	}
	w, err := c.add(c.name(n), &model.Clip{Min: low, Max: high}, v)
	if err == nil {
		w.dims = dims
		c.values[n.output()] = w
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
	return c.two(n, c.unique(c.layerName(n)+".bias"), model.BinaryAdd, v, k)
}
