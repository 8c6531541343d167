package onnx

import (
	"math"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Weights that a file holds in a byte or less each stay so (tensor.Packed) as far as
// the network's layers take them: convolutions, dense layers, products of matrices.

// worthPacking is the number of weights from which on they are kept small.
const worthPacking = 64

// packed is room for n integers of a type with their scaling; nil if they do not go
// into bytes, or the scales lie otherwise.
func (s *scaling) packed(t elemType, n int) *tensor.Packed {
	if t.floating() || t.bits() > 8 || s.dynamic != "" {
		return nil
	}
	p := &tensor.Packed{Scale: s.scale, Inner: 1}
	switch {
	case len(s.scale) == 1:
	case s.block == 0:
		p.Inner = s.inner
	case s.inner == 1 && s.size%s.block == 0:
		p.Inner = s.block
	default:
		return nil
	}
	for _, z := range s.zero {
		if !(math.Abs(float64(z)) <= 255) || z != float32(int16(z)) {
			return nil
		}
		p.Zero = append(p.Zero, offset(t)-int16(z))
	}
	p.Q = make([]int8, n)
	return p
}

// offset is what the numbers of a type lose to go into an int8.
func offset(t elemType) int16 {
	if t == typeUint8 {
		return 128
	}
	return 0
}

// packer writes the integers of a file.
func packer(p *tensor.Packed, t elemType) func(i int, bits uint64) {
	return func(i int, bits uint64) { p.Q[i] = int8(t.int(bits) - int64(offset(t))) }
}

// pack makes a layer's weights small if they are whole multiples of a scale, as those
// of a quantised network are that came another way.
func pack(l model.Layer) {
	var w **tensor.Tensor
	switch l := l.(type) {
	case *model.Conv:
		w = &l.Weight
	case *model.Dense:
		w = &l.Weight
	case *model.MatMul:
		w = &l.Value
	}
	if w != nil && *w != nil && (*w).Len() >= worthPacking {
		*w = tensor.Pack(*w)
	}
}

// turnPacked is a matrix of packed weights as [out, depth], moved by each; nil if that
// cannot be done with their scales.
func turnPacked(p *tensor.Packed, out, depth int, rows bool, alpha float32, each func(func(to, from int))) *tensor.Tensor {
	if p == nil || alpha != 1 {
		return nil
	}
	turned := &tensor.Packed{Q: make([]int8, len(p.Q)), Scale: p.Scale, Zero: p.Zero, Inner: 1}
	switch {
	case len(p.Scale) == 1:
	case len(p.Scale) == out && (rows && p.Inner == depth || !rows && p.Inner == 1):
		turned.Inner = depth
	default:
		return nil
	}
	each(func(to, from int) { turned.Q[to] = p.Q[from] })
	return &tensor.Tensor{Shape: []int{out, depth}, Packed: turned}
}
