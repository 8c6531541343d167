package kernel

import "math"

// Depthwise convolutions of small planes are computed with channels side by side in
// the vectors: as many planes as a vector has lanes are turned, padded, convolved and
// turned back, so that no lane is lost to the width of a plane. The sums are those of
// other ways, in the same order.

// channelJob is what runChannels adds to a convJob.
type channelJob struct {
	pitch, rows int // of the padded inputs
	koff        []int64
	groups      int // vectors of channels of a task
	tasks       int // of an image
	run         func(i, worker int)
}

// byChannels reports whether a depthwise convolution is computed with channels side by
// side: where rows are short, and turning the planes takes less time than that saves.
func (j *convJob) byChannels() bool {
	t, lanes := j.t, j.lv.lanes
	if t.rows != 1 || t.chans != 1 || j.sy != j.sx || j.sy >= len(j.lv.channels) || j.lv.channels[j.sy] == nil || t.groups < lanes/2 {
		return false
	}
	// Vectors of 8 fit such rows: only long sums pay for turning.
	return j.w <= shortRow && j.h <= 2*shortRow && j.in.Area() <= 8*shortRow*shortRow && (lanes > shortRow || len(t.list) > 9)
}

// shortRow is the most outputs of a row that are computed with channels side by side.
const shortRow = 8

// runChannels computes a depthwise convolution with channels side by side.
func (e *Engine) runChannels(j *convJob) {
	t, p, lanes := j.t, &j.channels, j.lv.lanes
	p.rows, p.pitch = (j.h-1)*j.sy+t.maxY+1, (j.w-1)*j.sx+t.maxX+1
	p.koff = p.koff[:0]
	for _, tap := range t.list {
		p.koff = append(p.koff, int64(4*lanes*(tap.y*p.pitch+tap.x)))
	}
	vectors := (t.groups + lanes - 1) / lanes
	p.groups = max(1, min(planesFloats/(lanes*p.rows*p.pitch), vectors*j.n/(2*e.pool.Workers())))
	p.tasks = (vectors + p.groups - 1) / p.groups
	if e.watch != nil {
		e.show(j.n*p.tasks, j.touchChannels)
	}
	e.pool.For(j.n*p.tasks, p.run)
}

// channelTask computes task i: some vectors of channels of an image.
func (j *convJob) channelTask(i, worker int) {
	t, lv, p, ws := j.t, j.lv, &j.channels, &j.workers[worker]
	lanes, taps, area := lv.lanes, len(j.t.list), j.h*j.w
	image, c0 := i/p.tasks, i%p.tasks*p.groups*lanes
	padded, turned := p.rows*p.pitch*lanes, max(area, j.in.Area())*lanes
	ws.b = grow(ws.b, padded+(taps+1)*lanes)
	ws.c = grow(ws.c, turned+lanes*lanes)
	clear(ws.b[:padded])
	k, clamp := j.clamp(ws)
	weights, bias := ws.b[padded:][:taps*lanes], ws.b[padded+taps*lanes:][:lanes]
	clear(bias)
	for c := c0; c < min(c0+p.groups*lanes, t.groups); c += lanes {
		n := min(lanes, t.groups-c)
		j.padChannels(ws, j.src[(image*t.groups+c)*j.in.Area():], n)
		for o := 0; o < taps; o += lanes {
			lv.transpose(&weights[o*lanes], &t.a[c*taps+o], 4*lanes, 4*taps, n, min(lanes, taps-o))
		}
		if j.ep.Bias != nil {
			clear(bias[copy(bias, j.ep.Bias[c:c+n]):])
		}
		for x := 0; x < j.w; {
			blocks := (j.w - x + len(lv.channels[1]) - 2) / (len(lv.channels[1]) - 1)
			w := (j.w - x) / blocks
			lv.channels[j.sx][w](&ws.c[x*lanes], &ws.b[x*j.sx*lanes], &weights[0], &bias[0], k, &p.koff[0], taps, j.h, 4*j.w*lanes, 4*j.sy*p.pitch*lanes, clamp)
			x += w
		}
		d := j.dst[image*j.ep.Stride+c*area:][:n*area]
		lv.storeTurned(d, area, ws.c, lanes, n, 0, area)
		if j.ep.Func != nil {
			lv.apply(*j.ep.Func, d, d)
		}
	}
}

// padChannels turns n planes and puts the inputs of the taps in their places in ws.b,
// whose borders are 0.
func (j *convJob) padChannels(ws *convWorker, src []float32, n int) {
	lanes, in, p := j.lv.lanes, j.in, &j.channels
	need := rect(j.y, j.x, j.y+p.rows, j.x+p.pitch).Intersect(in)
	if need.Empty() {
		return
	}
	first, last := (need.Y0-in.Y0)*in.W(), (need.Y1-in.Y0)*in.W()
	for at := first; at < last; at += lanes {
		j.lv.transpose(&ws.c[(at-first)*lanes], &src[at], 4*lanes, 4*in.Area(), n, min(lanes, last-at))
	}
	w := need.W() * lanes
	for y := range need.H() {
		copy(ws.b[((need.Y0+y-j.y)*p.pitch+need.X0-j.x)*lanes:][:w], ws.c[(y*in.W()+need.X0-in.X0)*lanes:][:w])
	}
}

// clamp returns what kernels for planes take of sums: whether they clamp them, and the
// scalars for that.
func (j *convJob) clamp(ws *convWorker) (*float32, int) {
	k := &ws.k
	switch {
	case j.ep.ReLU:
		*k = [4]float32{3: float32(math.Inf(1))}
	case j.ep.Clip != nil:
		c := &j.ep.Clip.k
		*k = [4]float32{0, c[0], c[1], c[2]}
	default:
		return &k[0], 0
	}
	return &k[0], 1
}

// storeTurned stores values [first, last) of n planes of so many values each, which are side by side in c,
// pitch floats a value.
func (lv *level) storeTurned(d []float32, area int, c []float32, pitch, n, first, last int) {
	for l := first; l < last; {
		if last-l < lv.lanes && (last-l <= 2 || last-first < lv.lanes) {
			for r, v := range c[(l-first)*pitch:][:n] {
				d[r*area+l] = v
			}
			l++
			continue
		}
		l = min(l, last-lv.lanes) // the last vector may begin among those that are stored already
		for r := 0; r < n; r += lv.lanes {
			lv.transpose(&d[r*area+l], &c[(l-first)*pitch+r], 4*area, 4*pitch, lv.lanes, min(lv.lanes, n-r))
		}
		l += lv.lanes
	}
}
