package kernel

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

// eachRow calls f for each row along the axis of rows or blocks of columns [lo, hi), with
// the place of its first number and the step to the next.
func (j *loopJob) eachRow(lo, hi int, f func(at, step, out int)) {
	size, inner := j.dim[0], j.dim[1]
	for i := lo; i < hi; i++ {
		if inner == 1 {
			f(i*size, 1, i)
			continue
		}
		outer, at, n := j.columns(i)
		for c := range n {
			f(at+c, inner, at+c-outer*(size-1)*inner)
		}
	}
}

func refSumAxis(j *loopJob, lo, hi int) {
	j.eachRow(lo, hi, func(at, step, out int) {
		sum := 0.0
		for k := range j.dim[0] {
			sum += float64(j.s[1][at+k*step])
		}
		j.s[0][out] = float32(sum * float64(j.k[0]))
	})
}

// refMoments are mean and 1/sqrt(variance+eps) of a row.
func refMoments(x []float32, at, step, n int, centre bool, eps float64) (mean, scale float64) {
	for k := range n {
		if centre {
			mean += float64(x[at+k*step]) / float64(n)
		}
	}
	for k := range n {
		d := float64(x[at+k*step]) - mean
		scale += float64(d * d)
	}
	return mean, 1 / math.Sqrt(scale/float64(n)+eps)
}

func refNormAxis(j *loopJob, lo, hi int) {
	j.eachRow(lo, hi, func(at, step, _ int) {
		mean, scale := refMoments(j.s[1], at, step, j.dim[0], j.flag, j.x[0])
		for k := range j.dim[0] {
			p := at + k*step
			j.s[0][p] = float32(float64((float64(j.s[1][p])-mean)*scale*float64(j.s[2][k])) + float64(j.s[3][k]))
		}
	})
}

func refGroupNorm(j *loopJob, lo, hi int) {
	per, hw, groups := j.dim[0], j.dim[1], j.dim[2]
	for g := lo; g < hi; g++ {
		at := g * per * hw
		mean, scale := refMoments(j.s[1], at, 1, per*hw, true, j.x[0])
		for i := range per * hw {
			k := g%groups*per + i/hw
			j.s[0][at+i] = float32(float64((float64(j.s[1][at+i])-mean)*scale*float64(j.s[2][k])) + float64(j.s[3][k]))
		}
	}
}

func refSoftmaxAxis(j *loopJob, lo, hi int) {
	j.eachRow(lo, hi, func(at, step, _ int) {
		top, sum := float32(math.Inf(-1)), 0.0
		for k := range j.dim[0] {
			top = max(top, j.s[1][at+k*step])
		}
		for k := range j.dim[0] {
			sum += exact.Exp(float64(j.s[1][at+k*step]) - float64(top))
		}
		for k := range j.dim[0] {
			v := float64(j.s[1][at+k*step]) - float64(top)
			if j.flag {
				v -= exact.Log(sum)
			} else {
				v = exact.Exp(v) / sum
			}
			j.s[0][at+k*step] = float32(v)
		}
	})
}

// refTapsAxis makes rows [lo, hi) of TapsAxis.
func refTapsAxis(j *loopJob, lo, hi int) {
	t, size, inner, to := j.taps, j.dim[0], j.dim[1], j.dim[2]
	for i := lo; i < hi; i++ {
		for c := range inner {
			sum := float32(0)
			for k := i % to * t.Count; k < (i%to+1)*t.Count; k++ {
				v := t.Fill
				if t.Index[k] >= 0 {
					v = j.s[1][(i/to*size+t.Index[k])*inner+c]
				}
				if t.Weight != nil {
					v = float32(v * t.Weight[k])
				}
				if t.Count == 1 {
					sum = v
				} else {
					sum += v
				}
			}
			j.s[0][i*inner+c] = sum
		}
	}
}
