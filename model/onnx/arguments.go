package onnx

import (
	"fmt"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// asValue makes a constant a layer.
func (c *converter) asValue(name string, k *constant) (*value, error) {
	if k.len() == 0 || len(k.dims) > 8 {
		return nil, refuse("%v is empty or has more than 8 axes", k)
	}
	data := k.unpacked().f
	if data == nil {
		if err := c.spend(len(k.i)); err != nil {
			return nil, err
		}
		for _, v := range k.i {
			data = append(data, float32(v))
		}
	}
	dims, before := k.dims, []int64(nil)
	switch {
	case c.images == 1 && len(dims) > 1 && dims[0] == 1:
		dims, before = dims[1:], []int64{1}
	case c.images > 1 && len(dims) > 0 && int64(dims[0]) == c.images:
		return nil, refuse("%v differs from image to image", k)
	case c.images > 1: // the same for every image
		before = []int64{c.images}
	}
	in := &value{ref: c.net.Input.Name, shape: c.net.Input.Shape()}
	v, err := c.add(c.unique(name+".constant"), &model.Constant{Value: tensor.From(data, dims...)}, in)
	if err == nil {
		v.dims = append(before, int64s(dims)...)
	}
	return v, err
}

func ints(v []int64) []int {
	out := make([]int, len(v))
	for i, d := range v {
		out[i] = int(d)
	}
	return out
}

func int64s(v []int) []int64 {
	out := make([]int64, len(v))
	for i, d := range v {
		out[i] = int64(d)
	}
	return out
}

// arg returns input i of a node, nil if it is left out.
func (c *converter) arg(n *node, i int) (*value, error) {
	v, err := c.look(n, i)
	if err == nil && v != nil && v.k != nil && v.k.packed != nil {
		w := *v
		w.k = v.k.unpacked()
		return &w, nil
	}
	return v, err
}

// look is arg for those who take constants packed, too.
func (c *converter) look(n *node, i int) (*value, error) {
	if i >= len(n.inputs) || n.inputs[i] == "" {
		return nil, nil
	}
	name := n.inputs[i]
	if v := c.values[name]; v != nil {
		return v, nil
	}
	var k *constant
	var err error
	if t := c.tensors[name]; t != nil {
		if k, err = t.decode(c.src); err == nil {
			c.earn(t)
		}
	} else if t := c.sparse[name]; t != nil {
		k, err = t.dense(c)
	} else {
		return nil, fmt.Errorf("input %q is not computed by any node", name)
	}
	if err != nil {
		return nil, fmt.Errorf("initialiser %s: %w", name, err)
	}
	v := &value{k: k}
	c.values[name] = v
	return v, nil
}

// image returns input i, which must come from a layer.
func (c *converter) image(n *node, i int) (*value, error) {
	v, err := c.arg(n, i)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, fmt.Errorf("input %d is missing", i)
	case v.k != nil:
		return nil, refuse("input %s is constant", n.inputs[i])
	}
	return v, nil
}

// ordered is v with its numbers in the order that the graph sees.
func (c *converter) ordered(v *value) (*value, error) {
	if v.hwc == nil {
		return v, nil
	}
	s := *v.hwc
	to, strides := []int{s.H, s.W, s.C}, []int{s.W, 1, s.H * s.W}
	w, err := c.add(c.unique(v.ref+".last"), &model.Rearrange{What: "Transpose", To: to, Strides: strides}, v)
	if err == nil {
		w.dims, w.sole, w.q = v.dims, false, v.q
	}
	return w, err
}

// array returns input i as an array in the order the graph sees, constant or not.
func (c *converter) array(n *node, i int) (*value, error) {
	v, err := c.arg(n, i)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, malformed("input %d is missing", i)
	case v.k != nil:
		return c.asValue(n.inputs[i], v.k)
	}
	w, err := c.ordered(v)
	if err == nil && w != v { // others may want it in the same order
		c.values[n.inputs[i]] = w
	}
	return w, err
}

// own returns the axes of v that belong to an image, and how many are before
// them, for an operator that leaves the first axis alone or does not.
func (c *converter) own(v *value, alone bool) (dims []int, before int, err error) {
	first := c.images > 0 && len(v.dims) > 1 && v.dims[0] == c.images
	switch {
	case first && alone:
		return ints(v.dims[1:]), 1, nil
	case c.images > 1:
		return nil, 0, refuse("a value of shape %v: it mixes the %d images of a batch", v.dims, c.images)
	}
	return ints(v.dims), 0, nil
}

// shaped is v as the value of a layer with exactly the given shape.
func (c *converter) shaped(v *value, want model.Shape) (*value, error) {
	if v.shape == want {
		return v, nil
	}
	var l model.Layer = &model.Reshape{To: ints(perImage(want))}
	name := v.ref + ".view"
	if want.Flat {
		l, name = &model.Reshape{}, v.ref+".flatten"
	}
	w, err := c.add(c.unique(name), l, v)
	if err == nil {
		w.dims, w.sole = v.dims, false
	}
	return w, err
}

// maps returns input i as maps, and the number of its spatial axes, those behind
// images and channels: rows and columns, or columns only, or none. Of more than
// two the last are taken together.
func (c *converter) maps(n *node, i int, least, most int) (*value, int, error) {
	v, err := c.image(n, i)
	if err != nil {
		return nil, 0, err
	}
	axes := len(v.dims) - 2
	if axes < least || axes > most {
		return nil, 0, refuse("input %s has shape %v, want images, channels and %d to %d axes of space", n.inputs[i], v.dims, least, most)
	}
	if v.dims[0] != c.images {
		return nil, 0, refuse("input %s has shape %v, whose first axis is not the images", n.inputs[i], v.dims)
	}
	if v, err = c.array(n, i); err != nil {
		return nil, 0, err
	}
	w, err := c.shaped(v, model.ArrayShape(ints(v.dims[1:])))
	return w, axes, err
}

// constant returns input i, which must be known; nil if it is left out.
func (c *converter) constant(n *node, i int) (*constant, error) {
	v, err := c.arg(n, i)
	if err != nil || v == nil {
		return nil, err
	}
	if v.k == nil {
		if k, ok, err := c.evaluated(v); ok || err != nil {
			if ok {
				c.values[n.inputs[i]] = &value{k: k}
			}
			return k, err
		}
		return nil, refuse("input %s is computed from the picture, want a constant", n.inputs[i])
	}
	return v.k, nil
}

// floats is constant for numbers in floating point.
func (c *converter) floats(n *node, i int) (*constant, error) {
	k, err := c.constant(n, i)
	if err == nil && k != nil && k.f == nil {
		return nil, malformed("input %s is %v, want floats", n.inputs[i], k)
	}
	return k, err
}

// integers returns the numbers of input i or, in older operator sets, of an
// attribute; nil if neither is there. They are about axes, so they are few.
func (c *converter) integers(n *node, i int, attr string) ([]int64, error) {
	return c.integersUpTo(n, i, attr, 2*maxRank)
}

func (c *converter) integersUpTo(n *node, i int, attr string, most int) ([]int64, error) {
	var v []int64
	if a := n.attr(attr); a != nil {
		v = append([]int64{}, a.ints...)
	} else {
		k, err := c.constant(n, i)
		if err != nil || k == nil {
			return nil, err
		}
		if k.i == nil && k.len() > 0 || len(k.dims) > 1 {
			return nil, malformed("input %s is %v, want a list of integers", n.inputs[i], k)
		}
		if k.len() <= most {
			v = append([]int64{}, k.i...)
		}
		if k.len() > most {
			return nil, malformed("%d numbers, want at most %d", k.len(), most)
		}
	}
	if len(v) > most {
		return nil, malformed("%d numbers, want at most %d", len(v), most)
	}
	return v, nil
}

// spend takes n numbers from the budget of constants made at import.
func (c *converter) spend(n int) error {
	if n < 0 || n > c.budget {
		return malformed("constants computed in the graph take too much memory for the file's size")
	}
	c.budget -= n
	return nil
}
