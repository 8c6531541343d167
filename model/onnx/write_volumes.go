package onnx

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
)

// conv writes a convolution of maps or more axes.
func (e *exporter) conv(n *model.Node, l *model.Conv) {
	w, in := l.Window(e.shapes[n.Inputs[0]]), n.Inputs[0]
	attrs := [][]byte{attrInts("kernel_shape", l.Weight.Shape[2:]...), attrInts("strides", w.Stride...)}
	if l.Maps() {
		attrs = append(attrs, attrInts("dilations", w.Dilation...), attrInts("pads", w.Pads...))
	} else {
		in = e.view(n, in, l.From...)
		attrs = append(attrs, attrInts("pads", w.Pads...))
		if slices.ContainsFunc(w.Dilation, func(d int) bool { return d != 1 }) {
			attrs = append(attrs, attrInts("dilations", w.Dilation...))
		}
	}
	ins := []string{in, e.weights(n.Name+".weight", l.Weight.Shape, l.Weight)}
	if l.Bias != nil {
		ins = append(ins, e.floats(n.Name+".bias", []int{len(l.Bias)}, l.Bias))
	}
	attrs = append(attrs, attrInt("group", int64(l.Groups)))
	if l.Maps() {
		e.node("Conv", ins, []string{n.Name}, attrs...)
		return
	}
	e.finish(n, e.step(n, "Conv", ins, attrs...))
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

// convTranspose writes a transposed convolution of maps or more axes.
func (e *exporter) convTranspose(n *model.Node, l *model.ConvTranspose) error {
	in, shape, more := n.Inputs[0], l.Weight.Shape, l.Out()
	w, err := l.Window(e.shapes[in])
	if err != nil {
		return err
	}
	if !l.Maps() {
		in = e.view(n, in, l.From...)
	}
	ins := []string{in, e.floats(n.Name+".weight", shape, l.Weight.Floats())}
	attrs := [][]byte{attrInts("kernel_shape", shape[2:]...), attrInts("strides", w.Stride...), attrInts("dilations", w.Dilation...), attrInt("group", int64(l.Groups))}
	maps := shape[1] * l.Groups
	if l.Maps() && more[0] < max(w.Stride[0], w.Dilation[0]) && more[1] < max(w.Stride[1], w.Dilation[1]) {
		if l.Bias != nil {
			ins = append(ins, e.floats(n.Name+".bias", []int{maps}, l.Bias))
		}
		e.node("ConvTranspose", ins, []string{n.Name}, append(attrs, attrInts("pads", w.Pads...), attrInts("output_padding", more...))...)
		return nil
	}
	e.finish(n, e.transposed(n, ins, l.Bias, maps, w.Stride, w.Dilation, w.Pads, more, attrs))
	return nil
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
	cut := make([]int, axes) // from the beginnings, in the end: without what is added, nothing may be left
	for a := range axes {
		back := min(pads[axes+a], more[a])
		pads[axes+a], more[a] = pads[axes+a]-back, more[a]-back
		if more[a] > 0 && pads[a] > 0 {
			cut[a], pads[a] = -pads[a], 0
		}
	}
	v := e.step(n, "ConvTranspose", ins, append(attrs, attrInts("pads", pads...))...)
	v = e.step(n, "Pad", []string{v, e.ints("pads", append(make([]int, axes+4), more...)...)})
	if slices.Min(cut) < 0 {
		v = e.step(n, "Pad", []string{v, e.ints("pads", slices.Concat([]int{0, 0}, cut, make([]int, axes+2))...)})
	}
	if bias == nil {
		return v
	}
	ones := slices.Repeat([]int{1}, axes)
	return e.step(n, "Add", []string{v, e.floats(n.Name+".bias", append([]int{1, maps}, ones...), bias)})
}
