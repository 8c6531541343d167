package incremental

import (
	"slices"

	"github.com/deconvnet/viz/internal/kernel"
)

// buffer is memory of a block. Without data it is only counted.
type buffer struct {
	data []float32
	at   int // where it begins in the arena; less than 0: elsewhere
}

// arena is memory that buffers are cut from: each lies at the first place with room, so that the same buffers lie
// at the same places whenever a block is worked on, and what they take is known before.
type arena struct {
	used   []span // by where they begin
	data   []float32
	size   int  // floats that data has, once there is one
	extent int  // the most that was asked for
	beyond int  // buffers that were not foreseen
	dry    bool // buffers are only counted
}

type span struct{ at, n int }

// get finds memory with undefined contents.
func (a *arena) get(n int) buffer {
	n = max(n, 1)
	room := (n + 15) &^ 15 // lines of the cache
	at, i := 0, 0
	for ; i < len(a.used) && a.used[i].at-at < room; i++ {
		at = a.used[i].at + a.used[i].n
	}
	a.extent = max(a.extent, at+room)
	if !a.dry && at+room > a.size {
		a.beyond++
		return buffer{make([]float32, n), -1}
	}
	a.used = slices.Insert(a.used, i, span{at, room})
	if a.dry {
		return buffer{nil, at}
	}
	if a.data == nil {
		a.data = make([]float32, a.size)
	}
	return buffer{a.data[at : at+n : at+room], at}
}

// put gives memory back.
func (a *arena) put(f buffer) {
	if f.at >= 0 {
		a.used = slices.DeleteFunc(a.used, func(s span) bool { return s.at == f.at })
	}
}

// need returns the bytes that the largest block is worked in, and those that are kept of one for late steps.
func (n *Net) need() (work, keep int) {
	b := &block{n: n, wins: make([]window, len(n.values)), memory: arena{dry: true}}
	scratch := 0
	for at := 0; at < len(n.o.Changes); at += n.lanes {
		n.plan(b.wins, n.o.Changes[at:min(at+n.lanes, len(n.o.Changes))])
		b.begin()
		if !b.wins[0].empty() {
			b.alloc(0)
		}
		for i := range n.steps {
			s := &n.steps[i]
			if s.leftOut {
				continue
			}
			if !b.wins[s.out].empty() {
				scratch = max(scratch, b.count(s))
			}
			b.read(s)
		}
		for v := range b.wins {
			if b.wins[v].refs != nil {
				b.wins[v].left = 1
				b.release(v)
			}
		}
		keep = max(keep, n.kept(b.wins))
	}
	n.arena = b.memory.extent
	return 4*n.arena + scratch + scratch/8, keep
}

// count takes the buffers that a step takes, and returns the bytes that kernels work in.
func (b *block) count(s *step) (scratch int) {
	n, w := b.n, &b.wins[s.out]
	row := n.values[s.out].shape.C * n.lanes
	var temps []buffer
	get := func(floats int) { temps = append(temps, b.get(floats)) }
	defer func() {
		for _, t := range temps {
			b.put(t)
		}
	}()
	switch s.op {
	case opConv:
		b.alloc(s.out)
		return b.countConv(s, get)
	case opMaxPool, opAvgPool:
		b.alloc(s.out)
		f, row := s.poolFrame(w, n.lanes), n.values[s.in[0]].shape.C*n.lanes
		if _, _, ok := b.wins[s.in[0]].holds(&f, n.lanes); !ok {
			get(f.h * f.w * row)
		}
		get(((s.pool.KH-1)*max(s.pool.DilY, 1) + 1) * w.x.size * row)
	case opGlobalAvg:
		b.alloc(s.out)
		get(n.values[s.in[0]].shape.C * n.lanes)
	case opBinary:
		if s.small >= 0 && b.fits(s.in[1-s.small], s.out) {
			b.share(s.out, s.in[1-s.small])
		} else {
			b.alloc(s.out)
		}
		for i, v := range s.in {
			if i == s.small {
				get(row)
			} else if !b.holdsRows(v, s.out) && i == 1 && s.small != 0 {
				get(w.places() * row)
			}
		}
	case opEach, opNorm, opPad:
		if s.op == opPad || b.own(s.in[0]) {
			b.share(s.out, s.in[0])
		} else {
			b.alloc(s.out)
		}
	case opLRN:
		b.alloc(s.out)
	case opAdd:
		in := b.addInto(s)
		for _, v := range in[1:] {
			if !b.holdsRows(v, s.out) {
				b.put(b.get(w.places() * row))
			}
		}
	case opConcat:
		if w.refs == nil {
			b.alloc(s.out)
		}
	case opWhole:
		b.alloc(s.out)
		for _, v := range append(slices.Clone(s.in), s.out) {
			get(n.lanes * n.values[v].shape.Len())
		}
	}
	return 0
}

// countConv is count for a convolution.
func (b *block) countConv(s *step, get func(floats int)) (scratch int) {
	n := b.n
	v, w := s.in[0], &b.wins[s.out]
	row := n.values[v].shape.C * n.lanes
	if s.inner != nil {
		u, mid, f := s.inner.in[0], &b.wins[v], s.frame(w, n.lanes)
		fu := &frame{h: mid.y.size, w: mid.x.size, y: mid.y.at, x: mid.x.at}
		if _, _, ok := b.wins[u].holds(fu, n.lanes); !ok && !mid.empty() {
			get(fu.h * fu.w * n.values[u].shape.C * n.lanes)
		}
		_, _, inPlace := s.middle(mid, &f, n.lanes)
		_, height, step, parts := s.pieces(w, &f, n.lanes)
		most := 0
		for p := 0; p < parts; p += step {
			most = max(most, s.inner.conv.Part(min(p+step, parts))-s.inner.conv.Part(p))
		}
		place := most*n.lanes + 16
		get(height * f.w * place)
		if !inPlace && !mid.empty() {
			get(mid.places() * place)
		}
		return max(s.conv.Scratch(f.h, f.w), s.inner.conv.Scratch(fu.h, fu.w))
	}
	from := &b.wins[v]
	if s.way == kernel.LaneDirect {
		f := s.frame(w, n.lanes)
		if _, _, ok := from.holds(&f, n.lanes); !ok {
			get(f.h * f.w * row)
		}
		return s.conv.Scratch(f.h, f.w)
	}
	if from.empty() {
		return 0
	}
	if _, _, same := s.alike(w, from, n.lanes); same && b.own(v) {
		return s.conv.Scratch(from.y.size, from.x.size)
	}
	var f frame
	_, f.h = delta(&f.y, n.lanes, &w.y, &from.y, max(s.geo.StrideY, 1), s.geo.PadTop)
	_, f.w = delta(&f.x, n.lanes, &w.x, &from.x, max(s.geo.StrideX, 1), s.geo.PadLeft)
	get(f.h * f.w * row)
	return s.conv.Scratch(f.h, f.w)
}

// holdsRows reports whether what out is computed from v lies in the windows of v as it lies in those of out.
func (b *block) holdsRows(v, out int) bool {
	w, from := &b.wins[out], &b.wins[v]
	f := &frame{h: w.y.size, w: w.x.size, y: w.y.at, x: w.x.at}
	_, _, ok := from.holds(f, b.n.lanes)
	return ok && from.pitch == f.w && from.place == b.n.values[out].shape.C*b.n.lanes
}

// kept returns the bytes that are kept of a block for late steps.
func (n *Net) kept(wins []window) (keep int) {
	for i, v := range n.values {
		if v.spatial {
			keep += 4 * n.lanes * n.values[i].shape.Len()
		}
	}
	for _, l := range n.late {
		if l.delta >= 0 {
			keep += 4 * n.lanes * n.changed(wins, l.delta).Area() * n.values[l.delta].shape.C
		}
		if !l.alias {
			keep += 2 * 4 * n.lanes * n.shapes[l.node.Name].Len()
		}
	}
	for _, name := range n.o.Outputs {
		keep += 4 * n.lanes * n.shapes[name].Len()
	}
	return keep
}
