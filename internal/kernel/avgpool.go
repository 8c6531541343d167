package kernel

// avgColumns is the number of outputs of a row that are summed at a time.
const avgColumns = 64

// avgPoolPlane is refAvgPool with the windows' columns added one after the other for a
// row of outputs, so that there is nothing to ask for each number. The sums are made in
// the same order: the bits are the same.
func avgPoolPlane(g Pool, d []float32, out Box, s []float32, in Box, h, w, padBottom, padRight int, countPad bool) {
	in2 := in.Intersect(Full(h, w))
	var sums [avgColumns]float64
	for x0 := out.X0; x0 < out.X1; x0 += avgColumns {
		n := min(avgColumns, out.X1-x0)
		acc := sums[:n]
		// Columns [lo, hi) of the outputs have whole windows: one scale in each row.
		lo, hi := wholeColumns(g, x0, x0+n, w)
		for oy := out.Y0; oy < out.Y1; oy++ {
			clear(acc)
			for ky := range g.KH {
				y := oy*g.StrideY - g.PadTop + ky*g.DilY
				if y < in2.Y0 || y >= in2.Y1 {
					continue
				}
				row := s[(y-in.Y0)*in.W():][:in.W()]
				for kx := range g.KW {
					off := kx*g.DilX - g.PadLeft
					from, to := spanIn(g.StrideX, off, in2.X0, in2.X1, x0, x0+n)
					if from < to {
						addEvery(acc[from-x0:to-x0], row[from*g.StrideX+off-in.X0:], g.StrideX)
					}
				}
			}
			q := d[(oy-out.Y0)*out.W()+x0-out.X0:][:n]
			scale := 0.0
			for i, v := range acc {
				if x := x0 + i; i == 0 || x <= lo || x >= hi {
					scale = avgScale(g, oy, x, h, w, padBottom, padRight, countPad)
				}
				q[i] = float32(v * scale)
			}
		}
	}
}

// wholeColumns returns the outputs of [x0, x1) whose windows lie in the plane.
func wholeColumns(g Pool, x0, x1, w int) (lo, hi int) {
	lo, _ = spanIn(g.StrideX, -g.PadLeft, 0, w, x0, x1)
	_, hi = spanIn(g.StrideX, (g.KW-1)*g.DilX-g.PadLeft, 0, w, x0, x1)
	return lo, hi
}

// addEvery adds every step-th number of src to acc.
func addEvery(acc []float64, src []float32, step int) {
	if step == 1 {
		for i, v := range src[:len(acc)] {
			acc[i] += float64(v)
		}
		return
	}
	src = src[:(len(acc)-1)*step+1]
	at := 0
	for i := range acc {
		acc[i] += float64(src[at])
		at += step
	}
}
