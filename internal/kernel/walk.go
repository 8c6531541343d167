package kernel

import "slices"

// Walk visits the numbers of an array in order, with places in two others. Axes that
// run on in all of them are taken together.
type Walk struct {
	dims []int
	a, b []int // steps of the others along the axes
	rows int   // all axes but the last
}

// NewWalk makes the walk through an array of dims, of others with the given steps.
func NewWalk(dims, a, b []int) *Walk {
	w := &Walk{rows: 1}
	for i, n := range dims {
		if n == 1 {
			continue
		}
		if m := len(w.dims) - 1; m >= 0 && w.a[m] == a[i]*n && w.b[m] == b[i]*n {
			w.dims[m], w.a[m], w.b[m] = w.dims[m]*n, a[i], b[i]
			continue
		}
		w.dims, w.a, w.b = append(w.dims, n), append(w.a, a[i]), append(w.b, b[i])
	}
	if len(w.dims) == 0 {
		w.dims, w.a, w.b = []int{1}, []int{0}, []int{0}
	}
	for _, n := range w.dims[:len(w.dims)-1] {
		w.rows *= n
	}
	return w
}

// place returns where a row begins in the two others.
func (w *Walk) place(row int) (a, b int) {
	for i := len(w.dims) - 2; i >= 0; i-- {
		k := row % w.dims[i]
		row /= w.dims[i]
		a, b = a+k*w.a[i], b+k*w.b[i]
	}
	return a, b
}

// last is the length of a row and the steps along it.
func (w *Walk) last() (n, a, b int) {
	m := len(w.dims) - 1
	return w.dims[m], w.a[m], w.b[m]
}

// walkFloats is about the number of floats of a task.
const walkFloats = 8 << 10

// walkJob is a walk over the arrays of some images.
type walkJob struct {
	lv           *level
	w            *Walk
	op           Arith
	dst, a, b    []float32
	size         int // of the result
	sizeA, sizeB int // floats of an image there, 0: the same for all
	offset       int

	perTask, parts int // rows of a task, or tasks of a row
	turned         int // axis of the source that runs on, see Rearrange; -1: none
	arith, move    func(i, worker int)
}

func (e *Engine) newWalk(w *Walk) *walkJob {
	j := e.walks.get()
	if j == nil {
		j = new(walkJob)
		j.arith, j.move = j.arithTask, j.moveTask
	}
	j.lv, j.w = current(), w
	n, _, _ := w.last()
	j.perTask, j.parts = max(1, walkFloats/n), 1
	if n > walkFloats {
		j.parts = (n + walkFloats - 1) / walkFloats
	}
	return j
}

func (e *Engine) putWalk(j *walkJob) {
	j.w, j.dst, j.a, j.b = nil, nil, nil, nil
	e.walks.put(j)
}

// Combine computes dst = a op b for a number of images along a walk through the result
// of one of them; sizeA and sizeB are the floats of an image in a and b, 0 if those are
// the same for all images. dst may be a or b where that is of dst's size.
func (e *Engine) Combine(op Arith, w *Walk, images, size, sizeA, sizeB int, dst, a, b []float32) {
	if op < 0 || op >= arithCount || images < 0 || len(dst) < images*size {
		panic("kernel: Combine: wrong length")
	}
	if images == 0 {
		return
	}
	j := e.newWalk(w)
	j.op, j.dst, j.a, j.b, j.size, j.sizeA, j.sizeB = op, dst[:images*size], a, b, size, sizeA, sizeB
	rows := images * w.rows
	if e.watch != nil {
		e.show((rows+j.perTask-1)/j.perTask*j.parts, j.touchArith)
	}
	e.pool.For((rows+j.perTask-1)/j.perTask*j.parts, j.arith)
	e.putWalk(j)
}

// Mul computes dst = a b; dst may be a or b.
func (e *Engine) Mul(dst, a, b []float32) {
	if len(dst) > len(a) || len(dst) > len(b) {
		panic("kernel: Mul: lengths differ")
	}
	e.loop(len(dst), walkFloats, func(j *loopJob, lo, hi int) {
		j.lv.combine(MulOp, j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi], 1, 1)
	}, noScalars, dst, a, b)
}

func (j *walkJob) arithTask(i, _ int) {
	w := j.w
	n, da, db := w.last()
	part := i % j.parts
	lo, hi := rowStart(n, j.parts, part), rowStart(n, j.parts, part+1)
	for row := i / j.parts * j.perTask; row < min((i/j.parts+1)*j.perTask, len(j.dst)/j.size*w.rows); row++ {
		image := row / w.rows
		a, b := w.place(row % w.rows)
		at := row*n + lo
		j.lv.combine(j.op, j.dst[at:at+hi-lo], j.a[image*j.sizeA+a+lo*da:], j.b[image*j.sizeB+b+lo*db:], da, db)
	}
}

// combine computes a row of dst.
func (lv *level) combine(op Arith, dst, a, b []float32, da, db int) {
	n := len(dst)
	v := lv.vector
	switch {
	case v == nil || da > 1 || db > 1 || da < 0 || db < 0:
		for i := range dst {
			dst[i] = refArith(op, a[i*da], b[i*db])
		}
	case da == 1 && db == 1:
		_, _ = a[n-1], b[n-1]
		v.rows[op](&dst[0], &a[0], &b[0], n)
	case da == 1:
		_ = a[n-1]
		v.right[op](&dst[0], &a[0], n, b[0])
	case db == 1:
		_ = b[n-1]
		v.left[op](&dst[0], &b[0], n, a[0])
	default:
		x := refArith(op, a[0], b[0])
		for i := range dst {
			dst[i] = x
		}
	}
}

// NewMove makes the walk of Rearrange: number (i, j, ...) of an array of dims is number
// offset + i*steps[0] + j*steps[1] + ... of another.
func NewMove(dims, steps []int) *Walk { return NewWalk(dims, steps, steps) }

// Rearrange fills dst, of images of size floats, along a walk that NewMove made from
// src, of images of sizeA floats.
func (e *Engine) Rearrange(w *Walk, offset, images, size, sizeA int, dst, src []float32) {
	if images < 0 || len(dst) < images*size {
		panic("kernel: Rearrange: wrong length")
	}
	if images == 0 {
		return
	}
	j := e.newWalk(w)
	j.dst, j.a, j.size, j.sizeA, j.offset = dst[:images*size], src, size, sizeA, offset
	j.turned = -1
	n, step, _ := w.last()
	if step != 1 && n >= j.lv.lanes && j.lv != refLevel {
		j.turned = slices.Index(w.a, 1)
	}
	if j.turned >= 0 {
		e.pool.For(images*j.turnedTasks(), j.move)
	} else {
		rows := images * w.rows
		e.pool.For((rows+j.perTask-1)/j.perTask*j.parts, j.move)
	}
	e.putWalk(j)
}

// turnedTasks cuts an image whose last axis and axis turned are transposed into tasks:
// a block of numbers along that axis each, for some places along the others.
func (j *walkJob) turnedTasks() int {
	w := j.w
	n, _, _ := w.last()
	long := w.dims[j.turned]
	j.parts = (long + j.lv.lanes - 1) / j.lv.lanes
	others := w.rows / long
	j.perTask = max(1, walkFloats/(n*j.lv.lanes))
	return j.parts * ((others + j.perTask - 1) / j.perTask)
}

func (j *walkJob) moveTask(i, _ int) {
	w := j.w
	n, step, _ := w.last()
	if j.turned >= 0 {
		j.turn(i)
		return
	}
	part := i % j.parts
	lo, hi := rowStart(n, j.parts, part), rowStart(n, j.parts, part+1)
	for row := i / j.parts * j.perTask; row < min((i/j.parts+1)*j.perTask, len(j.dst)/j.size*w.rows); row++ {
		image := row / w.rows
		a, _ := w.place(row % w.rows)
		a += image*j.sizeA + j.offset + lo*step
		d := j.dst[row*n+lo : row*n+hi]
		if step == 1 {
			copy(d, j.a[a:a+hi-lo])
			continue
		}
		for i := range d {
			d[i] = j.a[a]
			a += step
		}
	}
}

// turn transposes blocks of the last axis and axis turned.
func (j *walkJob) turn(i int) {
	w, lanes := j.w, j.lv.lanes
	n, step, _ := w.last()
	long := w.dims[j.turned]
	under := n // floats of the result from one number along the axis to the next
	for _, d := range w.dims[j.turned+1 : len(w.dims)-1] {
		under *= d
	}
	others := w.rows / long
	groups := (others + j.perTask - 1) / j.perTask
	image := i / (groups * j.parts)
	group, part := i/j.parts%groups, i%j.parts
	u0 := part * lanes
	cols := min(lanes, long-u0)
	inner := under / n // places along the axes between
	for o := group * j.perTask; o < min((group+1)*j.perTask, others); o++ {
		row := o/inner*inner*long + o%inner + u0*inner
		a, _ := w.place(row)
		a += image*j.sizeA + j.offset
		at := image*j.size + row*n
		for k := 0; k < n; k += lanes {
			k := min(k, n-lanes) // whole vectors, the last two overlap
			j.lv.transpose(&j.dst[at+k], &j.a[a+k*step], 4*under, 4*step, lanes, cols)
		}
	}
}
