package kernel

// phaseData is what a phase of a data gradient computes: every so many rows and columns of
// the planes, from (y0, x0) of each on.
type phaseData struct {
	y0, x0, h, w int
	data         []float32 // [planes][h][w]
	odd          int       // the phase with the columns between, in the same rows; -1: none
	woven        bool      // it is the odd one of another
}

// convPhases computes a data gradient phase by phase and interleaves them.
func (e *Engine) convPhases(f *Filters, j *convJob, n int, dx []float32, out Box) {
	g := f.g
	all := e.floats(n * g.In * out.Area())
	rest := all
	phases := make([]phaseData, 0, len(f.subs))
	for _, s := range f.subs {
		u0, u1 := span(g.StrideY, s.phase.y-g.PadTop, out.Y0, out.Y1)
		v0, v1 := span(g.StrideX, s.phase.x-g.PadLeft, out.X0, out.X1)
		h, w := u1-u0, v1-v0
		if h <= 0 || w <= 0 {
			continue
		}
		part := rest[:n*g.In*h*w]
		rest = rest[len(part):]
		if s.t == nil {
			clear(part)
		} else {
			j.t, j.h, j.w, j.dst = s.t, h, w, part
			j.ep.Stride = g.In * h * w
			j.y, j.x = u0-s.back.y, v0-s.back.x
			e.runConv(j)
		}
		phases = append(phases, phaseData{u0*g.StrideY + s.phase.y - g.PadTop - out.Y0, v0*g.StrideX + s.phase.x - g.PadLeft - out.X0, h, w, part, -1, false})
	}
	if g.StrideX == 2 {
		pair(phases)
	}
	v := f.lv.vector
	e.pool.For(n*g.In, func(p, worker int) {
		d := dx[p*out.Area():][:out.Area()]
		for i := range phases {
			a := &phases[i]
			if a.woven {
				continue
			}
			if a.odd >= 0 {
				for y := range a.h {
					weave(v, d[(a.y0+y*g.StrideY)*out.W():][:out.W()], a.row(p, y), phases[a.odd].row(p, y))
				}
				continue
			}
			for y := range a.h {
				at := (a.y0+y*g.StrideY)*out.W() + a.x0
				for _, v := range a.row(p, y) {
					d[at] = v
					at += g.StrideX
				}
			}
		}
	})
	e.put(all)
}

func (a *phaseData) row(plane, y int) []float32 { return a.data[(plane*a.h+y)*a.w:][:a.w] }

// pair finds the phases that share rows: of two columns each has every other one.
func pair(phases []phaseData) {
	for i := range phases {
		for k := range phases {
			if a, b := &phases[i], &phases[k]; a.x0 == 0 && b.x0 == 1 && a.y0 == b.y0 {
				a.odd, b.woven = k, true
			}
		}
	}
}

// weave puts even and odd numbers of dst in their places.
func weave(v *vectorOps, dst, even, odd []float32) {
	if n := len(odd) &^ 7; n > 0 {
		v.weave(&dst[0], &even[0], &odd[0], n)
		dst, even, odd = dst[2*n:], even[n:], odd[n:]
	}
	for i, v := range odd {
		dst[2*i+1] = v
	}
	for i, v := range even {
		dst[2*i] = v
	}
}
