package incremental

import "github.com/deconvnet/viz/internal/kernel"

// nestedFloats is about the number of floats of a depthwise convolution's input that
// are made at a time, so that they stay in the cache.
const nestedFloats = 96 << 10

// nest lets depthwise convolutions make their inputs by themselves, where those are
// 1x1 convolutions that nothing else reads.
func (n *Net) nest() {
	for i := range n.steps {
		s := &n.steps[i]
		if s.op != opConv || !s.geo.LanePlanes() || n.values[s.in[0]].readers != 1 {
			continue
		}
		for j := range n.steps[:i] {
			p := &n.steps[j]
			g := p.geo
			if p.out == s.in[0] && p.op == opConv && g.KH*g.KW == 1 && max(g.Groups, 1) == 1 && max(g.StrideY, g.StrideX) <= 1 && g.PadTop+g.PadLeft == 0 {
				s.inner, p.leftOut = p, true
			}
		}
	}
}

// middle reports where the input of s is wanted in frame f, if in all lanes alike.
func (s *step) middle(mid *window, f *frame, lanes int) (dy, dx int, ok bool) {
	dy, dx = mid.y.at[0]-f.y[0], mid.x.at[0]-f.x[0]
	ok = dx >= 0 && dx+mid.x.size <= f.w
	for l := range lanes {
		ok = ok && mid.y.at[l]-f.y[l] == dy && mid.x.at[l]-f.x[l] == dx
	}
	return dy, dx, ok
}

// pieces say how the input of s is made: so many rows of w, for which so many rows of the frame are held, and so many of
// all parts of its channels, at a time.
func (s *step) pieces(w *window, f *frame, lanes int) (rows, height, step, parts int) {
	conv := s.inner.conv
	sy := max(s.geo.StrideY, 1)
	parts = conv.Parts()
	perRow := f.w * lanes * conv.Part(1)
	rows = min(w.y.size, max(1, (nestedFloats/perRow-s.geo.KH)/sy+1))
	height = (rows-1)*sy + s.geo.KH
	step = min(parts, max(1, nestedFloats/(perRow*height)))
	return rows, height, step, parts
}

// nested computes a depthwise convolution and, before it, its input: some channels at
// a time, and of those some rows.
func (b *block) nested(s *step) {
	n, in := b.n, s.inner
	v, u := s.in[0], in.in[0]
	mid, w := &b.wins[v], &b.wins[s.out]
	f := s.frame(w, n.lanes)
	// What the input is computed from.
	fu := &frame{h: mid.y.size, w: mid.x.size, y: mid.y.at, x: mid.x.at}
	src, ok := b.view(u, fu)
	if !ok && !mid.empty() {
		row := n.values[u].shape.C * n.lanes
		t := b.get(fu.h * fu.w * row)
		defer b.put(t)
		b.load(t.data, row, fu, u, 0, false)
		src = kernel.Lane{Data: t.data, H: fu.h, W: fu.w, Place: row, Pitch: fu.w}
	}
	sy := max(s.geo.StrideY, 1)
	dy, dx, inPlace := s.middle(mid, &f, n.lanes)
	rows, height, step, parts := s.pieces(w, &f, n.lanes)
	for p0 := 0; p0 < parts; p0 += step {
		p1 := min(p0+step, parts)
		c0, c1 := in.conv.Part(p0), in.conv.Part(p1)
		// Places are an odd number of cache lines apart, so that they do not fall on the same.
		place := (c1-c0)*n.lanes + 16
		held := b.get(height * f.w * place)
		t := held.data
		from := source{v: v, first: c0, count: c1 - c0, place: place, pitch: mid.x.size}
		var moved buffer
		if !inPlace && !mid.empty() {
			moved = b.get(mid.places() * place)
			from.data = moved.data
			dst := kernel.Lane{Data: from.data, H: mid.y.size, W: mid.x.size, Place: place, Pitch: mid.x.size}
			in.conv.RunPart(&b.scratch, dst, src, 0, 0, p0, p1, in.epilogue())
		}
		have := 0 // rows of the frame that have been made
		for y0 := 0; y0 < w.y.size; y0 += rows {
			y1 := min(y0+rows, w.y.size)
			top, bottom := y0*sy, (y1-1)*sy+s.geo.KH
			if have > top {
				copy(t, t[(height-(have-top))*f.w*place:height*f.w*place])
			}
			have = max(have, top)
			at := t[(have-top)*f.w*place:]
			part := &frame{h: bottom - have, w: f.w, y: f.y, x: f.x}
			for l := range n.lanes {
				part.y[l] += have
			}
			b.loadFrom(at, place, part, from, 0, false)
			if r0, r1 := max(have-dy, 0), min(bottom-dy, mid.y.size); inPlace && r0 < r1 {
				rows := src
				rows.Data, rows.H = src.At(r0, 0), r1-r0
				dst := kernel.Lane{Data: at[((r0+dy-have)*f.w+dx)*place:], H: r1 - r0, W: mid.x.size, Place: place, Pitch: f.w}
				in.conv.RunPart(&b.scratch, dst, rows, 0, 0, p0, p1, in.epilogue())
			}
			have = bottom
			out := b.lane(s.out)
			out.Data, out.H = out.At(y0, 0), y1-y0
			s.conv.RunPlanes(&b.scratch, out, kernel.Lane{Data: t, H: bottom - top, W: f.w, Place: place, Pitch: f.w}, 0, 0, c0, c1, s.epilogue())
		}
		b.put(held)
		if from.data != nil {
			b.put(moved)
		}
	}
}
