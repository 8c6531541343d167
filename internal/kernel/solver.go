package kernel

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

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
	e.loop(len(w), e.chunk(len(w)), func(j *loopJob, lo, hi int) {
		w, g, lr := j.s[0][lo:hi], j.s[1][lo:hi], j.k[0]
		if n := j.lv.whole(len(w)); n > 0 && j.lv.sgd != nil {
			j.lv.sgd(&w[0], &g[0], n, lr)
			w, g = w[n:], g[n:]
		}
		for i, d := range g {
			w[i] -= float32(lr * d)
		}
	}, [7]float32{lr}, w, g)
}

// Momentum updates v = mu*v + g; w -= lr*v.
func (e *Engine) Momentum(w, v, g []float32, lr, mu float32) {
	checkSame(w, v, g)
	e.loop(len(w), e.chunk(len(w)), func(j *loopJob, lo, hi int) {
		w, v, g, lr, mu := j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi], j.k[0], j.k[1]
		if n := j.lv.whole(len(w)); n > 0 && j.lv.momentum != nil {
			j.lv.momentum(&w[0], &v[0], &g[0], n, lr, mu)
			w, v, g = w[n:], v[n:], g[n:]
		}
		for i, d := range g {
			v[i] = float32(mu*v[i]) + d
			w[i] -= float32(lr * v[i])
		}
	}, [7]float32{lr, mu}, w, v, g)
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
	step := float32(float64(lr) / (1 - exact.Pow(float64(b1), float64(t))))
	root := float32(1 / math.Sqrt(1-exact.Pow(float64(b2), float64(t))))
	e.loop(len(w), e.chunk(len(w)), func(j *loopJob, lo, hi int) {
		w, m, v, g := j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi], j.s[3][lo:hi]
		b1, c1, b2, c2, step, root, eps := j.k[0], j.k[1], j.k[2], j.k[3], j.k[4], j.k[5], j.k[6]
		if n := j.lv.whole(len(w)); n > 0 && j.lv.adam != nil {
			j.lv.adam(&w[0], &m[0], &v[0], &g[0], n, b1, c1, b2, c2, step, root, eps)
			w, m, v, g = w[n:], m[n:], v[n:], g[n:]
		}
		for i, d := range g {
			m[i] = float32(b1*m[i]) + float32(c1*d)
			v[i] = float32(b2*v[i]) + float32(float32(c2*d)*d)
			w[i] -= float32(step*m[i]) / (float32(sqrt(v[i])*root) + eps)
		}
	}, [7]float32{b1, 1 - b1, b2, 1 - b2, step, root, eps}, w, m, v, g)
}

// RMSProp updates s = decay*s + (1-decay)*g*g; w -= lr*g/sqrt(s + eps).
func (e *Engine) RMSProp(w, s, g []float32, lr, decay, eps float32) {
	checkSame(w, s, g)
	e.loop(len(w), e.chunk(len(w)), func(j *loopJob, lo, hi int) {
		w, s, g := j.s[0][lo:hi], j.s[1][lo:hi], j.s[2][lo:hi]
		lr, decay, c, eps := j.k[0], j.k[1], j.k[2], j.k[3]
		if n := j.lv.whole(len(w)); n > 0 && j.lv.rmsprop != nil {
			j.lv.rmsprop(&w[0], &s[0], &g[0], n, lr, decay, c, eps)
			w, s, g = w[n:], s[n:], g[n:]
		}
		for i, d := range g {
			s[i] = float32(decay*s[i]) + float32(float32(c*d)*d)
			w[i] -= float32(lr*d) / sqrt(s[i]+eps)
		}
	}, [7]float32{lr, decay, 1 - decay, eps}, w, s, g)
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
