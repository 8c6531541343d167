package kernel

// Small maps have too few positions to fill vectors: 49 take the time of 64. Their
// products are turned round: vectors run along the outputs, whose weights are packed
// in panels, and the positions, packed as always, are the rows of the tiles. The sums
// are the same, in the same order. What comes out has the outputs side by side and is
// turned back when it is stored.

// columnsFloats is about the number of floats of packed positions of a task.
const columnsFloats = 128 << 10

// turnedK is the longest sum of a turned product: of longer ones so few positions are
// taken at a time that the weights would be read again and again for many images.
const turnedK = 2 << 10

// turned reports whether the products of taps for maps of so many places, 0 being unknown,
// are made with vectors along the outputs: where that leaves less of the vectors
// unused. Turning back what comes out takes as long as turnCost steps of the sums.
func (lv *level) turned(groups, rows, k, places int) bool {
	const turnCost = 6
	if lv.columns[1] == nil || groups != 1 || places == 0 || k > turnedK {
		return false
	}
	whole := func(n int) int { return (n + lv.lanes - 1) / lv.lanes * lv.lanes }
	return whole(rows)*places*(k+turnCost)*16 < whole(places)*rows*k*15
}

// packTurned packs an m x k matrix in panels: for k after k a panel of rows, those
// that do not exist being 0.
func (lv *level) packTurned(a []float32, m, k int, src []float32) {
	panel := lv.panel()
	for r := 0; r < m; r += lv.lanes {
		d := a[r/panel*panel*k+r%panel:]
		for c := 0; c < k; c += lv.lanes {
			lv.transpose(&d[c*panel], &src[r*k+c], 4*panel, 4*k, min(lv.lanes, m-r), min(lv.lanes, k-c))
		}
	}
}

// cutTurned cuts a product into tasks: some panels of positions by some of outputs.
func (j *convJob) cutTurned(workers int) int {
	panel := j.lv.panel()
	outs := (j.t.rows + panel - 1) / panel
	columns := j.images * j.h * j.w
	j.panels = (columns + panel - 1) / panel
	j.chunks, j.splits = cutProduct(productShape{count: 1, panels: j.panels, most: max(1, columnsFloats/(j.t.k()*panel)),
		blocks: outs, rows: panel, read: packCost, weights: 1, begin: beginSteps / j.t.k()}, workers)
	return j.chunks * j.splits
}

// turnedChunk computes task i of a turned product.
func (j *convJob) turnedChunk(i, worker int) {
	lv, t, ws := j.lv, j.t, &j.workers[worker]
	panel, kAll := lv.panel(), t.k()
	outs := (t.rows + panel - 1) / panel
	chunk, split := i/j.splits, i%j.splits
	p0, p1 := rowStart(j.panels, j.chunks, chunk), rowStart(j.panels, j.chunks, chunk+1)
	first, last := p0*panel, min(p1*panel, j.images*j.h*j.w)
	ws.b = grow(ws.b, (p1-p0)*panel*kAll)
	ws.c = grow(ws.c, (p1-p0)*panel*panel)
	j.packPanels(ws, ws.b, 0, p0, p1, 0, kAll, true)
	kBlocks := (kAll + kBlock - 1) / kBlock
	for q := rowStart(outs, j.splits, split); q < rowStart(outs, j.splits, split+1); q++ {
		n := min(panel, t.rows-q*panel)
		for kb := range kBlocks {
			k0, k1 := rowStart(kAll, kBlocks, kb), rowStart(kAll, kBlocks, kb+1)
			flags := 0
			if kb > 0 {
				flags |= tileLoad
			}
			if kb == kBlocks-1 && j.ep.ReLU {
				flags |= tileReLU
			}
			j.turnedTiles(ws, q, n, k0, k1, first, last, flags)
		}
		if c := ws.c[:(last-first)*panel]; j.ep.rest() {
			j.ep.finish(lv, c, 1, len(c), len(c))
		}
		j.storeImages(ws, q*panel, n, first, last)
	}
}

// turnedTiles adds the products of k in [k0, k1) for positions [first, last) and the n outputs of panel q.
func (j *convJob) turnedTiles(ws *convWorker, q, n, k0, k1, first, last, flags int) {
	lv, t := j.lv, j.t
	panel, kAll := lv.panel(), t.k()
	var bias *float32
	if j.ep.Bias != nil {
		bias = &j.ep.Bias[q*panel]
	}
	nv := 2
	if n <= lv.lanes {
		nv = 1
	}
	most := len(lv.columns[nv]) - 1
	b := &t.a[(q*kAll+k0)*panel]
	ahead := (k1 - k0) * panel * 4 // the weights for the next k, a quarter a tile
	for p := first; p < last; p += panel {
		width := min(panel, last-p)
		pieces := (width + most - 1) / most
		for i := range pieces {
			x0, x1 := rowStart(width, pieces, i), rowStart(width, pieces, i+1)
			a := &ws.b[(p-first)*kAll+k0*panel+x0]
			lv.columns[nv][x1-x0](k1-k0, a, b, &ws.c[(p-first+x0)*panel], bias, flags, ahead, uint64(1)<<n-1)
			ahead += (k1 - k0) * panel
		}
	}
}

// storeImages stores the n outputs from row on of positions [first, last), image by image.
func (j *convJob) storeImages(ws *convWorker, row, n, first, last int) {
	panel, area := j.lv.panel(), j.h*j.w
	out := j.dst[j.image0*j.ep.Stride+row*area:]
	for l := first; l < last; {
		end := min(last, l/area*area+area)
		j.lv.storeTurned(out[l/area*j.ep.Stride:], area, ws.c[(l-first)*panel:], panel, n, l%area, l%area+end-l)
		l = end
	}
}
