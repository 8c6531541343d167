package kernel

// avgColumns is the number of outputs of a row that are summed at a time.
const avgColumns = 64

// avgPool is an average pool of one plane: the arguments of AvgPool, and what of box in lies in the plane.
type avgPool struct {
	lv                        *level
	g                         Pool
	d, s                      []float32
	out, in, in2              Box
	h, w, padBottom, padRight int
	countPad                  bool
}

// run is refAvgPool with whole windows summed by a kernel, eight at a time, and the others column after column, so that
// there is nothing to ask for each number. The sums are made in the same order: the bits are the same.
func (a *avgPool) run() {
	g := a.g
	// Outputs [lo, hi) have all columns of their windows.
	lo, _ := spanIn(g.StrideX, -g.PadLeft, a.in2.X0, a.in2.X1, a.out.X0, a.out.X1)
	_, hi := spanIn(g.StrideX, (g.KW-1)*g.DilX-g.PadLeft, a.in2.X0, a.in2.X1, a.out.X0, a.out.X1)
	whole := g.DilX == 1 && g.StrideX < len(a.lv.vector.means) && hi-lo >= 8
	for oy := a.out.Y0; oy < a.out.Y1; oy++ {
		y := oy*g.StrideY - g.PadTop
		if !whole || y < a.in2.Y0 || y+(g.KH-1)*g.DilY >= a.in2.Y1 {
			a.edges(oy, a.out.X0, a.out.X1)
			continue
		}
		a.edges(oy, a.out.X0, lo)
		a.edges(oy, a.means(oy, lo, hi), a.out.X1)
	}
}

// means computes outputs [lo, hi), which have whole windows, of row oy, at least 8, up to the one it returns.
func (a *avgPool) means(oy, lo, hi int) int {
	g, means := a.g, a.lv.vector.means[a.g.StrideX]
	scale := avgScale(g, oy, lo, a.h, a.w, a.padBottom, a.padRight, a.countPad)
	d := a.d[(oy-a.out.Y0)*a.out.W():]
	s := a.s[(oy*g.StrideY-g.PadTop-a.in.Y0)*a.in.W():]
	last := hi - 8
	if end := (g.KH-1)*g.DilY*a.in.W() + (hi-1)*g.StrideX - g.PadLeft + g.KW - 1 - a.in.X0 + g.StrideX; end > len(s) {
		if last -= 8; last < lo { // the plane ends before what a kernel reads
			return lo
		}
	}
	block := func(x, n int) {
		means(&d[x-a.out.X0], &s[x*g.StrideX-g.PadLeft-a.in.X0], n, g.KH, g.KW, 4*g.DilY*a.in.W(), scale)
	}
	if n := (last - lo + 7) &^ 7; n > 0 {
		block(lo, n)
	}
	block(last, 8) // some once more
	return last + 8
}

// one computes output x of row oy.
func (a *avgPool) one(oy, x int) {
	g, sum := &a.g, 0.0
	left := x*g.StrideX - g.PadLeft
	for ky := range g.KH {
		y := oy*g.StrideY - g.PadTop + ky*g.DilY
		if y < a.in2.Y0 || y >= a.in2.Y1 {
			continue
		}
		row := a.s[(y-a.in.Y0)*a.in.W():][:a.in.W()]
		for kx := range g.KW {
			if ix := left + kx*g.DilX; ix >= a.in2.X0 && ix < a.in2.X1 {
				sum += float64(row[ix-a.in.X0])
			}
		}
	}
	a.d[(oy-a.out.Y0)*a.out.W()+x-a.out.X0] = float32(sum * avgScale(a.g, oy, x, a.h, a.w, a.padBottom, a.padRight, a.countPad))
}

// edges computes outputs [x0, x1) of row oy.
func (a *avgPool) edges(oy, x0, x1 int) {
	if x1-x0 < 8 {
		for x := x0; x < x1; x++ {
			a.one(oy, x)
		}
		return
	}
	var sums [avgColumns]float64
	g := a.g
	for ; x0 < x1; x0 += avgColumns {
		n := min(avgColumns, x1-x0)
		acc := sums[:n]
		clear(acc)
		for ky := range g.KH {
			y := oy*g.StrideY - g.PadTop + ky*g.DilY
			if y < a.in2.Y0 || y >= a.in2.Y1 {
				continue
			}
			row := a.s[(y-a.in.Y0)*a.in.W():][:a.in.W()]
			for kx := range g.KW {
				off := kx*g.DilX - g.PadLeft
				from, to := spanIn(g.StrideX, off, a.in2.X0, a.in2.X1, x0, x0+n)
				for x := from; x < to; x++ {
					acc[x-x0] += float64(row[x*g.StrideX+off-a.in.X0])
				}
			}
		}
		q := a.d[(oy-a.out.Y0)*a.out.W()+x0-a.out.X0:][:n]
		// Columns [lo, hi) of the outputs have windows in the plane: one scale for all.
		lo, hi := wholeColumns(g, x0, x0+n, a.w)
		scale := 0.0
		for i, v := range acc {
			if x := x0 + i; i == 0 || x <= lo || x >= hi {
				scale = avgScale(g, oy, x, a.h, a.w, a.padBottom, a.padRight, a.countPad)
			}
			q[i] = float32(v * scale)
		}
	}
}

// wholeColumns returns the outputs of [x0, x1) whose windows lie in the plane.
func wholeColumns(g Pool, x0, x1, w int) (lo, hi int) {
	lo, _ = spanIn(g.StrideX, -g.PadLeft, 0, w, x0, x1)
	_, hi = spanIn(g.StrideX, (g.KW-1)*g.DilX-g.PadLeft, 0, w, x0, x1)
	return lo, hi
}
