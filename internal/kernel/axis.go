package kernel

import (
	"math"

	"github.com/deconvnet/viz/internal/exact"
)

// Axis says how an array is seen by what works along one of its axes: [Outer][Size][Inner],
// along the one in the middle. Inner is 1 for rows.
type Axis struct{ Outer, Size, Inner int }

func (x Axis) check(what string, dst, src []float32, out int) {
	if x.Outer < 0 || x.Size < 1 || x.Inner < 1 || len(src) < x.Outer*x.Size*x.Inner || len(dst) < out {
		panic("kernel: " + what + ": wrong lengths")
	}
}

// axisFloats is about the number of floats of a task along an axis.
const axisFloats = 8 << 10

// axisColumns is the number of columns that are worked on at a time.
const axisColumns = 64

// axis runs f over pieces: rows [lo, hi), or, where Inner is more than 1, blocks of at
// most axisColumns columns.
func (e *Engine) axis(x Axis, j *loopJob, f func(j *loopJob, lo, hi int)) {
	j.dim[0], j.dim[1] = x.Size, x.Inner
	if x.Inner == 1 {
		e.runLoop(j, x.Outer, max(1, axisFloats/x.Size), f)
		return
	}
	blocks := (x.Inner + axisColumns - 1) / axisColumns
	j.dim[2] = blocks
	e.runLoop(j, x.Outer*blocks, max(1, axisFloats/(x.Size*min(x.Inner, axisColumns))), f)
}

// columns returns where block i of columns begins in the array, and how many it has.
func (j *loopJob) columns(i int) (outer, at, n int) {
	size, inner, blocks := j.dim[0], j.dim[1], j.dim[2]
	outer = i / blocks
	c0 := i % blocks * axisColumns
	return outer, outer*size*inner + c0, min(axisColumns, inner-c0)
}

// SumAxis computes the sums along the axis times scale; dst is [Outer][Inner].
func (e *Engine) SumAxis(x Axis, scale float32, dst, src []float32) {
	x.check("SumAxis", dst, src, x.Outer*x.Inner)
	j := e.newLoop()
	j.s[0], j.s[1], j.k[0] = dst, src, scale
	if j.lv == refLevel {
		e.axis(x, j, refSumAxis)
		return
	}
	if x.Inner == 1 {
		e.axis(x, j, func(j *loopJob, lo, hi int) {
			size := j.dim[0]
			for r := lo; r < hi; r++ {
				j.s[0][r] = j.lv.vector.sum(&j.s[1][r*size], size) * j.k[0]
			}
		})
		return
	}
	e.axis(x, j, func(j *loopJob, lo, hi int) {
		size, inner := j.dim[0], j.dim[1]
		for i := lo; i < hi; i++ {
			outer, at, n := j.columns(i)
			d := j.s[0][outer*inner+at-outer*size*inner:][:n]
			j.lv.vector.columnSum(&d[0], &j.s[1][at], n, size, 4*inner)
			j.lv.vector.right[MulOp](&d[0], &d[0], n, j.k[0])
		}
	})
}

// NormAxis normalises along the axis: with mean and variance along it,
//
//	dst = (src - mean)/sqrt(variance + eps) * gamma + beta,
//
// gamma and beta by the place on the axis, or nil. Without centre the mean is left in,
// as in RMS normalisation. dst may be src.
func (e *Engine) NormAxis(x Axis, centre bool, eps float64, dst, src, gamma, beta []float32) {
	x.check("NormAxis", dst, src, x.Outer*x.Size*x.Inner)
	if gamma != nil && len(gamma) != x.Size || beta != nil && len(beta) != x.Size {
		panic("kernel: NormAxis: wrong number of scales")
	}
	j := e.newLoop()
	j.s[0], j.s[1] = dst, src
	j.flag, j.x[0] = centre, eps
	scratch := e.floats(2 * x.Size)
	if gamma == nil {
		gamma = scratch[:x.Size]
		for i := range gamma {
			gamma[i] = 1
		}
	}
	if beta == nil {
		beta = scratch[x.Size:]
		clear(beta)
	}
	j.s[2], j.s[3] = gamma, beta
	switch {
	case j.lv == refLevel:
		e.axis(x, j, refNormAxis)
	case x.Inner == 1:
		e.axis(x, j, normRows)
	default:
		e.axis(x, j, normColumns)
	}
	e.put(scratch)
}

func normRows(j *loopJob, lo, hi int) {
	size, v := j.dim[0], j.lv.vector
	for r := lo; r < hi; r++ {
		mean, scale := j.lv.moments(j.s[1][r*size:][:size], j.flag, j.x[0])
		v.norm(&j.s[0][r*size], &j.s[1][r*size], &j.s[2][0], &j.s[3][0], size, mean, scale)
	}
}

// moments returns what is taken from each number of a row, and what the rest is
// multiplied by.
func (lv *level) moments(x []float32, centre bool, eps float64) (mean, scale float32) {
	n := len(x)
	if centre {
		mean = float32(float64(lv.vector.sum(&x[0], n)) / float64(n))
	}
	square := float64(lv.vector.squares(&x[0], n, mean))
	return mean, float32(1 / math.Sqrt(square/float64(n)+eps))
}

func normColumns(j *loopJob, lo, hi int) {
	size, inner, v := j.dim[0], j.dim[1], j.lv.vector
	for i := lo; i < hi; i++ {
		_, at, n := j.columns(i)
		var mean, scale [axisColumns]float32
		src := &j.s[1][at]
		if j.flag {
			v.columnSum(&mean[0], src, n, size, 4*inner)
			for i := range mean[:n] {
				mean[i] = float32(float64(mean[i]) / float64(size))
			}
		}
		v.columnSquares(&scale[0], src, &mean[0], n, size, 4*inner)
		for i, s := range scale[:n] {
			scale[i] = float32(1 / math.Sqrt(float64(s)/float64(size)+j.x[0]))
		}
		v.columnNorm(&j.s[0][at], src, &mean[0], &scale[0], &j.s[2][0], &j.s[3][0], n, size, 4*inner)
	}
}

// GroupNorm normalises groups of channels of n images [c][hw], each by its own mean and
// variance: (src - mean)/sqrt(variance + eps)*gamma + beta, gamma and beta by channel.
// dst may be src.
func (e *Engine) GroupNorm(n, c, hw, groups int, eps float64, dst, src, gamma, beta []float32) {
	checkPlanes(n, c, hw, dst, src)
	checkChannels(c, gamma, beta)
	if groups < 1 || c%groups != 0 || hw < 1 {
		panic("kernel: GroupNorm: bad groups")
	}
	j := e.newLoop()
	j.s[0], j.s[1], j.s[2], j.s[3] = dst, src, gamma, beta
	j.dim[0], j.dim[1], j.dim[2], j.x[0] = c/groups, hw, groups, eps
	f := groupRows
	if j.lv == refLevel {
		f = refGroupNorm
	}
	e.runLoop(j, n*groups, max(1, axisFloats/(c/groups*hw)), f)
}

func groupRows(j *loopJob, lo, hi int) {
	per, hw, groups, v := j.dim[0], j.dim[1], j.dim[2], j.lv.vector
	for g := lo; g < hi; g++ {
		at := g * per * hw
		mean, scale := j.lv.moments(j.s[1][at:][:per*hw], true, j.x[0])
		for c := range per {
			k := g%groups*per + c
			a := scale * j.s[2][k]
			v.functions[Affine](&j.s[0][at+c*hw], &j.s[1][at+c*hw], hw, a, float32(float64(j.s[3][k])-float64(float64(mean)*float64(a))))
		}
	}
}

// SoftmaxAxis computes the softmax along the axis, or its logarithm. dst may not be src.
func (e *Engine) SoftmaxAxis(x Axis, log bool, dst, src []float32) {
	x.check("SoftmaxAxis", dst, src, x.Outer*x.Size*x.Inner)
	j := e.newLoop()
	j.s[0], j.s[1], j.flag = dst, src, log
	switch {
	case j.lv == refLevel:
		e.axis(x, j, refSoftmaxAxis)
	case x.Inner == 1:
		e.axis(x, j, softmaxRows)
	default:
		e.axis(x, j, softmaxColumns)
	}
}

func softmaxRows(j *loopJob, lo, hi int) {
	size, v := j.dim[0], j.lv.vector
	for r := lo; r < hi; r++ {
		dst, src := &j.s[0][r*size], &j.s[1][r*size]
		top := v.max(src, size)
		sum := v.expSum(dst, src, size, top)
		if !j.flag {
			v.right[MulOp](dst, dst, size, 1/sum)
			continue
		}
		v.right[SubOp](dst, src, size, top)
		v.right[SubOp](dst, dst, size, float32(exact.Log(float64(sum))))
	}
}

func softmaxColumns(j *loopJob, lo, hi int) {
	size, inner, v := j.dim[0], j.dim[1], j.lv.vector
	for i := lo; i < hi; i++ {
		_, at, n := j.columns(i)
		var top, sum, e [axisColumns]float32
		copy(top[:n], j.s[1][at:])
		for r := 1; r < size; r++ {
			v.maxRows(&top[0], &top[0], &j.s[1][at+r*inner], n)
		}
		for r := range size {
			d := &j.s[0][at+r*inner]
			v.rows[SubOp](d, &j.s[1][at+r*inner], &top[0], n)
			if j.flag {
				v.functions[Exp](&e[0], d, n, 0, 0)
				v.rows[AddOp](&sum[0], &sum[0], &e[0], n)
				continue
			}
			v.functions[Exp](d, d, n, 0, 0)
			v.rows[AddOp](&sum[0], &sum[0], d, n)
		}
		op := DivOp
		if j.flag {
			op = SubOp
			for i, s := range sum[:n] {
				sum[i] = float32(exact.Log(float64(s)))
			}
		}
		for r := range size {
			v.rows[op](&j.s[0][at+r*inner], &j.s[0][at+r*inner], &sum[0], n)
		}
	}
}

// NormAxisGrad takes a signal g through NormAxis at src: with v = g gamma and hat the
// normalised numbers,
//
//	dst = (v - mean of v - hat times the mean of v hat)/sqrt(variance + eps),
//
// the mean of v only if the mean is taken out. If the statistics are fixed, dst = v/sqrt(variance + eps).
// It sums in float64 on every level. dst may be g.
func (e *Engine) NormAxisGrad(x Axis, centre, fixed bool, eps float64, dst, g, src, gamma []float32) {
	x.check("NormAxisGrad", dst, src, x.Outer*x.Size*x.Inner)
	if len(g) < x.Outer*x.Size*x.Inner || gamma != nil && len(gamma) != x.Size {
		panic("kernel: NormAxisGrad: wrong lengths")
	}
	j := e.newLoop()
	j.s[0], j.s[1], j.s[2], j.s[3] = dst, src, g, gamma
	j.flag, j.x[0], j.x[1] = centre, eps, 0
	if fixed {
		j.x[1] = 1
	}
	e.axis(x, j, func(j *loopJob, lo, hi int) {
		for i := lo; i < hi; i++ {
			at, n := i*j.dim[0], 1
			if j.dim[1] > 1 {
				_, at, n = j.columns(i)
			}
			j.normGrad(at, n)
		}
	})
}

// normGrad computes n neighbouring columns, or a row, of NormAxisGrad.
func (j *loopJob) normGrad(at, n int) {
	size, inner := j.dim[0], j.dim[1]
	dst, src, g, gamma := j.s[0][at:], j.s[1][at:], j.s[2][at:], j.s[3]
	var mean, scale, sum, dot [axisColumns]float64
	rows := func(f func(k, p int, gamma float64)) {
		for k := range size {
			v := 1.0
			if gamma != nil {
				v = float64(gamma[k])
			}
			f(k, k*inner, v)
		}
	}
	count := float64(size)
	if j.flag {
		rows(func(_, p int, _ float64) {
			for c, v := range src[p : p+n] {
				mean[c] += float64(v)
			}
		})
		for c := range n {
			mean[c] /= count
		}
	}
	rows(func(_, p int, _ float64) {
		for c, v := range src[p : p+n] {
			d := float64(v) - mean[c]
			scale[c] += float64(d * d)
		}
	})
	for c := range n {
		scale[c] = 1 / math.Sqrt(scale[c]/count+j.x[0])
	}
	if j.x[1] == 0 {
		rows(func(_, p int, gamma float64) {
			for c, s := range g[p : p+n] {
				v := float64(float64(s) * gamma)
				sum[c] += v
				dot[c] += float64(v * (float64(src[p+c]) - mean[c]) * scale[c])
			}
		})
		for c := range n {
			sum[c], dot[c] = sum[c]/count, dot[c]/count
			if !j.flag {
				sum[c] = 0
			}
		}
	}
	rows(func(_, p int, gamma float64) {
		for c, s := range g[p : p+n] {
			hat := (float64(src[p+c]) - mean[c]) * scale[c]
			dst[p+c] = float32(scale[c] * (float64(float64(s)*gamma) - sum[c] - float64(hat*dot[c])))
		}
	})
}
