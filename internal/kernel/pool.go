package kernel

import "math"

// MaxPool takes the maximum over the window of each output.
//
// src is [planes][in.H()][in.W()], box in of h x w planes; dst is
// [planes][out.H()][out.W()], box out of the output planes. in must hold every
// position of the plane that the windows read. switches, nil or as long as dst,
// receives row*w+col of the maximum in the h x w plane: the first one in
// row-major order, or the first NaN. Padding never wins; a window that lies in
// the padding altogether gives -Inf and switch -1.
func (e *Engine) MaxPool(g Pool, planes int, dst []float32, switches []int32, out Box, src []float32, in Box, h, w int) {
	g = g.check()
	if planes < 0 || len(dst) < planes*out.Area() {
		panic("kernel: MaxPool: dst is too short")
	}
	if switches != nil && len(switches) < planes*out.Area() {
		panic("kernel: MaxPool: switches is too short")
	}
	if len(src) < planes*in.Area() {
		panic("kernel: MaxPool: src is too short")
	}
	if !in.Contains(g.InputBox(out).Intersect(Full(h, w))) {
		panic("kernel: MaxPool: the windows reach out of the input box")
	}
	if out.Empty() {
		return
	}
	j := e.pools.get()
	if j == nil {
		j = &poolJob{frames: make([][]float32, e.pool.Workers())}
		j.run = j.task
	}
	j.lv, j.g, j.planes, j.h, j.w = current(), g, planes, h, w
	j.dst, j.switches, j.out, j.src, j.in = dst, switches, out, src, in
	// Few planes are cut into bands of rows: they are those of one image, which
	// convolutions cut that way.
	j.bands = 1
	if planes*in.Area() <= bandedFloats && out.H() >= 8 {
		j.bands = min(e.pool.Workers(), out.H()/2)
	}
	j.size = max(1, fillChunk*j.bands/max(1, in.Area()))
	// Two tasks a worker, so that none waits long for another.
	if most := max(1, planes*j.bands/(2*e.pool.Workers())); j.size > most {
		j.size = max(most, min(j.size, leastPooled*j.bands/max(1, in.Area())))
	}
	if e.watch != nil {
		e.show(j.bands*((planes+j.size-1)/j.size), j.touch)
	}
	e.pool.For(j.bands*((planes+j.size-1)/j.size), j.run)
	j.dst, j.switches, j.src = nil, nil, nil
	e.pools.put(j)
}

// leastPooled is the size of an input that is not worth a task of its own.
const leastPooled = 2 << 10

// bandedFloats is the size of the largest input that is cut into bands of rows.
const bandedFloats = 1 << 20

// poolJob is one run of a max pool.
type poolJob struct {
	lv       *level
	g        Pool
	planes   int
	dst      []float32
	switches []int32
	out      Box
	src      []float32
	in       Box
	h, w     int
	size     int         // planes in a task
	bands    int         // of rows
	frames   [][]float32 // by worker
	run      func(i, worker int)
}

func (j *poolJob) task(i, worker int) {
	g, out, in := j.g, j.out, j.in
	tasks := (j.planes + j.size - 1) / j.size
	band := i / tasks
	i %= tasks
	out.Y0, out.Y1 = j.out.Y0+rowStart(j.out.H(), j.bands, band), j.out.Y0+rowStart(j.out.H(), j.bands, band+1)
	area, skip := j.out.Area(), (out.Y0-j.out.Y0)*out.W()
	if out.Empty() {
		return
	}
	need := g.InputBox(out)
	inside := Full(j.h, j.w).Contains(need)
	two := inside && j.lv.maxPool2 != nil && g.KH == 2 && g.KW == 2 && g.StrideY == 2 && g.StrideX == 2 && g.DilY == 1 && g.DilX == 1
	rows := g.StrideX <= 2 && j.lv.maxWindow[g.StrideX] != nil
	// A small plane is copied into a frame of -Inf, as most of its outputs are
	// at an edge.
	var frame []float32
	if rows && !inside && need.Area() <= maxFrame {
		frame = grow(j.frames[worker], need.Area())
		j.frames[worker] = frame
		for i := range frame {
			frame[i] = float32(math.Inf(-1))
		}
	}
	for p := i * j.size; p < min((i+1)*j.size, j.planes); p++ {
		d, s := j.dst[p*area+skip:][:out.Area()], j.src[p*in.Area():][:in.Area()]
		var sw []int32
		if j.switches != nil {
			sw = j.switches[p*area+skip:][:out.Area()]
		}
		switch {
		case two:
			var at *int32
			if sw != nil {
				at = &sw[0]
			}
			y, x := need.Y0, need.X0
			j.lv.maxPool2(&d[0], at, &s[(y-in.Y0)*in.W()+x-in.X0], out.H(), out.W(), 4*in.W(), int32(y*j.w+x), int32(j.w))
		case rows && inside:
			j.lv.maxPoolInside(g, d, sw, out, s, in, j.w)
		case frame != nil:
			part := need.Intersect(Full(j.h, j.w))
			if !part.Empty() {
				j.lv.copyBox(frame[(part.Y0-need.Y0)*need.W()+part.X0-need.X0:], need.W(), s[(part.Y0-in.Y0)*in.W()+part.X0-in.X0:], in.W(), part.H(), part.W())
			}
			if j.lv.maxPoolInside(g, d, sw, out, frame, need, j.w) {
				// The frame may have been taken for the maximum.
				refMaxPool(g, d, sw, out, s, in, j.h, j.w)
			}
		case rows:
			j.lv.maxPoolRows(g, d, sw, out, s, in, j.h, j.w)
		default:
			refMaxPool(g, d, sw, out, s, in, j.h, j.w)
		}
	}
}

// maxFrame is the size of the largest plane that is framed.
const maxFrame = 1 << 10

// maxPoolInside computes a plane whose windows lie inside the input, or in part
// of it if that has a frame. It returns whether an output is -Inf.
func (lv *level) maxPoolInside(g Pool, d []float32, sw []int32, out Box, s []float32, in Box, w int) bool {
	var at *int32
	if sw != nil {
		at = &sw[0]
	}
	y, x := out.Y0*g.StrideY-g.PadTop, out.X0*g.StrideX-g.PadLeft
	return lv.maxWindow[g.StrideX](&d[0], at, &s[(y-in.Y0)*in.W()+x-in.X0], out.H(), out.W(), g.KH, g.KW,
		4*in.W()*g.DilY, 4*g.DilX, 4*in.W()*g.StrideY, 4*out.W(),
		int32(y*w+x), int32(w*g.DilY), int32(g.DilX), int32(w*g.StrideY)) != 0
}

// maxPoolRows computes a plane: the outputs whose windows lie inside the plane
// at once, the rest of the rows and then of the columns apart.
func (lv *level) maxPoolRows(g Pool, d []float32, sw []int32, out Box, s []float32, in Box, h, w int) {
	// Outputs in rows [y0, y1) and columns [x0, x1) have all of their windows in the plane.
	y0, _ := spanIn(g.StrideY, -g.PadTop, 0, h, out.Y0, out.Y1)
	_, y1 := spanIn(g.StrideY, (g.KH-1)*g.DilY-g.PadTop, 0, h, out.Y0, out.Y1)
	x0, _ := spanIn(g.StrideX, -g.PadLeft, 0, w, out.X0, out.X1)
	_, x1 := spanIn(g.StrideX, (g.KW-1)*g.DilX-g.PadLeft, 0, w, out.X0, out.X1)
	edge := func(oy, from, to int) {
		top := oy*g.StrideY - g.PadTop
		r0, r1 := spanIn(g.DilY, top, 0, h, 0, g.KH)
		for ox := from; ox < to; ox++ {
			left := ox*g.StrideX - g.PadLeft
			c0, c1 := spanIn(g.DilX, left, 0, w, 0, g.KW)
			best, at := float32(math.Inf(-1)), int32(-1)
			for r := r0; r < r1; r++ {
				y := top + r*g.DilY
				row := s[(y-in.Y0)*in.W():]
				for c := c0; c < c1; c++ {
					x := left + c*g.DilX
					if v := row[x-in.X0]; at < 0 || v > best || v != v && best == best {
						best, at = v, int32(y*w+x)
					}
				}
			}
			q := (oy-out.Y0)*out.W() + ox - out.X0
			d[q] = best
			if sw != nil {
				sw[q] = at
			}
		}
	}
	// window computes columns [x0, x1) of rows from oy on, whose windows have the
	// rows [k0, k1) in the plane.
	window := func(oy, rows, k0, k1 int) {
		if k0 >= k1 {
			for y := range rows {
				edge(oy+y, x0, x1)
			}
			return
		}
		y, x := oy*g.StrideY-g.PadTop+k0*g.DilY, x0*g.StrideX-g.PadLeft
		at := (oy-out.Y0)*out.W() + x0 - out.X0
		var sw1 *int32
		if sw != nil {
			sw1 = &sw[at]
		}
		lv.maxWindow[g.StrideX](&d[at], sw1, &s[(y-in.Y0)*in.W()+x-in.X0], rows, x1-x0, k1-k0, g.KW,
			4*in.W()*g.DilY, 4*g.DilX, 4*in.W()*g.StrideY, 4*out.W(),
			int32(y*w+x), int32(w*g.DilY), int32(g.DilX), int32(w*g.StrideY))
	}
	if x0 >= x1 {
		for oy := out.Y0; oy < out.Y1; oy++ {
			edge(oy, out.X0, out.X1)
		}
		return
	}
	for oy := out.Y0; oy < out.Y1; {
		if rows := y1 - oy; oy >= y0 && rows > 0 {
			window(oy, rows, 0, g.KH)
			oy = y1
			continue
		}
		k0, k1 := spanIn(g.DilY, oy*g.StrideY-g.PadTop, 0, h, 0, g.KH)
		window(oy, 1, k0, k1)
		oy++
	}
	for oy := out.Y0; oy < out.Y1; oy++ {
		edge(oy, out.X0, x0)
		edge(oy, x1, out.X1)
	}
}

// MaxUnpool puts values back where MaxPool found them: dst, [planes][out.H()]
// [out.W()], covers box out of the pool's input planes of width w; it is zeroed
// and each value of src, [planes][srcLen], is added at its switch if that lies
// in the box, in the order of src.
func (e *Engine) MaxUnpool(planes int, dst []float32, out Box, src []float32, switches []int32, w int, srcLen int) {
	if planes < 0 || len(dst) < planes*out.Area() {
		panic("kernel: MaxUnpool: dst is too short")
	}
	if srcLen < 0 || len(src) < planes*srcLen || len(switches) < planes*srcLen {
		panic("kernel: MaxUnpool: src or switches is too short")
	}
	if w < 1 {
		panic("kernel: MaxUnpool: bad width")
	}
	j := e.newLoop()
	j.s[0], j.s[1], j.ints = dst, src, switches
	j.out, j.dim[0], j.dim[1] = out, w, srcLen
	e.runLoop(j, planes, max(1, fillChunk/max(1, out.Area())), func(j *loopJob, lo, hi int) {
		for p := lo; p < hi; p++ {
			area, n := j.out.Area(), j.dim[1]
			unpoolPlane(j.s[0][p*area:][:area], j.out, j.s[1][p*n:][:n], j.ints[p*n:][:n], j.dim[0])
		}
	})
}

func unpoolPlane(d []float32, out Box, src []float32, sw []int32, w int) {
	clear(d)
	if out.X0 == 0 && out.X1 == w {
		base := uint(out.Y0 * w)
		for j, v := range src {
			if at := uint(sw[j]) - base; at < uint(len(d)) {
				d[at] += v
			}
		}
		return
	}
	for j, v := range src {
		if sw[j] < 0 {
			continue
		}
		y, x := int(sw[j])/w, int(sw[j])%w
		if out.Y0 <= y && y < out.Y1 && out.X0 <= x && x < out.X1 {
			d[(y-out.Y0)*out.W()+x-out.X0] += v
		}
	}
}

func checkAvgPool(g Pool, planes int, pooled []float32, pooledBox Box, plane []float32, planeBox Box) Pool {
	if planes < 0 || len(pooled) < planes*pooledBox.Area() || len(plane) < planes*planeBox.Area() {
		panic("kernel: AvgPool: dst or src is too short")
	}
	return g.check()
}

// AvgPool takes the mean over the window of each output.
//
// src is [planes][in.H()][in.W()], box in of h x w planes, 0 outside the box;
// dst is [planes][out.H()][out.W()], box out of the output planes. The sum is
// divided by the number of window elements inside the h x w plane, or, with
// countPad, inside the plane with its padding (PadTop, PadLeft, padBottom,
// padRight), which is less than KH*KW where ceil mode lets a window hang over.
// A window without any gives 0.
func (e *Engine) AvgPool(g Pool, planes int, dst []float32, out Box, src []float32, in Box, h, w, padBottom, padRight int, countPad bool) {
	g = checkAvgPool(g, planes, dst, out, src, in)
	j := e.newLoop()
	j.pool, j.s[0], j.out, j.s[1], j.in, j.flag = g, dst, out, src, in, countPad
	j.dim = [6]int{h, w, padBottom, padRight}
	e.runLoop(j, planes, max(1, 1024/max(1, g.KH*g.KW*out.Area())), func(j *loopJob, lo, hi int) {
		// A single window that is the plane.
		whole := j.lv != refLevel && j.out == Full(1, 1) && j.in == Full(j.dim[0], j.dim[1]) && j.pool.KH == j.dim[0] && j.pool.KW == j.dim[1] &&
			j.pool.PadTop == 0 && j.pool.PadLeft == 0 && j.pool.DilY == 1 && j.pool.DilX == 1 && !j.flag
		for p := lo; p < hi; p++ {
			a, b := j.out.Area(), j.in.Area()
			if whole {
				j.s[0][p] = j.lv.sumOf(j.s[1][p*b:][:b]) / float32(b)
				continue
			}
			d, s := j.s[0][p*a:][:a], j.s[1][p*b:][:b]
			if j.lv == refLevel {
				refAvgPool(j.pool, d, j.out, s, j.in, j.dim[0], j.dim[1], j.dim[2], j.dim[3], j.flag)
			} else {
				(&avgPool{j.lv, j.pool, d, s, j.out, j.in, j.in.Intersect(Full(j.dim[0], j.dim[1])), j.dim[0], j.dim[1], j.dim[2], j.dim[3], j.flag}).run()
			}
		}
	})
}

// AvgPoolGrad is the transpose of AvgPool: dx, [planes][out.H()][out.W()],
// covers box out of the h x w input planes and is overwritten; dy,
// [planes][in.H()][in.W()], covers box in of the output planes, 0 outside.
func (e *Engine) AvgPoolGrad(g Pool, planes int, dx []float32, out Box, dy []float32, in Box, h, w, padBottom, padRight int, countPad bool) {
	g = checkAvgPool(g, planes, dy, in, dx, out)
	j := e.newLoop()
	j.pool, j.s[0], j.out, j.s[1], j.in, j.flag = g, dx, out, dy, in, countPad
	j.dim = [6]int{h, w, padBottom, padRight}
	// A mean of whole planes gives all of a plane the same.
	whole := g == WholePool(h, w) && in.Area() == 1 && Full(h, w).Contains(out)
	e.runLoop(j, planes, max(1, 256/max(1, out.Area())), func(j *loopJob, lo, hi int) {
		for p := lo; p < hi; p++ {
			a, b := j.out.Area(), j.in.Area()
			if whole {
				spread(j.s[0][p*a:][:a], float32(float64(j.s[1][p])*(1/float64(j.dim[0]*j.dim[1])))+0)
				continue
			}
			refAvgPoolGrad(j.pool, j.s[0][p*a:][:a], j.out, j.s[1][p*b:][:b], j.in, j.dim[0], j.dim[1], j.dim[2], j.dim[3], j.flag)
		}
	})
}

// spread sets all of dst to v.
func spread(dst []float32, v float32) {
	for i := range dst {
		dst[i] = v
	}
}
