package kernel

// bandedConv is about the number of outputs of a convolution that are computed
// before they are pooled: they stay in the cache of one worker.
const bandedConv = 320 << 10

// ConvMaxPool is ConvForward followed by MaxPool without switches, in bands of
// rows, so that the outputs of the convolution need not go to memory and back.
//
// dst is [n][Out][out.H()][out.W()], box out of the pool's outputs; src is as for
// ConvForward; the convolution's planes are h x w. The values are those of the two
// one after the other, except that Winograd's tiles begin anew with each band.
func (e *Engine) ConvMaxPool(f *Filters, n int, dst []float32, out Box, g Pool, h, w int, src []float32, in Box, ep Epilogue) {
	g = g.check()
	c := f.g
	if f.data {
		panic("kernel: ConvMaxPool: filters are packed for ConvData")
	}
	if n < 0 || len(dst) < n*c.Out*out.Area() {
		panic("kernel: ConvMaxPool: dst is too short")
	}
	if len(src) < n*c.In*in.Area() {
		panic("kernel: ConvMaxPool: src is too short")
	}
	if n == 0 || out.Empty() {
		return
	}
	ep.Stride = 0
	// The cut does not depend on the number of workers; it is even for two or four.
	rows := max(1, bandedConv/max(1, c.Out*w*g.StrideY))
	bands := (out.H() + rows - 1) / rows
	bands = min((bands+3)/4*4, out.H())
	if n*bands < e.pool.Workers() && f.win == nil {
		need := g.InputBox(out).Intersect(Full(h, w))
		mid := e.floats(n * c.Out * need.Area())
		e.ConvForward(f, n, mid, need, src, in, ep)
		e.MaxPool(g, n*c.Out, dst, nil, out, mid, need, h, w)
		e.put(mid)
		return
	}
	j := e.bandJobs.get()
	if j == nil {
		j = new(bandJob)
		for range e.pool.Workers() {
			j.serial = append(j.serial, &Engine{})
		}
		j.run = j.band
	}
	j.f, j.g, j.ep, j.h, j.w = f, g, ep, h, w
	j.dst, j.out, j.src, j.in, j.bands = dst, out, src, in, bands
	if e.watch != nil {
		e.show(n*bands, j.touch)
	}
	e.pool.For(n*bands, j.run)
	j.f, j.ep, j.dst, j.src = nil, Epilogue{}, nil, nil
	e.bandJobs.put(j)
}

// bandJob is one run of ConvMaxPool.
type bandJob struct {
	f      *Filters
	g      Pool
	ep     Epilogue
	h, w   int
	dst    []float32
	out    Box
	src    []float32
	in     Box
	bands  int
	serial []*Engine // by worker
	run    func(i, worker int)
}

func (j *bandJob) band(i, worker int) {
	one, c, out := j.serial[worker], j.f.g, j.out
	image, band := i/j.bands, i%j.bands
	b := rect(out.Y0+rowStart(out.H(), j.bands, band), out.X0, out.Y0+rowStart(out.H(), j.bands, band+1), out.X1)
	need := j.g.InputBox(b).Intersect(Full(j.h, j.w))
	mid := one.floats(c.Out * need.Area())
	one.ConvForward(j.f, 1, mid, need, j.src[image*c.In*j.in.Area():], j.in, j.ep)
	pooled := one.floats(c.Out * b.Area())
	one.MaxPool(j.g, c.Out, pooled, nil, b, mid, need, j.h, j.w)
	for k := range c.Out {
		copy(j.dst[(image*c.Out+k)*out.Area()+(b.Y0-out.Y0)*out.W():], pooled[k*b.Area():][:b.Area()])
	}
	one.put(mid)
	one.put(pooled)
}
