package kernel

import "math"

func checkSame(w []float32, others ...[]float32) {
	for _, s := range others {
		if len(s) != len(w) {
			panic("kernel: solver: lengths differ")
		}
	}
}

// SGD updates w -= lr*g.
func (e *Engine) SGD(w, g []float32, lr float32) {
	checkSame(w, g)
	e.chunks(len(w), chunk, func(lo, hi int) {
		w, g := w[lo:hi], g[lo:hi]
		for i, d := range g {
			w[i] -= float32(lr * d)
		}
	})
}

// Momentum updates v = mu*v + g; w -= lr*v.
func (e *Engine) Momentum(w, v, g []float32, lr, mu float32) {
	checkSame(w, v, g)
	e.chunks(len(w), chunk, func(lo, hi int) {
		w, v, g := w[lo:hi], v[lo:hi], g[lo:hi]
		for i, d := range g {
			v[i] = float32(mu*v[i]) + d
			w[i] -= float32(lr * v[i])
		}
	})
}

// Adam updates m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g*g;
// w -= lr*(m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps). Steps t count from 1.
//
// [kingma15] Kingma and Ba, Adam: a method for stochastic optimization, 2015,
// algorithm 1.
func (e *Engine) Adam(w, m, v, g []float32, lr, b1, b2, eps float32, t int) {
	checkSame(w, m, v, g)
	if t < 1 {
		panic("kernel: Adam: steps count from 1")
	}
	step := float32(float64(lr) / (1 - math.Pow(float64(b1), float64(t))))
	root := float32(1 / math.Sqrt(1-math.Pow(float64(b2), float64(t))))
	e.chunks(len(w), chunk, func(lo, hi int) {
		w, m, v, g := w[lo:hi], m[lo:hi], v[lo:hi], g[lo:hi]
		for i, d := range g {
			m[i] = float32(b1*m[i]) + float32((1-b1)*d)
			v[i] = float32(b2*v[i]) + float32(float32((1-b2)*d)*d)
			w[i] -= float32(step*m[i]) / (float32(sqrt(v[i])*root) + eps)
		}
	})
}

// RMSProp updates s = decay*s + (1-decay)*g*g; w -= lr*g/sqrt(s + eps).
func (e *Engine) RMSProp(w, s, g []float32, lr, decay, eps float32) {
	checkSame(w, s, g)
	e.chunks(len(w), chunk, func(lo, hi int) {
		w, s, g := w[lo:hi], s[lo:hi], g[lo:hi]
		for i, d := range g {
			s[i] = float32(decay*s[i]) + float32(float32((1-decay)*d)*d)
			w[i] -= float32(lr*d) / sqrt(s[i]+eps)
		}
	})
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
