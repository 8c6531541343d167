package exact

import "math"

const (
	ln2, ln2Low     = 0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56
	tenth, tenthLow = 0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57 // 1 over the logarithm of 10
)

var (
	third = pair{0x1.5555555555555p-2, 0x1.5555555555555p-56}
	fifth = pair{0x1.999999999999ap-3, -0x1.999999999999ap-57}
	// odds are 1/7, 1/9, ...
	odds = []float64{1. / 7, 1. / 9, 1. / 11, 1. / 13, 1. / 15, 1. / 17, 1. / 19, 1. / 21, 1. / 23, 1. / 25, 1. / 27}
)

// logarithm is that of a number over 0 and not infinite, to about 66 bits: the series of (1+s)/(1-s).
func logarithm(x pair) pair {
	m, n := math.Frexp(x.hi)
	if m < math.Sqrt2/2 {
		m, n = 2*m, n-1
	}
	low := 0.0
	if x.lo != 0 {
		low = math.Ldexp(x.lo, -n)
	}
	up, down := sum(m-1, low), sum(m, 1)
	s := up.by(fast(down.hi, down.lo+low))
	t := s.times(s)
	rest := fifth.plus(of(float64(t.hi * polynomial(t.hi, odds))))
	rest = third.plus(t.times(rest))
	v := s.plus(s.times(t).times(rest)).scaled(1)
	if n == 0 {
		return v
	}
	k := float64(n)
	twos := sum(float64(k*ln2First), float64(k*ln2Second))
	twos.lo += float64(k * ln2Third)
	return twos.plus(v)
}

// special reports whether a logarithm is that of math: no number, infinite, of 0 or less.
func special(x float64) bool { return !(x > 0 && x <= math.MaxFloat64) }

// Log is the natural logarithm.
func Log(x float64) float64 {
	if special(x) || x == 1 {
		return math.Log(x)
	}
	return logarithm(of(x)).value()
}

// Log10 is the decimal logarithm.
func Log10(x float64) float64 {
	if special(x) || x == 1 {
		return math.Log(x) // infinite, 0 or NaN
	}
	return logarithm(of(x)).times(pair{tenth, tenthLow}).value()
}

// Log1p is the natural logarithm of 1 + x.
func Log1p(x float64) float64 {
	if special(1+x) || math.Abs(x) < 0x1p-60 {
		return math.Log1p(x)
	}
	return logarithm(sum(1, x)).value()
}

// Pow is x raised to y.
func Pow(x, y float64) float64 {
	whole := math.Trunc(y) == y
	if x == 0 || y == 0 || x == 1 || x == -1 || math.IsInf(x, 0) || math.IsInf(y, 0) || x != x || y != y || x < 0 && !whole {
		return math.Pow(x, y)
	}
	switch y {
	case 1:
		return x
	case 2:
		return x * x
	case -1:
		return 1 / x
	case 0.5:
		return math.Sqrt(x)
	}
	large := max(min(y, 1e100), -1e100) // no further from 1 than that, and its products are finite
	v := expOf(logarithm(of(math.Abs(x))).times(of(large)))
	if x < 0 && math.Mod(y, 2) != 0 {
		return -v
	}
	return v
}
