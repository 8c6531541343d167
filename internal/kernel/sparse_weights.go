package kernel

import (
	"math"
	bit "math/bits"
)

// sparseWeightJob is one run of a weight gradient of which most of dy is 0, as
// below a max pool and a rectifier: each value of dy that is not 0 is multiplied
// with the inputs it meets, which lie side by side, channel by channel. An output
// channel's sums have one term for each such value in the order of positions, so
// that they are the bits of weightJob's.
type sparseWeightJob struct {
	lv      *level
	g       Conv
	x, dy   []float32
	in, out Box
	wide    Box        // the inputs that out reaches
	xs      []float32  // [images][wide.H()][wide.W()][In]
	bits    []uint64   // [images][Out][words]: which values of dy are not 0
	offsets []uint32   // of each position of dy: where its inputs begin, in bytes
	sums    []float32  // of the planes of dy, [n][Out]
	acc     []float32  // [Out][KH][vecs of KW*In]
	lists   [][]uint64 // of each worker
	dw      []float32

	image0, images     int
	vecs, words, block int
	prepare, mult      func(i, worker int)
	finish             func(i, worker int)
}

// sparseWeights is a job for weight gradients over box out, or nil if there is
// none for the geometry or the level.
func (e *Engine) sparseWeights(lv *level, g Conv, out Box) *sparseWeightJob {
	if lv.gather[1] == nil || g.Groups > 1 || g.DilX > 1 {
		return nil
	}
	j := e.sparseWeightJobs.get()
	if j == nil {
		j = new(sparseWeightJob)
		j.prepare, j.mult, j.finish = j.prepareTask, j.multiplyTask, j.finishTask
	}
	j.lv, j.g, j.out = lv, g, out
	j.wide = g.InputBox(out)
	j.vecs = (g.KW*g.In + lv.lanes - 1) / lv.lanes
	j.words = (out.Area() + 63) / 64
	return j
}

// pays reports whether the first image, which speaks for all, is multiplied faster
// value by value. The numbers are rough measurements of cycles.
func (j *sparseWeightJob) pays(dy []float32) bool {
	g := j.g
	j.bits = grow(j.bits, g.Out*j.words)
	count := findNonzero(j.lv, j.bits, dy[:g.Out*j.out.Area()], g.Out)
	moved := float64(j.wide.Area()*g.In) / 2
	if g.In%j.lv.lanes != 0 {
		moved *= 4
	}
	one := float64(count)*(8+float64(g.KH)*(3+0.8*float64(j.vecs))) + moved + float64(g.Out*g.KH*(20+2*j.vecs))
	all := float64(j.out.Area()) * float64(g.weights()) / (1.6 * float64(j.lv.lanes))
	return one < all
}

func (e *Engine) runSparseWeights(j *sparseWeightJob, n int, dw, db []float32, x []float32, in Box, dy []float32) {
	g, lv := j.g, j.lv
	j.x, j.dy, j.in, j.dw = x, dy, in, dw
	w := j.out.W()
	j.offsets = grow(j.offsets, j.out.Area())
	for p := range j.offsets {
		j.offsets[p] = uint32(4 * (p/w*g.StrideY*j.wide.W() + p%w*g.StrideX) * g.In)
	}
	row := j.vecs * lv.lanes
	perImage := j.wide.Area() * g.In
	chunk := max(1, min(n, scratchLimit/2/perImage))
	j.xs = e.floats(chunk*perImage + row) // a row's last vector may reach beyond its taps
	clear(j.xs[chunk*perImage:])
	j.acc = e.floats(g.Out * g.KH * row)
	clear(j.acc)
	j.bits = grow(j.bits, chunk*g.Out*j.words)
	if db != nil {
		j.sums = e.floats(n * g.Out)
	}
	workers := e.pool.Workers()
	for len(j.lists) < workers {
		j.lists = append(j.lists, nil)
	}
	j.block = max(1, min((g.Out+2*workers-1)/(2*workers), 32))
	for j.image0 = 0; j.image0 < n; j.image0 += chunk {
		j.images = min(chunk, n-j.image0)
		e.pool.For(j.images, j.prepare)
		e.pool.For((g.Out+j.block-1)/j.block, j.mult)
	}
	e.pool.For(g.Out, j.finish)
	addSums(db, j.sums)
	e.put(j.xs)
	e.put(j.acc)
	e.put(j.sums)
	j.x, j.dy, j.xs, j.acc, j.sums, j.dw = nil, nil, nil, nil, nil, nil
	e.sparseWeightJobs.put(j)
}

// addSums sets the gradients of biases from the sums of dy's planes, [n][Out].
func addSums(db, sums []float32) {
	for o := range db {
		s := 0.0
		for i := o; i < len(sums); i += len(db) {
			s += float64(sums[i])
		}
		db[o] = float32(s)
	}
}

// prepareTask finds what of an image's dy is not 0 and puts the channels of its
// inputs side by side.
func (j *sparseWeightJob) prepareTask(i, worker int) {
	g, lv := j.g, j.lv
	image, area := j.image0+i, j.out.Area()
	dy := j.dy[image*g.Out*area:][:g.Out*area]
	findNonzero(lv, j.bits[i*g.Out*j.words:], dy, g.Out)
	if j.sums != nil {
		for o := range g.Out {
			j.sums[image*g.Out+o] = lv.sumOf(dy[o*area:][:area])
		}
	}
	size := j.wide.Area() * g.In
	to := j.xs[i*size:][:size]
	plane := j.in.Area()
	from := j.x[image*g.In*plane:][:g.In*plane]
	common := j.wide.Intersect(j.in)
	if common != j.wide {
		clear(to)
	}
	for y := common.Y0; y < common.Y1; y++ {
		t := to[((y-j.wide.Y0)*j.wide.W()+common.X0-j.wide.X0)*g.In:]
		f := from[(y-j.in.Y0)*j.in.W()+common.X0-j.in.X0:]
		if g.In%lv.lanes != 0 { // whole vectors would run into the next column
			for c := range g.In {
				for x, v := range f[c*plane:][:common.W()] {
					t[x*g.In+c] = v
				}
			}
			continue
		}
		for c := 0; c < g.In; c += lv.lanes {
			for x := 0; x < common.W(); x += lv.lanes {
				lv.transpose(&t[x*g.In+c], &f[c*plane+x], 4*g.In, 4*plane, lv.lanes, min(lv.lanes, common.W()-x))
			}
		}
	}
}

// multiplyTask adds the chunk to the sums of a block of output channels.
func (j *sparseWeightJob) multiplyTask(i, worker int) {
	g, lv := j.g, j.lv
	row, area := j.vecs*lv.lanes, j.out.Area()
	size := j.wide.Area() * g.In
	pitch := g.DilY * j.wide.W() * g.In
	list := j.lists[worker]
	for image := range j.images {
		x := j.xs[image*size:]
		for o := i * j.block; o < min((i+1)*j.block, g.Out); o++ {
			dy := j.dy[((j.image0+image)*g.Out+o)*area:][:area]
			list = list[:0]
			for k, b := range j.bits[(image*g.Out+o)*j.words:][:j.words] {
				for ; b != 0; b &= b - 1 {
					p := 64*k + bit.TrailingZeros64(b)
					list = append(list, uint64(math.Float32bits(dy[p]))<<32|uint64(j.offsets[p]))
				}
			}
			if len(list) == 0 {
				continue
			}
			lv.gatherRows(j.acc[o*g.KH*row:], x, list, g.KH, j.vecs, row, pitch)
		}
	}
	j.lists[worker] = list
}

// gatherRows adds value*x to dst for the entries of a list: rows of vecs vectors, ldd
// floats apart in dst and pitch in x.
func (lv *level) gatherRows(dst, x []float32, list []uint64, rows, vecs, ldd, pitch int) {
	most := len(lv.gather[1]) - 1
	parts := (vecs + most - 1) / most
	for part := range parts {
		v0, v1 := rowStart(vecs, parts, part), rowStart(vecs, parts, part+1)
		for r := 0; r < rows; {
			n := min(5, rows-r)
			for lv.gather[n] == nil || len(lv.gather[n]) <= v1-v0 {
				n--
			}
			lv.gather[n][v1-v0](&dst[r*ldd+v0*lv.lanes], &x[r*pitch+v0*lv.lanes], &list[0], len(list), 4*pitch, 4*ldd)
			r += n
		}
	}
}

// finishTask puts an output channel's sums where its weights are.
func (j *sparseWeightJob) finishTask(o, worker int) {
	g := j.g
	row := j.vecs * j.lv.lanes
	dw := j.dw[o*g.In*g.KH*g.KW:][:g.In*g.KH*g.KW]
	for ky := range g.KH {
		for kx := range g.KW {
			from := j.acc[(o*g.KH+ky)*row+kx*g.In:][:g.In]
			for c, v := range from {
				dw[(c*g.KH+ky)*g.KW+kx] = v
			}
		}
	}
}
