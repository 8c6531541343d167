package model

import (
	"fmt"

	"github.com/deconvnet/viz/internal/kernel"
)

// Layer computes one layer by itself for a batch of n: node, of a network whose
// Shapes are shapes, from inputs in the order of node.Inputs, each n values of
// its shape, to dst. The numbers are those of a Plan that fuses nothing.
func (e *Engine) Layer(node *Node, shapes map[string]Shape, n int, dst []float32, inputs ...[]float32) error {
	p := &Plan{engine: e, shapes: shapes}
	s := step{node: node, out: node.Name, slot: -1}
	switch l := node.Layer.(type) {
	case *Conv:
		s.filters = kernel.PackForward(l.Geometry(), l.Weight.Data)
		s.epilogue.Bias = l.Bias
	case *ConvTranspose:
		s.filters = kernel.PackData(l.Geometry(), l.Weight.Data)
	case *BatchNorm:
		s.scale, s.shift = l.affine()
	case *Flatten, *Dropout, *Reshape:
		copy(dst, inputs[0])
		return nil
	}
	for i := range node.Inputs {
		s.inputs = append(s.inputs, i)
	}
	if err := p.run(&s, n, dst, nil, inputs); err != nil {
		return fmt.Errorf("model: layer %s: %w", node.Name, err)
	}
	return nil
}

// Folded returns weights and bias of a convolution followed by bn as a plan fuses
// them; bn may be nil.
func (l *Conv) Folded(bn *BatchNorm) (weight, bias []float32) {
	if bn == nil {
		return l.Weight.Data, l.Bias
	}
	return foldBatchNorm(l, bn)
}

// Affine returns the layer as out = scale*x + shift per channel.
func (l *BatchNorm) Affine() (scale, shift []float32) { return l.affine() }
