package kernel

// wPositions is about the number of positions that a call of a weight tile sums
// over: a panel of dy then takes 32 KiB.
const wPositions = 256

// weightJob is one run of a weight gradient: a product whose rows are the
// weights of one output channel, read from the input through offsets, whose
// columns are the output channels, and which is summed over the positions of
// all images in order. dy is transposed for it, so that the output channels of
// a position are side by side.
type weightJob struct {
	read convJob // how the input is read: the forward pass's job
	lv   *level
	g    Conv
	dy   []float32
	dyT  []float32 // [groups][panels][images][h*w][panel]
	c    []float32 // [groups][panels][k][panel]
	sums []float32 // of the planes of dy, [n][Out]
	dw   []float32

	panels        int // per group
	blocks        int // of rows of c
	splits        int
	fillTasks     int
	segs          []int64
	units         []int // unit u is segs 2*units[u].. and begins at row rows[u]
	rows          []int
	list          []tap
	t             taps
	prepare, mult func(i, worker int)
	finish        func(i, worker int)
}

func (e *Engine) runWeights(lv *level, g Conv, n int, dw, db []float32, x []float32, in Box, dy []float32, out Box) {
	j := e.weights.get()
	if j == nil {
		j = new(weightJob)
		j.prepare, j.mult, j.finish = j.prepareTask, j.multiplyTask, j.finishTask
	}
	workers := e.pool.Workers()
	j.lv, j.g, j.dy, j.dw = lv, g, dy, dw
	j.list = j.list[:0]
	j.t = taps{groups: g.Groups, rows: g.Out / g.Groups, chans: g.In / g.Groups}
	for ky := range g.KH {
		for kx := range g.KW {
			p := tap{ky * g.DilY, kx * g.DilX}
			j.list = append(j.list, p)
			j.t.maxY, j.t.maxX = p.y, p.x
		}
	}
	j.t.list = j.list
	r := &j.read
	r.lv, r.t = lv, &j.t
	r.n, r.h, r.w = n, out.H(), out.W()
	r.src, r.in = x, in
	r.y, r.x = out.Y0*g.StrideY-g.PadTop, out.X0*g.StrideX-g.PadLeft
	r.sy, r.sx = g.StrideY, g.StrideX
	inPlace := r.read()

	area, panel, k := r.h*r.w, lv.panel(), j.t.k()
	if j.t.rows <= 2 && g.Groups > 1 {
		e.depthWeights(j, inPlace, n, db)
		return
	}
	j.panels = (j.t.rows + panel - 1) / panel
	perImage := g.Groups * j.panels * panel * area
	if !inPlace {
		perImage += r.imageStride
	}
	chunk := max(1, min(n, scratchLimit/2/perImage))
	j.dyT = e.floats(chunk * g.Groups * j.panels * panel * area)
	j.c = e.floats(g.Groups * j.panels * panel * k)
	if db != nil {
		j.sums = e.floats(n * g.Out)
	}
	if inPlace {
		r.base = x
	} else {
		r.base = e.floats(chunk * r.imageStride)
	}
	j.blocks = rowBlocks(k, lv.wrows)
	if b := j.blocks * g.Groups; b < 8*workers && b%workers != 0 {
		j.blocks = min(k, (j.blocks+workers-1)/workers*workers)
	}
	j.splits = min(j.blocks, workers)
	for r.image0 = 0; r.image0 < n; r.image0 += chunk {
		r.images = min(chunk, n-r.image0)
		j.fillTasks = 0
		if !inPlace {
			j.fillTasks = r.fillTasks(workers)
		}
		e.pool.For(j.fillTasks+r.images*g.Groups*j.panels, j.prepare)
		first := r.first
		if inPlace {
			r.first += 4 * r.image0 * r.imageStride
		}
		j.cut()
		r.first = first
		e.pool.For(g.Groups*j.splits, j.mult)
	}
	e.pool.For(g.Groups*j.panels, j.finish)
	addSums(db, j.sums)
	if !inPlace {
		e.put(r.base)
	}
	e.put(j.dyT)
	e.put(j.c)
	e.put(j.sums)
	e.putWeights(j)
}

func (e *Engine) putWeights(j *weightJob) {
	j.read.src, j.read.base, j.dy, j.dyT, j.c, j.sums, j.dw = nil, nil, nil, nil, nil, nil, nil
	e.weights.put(j)
}

// depthWeights is runWeights for groups of one or two output channels: each
// weight is the sum of the dot products of the rows.
func (e *Engine) depthWeights(j *weightJob, inPlace bool, n int, db []float32) {
	r, lv, g := &j.read, j.lv, j.g
	r.image0, r.images = 0, n
	r.base = r.src
	if !inPlace {
		r.base = e.floats(n * r.imageStride)
		e.pool.For(r.fillTasks(e.pool.Workers()), r.fillPlanes)
	}
	dot := lv.dots[len(lv.dots)-1].f
	k, area := j.t.k(), r.h*r.w
	e.pool.For(g.Out, func(o, worker int) {
		s := make([]float32, 1)
		x := r.base[o/j.t.rows*j.t.chans*r.planeStride+r.first/4:]
		for i, off := range r.koff {
			sum := 0.0
			for image := range n {
				from := image*r.imageStride + int(off)/4
				dy := j.dy[(image*g.Out+o)*area:][:area]
				for y := range r.h {
					s[0] = 0
					dot(r.w, &x[from+y*r.pitch], 0, &dy[y*r.w], 0, &s[0], 0)
					sum += float64(s[0])
				}
			}
			j.dw[o*k+i] = float32(sum)
		}
		if db != nil {
			sum := 0.0
			for image := range n {
				sum += float64(lv.sumOf(j.dy[(image*g.Out+o)*area:][:area]))
			}
			db[o] = float32(sum)
		}
	})
	if !inPlace {
		e.put(r.base)
	}
	e.putWeights(j)
}

// prepareTask pads planes of the input or transposes a panel of dy.
func (j *weightJob) prepareTask(i, worker int) {
	if i < j.fillTasks {
		j.read.fillPlanes(i, worker)
		return
	}
	i -= j.fillTasks
	r, lv, g := &j.read, j.lv, j.g
	p := i % j.panels
	group := i / j.panels % g.Groups
	image := i / j.panels / g.Groups
	area, panel := r.h*r.w, lv.panel()
	kg := g.Out / g.Groups
	dst := j.dyT[((group*j.panels+p)*r.images+image)*area*panel:]
	k0, k1 := p*panel, min((p+1)*panel, kg)
	plane0 := (r.image0+image)*g.Out + group*kg
	src := j.dy[plane0*area:]
	for v := 0; v < panel; v += lv.lanes {
		rows := min(lv.lanes, k1-k0-v)
		if rows <= 0 {
			break
		}
		for q := 0; q < area; q += lv.lanes {
			lv.transpose(&dst[q*panel+v], &src[(k0+v)*area+q], 4*panel, 4*area, rows, min(lv.lanes, area-q))
		}
	}
	if j.sums != nil {
		for k := k0; k < k1; k++ {
			j.sums[plane0+k] = lv.sumOf(src[k*area:][:area])
		}
	}
}

// cut lists the segments of the chunk: the rows of its output positions, in
// units of about wPositions.
func (j *weightJob) cut() {
	r := &j.read
	j.segs, j.units, j.rows = j.segs[:0], j.units[:0], j.rows[:0]
	per := max(1, wPositions/r.w)
	total := r.images * r.h
	for row := range total {
		image, y := row/r.h, row%r.h
		if row%per == 0 {
			j.units = append(j.units, len(j.segs)/2)
			j.rows = append(j.rows, row)
		}
		off := int64(r.first + 4*(image*r.imageStride+y*r.pitch))
		if l := len(j.segs); row%per != 0 && j.segs[l-1] == off {
			j.segs[l-1] += int64(4 * r.w)
			continue
		}
		j.segs = append(j.segs, off, off+int64(4*r.w))
	}
	j.units = append(j.units, len(j.segs)/2)
	j.rows = append(j.rows, total)
}

// multiplyTask adds the chunk to some rows of c.
func (j *weightJob) multiplyTask(i, worker int) {
	r, lv := &j.read, j.lv
	group, split := i/j.splits, i%j.splits
	b0, b1 := rowStart(j.blocks, j.splits, split), rowStart(j.blocks, j.splits, split+1)
	k, panel, area := j.t.k(), lv.panel(), r.h*r.w
	x := &r.base[group*j.t.chans*r.planeStride]
	for u := range len(j.units) - 1 {
		load := 0
		if r.image0 > 0 || u > 0 {
			load = 1
		}
		segs, nseg := &j.segs[2*j.units[u]], j.units[u+1]-j.units[u]
		for p := range j.panels {
			nv := 2
			if j.t.rows-p*panel <= lv.lanes {
				nv = 1
			}
			b := &j.dyT[((group*j.panels+p)*r.images*area+j.rows[u]*r.w)*panel]
			for rb := b0; rb < b1; rb++ {
				r0, r1 := rowStart(k, j.blocks, rb), rowStart(k, j.blocks, rb+1)
				c := &j.c[((group*j.panels+p)*k+r0)*panel]
				lv.wtile[nv][r1-r0](x, &r.koff[r0], segs, nseg, b, c, 4*panel, load)
			}
		}
	}
}

// finishTask transposes a panel of c into dw.
func (j *weightJob) finishTask(i, worker int) {
	lv := j.lv
	group, p := i/j.panels, i%j.panels
	k, panel, rows := j.t.k(), lv.panel(), j.t.rows
	c := j.c[(group*j.panels+p)*k*panel:]
	dw := j.dw[(group*rows+p*panel)*k:]
	cols := min(panel, rows-p*panel)
	whole := k / lv.lanes * lv.lanes
	for v := 0; v < cols; v += lv.lanes {
		n := min(lv.lanes, cols-v)
		for q := 0; q < whole; q += lv.lanes {
			lv.transpose(&dw[v*k+q], &c[q*panel+v], 4*k, 4*panel, lv.lanes, n)
		}
		for q := whole; q < k; q++ {
			for m := v; m < v+n; m++ {
				dw[m*k+q] = c[q*panel+m]
			}
		}
	}
}

// sumOf returns the sum of x in a fixed order, in float32 partial sums.
func (lv *level) sumOf(x []float32) float32 {
	n := 0
	s := float32(0)
	if lv.sum != nil {
		if n = len(x) / lv.block * lv.block; n > 0 {
			s = lv.sum(&x[0], n)
		}
	} else {
		var t [4]float32
		for ; n+4 <= len(x); n += 4 {
			for i := range t {
				t[i] += x[n+i]
			}
		}
		s = (t[0] + t[2]) + (t[1] + t[3])
	}
	for _, v := range x[n:] {
		s += v
	}
	return s
}
