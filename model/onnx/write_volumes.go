package onnx

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
)

// overAxes writes convolutions and pools over many axes of space.
func (e *exporter) overAxes(n *model.Node) error {
	one := func(v []int) bool { return !slices.ContainsFunc(v, func(i int) bool { return i != 1 }) }
	attrs := func(kernel []int, w model.WindowND) [][]byte {
		out := [][]byte{attrInts("kernel_shape", kernel...), attrInts("strides", w.Stride...), attrInts("pads", w.Pads...)}
		if !one(w.Dilation) {
			out = append(out, attrInts("dilations", w.Dilation...))
		}
		return out
	}
	switch l := n.Layer.(type) {
	case *model.ConvND:
		ins := []string{e.view(n, n.Inputs[0], l.From...), e.floats(n.Name+".weight", l.Weight.Shape, l.Weight.Data)}
		if l.Bias != nil {
			ins = append(ins, e.floats(n.Name+".bias", []int{len(l.Bias)}, l.Bias))
		}
		e.finish(n, e.step(n, "Conv", ins, append(attrs(l.Weight.Shape[2:], l.WindowND), attrInt("group", int64(l.Groups)))...))
	case *model.ConvTransposeND:
		e.transposeND(n, l)
	default:
		return fmt.Errorf("layer kind %s is not known", n.Layer.Kind())
	}
	return nil
}

// pool writes a pool over maps or more axes.
func (e *exporter) pool(n *model.Node, l *model.Pool) error {
	dilated := slices.ContainsFunc(l.Dilation, func(d int) bool { return d != 1 })
	attrs := [][]byte{attrInts("kernel_shape", l.Kernel...), attrInts("strides", l.Stride...)}
	if dilated || l.Op == model.PoolMax && l.Dilation != nil {
		attrs = append(attrs, attrInts("dilations", l.Dilation...))
	}
	if l.Pads != nil {
		attrs = append(attrs, attrInts("pads", l.Pads...))
	}
	if l.Ceil || l.From == nil && l.Op != model.PoolLp {
		attrs = append(attrs, attrInt("ceil_mode", bit(l.Ceil)))
	}
	op := "MaxPool"
	switch l.Op {
	case model.PoolArgmax:
		return fmt.Errorf("places of maxima count over all images of a batch in ONNX")
	case model.PoolLp:
		if (l.Ceil || dilated) && e.opset < 18 {
			return fmt.Errorf("dilated average and power pools need operator set 19")
		}
		op, attrs = "LpPool", append(attrs, attrInt("p", int64(l.P)))
	case model.PoolAverage:
		if dilated && e.opset < 19 {
			return fmt.Errorf("dilated average and power pools need operator set 19")
		}
		op, attrs = "AveragePool", append(attrs, attrInt("count_include_pad", bit(l.CountPad)))
	}
	if l.From == nil {
		e.node(op, n.Inputs, []string{n.Name}, attrs...)
		return nil
	}
	e.finish(n, e.step(n, op, []string{e.view(n, n.Inputs[0], l.From...)}, attrs...))
	return nil
}

// transposeND writes a transposed convolution.
func (e *exporter) transposeND(n *model.Node, l *model.ConvTransposeND) {
	shape := l.Weight.Shape
	ins := []string{e.view(n, n.Inputs[0], l.From...), e.floats(n.Name+".weight", shape, l.Weight.Data)}
	attrs := [][]byte{attrInts("kernel_shape", shape[2:]...), attrInts("strides", l.Stride...), attrInts("dilations", l.Dilation...), attrInt("group", int64(l.Groups))}
	e.finish(n, e.transposed(n, ins, l.Bias, shape[1]*l.Groups, l.Stride, l.Dilation, l.Pads, l.OutPad, attrs))
}

// transposed writes the operator. More output padding than it allows takes padding
// away, and what is left are rows and columns of nothing but bias.
func (e *exporter) transposed(n *model.Node, ins []string, bias []float32, maps int, stride, dilation, pads, more []int, attrs [][]byte) string {
	axes := len(stride)
	allowed := true
	for a := range axes {
		allowed = allowed && more[a] < max(stride[a], dilation[a])
	}
	if allowed {
		if bias != nil {
			ins = append(ins, e.floats(n.Name+".bias", []int{maps}, bias))
		}
		return e.step(n, "ConvTranspose", ins, append(attrs, attrInts("pads", pads...), attrInts("output_padding", more...))...)
	}
	pads, more = slices.Clone(pads), slices.Clone(more)
	for a := range axes {
		back := min(pads[axes+a], more[a])
		pads[axes+a], more[a] = pads[axes+a]-back, more[a]-back
	}
	v := e.step(n, "ConvTranspose", ins, append(attrs, attrInts("pads", pads...))...)
	v = e.step(n, "Pad", []string{v, e.ints("pads", append(make([]int, axes+4), more...)...)})
	if bias == nil {
		return v
	}
	ones := slices.Repeat([]int{1}, axes)
	return e.step(n, "Add", []string{v, e.floats(n.Name+".bias", append([]int{1, maps}, ones...), bias)})
}
