package model

import "github.com/deconvnet/viz/internal/kernel"

// pairUp finds depthwise convolutions that are the only readers of a convolution of single places, whose values nobody
// wants: the two are computed together where that is faster, with the same bits.
func (p *Plan) pairUp() {
	for i := range p.steps {
		s := &p.steps[i]
		planes := ConvOfMaps(s.Node.Layer)
		if planes == nil || s.Pool != nil || s.inputs[0] == 0 || p.graph.OnlyReader(s.Node.Inputs[0]) == nil {
			continue
		}
		first := &p.steps[s.inputs[0]-1]
		expand := ConvOfMaps(first.Node.Layer)
		if expand == nil || first.Pool != nil || first.shapes[0].H != s.shapes[0].H || first.shapes[0].W != s.shapes[0].W {
			continue
		}
		maps, weight := s.shapes[0], func(s *step) []float32 { w, _ := s.Weights(); return w }
		s.pair = kernel.PackPair(expand.geometry(), planes.geometry(), maps.H, maps.W, func() []float32 { return weight(first) }, func() []float32 { return weight(s) })
		if s.pair != nil {
			s.first, first.within = first, true
		}
	}
}

// reads are the values that a step reads when it runs.
func (s *step) reads() []string {
	switch {
	case s.within:
		return nil
	case s.first != nil:
		return s.first.Node.Inputs
	}
	return s.Node.Inputs
}

// runPair computes the step and the one before it from what that reads.
func (s *step) runPair(c *call, src []float32) {
	mid := s.shapes[0]
	c.k.ConvPair(s.pair, c.n, c.dst, c.out.Box(), src, mid.H, mid.W, s.first.epilogue, s.epilogue)
}
