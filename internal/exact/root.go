package exact

import "math"

// Cbrt is the cube root.
func Cbrt(x float64) float64 {
	if x == 0 || x != x || math.IsInf(x, 0) {
		return x
	}
	m, e := math.Frexp(math.Abs(x))
	for e%3 != 0 { // m from 1/8 to 1
		m, e = m/2, e+1
	}
	y := 0.4 + float64(0.6*m)
	for range 6 {
		y -= float64((float64(y*y*y) - m) / (3 * y * y)) // Newton's steps
	}
	cube := product(y, y).times(of(y)).plus(of(-m))
	return math.Copysign(math.Ldexp(fast(y, -cube.hi/(3*y*y)).value(), e/3), x)
}

// Hypot is the root of x*x + y*y.
func Hypot(x, y float64) float64 {
	a, b := math.Abs(x), math.Abs(y)
	if a < b {
		a, b = b, a
	}
	if b == 0 || !(a <= math.MaxFloat64) || !(b <= math.MaxFloat64) {
		if math.IsInf(a, 0) || math.IsInf(b, 0) {
			return math.Inf(1)
		}
		return a + b // the other, or NaN
	}
	_, e := math.Frexp(a)
	a, b = math.Ldexp(a, -e), math.Ldexp(b, -e)
	return math.Ldexp(product(a, a).plus(product(b, b)).root().value(), e)
}
