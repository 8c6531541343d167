package exact

import "math"

// logOfMore is the logarithm of 1 + t.
func logOfMore(t pair) pair { return logarithm(of(1).plus(t)) }

// Asinh is the inverse of Sinh.
func Asinh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case a < 0x1p-30 || !(a <= math.MaxFloat64):
		return x
	case a > 0x1p30:
		return math.Copysign(logarithm(of(a)).plus(pair{ln2, ln2Low}).value(), x)
	}
	square := product(a, a)
	t := of(a).plus(square.by(of(1).plus(of(1).plus(square).root())))
	return math.Copysign(logOfMore(t).value(), x)
}

// Acosh is the inverse of Cosh.
func Acosh(x float64) float64 {
	switch {
	case !(x >= 1):
		return math.NaN()
	case x == 1:
		return 0
	case x > math.MaxFloat64:
		return x
	case x > 0x1p30:
		return logarithm(of(x)).plus(pair{ln2, ln2Low}).value()
	}
	less := sum(x, -1)
	return logOfMore(less.plus(less.times(sum(x, 1)).root())).value()
}

// Atanh is the inverse of Tanh.
func Atanh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case a < 0x1p-30 || a != a:
		return x
	case a > 1:
		return math.NaN()
	case a == 1:
		return math.Copysign(math.Inf(1), x)
	}
	return math.Copysign(logarithm(sum(1, a).by(sum(1, -a))).value()/2, x)
}
