package onnx

import (
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
	w, err := c.pair(c.unique(name+".scaled"), model.BinaryDiv, v, &value{k: k})
	if err != nil {
		return nil, err
	}
	l.Scale, l.Zero = []float32{1}, s.zero[:1]
	x, err := c.add(c.unique(name+".rounded"), l, w)
	if err != nil {
		return nil, err
	}
	x.dims, x.hwc = w.dims, w.hwc
	if x, err = c.pair(name, model.BinaryMul, x, &value{k: k}); err == nil {
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
		if l.Op != model.BinaryAdd {
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
	if by, err := c.computedScale(n, 1); err != nil {
		return err
	} else if by != nil {
		return c.quantisedBy(n, x, by)
	}
	s, err := c.scalingOf(n, 1, 2, dims, n.int("axis", 1), n.int("block_size", 0))
	if err != nil {
		return err
	}
	if to := elemTypeOf(uint64(n.int("output_dtype", 0))); to != 0 && len(n.inputs) < 3 {
		s.typ = to
	}
	if s.typ.float8() && n.int("saturate", 1) == 0 {
		return refuse("values beyond the range of %v become infinite or no numbers", s.typ)
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
	if by, err := c.computedScale(n, scale); err != nil {
		return nil, nil, err
	} else if by != nil {
		v, err := c.scaledBy(n, i, zero, by, ax)
		return v, nil, err
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
		w, err := c.add(c.unique(c.layerName(n)+".real"), &model.Unary{Op: model.UnaryAffine, Alpha: s.scale[0], Beta: -s.zero[0] * s.scale[0]}, x)
		if err == nil {
			w.dims, w.hwc = x.dims, x.hwc
		}
		return w, err
	}
	for _, step := range []struct {
		op model.BinaryOp
		by []float32
	}{{model.BinarySub, s.zero}, {model.BinaryMul, s.scale}} {
		k, err := c.over(s, step.by, len(x.dims))
		if err != nil {
			return nil, err
		}
		if s.block > 0 {
			k.dims = ints(x.dims)
		}
		if x, err = c.pair(c.unique(c.layerName(n)+"."+string(step.op)), step.op, x, &value{k: k}); err != nil {
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
