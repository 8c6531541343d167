package kernel

import "unsafe"

// A lane buffer holds windows of L maps of one shape side by side, as many as a
// panel of the matrix product has columns: [places][channels][L], a place being
// a row and column of the window. A product then reads its operands and writes
// its results where they are, whatever the stride, and can leave out what it
// likes: taps, places, channels. To everything elementwise the buffer looks like
// that many images [channels][L].
//
// This is what an occlusion map computes on: one lane for each position of the
// patch.

// Lanes returns L.
func Lanes() int { return laneLevel().panel() }

// laneLevel is the level whose tiles lane buffers use. The reference has none.
func laneLevel() *level {
	if lv := current(); lv != refLevel {
		return lv
	}
	return genericLevel
}

// laneOps are inner loops in assembly for the lanes of a level, or nil.
type laneOps struct {
	gather      func(dst, base *float32, offs *int64, n, relu, op int, mask uint64)
	copy        func(dst, src *float32, n int, mask uint64)
	winogradIn  func(dst, s0, s1, s2, s3 *float32, ldd, n int)
	winogradOut func(dst *float32, offs *int64, src *float32, lds, n int)
	max         func(dst, a, b, c *float32, n int)
	tile        []laneProduct // by rows
}

// Lane is a lane buffer or a part of one. Place (y, x) begins at
// Data[(y*Pitch+x)*Place].
type Lane struct {
	Data  []float32
	H, W  int
	Place int // floats from a place to the next
	Pitch int // places from a row to the next
	Dump  int // a place that LaneWinograd may spoil; 0: the one behind the last
}

// At returns the floats from place (y, x) on.
func (b Lane) At(y, x int) []float32 { return b.Data[(y*b.Pitch+x)*b.Place:] }

// LaneWay is a way to compute a convolution on lanes.
type LaneWay int

const (
	// LaneDirect sums all products, like ConvForward and with the same bits. All
	// inputs must be there, padding included.
	LaneDirect LaneWay = iota
	// LaneTaps adds the products of the inputs there are to what dst holds.
	LaneTaps
	// LaneWinograd is LaneTaps for 3x3 kernels with stride 1 by the transpose of
	// Winograd's F(2x2, 3x3): 16 products take 2x2 inputs to the 4x4 outputs they
	// reach, instead of 36. The error is that of the direct sum.
	LaneWinograd
)

// LaneConv are the weights of a convolution packed for lane buffers.
type LaneConv struct {
	g   Conv
	lv  *level
	ops *laneOps
	way LaneWay
	a   []float32

	plane planeConv // of a depthwise convolution, or nil
	skip  bool      // see SkipZeros
}

// CanWinograd reports whether LaneWinograd does the convolution.
func (g Conv) CanWinograd() bool {
	g = g.norm()
	return g.KH == 3 && g.KW == 3 && g.StrideY == 1 && g.StrideX == 1 && g.DilY == 1 && g.DilX == 1 && g.Groups == 1
}

// PackLanes packs w, [Out][In/Groups][KH][KW].
func PackLanes(g Conv, w []float32, way LaneWay) *LaneConv {
	g = g.check()
	if len(w) != g.weights() {
		panic("kernel: PackLanes: wrong number of weights")
	}
	f := &LaneConv{g: g, lv: laneLevel(), way: way}
	f.ops = f.lv.laneOps()
	cg, kg, taps := g.In/g.Groups, g.Out/g.Groups, g.KH*g.KW
	k := cg * taps
	switch way {
	case LaneDirect:
		f.plane = f.lv.lanePlanes(g)
		f.a = make([]float32, g.Out*k+f.lv.lanes)
		for group := range g.Groups {
			f.lv.packRows(f.a[group*kg*k:], kg, k, w[group*kg*k:])
		}
	case LaneTaps:
		f.a = make([]float32, g.Out*k)
		nb := rowBlocks(kg, f.lv.rows)
		for group := range g.Groups {
			for b := range nb {
				r0, r1 := rowStart(kg, nb, b), rowStart(kg, nb, b+1)
				d := f.a[(group*kg+r0)*k:]
				for t := range taps {
					for c := range cg {
						for r := r0; r < r1; r++ {
							d[(t*cg+c)*(r1-r0)+r-r0] = w[((group*kg+r)*cg+c)*taps+t]
						}
					}
				}
			}
		}
	case LaneWinograd:
		if !g.CanWinograd() {
			panic("kernel: PackLanes: no Winograd for this geometry")
		}
		f.a = make([]float32, 16*g.Out*g.In)
		nb := rowBlocks(g.Out, f.lv.rows)
		var flipped [9]float32
		var u [maxTaps]float32
		for b := range nb {
			r0, r1 := rowStart(g.Out, nb, b), rowStart(g.Out, nb, b+1)
			for r := r0; r < r1; r++ {
				for c := range g.In {
					for t, v := range w[(r*g.In+c)*9:][:9] {
						flipped[8-t] = v
					}
					transformKernel(&u, flipped[:], 3, 4)
					for i, v := range u[:16] {
						f.a[i*g.Out*g.In+r0*g.In+c*(r1-r0)+r-r0] = v
					}
				}
			}
		}
	}
	return f
}

// Way is the way the weights are packed for.
func (f *LaneConv) Way() LaneWay { return f.way }

// Bytes is the memory of the packed weights.
func (f *LaneConv) Bytes() int { return 4 * len(f.a) }

// Scratch is about the memory that Run takes from its scratch for in places.
func (f *LaneConv) Scratch(h, w int) int {
	panel := f.lv.panel()
	switch f.way {
	case LaneDirect:
		return 4 * laneChunk * (kBlock + 1) * panel
	case LaneWinograd:
		tiles := (h + 1) / 2 * ((w + 1) / 2)
		return 64 * min(tiles, max(4, winogradLanes/(16*(f.g.In+f.g.Out)*panel))) * (f.g.In + f.g.Out) * panel
	}
	return 0
}

// LaneScratch is memory that lane kernels work in; one goroutine uses it at a
// time. Its zero value is ready.
type LaneScratch struct {
	b, v, m, zero []float32
	koff          []int64
	k             [4]float32
	terms         laneTerms
}

// Bytes is the memory held.
func (s *LaneScratch) Bytes() int { return 4 * (cap(s.b) + cap(s.v) + cap(s.m) + cap(s.zero)) }

// laneTile is an operand and a result of a tile.
type laneTile struct{ b, c int }

// laneChunk is the number of places worked on together, so that a block of
// weights is read once for all of them.
const laneChunk = 8

// winogradLanes is about the number of floats of the transformed inputs and
// outputs of the tiles that are worked on together.
const winogradLanes = 5 << 19

// Run computes the convolution. Tap (ky, kx) of output place (y, x) reads place
// (y*StrideY+ky*DilY+oy, x*StrideX+kx*DilX+ox) of src. The epilogue is for
// LaneDirect, which overwrites dst; the others add to it.
func (f *LaneConv) Run(s *LaneScratch, dst, src Lane, oy, ox int, ep Epilogue) {
	if dst.H < 1 || dst.W < 1 {
		return
	}
	switch f.way {
	case LaneDirect:
		f.check(dst, src, oy, ox)
		if f.plane != nil {
			f.planes(s, dst, src, oy, ox, 0, f.g.In, ep)
			return
		}
		f.direct(s, dst, src, oy, ox, 0, f.Parts(), ep)
	case LaneTaps:
		f.taps(s, dst, src, oy, ox)
	case LaneWinograd:
		f.winograd(s, dst, src, oy, ox)
	}
}

// Parts is the number of parts that RunPart can compute alone.
func (f *LaneConv) Parts() int { return rowBlocks(f.g.Out/f.g.Groups, f.lv.rows) }

// Part is the first output channel of a part, and the number of all behind the last.
func (f *LaneConv) Part(i int) int { return rowStart(f.g.Out/f.g.Groups, f.Parts(), i) }

// RunPart is Run for the channels of the parts from..to only, which are all that dst
// holds. It is for LaneDirect with one group.
func (f *LaneConv) RunPart(s *LaneScratch, dst, src Lane, oy, ox, from, to int, ep Epilogue) {
	if dst.H < 1 || dst.W < 1 {
		return
	}
	if f.way != LaneDirect || f.g.Groups != 1 {
		panic("kernel: LaneConv: no parts")
	}
	f.check(dst, src, oy, ox)
	f.direct(s, dst, src, oy, ox, from, to, ep)
}

// check holds that all inputs are there.
func (f *LaneConv) check(dst, src Lane, oy, ox int) {
	g := f.g
	if oy < 0 || ox < 0 || (dst.H-1)*g.StrideY+(g.KH-1)*g.DilY+oy >= src.H || (dst.W-1)*g.StrideX+(g.KW-1)*g.DilX+ox >= src.W {
		panic("kernel: LaneConv: inputs are missing")
	}
}

func (f *LaneConv) direct(s *LaneScratch, dst, src Lane, oy, ox, part, parts int, ep Epilogue) {
	g, lv := f.g, f.lv
	panel := lv.panel()
	cg, kg, taps := g.In/g.Groups, g.Out/g.Groups, g.KH*g.KW
	kAll := cg * taps
	s.koff = s.koff[:0]
	for c := range cg {
		for ky := range g.KH {
			for kx := range g.KW {
				s.koff = append(s.koff, int64(4*((ky*g.DilY*src.Pitch+kx*g.DilX)*src.Place+c*panel)))
			}
		}
	}
	kBlocks := (kAll + kBlock - 1) / kBlock
	nb := rowBlocks(kg, lv.rows)
	first := rowStart(kg, nb, part)
	if taps > 1 {
		s.b = grow(s.b, laneChunk*(kAll/kBlocks+1)*panel)
	}
	all := uint64(1)<<lv.lanes - 1
	mask := uint64(1)<<panel - 1
	s.terms.pause = 0
	var at [laneChunk]laneTile
	places := dst.H * dst.W
	for group := range g.Groups {
		for p0 := 0; p0 < places; p0 += laneChunk {
			n := min(laneChunk, places-p0)
			for kb := range kBlocks {
				k0, k1 := rowStart(kAll, kBlocks, kb), rowStart(kAll, kBlocks, kb+1)
				kn := k1 - k0
				b := s.b
				for i := range n {
					y, x := (p0+i)/dst.W, (p0+i)%dst.W
					from := ((y*g.StrideY+oy)*src.Pitch+x*g.StrideX+ox)*src.Place + group*cg*panel
					at[i].c = (y*dst.Pitch+x)*dst.Place + group*kg*panel
					if taps == 1 {
						b = src.Data
						at[i].b = from + k0*panel
						continue
					}
					at[i].b = i * kn * panel
					for v := range 2 {
						seg := [2]int64{int64(4 * v * lv.lanes), int64(all)}
						lv.pack(&s.b[at[i].b+v*lv.lanes], &src.Data[from], &s.koff[k0], kn, &seg[0], 1)
					}
				}
				skip := f.skip && s.terms.find(f, src.Data, at[:n], kn)
				flags := 0
				if kb > 0 {
					flags |= tileLoad
				}
				last := kb == kBlocks-1
				if last && ep.ReLU {
					flags |= tileReLU
				}
				for rb := part; rb < parts; rb++ {
					r0, r1 := rowStart(kg, nb, rb), rowStart(kg, nb, rb+1)
					tile := lv.tile[2][r1-r0]
					a := &f.a[(group*kg+r0)*kAll+k0*(r1-r0)]
					var bias *float32
					if ep.Bias != nil {
						bias = &ep.Bias[group*kg+r0]
					}
					for i, t := range at[:n] {
						d := dst.Data[t.c+(r0-first)*panel:][:(r1-r0)*panel]
						if !skip || !s.terms.product(f, i, r1-r0, a, &b[t.b], &d[0], bias, flags) {
							tile(kn, a, &b[t.b], &d[0], bias, 4*panel, flags, mask)
						}
						if last && ep.rest() {
							ep.finish(lv, d, 1, len(d), len(d))
						}
					}
				}
			}
		}
	}
}

func (f *LaneConv) taps(s *LaneScratch, dst, src Lane, oy, ox int) {
	if f.g.Groups == 1 && f.g.DilX == 1 && f.g.In*f.g.KW <= 2*kBlock && src.Place == f.g.In*f.lv.panel() {
		f.tapRows(dst, src, oy, ox)
		return
	}
	g, lv := f.g, f.lv
	panel := lv.panel()
	cg, kg, taps := g.In/g.Groups, g.Out/g.Groups, g.KH*g.KW
	kAll := cg * taps
	kBlocks := (cg + kBlock - 1) / kBlock
	nb := rowBlocks(kg, lv.rows)
	mask := uint64(1)<<panel - 1
	var at [laneChunk]laneTile
	places := dst.H * dst.W
	for group := range g.Groups {
		for p0 := 0; p0 < places; p0 += laneChunk {
			for t := range taps {
				n := 0
				for p := p0; p < min(p0+laneChunk, places); p++ {
					y, x := p/dst.W, p%dst.W
					sy, sx := y*g.StrideY+t/g.KW*g.DilY+oy, x*g.StrideX+t%g.KW*g.DilX+ox
					if sy < 0 || sx < 0 || sy >= src.H || sx >= src.W {
						continue
					}
					at[n] = laneTile{(sy*src.Pitch+sx)*src.Place + group*cg*panel, (y*dst.Pitch+x)*dst.Place + group*kg*panel}
					n++
				}
				if n == 0 {
					continue
				}
				for kb := range kBlocks {
					k0, k1 := rowStart(cg, kBlocks, kb), rowStart(cg, kBlocks, kb+1)
					for rb := range nb {
						r0, r1 := rowStart(kg, nb, rb), rowStart(kg, nb, rb+1)
						tile := lv.tile[2][r1-r0]
						a := &f.a[(group*kg+r0)*kAll+(t*cg+k0)*(r1-r0)]
						for _, q := range at[:n] {
							tile(k1-k0, a, &src.Data[q.b+k0*panel], &dst.Data[q.c+r0*panel], nil, 4*panel, tileLoad, mask)
						}
					}
				}
			}
		}
	}
}

// tapRows is taps for inputs whose places follow each other, so that the taps of
// a row of the kernel are one sum.
func (f *LaneConv) tapRows(dst, src Lane, oy, ox int) {
	g, lv := f.g, f.lv
	panel := lv.panel()
	kAll := g.In * g.KH * g.KW
	nb := rowBlocks(g.Out, lv.rows)
	mask := uint64(1)<<panel - 1
	var at [laneChunk]struct {
		laneTile
		k, kn int
	}
	places := dst.H * dst.W
	for p0 := 0; p0 < places; p0 += laneChunk {
		for ky := range g.KH {
			n := 0
			for p := p0; p < min(p0+laneChunk, places); p++ {
				y, x := p/dst.W, p%dst.W
				sy, sx := y*g.StrideY+ky*g.DilY+oy, x*g.StrideX+ox
				k0, k1 := max(0, -sx), min(g.KW, src.W-sx)
				if sy < 0 || sy >= src.H || k0 >= k1 {
					continue
				}
				at[n].laneTile = laneTile{(sy*src.Pitch + sx + k0) * src.Place, (y*dst.Pitch + x) * dst.Place}
				at[n].k, at[n].kn = (ky*g.KW+k0)*g.In, (k1-k0)*g.In
				n++
			}
			for rb := range nb {
				r0, r1 := rowStart(g.Out, nb, rb), rowStart(g.Out, nb, rb+1)
				tile := lv.tile[2][r1-r0]
				for i := range n {
					q := &at[i]
					tile(q.kn, &f.a[r0*kAll+q.k*(r1-r0)], &src.Data[q.b], &dst.Data[q.c+r0*panel], nil, 4*panel, tileLoad, mask)
				}
			}
		}
	}
}

func (f *LaneConv) winograd(s *LaneScratch, dst, src Lane, oy, ox int) {
	g, lv := f.g, f.lv
	panel := lv.panel()
	th, tw := (src.H+1)/2, (src.W+1)/2
	tiles := th * tw
	chunk := max(4, winogradLanes/(16*(g.In+g.Out)*panel))
	chunk = min(chunk, tiles)
	if chunk == 0 {
		return
	}
	chunk = (tiles + (tiles+chunk-1)/chunk - 1) / ((tiles + chunk - 1) / chunk)
	// A few lines between the products, which would else fall on the same lines
	// of the first level cache.
	ldv, ldm := chunk*g.In*panel+80, chunk*g.Out*panel+80
	s.v, s.m = grow(s.v, 16*ldv), grow(s.m, 16*ldm)
	s.zero = grow(s.zero, g.In*panel)
	clear(s.zero)
	dump := dst.Dump
	if dump == 0 {
		dump = (dst.H-1)*dst.Pitch + dst.W
	}
	mask := uint64(1)<<panel - 1
	kBlocks := (g.In + kBlock - 1) / kBlock
	nb := rowBlocks(g.Out, lv.rows)
	for t0 := 0; t0 < tiles; t0 += chunk {
		n := min(chunk, tiles-t0)
		for i := range n {
			y, x := (t0+i)/tw*2, (t0+i)%tw*2
			var from [4]*float32
			for j := range from {
				from[j] = &s.zero[0]
				if yy, xx := y+j/2, x+j%2; yy < src.H && xx < src.W {
					from[j] = &src.Data[(yy*src.Pitch+xx)*src.Place]
				}
			}
			f.winogradIn(s.v[i*g.In*panel:], from, ldv, g.In*panel)
		}
		for t := range 16 {
			for kb := range kBlocks {
				k0, k1 := rowStart(g.In, kBlocks, kb), rowStart(g.In, kBlocks, kb+1)
				flags := 0
				if kb > 0 {
					flags = tileLoad
				}
				for rb := range nb {
					r0, r1 := rowStart(g.Out, nb, rb), rowStart(g.Out, nb, rb+1)
					tile := lv.tile[2][r1-r0]
					a := &f.a[t*g.Out*g.In+r0*g.In+k0*(r1-r0)]
					for i := range n {
						tile(k1-k0, a, &s.v[t*ldv+(i*g.In+k0)*panel], &s.m[t*ldm+(i*g.Out+r0)*panel], nil, 4*panel, flags, mask)
					}
				}
			}
		}
		for i := range n {
			// Output (y, x) reads inputs from (y+oy, x+ox) on; the first output that
			// input (y, x) reaches is two before that which begins there.
			y, x := (t0+i)/tw*2-oy-2, (t0+i)%tw*2-ox-2
			var offs [16]int64
			for j := range offs {
				p := dump
				if yy, xx := y+j/4, x+j%4; yy >= 0 && yy < dst.H && xx >= 0 && xx < dst.W {
					p = yy*dst.Pitch + xx
				}
				offs[j] = int64(4 * p * dst.Place)
			}
			f.winogradOut(dst.Data, &offs, s.m[i*g.Out*panel:], ldm, g.Out*panel)
		}
	}
}

func (f *LaneConv) winogradIn(dst []float32, from [4]*float32, ldd, n int) {
	if f.ops.winogradIn != nil {
		f.ops.winogradIn(&dst[0], from[0], from[1], from[2], from[3], 4*ldd, n/f.lv.lanes)
		return
	}
	var s [4][]float32
	for i, p := range from {
		s[i] = unsafe.Slice(p, n)
	}
	for i := range n {
		d00, d01, d10, d11 := s[0][i], s[1][i], s[2][i], s[3][i]
		rows := [4][2]float32{{d00, d01}, {d00 + d10, d01 + d11}, {d00 - d10, d01 - d11}, {d10, d11}}
		for j, r := range rows {
			d := dst[4*j*ldd+i:]
			d[0], d[ldd], d[2*ldd], d[3*ldd] = r[0], r[0]+r[1], r[0]-r[1], r[1]
		}
	}
}

func (f *LaneConv) winogradOut(dst []float32, offs *[16]int64, src []float32, lds, n int) {
	if f.ops.winogradOut != nil {
		f.ops.winogradOut(&dst[0], &offs[0], &src[0], 4*lds, n/f.lv.lanes)
		return
	}
	for i := range n {
		var m [16]float32
		for j := range m {
			m[j] = src[j*lds+i]
		}
		for j := range 4 {
			m[4+j], m[8+j] = m[4+j]-m[8+j]-m[12+j], m[4+j]+m[8+j]-m[j]
		}
		for j := 0; j < 16; j += 4 {
			m[j+1], m[j+2] = m[j+1]-m[j+2]-m[j+3], m[j+1]+m[j+2]-m[j]
		}
		for j, v := range m {
			dst[int(offs[j])/4+i] += v
		}
	}
}

// LaneOp is what LaneGather does with what it reads.
type LaneOp int

const (
	LaneSet LaneOp = iota
	LaneSub        // dst -= it
	LaneAdd        // dst += it
)

// LaneGather sets, for n channels and the lanes l in mask, dst[c*L+l] to
// base[offs[l]/4+c], with relu to its maximum with 0; or adds or subtracts it.
func LaneGather(dst, base []float32, offs []int64, n int, relu bool, op LaneOp, mask uint64) {
	lv := laneLevel()
	panel := lv.panel()
	if n == 0 || mask == 0 {
		return
	}
	_ = dst[n*panel-1]
	if g := lv.laneOps().gather; g != nil {
		r := 0
		if relu {
			r = 1
		}
		for v := range 2 {
			if m := mask >> (v * lv.lanes) & (1<<lv.lanes - 1); m != 0 {
				g(&dst[v*lv.lanes], &base[0], &offs[v*lv.lanes], n, r, int(op), m)
			}
		}
		return
	}
	for l := range panel {
		if mask>>l&1 == 0 {
			continue
		}
		for c, v := range base[offs[l]/4:][:n] {
			if relu {
				v = max(v, 0)
			}
			switch op {
			case LaneSub:
				v = dst[c*panel+l] - v
			case LaneAdd:
				v += dst[c*panel+l]
			}
			dst[c*panel+l] = v
		}
	}
}

// LaneCopy copies the lanes in mask of n channels.
func LaneCopy(dst, src []float32, n int, mask uint64) {
	lv := laneLevel()
	panel := lv.panel()
	all := uint64(1)<<panel - 1
	switch c := lv.laneOps().copy; {
	case n == 0 || mask&all == 0:
	case mask&all == all:
		copy(dst[:n*panel], src)
	case c != nil:
		_, _ = dst[n*panel-1], src[n*panel-1]
		c(&dst[0], &src[0], n, mask)
	default:
		for l := range panel {
			if mask>>l&1 != 0 {
				for c := range n {
					dst[c*panel+l] = src[c*panel+l]
				}
			}
		}
	}
}

// LaneMax computes dst = max(a, b, c); dst may be any of them.
func LaneMax(dst, a, b, c []float32) {
	n := 0
	if f := laneLevel().laneOps().max; f != nil {
		if n = len(dst) / 32 * 32; n > 0 {
			_, _, _ = a[n-1], b[n-1], c[n-1]
			f(&dst[0], &a[0], &b[0], &c[0], n)
		}
	}
	for ; n < len(dst); n++ {
		dst[n] = max(a[n], b[n], c[n])
	}
}
