package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
)

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
	if !(rate >= 0 && rate <= 1) {
		return refuse("ratio is %g", rate)
	}
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	if len(n.outputs) > 1 && n.outputs[1] != "" && c.uses[n.outputs[1]] > 0 { // everything is kept
		count, err := elements(in.dims, c.budget)
		if err != nil {
			return malformed("%v", err)
		}
		if err := c.spend(count); err != nil {
			return err
		}
		c.values[n.outputs[1]] = &value{k: &constant{dims: ints(in.dims), f: slices.Repeat([]float32{1}, count)}}
		if c.images > 1 {
			return refuse("the mask of a batch of %d", c.images)
		}
	}
	if n.outputs[0] == "" {
		return nil
	}
	return c.elementwise(n, &model.Dropout{Rate: float64(rate)})
}

func identity(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	c.alias(n, 0, in, in.dims)
	return nil
}

// cast rounds toward zero when it makes integers; numbers stay floats here.
func cast(c *converter, n *node) error {
	switch to := elemTypeOf(uint64(n.int("to", 0))); to {
	case typeFloat, typeDouble, typeFloat16, typeBfloat16:
		return identity(c, n)
	case typeInt8, typeInt16, typeInt32, typeInt64, typeUint8, typeUint16, typeUint32, typeUint64:
		return c.elementwise(n, &model.Unary{Op: model.UnaryTruncate})
	case typeBool:
		return c.elementwise(n, &model.Unary{Op: model.UnaryNotZero})
	default:
		return refuse("conversion to %v", to)
	}
}

// view lets a node's output be its input with other dims: a Flatten layer if it
// becomes a vector, nothing at all otherwise.
func (c *converter) view(n *node, in *value, dims []int64) error {
	if slices.Equal(dims, in.dims) {
		c.alias(n, 0, in, dims)
		return nil
	}
	if in.hwc != nil && in.shape.Flat && len(dims) == 2 && dims[0] == c.images { // stays the vector it is
		c.alias(n, 0, in, dims)
		return nil
	}
	vector := len(dims) == 2 && dims[0] == c.images && c.images > 0 && !in.shape.Flat
	if vector {
		v, err := c.add(c.name(n), &model.Reshape{}, in)
		if err != nil {
			return err
		}
		v.hwc, v.dims = in.hwc, dims
		c.values[n.output()] = v
		return nil
	}
	if in.hwc != nil {
		var err error
		if in, err = c.array(n, 0); err != nil {
			return err
		}
	}
	if c.images > 1 && (len(dims) == 0 || dims[0] != c.images) {
		return refuse("it makes shape %v of %v: it mixes the %d images of a batch", dims, in.dims, c.images)
	}
	c.alias(n, 0, in, dims)
	return nil
}

func flatten(c *converter, n *node) error {
	in, err := c.image(n, 0)
	if err != nil {
		return err
	}
	a := n.int("axis", 1)
	if a < 0 {
		a += int64(len(in.dims))
	}
	if a < 0 || a > int64(len(in.dims)) {
		return malformed("axis %d of %d", n.int("axis", 1), len(in.dims))
	}
	dims := []int64{1, 1}
	for i, d := range in.dims {
		if i < int(a) {
			dims[0] *= d
		} else {
			dims[1] *= d
		}
	}
	if in.shape.Flat && slices.Equal(dims, in.dims) {
		return c.put(n, dims, &model.Reshape{}, in)
	}
	return c.view(n, in, dims)
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
	if len(target) > maxRank {
		return refuse("it makes shape %v of %v", target, in.dims)
	}
	count, err := elements(in.dims, 1<<30)
	if err != nil {
		return malformed("%v", err)
	}
	dims, err := reshaped(target, ints(in.dims), count, n.int("allowzero", 0) != 0)
	if err != nil && c.images > 1 && len(target) > 1 && target[0] == 1 {
		// Written for one image, though the file fixes several.
		dims, err = reshaped(append([]int64{c.images}, target[1:]...), ints(in.dims), count, n.int("allowzero", 0) != 0)
	}
	if err != nil {
		return refuse("it makes shape %v of %v: %v", target, in.dims, err)
	}
	return c.view(n, in, int64s(dims))
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
	return c.view(n, in, dims)
}
