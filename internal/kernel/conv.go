package kernel

// Filters are the weights of a convolution packed for one pass. They are
// immutable but for Repack.
type Filters struct {
	g    Conv
	w    []float32
	data bool
}

// PackForward packs w, [Out][In/Groups][KH][KW], for ConvForward.
func PackForward(g Conv, w []float32) *Filters { return pack(g, w, false) }

// PackData packs w, [Out][In/Groups][KH][KW], for ConvData.
func PackData(g Conv, w []float32) *Filters { return pack(g, w, true) }

func pack(g Conv, w []float32, data bool) *Filters {
	g = g.check()
	f := &Filters{g: g, w: make([]float32, g.weights()), data: data}
	f.Repack(w)
	return f
}

// Repack replaces the weights, without allocating. No pass may be using f.
func (f *Filters) Repack(w []float32) {
	if len(w) != f.g.weights() {
		panic("kernel: pack: wrong number of weights")
	}
	copy(f.w, w)
}

// Epilogue is what is done to the sums of a convolution before they are stored:
// the bias of the output channel is added (nil: none), then max(., 0) is taken.
type Epilogue struct {
	Bias []float32
	ReLU bool
}

// ConvForward computes a convolution, see Conv.
//
// dst is [n][Out][out.H()][out.W()], the outputs in box out. src is
// [n][In][in.H()][in.W()], the inputs in box in; all inputs outside it are 0,
// as padding or because the caller knows. dst must not overlap src.
func (e *Engine) ConvForward(f *Filters, n int, dst []float32, out Box, src []float32, in Box, ep Epilogue) {
	g := f.g
	if f.data {
		panic("kernel: ConvForward: filters are packed for ConvData")
	}
	if n < 0 || len(dst) < n*g.Out*out.Area() {
		panic("kernel: ConvForward: dst is too short")
	}
	if len(src) < n*g.In*in.Area() {
		panic("kernel: ConvForward: src is too short")
	}
	if ep.Bias != nil && len(ep.Bias) != g.Out {
		panic("kernel: ConvForward: wrong number of biases")
	}
	if n == 0 || out.Empty() {
		return
	}
	e.pool.For(n*g.Out, func(p, worker int) {
		refConvForward(g, f.w, p/g.Out, p%g.Out, dst, out, src, in, ep)
	})
}

// ConvData computes the transpose of the convolution, which takes gradients (or
// top-down signals) from its output to its input.
//
// dx is [n][In][out.H()][out.W()] and covers box out of the input plane; dy is
// [n][Out][in.H()][in.W()] and covers box in of the output plane, with 0
// outside. dx is overwritten and must not overlap dy.
func (e *Engine) ConvData(f *Filters, n int, dx []float32, out Box, dy []float32, in Box) {
	g := f.g
	if !f.data {
		panic("kernel: ConvData: filters are packed for ConvForward")
	}
	if n < 0 || len(dx) < n*g.In*out.Area() {
		panic("kernel: ConvData: dx is too short")
	}
	if len(dy) < n*g.Out*in.Area() {
		panic("kernel: ConvData: dy is too short")
	}
	if n == 0 || out.Empty() {
		return
	}
	e.pool.For(n*g.In, func(p, worker int) {
		refConvData(g, f.w, p/g.In, p%g.In, dx, out, dy, in)
	})
}

// ConvWeights computes the gradients of weights and biases, summed over images
// and positions. dw is [Out][In/Groups][KH][KW] and db is [Out] or nil; both
// are overwritten. x is [n][In][in.H()][in.W()] over box in of the input plane,
// dy is [n][Out][out.H()][out.W()] over box out of the output plane; both are 0
// outside.
func (e *Engine) ConvWeights(g Conv, n int, dw, db []float32, x []float32, in Box, dy []float32, out Box) {
	g = g.check()
	if len(dw) != g.weights() {
		panic("kernel: ConvWeights: wrong number of weights")
	}
	if db != nil && len(db) != g.Out {
		panic("kernel: ConvWeights: wrong number of biases")
	}
	if n < 0 || len(x) < n*g.In*in.Area() {
		panic("kernel: ConvWeights: x is too short")
	}
	if len(dy) < n*g.Out*out.Area() {
		panic("kernel: ConvWeights: dy is too short")
	}
	e.pool.For(g.Out, func(k, worker int) {
		refConvWeights(g, k, n, dw, db, x, in, dy, out)
	})
}
