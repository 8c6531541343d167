package kernel

// seen is told what a task reads or writes: n runs of size floats of s from at on, step apart.
type seen func(write bool, s []float32, at, size, step, n int)

// Watch lets m count, from now on, what goes from one worker to another if each does the tasks that it begins with; nil:
// nobody counts. Weights are not counted, and of maps rows that a task reads some of are taken for whole rows.
func (e *Engine) Watch(m *Moved) { e.watch = m }

// show tells what the tasks of a loop read and write. Callers ask before whether anybody watches, so that others do
// not pay for it.
func (e *Engine) show(tasks int, touch func(i int, see seen)) {
	if tasks < 2 {
		return
	}
	e.watch.Loops++
	worker := 0
	see := func(write bool, s []float32, at, size, step, n int) {
		for k := range n {
			from := min(max(at+k*step, 0), len(s))
			if to := min(at+k*step+size, len(s)); from < to {
				e.watch.see(worker, write, s[from:to])
			}
		}
	}
	for _, write := range []bool{false, true} {
		for i := range tasks {
			worker = ((i+1)*e.Workers() - 1) / tasks
			touch(i, func(w bool, s []float32, at, size, step, n int) {
				if w == write {
					see(w, s, at, size, step, n)
				}
			})
		}
	}
}

// touchRows sees rows [y0, y1) of n planes of box from plane first on.
func touchRows(see seen, write bool, s []float32, box Box, first, n, y0, y1 int) {
	y0, y1 = max(y0, box.Y0), min(y1, box.Y1)
	see(write, s, first*box.Area()+(y0-box.Y0)*box.W(), (y1-y0)*box.W(), box.Area(), n)
}

func (j *convJob) touchFill(i int, see seen) {
	planes := j.images * j.t.groups * j.t.chans
	tasks := (planes + j.fillTask - 1) / j.fillTask
	band := i / tasks
	h0, h1 := rowStart(j.hs, j.fillBands, band), rowStart(j.hs, j.fillBands, band+1)
	p0 := i % tasks * j.fillTask
	n := min(j.fillTask, planes-p0)
	last := j.phasesY[len(j.phasesY)-1]
	touchRows(see, false, j.src, j.in, j.image0*j.t.groups*j.t.chans+p0, n, j.y+h0*j.sy, j.y+(h1-1)*j.sy+last+1)
	for phase := range len(j.phasesY) * len(j.phasesX) {
		see(true, j.base, p0*j.planeStride+(phase*j.hs+h0)*j.ws, (h1-h0)*j.ws, j.planeStride, n)
	}
}

// inputs sees what columns [from, to) read of channels [c0, c1) of a group.
func (j *convJob) inputs(see seen, group, c0, c1, from, to int) {
	area, t := j.h*j.w, j.t
	padded := j.first == 0 && len(j.phasesY) > 0 && j.pitch == j.ws
	for from < to {
		image, at := from/area, from%area
		end := min(to-image*area, area)
		base := j.first/4 + image*j.imageStride + (group*t.chans+c0)*j.planeStride
		y0, y1 := at/j.w, (end-1)/j.w+1
		switch {
		case j.pitch == j.w && t.maxY == 0 && t.maxX == 0 && j.planeStride >= area:
			see(false, j.base, base+at, end-at, j.planeStride, c1-c0)
		case padded:
			for phase := range len(j.phasesY) * len(j.phasesX) {
				rows := min(y1+t.maxY/j.sy, j.hs) - y0
				see(false, j.base, base+(phase*j.hs+y0)*j.ws, rows*j.ws, j.planeStride, c1-c0)
			}
		default:
			see(false, j.base, base+y0*j.pitch, (y1-1-y0+t.maxY)*j.pitch+j.w+t.maxX, j.planeStride, c1-c0)
		}
		from = image*area + end
	}
}

// outputs sees columns [from, to) of channels [r0, r1).
func (j *convJob) outputs(see seen, r0, r1, from, to int) {
	area := j.h * j.w
	for from < to {
		image, at := from/area, from%area
		end := min(to-image*area, area)
		see(true, j.dst, (j.image0+image)*j.ep.Stride+r0*area+at, end-at, area, r1-r0)
		from = image*area + end
	}
}

// rowsOf returns the rows of a group that a split has.
func (j *convJob) rowsOf(split int) (r0, r1 int) {
	blocks := rowBlocks(j.t.rows, j.lv.rows)
	return rowStart(j.t.rows, blocks, rowStart(blocks, j.splits, split)), rowStart(j.t.rows, blocks, rowStart(blocks, j.splits, split+1))
}

func (j *convJob) touchMultiply(i int, see seen) {
	t, panel, k := j.t, j.lv.panel(), j.t.k()
	split, chunk, group := i%j.splits, i/j.splits%j.chunks, i/j.splits/j.chunks
	p0, p1 := rowStart(j.panels, j.chunks, chunk), rowStart(j.panels, j.chunks, chunk+1)
	from, to := p0*panel, min(p1*panel, j.images*j.h*j.w)
	if j.packed == nil {
		j.inputs(see, group, 0, t.chans, from, to)
	} else {
		kBlocks := rowBlocks(k, kBlock)
		for kb := range kBlocks {
			k0, k1 := rowStart(k, kBlocks, kb), rowStart(k, kBlocks, kb+1)
			see(false, j.packed, (k0*j.panels+p0*(k1-k0))*panel, (p1-p0)*(k1-k0)*panel, 0, 1)
		}
	}
	r0, r1 := j.rowsOf(split)
	j.outputs(see, group*t.rows+r0, group*t.rows+r1, from, to)
}

func (j *convJob) touchPack(i int, see seen) {
	panel, k, taps := j.lv.panel(), j.t.k(), len(j.t.list)
	kBlocks := rowBlocks(k, kBlock)
	p, kb := i/kBlocks, i%kBlocks
	k0, k1 := rowStart(k, kBlocks, kb), rowStart(k, kBlocks, kb+1)
	j.inputs(see, 0, k0/taps, (k1+taps-1)/taps, p*panel, min((p+1)*panel, j.images*j.h*j.w))
	see(true, j.packed, (k0*j.panels+p*(k1-k0))*panel, (k1-k0)*panel, 0, 1)
}

func (j *convJob) touchTurned(i int, see seen) {
	panel := j.lv.panel()
	chunk, split := i/j.splits, i%j.splits
	from, to := rowStart(j.panels, j.chunks, chunk)*panel, min(rowStart(j.panels, j.chunks, chunk+1)*panel, j.images*j.h*j.w)
	outs := (j.t.rows + panel - 1) / panel
	j.inputs(see, 0, 0, j.t.chans, from, to)
	j.outputs(see, rowStart(outs, j.splits, split)*panel, min(rowStart(outs, j.splits, split+1)*panel, j.t.rows), from, to)
}

func (j *convJob) touchDirect(i int, see seen) {
	t := j.t
	split, chunk := i%j.splits, i/j.splits%j.chunks
	group, image := i/j.splits/j.chunks%t.groups, i/j.splits/j.chunks/t.groups
	width := j.widest * j.lv.lanes
	perRun := (j.runW + width - 1) / width
	column := func(p int) int { return image*j.h*j.w + p/perRun*j.runW + p%perRun*width }
	from, to := column(rowStart(j.panels, j.chunks, chunk)), column(rowStart(j.panels, j.chunks, chunk+1))
	j.inputs(see, group, 0, t.chans, from, to)
	r0, r1 := j.rowsOf(split)
	j.outputs(see, group*t.rows+r0, group*t.rows+r1, from, to)
}

func (j *convJob) touchPlanes(i int, see seen) {
	t, p := j.t, &j.plane
	tasks := (t.groups + p.channels - 1) / p.channels
	c0, band, image := i%tasks*p.channels, i/tasks%p.bands, i/tasks/p.bands
	n, y0 := min(p.channels, t.groups-c0), band*j.h
	rows := min(j.h, p.h-y0)
	touchRows(see, false, j.src, j.in, image*t.groups+c0, n, j.y+y0*j.sy, j.y+(y0+rows-1)*j.sy+t.maxY+1)
	see(true, j.dst, image*j.ep.Stride+(c0*p.h+y0)*j.w, rows*j.w, p.h*j.w, n)
}

func (j *convJob) touchChannels(i int, see seen) {
	t, p, area := j.t, &j.channels, j.h*j.w
	image, c0 := i/p.tasks, i%p.tasks*p.groups*j.lv.lanes
	n := min(p.groups*j.lv.lanes, t.groups-c0)
	see(false, j.src, (image*t.groups+c0)*j.in.Area(), n*j.in.Area(), 0, 1)
	see(true, j.dst, image*j.ep.Stride+c0*area, n*area, 0, 1)
}

func (j *winogradJob) touchIn(i int, see seen) {
	chans, panel, p, c0 := j.win.chans, j.read.lv.panel(), i%j.count, i/j.count*j.ins
	n := min(j.ins, chans-c0)
	from := (j.first + p) * panel
	j.read.inputs(see, 0, c0, c0+n, from, min(from+panel, j.read.images*j.read.h*j.read.w))
	see(true, j.v, (p*chans+c0)*panel, n*panel, apart(j.count*chans)*panel, j.win.taps())
}

func (j *winogradJob) touchMultiply(i int, see seen) {
	t, lv := j.win, j.read.lv
	tap, split, panel := i/j.split, i%j.split, lv.panel()
	blocks := rowBlocks(t.rows, lv.rows)
	r0, r1 := rowStart(t.rows, blocks, rowStart(blocks, j.split, split)), rowStart(t.rows, blocks, rowStart(blocks, j.split, split+1))
	see(false, j.v, tap*apart(j.count*t.chans)*panel, j.count*t.chans*panel, 0, 1)
	see(true, j.c, (tap*apart(j.count*t.rows)+r0)*panel, (r1-r0)*panel, t.rows*panel, j.count)
}

func (j *winogradJob) touchOut(i int, see seen) {
	r, t := &j.read, j.win
	panel, area, p, r0 := r.lv.panel(), j.h*j.w, i%j.count, i/j.count*j.outs
	n := min(j.outs, t.rows-r0)
	see(false, j.c, (p*t.rows+r0)*panel, n*panel, apart(j.count*t.rows)*panel, t.taps())
	from := (j.first + p) * panel
	for to := min(from+panel, r.images*r.h*r.w); from < to; {
		image, ty, tx := from/(r.h*r.w), j.row0+from/r.w%r.h, from%r.w
		run := min(r.w-tx, to-from)
		for y := t.size * ty; y < min(t.size*(ty+1), j.h); y++ {
			see(true, j.dst, (r.image0+image)*j.ep.Stride+r0*area+y*j.w+t.size*tx, min(t.size*run, j.w-t.size*tx), area, n)
		}
		from += run
	}
}

func (j *winogradJob) touchLocal(i int, see seen) {
	r, t := &j.read, j.win
	image, band := i/j.bands, i%j.bands
	t0, t1 := band*j.localRows, min((band+1)*j.localRows, j.tileRows)
	touchRows(see, false, r.src, r.in, image*t.chans, t.chans, j.y0+t0*t.size, j.y0+(t1-1)*t.size+t.alpha)
	see(true, j.dst, image*j.ep.Stride+t0*t.size*j.w, (min(t1*t.size, j.h)-t0*t.size)*j.w, j.h*j.w, t.rows)
}

func (j *poolJob) touch(i int, see seen) {
	tasks := (j.planes + j.size - 1) / j.size
	band, p0 := i/tasks, i%tasks*j.size
	n, out := min(j.size, j.planes-p0), j.out
	out.Y0, out.Y1 = j.out.Y0+rowStart(j.out.H(), j.bands, band), j.out.Y0+rowStart(j.out.H(), j.bands, band+1)
	need := j.g.InputBox(out)
	touchRows(see, false, j.src, j.in, p0, n, need.Y0, need.Y1)
	touchRows(see, true, j.dst, j.out, p0, n, out.Y0, out.Y1)
}

func (j *bandJob) touch(i int, see seen) {
	c, image, band := j.f.g, i/j.bands, i%j.bands
	b := rect(j.out.Y0+rowStart(j.out.H(), j.bands, band), j.out.X0, j.out.Y0+rowStart(j.out.H(), j.bands, band+1), j.out.X1)
	need := c.InputBox(j.g.InputBox(b).Intersect(Full(j.h, j.w)))
	touchRows(see, false, j.src, j.in, image*c.In, c.In, need.Y0, need.Y1)
	touchRows(see, true, j.dst, j.out, image*c.Out, c.Out, b.Y0, b.Y1)
}

func (j *pairJob) touch(i int, see seen) {
	p, out := j.p, j.out
	block := p.blocks[i%len(p.blocks)]
	i /= len(p.blocks)
	image, band, area := i/j.bands, i%j.bands, out.Area()
	b := rect(out.Y0+rowStart(out.H(), j.bands, band), out.X0, out.Y0+rowStart(out.H(), j.bands, band+1), out.X1)
	need := p.second.InputBox(b)
	touchRows(see, false, j.src, Full(j.h, j.w), image*p.first.In, p.first.In, need.Y0, need.Y1)
	see(true, j.dst, image*j.last.Stride+block.from*area+(b.Y0-out.Y0)*out.W(), b.H()*out.W(), area, block.expand.g.Out)
}

// touch is of loops over parts of all slices, of which the first is written.
func (j *loopJob) touch(i int, see seen) {
	lo, hi := i*j.size, min((i+1)*j.size, j.n)
	for k, s := range j.s {
		if unit := len(s) / j.n; k > 0 && k == j.whole {
			see(false, s, 0, len(s), 0, 1)
		} else if unit > 0 {
			see(k == 0, s, lo*unit, (hi-lo)*unit, 0, 1)
		}
	}
}

func (j *walkJob) touchArith(i int, see seen) {
	n, da, db := j.w.last()
	part := i % j.parts
	lo, hi := rowStart(n, j.parts, part), rowStart(n, j.parts, part+1)
	for row := i / j.parts * j.perTask; row < min((i/j.parts+1)*j.perTask, len(j.dst)/j.size*j.w.rows); row++ {
		image := row / j.w.rows
		a, b := j.w.place(row % j.w.rows)
		see(false, j.a, image*j.sizeA+a+lo*da, (hi-lo-1)*da+1, 0, 1)
		see(false, j.b, image*j.sizeB+b+lo*db, (hi-lo-1)*db+1, 0, 1)
		see(true, j.dst, row*n+lo, hi-lo, 0, 1)
	}
}
