package backward

import (
	"fmt"
	"math"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
)

// describeArray is Describe for the layers on arrays. Linear ones are transposed;
// functions other than rectifiers multiply the signal by their slope, under every
// rule, as a leaky rectifier does.
func (r Rule) describeArray(l model.Layer) (string, error) {
	switch l := l.(type) {
	case *model.Unary:
		if l.Level() {
			return "ends here", nil
		}
		return "g times the forward slope", nil
	case *model.Quantize:
		if r.isPaper() {
			return "pass", nil
		}
		return "g inside the type's range", nil
	case *model.Binary:
		switch {
		case l.Level():
			return "ends here", nil
		case l.Op == model.BinaryAdd || l.Op == model.BinarySub:
			return "copy to each input", nil
		case l.Op == model.BinaryPRelu:
			return "g times the forward slope", nil
		}
		return "g times the slope by each input", nil
	case *model.MatMul, *model.ConvTranspose, *model.Rearrange, *model.AlongAxis:
		return "transpose", nil
	case *model.Pool:
		if l.MaxOfMaps() {
			return "unpool with switches", nil
		}
		return map[model.PoolOp]string{model.PoolMax: "to the first place of the maximum", model.PoolAverage: "transpose", model.PoolLp: "gradient"}[l.Op], nil
	case *model.Reduce:
		switch l.Op {
		case model.ReduceSum, model.ReduceMean:
			return "transpose", nil
		case model.ReduceMax, model.ReduceMin:
			return "to the first place of the " + string(l.Op) + "imum", nil
		}
		return "gradient", nil
	case *model.GroupNorm, *model.Normalize:
		if r == Gradient {
			return "gradient", nil
		}
		return "times scale/sqrt(var+eps)", nil
	case *model.Constant:
		return "ends here", nil
	}
	return describeIndexed(l)
}

// refusesArray is refuses for the layers on arrays.
func (r Rule) refusesArray(l model.Layer) error {
	switch l := l.(type) {
	case *model.Unary:
		if _, ok := l.Slope(); !ok {
			return fmt.Errorf("%s has no slope to take a signal down by", l.Op)
		}
	case *model.Pool:
		if l.Op == model.PoolArgmax {
			return fmt.Errorf("places of maxima do not vary smoothly with the input")
		}
	case *model.Reduce:
		if l.Op == model.ReduceArgMax || l.Op == model.ReduceArgMin {
			return fmt.Errorf("no rule for the reduction %s", l.Op)
		}
	}
	return refusesIndexed(l)
}

// readsArray is reads for the layers on arrays.
func (r Rule) readsArray(l model.Layer) (in, out bool) {
	switch l := l.(type) {
	case *model.Unary:
		return true, true
	case *model.Quantize:
		return !r.isPaper(), false
	case *model.Binary:
		return l.Op != model.BinaryAdd && l.Op != model.BinarySub && !l.Level(), false
	case *model.MatMul:
		return l.Value == nil, false
	case *model.Pool:
		return l.Op != model.PoolAverage && !l.MaxOfMaps(), l.Op == model.PoolLp
	case *model.Reduce:
		linear := l.Op == model.ReduceSum || l.Op == model.ReduceMean
		return !linear, !linear
	case *model.GroupNorm, *model.Normalize:
		return true, false
	}
	return readsIndexed(l), false
}

// solo is a way down of one unit, for layers that do not take many at once.
type solo struct {
	p     *Pass
	t     *model.Trace
	image int
}

// value returns the box of a node's value in the trace as [C][h][w].
func (d *solo) value(name string, box model.Box) ([]float32, error) {
	v := d.t.Value(name)
	if v == nil {
		return nil, fmt.Errorf("the trace does not hold the value of %s", name)
	}
	s := d.t.Shapes[name]
	return cut(v.Data[d.image*s.Len():(d.image+1)*s.Len()], s.Box(), box, s.C), nil
}

// array takes the signal g down through one of the layers on arrays, to its
// input number which, whose shape is in; box is the part of it that matters. All
// but functions of single numbers and transposed convolutions work on whole maps.
func (d *solo) array(n *model.Node, which int, box model.Box, g []float32, gbox model.Box) ([]float32, error) {
	name := n.Inputs[which]
	in, out := d.t.Shapes[name], d.t.Shapes[n.Name]
	dst := make([]float32, in.C*box.Area())
	switch l := n.Layer.(type) {
	case *model.Unary:
		x, err := d.value(name, gbox)
		if err != nil {
			return nil, err
		}
		y, err := d.value(n.Name, gbox)
		if err != nil {
			return nil, err
		}
		l.ApplySlope(d.p.engine, dst, g, x, y)
		return dst, nil
	case *model.Quantize:
		put(dst, box, g, gbox, in.C)
		if d.p.rule.isPaper() {
			return dst, nil
		}
		x, err := d.value(name, box)
		if err != nil {
			return nil, err
		}
		for i := range dst {
			if !l.Inside(x[i], i/max(box.Area(), 1)) {
				dst[i] = 0
			}
		}
		return dst, nil
	case *model.Normalize:
		if l.OnChannels(in) && box == gbox { // each place by itself
			x, err := d.value(name, gbox)
			if err != nil {
				return nil, err
			}
			part := *l
			part.From, part.Inner = []int{in.C, gbox.H(), gbox.W()}, gbox.Area()
			d.normalize(&part, dst, g, x)
			return dst, nil
		}
	case *model.ConvTranspose:
		if l.Maps() {
			kernel.Of(d.p.engine).ConvForward(d.p.up(n.Name, l), 1, dst, box, g, gbox, noEpilogue)
			return dst, nil
		}
	case *model.Constant:
		return dst, nil
	}
	full := make([]float32, out.Len())
	put(full, out.Box(), g, gbox, out.C)
	whole := make([]float32, in.Len())
	if err := d.wholeArray(n, which, whole, full); err != nil {
		return nil, err
	}
	put(dst, box, whole, in.Box(), in.C)
	return dst, nil
}

func (d *solo) wholeArray(n *model.Node, which int, dst, g []float32) error {
	switch l := n.Layer.(type) {
	case *model.Binary:
		return d.binary(n, l, which, dst, g)
	case *model.MatMul:
		return d.matMul(n, l, which, dst, g)
	case *model.Rearrange:
		l.Visit(func(i, j int) { dst[j] += g[i] })
	case *model.AlongAxis:
		l.Visit(func(i, j int, w float32) {
			if j >= 0 {
				dst[j] += float32(g[i] * w)
			}
		})
	case *model.Reshape:
		copy(dst, g)
	case *model.Concat:
		var ins []model.Shape
		for _, name := range n.Inputs {
			ins = append(ins, d.t.Shapes[name])
		}
		l.Split(dst, g, ins, which)
	case *model.Reduce:
		return d.reduced(n, l, dst, g)
	case *model.Conv:
		out, _ := l.Dims()
		planes := planewise(l.Window(model.Shape{}), l.Weight, out[1:], l.Groups)
		planes.Data(kernel.Of(d.p.engine), d.p.planes(n.Name, planes, l.Weight, true), dst, g)
	case *model.ConvTranspose:
		back, _ := l.Window(model.Shape{})
		planes := planewise(back, l.Weight, l.From[1:], l.Groups)
		planes.Forward(kernel.Of(d.p.engine), d.p.planes(n.Name, planes, l.Weight, false), noEpilogue, dst, g)
	case *model.Pool:
		return d.pooled(n, l, dst, g)
	case *model.GroupNorm, *model.Normalize:
		x, err := d.all(n.Inputs[which])
		if err != nil {
			return err
		}
		d.norm(l, dst, g, x, d.t.Shapes[n.Inputs[which]])
	case *model.Softmax:
		y, err := d.all(n.Name)
		if err != nil {
			return err
		}
		softmaxGrad(kernel.Axis{Outer: l.Outer, Size: l.Size, Inner: l.Inner}, l.Log, dst, g, y)
	default:
		return d.indexed(n, which, dst, g)
	}
	return nil
}

// all is the whole value of a node in the trace.
func (d *solo) all(name string) ([]float32, error) { return d.value(name, d.t.Shapes[name].Box()) }

// binary takes the signal down to one operand. Sums do not ask for values, which the
// trace need not hold.
func (d *solo) binary(n *model.Node, l *model.Binary, which int, dst, g []float32) error {
	second := which == 1 || l.Value != nil && l.First
	first, other := l.Slopes()
	if l.Op == model.BinaryAdd || l.Op == model.BinarySub {
		l.Visit(func(i, a, b int) {
			if second {
				dst[b] += float32(g[i] * other(0, 0))
			} else {
				dst[a] += g[i]
			}
		})
		return nil
	}
	x, y, err := d.operands(n, l.Value == nil, l.First, func() []float32 { return l.Value.Data })
	if err != nil {
		return err
	}
	l.Visit(func(i, a, b int) {
		switch {
		case g[i] == 0:
		case second:
			dst[b] += float32(g[i] * other(x[a], y[b]))
		default:
			dst[a] += float32(g[i] * first(x[a], y[b]))
		}
	})
	return nil
}

// matMul takes the signal down to one of the matrices. With a constant there, only
// that is read.
func (d *solo) matMul(n *model.Node, l *model.MatMul, which int, dst, g []float32) (err error) {
	second := which == 1 || l.Value != nil && l.First
	var x, y []float32
	if l.Value != nil {
		x = l.Value.Floats()
		y = x
	} else if x, y, err = d.operands(n, true, false, nil); err != nil {
		return err
	}
	d.product(l, second, dst, g, x, y)
	return nil
}

// operands are the values of both operands of a node, one of which may be constant.
func (d *solo) operands(n *model.Node, two, first bool, constant func() []float32) (a, b []float32, err error) {
	v := make([][]float32, len(n.Inputs))
	for i, name := range n.Inputs {
		if v[i], err = d.value(name, d.t.Shapes[name].Box()); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case two:
		return v[0], v[1], nil
	case first:
		return constant(), v[0], nil
	}
	return v[0], constant(), nil
}

func (d *solo) reduced(n *model.Node, l *model.Reduce, dst, g []float32) error {
	count := float32(len(dst) / len(g))
	switch l.Op {
	case model.ReduceSum:
		l.Visit(func(i, j int) { dst[j] = g[i] })
		return nil
	case model.ReduceMean:
		l.Visit(func(i, j int) { dst[j] = g[i] / count })
		return nil
	}
	x, err := d.all(n.Inputs[0])
	if err != nil {
		return err
	}
	y, err := d.all(n.Name)
	if err != nil {
		return err
	}
	if l.Op == model.ReduceProd {
		prodGrad(l, dst, g, x)
		return nil
	}
	done := make([]bool, len(g))
	l.Visit(func(i, j int) {
		switch l.Op {
		case model.ReduceMax, model.ReduceMin:
			if !done[i] && x[j] == y[i] {
				done[i], dst[j] = true, g[i]
			}
		case model.ReduceL1:
			dst[j] = float32(math.Copysign(float64(g[i]), float64(g[i])*float64(x[j])))
		case model.ReduceL2:
			if y[i] != 0 {
				dst[j] = g[i] * x[j] / y[i]
			}
		case model.ReduceSumSquare:
			dst[j] = 2 * g[i] * x[j]
		case model.ReduceLogSum:
			dst[j] = g[i] / float32(exact.Exp(float64(y[i])))
		case model.ReduceLogSumExp:
			dst[j] = g[i] * float32(exact.Exp(float64(x[j]-y[i])))
		}
	})
	return nil
}

// prodGrad gives each factor the product of the others, zeros among them.
func prodGrad(l *model.Reduce, dst, g, x []float32) {
	zeros, product := make([]int, len(g)), make([]float64, len(g)) // of those that are not 0
	for i := range product {
		product[i] = 1
	}
	l.Visit(func(i, j int) {
		if x[j] == 0 {
			zeros[i]++
		} else {
			product[i] *= float64(x[j])
		}
	})
	l.Visit(func(i, j int) {
		switch {
		case zeros[i] == 0:
			dst[j] = float32(float64(g[i]) * product[i] / float64(x[j]))
		case zeros[i] == 1 && x[j] == 0:
			dst[j] = float32(float64(g[i]) * product[i])
		}
	})
}

// pooled sends each window's signal back to its places.
func (d *solo) pooled(n *model.Node, l *model.Pool, dst, g []float32) error {
	var x, y []float32
	var err error
	if l.Op != model.PoolAverage {
		if x, err = d.all(n.Inputs[0]); err != nil {
			return err
		}
	}
	switch w := l.Windows(d.t.Shapes[n.Inputs[0]]); l.Op {
	case model.PoolMax:
		for i, j := range w.Best(x) {
			if j >= 0 {
				dst[j] += g[i]
			}
		}
	case model.PoolAverage:
		w.Visit(func(i, j, count int) { dst[j] += g[i] / float32(count) })
	default:
		if y, err = d.all(n.Name); err != nil {
			return err
		}
		w.Visit(func(i, j, _ int) {
			if g[i] != 0 && y[i] != 0 {
				r := exact.Pow(math.Abs(float64(x[j]/y[i])), float64(l.P-1))
				dst[j] += float32(g[i] * float32(math.Copysign(r, float64(x[j]))))
			}
		})
	}
	return nil
}

// softmaxGrad is dx_i = y_i (g_i - sum_j g_j y_j), for a logarithm g_i - exp(y_i) sum_j g_j.
func softmaxGrad(axis kernel.Axis, log bool, dst, g, y []float32) {
	outer, size, inner := axis.Outer, axis.Size, axis.Inner
	for o := range outer {
		for x := range inner {
			at := o*size*inner + x
			var dot, sum float64
			for i := range size {
				dot += float64(float64(g[at+i*inner]) * float64(y[at+i*inner]))
				sum += float64(g[at+i*inner])
			}
			for i := range size {
				j := at + i*inner
				if log {
					dst[j] = float32(float64(g[j]) - float64(exact.Exp(float64(y[j]))*sum))
				} else {
					dst[j] = float32(float64(y[j]) * (float64(g[j]) - dot))
				}
			}
		}
	}
}
