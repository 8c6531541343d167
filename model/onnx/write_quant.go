package onnx

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
)

// quantize writes a rounding layer as the pair that stores values as a small type
// and reads them back.
func (e *exporter) quantize(n *model.Node, l *model.Quantize) error {
	in, out := n.Inputs, []string{n.Name}
	if len(l.Scale) == 0 {
		parts := []string{e.fresh(n.Name + "/values"), e.fresh(n.Name + "/scale"), e.fresh(n.Name + "/zero")}
		e.node("DynamicQuantizeLinear", in, parts)
		e.node("DequantizeLinear", parts, out)
		return nil
	}
	typ := elemType(slices.Index(elemNames, string(l.Type)))
	switch since := quantOpset(typ); {
	case since == 0:
		return fmt.Errorf("ONNX quantises nothing to %s", l.Type)
	case e.opset < since:
		return fmt.Errorf("values of %s need operator set %d", l.Type, since)
	}
	var dims []int
	var attrs [][]byte
	if len(l.Scale) > 1 {
		dims, attrs = []int{len(l.Scale)}, [][]byte{attrInt("axis", 1)}
	}
	name := e.fresh(n.Name + ".zero")
	b := putText(putVarint(nil, 2, int64(typ)), 8, name)
	if dims != nil {
		b = putVarint(b, 1, int64(dims[0]))
	}
	zero, err := zeroPoints(typ, l.Zero)
	if err != nil {
		return err
	}
	e.tensors = append(e.tensors, tensorOut{head: putBytes(b, 9, zero)})
	by := []string{e.floats(n.Name+".scale", dims, l.Scale), name}
	v := e.step(n, "QuantizeLinear", append(slices.Clone(in), by...), attrs...)
	e.node("DequantizeLinear", append([]string{v}, by...), out, attrs...)
	return nil
}

// quantOpset is the operator set from which on QuantizeLinear makes values of a
// type; 0: none does.
func quantOpset(t elemType) int64 {
	switch {
	case t == typeUint8 || t == typeInt8:
		return 13
	case t.float8() && t != typeFloat8E8M0:
		return 19
	case t == typeUint16 || t == typeInt16 || t == typeUint4 || t == typeInt4:
		return 21
	case t == typeFloat4E2M1:
		return 23
	}
	return 0
}

// zeroPoints are zero points as raw data.
func zeroPoints(t elemType, zero []float32) ([]byte, error) {
	b := make([]byte, t.bytes(len(zero)))
	for i, v := range zero {
		if t.floating() && v != 0 {
			return nil, fmt.Errorf("zero point %g of %v, want 0", v, t)
		}
		switch q := int64(v); t.bits() {
		case 4:
			b[i/2] |= byte(q&15) << (4 * (i % 2))
		case 8:
			b[i] = byte(q)
		case 16:
			b[2*i], b[2*i+1] = byte(q), byte(q>>8)
		}
	}
	return b, nil
}
