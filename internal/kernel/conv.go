package kernel

import "github.com/deconvnet/viz/internal/par"

// Filters are the weights of a convolution packed for one pass. They are
// immutable but for Repack.
type Filters struct {
	g    Conv
	lv   *level
	data bool
	w    []float32      // as they came, for the reference
	win  []*transformed // for Winograd, best first

	passes int // the algorithm is chosen as for passes of so many images, 0: as for those that come
	subs   []subConv

	sparse *sparseFilters // for ConvDataSparse, or nil
}

// subConv is a part of a pass that has its own set of taps: a forward pass has
// one, a data gradient one for each phase of the stride.
type subConv struct {
	t      *taps
	phase  tap   // data gradient: computes inputs i with (i+pad) mod stride = phase
	weight []int // data gradient: the index of each tap in the kernel
	back   tap   // data gradient: tap offset 0 reads dy at u-back
}

// PackForward packs w, [Out][In/Groups][KH][KW], for ConvForward.
func PackForward(g Conv, w []float32) *Filters {
	f := newForward(g)
	f.Repack(w)
	return f
}

func newForward(g Conv) *Filters {
	g = g.check()
	f := &Filters{g: g, lv: current()}
	if f.lv != refLevel {
		var list []tap
		for ky := range g.KH {
			for kx := range g.KW {
				list = append(list, tap{ky * g.DilY, kx * g.DilX})
			}
		}
		f.subs = []subConv{{t: newTaps(list, g.Groups, g.Out/g.Groups, g.In/g.Groups, f.lv, g.Places)}}
	}
	return f
}

// PackData packs w, [Out][In/Groups][KH][KW], for ConvData.
//
// An input i gets the sum over the taps t of w[t]*dy[(i+pad-t*dil)/stride] where
// that is whole. The inputs of one phase, i = stride*u + phase - pad, take part
// in the same taps, and over u they are a convolution with stride 1: tap t reads
// dy[u-q], q = (t*dil-phase)/stride.
func PackData(g Conv, w []float32) *Filters {
	f := newData(g)
	f.Repack(w)
	return f
}

func newData(g Conv) *Filters {
	g = g.check()
	f := &Filters{g: g, lv: current(), data: true}
	if f.lv != refLevel {
		for py := range g.StrideY {
			for px := range g.StrideX {
				s := subConv{phase: tap{py, px}}
				var list []tap
				maxY, maxX := 0, 0
				for ky := range g.KH {
					for kx := range g.KW {
						y, x := ky*g.DilY-py, kx*g.DilX-px
						if y < 0 || x < 0 || y%g.StrideY != 0 || x%g.StrideX != 0 {
							continue
						}
						q := tap{y / g.StrideY, x / g.StrideX}
						maxY, maxX = max(maxY, q.y), max(maxX, q.x)
						list = append(list, q)
						s.weight = append(s.weight, ky*g.KW+kx)
					}
				}
				for i := range list {
					list[i].y, list[i].x = maxY-list[i].y, maxX-list[i].x
				}
				s.back = tap{maxY, maxX}
				if len(list) > 0 {
					s.t = newTaps(list, g.Groups, g.In/g.Groups, g.Out/g.Groups, f.lv, 0)
				}
				f.subs = append(f.subs, s)
			}
		}
	}
	return f
}

// Repack replaces the weights, without allocating. No pass may be using f.
func (f *Filters) Repack(w []float32) { f.repack(nil, w) }

// Repack is f.Repack on the engine's workers.
func (e *Engine) Repack(f *Filters, w []float32) { f.repack(e.pool, w) }

func (f *Filters) repack(pool *par.Pool, w []float32) {
	g := f.g
	if len(w) != g.weights() {
		panic("kernel: pack: wrong number of weights")
	}
	if f.lv == refLevel {
		f.w = append(f.w[:0], w...)
		return
	}
	for _, t := range f.win {
		t.repack(pool, f, w)
	}
	if f.sparse != nil {
		f.sparse.repack(pool, f, w)
	}
	cg, kg, area := g.In/g.Groups, g.Out/g.Groups, g.KH*g.KW
	for _, s := range f.subs {
		if s.t == nil {
			continue
		}
		kAll := s.t.k()
		for group := range g.Groups {
			a := s.t.a[group*s.t.rows*kAll:]
			from := w[group*kg*cg*area:][:kg*cg*area]
			switch {
			case s.t.turned:
				f.lv.packTurned(a, kg, kAll, from)
			case !f.data:
				f.lv.packRows(a, kg, kAll, from)
			case len(s.weight) == area:
				// Row c, k = (output channel, tap).
				nb := rowBlocks(cg, f.lv.rows)
				for i := range nb {
					r0, r1 := rowStart(cg, nb, i), rowStart(cg, nb, i+1)
					for k := range kg {
						f.lv.packBlock(a[r0*kAll:], r1-r0, k*area, from[(k*cg+r0)*area:], area, area)
					}
				}
			default:
				nb := rowBlocks(cg, f.lv.rows)
				for i := range nb {
					r0, r1 := rowStart(cg, nb, i), rowStart(cg, nb, i+1)
					d := a[r0*kAll:]
					for k := range kg {
						for j, at := range s.weight {
							for r := r0; r < r1; r++ {
								d[(k*len(s.weight)+j)*(r1-r0)+r-r0] = from[(k*cg+r)*area+at]
							}
						}
					}
				}
			}
		}
	}
}

// ConvForward computes a convolution, see Conv.
//
// dst is [n][Out][out.H()][out.W()], the outputs in box out, the images ep.Stride
// apart. src is
// [n][In][in.H()][in.W()], the inputs in box in; all inputs outside it are 0,
// as padding or because the caller knows. dst must not overlap src.
func (e *Engine) ConvForward(f *Filters, n int, dst []float32, out Box, src []float32, in Box, ep Epilogue) {
	g := f.g
	if f.data {
		panic("kernel: ConvForward: filters are packed for ConvData")
	}
	if ep.Stride == 0 {
		ep.Stride = g.Out * out.Area()
	}
	if n < 0 || ep.Stride < g.Out*out.Area() || n > 0 && len(dst) < (n-1)*ep.Stride+g.Out*out.Area() {
		panic("kernel: ConvForward: dst is too short")
	}
	if len(src) < n*g.In*in.Area() {
		panic("kernel: ConvForward: src is too short")
	}
	if ep.Bias != nil && len(ep.Bias) != g.Out {
		panic("kernel: ConvForward: wrong number of biases")
	}
	if n == 0 || out.Empty() {
		return
	}
	if f.lv == refLevel {
		e.refForward(f, n, dst, out, src, in, ep)
		return
	}
	if t := f.winograd(n, out.H(), out.W()); t != nil {
		e.runWinograd(f, t, n, dst, out, out.Y0-g.PadTop, out.X0-g.PadLeft, src, in, ep)
		return
	}
	j := e.getConv()
	j.lv, j.t, j.ep = f.lv, f.subs[0].t, ep
	j.n, j.h, j.w, j.dst = n, out.H(), out.W(), dst
	j.src, j.in = src, in
	j.y, j.x = out.Y0*g.StrideY-g.PadTop, out.X0*g.StrideX-g.PadLeft
	j.sy, j.sx = g.StrideY, g.StrideX
	e.runConv(j)
	e.putConv(j)
}

func (e *Engine) refForward(f *Filters, n int, dst []float32, out Box, src []float32, in Box, ep Epilogue) {
	g := f.g
	e.pool.For(n*g.Out, func(p, worker int) {
		i := p / g.Out
		refConvForward(g, f.w, 0, p%g.Out, dst[i*ep.Stride:], out, src[i*g.In*in.Area():], in, ep)
		ep.finish(f.lv, dst[i*ep.Stride+p%g.Out*out.Area():], 1, out.Area(), 0)
	})
}

// ConvData computes the transpose of the convolution, which takes gradients (or
// top-down signals) from its output to its input.
//
// dx is [n][In][out.H()][out.W()] and covers box out of the input plane; dy is
// [n][Out][in.H()][in.W()] and covers box in of the output plane, with 0
// outside. dx is overwritten and must not overlap dy.
func (e *Engine) ConvData(f *Filters, n int, dx []float32, out Box, dy []float32, in Box) {
	g := f.g
	if !f.data {
		panic("kernel: ConvData: filters are packed for ConvForward")
	}
	if n < 0 || len(dx) < n*g.In*out.Area() {
		panic("kernel: ConvData: dx is too short")
	}
	if len(dy) < n*g.Out*in.Area() {
		panic("kernel: ConvData: dy is too short")
	}
	if n == 0 || out.Empty() {
		return
	}
	if f.lv == refLevel {
		e.pool.For(n*g.In, func(p, worker int) {
			refConvData(g, f.w, p/g.In, p%g.In, dx, out, dy, in)
		})
		return
	}
	if t := f.winograd(n, out.H(), out.W()); t != nil {
		e.runWinograd(f, t, n, dx, out, out.Y0+g.PadTop-g.KH+1, out.X0+g.PadLeft-g.KW+1, dy, in, Epilogue{Stride: g.In * out.Area()})
		return
	}
	j := e.getConv()
	j.lv, j.n, j.src, j.in = f.lv, n, dy, in
	j.ep = Epilogue{Stride: g.In * out.Area()}
	j.sy, j.sx = 1, 1
	if g.StrideY == 1 && g.StrideX == 1 {
		t := f.subs[0].t
		j.t, j.h, j.w, j.dst = t, out.H(), out.W(), dx
		j.y, j.x = out.Y0+g.PadTop-f.subs[0].back.y, out.X0+g.PadLeft-f.subs[0].back.x
		e.runConv(j)
	} else {
		e.convPhases(f, j, n, dx, out)
	}
	e.putConv(j)
}

// ConvWeights computes the gradients of weights and biases, summed over images
// and positions. dw is [Out][In/Groups][KH][KW] and db is [Out] or nil; both
// are overwritten. Where dy is mostly 0, as below a max pool, only the rest is
// multiplied, with the same result. x is [n][In][in.H()][in.W()] over box in of the input plane,
// dy is [n][Out][out.H()][out.W()] over box out of the output plane; both are 0
// outside.
func (e *Engine) ConvWeights(g Conv, n int, dw, db []float32, x []float32, in Box, dy []float32, out Box) {
	g = g.check()
	if len(dw) != g.weights() {
		panic("kernel: ConvWeights: wrong number of weights")
	}
	if db != nil && len(db) != g.Out {
		panic("kernel: ConvWeights: wrong number of biases")
	}
	if n < 0 || len(x) < n*g.In*in.Area() {
		panic("kernel: ConvWeights: x is too short")
	}
	if len(dy) < n*g.Out*out.Area() {
		panic("kernel: ConvWeights: dy is too short")
	}
	lv := current()
	if lv == refLevel {
		e.pool.For(g.Out, func(k, worker int) {
			refConvWeights(g, k, n, dw, db, x, in, dy, out)
		})
		return
	}
	if n == 0 || out.Empty() {
		clear(dw)
		clear(db)
		return
	}
	if j := e.sparseWeights(lv, g, out); j != nil {
		if j.pays(dy) {
			e.runSparseWeights(j, n, dw, db, x, in, dy)
			return
		}
		e.sparseWeightJobs.put(j)
	}
	e.runWeights(lv, g, n, dw, db, x, in, dy, out)
}
