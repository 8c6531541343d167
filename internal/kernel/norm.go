package kernel

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

// checkPlanes panics unless every slice holds n*c*hw values.
func checkPlanes(n, c, hw int, slices ...[]float32) {
	if n < 0 || c < 1 || hw < 0 {
		panic("kernel: negative size")
	}
	for _, s := range slices {
		if len(s) < n*c*hw {
			panic("kernel: slice is shorter than n*c*hw")
		}
	}
}

func checkChannels(c int, slices ...[]float32) {
	for _, s := range slices {
		if len(s) != c {
			panic("kernel: slice does not have one value per channel")
		}
	}
}

// LRN is local response normalisation across channels,
//
//	dst[c] = src[c] / (bias + alpha/size * sum over c' of src[c']^2)^beta,
//
// c' from c-(size-1)/2 to c-(size-1)/2+size-1 where they exist. dst and src are
// [n][c][hw] and must not overlap.
func (e *Engine) LRN(n, c, hw int, dst, src []float32, size int, alpha, beta, bias float64) {
	checkPlanes(n, c, hw, dst, src)
	if size < 1 {
		panic("kernel: LRN: bad size")
	}
	j := e.newLoop()
	j.s[0], j.s[1] = dst, src
	j.x = [3]float64{alpha, beta, bias}
	j.dim = [6]int{c, hw, size}
	if j.lv != refLevel && (j.lv.lrn == nil || beta != 0.75) {
		e.runLoop(j, n*c, 1, func(j *loopJob, i, _ int) { lrnPower(i, j) })
		return
	}
	if j.lv == refLevel {
		e.runLoop(j, n*hw, 64, func(j *loopJob, lo, hi int) {
			c, hw := j.dim[0], j.dim[1]
			for p := lo; p < hi; p++ {
				at := p / hw * c * hw
				refLRN(c, hw, p%hw, j.s[0][at:], j.s[1][at:], j.dim[2], j.x[0], j.x[1], j.x[2])
			}
		})
		return
	}
	e.runLoop(j, n*c, 1, func(j *loopJob, i, _ int) { j.lv.lrnPlane(i, j) })
}

// lrnPlane computes plane i for exponent 3/4.
func (lv *level) lrnPlane(i int, j *loopJob) {
	c, hw, size := j.dim[0], j.dim[1], j.dim[2]
	alpha, bias := j.x[0], j.x[2]
	dst, src := j.s[0], j.s[1]
	whole := hw / lv.lanes * lv.lanes
	k := i % c
	lo, hi := lrnWindow(k, c, size)
	first := (i - k + lo) * hw
	if whole > 0 {
		lv.lrn(&dst[i*hw], &src[i*hw], &src[first], whole, 4*hw, hi-lo, float32(alpha/float64(size)), float32(bias))
	}
	if tail := hw - whole; tail > 0 {
		// The same arithmetic for the rest, so that a value does not depend on where in
		// its plane it lies.
		rows := make([]float32, (hi-lo+2)*lv.lanes)
		out, mid, win := rows[:lv.lanes], rows[lv.lanes:2*lv.lanes], rows[2*lv.lanes:]
		copy(mid, src[i*hw+whole:][:tail])
		for j := range hi - lo {
			copy(win[j*lv.lanes:], src[first+j*hw+whole:][:tail])
		}
		lv.lrn(&out[0], &mid[0], &win[0], lv.lanes, 4*lv.lanes, hi-lo, float32(alpha/float64(size)), float32(bias))
		copy(dst[i*hw+whole:][:tail], out)
	}
}

// lrnPower computes plane i for any exponent.
func lrnPower(i int, j *loopJob) {
	c, hw, size := j.dim[0], j.dim[1], j.dim[2]
	scale, beta, bias := j.x[0]/float64(size), j.x[1], j.x[2]
	dst, src := j.s[0], j.s[1]
	k := i % c
	lo, hi := lrnWindow(k, c, size)
	var sums [64]float64
	for p0 := 0; p0 < hw; p0 += len(sums) {
		sum := sums[:min(len(sums), hw-p0)]
		clear(sum)
		for ch := lo; ch < hi; ch++ {
			for p, v := range src[(i-k+ch)*hw+p0:][:len(sum)] {
				sum[p] += float64(float64(v) * float64(v))
			}
		}
		out := dst[i*hw+p0:][:len(sum)]
		for p, v := range src[i*hw+p0:][:len(sum)] {
			out[p] = float32(float64(v) * power(bias+float64(scale*sum[p]), -beta))
		}
	}
}

// power is x to the power y with a relative error below 1e-9 where the result is a
// float32: 2^(y log2 x), by the series of atanh and of 2^f.
func power(x, y float64) float64 {
	if !(x > 1e-30 && x < 1e30) {
		return exact.Pow(x, y)
	}
	const root = 0x3FE6A09E667F3BCD // of 1/2
	b := math.Float64bits(x)
	e := int64(b-root) >> 52
	m := math.Float64frombits(b - uint64(e)<<52) // in [sqrt(1/2), sqrt(2))
	t := (m - 1) / (m + 1)
	u := t * t
	p := float64(1.0 / 13)
	for _, c := range [...]float64{1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1} {
		p = c + float64(p*u)
	}
	z := float64(y * (float64(e) + float64(float64(t*p)*(2*math.Log2E))))
	if !(z > -1000 && z < 1000) {
		return exact.Pow(x, y)
	}
	n := math.Floor(z + 0.5)
	f := (z - n) * math.Ln2
	q := float64(1.0 / 362880)
	for _, c := range [...]float64{1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1} {
		q = c + float64(q*f)
	}
	return q * math.Float64frombits(uint64(1023+int64(n))<<52)
}

// LRNGrad is the gradient of LRN: dx from dy and the layer's input x, all
// [n][c][hw]. dx must not overlap the others.
func (e *Engine) LRNGrad(n, c, hw int, dx, dy, x []float32, size int, alpha, beta, bias float64) {
	checkPlanes(n, c, hw, dx, dy, x)
	if size < 1 {
		panic("kernel: LRNGrad: bad size")
	}
	e.pool.For(n, func(i, worker int) {
		o, d, s := dx[i*c*hw:][:c*hw], dy[i*c*hw:][:c*hw], x[i*c*hw:][:c*hw]
		for p := range hw {
			refLRNGrad(c, hw, p, o, d, s, size, alpha, beta, bias)
		}
	})
}

// BatchNormTrain normalises each channel by its statistics in the batch:
//
//	y = (x - mean)*invstd*gamma + beta,  invstd = 1/sqrt(var + eps),
//
// with mean and (biased) variance over images and positions. x and y are
// [n][c][hw], gamma and beta are [c]; mean and invstd, [c], are overwritten.
// The variance is 1/invstd^2 - eps. y may be x.
func (e *Engine) BatchNormTrain(n, c, hw int, y, x, gamma, beta, mean, invstd []float32, eps float64) {
	checkPlanes(n, c, hw, y, x)
	checkChannels(c, gamma, beta, mean, invstd)
	lv := current()
	e.pool.For(c, func(k, worker int) {
		if lv != refLevel && n*hw > 0 {
			lv.batchNormTrain(k, n, c, hw, y, x, gamma, beta, mean, invstd, eps)
			return
		}
		refBatchNormTrain(k, n, c, hw, y, x, gamma, beta, mean, invstd, eps)
	})
}

// BatchNormGrad is the gradient of BatchNormTrain, through the statistics too:
//
//	dbeta = sum dy,  dgamma = sum dy*xh,  xh = (x - mean)*invstd,
//	dx = gamma*invstd*(dy - dbeta/m - xh*dgamma/m),  m = n*hw.
//
// dx, dy, x are [n][c][hw], the others [c]; dx, dgamma and dbeta are
// overwritten. dx may be dy.
func (e *Engine) BatchNormGrad(n, c, hw int, dx, dgamma, dbeta, dy, x, gamma, mean, invstd []float32) {
	checkPlanes(n, c, hw, dx, dy, x)
	checkChannels(c, dgamma, dbeta, gamma, mean, invstd)
	lv := current()
	e.pool.For(c, func(k, worker int) {
		if lv != refLevel && n*hw > 0 {
			lv.batchNormGrad(k, n, c, hw, dx, dgamma, dbeta, dy, x, gamma, mean, invstd)
			return
		}
		refBatchNormGrad(k, n, c, hw, dx, dgamma, dbeta, dy, x, gamma, mean, invstd)
	})
}

// batchNormTrain computes channel k. Planes are summed in float32 partial sums,
// the planes of a batch in float64.
func (lv *level) batchNormTrain(k, n, c, hw int, y, x, gamma, beta, mean, invstd []float32, eps float64) {
	sum := 0.0
	for i := range n {
		sum += float64(lv.sumOf(x[(i*c+k)*hw:][:hw]))
	}
	m := float32(sum / float64(n*hw))
	sum = 0
	for i := range n {
		s := x[(i*c+k)*hw:][:hw]
		if w := lv.whole(hw); w > 0 && lv.sumSquares != nil {
			sum += float64(lv.sumSquares(&s[0], w, m))
			s = s[w:]
		}
		for _, v := range s {
			sum += float64((v - m) * (v - m))
		}
	}
	is := 1 / math.Sqrt(sum/float64(n*hw)+eps)
	mean[k], invstd[k] = m, float32(is)
	scale := is * float64(gamma[k])
	shift := float64(beta[k]) - float64(float64(m)*scale)
	for i := range n {
		lv.scaleShiftPlane(y[(i*c+k)*hw:][:hw], x[(i*c+k)*hw:][:hw], float32(scale), float32(shift))
	}
}

// batchNormGrad computes channel k; dx is a combination of dy, x and 1.
func (lv *level) batchNormGrad(k, n, c, hw int, dx, dgamma, dbeta, dy, x, gamma, mean, invstd []float32) {
	m, is := mean[k], float64(invstd[k])
	db, dg := 0.0, 0.0
	for i := range n {
		s, d := x[(i*c+k)*hw:][:hw], dy[(i*c+k)*hw:][:hw]
		if w := lv.whole(hw); w > 0 && lv.sumProducts != nil {
			a, b := lv.sumProducts(&d[0], &s[0], w, m)
			db += float64(a)
			dg += float64(b)
			s, d = s[w:], d[w:]
		}
		for j, v := range d {
			db += float64(v)
			dg += float64(v * (s[j] - m))
		}
	}
	dg *= is
	dbeta[k], dgamma[k] = float32(db), float32(dg)
	total := float64(n * hw)
	kd := float64(gamma[k]) * is
	kx := -kd * dg / total * is
	shift := -kd*db/total - float64(kx*float64(m))
	for i := range n {
		o, d, s := dx[(i*c+k)*hw:][:hw], dy[(i*c+k)*hw:][:hw], x[(i*c+k)*hw:][:hw]
		if w := lv.whole(hw); w > 0 && lv.blend != nil {
			lv.blend(&o[0], &d[0], &s[0], w, float32(kd), float32(kx), float32(shift))
			o, d, s = o[w:], d[w:], s[w:]
		}
		for j, v := range d {
			o[j] = float32(v*float32(kd)) + float32(s[j]*float32(kx)) + float32(shift)
		}
	}
}
