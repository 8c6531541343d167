package backward

import (
	"fmt"

	"github.com/deconvnet/viz/model"
)

// Layers that choose numbers. What is chosen gets the signal, what it is chosen by
// does not: indices and truth values jump.

// ends reports whether a signal at a layer goes no further through its input
// number which: the layer's value does not vary smoothly with it, or not at all.
// What lies below need not let signals through.
func ends(l model.Layer, which int) bool {
	switch l := l.(type) {
	case *model.Constant, *model.Hardmax, *model.OneHot:
		return true
	case *model.Binary:
		return l.Level()
	case *model.Unary:
		return l.Level()
	case *model.Lookup, *model.Scatter:
		return which == 1
	case *model.Where:
		return which == 0 && l.Mask == nil
	}
	return false
}

func describeIndexed(l model.Layer) (string, error) {
	switch l.(type) {
	case *model.Where, *model.TopK, *model.Lookup, *model.Scatter:
		return "to the place it is from", nil
	case *model.CumSum:
		return "transpose", nil
	case *model.GridSample:
		return "gradient", nil
	case *model.Hardmax, *model.OneHot:
		return "ends here", nil
	}
	return "", fmt.Errorf("no rule for layer kind %s", l.Kind())
}

func refusesIndexed(l model.Layer) error {
	switch l := l.(type) {
	case *model.TopK:
		if l.Places {
			return fmt.Errorf("places of the largest do not vary smoothly with the input")
		}
	case *model.Scatter:
		if l.Reduction != model.ScatterSet && l.Reduction != model.ScatterAdd {
			return fmt.Errorf("no rule leads through a scatter with the reduction %s", l.Reduction)
		}
	}
	return nil
}

// readsIndexed reports whether a rule needs the layer's inputs.
func readsIndexed(l model.Layer) bool {
	switch l.(type) {
	case *model.Where, *model.TopK, *model.Lookup, *model.Scatter, *model.GridSample:
		return true
	}
	return false
}

// indexed takes the signal g of a whole value down to input number which.
func (d *solo) indexed(n *model.Node, which int, dst, g []float32) error {
	ins := make([][]float32, len(n.Inputs))
	if readsIndexed(n.Layer) {
		var err error
		for i, name := range n.Inputs {
			if ins[i], err = d.value(name, d.t.Shapes[name].Box()); err != nil {
				return err
			}
		}
	}
	switch l := n.Layer.(type) {
	case *model.Where:
		whereGrad(l, which, dst, g, ins)
	case *model.TopK:
		l.Visit(ins[0], func(i, j int) { dst[j] = g[i] })
	case *model.CumSum:
		l.Sum(dst, g, !l.Reverse)
	case *model.Lookup:
		if which == 0 {
			return model.VisitIndexed(l.Op, l.Data, l.Index, l.Axis, ins[1], func(i, j int) { dst[j] += g[i] })
		}
	case *model.GridSample:
		gridGrad(l, which, dst, g, ins, d.t.Shapes[n.Inputs[0]])
	case *model.Scatter:
		return scatterGrad(l, which, dst, g, ins[1])
	default:
		return fmt.Errorf("no rule for layer kind %s", l.Kind())
	}
	return nil
}

func whereGrad(l *model.Where, which int, dst, g []float32, ins [][]float32) {
	mask, _, _ := l.Operands(ins)
	// Which of the three arrays the input is.
	operand := which
	for i, constant := range []bool{l.Mask != nil, l.X != nil, l.Y != nil} {
		if constant && i <= operand {
			operand++
		}
	}
	l.Visit(func(i, m, a, b int) {
		switch {
		case operand == 1 && mask[m] != 0:
			dst[a] += g[i]
		case operand == 2 && mask[m] == 0:
			dst[b] += g[i]
		}
	})
}

func scatterGrad(l *model.Scatter, which int, dst, g, index []float32) error {
	visit := func(do func(i, j int)) error {
		return model.VisitIndexed(l.Op, l.Data, l.Index, l.Axis, index, do)
	}
	switch {
	case which == 0:
		copy(dst, g)
		if l.Reduction == model.ScatterSet {
			return visit(func(_, j int) { dst[j] = 0 })
		}
	case which == 2 && l.Reduction == model.ScatterAdd:
		return visit(func(i, j int) { dst[i] = g[j] })
	case which == 2: // of several at one place the last stays
		last := map[int]int{}
		if err := visit(func(i, j int) { last[j] = i }); err != nil {
			return err
		}
		for j, i := range last {
			dst[i] = g[j]
		}
	}
	return nil
}

// gridGrad takes a signal to the maps or, by how the weights change, to the grid.
func gridGrad(l *model.GridSample, which int, dst, g []float32, ins [][]float32, in model.Shape) {
	size, plane := l.Out[0]*l.Out[1], in.H*in.W
	l.Visit(ins[1], in.H, in.W, func(p, j int, w, dx, dy float64) {
		for c := range in.C {
			v := float64(g[c*size+p])
			if which == 0 {
				dst[c*plane+j] += float32(v * w)
				continue
			}
			v *= float64(ins[0][c*plane+j])
			dst[2*p] += float32(v * dx)
			dst[2*p+1] += float32(v * dy)
		}
	})
}
