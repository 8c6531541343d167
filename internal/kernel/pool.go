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
	lv := current()
	plain := lv.maxTap[min(g.StrideX, 2)] == nil || g.StrideX > 2 || !everyWindow(g, out, h, w)
	two := lv.maxPool2 != nil && g.KH == 2 && g.KW == 2 && g.StrideY == 2 && g.StrideX == 2 && g.DilY == 1 && g.DilX == 1 &&
		Full(h, w).Contains(g.InputBox(out))
	size := max(1, fillChunk/max(1, in.Area()))
	e.pool.For((planes+size-1)/size, func(i, worker int) {
		var spare []int32
		for p := i * size; p < min((i+1)*size, planes); p++ {
			d, s := dst[p*out.Area():][:out.Area()], src[p*in.Area():][:in.Area()]
			var sw []int32
			if switches != nil {
				sw = switches[p*out.Area():][:out.Area()]
			}
			switch {
			case two:
				var at *int32
				if sw != nil {
					at = &sw[0]
				}
				y, x := 2*out.Y0-g.PadTop, 2*out.X0-g.PadLeft
				lv.maxPool2(&d[0], at, &s[(y-in.Y0)*in.W()+x-in.X0], out.H(), out.W(), 4*in.W(), int32(y*w+x), int32(w))
			case plain:
				refMaxPool(g, d, sw, out, s, in, h, w)
			default:
				if sw == nil {
					spare = grow(spare, out.Area())
					sw = spare
				}
				lv.maxPoolRows(g, d, sw, out, s, in, h, w)
			}
		}
	})
}

// everyWindow reports whether each window of the box has an element in the plane.
func everyWindow(g Pool, out Box, h, w int) bool {
	for y := out.Y0; y < out.Y1; y++ {
		if poolCount(y, g.StrideY, g.PadTop, g.KH, g.DilY, 0, h) == 0 {
			return false
		}
	}
	for x := out.X0; x < out.X1; x++ {
		if poolCount(x, g.StrideX, g.PadLeft, g.KW, g.DilX, 0, w) == 0 {
			return false
		}
	}
	return true
}

// maxPoolRows computes a plane, a row of outputs and a tap at a time. Switches
// start at the first element of each window, so that windows full of -Inf get
// it too.
func (lv *level) maxPoolRows(g Pool, d []float32, sw []int32, out Box, s []float32, in Box, h, w int) {
	for oy := out.Y0; oy < out.Y1; oy++ {
		d, sw := d[(oy-out.Y0)*out.W():][:out.W()], sw[(oy-out.Y0)*out.W():][:out.W()]
		top := oy*g.StrideY - g.PadTop
		first := 0 // first row of the window in the plane
		for ; top+first*g.DilY < 0; first++ {
		}
		for i := range d {
			x := (out.X0+i)*g.StrideX - g.PadLeft
			for x < 0 {
				x += g.DilX
			}
			d[i] = float32(math.Inf(-1))
			sw[i] = int32((top+first*g.DilY)*w + x)
		}
		for ky := first; ky < g.KH; ky++ {
			y := top + ky*g.DilY
			if y >= h {
				break
			}
			for kx := range g.KW {
				off := kx*g.DilX - g.PadLeft
				x0, x1 := spanIn(g.StrideX, off, 0, w, out.X0, out.X1)
				if x0 < x1 {
					x := x0*g.StrideX + off
					lv.maxTap[g.StrideX](&d[x0-out.X0], &sw[x0-out.X0], &s[(y-in.Y0)*in.W()+x-in.X0], x1-x0, int32(y*w+x))
				}
			}
		}
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
