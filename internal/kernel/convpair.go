package kernel

// Pair is a convolution of single places followed by a depthwise one, as networks with inverted bottlenecks have them:
// the first makes many maps of few, which only the second reads. Computed together, in bands of rows of some maps at a
// time, those maps stay in the cache of the worker that made them.
type Pair struct {
	first, second Conv
	blocks        []pairBlock
}

// pairBlock is some of the maps between, from map on.
type pairBlock struct {
	from          int
	expand, plane *Filters
}

const (
	// pairChannels is about the number of maps of a block.
	pairChannels = 12
	// pairFloats is about the number of floats between of a block of a band.
	pairFloats = 80 << 10
	// pairWhole is the size of the maps between, in floats for each step of the stride, from which on they are not
	// computed as a whole.
	pairWhole = 256 << 10
)

// PackPair packs the weights of two convolutions for ConvPair, of which the first makes maps of h x w. nil if they are
// not a pair, or no faster together; weights are asked for only else.
func PackPair(first, second Conv, h, w int, expand, planes func() []float32) *Pair {
	if first.In > placeK || first.Out*h*w < pairWhole*max(1, second.StrideY) {
		return nil
	}
	return packPair(first.check(), second.check(), h, w, expand, planes)
}

func packPair(first, second Conv, h, w int, expandWeights, planeWeights func() []float32) *Pair {
	point := first.KH == 1 && first.KW == 1 && first.StrideY == 1 && first.StrideX == 1 && first.Groups == 1 && first.PadTop == 0 && first.PadLeft == 0
	depthwise := second.Groups == second.In && second.In == second.Out && second.In == first.Out
	if current() == refLevel || !point || !depthwise {
		return nil
	}
	p := &Pair{first: first, second: second}
	expand, planes := expandWeights(), planeWeights()
	count := max(1, first.Out/pairChannels)
	area := second.KH * second.KW
	for i := range count {
		c0, c1 := rowStart(first.Out, count, i), rowStart(first.Out, count, i+1)
		f, s := first, second
		f.Out, f.Places = c1-c0, h*w
		s.In, s.Out, s.Groups = c1-c0, c1-c0, c1-c0
		b := pairBlock{c0, PackForward(f, expand[c0*f.In:c1*f.In]), PackForward(s, planes[c0*area:c1*area])}
		if !b.plane.planes() {
			return nil
		}
		p.blocks = append(p.blocks, b)
	}
	return p
}

// ConvPair is ConvForward twice: the values are those of the two convolutions one after the other, bit for bit.
//
// dst is [n][Out][...], all outputs of the second convolution, the images last.Stride apart; src is [n][In][h][w],
// from which the first makes maps of h x w.
func (e *Engine) ConvPair(p *Pair, n int, dst []float32, out Box, src []float32, h, w int, mid, last Epilogue) {
	if last.Stride == 0 {
		last.Stride = p.second.Out * out.Area()
	}
	if n > 0 && len(dst) < (n-1)*last.Stride+p.second.Out*out.Area() {
		panic("kernel: ConvPair: dst is too short")
	}
	if len(src) < n*p.first.In*h*w {
		panic("kernel: ConvPair: src is too short")
	}
	if n == 0 || out.Empty() {
		return
	}
	j := e.pairJobs.get()
	if j == nil {
		j = new(pairJob)
		for range e.pool.Workers() {
			j.serial = append(j.serial, &Engine{})
		}
		j.run = j.band
	}
	j.p, j.dst, j.out, j.src, j.h, j.w, j.mid, j.last = p, dst, out, src, h, w, mid, last
	rows := max(1, pairFloats/(pairChannels*w*p.second.StrideY))
	j.bands = (out.H() + rows - 1) / rows
	if e.watch != nil {
		e.show(n*j.bands*len(p.blocks), j.touch)
	}
	e.pool.For(n*j.bands*len(p.blocks), j.run)
	j.p, j.dst, j.src, j.mid, j.last = nil, nil, nil, Epilogue{}, Epilogue{}
	e.pairJobs.put(j)
}

// pairJob is one run of ConvPair.
type pairJob struct {
	p         *Pair
	dst       []float32
	out       Box
	src       []float32
	h, w      int
	mid, last Epilogue
	bands     int
	serial    []*Engine // by worker
	run       func(i, worker int)
}

// band computes a band of rows of an image for a block of maps.
func (j *pairJob) band(i, worker int) {
	one, p, out := j.serial[worker], j.p, j.out
	block := p.blocks[i%len(p.blocks)]
	i /= len(p.blocks)
	image, band := i/j.bands, i%j.bands
	b := rect(out.Y0+rowStart(out.H(), j.bands, band), out.X0, out.Y0+rowStart(out.H(), j.bands, band+1), out.X1)
	need := p.second.InputBox(b).Intersect(Full(j.h, j.w))
	src := j.src[image*p.first.In*j.h*j.w:][:p.first.In*j.h*j.w]
	maps := block.expand.g.Out
	mid := one.floats(maps * need.Area())
	one.ConvForward(block.expand, 1, mid, need, src, Full(j.h, j.w), j.mid.of(block.from, maps))
	c := one.getConv()
	c.lv, c.t, c.ep = block.plane.lv, block.plane.subs[0].t, j.last.of(block.from, maps)
	c.n, c.h, c.w = 1, b.H(), b.W()
	c.dst, c.planeOut = j.dst[image*j.last.Stride+block.from*out.Area()+(b.Y0-out.Y0)*out.W():], out.Area()
	c.src, c.in = mid, need
	c.sy, c.sx = p.second.StrideY, p.second.StrideX
	c.y, c.x = b.Y0*c.sy-p.second.PadTop, b.X0*c.sx-p.second.PadLeft
	one.runPlanes(c, c.planeFunc())
	one.putConv(c)
	one.put(mid)
}

// of is the epilogue of n channels from first on, of one image.
func (ep Epilogue) of(first, n int) Epilogue {
	if ep.Bias != nil {
		ep.Bias = ep.Bias[first : first+n]
	}
	ep.Stride = 0
	return ep
}
