package kernel

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
	e.pool.For(n, func(i, worker int) { refDenseForward(i, in, out, y, x, w, b) })
}

// DenseData computes dx[i][k] = sum over j of dy[i][j]*w[j][k]. dx is [n][in],
// dy is [n][out], w is [out][in].
func (e *Engine) DenseData(n, in, out int, dx, dy, w []float32) {
	checkDense(n, in, out, dy, dx, w, nil)
	e.pool.For(n, func(i, worker int) { refDenseData(i, in, out, dx, dy, w) })
}

// DenseWeights computes dw[j][k] = sum over i of dy[i][j]*x[i][k] and
// db[j] = sum over i of dy[i][j]. dw is [out][in], db is [out] or nil, x is
// [n][in], dy is [n][out].
func (e *Engine) DenseWeights(n, in, out int, dw, db, x, dy []float32) {
	checkDense(n, in, out, dy, x, dw, db)
	e.pool.For(out, func(j, worker int) { refDenseWeights(j, n, in, out, dw, db, x, dy) })
}
