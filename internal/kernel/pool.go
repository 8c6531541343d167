package kernel

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
	e.pool.For(planes, func(p, worker int) {
		var sw []int32
		if switches != nil {
			sw = switches[p*out.Area():][:out.Area()]
		}
		refMaxPool(g, dst[p*out.Area():][:out.Area()], sw, out, src[p*in.Area():][:in.Area()], in, h, w)
	})
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
	e.pool.For(planes, func(p, worker int) {
		d := dst[p*out.Area():][:out.Area()]
		clear(d)
		sw := switches[p*srcLen:][:srcLen]
		if out.X0 == 0 && out.X1 == w {
			base := uint(out.Y0 * w)
			for j, v := range src[p*srcLen:][:srcLen] {
				if at := uint(sw[j]) - base; at < uint(len(d)) {
					d[at] += v
				}
			}
			return
		}
		for j, v := range src[p*srcLen:][:srcLen] {
			if sw[j] < 0 {
				continue
			}
			y, x := int(sw[j])/w, int(sw[j])%w
			if out.Y0 <= y && y < out.Y1 && out.X0 <= x && x < out.X1 {
				d[(y-out.Y0)*out.W()+x-out.X0] += v
			}
		}
	})
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
	e.pool.For(planes, func(p, worker int) {
		refAvgPool(g, dst[p*out.Area():][:out.Area()], out, src[p*in.Area():][:in.Area()], in, h, w, padBottom, padRight, countPad)
	})
}

// AvgPoolGrad is the transpose of AvgPool: dx, [planes][out.H()][out.W()],
// covers box out of the h x w input planes and is overwritten; dy,
// [planes][in.H()][in.W()], covers box in of the output planes, 0 outside.
func (e *Engine) AvgPoolGrad(g Pool, planes int, dx []float32, out Box, dy []float32, in Box, h, w, padBottom, padRight int, countPad bool) {
	g = checkAvgPool(g, planes, dy, in, dx, out)
	e.pool.For(planes, func(p, worker int) {
		refAvgPoolGrad(g, dx[p*out.Area():][:out.Area()], out, dy[p*in.Area():][:in.Area()], in, h, w, padBottom, padRight, countPad)
	})
}
