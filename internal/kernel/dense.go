package kernel

// denseK is the number of inputs of a dense layer that are summed at a time.
const denseK = 1024

func checkDense(n, in, out int, y, x, w, b []float32) {
	if n < 0 || in < 1 || out < 1 || len(y) < n*out || len(x) < n*in {
		panic("kernel: Dense: wrong length of activations")
	}
	if len(w) != in*out || b != nil && len(b) != out {
		panic("kernel: Dense: wrong number of weights or biases")
	}
}

// DenseForward computes y[i][j] = sum over k of x[i][k]*w[j][k], plus b[j].
// y is [n][out], x is [n][in], w is [out][in], b is [out] or nil.
func (e *Engine) DenseForward(n, in, out int, y, x, w, b []float32) {
	checkDense(n, in, out, y, x, w, b)
	lv := current()
	if lv == refLevel {
		e.pool.For(n, func(i, worker int) { refDenseForward(i, in, out, y, x, w, b) })
		return
	}
	for i := range n {
		if b != nil {
			copy(y[i*out:][:out], b)
		} else {
			clear(y[i*out:][:out])
		}
	}
	step := lv.dots[0].cols
	size := max(step, (out/(4*e.Workers())+step-1)/step*step)
	size = min(size, 16*step)
	j := e.newLoop()
	j.s[0], j.s[1], j.s[2], j.whole = y[:n*out], x[:n*in], w, 1
	e.runLoop(j, out, size, denseChunk)
}

// denseChunk adds the products of outputs [lo, hi) to y.
func denseChunk(j *loopJob, lo, hi int) {
	y, x, w := j.s[0], j.s[1], j.s[2]
	out := j.n
	in := len(w) / out
	n := len(x) / in
	kernel := func(rows, cols int) *dotKernel {
		for i := range j.lv.dots {
			if d := &j.lv.dots[i]; d.rows <= rows && d.cols <= cols {
				return d
			}
		}
		return nil
	}
	// A few images are bound by reading w, which is best done row after row; many
	// by reading x, a block of which stays in the cache.
	step := hi - lo
	if n <= 8 {
		step = j.lv.dots[0].cols
	}
	for from := lo; from < hi; from += step {
		to := min(from+step, hi)
		for k := 0; k < in; k += denseK {
			kn := min(denseK, in-k)
			for o := from; o < to; {
				cols := 1
				for i := 0; i < n; {
					d := kernel(n-i, to-o)
					d.f(kn, &x[i*in+k], 4*in, &w[o*in+k], 4*in, &y[i*out+o], 4*out)
					i += d.rows
					cols = d.cols
				}
				o += cols
			}
		}
	}
}

// DenseData computes dx[i][k] = sum over j of dy[i][j]*w[j][k]. dx is [n][in],
// dy is [n][out], w is [out][in].
func (e *Engine) DenseData(n, in, out int, dx, dy, w []float32) {
	checkDense(n, in, out, dy, dx, w, nil)
	lv := current()
	if lv == refLevel {
		e.pool.For(n, func(i, worker int) { refDenseData(i, in, out, dx, dy, w) })
		return
	}
	if n == 0 {
		return
	}
	a := e.floats(n*out + lv.lanes)
	lv.packRows(a, n, out, dy)
	e.matMul(lv, n, out, in, dx, a, w)
	e.put(a)
}

// DenseWeights computes dw[j][k] = sum over i of dy[i][j]*x[i][k] and
// db[j] = sum over i of dy[i][j]. dw is [out][in], db is [out] or nil, x is
// [n][in], dy is [n][out].
func (e *Engine) DenseWeights(n, in, out int, dw, db, x, dy []float32) {
	checkDense(n, in, out, dy, x, dw, db)
	lv := current()
	if lv == refLevel {
		e.pool.For(out, func(j, worker int) { refDenseWeights(j, n, in, out, dw, db, x, dy) })
		return
	}
	if db != nil {
		clear(db)
		for i := range n {
			for j, v := range dy[i*out:][:out] {
				db[j] += v
			}
		}
	}
	if n == 0 {
		clear(dw)
		return
	}
	a := e.floats(n*out + lv.lanes)
	nb := rowBlocks(out, lv.rows)
	for b := range nb {
		r0, r1 := rowStart(out, nb, b), rowStart(out, nb, b+1)
		d := a[r0*n:]
		for i := range n {
			copy(d[i*(r1-r0):], dy[i*out+r0:i*out+r1])
		}
	}
	e.matMul(lv, out, n, in, dw, a, x)
	e.put(a)
}

// matMul computes c[m][n] = sum over k of a[m][k]*b[k][n], with a packed as rows.
func (e *Engine) matMul(lv *level, m, k, n int, c, a, b []float32) {
	j := e.getConv()
	j.mat = taps{list: onePoint, groups: 1, rows: m, chans: k, a: a}
	j.lv, j.t, j.ep = lv, &j.mat, Epilogue{}
	j.n, j.h, j.w, j.dst = 1, 1, n, c
	j.src, j.in = b, Full(1, n)
	j.y, j.x, j.sy, j.sx = 0, 0, 1, 1
	e.runConv(j)
	j.mat = taps{}
	e.putConv(j)
}

var onePoint = []tap{{}}
