package kernel

// Bound is how much scratch memory calls that follow each other take at most, however their tasks are shared: the
// largest of each buffer, in floats. An engine whose workers run several calls side by side keeps as much for each.
type Bound struct {
	columns, sums, runs int // of a worker: of a convolution
	tiles, tileRuns     int // with Winograd
	base, v, c          int // and of its local tasks
	frame               int // of a max pool
	serial              int // what it takes for calls of its own, in bytes
	shared              int // the largest of those that are not of one worker
}

// sharedBuffers is how many buffers that are not of one worker a call has at once.
const sharedBuffers = 4

// Max is what both take at most.
func (a Bound) Max(o Bound) Bound {
	return Bound{max(a.columns, o.columns), max(a.sums, o.sums), max(a.runs, o.runs), max(a.tiles, o.tiles), max(a.tileRuns, o.tileRuns),
		max(a.base, o.base), max(a.v, o.v), max(a.c, o.c), max(a.frame, o.frame), max(a.serial, o.serial), max(a.shared, o.shared)}
}

// Worker is the memory of each worker in bytes: a quarter more than was asked for, as buffers grow, and twice as much of
// the lists of runs.
func (a Bound) Worker() int {
	floats := a.columns + a.sums + a.tiles + a.base + a.v + a.c + a.frame
	return 5*floats + 40*(a.runs+a.tileRuns) + a.serial
}

// Shared is the memory of all workers together in bytes.
func (a Bound) Shared() int { return sharedBuffers * 4 * (a.shared + a.shared/8 + 64) }

// runsOf bounds the runs of columns of maps w wide, and their index.
func (lv *level) runsOf(columns, w int) int { return 3*(columns/max(lv.lanes, 1)) + 3*(columns/w) + 64 }

// Bound is for ConvForward of n images to maps of h x w, from maps of box in.
func (f *Filters) Bound(n, h, w int, in Box, workers int) Bound {
	if f.lv == refLevel {
		return Bound{}
	}
	if t := f.winograd(n, h, w); t != nil {
		return f.lv.boundTiles(t, n, h, w, workers)
	}
	t, lv, g, panel := f.subs[0].t, f.lv, f.g, f.lv.panel()
	k := t.k()
	panels := (n*h*w + panel - 1) / panel
	var b Bound
	phases := min(g.StrideY, g.KH) * min(g.StrideX, g.KW)
	image := g.In * phases * (h + t.maxY/g.StrideY) * (w + t.maxX/g.StrideX)
	b.shared = max(image, min(n*image, scratchLimit))
	if t.turned {
		p := min(panels, max(1, columnsFloats/(k*panel)))
		b.columns, b.sums, b.runs = p*panel*k, p*panel*panel, lv.runsOf(p*panel, w)
		return b
	}
	p := min(panels, max(1, panelBlock/panel))
	b.columns, b.runs = p*panel*(k/rowBlocks(k, kBlock)+1), lv.runsOf(p*panel, w)
	if n > 1 {
		b.sums = p * t.rows * panel
	}
	if size := panels * panel * k; workers >= unevenWorkers && g.Groups == 1 && size <= packedFloats {
		b.shared = max(b.shared, size)
	}
	if t.rows == 1 && t.chans == 1 && g.StrideY == g.StrideX {
		b = b.Max(lv.boundPlanes(t, g.StrideX, h, w, in))
	}
	return b
}

// boundPlanes is for depthwise convolutions, plane by plane or channels side by side.
func (lv *level) boundPlanes(t *taps, stride, h, w int, in Box) Bound {
	lanes := lv.lanes
	vecs := (max(w, lanes) + t.maxX/stride + lanes - 1) / lanes
	perRow := vecs * lanes * stride * stride
	bands := min((h*perRow+planeFloats-1)/planeFloats, h)
	rows := (h + bands - 1) / bands
	b := Bound{columns: ((rows-1)*stride+t.maxY+1)*vecs*lanes*stride + lanes}
	if w <= shortRow {
		padded := ((h-1)*stride + t.maxY + 1) * ((w-1)*stride + t.maxX + 1) * lanes
		b.columns = max(b.columns, padded+(len(t.list)+1)*lanes)
		b.sums = (max(h*w, in.Area()) + lanes) * lanes
	}
	return b
}

func (lv *level) boundTiles(t *transformed, n, h, w, workers int) Bound {
	panel := lv.panel()
	rows, cols, over := (h+t.size-1)/t.size, (w+t.size-1)/t.size, (t.alpha-1)/t.size
	perRow := t.chans * t.size * t.size * (cols + over)
	b := Bound{tiles: tileChans * t.taps() * panel, tileRuns: lv.runsOf(panel, cols)}
	if len(t.u) <= localWeights {
		most := min(rows, max(1, localFloats/(t.chans*t.size*t.size*cols)))
		b.base, b.v, b.c = (most+over)*perRow, t.taps()*apart(t.chans)*panel, t.taps()*apart(t.rows)*panel
	}
	image := (rows + over) * perRow
	total := (n*rows*cols + panel - 1) / panel
	group := min(total, max(2, workers*winogradFloats/(t.taps()*(t.chans+t.rows)*panel)))
	b.shared = max(image, min(n*image, scratchLimit), t.taps()*apart(group*max(t.chans, t.rows))*panel)
	return b
}

// BoundPool is for MaxPool.
func BoundPool() Bound { return Bound{frame: maxFrame} }

// alone is what an engine of one worker takes, in bytes, for calls of bound b and buffers of so many floats.
func (b Bound) alone(floats int) int {
	b.shared = max(b.shared, floats)
	return b.Worker() + 2*b.Shared()
}

// BoundMaxPool is for ConvMaxPool of n images to maps of oh x ow, by pool g of convolution's maps of h x w.
func (f *Filters) BoundMaxPool(g Pool, n, oh, ow, h, w int, in Box, workers int) Bound {
	g = g.check()
	rows := max(1, bandedConv/max(1, f.g.Out*w*g.StrideY))
	bands := min(((oh+rows-1)/rows+3)/4*4, oh)
	rows = (oh + bands - 1) / bands
	b := f.Bound(n, h, w, in, workers).Max(BoundPool())
	if n*bands < workers && f.win == nil {
		b.shared = max(b.shared, n*f.g.Out*h*w)
		return b
	}
	var one Bound
	high := min((rows-1)*g.StrideY+(g.KH-1)*g.DilY+1, h)
	for y := 1; y <= high; y++ { // bands at the edges are lower, which may call for another way
		one = one.Max(f.Bound(1, y, w, in, 1))
	}
	return b.Max(Bound{serial: one.Max(BoundPool()).alone(f.g.Out * high * w)})
}

// Bound is for ConvPair to maps of oh x ow, by maps between of h x w.
func (p *Pair) Bound(oh, ow, h, w int) Bound {
	s := p.second
	rows := min(oh, max(1, pairFloats/(pairChannels*w*s.StrideY)))
	high := min((rows-1)*s.StrideY+(s.KH-1)*s.DilY+1, h)
	var one Bound
	most := 0
	for i := range p.blocks {
		e := p.blocks[i].expand
		most = max(most, e.g.Out)
		one = one.Max(e.Bound(1, high, w, Full(h, w), 1)).Max(p.blocks[i].plane.Bound(1, rows, ow, Full(high, w), 1))
	}
	return Bound{serial: one.alone(most * high * w)}
}
