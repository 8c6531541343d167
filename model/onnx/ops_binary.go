package onnx

import (
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
)

// binaryOp is an operation on two values, or of a value and a constant: per
// channel that is a bias if it directly follows the weights, else a normalisation.
func binaryOp(c *converter, n *node) error {
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
		done, err := c.affine(n, i)
		if done || err != nil {
			return err
		}
		if v.k.i != nil && v.k.len() > 0 {
			return wholeNumbers(c, n)
		}
		if vs[i], err = c.legacyBroadcast(n, vs[1-i], v); err != nil {
			return err
		}
	}
	if vs[0].k == nil && vs[1].k == nil {
		return c.two(n, c.name(n), model.BinaryOp(n.op), vs[0], vs[1])
	}
	// A scalar fits any layout.
	for i, v := range vs {
		if v.k != nil && v.k.len() == 1 && len(v.k.dims) <= len(vs[1-i].dims) {
			return c.two(n, c.name(n), model.BinaryOp(n.op), vs[0], vs[1])
		}
	}
	for i := range vs {
		if vs[i].k == nil {
			var err error
			if vs[i], err = c.array(n, i); err != nil {
				return err
			}
		}
	}
	return c.two(n, c.name(n), model.BinaryOp(n.op), vs[0], vs[1])
}

// legacyBroadcast puts a constant's axes where attribute axis wants them, as
// before operator set 7.
func (c *converter) legacyBroadcast(n *node, v, k *value) (*value, error) {
	if c.opset >= 7 || n.int("broadcast", 0) == 0 || !n.has("axis") || v.k != nil {
		return k, nil
	}
	a, err := axis(n.int("axis", 0), len(v.dims))
	if err != nil {
		return nil, err
	}
	if tail := len(v.dims) - a - len(k.k.dims); tail > 0 {
		return &value{k: k.k.with(append(slices.Clone(k.k.dims), slices.Repeat([]int{1}, tail)...))}, nil
	}
	return k, nil
}

// two combines two values element by element, by broadcasting. Both may be maps, arrays or constants; if both
// are maps with the channels last, so is the result.
func (c *converter) two(n *node, name string, op model.BinaryOp, a, b *value) error {
	v, err := c.pair(name, op, a, b)
	if err == nil {
		c.values[n.output()] = v
	}
	return err
}

// pair combines two arrays number by number, one of which may be constant.
func (c *converter) pair(name string, op model.BinaryOp, a, b *value) (*value, error) {
	vs := [2]*value{a, b}
	for i, v := range vs {
		if v.k != nil && v.k.f == nil && v.k.i != nil && slices.Contains([]model.BinaryOp{model.BinaryAdd, model.BinarySub, model.BinaryMul, model.BinaryMax, model.BinaryMin}, op) { // whole numbers stay so
			k, err := c.asFloats(v.k)
			if err != nil {
				return nil, err
			}
			vs[i] = &value{k: k}
		}
	}
	a, b = vs[0], vs[1]
	single := func(v *value) bool { return v.k != nil && v.k.len() == 1 }
	same := a.k == nil && b.k == nil && slices.Equal(a.dims, b.dims) && sameOrder(a.hwc, b.hwc)
	var err error
	if !same && !(single(a) && len(a.k.dims) <= len(b.dims)) && !(single(b) && len(b.k.dims) <= len(a.dims)) {
		for i, v := range vs {
			if v.k == nil {
				if vs[i], err = c.ordered(v); err != nil {
					return nil, err
				}
			}
		}
	}
	if same && vs[0].shape != vs[1].shape {
		if vs[1], err = c.shaped(vs[1], vs[0].shape); err != nil {
			return nil, err
		}
	}
	if same && op == model.BinaryAdd {
		v, err := c.add(name, &model.Add{}, vs[0], vs[1])
		if err == nil {
			v.dims, v.hwc = a.dims, a.hwc
		}
		return v, err
	}
	var dims [2][]int
	for i, v := range vs {
		if dims[i] = ints(v.dims); v.k != nil {
			dims[i] = v.k.dims
		}
	}
	full, err := model.Broadcast(dims[0], dims[1])
	if err != nil {
		return nil, malformed("%v", err)
	}
	own, _, err := c.stripped(vs, dims, len(full), 0)
	if err != nil {
		return nil, err
	}
	// Values as large as the result must be divided into the same maps.
	if vs[0].k == nil && vs[1].k == nil && vs[0].shape.Len() == vs[1].shape.Len() {
		if vs[1], err = c.shaped(vs[1], vs[0].shape); err != nil {
			return nil, err
		}
	}
	l := &model.Binary{Op: op, A: own[0], B: own[1]}
	v, err := c.operate(name, l, &l.Value, &l.First, vs, own)
	if err != nil {
		return nil, err
	}
	v.dims = int64s(full)
	for i := range vs {
		if vs[i].k == nil && vs[i].hwc != nil {
			v.hwc = vs[i].hwc
		}
	}
	return v, nil
}

func sameOrder(a, b *model.Shape) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// variadic combines any number of values, one after the other.
func variadic(c *converter, n *node) error {
	op := map[string]model.BinaryOp{"Sum": model.BinaryAdd, "Mean": model.BinaryAdd, "Max": model.BinaryMax, "Min": model.BinaryMin}[n.op]
	var vs []*value
	for i := range n.inputs {
		v, err := c.arg(n, i)
		if err != nil {
			return err
		}
		if v == nil {
			return malformed("input %d is missing", i)
		}
		if v.k != nil && v.k.f == nil {
			return refuse("it takes %v", v.k)
		}
		vs = append(vs, v)
	}
	if len(vs) == 0 {
		return malformed("no inputs")
	}
	if len(vs) == 1 {
		return identity(c, n)
	}
	// Layers first: a constant is combined with a value.
	slices.SortStableFunc(vs, func(a, b *value) int {
		switch {
		case a.k == nil && b.k != nil:
			return -1
		case a.k != nil && b.k == nil:
			return 1
		}
		return 0
	})
	name := c.name(n)
	same := n.op == "Sum"
	for _, v := range vs {
		same = same && v.k == nil && v.shape == vs[0].shape && slices.Equal(v.dims, vs[0].dims) && sameOrder(v.hwc, vs[0].hwc)
	}
	if same {
		v, err := c.add(name, &model.Add{}, vs...)
		if err == nil {
			v.dims, v.hwc = vs[0].dims, vs[0].hwc
			c.values[n.output()] = v
		}
		return err
	}
	if k := vs[1].k; len(vs) == 2 && k != nil && k.len() == 1 && k.f[0] == 0 && op == model.BinaryMax && len(k.dims) <= len(vs[0].dims) {
		v, err := c.add(name, &model.ReLU{}, vs[0])
		if err == nil {
			v.dims, v.hwc = vs[0].dims, vs[0].hwc
			c.values[n.output()] = v
		}
		return err
	}
	sum := vs[0]
	for i, v := range vs[1:] {
		step := name
		if i < len(vs)-2 || n.op == "Mean" {
			step = c.unique(name + "." + strings.ToLower(string(op)))
		}
		var err error
		if sum, err = c.pair(step, op, sum, v); err != nil {
			return err
		}
	}
	if n.op == "Mean" {
		var err error
		if sum, err = c.pair(name, model.BinaryMul, sum, &value{k: &constant{f: []float32{1 / float32(len(vs))}}}); err != nil {
			return err
		}
	}
	c.values[n.output()] = sum
	return nil
}

// affine makes Add, Sub, Mul or Div of a value and a constant per channel, input
// number which, a bias or a batch normalisation; done is false if it is neither.
func (c *converter) affine(n *node, which int) (done bool, err error) {
	at := 1 - which
	in, err := c.arg(n, at)
	if err != nil || in.k != nil {
		return false, err
	}
	v, err := c.arg(n, which)
	if err != nil {
		return false, err
	}
	k := v.k
	if k.f == nil || !slices.Contains([]string{"Add", "Sub", "Mul", "Div"}, n.op) || n.op == "Div" && at == 1 {
		return false, nil
	}
	per, ok := c.perChannel(n, k, in)
	if !ok {
		return false, nil
	}
	channels := in.shape.C
	value := func(i int) float32 { return per[i%len(per)] }
	// The result is scale*x + shift.
	affine := func(i int) (scale, shift float32) {
		switch n.op {
		case "Add":
			return 1, value(i)
		case "Sub":
			if at == 1 {
				return -1, value(i)
			}
			return 1, -value(i)
		case "Mul":
			return value(i), 0
		}
		return 1 / value(i), 0
	}
	if err := c.spend(4 * channels); err != nil {
		return false, err
	}
	if scale, _ := affine(0); scale == 1 && (n.op == "Add" || n.op == "Sub") {
		if bias := biasOf(c.ownLayer(n, at, in)); bias != nil {
			sum := make([]float32, channels)
			for i := range sum {
				_, shift := affine(i)
				sum[i] = shift
				if *bias != nil {
					sum[i] += (*bias)[i]
				}
			}
			*bias = sum
			c.alias(n, at, in, in.dims)
			return true, nil
		}
	}
	l := &model.BatchNorm{Scale: make([]float32, channels), Shift: make([]float32, channels),
		Mean: make([]float32, channels), Var: slices.Repeat([]float32{1}, channels)}
	for i := range channels {
		l.Scale[i], l.Shift[i] = affine(i)
	}
	w, err := c.add(c.name(n), l, in)
	if err != nil {
		return false, err
	}
	w.dims, w.hwc = in.dims, in.hwc
	c.values[n.output()] = w
	return true, nil
}

func biasOf(l model.Layer) *[]float32 {
	switch l := l.(type) {
	case *model.Conv:
		return &l.Bias
	case *model.ConvTranspose:
		return &l.Bias
	case *model.Dense:
		return &l.Bias
	}
	return nil
}

// perChannel returns a constant that is to be broadcast over v as one number,
// or one for each of v's channels.
func (c *converter) perChannel(n *node, k *constant, v *value) ([]float32, bool) {
	if c.images == 0 || len(v.dims) < 2 || len(v.dims) > 4 || v.dims[0] != c.images {
		return nil, false
	}
	channel := 1
	switch {
	case v.hwc != nil && len(v.dims) == 4:
		channel = 3
	case v.hwc != nil || v.shape != model.ArrayShape(ints(v.dims[1:])):
		return nil, false
	}
	if len(k.dims) < 2 && k.len() == 1 && len(v.dims) < 4 {
		return nil, false // nothing per channel about it
	}
	first := len(v.dims) - len(k.dims) // the axis of v that k's first one meets
	if n.int("broadcast", 0) != 0 && n.has("axis") {
		a, err := axis(n.int("axis", 0), len(v.dims)) // before operator set 7
		if err != nil {
			return nil, false
		}
		first = a
	}
	ok := first >= 0 && first+len(k.dims) <= len(v.dims) && k.len() > 0
	for i, d := range k.dims {
		ok = ok && (d == 1 || first+i == channel && d == v.shape.C)
	}
	return k.f, ok
}
