package exact

import "math"

// Logarithm of 2: the first two parts times an exponent are exact.
const (
	ln2First  = 0x1.62e42fefa3800p-1
	ln2Second = 0x1.ef35793c76000p-45
	ln2Third  = 0x1.cc01f97b57a08p-87
	log2e     = 0x1.71547652b82fep+0
)

// inverseFactorials from that of 3 on.
var inverseFactorials = []float64{1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800,
	1. / 39916800, 1. / 479001600, 1. / 6227020800, 1. / 87178291200}

// exponential returns e and n so that e raised to x is (1 + e) * 2^n; x is from -1100 to 1100.
func exponential(x pair) (e pair, n int) {
	k := math.Floor(float64(x.hi*log2e) + 0.5)
	r := x
	if k != 0 {
		r = sum(x.hi, -float64(k*ln2First))
		r = r.plus(pair{-float64(k * ln2Second), x.lo - float64(k*ln2Third)})
	}
	square := product(r.hi, r.hi)
	square.lo += float64(2 * r.hi * r.lo)
	cubic := float64(float64(r.hi*square.hi) * polynomial(r.hi, inverseFactorials))
	e = fast(r.hi, float64(square.hi/2))
	return fast(e.hi, e.lo+(float64(square.lo/2)+r.lo)+cubic), int(k)
}

// onePlus is 1 + e.
func onePlus(e pair) pair {
	s := fast(1, e.hi)
	return fast(s.hi, s.lo+e.lo)
}

// expOf is e raised to x.
func expOf(x pair) float64 {
	switch {
	case x.hi != x.hi:
		return x.hi
	case x.hi > 710:
		return math.Inf(1)
	case x.hi < -746:
		return 0
	}
	e, n := exponential(x)
	return power(onePlus(e).value(), n)
}

// Exp is e raised to x.
func Exp(x float64) float64 { return expOf(of(x)) }

// Exp2 is 2 raised to x.
func Exp2(x float64) float64 {
	if x > 1100 || x < -1100 || x != x {
		return math.Exp2(x) // infinite, 0 or NaN
	}
	n := math.Floor(x + 0.5)
	e, k := exponential(pair{ln2, ln2Low}.times(of(x - n)))
	return power(onePlus(e).value(), k+int(n))
}

// expm1 is e raised to x, less 1; x is from -50 to 50.
func expm1(x float64) pair {
	e, n := exponential(of(x))
	if n == 0 {
		return e
	}
	return onePlus(e).scaled(n).plus(of(-1))
}

// Expm1 is e raised to x, less 1.
func Expm1(x float64) float64 {
	switch {
	case x == 0 || x != x:
		return x
	case x > 50:
		return Exp(x)
	case x < -50:
		return -1
	case math.Abs(x) < 0x1p-60:
		return x
	}
	return expm1(x).value()
}

// Sinh is the hyperbolic sine.
func Sinh(x float64) float64 {
	switch a := math.Abs(x); {
	case a < 0x1p-30 || a != a:
		return x
	case a > 712:
		return math.Copysign(math.Inf(1), x)
	case a > 40:
		e, n := exponential(of(a))
		return math.Copysign(power(onePlus(e).value(), n-1), x)
	default:
		e := expm1(a)
		return math.Copysign(e.plus(e.by(e.plus(of(1)))).value()/2, x)
	}
}

// Cosh is the hyperbolic cosine.
func Cosh(x float64) float64 {
	a := math.Abs(x)
	if !(a <= 712) {
		return a + math.Inf(1) // infinite or NaN
	}
	e, n := exponential(of(a))
	if a > 40 {
		return power(onePlus(e).value(), n-1)
	}
	v := onePlus(e).scaled(n)
	return v.plus(of(1).by(v)).value() / 2
}

// Tanh is the hyperbolic tangent.
func Tanh(x float64) float64 {
	switch a := math.Abs(x); {
	case a < 0x1p-30 || a != a:
		return x
	case a > 22:
		return math.Copysign(1, x)
	default:
		e := expm1(2 * a)
		return math.Copysign(e.by(e.plus(of(2))).value(), x)
	}
}
