package kernel

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

// chunk is the number of elements a worker takes at a time in elementwise loops
// over n: 64 KiB of each slice, less where workers would have to wait. It is a
// multiple of every vector's length, so that no bit depends on it.
func (e *Engine) chunk(n int) int {
	const most, least, step = 16 << 10, 2 << 10, 1 << 10
	return min(most, max(least, (n/(2*e.Workers())+step-1)/step*step))
}

// whole returns how many of n elements an elementwise kernel takes, if there is
// one.
func (lv *level) whole(n int) int {
	if lv.block == 0 {
		return 0
	}
	return n / lv.block * lv.block
}

// ReLU computes dst = max(src, 0); NaN stays NaN. dst may be src.
func (e *Engine) ReLU(dst, src []float32) {
	if len(dst) != len(src) {
		panic("kernel: ReLU: lengths differ")
	}
	e.loop(len(src), e.chunk(len(src)), func(j *loopJob, lo, hi int) {
		d, s := j.s[0][lo:hi], j.s[1][lo:hi]
		if n := j.lv.whole(len(s)); n > 0 && j.lv.relu != nil {
			j.lv.relu(&d[0], &s[0], n)
			d, s = d[n:], s[n:]
		}
		for i, v := range s {
			d[i] = max(v, 0)
		}
	}, noScalars, dst, src)
}

var noScalars [7]float32

// ReLUGrad computes dx = dy where y > 0, else 0. dx may be dy.
func (e *Engine) ReLUGrad(dx, dy, y []float32) {
	if len(dx) != len(dy) || len(dx) != len(y) {
		panic("kernel: ReLUGrad: lengths differ")
	}
	e.loop(len(dx), e.chunk(len(dx)), func(j *loopJob, lo, hi int) {
		d, s, y := j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi]
		if n := j.lv.whole(len(s)); n > 0 && j.lv.reluGrad != nil {
			j.lv.reluGrad(&d[0], &s[0], &y[0], n)
			d, s, y = d[n:], s[n:], y[n:]
		}
		for i, v := range y {
			// Selecting bits instead of branching: signs are hard to predict.
			keep := uint32(0)
			if v > 0 {
				keep = ^keep
			}
			d[i] = math.Float32frombits(math.Float32bits(s[i]) & keep)
		}
	}, noScalars, dx, dy, y)
}

// Add computes dst = a + b; dst may be a or b.
func (e *Engine) Add(dst, a, b []float32) {
	if len(dst) != len(a) || len(dst) != len(b) {
		panic("kernel: Add: lengths differ")
	}
	e.loop(len(dst), e.chunk(len(dst)), func(j *loopJob, lo, hi int) {
		d, a, b := j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi]
		if n := j.lv.whole(len(d)); n > 0 && j.lv.add != nil {
			j.lv.add(&d[0], &a[0], &b[0], n)
			d, a, b = d[n:], a[n:], b[n:]
		}
		for i, v := range a {
			d[i] = v + b[i]
		}
	}, noScalars, dst, a, b)
}

// AddReLU computes dst = max(a + b, 0); NaN stays NaN. dst may be a or b.
func (e *Engine) AddReLU(dst, a, b []float32) {
	if len(dst) != len(a) || len(dst) != len(b) {
		panic("kernel: AddReLU: lengths differ")
	}
	e.loop(len(dst), e.chunk(len(dst)), func(j *loopJob, lo, hi int) {
		d, a, b := j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi]
		if n := j.lv.whole(len(d)); n > 0 && j.lv.addReLU != nil {
			j.lv.addReLU(&d[0], &a[0], &b[0], n)
			d, a, b = d[n:], a[n:], b[n:]
		}
		for i, v := range a {
			d[i] = max(v+b[i], 0)
		}
	}, noScalars, dst, a, b)
}

// ScaleShift computes dst[i][k] = src[i][k]*scale[k] + shift[k] over planes of
// hw values; src and dst are [n][c][hw] and may be the same.
func (e *Engine) ScaleShift(n, c, hw int, dst, src, scale, shift []float32) {
	if n < 0 || c < 0 || hw < 0 || len(dst) < n*c*hw || len(src) < n*c*hw || len(scale) != c || len(shift) != c {
		panic("kernel: ScaleShift: wrong lengths")
	}
	if hw == 0 {
		return
	}
	e.loop(n*c, max(1, e.chunk(n*c*hw)/hw), func(j *loopJob, lo, hi int) {
		hw := len(j.s[0]) / j.n
		c := len(j.s[2])
		for p := lo; p < hi; p++ {
			j.lv.scaleShiftPlane(j.s[0][p*hw:][:hw], j.s[1][p*hw:][:hw], j.s[2][p%c], j.s[3][p%c])
		}
	}, noScalars, dst[:n*c*hw], src, scale, shift)
}

// scaleShiftPlane computes d = s*scale + shift.
func (lv *level) scaleShiftPlane(d, s []float32, scale, shift float32) {
	if n := lv.whole(len(s)); n > 0 && lv.scaleShift != nil {
		lv.scaleShift(&d[0], &s[0], n, scale, shift)
		d, s = d[n:], s[n:]
	}
	for i, v := range s {
		d[i] = float32(v*scale) + shift
	}
}

// Softmax computes dst[i][j] = exp(src[i][j]) / sum over j of exp(src[i][j]);
// src and dst are [rows][cols] and may be the same.
func (e *Engine) Softmax(rows, cols int, dst, src []float32) {
	if rows < 0 || cols < 0 || len(dst) < rows*cols || len(src) < rows*cols {
		panic("kernel: Softmax: wrong lengths")
	}
	j := e.newLoop()
	j.s[0], j.s[1], j.dim[0] = dst, src, cols
	e.runLoop(j, rows, 1, func(j *loopJob, i, _ int) {
		cols := j.dim[0]
		refSoftmax(j.s[0][i*cols:][:cols], j.s[1][i*cols:][:cols])
	})
}

// SoftmaxCrossEntropy returns the mean over the rows of -log softmax(logits)
// at the row's label and stores its gradient, (softmax - onehot)/rows, in
// dlogits. logits and dlogits are [rows][cols] and may be the same; dlogits may
// be nil. A label outside [0, cols) panics.
func SoftmaxCrossEntropy(rows, cols int, dlogits, logits []float32, labels []int32) float64 {
	if rows < 1 || cols < 1 || len(logits) < rows*cols || dlogits != nil && len(dlogits) < rows*cols || len(labels) < rows {
		panic("kernel: SoftmaxCrossEntropy: wrong lengths")
	}
	loss := 0.0
	for i := range rows {
		l := int(labels[i])
		if l < 0 || l >= cols {
			panic("kernel: SoftmaxCrossEntropy: label out of range")
		}
		row := logits[i*cols:][:cols]
		m := math.Inf(-1)
		for _, v := range row {
			m = max(m, float64(v))
		}
		sum := 0.0
		for _, v := range row {
			sum += exact.Exp(float64(v) - m)
		}
		loss += exact.Log(sum) + m - float64(row[l])
		if dlogits == nil {
			continue
		}
		d := dlogits[i*cols:][:cols]
		for j, v := range row {
			p := exact.Exp(float64(v)-m) / sum
			if j == l {
				p--
			}
			d[j] = float32(p / float64(rows))
		}
	}
	return loss / float64(rows)
}

// copyBox copies rows x n values between planes of the given pitches.
func (lv *level) copyBox(dst []float32, dstPitch int, src []float32, srcPitch, rows, n int) {
	if rows <= 0 || n <= 0 {
		return
	}
	if lv.copyRows != nil && n < 256 {
		_, _ = dst[(rows-1)*dstPitch+n-1], src[(rows-1)*srcPitch+n-1]
		lv.copyRows(&dst[0], &src[0], rows, n, 4*dstPitch, 4*srcPitch)
		return
	}
	for y := range rows {
		copy(dst[y*dstPitch:][:n], src[y*srcPitch:])
	}
}
