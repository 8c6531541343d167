package onnx

import (
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

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
