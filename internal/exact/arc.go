package exact

import "math"

// arcs are the arc tangents of 0, 1/8, ... 1.
var arcs = [...]pair{{}, {0x1.fd5ba9aac2f6ep-4, -0x1.cd37686760c17p-59}, {0x1.f5b75f92c80ddp-3, 0x1.8ab6e3cf7afbdp-57},
	{0x1.6f61941e4def1p-2, -0x1.c63aae6f6e918p-56}, {0x1.dac670561bb4fp-2, 0x1.a2b7f222f65e2p-56}, {0x1.1e00babdefeb4p-1, -0x1.928df287a668fp-58},
	{0x1.4978fa3269ee1p-1, 0x1.2419a87f2a458p-56}, {0x1.700a7c5784634p-1, -0x1.8c34d25aadef6p-56}, {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55}}

var arcSeries = []float64{-1. / 3, 1. / 5, -1. / 7, 1. / 9, -1. / 11, 1. / 13, -1. / 15, 1. / 17}

// arc is the angle of the point (x, y), whose coordinates are not negative.
func arc(y, x pair) pair {
	if y.hi > x.hi {
		return pair{quarter, quarterLow}.plus(arc(x, y).minus())
	}
	i := int(float64(y.hi/x.hi*8) + 0.5)
	c := of(float64(i) / 8)
	t := y.plus(c.times(x).minus()).by(x.plus(c.times(y)))
	z := float64(t.hi * t.hi)
	t = fast(t.hi, t.lo+float64(float64(t.hi*z)*polynomial(z, arcSeries)))
	return arcs[i].plus(t)
}

// Atan is the arc tangent.
func Atan(x float64) float64 {
	switch a := math.Abs(x); {
	case a < 0x1p-30 || a != a:
		return x
	case a > 0x1p60:
		return math.Copysign(quarter, x)
	default:
		return math.Copysign(arc(of(a), of(1)).value(), x)
	}
}

// Atan2 is the angle of the point (x, y).
func Atan2(y, x float64) float64 {
	a, b := math.Abs(y), math.Abs(x)
	if a == 0 || b == 0 || !(a <= math.MaxFloat64) || !(b <= math.MaxFloat64) {
		return math.Atan2(y, x) // parts of a turn, or NaN
	}
	_, e := math.Frexp(max(a, b))
	v := arc(of(math.Ldexp(a, -e)), of(math.Ldexp(b, -e)))
	if x < 0 {
		v = pair{2 * quarter, 2 * quarterLow}.plus(v.minus())
	}
	return math.Copysign(v.value(), y)
}

// leg is the root of 1 - x*x.
func leg(x float64) pair { return sum(1, -x).times(sum(1, x)).root() }

// Asin is the arc sine.
func Asin(x float64) float64 {
	a := math.Abs(x)
	if a < 0x1p-30 {
		return x
	}
	if !(a <= 1) {
		return math.NaN()
	}
	return math.Copysign(arc(of(a), leg(a)).value(), x)
}

// Acos is the arc cosine.
func Acos(x float64) float64 {
	a := math.Abs(x)
	if !(a <= 1) {
		return math.NaN()
	}
	v := arc(leg(a), of(a))
	if x < 0 {
		v = pair{2 * quarter, 2 * quarterLow}.plus(v.minus())
	}
	return v.value()
}
