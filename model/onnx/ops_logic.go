package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Comparisons, logic and choice on computed values. A truth value is 0 or 1.

// exactFloat is the largest whole number up to which float32 holds all.
const exactFloat = 1 << 24

// wholeNumbers is an operation on values one of which is a constant of whole
// numbers: then the other holds such, too, and a quotient is cut off, but that a
// power may be one of a real number.
func wholeNumbers(c *converter, n *node) error {
	if n.op != "Div" {
		return logical(c, n)
	}
	quotient := *n
	quotient.outputs = []string{c.fresh(n.output() + ".quotient")}
	if err := logical(c, &quotient); err != nil {
		return err
	}
	v := *c.values[quotient.outputs[0]]
	w, err := c.add(c.name(n), &model.Unary{Op: model.UnaryTruncate}, &v)
	if err != nil {
		return err
	}
	w.dims, w.hwc = v.dims, v.hwc
	c.values[n.output()] = w
	return nil
}

// logical is an operation on two values, either of which may be constant.
func logical(c *converter, n *node) error {
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
		if slices.ContainsFunc(v.k.i, func(x int64) bool { return x < -exactFloat || x > exactFloat }) {
			return refuse("it takes %v, which holds whole numbers that float32 does not", v.k)
		}
		k, err := c.asFloats(v.k)
		if err != nil {
			return err
		}
		if vs[i], err = c.legacyBroadcast(n, vs[1-i], &value{k: k}); err != nil {
			return err
		}
	}
	op := model.BinaryOp(n.op)
	if op == model.BinaryMod && n.int("fmod", 0) != 0 {
		op = model.BinaryFmod
	}
	return c.two(n, c.name(n), op, vs[0], vs[1])
}

// isInf looks for infinities of either sign.
func isInf(c *converter, n *node) error {
	return c.elementwise(n, &model.Unary{Op: model.UnaryIsInf, Alpha: float32(n.int("detect_positive", 1)), Beta: float32(n.int("detect_negative", 1))})
}

// shrink has other names for its numbers.
func shrink(c *converter, n *node) error {
	return c.elementwise(n, &model.Unary{Op: model.UnaryShrink, Alpha: n.float("bias", 0), Beta: n.float("lambd", 0.5)})
}

// where chooses between two values by a third; any of them may be constant.
func where(c *converter, n *node) error {
	vs, err := c.choices(n)
	if err != nil {
		return err
	}
	// What all see in one order, with single numbers beside it, stays in that order.
	first, same := oneOrder(vs)
	dims := make([][]int, len(vs))
	var full []int
	for i, v := range vs {
		if v.k == nil && !same {
			if vs[i], err = c.ordered(v); err != nil {
				return err
			}
		}
		if dims[i] = ints(vs[i].dims); v.k != nil {
			dims[i] = v.k.dims
		}
		if full, err = model.Broadcast(full, dims[i]); err != nil {
			return malformed("%v", err)
		}
	}
	if err := c.apart(vs, dims, len(full)); err != nil {
		return err
	}
	l := &model.Where{M: dims[0], A: dims[1], B: dims[2]}
	var ins []*value
	var whole *value
	for i, v := range vs {
		if v.k != nil {
			*[]**tensor.Tensor{&l.Mask, &l.X, &l.Y}[i] = tensor.From(v.k.f, dims[i]...)
			continue
		}
		if v.shape.Len() == product(full) || c.images > 1 && int64(v.shape.Len())*c.images == int64(product(full)) {
			if whole == nil {
				whole = v
			} else if v, err = c.shaped(v, whole.shape); err != nil {
				return err
			}
		}
		ins = append(ins, v)
	}
	v, err := c.add(c.name(n), l, ins...)
	if err != nil {
		return err
	}
	if v.dims = int64s(full); same {
		v.hwc = first.hwc
	}
	c.values[n.output()] = v
	return nil
}

// choices are the three operands of where; constants are floats.
func (c *converter) choices(n *node) ([]*value, error) {
	vs := make([]*value, 3)
	for i := range vs {
		v, err := c.arg(n, i)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, malformed("input %d is missing", i)
		}
		if v.k != nil {
			k, err := c.asFloats(v.k)
			if err != nil {
				return nil, err
			}
			if k.len() == 0 || len(k.dims) > 8 {
				return nil, refuse("it takes %v", k)
			}
			v = &value{k: k}
		}
		vs[i] = v
	}
	return vs, nil
}

// oneOrder reports whether the layers' values have one shape and order and the
// constants are single numbers; first is the first value of a layer.
func oneOrder(vs []*value) (first *value, same bool) {
	same = true
	for _, v := range vs {
		switch {
		case v.k != nil:
			same = same && v.k.len() == 1
		case first == nil:
			first = v
		default:
			same = same && slices.Equal(v.dims, first.dims) && sameOrder(v.hwc, first.hwc) && v.shape == first.shape
		}
	}
	for _, v := range vs {
		same = same && (v.k == nil || len(v.k.dims) <= len(first.dims))
	}
	return first, same
}

// apart takes the first axis, the images, off the dims of operands that are
// broadcast to rank axes where it stays apart (see stripped).
func (c *converter) apart(vs []*value, dims [][]int, rank int) error {
	skip := c.images > 0 && rank > 0
	for i, v := range vs {
		d := dims[i]
		switch {
		case v.k != nil:
			skip = skip && (len(d) < rank || d[0] == 1)
		case len(d) == rank:
			skip = skip && int64(d[0]) == c.images
		default:
			skip = skip && c.images == 1
		}
	}
	switch {
	case skip:
		for i, d := range dims {
			if len(d) == rank {
				dims[i] = d[1:]
			}
		}
	case c.images > 1:
		return refuse("values of shape %v: it mixes the %d images of a batch", dims, c.images)
	}
	return nil
}
