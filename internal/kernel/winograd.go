package kernel

import (
	"github.com/deconvnet/viz/internal/pages"
	"github.com/deconvnet/viz/internal/par"
)

// Winograd's minimal filtering F(4x4, 3x3): a tile of 4x4 outputs of a 3x3
// convolution with stride 1 takes 36 products per pair of channels instead of
// 144. With U = G g G' for the weights g and V = B' d B for the tile's inputs
// d, the outputs are A' (sum over channels of U*V, elementwise) A. Over all tiles
// the elements are independent matrix products.
//
// Results differ from the direct sum by about ten times its rounding error (see
// TestWinograd). They do not depend on the workers, but they do depend on where
// the tiles begin, that is on the box, and on the batch where its size decides
// whether Winograd is used at all (see Filters.For). An Inf or NaN spreads over its tile.
//
// [lavin16] Lavin and Gray, Fast algorithms for convolutional neural networks,
// CVPR 2016, section 4.

const (
	maxTaps   = 36
	tileChans = 8  // channels transformed at a time, for L1
	tileRows  = 16 // output channels transformed back at a time
	// leastChans and leastRows are how few where there would be few tasks.
	leastChans = 2
	leastRows  = 4
	// winogradFloats is about the size of the transformed inputs and outputs
	// of the panels that are worked on together, per worker.
	winogradFloats = 256 << 10
	// bandFloats is about the size of a band of padded input, per worker, but a
	// band has at least about bandTiles tiles.
	bandFloats = 384 << 10
	bandTiles  = 256
	// perWorker is how many tasks a worker has at least where that costs little: the more, the shorter is the time
	// that all wait for the last.
	perWorker = 4
)

// transformed are weights taken to the alpha x alpha products of tiles with
// size x size outputs: u holds a rows x chans matrix packed for the GEMM for each.
// The kernel is ks x ks, ks = alpha+1-size.
type transformed struct {
	alpha, size int
	rows, chans int
	u           []float32
	tiles       taps // the inputs of a tile
}

// PackForwardFast packs w for ConvForward like PackForward, and lets it use
// Winograd's algorithm where that is possible and faster: 3x3 and 5x5 kernels with
// stride 1 on boxes that are not small. The results are then less exact, and
// their bits depend on the box and the size of the batch, or with For on the box only.
func PackForwardFast(g Conv, w []float32) *Filters {
	f := newForward(g)
	f.addWinograd()
	f.Repack(w)
	return f
}

// PackDataFast is to PackData what PackForwardFast is to PackForward.
func PackDataFast(g Conv, w []float32) *Filters {
	f := newData(g)
	f.addWinograd()
	f.Repack(w)
	return f
}

func (f *Filters) addWinograd() {
	g := f.g
	if f.lv.winogradIn[6] == nil || g.KH != g.KW || g.KH != 3 && g.KH != 5 || g.StrideY != 1 || g.StrideX != 1 || g.DilY != 1 || g.DilX != 1 ||
		g.Groups != 1 || g.In < 16 || g.Out < 16 {
		return
	}
	for _, s := range [][2]int{{6, 4}, {4, 2}, {6, 2}} {
		if s[0]+1-s[1] != g.KH {
			continue
		}
		t := &transformed{alpha: s[0], size: s[1], rows: g.Out, chans: g.In}
		if f.data {
			t.rows, t.chans = g.In, g.Out
		}
		t.u = pages.Floats(t.taps() * t.rows * t.chans)
		t.tiles = taps{list: winogradTaps[t.alpha], maxY: t.alpha - 1, maxX: t.alpha - 1, groups: 1, rows: t.rows, chans: t.chans, keeps: true}
		f.win = append(f.win, t)
	}
}

func (t *transformed) taps() int { return t.alpha * t.alpha }

// winograd returns the weights for the tiles of n images of h x w outputs, or nil
// if the direct way is better: that with the least products, those of tiles beyond
// the edges counted. There must be enough tiles to fill the vectors of a level.
// Transforms count as a quarter of the direct products, those of the larger tiles as
// a seventh of their products more; measured on AVX2 and AVX-512.
func (f *Filters) winograd(n, h, w int) *transformed {
	if f.passes > 0 {
		n = f.passes
	}
	var best *transformed
	least := 3 * f.g.KH * f.g.KW * n * h * w / 4
	for _, t := range f.win {
		tiles := n * ((h + t.size - 1) / t.size) * ((w + t.size - 1) / t.size)
		cost := t.taps() * tiles
		if t.alpha == 6 {
			cost += cost / 7
		}
		if tiles >= f.lv.lanes*t.alpha/4 && cost < least {
			best, least = t, cost
		}
	}
	return best
}

// For chooses the algorithm as for passes of n images whatever their number is, so that the bits do not depend on it.
func (f *Filters) For(n int) { f.passes = n }

// Keep drops the forms of the weights that passes of n images of h x w outputs do
// not use; f cannot be used for others afterwards. Repack takes less time.
func (f *Filters) Keep(n, h, w int) {
	if t := f.winograd(n, h, w); t != nil {
		f.win, f.subs = []*transformed{t}, nil
	} else {
		f.win = nil
	}
}

// repack transforms the weights; the data gradient takes them flipped, with rows
// and channels exchanged.
func (t *transformed) repack(pool *par.Pool, f *Filters, w []float32) {
	parts := rowBlocks(t.rows, f.lv.rows) * t.chans
	if pool == nil {
		for i := range parts {
			t.repackPart(f, w, i)
		}
		return
	}
	pool.For(parts, func(i, worker int) { t.repackPart(f, w, i) })
}

// repackPart transforms a block of rows of one channel.
func (t *transformed) repackPart(f *Filters, w []float32, i int) {
	b, c := i/t.chans, i%t.chans
	nb := rowBlocks(t.rows, f.lv.rows)
	ks := t.alpha + 1 - t.size
	r0, r1 := rowStart(t.rows, nb, b), rowStart(t.rows, nb, b+1)
	at, plane := r0*t.chans+c*(r1-r0), t.rows*t.chans
	var flipped [25]float32
	var u [maxTaps]float32
	for r := r0; r < r1; r++ {
		var k []float32
		if !f.data {
			k = w[(r*t.chans+c)*ks*ks:][:ks*ks]
		} else {
			k = flipped[:ks*ks]
			for i, v := range w[(c*t.rows+r)*ks*ks:][:ks*ks] {
				k[len(k)-1-i] = v
			}
		}
		transformKernel(&u, k, ks, t.alpha)
		for i, v := range u[:t.taps()] {
			t.u[i*plane+at] = v
		}
		at++
	}
}

// transformKernel sets u to G g G' for a ks x ks kernel g, alpha x alpha: rows of G
// are the powers of a point, scaled.
func transformKernel(u *[maxTaps]float32, g []float32, ks, alpha int) {
	var cols [6][5]float64
	var v [5]float64
	var line [6]float64
	for j := range ks {
		for i := range ks {
			v[i] = float64(g[i*ks+j])
		}
		transformLine(&line, &v, ks, alpha)
		for i := range alpha {
			cols[i][j] = line[i]
		}
	}
	for i := range alpha {
		transformLine(&line, &cols[i], ks, alpha)
		for j := range alpha {
			u[alpha*i+j] = float32(line[j])
		}
	}
}

// transformLine is the product of G and a line of a kernel, whose values from ks on
// are 0.
func transformLine(d *[6]float64, v *[5]float64, ks, alpha int) {
	even, odd := v[0]+v[2]+v[4], v[1]+v[3] // at 1: even + odd
	if alpha == 4 {
		d[0], d[1], d[2], d[3] = v[0], (even+odd)/2, (even-odd)/2, v[ks-1]
		return
	}
	even2, odd2 := v[0]+float64(4*v[2])+float64(16*v[4]), float64(2*v[1])+float64(8*v[3]) // at 2
	d[0], d[1], d[2] = v[0]/4, (even+odd)*(-1.0/6), (even-odd)*(-1.0/6)
	d[3], d[4], d[5] = (even2+odd2)*(1.0/24), (even2-odd2)*(1.0/24), v[ks-1]
}

// winogradTaps lists the inputs of a tile, by alpha.
var winogradTaps = [7][]tap{4: square(4), 6: square(6)}

func square(n int) (list []tap) {
	for i := range n {
		for j := range n {
			list = append(list, tap{i, j})
		}
	}
	return list
}

// apart is how many panels from a tap's to the next one's: n, made odd. The taps of
// a tile, which transforms read and write together, would else fall on the same
// lines of the first level cache.
func apart(n int) int { return n | 1 }

// winogradJob is one run: in groups of panels of tiles, the inputs are
// transformed to v [taps][panels][chans][panel], multiplied to c
// [taps][panels][rows][panel] and transformed back.
type winogradJob struct {
	read  convJob // gathers the tiles: as a kernel with their stride
	win   *transformed
	ep    Epilogue
	dst   []float32
	h, w  int // outputs of an image
	row0  int // first tile row of the band
	v, c  []float32
	first int // panel
	count int // panels of the group
	split int
	ins   int // channels of a task that transforms
	outs  int // output channels of one that transforms back
	in    func(i, worker int)
	mult  func(i, worker int)
	out   func(i, worker int)

	// Of local tasks: bands of localRows of the tileRows rows of tiles of each
	// image, which begins at row y0.
	y0, tileRows, localRows, bands int
	local                          func(i, worker int)
	locals                         []localMemory
}

type localMemory struct{ base, v, c []float32 }

func (e *Engine) runWinograd(f *Filters, t *transformed, n int, dst []float32, out Box, y, x int, src []float32, in Box, ep Epilogue) {
	j := e.winograds.get()
	workers := e.pool.Workers()
	if j == nil {
		j = new(winogradJob)
		j.read.workers = make([]convWorker, workers)
		j.read.fill = j.read.fillPlanes
		j.in, j.mult, j.out, j.local = j.transformIn, j.multiply, j.transformOut, j.localTask
		j.locals = make([]localMemory, workers)
	}
	j.win, j.ep, j.dst, j.h, j.w = t, ep, dst, out.H(), out.W()
	r := &j.read
	r.lv, r.t = f.lv, &t.tiles
	r.n, r.h, r.w = n, (j.h+t.size-1)/t.size, (j.w+t.size-1)/t.size
	r.src, r.in, r.y, r.x, r.sy, r.sx = src, in, y, x, t.size, t.size
	if len(t.u) <= localWeights && n*r.h >= workers && j.cutLocal(n, workers) {
		e.runLocal(j, n, y)
		e.putWinograd(j)
		return
	}
	r.read()
	panel := f.lv.panel()
	perPanel := t.taps() * (t.chans + t.rows) * panel
	chunk := max(1, min(n, scratchLimit/r.imageStride))
	r.base = e.floats(chunk * r.imageStride)
	total := (chunk*r.h*r.w + panel - 1) / panel
	group := min(total, max(2, workers*winogradFloats/perPanel))
	group = (total + (total+group-1)/group - 1) / ((total + group - 1) / group)
	j.cutStages(group, workers)
	j.v = e.floats(t.taps() * apart(group*t.chans) * panel)
	j.c = e.floats(t.taps() * apart(group*t.rows) * panel)
	// A large image is taken in bands of tile rows, so that what is read again
	// and again stays in the cache.
	rows := r.h
	bands := 1
	if perRow := r.imageStride / r.hs; chunk == 1 {
		band := max((bandTiles+r.w-1)/r.w, workers*bandFloats/perRow)
		bands = (rows + band - 1) / band
	}
	for r.image0 = 0; r.image0 < n; r.image0 += chunk {
		r.images = min(chunk, n-r.image0)
		for b := range bands {
			j.row0 = rowStart(rows, bands, b)
			if h := rowStart(rows, bands, b+1) - j.row0; bands > 1 {
				r.h, r.y = h, y+j.row0*t.size
				r.read()
			}
			n := r.fillTasks(workers)
			if e.watch != nil {
				e.show(n, r.touchFill)
			}
			e.pool.For(n, r.fill)
			r.panels = (r.images*r.h*r.w + panel - 1) / panel
			for j.first = 0; j.first < r.panels; j.first += group {
				j.count = min(group, r.panels-j.first)
				e.stages(j)
			}
		}
	}
	e.put(r.base)
	e.put(j.v)
	e.put(j.c)
	e.putWinograd(j)
}

// cutStages cuts the stages of a group of panels into tasks.
func (j *winogradJob) cutStages(group, workers int) {
	t, lv := j.win, j.read.lv
	few := func(all, most, least int) int {
		for most > least && group*((all+most-1)/most) < perWorker*workers {
			most /= 2
		}
		return most
	}
	j.ins, j.outs = few(t.chans, tileChans, leastChans), few(t.rows, tileRows, leastRows)
	blocks := rowBlocks(t.rows, lv.rows)
	_, j.split = cutProduct(productShape{count: t.taps(), panels: 1, most: 1, blocks: blocks, rows: (t.rows + blocks - 1) / blocks, read: 4,
		begin: beginSteps / (t.chans * group)}, workers)
}

// stages takes a group of panels through all stages.
func (e *Engine) stages(j *winogradJob) {
	ins, mults, outs := j.count*((j.win.chans+j.ins-1)/j.ins), j.win.taps()*j.split, j.count*((j.win.rows+j.outs-1)/j.outs)
	if e.watch != nil {
		e.show(ins, j.touchIn)
		e.show(mults, j.touchMultiply)
		e.show(outs, j.touchOut)
	}
	e.pool.For(ins, j.in)
	e.pool.For(mults, j.mult)
	e.pool.For(outs, j.out)
}

func (e *Engine) putWinograd(j *winogradJob) {
	j.read.putOffsets()
	j.read.src, j.read.base, j.v, j.c, j.dst, j.ep, j.win = nil, nil, nil, nil, nil, Epilogue{}, nil
	e.winograds.put(j)
}

func (j *winogradJob) transformIn(i, worker int) {
	chans, panel := j.win.chans, j.read.lv.panel()
	p := i % j.count
	c0 := i / j.count * j.ins
	j.panelIn(&j.read.workers[worker], j.read.base, j.v[(p*chans+c0)*panel:], apart(j.count*chans), (j.first+p)*panel, c0, min(j.ins, chans-c0))
}

// panelIn transforms n channels from c0 on of the tiles of the panel that begins
// with tile from; the rows of v for a tap and the next are ldv panels apart.
func (j *winogradJob) panelIn(ws *convWorker, base, v []float32, ldv, from, c0, n int) {
	r := &j.read
	lv, nt, panel := r.lv, j.win.taps(), r.lv.panel()
	ws.b = grow(ws.b, tileChans*nt*panel)
	r.segments(ws, from, from+panel)
	for i := range 2 {
		if nseg := ws.index[i+1] - ws.index[i]; nseg > 0 {
			lv.pack(&ws.b[i*lv.lanes], &base[0], &r.koff[c0*nt], n*nt, &ws.segs[2*ws.index[i]], nseg)
			lv.winogradIn[j.win.alpha](&v[i*lv.lanes], &ws.b[i*lv.lanes], 4*ldv*panel, n)
		}
	}
}

func (j *winogradJob) multiply(i, worker int) {
	r, t := &j.read, j.win
	tap, split := i/j.split, i%j.split
	blocks := rowBlocks(t.rows, r.lv.rows)
	rb0, rb1 := rowStart(blocks, j.split, split), rowStart(blocks, j.split, split+1)
	j.tapProduct(tap, rb0, rb1, j.v[tap*apart(j.count*t.chans)*r.lv.panel():], j.c[tap*apart(j.count*t.rows)*r.lv.panel():],
		j.count, r.images*r.h*r.w-j.first*r.lv.panel())
}

// tapProduct multiplies the row blocks [rb0, rb1) of a tap's weights with v for
// count panels, of which the last ends with the given column.
func (j *winogradJob) tapProduct(tap, rb0, rb1 int, v, c []float32, count, columns int) {
	t, lv := j.win, j.read.lv
	panel := lv.panel()
	blocks := rowBlocks(t.rows, lv.rows)
	kBlocks := (t.chans + kBlock - 1) / kBlock
	u := t.u[tap*t.rows*t.chans:]
	for kb := range kBlocks {
		k0, k1 := rowStart(t.chans, kBlocks, kb), rowStart(t.chans, kBlocks, kb+1)
		flags := 0
		if kb > 0 {
			flags = tileLoad
		}
		for rb := rb0; rb < rb1; rb++ {
			r0, r1 := rowStart(t.rows, blocks, rb), rowStart(t.rows, blocks, rb+1)
			mr := r1 - r0
			at := r0*t.chans + k0*mr
			a := &u[at]
			ahead := 0
			if rb+1 < rb1 {
				ahead = (r1*t.chans + k0*(rowStart(t.rows, blocks, rb+2)-r1) - at) * 4 << tileAhead
			} else if rb1 == blocks && kb+1 == kBlocks {
				ahead = (t.rows*t.chans - at) * 4 << tileAhead // the next tap, if any
			}
			for p := range count {
				nv := 2
				if columns-p*panel <= lv.lanes {
					nv = 1
				}
				lv.tile[nv][mr](k1-k0, a, &v[(p*t.chans+k0)*panel], &c[(p*t.rows+r0)*panel], nil, 4*panel, flags|ahead, 1<<(nv*lv.lanes)-1)
				ahead = 0
			}
		}
	}
}

func (j *winogradJob) transformOut(i, worker int) {
	r, t := &j.read, j.win
	panel := r.lv.panel()
	p := i % j.count
	r0 := i / j.count * j.outs
	j.panelOut(&r.workers[worker], j.c[(p*t.rows+r0)*panel:], apart(j.count*t.rows), (j.first+p)*panel, r.images*r.h*r.w, r.image0, j.row0, r0, min(j.outs, t.rows-r0))
}

// panelOut transforms n output channels from r0 on of the panel that begins with
// tile from of columns, the first of which is in tile row row0 of image0.
func (j *winogradJob) panelOut(ws *convWorker, c []float32, ldc, from, columns, image0, row0, r0, n int) {
	r, t := &j.read, j.win
	lv := r.lv
	panel, area := lv.panel(), j.h*j.w
	var bias *float32
	if j.ep.Bias != nil {
		bias = &j.ep.Bias[r0]
	}
	relu := 0
	if j.ep.ReLU {
		relu = 1
	}
	dst := &j.dst[image0*j.ep.Stride+r0*area]
	for v := range 2 {
		from := from + v*lv.lanes
		to := min(from+lv.lanes, columns)
		if from >= to {
			break
		}
		ws.segs = ws.segs[:0]
		for l := from; l < to; {
			image, ty, tx := l/(r.h*r.w), row0+l/r.w%r.h, l%r.w
			run := min(r.w-tx, to-l)
			off := image*j.ep.Stride + t.size*(ty*j.w+tx-(l-from))
			cols := min(t.size*run, j.w-t.size*tx)
			mask := (uint64(1)<<cols - 1) << (t.size * (l - from))
			ws.segs = append(ws.segs, int64(4*off), int64(mask), int64(min(t.size, j.h-t.size*ty)))
			l += run
		}
		lv.winogradOut[t.alpha+t.size](dst, &c[v*lv.lanes], 4*ldc*panel, n, 4*area, 4*j.w, &ws.segs[0], len(ws.segs)/3, bias, relu)
		if j.ep.rest() {
			j.finish(ws, image0, row0, r0, n, from, to)
		}
	}
}

// finish ends n output channels from r0 on of tiles [from, to).
func (j *winogradJob) finish(ws *convWorker, image0, row0, r0, n, from, to int) {
	r, size, area := &j.read, j.win.size, j.h*j.w
	for l := from; l < to; {
		image, ty, tx := l/(r.h*r.w), row0+l/r.w%r.h, l%r.w
		run := min(r.w-tx, to-l)
		for c := range n {
			j.ep.finish(r.lv, j.dst[(image0+image)*j.ep.Stride+(r0+c)*area+size*(ty*j.w+tx):], min(size, j.h-size*ty), min(size*run, j.w-size*tx), j.w)
		}
		l += run
	}
}

// cutLocal finds into how many rows of tiles local tasks are cut: those that cost least time, by vectors that are full and
// tasks that are even. It reports whether no worker has much more than its share; with other tasks there are more of them.
func (j *winogradJob) cutLocal(n, workers int) bool {
	r, t := &j.read, j.win
	rows, lanes, best, even := r.h, r.lv.lanes, 0, 0
	perRow := t.chans * t.size * r.w * t.size
	for h := 1; h <= rows && (h == 1 || h*perRow <= localFloats); h++ {
		bands := (rows + h - 1) / h
		rounds := (n*bands + workers - 1) / workers
		cost := rounds * ((h*r.w+lanes-1)/lanes*lanes + r.w*(t.alpha-t.size)/(2*t.size) + 4)
		if best == 0 || cost < best {
			best, j.localRows, even = cost, h, 11*n*rows-10*rounds*h*workers
		}
	}
	return even >= 0
}

// runLocal is the way for weights that fit the cache of a worker beside a panel:
// each task takes some rows of tiles of an image all the way, so that nothing
// but the input goes from one worker to another.
func (e *Engine) runLocal(j *winogradJob, n, y int) {
	r := &j.read
	rows := r.h
	j.y0, r.h = y, j.localRows
	j.tileRows = rows
	r.images, r.image0 = 1, 0
	r.read()
	j.bands = (rows + j.localRows - 1) / j.localRows
	if e.watch != nil {
		e.show(n*j.bands, j.touchLocal)
	}
	e.pool.For(n*j.bands, j.local)
}

// localFloats is about the size of the padded input of a local task.
const localFloats = 160 << 10

// localWeights is the size of the largest weights of local tasks.
const localWeights = 480 << 10

func (j *winogradJob) localTask(i, worker int) {
	r, t := &j.read, j.win
	panel := r.lv.panel()
	image, band := i/j.bands, i%j.bands
	t0, t1 := band*j.localRows, min((band+1)*j.localRows, j.tileRows)
	ws, l := &r.workers[worker], &j.locals[worker]
	l.base = grow(l.base, r.imageStride)
	ldv, ldc := apart(t.chans), apart(t.rows)
	l.v = grow(l.v, t.taps()*ldv*panel)
	l.c = grow(l.c, t.taps()*ldc*panel)
	for c := range t.chans {
		r.fillPlane(l.base[c*r.planeStride:][:r.planeStride], r.src[(image*t.chans+c)*r.in.Area():][:r.in.Area()], j.y0+t0*t.size, 0, min(r.hs, t1-t0+r.hs-r.h))
	}
	blocks := rowBlocks(t.rows, r.lv.rows)
	columns := (t1 - t0) * r.w
	for from := 0; from < columns; from += panel {
		for c0 := 0; c0 < t.chans; c0 += tileChans {
			j.panelIn(ws, l.base, l.v[c0*panel:], ldv, from, c0, min(tileChans, t.chans-c0))
		}
		for tap := range t.taps() {
			j.tapProduct(tap, 0, blocks, l.v[tap*ldv*panel:], l.c[tap*ldc*panel:], 1, columns-from)
		}
		for r0 := 0; r0 < t.rows; r0 += tileRows {
			j.panelOut(ws, l.c[r0*panel:], ldc, from, columns, image, t0, r0, min(tileRows, t.rows-r0))
		}
	}
}
