package model

import "github.com/deconvnet/viz/internal/kernel"

// Scratch is the most memory in bytes that passes of n images keep in the engine for what convolutions and pools work
// in: of each worker, whatever it takes from others, and of all together. Passes side by side keep as much each.
func (p *Plan) Scratch(n int) (worker, shared int) {
	var b kernel.Bound
	n = min(n, max(p.part, 1))
	workers := p.engine.Workers()
	for i := range p.steps {
		s := &p.steps[i]
		out := p.shapes[s.Out]
		switch l := s.Node.Layer.(type) {
		case *Conv:
			switch {
			case s.within || !l.Maps():
			case s.pair != nil:
				b = b.Max(s.pair.Bound(out.H, out.W, s.shapes[0].H, s.shapes[0].W))
			case s.Pool != nil:
				b = b.Max(s.filters.BoundMaxPool(s.Pool.Layer.(*Pool).geometry(), n, out.H, out.W, s.mid.H, s.mid.W, s.shapes[0].Box(), workers))
			default:
				b = b.Max(s.filters.Bound(n, out.H, out.W, s.shapes[0].Box(), workers))
			}
		case *Pool:
			b = b.Max(kernel.BoundPool())
		}
	}
	return b.Worker(), b.Shared()
}
