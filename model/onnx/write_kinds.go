package onnx

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// binary writes an operation on two numbers. Truth values are numbers here, and a
// type of their own in ONNX.
func (e *exporter) binary(n *model.Node, l *model.Binary) error {
	vs, err := e.operands(n, l.A, l.B, l.Value, l.First)
	if err != nil {
		return err
	}
	switch {
	case slices.Contains([]model.BinaryOp{model.BinaryAnd, model.BinaryOr, model.BinaryXor}, l.Op):
		for i := range vs {
			vs[i] = e.cast(n, vs[i], typeBool)
		}
		fallthrough
	case l.Level():
		e.finish(n, e.cast(n, e.step(n, string(l.Op), vs), typeFloat))
	case l.Op == model.BinaryFmod:
		e.finish(n, e.step(n, "Mod", vs, attrInt("fmod", 1)))
	case l.Op == model.BinaryMod: // ONNX knows the sign of the divisor for whole numbers only
		whole := e.step(n, "Floor", []string{e.step(n, "Div", vs)})
		e.finish(n, e.step(n, "Sub", []string{vs[0], e.step(n, "Mul", []string{whole, vs[1]})}))
	default:
		e.finish(n, e.step(n, string(l.Op), vs))
	}
	return nil
}

func (e *exporter) cast(n *model.Node, value string, to elemType) string {
	return e.step(n, "Cast", []string{value}, attrInt("to", int64(to)))
}

// indexed writes layers that choose numbers, and normalisations over any axes.
func (e *exporter) indexed(n *model.Node) error {
	in := n.Inputs
	switch l := n.Layer.(type) {
	case *model.Normalize:
		e.normalize(n, l)
	case *model.Where:
		e.where(n, l)
	case *model.CumSum:
		e.finish(n, e.step(n, "CumSum", []string{e.view(n, in[0], l.Outer, l.Size, l.Inner), e.ints("axis", 2)},
			attrInt("exclusive", bit(l.Exclusive)), attrInt("reverse", bit(l.Reverse))))
	case *model.Hardmax:
		e.finish(n, e.step(n, "Hardmax", []string{e.view(n, in[0], l.Outer, l.Size, l.Inner)}, attrInt("axis", 2)))
	case *model.OneHot:
		places := e.cast(n, e.view(n, in[0], l.From...), typeInt64)
		values := e.floats(n.Name+".values", []int{2}, []float32{l.Off, l.On})
		e.finish(n, e.step(n, "OneHot", []string{places, e.ints("depth", l.Depth), values}, attrInt("axis", int64(l.Axis+1))))
	case *model.TopK:
		values, places := e.fresh(n.Name+"/values"), e.fresh(n.Name+"/places")
		e.node("TopK", []string{e.view(n, in[0], l.From...), e.ints("k", l.K)}, []string{values, places},
			attrInt("axis", int64(l.Axis+1)), attrInt("largest", bit(!l.Smallest)))
		if l.Places {
			values = e.cast(n, places, typeFloat)
		}
		e.finish(n, values)
	case *model.Lookup:
		data, places := e.view(n, in[0], l.Data...), e.cast(n, e.view(n, in[1], l.Index...), typeInt64)
		switch l.Op {
		case model.IndexElements:
			e.finish(n, e.step(n, "GatherElements", []string{data, places}, attrInt("axis", int64(l.Axis+1))))
		case model.IndexND:
			e.finish(n, e.step(n, "GatherND", []string{data, places}, attrInt("batch_dims", int64(l.Axis+1))))
		default:
			return fmt.Errorf("ONNX takes whole slices by indices that are the same for all images only")
		}
	case *model.Scatter:
		if l.Op != model.IndexElements || l.Reduction != model.ScatterSet && e.opset < 18 {
			return fmt.Errorf("ONNX scatters number by number, with a reduction from operator set 18 on")
		}
		data, places := e.view(n, in[0], l.Data...), e.cast(n, e.view(n, in[1], l.Index...), typeInt64)
		attrs := [][]byte{attrInt("axis", int64(l.Axis+1))}
		if l.Reduction != model.ScatterSet {
			attrs = append(attrs, attrText("reduction", string(l.Reduction)))
		}
		e.finish(n, e.step(n, "ScatterElements", []string{data, places, e.view(n, in[2], l.Index...)}, attrs...))
	case *model.GridSample:
		return e.gridSample(n, l)
	default:
		return fmt.Errorf("layer kind %s is not known", n.Layer.Kind())
	}
	return nil
}

func (e *exporter) gridSample(n *model.Node, l *model.GridSample) error {
	if e.opset < 16 {
		return fmt.Errorf("sampling at a grid is in ONNX from operator set 16 on: ask for that")
	}
	mode := string(l.Mode)
	if e.opset < 20 && l.Mode != model.GridNearest {
		mode = map[model.GridMode]string{model.GridLinear: "bilinear", model.GridCubic: "bicubic"}[l.Mode]
	}
	e.node("GridSample", []string{n.Inputs[0], e.view(n, n.Inputs[1], l.Out[0], l.Out[1], 2)}, []string{n.Name},
		attrText("mode", mode), attrText("padding_mode", string(l.Padding)), attrInt("align_corners", bit(l.Align)))
	return nil
}

// where writes a choice; axes of 1 line the three arrays up at the end.
func (e *exporter) where(n *model.Node, l *model.Where) {
	all := [][]int{l.M, l.A, l.B}
	rank := max(len(l.M), len(l.A), len(l.B))
	var ins []string
	next := 0
	for i, t := range []*tensor.Tensor{l.Mask, l.X, l.Y} {
		full := append(slices.Repeat([]int{1}, rank-len(all[i])), all[i]...)
		v := ""
		if t != nil {
			v = e.floats(n.Name+[]string{".mask", ".x", ".y"}[i], append([]int{1}, full...), t.Data)
		} else {
			v = e.view(n, n.Inputs[next], full...)
			next++
		}
		if i == 0 {
			v = e.cast(n, v, typeBool)
		}
		ins = append(ins, v)
	}
	e.finish(n, e.step(n, "Where", ins))
}

// normalize writes a normalisation as the operations it is made of.
func (e *exporter) normalize(n *model.Node, l *model.Normalize) {
	x := e.view(n, n.Inputs[0], l.From...)
	var axes []int
	for _, a := range l.Axes {
		axes = append(axes, a+1)
	}
	over := func(op, v string) string {
		if op == "ReduceSum" || e.opset >= 18 { // axes are an input
			return e.step(n, op, []string{v, e.ints("axes", axes...)})
		}
		return e.step(n, op, []string{v}, attrInts("axes", axes...))
	}
	two := func(op, a, b string) string { return e.step(n, op, []string{a, b}) }
	eps := e.number(n.Name+".eps", l.Eps)
	if l.Op == model.NormStandard || l.Op == model.NormSpread {
		x = two("Sub", x, over("ReduceMean", x))
	}
	var by string
	switch l.Op {
	case model.NormL1:
		by = over("ReduceSum", e.step(n, "Abs", []string{x}))
	case model.NormL2:
		by = e.step(n, "Sqrt", []string{over("ReduceSum", two("Mul", x, x))})
	case model.NormSpread:
		by = two("Add", e.step(n, "Sqrt", []string{over("ReduceMean", two("Mul", x, x))}), eps)
	default:
		by = e.step(n, "Sqrt", []string{two("Add", over("ReduceMean", two("Mul", x, x)), eps)})
	}
	if l.Op == model.NormL1 || l.Op == model.NormL2 { // 0 stays 0
		by = two("Max", by, e.number(n.Name+".least", 1e-37))
	}
	x = two("Div", x, by)
	size := product(l.From)
	full := func(suffix string, v []float32) string {
		all := make([]float32, size)
		for j := range all {
			all[j] = v[j/l.Inner%len(v)]
		}
		return e.floats(n.Name+suffix, append([]int{1}, l.From...), all)
	}
	if l.Scale != nil {
		x = two("Mul", x, full(".scale", l.Scale))
	}
	if l.Shift != nil {
		x = two("Add", x, full(".shift", l.Shift))
	}
	e.finish(n, x)
}
