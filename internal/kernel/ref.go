package kernel

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

// The functions in this file are the definition of what the package computes:
// plain loops that sum in float64. They are compiled everywhere, tests compare
// every other implementation with them, and VIZ_KERNEL=ref runs them.

// refConvForward computes plane k of image i of a forward convolution:
// dst[i][k] over box out.
func refConvForward(g Conv, w []float32, i, k int, dst []float32, out Box, src []float32, in Box, ep Epilogue) {
	cg := g.In / g.Groups
	c0 := k / (g.Out / g.Groups) * cg
	acc := make([]float64, out.Area())
	for c := range cg {
		x := src[(i*g.In+c0+c)*in.Area():][:in.Area()]
		for ky := range g.KH {
			offY := ky*g.DilY - g.PadTop
			y0, y1 := spanIn(g.StrideY, offY, in.Y0, in.Y1, out.Y0, out.Y1)
			for kx := range g.KW {
				offX := kx*g.DilX - g.PadLeft
				x0, x1 := spanIn(g.StrideX, offX, in.X0, in.X1, out.X0, out.X1)
				if x0 >= x1 {
					continue
				}
				wk := float64(w[((k*cg+c)*g.KH+ky)*g.KW+kx])
				for oy := y0; oy < y1; oy++ {
					a := acc[(oy-out.Y0)*out.W()+x0-out.X0:][:x1-x0]
					p := (oy*g.StrideY+offY-in.Y0)*in.W() + x0*g.StrideX + offX - in.X0
					for j := range a {
						a[j] += float64(wk * float64(x[p]))
						p += g.StrideX
					}
				}
			}
		}
	}
	b := float64(0)
	if ep.Bias != nil {
		b = float64(ep.Bias[k])
	}
	d := dst[(i*g.Out+k)*out.Area():][:out.Area()]
	for j, a := range acc {
		v := float32(a + b)
		if ep.ReLU {
			v = max(v, 0)
		}
		d[j] = v
	}
}

// refConvData computes plane c of image i of the transpose: dx[i][c] over box
// out of the input plane, from dy over box in of the output plane.
func refConvData(g Conv, w []float32, i, c int, dx []float32, out Box, dy []float32, in Box) {
	cg, kg := g.In/g.Groups, g.Out/g.Groups
	k0 := c / cg * kg
	acc := make([]float64, out.Area())
	for k := k0; k < k0+kg; k++ {
		d := dy[(i*g.Out+k)*in.Area():][:in.Area()]
		for ky := range g.KH {
			offY := ky*g.DilY - g.PadTop
			y0, y1 := spanIn(g.StrideY, offY, out.Y0, out.Y1, in.Y0, in.Y1)
			for kx := range g.KW {
				offX := kx*g.DilX - g.PadLeft
				x0, x1 := spanIn(g.StrideX, offX, out.X0, out.X1, in.X0, in.X1)
				wk := float64(w[((k*cg+c%cg)*g.KH+ky)*g.KW+kx])
				for oy := y0; oy < y1; oy++ {
					p := (oy*g.StrideY+offY-out.Y0)*out.W() + offX - out.X0
					q := (oy-in.Y0)*in.W() - in.X0
					for ox := x0; ox < x1; ox++ {
						acc[p+ox*g.StrideX] += float64(wk * float64(d[q+ox]))
					}
				}
			}
		}
	}
	narrow(dx[(i*g.In+c)*out.Area():][:out.Area()], acc)
}

// refConvWeights computes the weights dw[k] and the bias gradient db[k].
func refConvWeights(g Conv, k, n int, dw, db []float32, x []float32, in Box, dy []float32, out Box) {
	cg := g.In / g.Groups
	c0 := k / (g.Out / g.Groups) * cg
	for c := range cg {
		for ky := range g.KH {
			offY := ky*g.DilY - g.PadTop
			y0, y1 := spanIn(g.StrideY, offY, in.Y0, in.Y1, out.Y0, out.Y1)
			for kx := range g.KW {
				offX := kx*g.DilX - g.PadLeft
				x0, x1 := spanIn(g.StrideX, offX, in.X0, in.X1, out.X0, out.X1)
				sum := 0.0
				for i := range n {
					s := x[(i*g.In+c0+c)*in.Area():][:in.Area()]
					d := dy[(i*g.Out+k)*out.Area():][:out.Area()]
					for oy := y0; oy < y1; oy++ {
						p := (oy*g.StrideY+offY-in.Y0)*in.W() + offX - in.X0
						q := (oy-out.Y0)*out.W() - out.X0
						for ox := x0; ox < x1; ox++ {
							sum += float64(float64(s[p+ox*g.StrideX]) * float64(d[q+ox]))
						}
					}
				}
				dw[((k*cg+c)*g.KH+ky)*g.KW+kx] = float32(sum)
			}
		}
	}
	if db != nil {
		sum := 0.0
		for i := range n {
			for _, v := range dy[(i*g.Out+k)*out.Area():][:out.Area()] {
				sum += float64(v)
			}
		}
		db[k] = float32(sum)
	}
}

func narrow(dst []float32, acc []float64) {
	for j, a := range acc {
		dst[j] = float32(a)
	}
}

// refDenseForward: y[i][j] = sum over k of x[i][k]*w[j][k], plus b[j].
func refDenseForward(i, in, out int, y, x, w, b []float32) {
	for j := range out {
		sum := dot64(x[i*in:][:in], w[j*in:][:in])
		if b != nil {
			sum += float64(b[j])
		}
		y[i*out+j] = float32(sum)
	}
}

// refDenseData: dx[i][k] = sum over j of dy[i][j]*w[j][k].
func refDenseData(i, in, out int, dx, dy, w []float32) {
	acc := make([]float64, in)
	for j := range out {
		d := float64(dy[i*out+j])
		for k, v := range w[j*in:][:in] {
			acc[k] += float64(d * float64(v))
		}
	}
	narrow(dx[i*in:][:in], acc)
}

// refDenseWeights: dw[j][k] = sum over i of dy[i][j]*x[i][k], db[j] = sum of dy[i][j].
func refDenseWeights(j, n, in, out int, dw, db, x, dy []float32) {
	acc := make([]float64, in)
	sum := 0.0
	for i := range n {
		d := float64(dy[i*out+j])
		sum += d
		for k, v := range x[i*in:][:in] {
			acc[k] += float64(d * float64(v))
		}
	}
	narrow(dw[j*in:][:in], acc)
	if db != nil {
		db[j] = float32(sum)
	}
}

func dot64(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(float64(v) * float64(b[i]))
	}
	return sum
}

// refMaxPool computes one plane: d (and sw, unless nil) over box out from s
// over box in of an h x w plane. A window without an element gives -Inf and -1.
func refMaxPool(g Pool, d []float32, sw []int32, out Box, s []float32, in Box, h, w int) {
	q := 0
	for oy := out.Y0; oy < out.Y1; oy++ {
		for ox := out.X0; ox < out.X1; ox++ {
			best, at := float32(math.Inf(-1)), int32(-1)
			for ky := range g.KH {
				y := oy*g.StrideY - g.PadTop + ky*g.DilY
				if y < 0 || y >= h {
					continue
				}
				for kx := range g.KW {
					x := ox*g.StrideX - g.PadLeft + kx*g.DilX
					if x < 0 || x >= w {
						continue
					}
					v := s[(y-in.Y0)*in.W()+x-in.X0]
					if at < 0 || v > best || v != v && best == best {
						best, at = v, int32(y*w+x)
					}
				}
			}
			d[q] = best
			if sw != nil {
				sw[q] = at
			}
			q++
		}
	}
}

// poolCount returns what an average pool divides by at output o of one axis:
// the taps inside [lo, hi).
func poolCount(o, stride, pad, k, dil, lo, hi int) int {
	c := 0
	for t := range k {
		if i := o*stride - pad + t*dil; lo <= i && i < hi {
			c++
		}
	}
	return c
}

// avgScale returns 1/elements for output (oy, ox), 0 for a window without any.
func avgScale(g Pool, oy, ox, h, w, padBottom, padRight int, countPad bool) float64 {
	var c int
	if countPad {
		c = poolCount(oy, g.StrideY, g.PadTop, g.KH, g.DilY, -g.PadTop, h+padBottom) *
			poolCount(ox, g.StrideX, g.PadLeft, g.KW, g.DilX, -g.PadLeft, w+padRight)
	} else {
		c = poolCount(oy, g.StrideY, g.PadTop, g.KH, g.DilY, 0, h) *
			poolCount(ox, g.StrideX, g.PadLeft, g.KW, g.DilX, 0, w)
	}
	if c == 0 {
		return 0
	}
	return 1 / float64(c)
}

// refAvgPool computes one plane.
func refAvgPool(g Pool, d []float32, out Box, s []float32, in Box, h, w, padBottom, padRight int, countPad bool) {
	q := 0
	in2 := in.Intersect(Full(h, w))
	for oy := out.Y0; oy < out.Y1; oy++ {
		for ox := out.X0; ox < out.X1; ox++ {
			sum := 0.0
			for ky := range g.KH {
				y := oy*g.StrideY - g.PadTop + ky*g.DilY
				if y < in2.Y0 || y >= in2.Y1 {
					continue
				}
				for kx := range g.KW {
					x := ox*g.StrideX - g.PadLeft + kx*g.DilX
					if x >= in2.X0 && x < in2.X1 {
						sum += float64(s[(y-in.Y0)*in.W()+x-in.X0])
					}
				}
			}
			d[q] = float32(sum * avgScale(g, oy, ox, h, w, padBottom, padRight, countPad))
			q++
		}
	}
}

// refAvgPoolGrad computes one plane: dx over box out of the input plane from dy
// over box in of the output plane.
func refAvgPoolGrad(g Pool, dx []float32, out Box, dy []float32, in Box, h, w, padBottom, padRight int, countPad bool) {
	acc := make([]float64, out.Area())
	out2 := out.Intersect(Full(h, w))
	q := 0
	for oy := in.Y0; oy < in.Y1; oy++ {
		for ox := in.X0; ox < in.X1; ox++ {
			v := float64(float64(dy[q]) * avgScale(g, oy, ox, h, w, padBottom, padRight, countPad))
			q++
			for ky := range g.KH {
				y := oy*g.StrideY - g.PadTop + ky*g.DilY
				if y < out2.Y0 || y >= out2.Y1 {
					continue
				}
				for kx := range g.KW {
					x := ox*g.StrideX - g.PadLeft + kx*g.DilX
					if x >= out2.X0 && x < out2.X1 {
						acc[(y-out.Y0)*out.W()+x-out.X0] += v
					}
				}
			}
		}
	}
	narrow(dx, acc)
}

// lrnWindow returns the channels around c that its norm sums over.
func lrnWindow(c, channels, size int) (lo, hi int) {
	low := (size - 1) / 2
	return max(c-low, 0), min(c-low+size, channels)
}

// refLRN computes position p of one image.
func refLRN(c, hw, p int, dst, src []float32, size int, alpha, beta, bias float64) {
	for k := range c {
		lo, hi := lrnWindow(k, c, size)
		sum := 0.0
		for j := lo; j < hi; j++ {
			v := float64(src[j*hw+p])
			sum += float64(v * v)
		}
		dst[k*hw+p] = float32(float64(src[k*hw+p]) * exact.Pow(bias+float64(alpha/float64(size)*sum), -beta))
	}
}

// refLRNGrad computes position p of one image:
//
//	dx_i = dy_i s_i^-beta - 2 alpha beta/size x_i sum over j of dy_j x_j s_j^(-beta-1),
//
// over the channels j whose window holds i.
func refLRNGrad(c, hw, p int, dx, dy, x []float32, size int, alpha, beta, bias float64) {
	t, u := make([]float64, c), make([]float64, c)
	for k := range c {
		lo, hi := lrnWindow(k, c, size)
		sum := 0.0
		for j := lo; j < hi; j++ {
			v := float64(x[j*hw+p])
			sum += float64(v * v)
		}
		s := bias + float64(alpha/float64(size)*sum)
		t[k] = float64(dy[k*hw+p]) * exact.Pow(s, -beta)
		u[k] = t[k] * float64(x[k*hw+p]) / s
	}
	low := (size - 1) / 2
	for i := range c {
		sum := 0.0
		for j := max(i-(size-1-low), 0); j < min(i+low+1, c); j++ {
			sum += u[j]
		}
		dx[i*hw+p] = float32(t[i] - float64(2*alpha*beta/float64(size)*float64(x[i*hw+p])*sum))
	}
}

// refSoftmax computes one row.
func refSoftmax(dst, src []float32) {
	m := math.Inf(-1)
	for _, v := range src {
		m = max(m, float64(v))
	}
	sum := 0.0
	for _, v := range src {
		sum += exact.Exp(float64(v) - m)
	}
	for j, v := range src {
		dst[j] = float32(exact.Exp(float64(v)-m) / sum)
	}
}

// refBatchNormTrain computes channel k.
func refBatchNormTrain(k, n, c, hw int, y, x, gamma, beta, mean, invstd []float32, eps float64) {
	sum := 0.0
	for i := range n {
		for _, v := range x[(i*c+k)*hw:][:hw] {
			sum += float64(v)
		}
	}
	m := sum / float64(n*hw)
	sum = 0
	for i := range n {
		for _, v := range x[(i*c+k)*hw:][:hw] {
			d := float64(v) - m
			sum += float64(d * d)
		}
	}
	is := 1 / math.Sqrt(sum/float64(n*hw)+eps)
	mean[k], invstd[k] = float32(m), float32(is)
	for i := range n {
		d := y[(i*c+k)*hw:][:hw]
		for j, v := range x[(i*c+k)*hw:][:hw] {
			d[j] = float32(float64((float64(v)-m)*is*float64(gamma[k])) + float64(beta[k]))
		}
	}
}

// refBatchNormGrad computes channel k.
func refBatchNormGrad(k, n, c, hw int, dx, dgamma, dbeta, dy, x, gamma, mean, invstd []float32) {
	m, is := float64(mean[k]), float64(invstd[k])
	db, dg := 0.0, 0.0
	for i := range n {
		s := x[(i*c+k)*hw:][:hw]
		for j, d := range dy[(i*c+k)*hw:][:hw] {
			db += float64(d)
			dg += float64(float64(d) * (float64(s[j]) - m) * is)
		}
	}
	dbeta[k], dgamma[k] = float32(db), float32(dg)
	db, dg = db/float64(n*hw), dg/float64(n*hw)
	for i := range n {
		s := x[(i*c+k)*hw:][:hw]
		o := dx[(i*c+k)*hw:][:hw]
		for j, d := range dy[(i*c+k)*hw:][:hw] {
			xh := (float64(s[j]) - m) * is
			o[j] = float32(float64(gamma[k]) * is * (float64(d) - db - float64(xh*dg)))
		}
	}
}

// refRecurrent is RecurrentForward for image i of n.
func refRecurrent(r Recurrent, n, i int, s *Recurrence, w RecurrentWeights) {
	h := r.Hidden
	g := r.Cell.Gates() * h
	sigmoid := func(v float64) float64 { return 1 / (1 + exact.Exp(-v)) }
	for t := range r.Steps {
		at := t*n + i
		x, hb, ha := s.x[at*r.In:][:r.In], s.hidden[at*h:][:h], s.hidden[(at+n)*h:][:h]
		fromX, fromH := make([]float64, g), make([]float64, g)
		for k := range g {
			fromX[k], fromH[k] = float64(w.BX[k]), float64(w.BH[k])
			for j, v := range x {
				fromX[k] += float64(float64(v) * float64(w.WX[k*r.In+j]))
			}
			for j, v := range hb {
				fromH[k] += float64(float64(v) * float64(w.WH[k*h+j]))
			}
		}
		gates := s.gates[at*g:][:g]
		for j := range h {
			sum := func(gate int) float64 { return fromX[gate*h+j] + fromH[gate*h+j] }
			var out [4]float64
			switch r.Cell {
			case RNN:
				out[0] = exact.Tanh(sum(0))
				ha[j] = float32(out[0])
			case LSTM:
				out = [4]float64{sigmoid(sum(0)), sigmoid(sum(1)), exact.Tanh(sum(2)), sigmoid(sum(3))}
				c := float64(out[1]*float64(s.cell[at*h+j])) + float64(out[0]*out[2])
				s.cell[(at+n)*h+j] = float32(c)
				ha[j] = float32(out[3] * exact.Tanh(c))
			case GRU:
				out[0], out[1] = sigmoid(sum(0)), sigmoid(sum(1))
				out[2] = exact.Tanh(fromX[2*h+j] + float64(out[0]*fromH[2*h+j]))
				s.inner[at*h+j] = float32(fromH[2*h+j])
				ha[j] = float32(float64((1-out[1])*out[2]) + float64(out[1]*float64(hb[j])))
			}
			for k := range r.Cell.Gates() {
				gates[k*h+j] = float32(out[k])
			}
		}
	}
}
