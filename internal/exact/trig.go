package exact

import (
	"math"
	"math/big"
)

// A quarter turn: the first three parts times a whole number of 20 bits are exact.
const (
	quarterFirst        = 0x1.921fb54400000p+0
	quarterSecond       = 0x1.0b4611a600000p-34
	quarterThird        = 0x1.3198a2e000000p-69
	quarterFourth       = 0x1.b839a252049c1p-104
	quarter, quarterLow = 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54
	quarters            = 0x1.45f306dc9c883p-1 // in 1
	manyQuarters        = "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6bab"
	manyQuartersBits    = 1216 // of manyQuarters are behind the point
	largest             = 1 << 20
)

var (
	sines   = []float64{-1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800, 1. / 6227020800, -1. / 1307674368000, 1. / 355687428096000, -1. / 121645100408832000}
	cosines = []float64{1. / 24, -1. / 720, 1. / 40320, -1. / 3628800, 1. / 479001600, -1. / 87178291200, 1. / 20922789888000, -1. / 6402373705728000, 1. / 2432902008176640000}
)

// turn is an angle in quarter turns, and what is left, at most an eighth of a turn.
func turn(x float64) (rest pair, n int) {
	switch {
	case math.Abs(x) <= quarter/2:
		return of(x), 0
	case math.Abs(x) > largest:
		return farTurn(x)
	}
	k := math.Floor(float64(x*quarters) + 0.5)
	r := sum(x, -float64(k*quarterFirst))
	r = r.plus(of(-float64(k * quarterSecond))).plus(of(-float64(k * quarterThird))).plus(of(-float64(k * quarterFourth)))
	return r, int(k) & 3
}

// farTurn is turn of a large angle, in whole numbers.
func farTurn(x float64) (pair, int) {
	f, e := math.Frexp(x)
	v, _ := new(big.Int).SetString(manyQuarters, 16)
	v.Mul(v, big.NewInt(int64(f*(1<<53)))) // over 2^point
	point := uint(manyQuartersBits + 53 - e)
	half := new(big.Int).Lsh(big.NewInt(1), point-1)
	n := new(big.Int).Rsh(new(big.Int).Add(v, half), point)
	v.Sub(v, new(big.Int).Lsh(n, point))
	part := new(big.Float).SetInt(v)
	part.SetMantExp(part, -int(point))
	hi, _ := part.Float64()
	lo, _ := part.Sub(part, big.NewFloat(hi)).Float64()
	return fast(hi, lo).times(pair{quarter, quarterLow}), int(new(big.Int).And(n, big.NewInt(3)).Int64())
}

// sine and cosine are those of at most an eighth of a turn.
func sine(r pair) pair {
	z := float64(r.hi * r.hi)
	return fast(r.hi, float64(float64(r.hi*z)*polynomial(z, sines))+float64(r.lo*(1-float64(z/2))))
}

func cosine(r pair) pair {
	z := product(r.hi, r.hi)
	z.lo += float64(2 * r.hi * r.lo)
	c := fast(1, float64(-z.hi/2))
	return fast(c.hi, c.lo-float64(z.lo/2)+float64(float64(z.hi*z.hi)*polynomial(z.hi, cosines)))
}

// sincos are both of an angle.
func sincos(x float64) (sin, cos pair) {
	r, n := turn(x)
	sin, cos = sine(r), cosine(r)
	switch n {
	case 1:
		return cos, sin.minus()
	case 2:
		return sin.minus(), cos.minus()
	case 3:
		return cos.minus(), sin
	}
	return sin, cos
}

// straight reports whether the functions of an angle are those of 0, infinity or NaN.
func straight(x float64) bool { return x == 0 || x != x || math.IsInf(x, 0) }

// Sincos is the sine and the cosine.
func Sincos(x float64) (sin, cos float64) {
	if straight(x) {
		return math.Sincos(x)
	}
	s, c := sincos(x)
	return s.value(), c.value()
}

// Sin is the sine.
func Sin(x float64) float64 {
	s, _ := Sincos(x)
	return s
}

// Cos is the cosine.
func Cos(x float64) float64 {
	_, c := Sincos(x)
	return c
}

// Tan is the tangent.
func Tan(x float64) float64 {
	if straight(x) || math.Abs(x) < 0x1p-30 {
		return math.Tan(x) // x itself, or NaN
	}
	s, c := sincos(x)
	return s.by(c).value()
}
