package exact

import "math"

const perRoot = 0x1.20dd750429b6dp+0 // 2 over the root of pi

// near is the series of the error function by squares, without 2 over the root of pi.
var near = []float64{1, -1. / 3, 1. / 10, -1. / 42, 1. / 216, -1. / 1320, 1. / 9360, -1. / 75600, 1. / 685440, -1. / 6894720,
	1. / 76204800, -1. / 918086400, 1. / 11975040000, -1. / 168129561600, 1. / 2528170444800, -1. / 40537905408000,
	1. / 690452066304000, -1. / 12449059983360000, 1. / 236887827111936000}

// far are Chebyshev coefficients of exp(x*x) * erfc(x) * (1 + 2*x) in t = (x - 3.75) / (x + 3.75), for x from 0 on.
var far = []float64{
	0x1.2d75d0246cee8p+1, -0x1.2cd0564f8c1b7p-8, -0x1.59159e8868995p-4, 0x1.e50c3e7c7dccep-5, -0x1.b4c68f4569326p-6,
	0x1.295e991a7d82dp-7, -0x1.3c4c54f8d419dp-9, 0x1.014ed1572209ap-11, -0x1.221e6f70130b5p-14, 0x1.15c3f597f0492p-18,
	0x1.9f8f03ca86fc1p-21, -0x1.d601c320c8f9cp-23, 0x1.71e1efca86cf9p-27, 0x1.36bf2885524c9p-28, -0x1.aa4d7b1cdf20ap-31,
	-0x1.15df59ca6082bp-34, 0x1.f8af0a9aa6d31p-36, 0x1.b61b723941781p-43, -0x1.0fc16c00b50f2p-40, 0x1.24f6a772cbc36p-45,
	0x1.2d8b49ab5f72bp-45, -0x1.0cb63a80de2c5p-49, -0x1.6884628ace07ap-50, 0x1.561b105822235p-54, 0x1.d3744857e262cp-55,
	-0x1.4a219c71bb4c8p-59, -0x1.42cb7ae4cd595p-59, 0x1.f99a0464652cbp-66, 0x1.cbcbce02ac543p-64}

// complement is erfc of a number that is not negative.
func complement(x float64) float64 {
	if x > 28 {
		return 0
	}
	t := (x - 3.75) / (x + 3.75)
	a, b := 0.0, 0.0
	for i := len(far) - 1; i > 0; i-- { // Clenshaw's recurrence
		a, b = far[i]+float64(2*t*a)-b, a
	}
	v := float64(far[0]/2) + float64(t*a) - b
	return float64(expOf(product(x, x).minus()) * v / (1 + float64(2*x)))
}

// Erf is the error function.
func Erf(x float64) float64 {
	switch a := math.Abs(x); {
	case a != a:
		return x
	case a <= 1:
		return float64(x*polynomial(float64(x*x), near)) * perRoot
	default:
		return math.Copysign(1-complement(a), x)
	}
}

// Erfc is 1 - Erf.
func Erfc(x float64) float64 {
	switch {
	case x != x:
		return x
	case x < -1:
		return 2 - complement(-x)
	case x < 0.5:
		return 1 - Erf(x)
	}
	return complement(x)
}
