package kernel

import "math"

// chunk is the number of elements a worker takes at a time in elementwise
// loops: 64 KiB of each slice.
const chunk = 16 << 10

// ReLU computes dst = max(src, 0); NaN stays NaN. dst may be src.
func (e *Engine) ReLU(dst, src []float32) {
	if len(dst) != len(src) {
		panic("kernel: ReLU: lengths differ")
	}
	e.chunks(len(src), chunk, func(lo, hi int) {
		s := src[lo:hi]
		d := dst[lo:hi]
		for i, v := range s {
			d[i] = max(v, 0)
		}
	})
}

// ReLUGrad computes dx = dy where y > 0, else 0. dx may be dy.
func (e *Engine) ReLUGrad(dx, dy, y []float32) {
	if len(dx) != len(dy) || len(dx) != len(y) {
		panic("kernel: ReLUGrad: lengths differ")
	}
	e.chunks(len(dx), chunk, func(lo, hi int) {
		d, s, y := dx[lo:hi], dy[lo:hi], y[lo:hi]
		for i, v := range y {
			bits := uint32(0)
			if v > 0 {
				bits = math.Float32bits(s[i])
			}
			d[i] = math.Float32frombits(bits)
		}
	})
}

// Add computes dst = a + b; dst may be a or b.
func (e *Engine) Add(dst, a, b []float32) {
	if len(dst) != len(a) || len(dst) != len(b) {
		panic("kernel: Add: lengths differ")
	}
	e.chunks(len(dst), chunk, func(lo, hi int) {
		d, a, b := dst[lo:hi], a[lo:hi], b[lo:hi]
		for i, v := range a {
			d[i] = v + b[i]
		}
	})
}

// ScaleShift computes dst[i][k] = src[i][k]*scale[k] + shift[k] over planes of
// hw values; src and dst are [n][c][hw] and may be the same.
func (e *Engine) ScaleShift(n, c, hw int, dst, src, scale, shift []float32) {
	if n < 0 || c < 0 || hw < 0 || len(dst) < n*c*hw || len(src) < n*c*hw || len(scale) != c || len(shift) != c {
		panic("kernel: ScaleShift: wrong lengths")
	}
	e.pool.For(n*c, func(p, worker int) {
		a, b := scale[p%c], shift[p%c]
		d := dst[p*hw:][:hw]
		for j, v := range src[p*hw:][:hw] {
			d[j] = float32(v*a) + b
		}
	})
}

// Softmax computes dst[i][j] = exp(src[i][j]) / sum over j of exp(src[i][j]);
// src and dst are [rows][cols] and may be the same.
func (e *Engine) Softmax(rows, cols int, dst, src []float32) {
	if rows < 0 || cols < 0 || len(dst) < rows*cols || len(src) < rows*cols {
		panic("kernel: Softmax: wrong lengths")
	}
	e.pool.For(rows, func(i, worker int) { refSoftmax(dst[i*cols:][:cols], src[i*cols:][:cols]) })
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
			sum += math.Exp(float64(v) - m)
		}
		loss += math.Log(sum) + m - float64(row[l])
		if dlogits == nil {
			continue
		}
		d := dlogits[i*cols:][:cols]
		for j, v := range row {
			p := math.Exp(float64(v)-m) / sum
			if j == l {
				p--
			}
			d[j] = float32(p / float64(rows))
		}
	}
	return loss / float64(rows)
}
