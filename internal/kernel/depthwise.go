package kernel

// grid is a set of taps that is a rectangle with steps of one: the first tap and
// the steps to the next row and column, 1 or -1. The zero grid is none.
type grid struct{ kh, kw, dy, dx int }

// newGrid returns the grid of taps in rows one after the other, if they are one.
func newGrid(list []tap) grid {
	kw := 1
	for kw < len(list) && list[kw].y == list[0].y {
		kw++
	}
	g := grid{kh: len(list) / kw, kw: kw, dy: 1, dx: 1}
	if kw > 1 {
		g.dx = list[1].x - list[0].x
	}
	if g.kh > 1 {
		g.dy = list[kw].y - list[0].y
	}
	for i, p := range list {
		if p.y != list[0].y+i/kw*g.dy || p.x != list[0].x+i%kw*g.dx {
			return grid{}
		}
	}
	if g.dy*g.dy != 1 || g.dx*g.dx != 1 || len(list)%kw != 0 {
		return grid{}
	}
	return g
}

// planeFloats is about the size of the padded input of a band of a plane.
const planeFloats = 8 << 10

// planesFloats is about the number of floats of inputs of a task of planes.
const planesFloats = 16 << 10

// planeFunc is the kernel for a depthwise convolution, whose groups have one
// channel and one output: each plane by itself. nil if there is none for it.
func (j *convJob) planeFunc() planeConv {
	t := j.t
	if t.rows != 1 || t.chans != 1 || j.sy != j.sx || j.sy >= len(j.lv.planeConv) {
		return nil
	}
	g := t.grid
	if j.sy > 1 && (g.dy < 0 || g.dx < 0) || g.kh >= len(j.lv.planeConv[j.sy]) || g.kw >= len(j.lv.planeConv[j.sy]) {
		return nil
	}
	return j.lv.planeConv[j.sy][g.kh][g.kw]
}

// planeJob is what runPlanes adds to a convJob.
type planeJob struct {
	h        int  // rows of a plane, of which convJob.h are in a band
	inPlace  bool // inputs need no padding
	bands    int
	channels int // of a task
	vecs     int // of a padded row of one phase
	masks    []uint32
	f        planeConv
	run      func(i, worker int)
}

// runPlanes computes a depthwise convolution. Each task takes a band of rows of some
// planes: pads the inputs, where they need it, and multiplies them.
func (e *Engine) runPlanes(j *convJob, f planeConv) {
	t, p, workers, lanes := j.t, &j.plane, e.pool.Workers(), j.lv.lanes
	p.f, p.h = f, j.h
	need := rect(j.y, j.x, j.y+(j.h-1)*j.sy+t.maxY+1, j.x+(j.w-1)*j.sx+t.maxX+1)
	p.inPlace = j.sy == 1 && j.w >= lanes && j.in.Contains(need)
	// The last vector of outputs reads from its taps on.
	p.vecs = (max(j.w, lanes) + t.maxX/j.sx + lanes - 1) / lanes
	perRow := p.vecs * lanes * j.sx * j.sy
	p.bands = (j.h*perRow + planeFloats - 1) / planeFloats
	if j.n < workers && j.h >= 8*workers {
		p.bands = max(p.bands, workers)
	}
	p.bands = min(p.bands, j.h)
	j.h = (p.h + p.bands - 1) / p.bands
	p.bands = (p.h + j.h - 1) / j.h
	p.channels = max(1, planesFloats/(j.h*perRow))
	p.setMasks(j)
	if e.watch != nil {
		e.show(j.n*p.bands*((t.groups+p.channels-1)/p.channels), j.touchPlanes)
	}
	e.pool.For(j.n*p.bands*((t.groups+p.channels-1)/p.channels), p.run)
	j.h = p.h
}

// setMasks says which of the inputs that padded rows hold are there.
func (p *planeJob) setMasks(j *convJob) {
	lanes := j.lv.lanes
	p.masks = p.masks[:0]
	for v := range p.vecs * j.sx {
		bits := uint32(0)
		for l := range lanes {
			x := j.x + v*lanes + l
			inside := uint32(0)
			if x >= j.in.X0 && x < j.in.X1 {
				inside = 1
			}
			bits |= inside << l
			if lanes < 16 {
				p.masks = append(p.masks, -inside)
			}
		}
		if lanes == 16 {
			p.masks = append(p.masks, bits)
		}
	}
}

// planeTask computes task i: a band of some planes of an image.
func (j *convJob) planeTask(i, worker int) {
	t, lv, g, p := j.t, j.lv, j.t.grid, &j.plane
	tasks := (t.groups + p.channels - 1) / p.channels
	c0 := i % tasks * p.channels
	band, image := i/tasks%p.bands, i/tasks/p.bands
	y0 := band * j.h
	rows := min(j.h, p.h-y0)
	ws := &j.workers[worker]
	k := &ws.k
	_, clamp := j.clamp(ws)
	// Input row r of the band is at r*pitch; its odd columns, with stride 2, oddCol on.
	oddCol := p.vecs * lv.lanes
	pitch := oddCol * j.sx
	inRows := (rows-1)*j.sy + t.maxY + 1
	if p.inPlace {
		pitch = j.in.W()
	} else {
		ws.b = grow(ws.b, inRows*pitch+lv.lanes)
	}
	plane := p.h * j.w
	if j.planeOut > 0 {
		plane = j.planeOut
	}
	lds, ldd, step, from, to := pitch*j.sy, j.w, 1, 0, 0
	if g.dy < 0 && g.kh > 1 { // mirrored taps: rows are walked from the last one up
		from, to = (inRows-1)*pitch, (rows-1)*j.w
		lds, ldd = -lds, -ldd
	}
	if g.dx < 0 && g.kw > 1 {
		from, step = from+t.maxX, -1
	}
	for c := c0; c < min(c0+p.channels, t.groups); c++ {
		src := j.src[(image*t.groups+c)*j.in.Area():][:j.in.Area()]
		if p.inPlace {
			src = src[(j.y+y0-j.in.Y0)*pitch+j.x-j.in.X0:]
		} else {
			j.padPlane(ws.b[:inRows*pitch], src, j.y+y0*j.sy, pitch)
			src = ws.b
		}
		k[0] = 0
		if j.ep.Bias != nil {
			k[0] = j.ep.Bias[c]
		}
		dst := j.dst[image*j.ep.Stride+c*plane+y0*j.w:][:rows*j.w]
		p.f(&dst[to], &src[from], &t.a[c*len(t.list)], &k[0], rows, j.w, 4*ldd, 4*lds, 4*step, 4*pitch, 4*oddCol, clamp)
		if j.ep.Func != nil {
			lv.apply(*j.ep.Func, dst, dst)
		}
	}
}

// padPlane copies the inputs from row y on into rows of whole vectors.
func (j *convJob) padPlane(dst, src []float32, y, pitch int) {
	in, p := j.in, &j.plane
	rows := len(dst) / pitch
	r0 := min(max(in.Y0-y, 0), rows)
	r1 := max(min(in.Y1-y, rows), r0)
	if in.X1 <= j.x || j.x+j.sx*p.vecs*j.lv.lanes <= in.X0 {
		r1 = r0
	}
	clear(dst[:r0*pitch])
	clear(dst[r1*pitch:])
	if r0 < r1 {
		j.lv.padRows[j.sx](&dst[r0*pitch], &src[0], &p.masks[0], r1-r0, p.vecs, 4*p.vecs*j.lv.lanes, 4*pitch, 4*in.W(), 4*((y+r0-in.Y0)*in.W()+j.x-in.X0))
	}
}

// planes reports whether a forward pass computes each plane by itself.
func (f *Filters) planes() bool {
	j := convJob{lv: f.lv, t: f.subs[0].t, sy: f.g.StrideY, sx: f.g.StrideX}
	return j.planeFunc() != nil
}
