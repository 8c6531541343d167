package onnx

import (
	"math"

	"github.com/deconvnet/viz/model"
)

// Exporters write some activations as several operators. As one layer they are
// what they were: one function with one slope for projections.

// fuse puts such groups of layers together under the name of the last.
func (c *converter) fuse() {
	f := &fuser{nodes: c.net.Nodes, at: map[string]int{}, readers: map[string]int{}, gone: map[string]bool{}}
	for _, v := range c.ends() {
		f.readers[v.ref]++
	}
	for i, n := range f.nodes {
		f.at[n.Name] = i
		for _, in := range n.Inputs {
			f.readers[in]++
		}
	}
	for i := range f.nodes {
		n := &f.nodes[i]
		f.used = f.used[:0]
		if x, l := f.match(n.Name); l != nil {
			n.Layer, n.Inputs = l, []string{x}
			for _, name := range f.used {
				f.gone[name] = true
			}
		}
	}
	if len(f.gone) == 0 {
		return
	}
	kept := c.net.Nodes[:0]
	clear(c.layers)
	for _, n := range f.nodes {
		if !f.gone[n.Name] {
			c.layers[n.Name] = len(kept)
			kept = append(kept, n)
		}
	}
	c.net.Nodes = kept
}

type fuser struct {
	nodes   []model.Node
	at      map[string]int
	readers map[string]int
	gone    map[string]bool
	used    []string // layers that the group at hand is made of, but for the last
}

func (f *fuser) node(name string) *model.Node {
	i, ok := f.at[name]
	if !ok || f.gone[name] {
		return nil
	}
	return &f.nodes[i]
}

// inner is the layer called name if nothing outside the group reads it.
func (f *fuser) inner(name string) *model.Node {
	n := f.node(name)
	if n == nil || f.readers[name] != 1 {
		return nil
	}
	f.used = append(f.used, name)
	return n
}

// match returns the function that a group ending in the named layer is, and its
// argument.
func (f *fuser) match(name string) (x string, l model.Layer) {
	n := f.node(name)
	if n == nil {
		return "", nil
	}
	try := func(match func() (string, model.Layer)) bool {
		f.used = f.used[:0]
		x, l = match()
		return l != nil
	}
	scale, shift, scaled := affineOf(n.Layer)
	mul, isMul := n.Layer.(*model.Binary)
	switch {
	case isInverse(n.Layer): // 1 / (1+exp(-x))
		try(func() (string, model.Layer) { return f.sigmoid(n.Inputs[0]) })
	case scaled && shift == 0 && near(scale, 0.5): // x (1+erf(x/√2)) / 2
		try(func() (string, model.Layer) {
			p, q, ok := f.product(n.Inputs[0])
			if !ok {
				return "", nil
			}
			return f.either(p, q, func(x, g string) model.Layer { return f.gelu(x, g) })
		})
	case scaled && shift == 0 && near(scale, 1./6): // x clip(x+3, 0, 6) / 6
		try(func() (string, model.Layer) {
			p, q, ok := f.product(n.Inputs[0])
			if !ok {
				return "", nil
			}
			return f.either(p, q, func(x, g string) model.Layer { return f.hardSwish(x, g) })
		})
	case isMul && mul.Op == model.BinaryMul && mul.Value == nil:
		p, q := n.Inputs[0], n.Inputs[1]
		for _, pair := range [][2]string{{p, q}, {q, p}} {
			if try(func() (string, model.Layer) { return pair[0], f.gate(pair[0], pair[1]) }) || try(func() (string, model.Layer) { return f.halfGelu(pair[0], pair[1]) }) {
				return x, l
			}
		}
		return "", nil
	case try(func() (string, model.Layer) { return f.normalised(n) }):
	default:
		try(func() (string, model.Layer) { return f.affineNorm(n) })
	}
	return x, l
}

// isInverse reports whether a layer is 1/x.
func isInverse(l model.Layer) bool {
	switch l := l.(type) {
	case *model.Unary:
		return l.Op == model.UnaryReciprocal
	case *model.Binary:
		return l.Op == model.BinaryDiv && l.First && l.Value != nil && len(l.Value.Data) == 1 && l.Value.Data[0] == 1
	}
	return false
}

// sigmoid is 1+exp(-x) for the named layer.
func (f *fuser) sigmoid(name string) (string, model.Layer) {
	e, ok := f.affine(name, 1, 1)
	if !ok {
		return "", nil
	}
	l, in := f.unary(e, model.UnaryExp)
	if l == nil {
		return "", nil
	}
	used := len(f.used)
	if l, x := f.unary(in, model.UnaryNeg); l != nil {
		return x, &model.Unary{Op: model.UnarySigmoid}
	}
	f.used = f.used[:used]
	if x, ok := f.affine(in, -1, 0); ok {
		return x, &model.Unary{Op: model.UnarySigmoid}
	}
	return "", nil
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-4*math.Abs(b) }

func (f *fuser) either(p, q string, match func(x, g string) model.Layer) (string, model.Layer) {
	used := len(f.used)
	if l := match(p, q); l != nil {
		return p, l
	}
	f.used = f.used[:used]
	return q, match(q, p)
}

// product is the named product of two values.
func (f *fuser) product(name string) (p, q string, ok bool) {
	n := f.inner(name)
	if n == nil {
		return "", "", false
	}
	l, ok := n.Layer.(*model.Binary)
	if !ok || l.Op != model.BinaryMul || l.Value != nil {
		return "", "", false
	}
	return n.Inputs[0], n.Inputs[1], true
}

// affine follows an inner layer that is scale*x + shift.
func (f *fuser) affine(name string, scale, shift float64) (string, bool) {
	n := f.inner(name)
	if n == nil {
		return "", false
	}
	s, t, ok := affineOf(n.Layer)
	return n.Inputs[0], ok && near(s, scale) && (t == shift || near(t, shift))
}

// unary follows an inner function.
func (f *fuser) unary(name string, op model.UnaryOp) (*model.Unary, string) {
	n := f.inner(name)
	if n == nil {
		return nil, ""
	}
	l, ok := n.Layer.(*model.Unary)
	if !ok || l.Op != op {
		return nil, ""
	}
	return l, n.Inputs[0]
}

// gelu is 1+erf(x/√2) for g.
func (f *fuser) gelu(x, g string) model.Layer {
	e, ok := f.affine(g, 1, 1)
	if !ok {
		return nil
	}
	l, in := f.unary(e, model.UnaryErf)
	if l == nil {
		return nil
	}
	if at, ok := f.affine(in, math.Sqrt(0.5), 0); !ok || at != x {
		return nil
	}
	return &model.Unary{Op: model.UnaryGelu}
}

// halfGelu is x/2 times 1+erf(x/√2).
func (f *fuser) halfGelu(half, g string) (string, model.Layer) {
	x, ok := f.affine(half, 0.5, 0)
	if !ok {
		return "", nil
	}
	return x, f.gelu(x, g)
}

// hardSwish is clip(x+3, 0, 6) for g.
func (f *fuser) hardSwish(x, g string) model.Layer {
	n := f.inner(g)
	if n == nil {
		return nil
	}
	if l, ok := n.Layer.(*model.Clip); !ok || l.Min != 0 || l.Max != 6 {
		return nil
	}
	if at, ok := f.affine(n.Inputs[0], 1, 3); !ok || at != x {
		return nil
	}
	return &model.Unary{Op: model.UnaryHardSwish}
}

// gate is a function of x that x is multiplied by.
func (f *fuser) gate(x, g string) model.Layer {
	n := f.inner(g)
	if n == nil {
		return nil
	}
	if s, t, ok := affineOf(n.Layer); ok && t == 0 && near(s, 1./6) {
		return f.hardSwish(x, n.Inputs[0])
	}
	l, ok := n.Layer.(*model.Unary)
	if !ok {
		return nil
	}
	switch {
	case l.Op == model.UnarySigmoid && n.Inputs[0] == x:
		return &model.Unary{Op: model.UnarySwish, Alpha: 1}
	case l.Op == model.UnaryHardSigmoid && n.Inputs[0] == x && near(float64(l.Alpha), 1./6) && l.Beta == 0.5:
		return &model.Unary{Op: model.UnaryHardSwish}
	case l.Op == model.UnaryTanh:
		if p, in := f.unary(n.Inputs[0], model.UnarySoftplus); p != nil && in == x {
			return &model.Unary{Op: model.UnaryMish}
		}
	}
	return nil
}

// affineOf returns a layer that is scale*x + shift with the same two numbers
// everywhere.
func affineOf(l model.Layer) (scale, shift float64, ok bool) {
	switch l := l.(type) {
	case *model.BatchNorm:
		if l.Eps != 0 {
			return 0, 0, false
		}
		for i := range l.Scale {
			if l.Scale[i] != l.Scale[0] || l.Shift[i] != l.Shift[0] || l.Mean[i] != 0 || l.Var[i] != 1 {
				return 0, 0, false
			}
		}
		return float64(l.Scale[0]), float64(l.Shift[0]), true
	case *model.Binary:
		if l.Value == nil || len(l.Value.Data) != 1 {
			return 0, 0, false
		}
		v := float64(l.Value.Data[0])
		switch {
		case l.Op == model.BinaryAdd:
			return 1, v, true
		case l.Op == model.BinarySub && !l.First:
			return 1, -v, true
		case l.Op == model.BinaryMul:
			return v, 0, true
		case l.Op == model.BinaryDiv && !l.First && v != 0:
			return 1 / v, 0, true
		}
	}
	return 0, 0, false
}
