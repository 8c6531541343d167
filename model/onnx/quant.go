package onnx

import (
	"math"
	"slices"
)

// Quantised networks are read as float layers. A value that the graph holds as
// small integers q is kept as the numbers (q-zero)*scale that they stand for,
// and its scaling beside it: a QuantizeLinear is a layer that rounds, a
// DequantizeLinear of the same scaling is nothing at all, and the operators on
// integers are those on floats with a rounding layer behind. Constants are
// dequantised straight from the file.

// scaling says which numbers integers stand for: one scale and zero for all, one
// for each index of an axis, or one for each block along it.
type scaling struct {
	typ         elemType
	scale, zero []float32 // zero: as many as scale
	size, inner int       // of the axis, and of what is behind it
	block       int       // how many share one along the axis; 0: the axis has one for each index
	axis        int
	dynamic     string // the value whose extremes make the scale; scale and zero are not known
}

// at is the index of the scale of number i of the array.
func (s *scaling) at(i int) int {
	switch {
	case len(s.scale) == 1:
		return 0
	case s.block == 0:
		return i / s.inner % s.size
	}
	blocks := (s.size + s.block - 1) / s.block
	row := i / (s.inner * s.size)
	return (row*blocks+i/s.inner%s.size/s.block)*s.inner + i%s.inner
}

func (s *scaling) real(i int, q float32) float32 {
	k := s.at(i)
	return (q - s.zero[k]) * s.scale[k]
}

// same reports whether two scalings read integers as the same numbers.
func (s *scaling) same(t *scaling) bool {
	if s.dynamic != "" || t.dynamic != "" {
		return s.dynamic == t.dynamic
	}
	if !slices.Equal(s.scale, t.scale) || !slices.Equal(s.zero, t.zero) {
		return false
	}
	return len(s.scale) == 1 || s.axis == t.axis && s.size == t.size && s.inner == t.inner && s.block == t.block
}

// scalingOf reads the scale and zero point of an array of dims from inputs scale
// and zero of a node. A list of scales is along the axis.
func (c *converter) scalingOf(n *node, scale, zero int, dims []int, ax int64, block int64) (*scaling, error) {
	k, err := c.floats(n, scale)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, malformed("input %d, the scale, is missing", scale)
	}
	for _, v := range k.f {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return nil, malformed("scale %s holds %g, want numbers above 0", n.inputs[scale], v)
		}
	}
	z, err := c.constant(n, zero)
	if err != nil {
		return nil, err
	}
	if k.len() == 1 && z != nil && len(z.dims) == 1 && z.len() > 1 && z.len() <= maxSize { // a zero each with one scale
		k = &constant{dims: z.dims, f: slices.Repeat(k.f, z.len())}
	}
	s := &scaling{typ: typeUint8, scale: k.f, inner: 1, size: 1}
	if err := s.along(k.dims, dims, ax, block); err != nil {
		return nil, err
	}
	if z == nil {
		s.zero = make([]float32, len(s.scale))
		return s, nil
	}
	if z.len() != k.len() && z.len() != 1 {
		return nil, malformed("zero point %s is %v for scales of %v", n.inputs[zero], z, k.dims)
	}
	if z.typ != 0 {
		s.typ = z.typ
	}
	s.zero = make([]float32, len(s.scale))
	for i := range s.zero {
		s.zero[i] = float32(z.at(i % z.len()))
	}
	return s, nil
}

// along checks that scales of the given dims fit an array, and sets their axis.
func (s *scaling) along(of, dims []int, ax, block int64) error {
	switch {
	case len(s.scale) == 1 && len(of) < 2:
		return nil
	case len(s.scale) == 0:
		return malformed("the scale is empty")
	}
	if ax < 0 && len(of) == 1 && len(dims) == 1 {
		ax = 0
	}
	a, err := axis(ax, len(dims))
	if err != nil {
		return err
	}
	s.axis, s.size, s.inner = a, dims[a], product(dims[a+1:])
	if len(of) < 2 {
		if len(s.scale) != s.size {
			return malformed("%d scales for axis %d of %v", len(s.scale), a, dims)
		}
		return nil
	}
	if len(s.scale) == 1 && block == 0 {
		return nil
	}
	if len(of) == len(dims) && block == 0 && product(of) == of[a] && of[a] == s.size {
		return nil
	}
	if block <= 0 && of[a] > 0 {
		block = int64((s.size + of[a] - 1) / of[a])
	}
	want := slices.Clone(dims)
	if block > 0 && block <= maxSize {
		s.block = int(block)
		want[a] = (s.size + s.block - 1) / s.block
	}
	if !slices.Equal(of, want) {
		return malformed("scales are %v, want %v for blocks of %d along axis %d of %v", of, want, block, a, dims)
	}
	return nil
}

// dimsIn are the dims of input i, of an initialiser without reading it.
func (c *converter) dimsIn(n *node, i int) ([]int, error) {
	if t := c.unread(n, i); t != nil {
		return ints(t.dims), nil
	}
	v, err := c.arg(n, i)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, malformed("input %d is missing", i)
	case v.k != nil:
		return v.k.dims, nil
	}
	return ints(v.dims), nil
}

// unread is input i if it is an initialiser that nothing has decoded yet.
func (c *converter) unread(n *node, i int) *tensorProto {
	if i >= len(n.inputs) || c.values[n.inputs[i]] != nil {
		return nil
	}
	return c.tensors[n.inputs[i]]
}

// dequantised returns constant input i of a node as the numbers it stands for;
// nil if it is computed from the picture. An initialiser goes straight from the
// file to floats.
func (c *converter) dequantised(n *node, i int, s *scaling) (*constant, error) {
	if t := c.unread(n, i); t != nil {
		if c.streamed[t.name] {
			if err := c.spend(int(min(t.elements()/2, math.MaxInt32))); err != nil { // half of what integers take
				return nil, err
			}
		}
		c.streamed[t.name] = true
		k := &constant{typ: typeFloat}
		put := func(int, uint64) {}
		err := t.numbers(c.src, func(dims []int, n int) []float32 {
			if k.dims = dims; n >= worthPacking && len(dims) > 1 {
				k.packed = s.packed(t.typ, n)
			}
			if k.packed != nil {
				c.quantised = true
				put = packer(k.packed, t.typ)
			} else {
				k.f = make([]float32, n)
			}
			return nil
		}, func(i int, bits uint64) {
			if k.f == nil {
				put(i, bits)
				return
			}
			q := float32(0)
			if t.typ.floating() {
				q = t.typ.float(bits)
			} else {
				q = float32(t.typ.int(bits))
			}
			k.f[i] = s.real(i, q)
		})
		if err != nil {
			return nil, malformed("initialiser %s: %v", t.name, err)
		}
		c.earn(t)
		return k, nil
	}
	v, err := c.arg(n, i)
	if err != nil || v == nil || v.k == nil {
		return nil, err
	}
	if v.q != nil && v.q.same(s) {
		return v.k, nil
	}
	k, err := c.integersOf(v)
	if err != nil {
		return nil, err
	}
	if err := c.spend((k.len() + 1) / 2); err != nil {
		return nil, err
	}
	out := &constant{dims: k.dims, typ: typeFloat, f: make([]float32, k.len())}
	for i := range out.f {
		out.f[i] = s.real(i, float32(k.at(i)))
	}
	return out, nil
}

// integersOf is a constant as the integers that the graph sees.
func (c *converter) integersOf(v *value) (*constant, error) {
	if v.q == nil {
		return v.k, nil
	}
	out := &constant{dims: v.k.dims, typ: v.q.typ}
	if v.q.typ.float8() {
		if err := c.spend((v.k.len() + 1) / 2); err != nil {
			return nil, err
		}
		out.f = make([]float32, v.k.len())
		for i, x := range v.k.f {
			out.f[i] = x / v.q.scale[v.q.at(i)]
		}
		return out, nil
	}
	if err := c.spend(v.k.len()); err != nil {
		return nil, err
	}
	out.i = make([]int64, v.k.len())
	for i, x := range v.k.f {
		k := v.q.at(i)
		out.i[i] = int64(math.RoundToEven(float64(x/v.q.scale[k])) + float64(v.q.zero[k]))
	}
	return out, nil
}

// elements is the number that a tensor claims to have, at most MaxInt32.
func (t *tensorProto) elements() int64 {
	n := int64(1)
	for _, d := range t.dims {
		switch {
		case d <= 0:
			return 0
		case d > math.MaxInt32/n:
			return math.MaxInt32
		}
		n *= d
	}
	return n
}
