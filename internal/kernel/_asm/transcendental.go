package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The polynomials are minimax approximations, made for this package; the
// errors of the functions are in the tests of the package.
var (
	// exp(r) = 1 + r + r^2 q(r) for |r| <= ln(2)/2
	expSeries = []float64{0.49999994, 0.166665152, 0.041668456, 0.00836941879, 0.00138131448}
	// atanh(s) = s (1 + z q(z)), z = s^2 <= 1/9
	atanhSeries = []float64{0.333333373, 0.199994385, 0.143084422, 0.107138291, 0.121504672}
	// tanh(x) = x (1 + z q(z)), z = x^2 <= 0.65^2
	tanhSeries = []float64{-0.333332598, 0.133308306, -0.0536880232, 0.0204694197, -0.00551516423}
	// erf(x) = x q(z), z = x^2 <= 0.7
	erfSeries = []float64{1.12837911, -0.376125813, 0.112828381, -0.0268079042, 0.00506066345, -0.00063743582}
	// exp(t^2) erfc(t) = q(u), u = (t-3)/(t+3), 0 <= t <= 10.3
	erfcSeries = []float64{0.179001153, -0.326233566, 0.2456038, -0.150115788, 0.0716658756, -0.0243942253, 0.00426883623,
		0.0007156785, -0.000594518438, 2.89937416e-05, 5.59644686e-05}
)

type vreg = reg.VecPhysical

// poly returns a register with the polynomial of c at x.
func (r *registers) poly(x vreg, c []float64) vreg { return r.polys([]vreg{x}, c)[0] }

// polys is poly of several vectors side by side.
func (r *registers) polys(xs []vreg, c []float64) []vreg {
	p := make([]vreg, len(xs))
	for i := range xs {
		p[i] = r.of(constant(c[len(c)-1]))
	}
	for k := len(c) - 2; k >= 0; k-- {
		for i, x := range xs {
			VFMADD213PS(constant(c[k]), x, p[i])
		}
	}
	return p
}

// expConstants are those of exp.
var expConstants = append([]float64{89, -104, math.Log2E, 0.693145752, 1.42860677e-6, 1}, expSeries...)

// reduce replaces x, which it cuts to what exp can tell apart, by r and returns k and
// exp(r)-1, where exp(x) = 2^k exp(r). NaN stays. x may be known to be at most 0.
func (r *registers) reduce(x vreg, negative bool) (k, small vreg) {
	k = r.get()
	if !negative {
		VMINPS(x, in(constant(89), k), x)
	}
	VMAXPS(x, in(constant(-104), k), x)
	VMULPS(constant(math.Log2E), x, k)
	if lv.zmm {
		VRNDSCALEPS(U8(8), k, k)
	} else {
		VROUNDPS(U8(8), k, k)
	}
	VFNMADD231PS(constant(0.693145752), k, x)
	VFNMADD231PS(constant(1.42860677e-6), k, x)
	small = r.poly(x, expSeries)
	t := r.get()
	VMULPS(x, x, t)
	VFMADD213PS(x, t, small)
	r.next--
	return k, small
}

// scale multiplies p by 2^k, which it destroys; t is scratch.
func scale(k, p, t vreg) {
	if lv.zmm {
		VSCALEFPS(k, p, p)
		return
	}
	// In two steps: denormal results and those near the largest.
	VCVTPS2DQ(k, k)
	VPSRAD(U8(1), k, t)
	VPSUBD(t, k, k)
	for _, v := range []vreg{t, k} {
		VPADDD(bitsHeld(127), v, v)
		VPSLLD(U8(23), v, v)
		VMULPS(v, p, p)
	}
}

// exp replaces x by exp(x).
func (r *registers) exp(x vreg) { r.expOf(x, false) }

// expOf is exp of x that may be known to be at most 0.
func (r *registers) expOf(x vreg, negative bool) {
	mark := r.next
	k, p := r.reduce(x, negative)
	VADDPS(constant(1), p, p)
	scale(k, p, x)
	VMOVAPS(p, x)
	r.next = mark
}

// expm1 replaces x by exp(x)-1, for x <= 0: exact near 0.
func (r *registers) expm1(x vreg) {
	mark := r.next
	k, p := r.reduce(x, true)
	one := r.of(constant(1))
	t := r.get()
	scale(k, one, t) // 2^k
	VMOVAPS(one, x)
	VADDPS(constant(-1), one, t)
	VFMADD213PS(t, p, x) // 2^k (exp(r)-1) + (2^k-1)
	r.next = mark
}

func abs(x, dst vreg) {
	if lv.zmm {
		VPANDD(bitsHeld(1<<31-1), x, dst)
	} else {
		VANDPS(bitsHeld(1<<31-1), x, dst)
	}
}

// under sets dst to -|x|.
func under(x, dst vreg) {
	if lv.zmm {
		VPORD(bitsHeld(1<<31), x, dst)
	} else {
		VORPS(bitsHeld(1<<31), x, dst)
	}
}

// signOf gives dst, which is not negative, the sign of x; t is scratch.
func signOf(x, dst, t vreg) {
	if lv.zmm {
		VPANDD(bitsHeld(1<<31), x, t)
		VPORD(t, dst, dst)
	} else {
		VANDPS(bitsHeld(1<<31), x, t)
		VORPS(t, dst, dst)
	}
}

// roundingAt is a number beside which whole numbers are the last bits of a float32, less the power of two that sigmoid
// is scaled by.
const roundingAt = 3<<22 - 64

// sigmoid returns 1/(1+exp(-x)) of x, which stays. It is c/(c + c exp(-x)) with c = 2^-64, so that nothing overflows
// where it is not 0; the power of two of c exp(-x) is added to its bits. NaN stays, but for the product of x with it if
// times is set, where x is enough.
func (r *registers) sigmoid(x vreg, times bool) vreg { return r.sigmoidOf([]vreg{x}, times)[0] }

// sigmoidOf is sigmoid of several vectors side by side: one alone is a chain of operations that wait for each other, longer
// than what processors look ahead.
func (r *registers) sigmoidOf(xs []vreg, times bool) []vreg {
	n := len(xs)
	some := func() []vreg {
		list := make([]vreg, n)
		for i := range list {
			list[i] = r.get()
		}
		return list
	}
	s := some()
	mark := r.next
	y, k, t := some(), some(), some()
	all := func(f func(i int)) {
		for i := range n {
			f(i)
		}
	}
	all(func(i int) { zero(k[i]) })
	all(func(i int) { VSUBPS(xs[i], k[i], y[i]) })
	all(func(i int) { VMAXPS(y[i], in(constant(-40), k[i]), y[i]) }) // 1 to the last bit
	all(func(i int) { VMINPS(y[i], in(constant(104), k[i]), y[i]) }) // 0 to the last bit
	all(func(i int) { VMULPS(constant(math.Log2E), y[i], t[i]) })
	all(func(i int) { VADDPS(constant(roundingAt), t[i], t[i]) })
	all(func(i int) { VADDPS(constant(-roundingAt), t[i], k[i]) })
	all(func(i int) { VFNMADD231PS(constant(0.693145752), k[i], y[i]) })
	all(func(i int) { VFNMADD231PS(constant(1.42860677e-6), k[i], y[i]) })
	p := r.polys(y, expSeries)
	all(func(i int) { VMULPS(y[i], y[i], k[i]) })
	all(func(i int) { VFMADD213PS(y[i], k[i], p[i]) })
	all(func(i int) { VADDPS(constant(1), p[i], p[i]) })
	all(func(i int) { VPSLLD(U8(23), t[i], t[i]) })
	all(func(i int) { VPADDD(t[i], p[i], p[i]) })
	all(func(i int) { VMOVUPS(constant(0x1p-64), s[i]) })
	all(func(i int) { VADDPS(s[i], p[i], p[i]) })
	if !times {
		all(func(i int) { VFMADD231PS(constant(0), y[i], s[i]) })
	}
	all(func(i int) { VDIVPS(p[i], s[i], s[i]) })
	r.next = mark
	return s
}

// sigmoidConstants are those of sigmoid.
var sigmoidConstants = append([]float64{-40, 104, math.Log2E, roundingAt, -roundingAt, 0.693145752, 1.42860677e-6, 1, 0x1p-64}, expSeries...)

// sigmoids returns the sigmoid of x, which stays, and of -x: exp(-|x|) of either sign is small, so that nothing
// overflows.
func (r *registers) sigmoids(x vreg) (s, c vreg) {
	s, c = r.get(), r.of(constant(1))
	mark := r.next
	e := r.get()
	under(x, e)
	r.expOf(e, true)
	num, sum := r.of(constant(1)), r.get()
	VADDPS(num, e, sum)
	// 1 above 0, exp(x) below
	zeros, scratch := r.get(), r.get()
	zero(zeros)
	choose(less, x, zeros, e, num, scratch)
	choose(lessEqual, zeros, x, e, c, scratch)
	VDIVPS(sum, c, c)
	VDIVPS(sum, num, s)
	r.next = mark
	return s, c
}

// tanh returns tanh of x, which stays.
func (r *registers) tanh(x vreg) vreg {
	out := r.get()
	// far: 1 - 2/(exp(2|x|)+1)
	e := r.get()
	abs(x, e)
	VADDPS(e, e, e)
	r.exp(e)
	VADDPS(constant(1), e, e)
	t := r.of(constant(2))
	VDIVPS(e, t, e)
	VMOVUPS(constant(1), out)
	VSUBPS(e, out, out)
	signOf(x, out, t)
	// near: x + x z q(z)
	VMULPS(x, x, e)
	q := r.poly(e, tanhSeries)
	VMULPS(e, q, q)
	VFMADD213PS(x, x, q)
	abs(x, e)
	choose(less, e, constant(0.65), q, out, t)
	r.next -= 3
	return out
}

// tail returns erfc(t)/2 times 2^shift, for t >= 0, which it destroys: exp(-t^2) times a
// polynomial. The square is taken with its rounding error, which would count for far t.
func (r *registers) tail(t vreg, half bool) vreg {
	limit := r.of(constant(10.3))
	VMINPS(t, limit, t) // NaN stays
	h, low := r.get(), r.get()
	VMULPS(t, t, h)
	VMOVAPS(h, low)
	VFNMADD231PS(t, t, low) // h - t^2, exactly
	u, d := r.get(), limit
	VADDPS(constant(-3), t, u)
	VADDPS(constant(3), t, d)
	VDIVPS(d, u, u)
	q := r.poly(u, erfcSeries)
	under(h, h)
	r.expOf(h, true)
	VFMADD213PS(h, h, low) // exp(-h) (1 + low)
	VMULPS(q, low, low)
	if half {
		VMULPS(constant(0.5), low, low)
	}
	VMOVAPS(low, limit)
	r.next -= 4 // h, low, u, q; the first stays
	return limit
}

// erf returns erf of x, which stays.
func (r *registers) erf(x vreg) vreg {
	t := r.get()
	abs(x, t)
	far := r.tail(t, false)
	one := r.of(constant(1))
	VSUBPS(far, one, far)
	signOf(x, far, t)
	VMULPS(x, x, t)
	q := r.poly(t, erfSeries)
	VMULPS(x, q, q)
	choose(less, t, constant(0.7), q, far, one)
	VMOVAPS(far, t)
	r.next -= 3
	return t
}

// normal returns the normal distribution at x, which stays: right in both tails.
func (r *registers) normal(x vreg) vreg {
	t := r.get()
	abs(x, t)
	VMULPS(constant(math.Sqrt2/2), t, t)
	far := r.tail(t, true)
	one, zeros := r.of(constant(1)), r.get()
	VSUBPS(far, one, one)
	zero(zeros)
	scratch := r.get()
	choose(less, zeros, x, one, far, scratch)
	VMOVAPS(far, t)
	r.next -= 4
	return t
}

// density returns exp(-x^2/2)/sqrt(2 pi) of x, which stays.
func (r *registers) density(x vreg) vreg {
	t := r.get()
	VMULPS(x, x, t)
	VMULPS(constant(-0.5), t, t)
	r.exp(t)
	VMULPS(constant(1/math.Sqrt(2*math.Pi)), t, t)
	return t
}

// logistic returns log(1+exp(-|x|)) of x, which stays, in [0, ln 2].
func (r *registers) logistic(x vreg) vreg {
	e := r.get()
	abs(x, e)
	t := r.get()
	zero(t)
	VSUBPS(e, t, e)
	r.exp(e)
	VADDPS(constant(2), e, t)
	VDIVPS(t, e, e) // s: log(1+e) = 2 atanh(e/(2+e))
	VMULPS(e, e, t)
	q := r.poly(t, atanhSeries)
	VMULPS(t, q, q)
	VFMADD213PS(e, e, q)
	VADDPS(q, q, e)
	r.next -= 2
	return e
}

// inner is the argument of tanh in GELU's approximation.
func (r *registers) inner(x vreg) vreg {
	t := r.get()
	VMULPS(x, x, t)
	p := r.of(constant(1))
	VFMADD231PS(constant(0.044715), t, p)
	VMULPS(x, p, t)
	VMULPS(constant(math.Sqrt2/math.Sqrt(math.Pi)), t, t)
	r.next--
	return t
}

// unaryBody computes a function of x with parameters a and b.
type unaryBody func(r *registers, x, a, b vreg) vreg

// clamp cuts x to low and high; NaN stays.
func clamp(r *registers, x vreg, low, high Op) {
	t := r.of(low)
	VMAXPS(x, t, x)
	VMOVUPS(high, t)
	VMINPS(x, t, x)
	r.next--
}

// geluConstants are those of tail, as many as fit.
var geluConstants = append(append([]float64{math.Copysign(0, -1), 10.3, 3, -3}, expConstants[1:]...), erfcSeries[8:]...)

// functions emits the functions of single numbers, in the order of the package's list.
func functions() {
	for _, f := range []struct {
		name, doc string
		keep      []float64
		body      unaryBody
	}{
		{"exp", "exp(x)", expConstants, func(r *registers, x, a, b vreg) vreg { r.exp(x); return x }},
		{"sigmoid", "1/(1+exp(-x))", sigmoidConstants, func(r *registers, x, a, b vreg) vreg { return r.sigmoid(x, false) }},
		{"tanh", "tanh(x)", expConstants, func(r *registers, x, a, b vreg) vreg { return r.tanh(x) }},
		{"erf", "erf(x)", geluConstants, func(r *registers, x, a, b vreg) vreg { return r.erf(x) }},
		{"gelu", "x times the normal distribution at x", geluConstants, func(r *registers, x, a, b vreg) vreg {
			p := r.normal(x)
			return r.times(x, p)
		}},
		{"geluTanh", "x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", sigmoidConstants, func(r *registers, x, a, b vreg) vreg {
			// (1+tanh(t))/2 = sigmoid(2t)
			t := r.inner(x)
			VADDPS(t, t, t)
			return r.times(x, r.sigmoid(t, true))
		}},
		{"swish", "x sigmoid(a x)", sigmoidConstants, func(r *registers, x, a, b vreg) vreg {
			t := r.get()
			VMULPS(a, x, t)
			return r.times(x, r.sigmoid(t, true))
		}},
		{"hardSwish", "x min(max(x/6 + 1/2, 0), 1)", nil, func(r *registers, x, a, b vreg) vreg {
			t := r.of(constant(0.5))
			VFMADD231PS(constant(1./6), x, t)
			clamp(r, t, constant(0), constant(1))
			VMULPS(t, x, x)
			return x
		}},
		{"hardSigmoid", "min(max(a x + b, 0), 1)", nil, func(r *registers, x, a, b vreg) vreg {
			VFMADD213PS(b, a, x)
			clamp(r, x, constant(0), constant(1))
			VADDPS(constant(0), x, x) // -0 becomes 0
			return x
		}},
		{"softplus", "log(1 + exp(x))", expConstants, func(r *registers, x, a, b vreg) vreg {
			t := r.logistic(x)
			zeros := r.get()
			zero(zeros)
			VMAXPS(x, zeros, x)
			VADDPS(t, x, x)
			return x
		}},
		{"mish", "x tanh(log(1 + exp(x)))", expConstants, func(r *registers, x, a, b vreg) vreg {
			// tanh(log(1+e)) = n/(n+2), n = e (e+2)
			e, t := r.get(), r.get()
			VMOVUPS(constant(30), e)
			VMINPS(x, e, e)
			r.exp(e)
			VADDPS(constant(2), e, t)
			VMULPS(t, e, e)
			VADDPS(constant(2), e, t)
			VDIVPS(t, e, e)
			return r.times(x, e)
		}},
		{"elu", "b x above 0, else a (exp(x) - 1)", expConstants, func(r *registers, x, a, b vreg) vreg {
			t := r.get()
			zero(t)
			VMINPS(x, t, t)
			r.expm1(t)
			VMULPS(a, t, t)
			y := r.get()
			VMULPS(b, x, y)
			zeros, scratch := r.get(), r.get()
			zero(zeros)
			choose(less, zeros, x, y, t, scratch)
			return t
		}},
		{"leaky", "x above 0, else a x", nil, func(r *registers, x, a, b vreg) vreg {
			t := r.get()
			VMULPS(a, x, t)
			zeros, scratch := r.get(), r.get()
			zero(zeros)
			choose(less, zeros, x, x, t, scratch)
			return t
		}},
		{"affine", "a x + b", nil, func(r *registers, x, a, b vreg) vreg {
			VFMADD213PS(b, a, x)
			return x
		}},
		{"sqrt", "the square root of x", nil, func(r *registers, x, a, b vreg) vreg { VSQRTPS(x, x); return x }},
	} {
		each(f.name, "dst[i] = "+f.doc+" of x = src[i]", []string{"dst", "src"}, []string{"a", "b"}, f.keep, func(r *registers, in, arg []vreg) vreg {
			return f.body(r, in[0], arg[0], arg[1])
		}, sideBySide[f.name]...)
	}
	slopes()
}

// sideBySide are the functions of which some vectors are computed at once.
var sideBySide = map[string][]wideBody{
	"swish": {func(r *registers, xs, arg []vreg) []vreg {
		var ts []vreg
		for _, x := range xs {
			ts = append(ts, r.get())
			VMULPS(arg[0], x, ts[len(ts)-1])
		}
		for i, s := range r.sigmoidOf(ts, true) {
			VMULPS(s, xs[i], xs[i])
		}
		return xs
	}},
}

// times returns x p.
func (r *registers) times(x, p vreg) vreg {
	VMULPS(p, x, x)
	return x
}

// slopes emits the functions' derivatives times a signal g, 0 where that is 0.
func slopes() {
	for _, f := range []struct {
		name, doc string
		body      unaryBody
	}{
		{"sigmoid", "sigmoid", func(r *registers, x, a, b vreg) vreg {
			s, c := r.sigmoids(x)
			VMULPS(c, s, s)
			return s
		}},
		{"tanh", "tanh", func(r *registers, x, a, b vreg) vreg {
			s := r.tanh(x)
			VMOVUPS(constant(1), x)
			VFNMADD231PS(s, s, x)
			return x
		}},
		{"gelu", "x times the normal distribution", func(r *registers, x, a, b vreg) vreg {
			p, d := r.normal(x), r.density(x)
			VFMADD231PS(d, x, p)
			return p
		}},
		{"geluTanh", "GELU's approximation", func(r *registers, x, a, b vreg) vreg {
			// s + s (1-s) x t', t = 2 sqrt(2/pi) (x + c x^3)
			clamp(r, x, constant(-20), constant(20))
			t := r.inner(x)
			VADDPS(t, t, t)
			s, c := r.sigmoids(t)
			VMULPS(x, x, t)
			p := r.of(constant(1))
			VFMADD231PS(constant(3*0.044715), t, p)
			VMULPS(x, p, p)
			VMULPS(constant(2*math.Sqrt2/math.Sqrt(math.Pi)), p, p)
			VMULPS(s, c, c)
			VFMADD213PS(s, p, c)
			return c
		}},
		{"swish", "x sigmoid(a x)", func(r *registers, x, a, b vreg) vreg {
			t := r.get()
			VMULPS(a, x, t)
			clamp(r, t, constant(-100), constant(100))
			s, c := r.sigmoids(t)
			VMULPS(t, c, c)
			VFMADD213PS(s, s, c) // s + s a x (1-s)
			return c
		}},
		{"hardSwish", "x min(max(x/6 + 1/2, 0), 1)", func(r *registers, x, a, b vreg) vreg {
			t, scratch := r.get(), r.get()
			VMULPS(constant(1./3), x, t)
			VADDPS(constant(0.5), t, t)
			one, zeros := r.of(constant(1)), r.get()
			zero(zeros)
			choose(greaterEqual, x, constant(3), one, t, scratch)
			choose(lessEqual, x, constant(-3), zeros, t, scratch)
			return t
		}},
		{"erf", "erf", func(r *registers, x, a, b vreg) vreg {
			VMULPS(x, x, x)
			t := r.get()
			zero(t)
			VSUBPS(x, t, x)
			r.exp(x)
			VMULPS(constant(2/math.Sqrt(math.Pi)), x, x)
			return x
		}},
	} {
		each(f.name+"Slope", fmt.Sprintf("dst[i] = dy[i] times the slope of %s at x = src[i], 0 where dy[i] is 0,", f.doc),
			[]string{"dst", "dy", "src"}, []string{"a", "b"}, nil, func(r *registers, in, arg []vreg) vreg {
				g := in[0]
				s := f.body(r, in[1], arg[0], arg[1])
				t, scratch := r.get(), r.get()
				VMULPS(g, s, s)
				zero(t)
				choose(equal, g, t, t, s, scratch)
				return s
			})
	}
	each("mulKept", "dst[i] = dy[i] slopes[i], 0 where dy[i] is 0,", []string{"dst", "dy", "slopes"}, nil, nil, func(r *registers, in, arg []vreg) vreg {
		t, scratch := r.get(), r.get()
		VMULPS(in[0], in[1], in[1])
		zero(t)
		choose(equal, in[0], t, t, in[1], scratch)
		return in[1]
	})
}
