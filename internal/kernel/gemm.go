package kernel

import (
	"sync/atomic"

	"github.com/deconvnet/viz/internal/pages"
)

const (
	// kBlock is about how many rows of a packed panel are used at a time: a
	// panel of the AVX-512 tile then takes 32 KiB.
	kBlock = 256
	// panelBlock is the number of columns packed at a time, for L2.
	panelBlock = 256
	// scratchLimit is about the number of floats of padded input made at a time.
	scratchLimit = 2 << 20
	// fillChunk is about the number of floats copied in one task.
	fillChunk = 8 << 10
	// fillLeast is how few they are where there would be few tasks.
	fillLeast = 1 << 10
	// directFloats is about the number of outputs of a task without packing.
	directFloats = 2 << 10
	// directK is the longest sum made without packing; such a call cannot be
	// interrupted.
	directK = 2 << 10
)

// tap is a place of the kernel: the row and column it reads, relative to the
// first one that its output reads.
type tap struct{ y, x int }

// taps is a set of taps with its weights, packed for the tiles of a level. A
// group has rows output channels and chans input channels; k runs over
// (channel, tap).
type taps struct {
	list                []tap
	maxY, maxX          int
	groups, rows, chans int
	a                   []float32
	keeps               bool
	turned              bool // a is packed for a turned product
	grid                grid
	kept                atomic.Pointer[offsetTable]
}

func (t *taps) k() int { return t.chans * len(t.list) }

// rowBlocks returns into how many blocks of at most limit rows m is cut.
func rowBlocks(m, limit int) int { return (m + limit - 1) / limit }

// rowStart returns where block i of n begins.
func rowStart(m, n, i int) int { return m * i / n }

func newTaps(list []tap, groups, rows, chans int, lv *level, places int) *taps {
	t := &taps{list: list, groups: groups, rows: rows, chans: chans, keeps: true, grid: newGrid(list)}
	for _, p := range list {
		t.maxY, t.maxX = max(t.maxY, p.y), max(t.maxX, p.x)
	}
	if t.turned = lv.turned(groups, rows, t.k(), places); t.turned {
		rows = (rows + lv.panel() - 1) / lv.panel() * lv.panel()
	}
	t.a = pages.Floats(groups*rows*t.k() + lv.lanes)
	return t
}

// packRows packs an m x k matrix for the rows of tiles: block after block, each
// with its rows side by side, for k after k.
func (lv *level) packRows(a []float32, m, k int, src []float32) {
	nb := rowBlocks(m, lv.rows)
	for i := range nb {
		r0, r1 := rowStart(m, nb, i), rowStart(m, nb, i+1)
		lv.packBlock(a[r0*k:], r1-r0, 0, src[r0*k:], k, k)
	}
}

// packBlock packs kn columns of mr rows as columns k0.. of a block; element
// (r, k) is at src[r*lds+k]. Up to a vector more is written, which the call for
// the next columns, the next block or the slack at the end makes good: calls must
// come in the order of the packed values.
func (lv *level) packBlock(a []float32, mr, k0 int, src []float32, lds, kn int) {
	for k := 0; k < kn; k += lv.lanes {
		for r := 0; r < mr; r += lv.lanes {
			lv.transpose(&a[(k0+k)*mr+r], &src[r*lds+k], 4*mr, 4*lds, min(lv.lanes, mr-r), min(lv.lanes, kn-k))
		}
	}
}

// convJob is one run of a set of taps over a batch: a product of the packed
// weights with a matrix whose columns are the output positions of all images
// and which is gathered from the input by offsets. Jobs are kept by the engine.
type convJob struct {
	lv  *level
	t   *taps
	mat taps // of a plain matrix product
	ep  Epilogue

	// Output: n images of t.groups*t.rows planes of h x w, dense.
	n, h, w  int
	dst      []float32
	planeOut int // depthwise: floats from a plane to the next one, 0: they follow each other

	// Input: src over box in; output (0, 0) at tap (0, 0) reads (y, x).
	src    []float32
	in     Box
	y, x   int
	sy, sx int

	// Where the product reads: an image chunk of the padded input, or src.
	base           []float32
	first          int // byte offset of output (0, 0), tap (0, 0)
	image0, images int // images in the chunk
	imageStride    int // floats
	planeStride    int
	pitch          int
	koff           []int64

	// The padded input: per image and channel the phases py x px of the stride
	// that taps fall on, each hs x ws.
	phasesY, phasesX []int
	hs, ws           int
	fillTask         int // planes in a task
	fillBands        int

	panels, chunks, splits int
	workers                []convWorker
	runs, runW, widest     int       // in place: runs of columns in memory, vectors of the widest tile
	packed                 []float32 // columns that are packed for all workers, or nil
	pack                   func(i, worker int)
	fill, multiply, direct func(i, worker int)
	turnedRun              func(i, worker int)
	plane                  planeJob // of a depthwise convolution
	channels               channelJob
}

type convWorker struct {
	b     []float32 // packed panels
	c     []float32 // panels of c that cross images
	segs  []int64   // (off, mask) pairs
	index []int     // first segment of each vector; one more at the end
	k     [4]float32
}

func (e *Engine) getConv() *convJob {
	if j := e.convs.get(); j != nil {
		return j
	}
	j := &convJob{workers: make([]convWorker, e.pool.Workers())}
	j.fill, j.multiply, j.direct, j.plane.run = j.fillPlanes, j.multiplyChunk, j.directChunk, j.planeTask
	j.turnedRun, j.channels.run, j.pack = j.turnedChunk, j.channelTask, j.packPart
	return j
}

func (e *Engine) putConv(j *convJob) {
	j.putOffsets()
	j.dst, j.src, j.base, j.t, j.ep, j.planeOut = nil, nil, nil, nil, Epilogue{}, 0
	e.convs.put(j)
}

// runConv computes the job, whose output and input are set.
func (e *Engine) runConv(j *convJob) {
	if j.byChannels() {
		e.runChannels(j)
		return
	}
	if f := j.planeFunc(); f != nil {
		e.runPlanes(j, f)
		return
	}
	if j.read() {
		j.base, j.image0, j.images = j.src, 0, j.n
		e.product(j)
		return
	}
	chunk := max(1, min(j.n, scratchLimit/j.imageStride))
	j.base = e.floats(chunk * j.imageStride)
	for j.image0 = 0; j.image0 < j.n; j.image0 += chunk {
		j.images = min(chunk, j.n-j.image0)
		n := j.fillTasks(e.pool.Workers())
		if e.watch != nil {
			e.show(n, j.touchFill)
		}
		e.pool.For(n, j.fill)
		e.product(j)
	}
	e.put(j.base)
}

// read decides how the input is read and fills in the offsets. It returns true
// if that is in place, false if it needs to be padded or split into the phases
// of the stride.
func (j *convJob) read() bool {
	t := j.t
	channels := t.groups * t.chans
	need := rect(j.y, j.x, j.y+(j.h-1)*j.sy+t.maxY+1, j.x+(j.w-1)*j.sx+t.maxX+1)
	if j.sy == 1 && j.sx == 1 && j.in.Contains(need) {
		j.pitch, j.planeStride = j.in.W(), j.in.Area()
		j.imageStride = channels * j.planeStride
		j.first = 4 * ((j.y-j.in.Y0)*j.pitch + j.x - j.in.X0)
		j.offsets(offsetKey{1, 1, j.planeStride, j.pitch, 0})
		return true
	}
	j.layout()
	j.offsets(offsetKey{j.sy, j.sx, j.planeStride, j.ws, j.hs})
	return false
}

// offsetKey is what the offsets of taps depend on.
type offsetKey struct{ sy, sx, planeStride, pitch, hs int }

type offsetTable struct {
	key  offsetKey
	list []int64
}

// offsets sets koff, where the inputs of each (channel, tap) lie in bytes. Taps that
// stay keep the last list, as layers are mostly run on one size.
func (j *convJob) offsets(key offsetKey) {
	t := j.t
	if t.keeps {
		if o := t.kept.Load(); o != nil && o.key == key {
			j.koff = o.list
			return
		}
		j.koff = make([]int64, 0, t.k())
	}
	j.koff = j.koff[:0]
	for c := range t.chans {
		for _, p := range t.list {
			at := c*key.planeStride + p.y*key.pitch + p.x
			if key.hs > 0 {
				ph := index(j.phasesY, p.y%j.sy)*len(j.phasesX) + index(j.phasesX, p.x%j.sx)
				at = c*key.planeStride + (ph*key.hs+p.y/j.sy)*key.pitch + p.x/j.sx
			}
			j.koff = append(j.koff, int64(4*at))
		}
	}
	if t.keeps {
		t.kept.Store(&offsetTable{key, j.koff})
	}
}

// putOffsets lets go of a list that belongs to the taps.
func (j *convJob) putOffsets() {
	if j.t != nil && j.t.keeps {
		j.koff = nil
	}
}

// fillTasks returns the number of tasks of fillPlanes for the current chunk. A
// single image is cut into bands of rows, so that workers make the rows that they
// will multiply.
func (j *convJob) fillTasks(workers int) int {
	j.fillBands = 1
	if j.images == 1 {
		j.fillBands = min(workers, j.hs)
	}
	floats := j.images * j.imageStride
	j.fillTask = max(1, min(fillChunk, max(fillLeast, floats/(perWorker*workers)))*j.fillBands/j.planeStride)
	return j.fillBands * ((j.images*j.t.groups*j.t.chans + j.fillTask - 1) / j.fillTask)
}

// layout sets the shape of the padded input.
func (j *convJob) layout() {
	t := j.t
	j.phasesY, j.phasesX = j.phasesY[:0], j.phasesX[:0]
	for _, p := range t.list {
		if py := p.y % j.sy; index(j.phasesY, py) < 0 {
			j.phasesY = append(j.phasesY, py)
		}
		if px := p.x % j.sx; index(j.phasesX, px) < 0 {
			j.phasesX = append(j.phasesX, px)
		}
	}
	j.hs, j.ws = j.h+t.maxY/j.sy, j.w+t.maxX/j.sx
	j.pitch = j.ws
	j.planeStride = len(j.phasesY) * len(j.phasesX) * j.hs * j.ws
	j.imageStride = t.groups * t.chans * j.planeStride
	j.first = 0
}

func index(s []int, v int) int {
	for i, x := range s {
		if x == v {
			return i
		}
	}
	return -1
}

// fillPlanes makes task i of the padded input: a band of some planes.
func (j *convJob) fillPlanes(i, worker int) {
	planes := j.images * j.t.groups * j.t.chans
	tasks := (planes + j.fillTask - 1) / j.fillTask
	band := i / tasks
	h0, h1 := rowStart(j.hs, j.fillBands, band), rowStart(j.hs, j.fillBands, band+1)
	i %= tasks
	first := j.image0 * j.t.groups * j.t.chans
	for p := i * j.fillTask; p < min((i+1)*j.fillTask, planes); p++ {
		src := j.src[(first+p)*j.in.Area():][:j.in.Area()]
		j.fillPlane(j.base[p*j.planeStride:][:j.planeStride], src, j.y, h0, h1)
	}
}

// fillPlane copies rows [h0, h1) of the phases of a plane, with 0 outside box in;
// output row 0 reads from row y of the input on.
func (j *convJob) fillPlane(dst, src []float32, y, h0, h1 int) {
	phase, nx := j.hs*j.ws, len(j.phasesX)
	fill := j.fillRows()
	for iy, py := range j.phasesY {
		u0, u1 := spanIn(j.sy, y+py, j.in.Y0, j.in.Y1, h0, h1)
		u0, u1 = min(max(u0, h0), h1), max(u1, h0)
		u1 = max(u0, u1)
		for ix := range nx {
			d := dst[(iy*nx+ix)*phase:]
			clear(d[h0*j.ws : u0*j.ws])
			clear(d[u1*j.ws : h1*j.ws])
		}
		if u0 == u1 {
			continue
		}
		d := dst[iy*nx*phase+u0*j.ws:]
		at := (y+u0*j.sy+py-j.in.Y0)*j.in.W() + j.x - j.in.X0
		if fill == nil {
			for ix, px := range j.phasesX {
				lo, hi := spanIn(j.sx, j.x+px, j.in.X0, j.in.X1, 0, j.ws)
				lo = min(lo, j.ws)
				hi = max(lo, hi)
				for u := range u1 - u0 {
					row := d[ix*phase+u*j.ws:][:j.ws]
					clear(row[:lo])
					clear(row[hi:])
					stride(row[lo:hi], src, at+u*j.sy*j.in.W()+px+lo*j.sx, j.sx)
				}
			}
			continue
		}
		// Rows that fit the nearest cache at a time.
		for step := max(1, fillBlock/j.ws); u0 < u1; u0 += step {
			rows := min(step, u1-u0)
			for x := 0; x < j.ws; x += j.lv.lanes {
				// Inputs [lo, hi) of those that the vectors read are inside the box.
				width := j.sx * j.lv.lanes
				lo := min(max(j.in.X0-j.x-x*j.sx, 0), width)
				hi := min(max(j.in.X1-j.x-x*j.sx, lo), width)
				mask := ^uint64(0) >> (64 - hi + lo) << lo
				fill(&d[x], 4*phase, nx, &src[0], 4*(at+x*j.sx), rows, min(j.lv.lanes, j.ws-x), 4*j.ws, 4*j.sy*j.in.W(), mask)
			}
			if u0+step < u1 {
				d = d[step*j.ws:]
			}
			at += step * j.sy * j.in.W()
		}
	}
}

// fillBlock is about the number of floats of padded rows made at a time.
const fillBlock = 2 << 10

// fillRows returns the kernel that makes all phases of a row at once, if there is
// one for them.
func (j *convJob) fillRows() func(dst *float32, ldd, phases int, src *float32, off, rows, n, dstStep, srcStep int, mask uint64) {
	if j.sx >= len(j.lv.fillRows) {
		return nil
	}
	for i, px := range j.phasesX {
		if px != i {
			return nil
		}
	}
	return j.lv.fillRows[j.sx]
}

// stride copies every step-th element of src, from position p on.
func stride(dst, src []float32, p, step int) {
	for i := range dst {
		dst[i] = src[p]
		p += step
	}
}

// product multiplies the weights with the images of the current chunk.
func (e *Engine) product(j *convJob) {
	if j.t.turned {
		n := j.cutTurned(e.pool.Workers())
		if e.watch != nil {
			e.show(n, j.touchTurned)
		}
		e.pool.For(n, j.turnedRun)
		return
	}
	if j.inPlace() {
		n := j.directTasks(e.pool.Workers())
		if e.watch != nil {
			e.show(n, j.touchDirect)
		}
		e.pool.For(n, j.direct)
		return
	}
	columns := j.images * j.h * j.w
	panel, k, workers := j.lv.panel(), j.t.k(), e.pool.Workers()
	j.panels = (columns + panel - 1) / panel
	blocks := rowBlocks(j.t.rows, j.lv.rows)
	shape := productShape{count: j.t.groups, panels: j.panels, most: panelBlock / panel,
		blocks: blocks, rows: (j.t.rows + blocks - 1) / blocks, read: packCost, weights: 1, begin: beginSteps / k}
	j.chunks, j.splits = cutProduct(shape, workers)
	// Where several tasks would pack the same columns, many workers pack them once for all, which is one more loop.
	if size := j.panels * panel * k; j.splits > 1 && workers >= unevenWorkers && j.t.groups == 1 && size <= packedFloats {
		j.packed = e.floats(size)
		if e.watch != nil {
			e.show(j.panels*rowBlocks(k, kBlock), j.touchPack)
		}
		e.pool.For(j.panels*rowBlocks(k, kBlock), j.pack)
		shape.read = 1
		j.chunks, j.splits = cutProduct(shape, workers)
	}
	if e.watch != nil {
		e.show(j.t.groups*j.chunks*j.splits, j.touchMultiply)
	}
	e.pool.For(j.t.groups*j.chunks*j.splits, j.multiply)
	e.put(j.packed)
	j.packed = nil
}

// packedFloats is the number of floats of the largest columns that are packed once for all workers.
const packedFloats = 1 << 20

// packPart packs a block of rows of one panel for all workers: [block][panel][row].
func (j *convJob) packPart(i, worker int) {
	ws, panel, k, kBlocks := &j.workers[worker], j.lv.panel(), j.t.k(), rowBlocks(j.t.k(), kBlock)
	p, kb := i/kBlocks, i%kBlocks
	k0, k1 := rowStart(k, kBlocks, kb), rowStart(k, kBlocks, kb+1)
	j.packPanels(ws, j.packed[(k0*j.panels+p*(k1-k0))*panel:], 0, p, p+1, k0, k1, true)
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n+n/4)[:n]
	}
	return s[:n]
}

// inPlace decides whether the product reads its columns in place: where packing
// takes long beside a product with few rows, and the runs of columns in memory
// fill the vectors.
func (j *convJob) inPlace() bool {
	t, lv := j.t, j.lv
	if lv.direct == nil || t.k() > directK {
		return false
	}
	w, h := j.w, j.h
	if j.pitch == w { // rows follow each other: a 1x1 kernel
		w, h = w*h, 1
	}
	if t.rows <= 3 {
		return w >= lv.lanes/2
	}
	// Reading many rows at a time is slow: each is on a page of its own.
	if t.k() > placeK {
		return false
	}
	// The product takes rows steps for each vector, packing about packSteps.
	vectors := h * ((w + lv.lanes - 1) / lv.lanes)
	packed := (h*w + lv.lanes - 1) / lv.lanes
	if j.images > 1 {
		packed = h * w / lv.lanes
	}
	return vectors*t.rows <= packed*(t.rows+packSteps)
}

// placeK is the longest sum made in place for more than three rows.
const placeK = 48

// packCost is what packing costs a task that shares its columns with others, in
// steps of a product; measured as the time that more splits take.
const packCost = 16

// packSteps is about how many steps of a product packing takes for a vector.
const packSteps = 6

// directTasks cuts the product into tasks: blocks of columns of an image, and of
// rows where those are too few.
func (j *convJob) directTasks(workers int) int {
	t, lv := j.t, j.lv
	j.runW, j.runs = j.w, j.h
	if j.pitch == j.w {
		j.runW, j.runs = j.w*j.h, 1
	}
	j.widest = 2
	if lv.direct[min(t.rows, lv.rows)][4] != nil {
		j.widest = 4
	}
	width := j.widest * lv.lanes
	j.panels = j.runs * ((j.runW + width - 1) / width)
	blocks := rowBlocks(t.rows, lv.rows)
	j.chunks, j.splits = cutProduct(productShape{count: j.images * t.groups, panels: j.panels, most: directFloats / width,
		blocks: blocks, rows: (t.rows + blocks - 1) / blocks, read: packSteps, begin: beginSteps / t.k()}, workers)
	return j.images * t.groups * j.chunks * j.splits
}

// directChunk computes task i of a product in place. It makes the same sums as
// multiplyChunk.
func (j *convJob) directChunk(i, worker int) {
	lv, t := j.lv, j.t
	split := i % j.splits
	chunk := i / j.splits % j.chunks
	group := i / j.splits / j.chunks % t.groups
	image := i / j.splits / j.chunks / t.groups
	p0, p1 := rowStart(j.panels, j.chunks, chunk), rowStart(j.panels, j.chunks, chunk+1)
	blocks := rowBlocks(t.rows, lv.rows)
	rb0, rb1 := rowStart(blocks, j.splits, split), rowStart(blocks, j.splits, split+1)
	area, kAll := j.h*j.w, t.k()
	flags := 0
	if j.ep.ReLU {
		flags = tileReLU
	}
	width := j.widest * lv.lanes
	perRun := (j.runW + width - 1) / width
	from := image*j.imageStride + group*t.chans*j.planeStride + j.first/4
	to := (j.image0+image)*j.ep.Stride + group*t.rows*area
	for ; p0 < p1; p0 += placePanels {
		last := min(p0+placePanels, p1)
		for rb := rb0; rb < rb1; rb++ {
			r0, r1 := rowStart(t.rows, blocks, rb), rowStart(t.rows, blocks, rb+1)
			var bias *float32
			if j.ep.Bias != nil {
				bias = &j.ep.Bias[group*t.rows+r0]
			}
			ahead := 0
			if rb+1 < rb1 {
				ahead = (r1 - r0) * kAll * 4 << tileAhead
			}
			for p := p0; p < last; {
				y, x := p/perRun, p%perRun*width
				at := to + r0*area + y*j.w + x
				run := min(perRun-p%perRun, last-p)
				for i := range run {
					n := min(j.runW-x-i*width, width)
					nv := (n + lv.lanes - 1) / lv.lanes
					if nv == 3 {
						nv = 4
					}
					lv.direct[r1-r0][nv](kAll, &t.a[(group*t.rows+r0)*kAll], &j.base[from+y*j.pitch+x+i*width], &j.koff[0], &j.dst[at+i*width], bias, 4*area, flags|ahead, n)
					ahead = 0
				}
				if j.ep.rest() {
					j.ep.finish(lv, j.dst[at:], r1-r0, min(j.runW-x, run*width), area)
				}
				p += run
			}
		}
	}
}

// placePanels is the number of panels that a product in place takes at a time: their
// columns stay in the nearest cache, and each row of outputs is written in pieces of
// some lines.
const placePanels = 8

// multiplyChunk computes task i: rows of a group for a chunk of panels.
func (j *convJob) multiplyChunk(i, worker int) {
	lv, t := j.lv, j.t
	split := i % j.splits
	chunk := i / j.splits % j.chunks
	group := i / j.splits / j.chunks
	p0, p1 := rowStart(j.panels, j.chunks, chunk), rowStart(j.panels, j.chunks, chunk+1)
	blocks := rowBlocks(t.rows, lv.rows)
	rb0, rb1 := rowStart(blocks, j.splits, split), rowStart(blocks, j.splits, split+1)
	if p0 == p1 || rb0 == rb1 {
		return
	}
	ws := &j.workers[worker]
	panel, area := lv.panel(), j.h*j.w
	columns := j.images * area
	kAll := t.k()
	kBlocks := (kAll + kBlock - 1) / kBlock
	if j.packed == nil {
		ws.b = grow(ws.b, (p1-p0)*panel*(kAll/kBlocks+1))
	}
	row0 := rowStart(t.rows, blocks, rb0)
	rows := rowStart(t.rows, blocks, rb1) - row0
	if j.images > 1 {
		ws.c = grow(ws.c, (p1-p0)*rows*panel)
	}
	out := j.dst[j.image0*j.ep.Stride:]
	for kb := range kBlocks {
		k0, k1 := rowStart(kAll, kBlocks, kb), rowStart(kAll, kBlocks, kb+1)
		kn := k1 - k0
		from := ws.b
		if j.packed != nil {
			from = j.packed[(k0*j.panels+p0*kn)*panel:]
		} else {
			j.packPanels(ws, ws.b, group, p0, p1, k0, k1, kb == 0)
		}
		flags := 0
		if kb > 0 {
			flags |= tileLoad
		}
		if kb == kBlocks-1 && j.ep.ReLU {
			flags |= tileReLU
		}
		for rb := rb0; rb < rb1; rb++ {
			r0, r1 := rowStart(t.rows, blocks, rb), rowStart(t.rows, blocks, rb+1)
			mr := r1 - r0
			at := (group*t.rows+r0)*kAll + k0*mr
			a := &t.a[at]
			// While the first panel is computed, the weights for the next rows come
			// into the cache.
			next := 0
			switch {
			case rb+1 < rb1:
				next = (group*t.rows+r1)*kAll + k0*(rowStart(t.rows, blocks, rb+2)-r1) - at
			case kb+1 < kBlocks:
				next = (group*t.rows+row0)*kAll + k1*(rowStart(t.rows, blocks, rb0+1)-row0) - at
			}
			ahead := next * 4 << tileAhead
			var bias *float32
			if j.ep.Bias != nil {
				bias = &j.ep.Bias[group*t.rows+r0]
			}
			for p := p0; p < p1; p++ {
				l := p * panel
				width := min(panel, columns-l)
				nv := 2
				if width <= lv.lanes {
					nv = 1
				}
				mask := uint64(1)<<width - 1
				b := &from[(p-p0)*kn*panel]
				if j.images > 1 && j.crosses(p) {
					c := &ws.c[((p-p0)*rows+r0-row0)*panel]
					lv.tile[nv][mr](kn, a, b, c, bias, 4*panel, flags|ahead, mask)
				} else {
					c := &out[l/area*j.ep.Stride+(group*t.rows+r0)*area+l%area]
					lv.tile[nv][mr](kn, a, b, c, bias, 4*area, flags|ahead, mask)
				}
				ahead = 0
			}
			if kb == kBlocks-1 && j.ep.rest() {
				j.finish(ws, out[(group*t.rows+r0)*area:], (r0-row0)*panel, p0, p1, rows, mr)
			}
		}
	}
	if j.images == 1 {
		return
	}
	for p := p0; p < p1; p++ {
		if j.crosses(p) {
			j.scatter(out, ws.c[(p-p0)*rows*panel:], p*panel, min((p+1)*panel, columns), group*t.rows+row0, rows)
		}
	}
}

// packPanels packs the columns of the panels [p0, p1) of a group, k in [k0, k1), into b; find: their places are not known yet.
func (j *convJob) packPanels(ws *convWorker, b []float32, group, p0, p1, k0, k1 int, find bool) {
	lv, t := j.lv, j.t
	panel, area, kn := lv.panel(), j.h*j.w, k1-k0
	base := j.base[group*t.chans*j.planeStride:]
	if j.images == 1 && j.pitch == j.w && lv.packRun != nil {
		// The columns of a 1x1 kernel on one image are a single run.
		n := min(p1*panel, area) - p0*panel
		lv.packRun(&b[0], &base[j.first/4+p0*panel], &j.koff[k0], kn, n, 4*kn*panel)
		return
	}
	if find {
		j.segments(ws, p0*panel, p1*panel)
	}
	for p := p0; p < p1; p++ {
		for v := range 2 {
			s := (p-p0)*2 + v
			from, n := ws.index[s], ws.index[s+1]-ws.index[s]
			if n > 0 {
				lv.pack(&b[(p-p0)*kn*panel+v*lv.lanes], &base[0], &j.koff[k0], kn, &ws.segs[2*from], n)
			}
		}
	}
}

// crosses reports whether a panel has columns of several images.
func (j *convJob) crosses(p int) bool {
	l := p * j.lv.panel()
	return l/(j.h*j.w) != (min(l+j.lv.panel(), j.images*j.h*j.w)-1)/(j.h*j.w)
}

// finish ends mr rows of the panels [p0, p1): those in out, and of panels that cross
// images those in ws.c, which holds rows of each and these from at on.
func (j *convJob) finish(ws *convWorker, out []float32, at, p0, p1, rows, mr int) {
	lv, panel, area := j.lv, j.lv.panel(), j.h*j.w
	for p := p0; p < p1; {
		if j.images > 1 && j.crosses(p) {
			j.ep.finish(lv, ws.c[(p-p0)*rows*panel+at:], 1, mr*panel, 0)
			p++
			continue
		}
		l := p * panel
		for p++; p < p1 && p*panel/area == l/area && !(j.images > 1 && j.crosses(p)); p++ {
		}
		j.ep.finish(lv, out[l/area*j.ep.Stride+l%area:], mr, min(p*panel, j.images*area)-l, area)
	}
}

// segments describes how the vectors of columns [from, to) are gathered.
func (j *convJob) segments(ws *convWorker, from, to int) {
	lanes, area := j.lv.lanes, j.h*j.w
	columns := j.images * area
	w, h := j.w, j.h
	if j.pitch == w { // rows follow each other: a 1x1 kernel
		w, h = area, 1
	}
	ws.segs, ws.index = ws.segs[:0], ws.index[:0]
	image := from / area
	y := from % area / w
	x := from % w
	for l := from; l < to; l += lanes {
		ws.index = append(ws.index, len(ws.segs)/2)
		end := min(l+lanes, columns)
		for p := l; p < end; {
			run := min(w-x, end-p)
			off := j.first + 4*(image*j.imageStride+y*j.pitch+x-(p-l))
			mask := (int64(1)<<run - 1) << (p - l)
			ws.segs = append(ws.segs, int64(off), mask)
			p += run
			if x += run; x == w {
				x = 0
				if y++; y == h {
					y = 0
					image++
				}
			}
		}
	}
	ws.index = append(ws.index, len(ws.segs)/2)
}

// scatter stores a panel of c, columns [from, to) of rows planes from plane0 on,
// image by image.
func (j *convJob) scatter(out, c []float32, from, to, plane0, rows int) {
	area, panel := j.h*j.w, j.lv.panel()
	for l := from; l < to; {
		run := min(area-l%area, to-l)
		d := out[l/area*j.ep.Stride+plane0*area+l%area:]
		if run == 1 {
			for r := range rows {
				d[r*area] = c[r*panel+l-from]
			}
		} else {
			for r := range rows {
				copy(d[r*area:][:run], c[r*panel+l-from:])
			}
		}
		l += run
	}
}
