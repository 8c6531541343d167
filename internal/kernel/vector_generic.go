package kernel

import (
	"unsafe"

	"github.com/deconvnet/viz/internal/exact"
)

// genericVector are the vector kernels in plain Go. Its functions are computed in
// float64; products are rounded before they are added.
var genericVector = &vectorOps{
	functions: genericFunctions(),
	slopes:    genericSlopes(),
	mulKept:   mulKeptGeneric,
	rows: [arithCount]func(dst, a, b *float32, n int){
		genericRows(addGeneric), genericRows(subGeneric), genericRows(mulGeneric), genericRows(divGeneric)},
	right: [arithCount]func(dst, a *float32, n int, b float32){
		genericRight(addGeneric), genericRight(subGeneric), genericRight(mulGeneric), genericRight(divGeneric)},
	left: [arithCount]func(dst, b *float32, n int, a float32){
		genericLeft(addGeneric), genericLeft(subGeneric), genericLeft(mulGeneric), genericLeft(divGeneric)},
	maxRows:       maxRowsGeneric,
	fmaRows:       fmaRowsGeneric,
	fmaRow:        fmaRowGeneric,
	sumTwo:        sumTwoGeneric,
	sum:           rowSumGeneric,
	squares:       rowSquaresGeneric,
	max:           rowMaxGeneric,
	expSum:        expSumGeneric,
	norm:          normRowGeneric,
	columnSum:     columnSumGeneric,
	columnSquares: columnSquaresGeneric,
	columnNorm:    columnNormGeneric,
	weave:         weaveGeneric,
	weaveSums:     weaveSumsGeneric,
	means:         [3]func(dst, src *float32, n, kh, kw, pitch int, scale float64){1: meansGeneric(1), 2: meansGeneric(2)},
}

// row returns the n floats at p.
func row(p *float32, n int) []float32 { return unsafe.Slice(p, n) }

func genericFunctions() (f [funcCount]func(dst, src *float32, n int, a, b float32)) {
	for i := range f {
		f[i] = func(dst, src *float32, n int, a, b float32) {
			f, d := Function{Func(i), a, b}, row(dst, n)
			for i, v := range row(src, n) {
				d[i] = float32(refFunction(f, float64(v)))
			}
		}
	}
	return f
}

func genericSlopes() (f [funcCount]func(dst, g, src *float32, n int, a, b float32)) {
	for i, has := range refSlopes {
		if has {
			f[i] = func(dst, g, src *float32, n int, a, b float32) {
				f, d, s := Function{Func(i), a, b}, row(dst, n), row(src, n)
				for i, v := range row(g, n) {
					d[i] = refSlope(f, v, float64(s[i]))
				}
			}
		}
	}
	return f
}

func addGeneric(a, b float32) float32 { return a + b }
func subGeneric(a, b float32) float32 { return a - b }
func mulGeneric(a, b float32) float32 { return a * b }
func divGeneric(a, b float32) float32 { return a / b }

func genericRows(op func(a, b float32) float32) func(dst, a, b *float32, n int) {
	return func(dst, a, b *float32, n int) {
		d, y := row(dst, n), row(b, n)
		for i, v := range row(a, n) {
			d[i] = op(v, y[i])
		}
	}
}

func genericRight(op func(a, b float32) float32) func(dst, a *float32, n int, b float32) {
	return func(dst, a *float32, n int, b float32) {
		d := row(dst, n)
		for i, v := range row(a, n) {
			d[i] = op(v, b)
		}
	}
}

func genericLeft(op func(a, b float32) float32) func(dst, b *float32, n int, a float32) {
	return func(dst, b *float32, n int, a float32) {
		d := row(dst, n)
		for i, v := range row(b, n) {
			d[i] = op(a, v)
		}
	}
}

func maxRowsGeneric(dst, a, b *float32, n int) {
	d, y := row(dst, n), row(b, n)
	for i, v := range row(a, n) {
		if !(v > y[i]) {
			v = y[i]
		}
		d[i] = v
	}
}

func fmaRowsGeneric(dst, acc, a, b *float32, n int) {
	d, c, y := row(dst, n), row(acc, n), row(b, n)
	for i, v := range row(a, n) {
		d[i] = c[i] + float32(v*y[i])
	}
}

func fmaRowGeneric(dst, acc, a *float32, n int, b float32) {
	d, c := row(dst, n), row(acc, n)
	for i, v := range row(a, n) {
		d[i] = c[i] + float32(v*b)
	}
}

func mulKeptGeneric(dst, g, slopes *float32, n int) {
	d, s := row(dst, n), row(slopes, n)
	for i, v := range row(g, n) {
		if v != 0 {
			v *= s[i]
		} else {
			v = 0
		}
		d[i] = v
	}
}

func sumTwoGeneric(dst, a, b *float32, n int, from, wa, wb float32) {
	d, y := row(dst, n), row(b, n)
	for i, v := range row(a, n) {
		d[i] = from + float32(v*wa) + float32(y[i]*wb)
	}
}

func weaveGeneric(dst, even, odd *float32, n int) {
	d, a, b := row(dst, 2*n), row(even, n), row(odd, n)
	for i, v := range a {
		d[2*i], d[2*i+1] = v, b[i]
	}
}

func weaveSumsGeneric(dst, a, b, c, d *float32, n int, wa, wb, wc, wd float32) {
	to, va, vb, vc, vd := row(dst, 2*n), row(a, n), row(b, n), row(c, n), row(d, n)
	for i, v := range va {
		to[2*i] = 0 + float32(v*wa) + float32(vb[i]*wb)
		to[2*i+1] = 0 + float32(vc[i]*wc) + float32(vd[i]*wd)
	}
}

func rowSumGeneric(x *float32, n int) float32 {
	sum := 0.0
	for _, v := range row(x, n) {
		sum += float64(v)
	}
	return float32(sum)
}

func rowSquaresGeneric(x *float32, n int, mean float32) float32 {
	sum := 0.0
	for _, v := range row(x, n) {
		d := float64(v - mean)
		sum += float64(d * d)
	}
	return float32(sum)
}

func rowMaxGeneric(x *float32, n int) float32 {
	m := *x
	for _, v := range row(x, n) {
		m = max(m, v)
	}
	return m
}

func expSumGeneric(dst, src *float32, n int, shift float32) float32 {
	d, sum := row(dst, n), 0.0
	for i, v := range row(src, n) {
		e := exact.Exp(float64(v - shift))
		d[i] = float32(e)
		sum += e
	}
	return float32(sum)
}

func normRowGeneric(dst, src, gamma, beta *float32, n int, mean, scale float32) {
	d, g, b := row(dst, n), row(gamma, n), row(beta, n)
	for i, v := range row(src, n) {
		d[i] = float32((v-mean)*scale*g[i]) + b[i]
	}
}

func columnSumGeneric(dst, src *float32, n, rows, stride int) {
	d := row(dst, n)
	for i := range d {
		sum := 0.0
		for r := range rows {
			sum += float64(*at(src, r*stride+4*i))
		}
		d[i] = float32(sum)
	}
}

func columnSquaresGeneric(dst, src, mean *float32, n, rows, stride int) {
	d, m := row(dst, n), row(mean, n)
	for i := range d {
		sum := 0.0
		for r := range rows {
			v := float64(*at(src, r*stride+4*i) - m[i])
			sum += float64(v * v)
		}
		d[i] = float32(sum)
	}
}

func columnNormGeneric(dst, src, mean, scale, gamma, beta *float32, n, rows, stride int) {
	m, s, g, b := row(mean, n), row(scale, n), row(gamma, rows), row(beta, rows)
	for r := range rows {
		d := row(at(dst, r*stride), n)
		for i, v := range row(at(src, r*stride), n) {
			d[i] = float32((v-m[i])*s[i]*g[r]) + b[r]
		}
	}
}

func meansGeneric(step int) func(dst, src *float32, n, kh, kw, pitch int, scale float64) {
	return func(dst, src *float32, n, kh, kw, pitch int, scale float64) {
		s := row(src, (kh-1)*pitch/4+(n-1)*step+kw)
		for i, d := 0, row(dst, n); i < n; i++ {
			sum := 0.0
			for y := range kh {
				for _, v := range s[y*pitch/4+i*step:][:kw] {
					sum += float64(v)
				}
			}
			d[i] = float32(sum * scale)
		}
	}
}
