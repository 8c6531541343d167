// Package exact has the functions of package math that give other last bits on other processors: there some are written
// in assembly for one, and in the others the compiler makes one instruction of a product and a sum where there is one.
// Here every product is rounded before it is added, or made with a sum by math.FMA, which is the same everywhere, so that
// results are. Most are sums of two floats and rounded once: no more than 0.51 (sines and cosines 0.7) units of the last
// place from the true value; error functions no more than 8.
//
// Mod, Sqrt, Floor, Ceil, Trunc, Round, FMA, Frexp and Ldexp of package math are exact.
package exact

import "math"

// pair is the sum of two floats; the second is at most half a unit of the last place of the first.
type pair struct{ hi, lo float64 }

func of(v float64) pair { return pair{v, 0} }

// sum is a + b, exactly.
func sum(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

// fast is sum where a is not the smaller.
func fast(a, b float64) pair {
	s := a + b
	return pair{s, b - (s - a)}
}

// product is a * b, exactly.
func product(a, b float64) pair {
	p := float64(a * b)
	return pair{p, math.FMA(a, b, -p)}
}

func (a pair) plus(b pair) pair {
	s := sum(a.hi, b.hi)
	return fast(s.hi, s.lo+(a.lo+b.lo))
}

func (a pair) minus() pair { return pair{-a.hi, -a.lo} }

func (a pair) times(b pair) pair {
	p := product(a.hi, b.hi)
	return fast(p.hi, p.lo+(float64(a.hi*b.lo)+float64(a.lo*b.hi)))
}

func (a pair) by(b pair) pair {
	q := a.hi / b.hi
	rest := a.plus(b.times(of(-q)))
	return fast(q, rest.hi/b.hi)
}

// scaled is a times a power of two.
func (a pair) scaled(exponent int) pair {
	return pair{power(a.hi, exponent), power(a.lo, exponent)}
}

func (a pair) root() pair {
	if a.hi == 0 {
		return a
	}
	r := math.Sqrt(a.hi)
	return fast(r, (math.FMA(-r, r, a.hi)+a.lo)/(2*r))
}

func (a pair) value() float64 { return a.hi + a.lo }

// power is v times a power of two, for exponents of -1200 to 1200. It rounds once.
func power(v float64, exponent int) float64 {
	two := func(e int) float64 { return math.Float64frombits(uint64(e+1023) << 52) }
	switch {
	case exponent > 1000:
		return v * two(1000) * two(exponent-1000)
	case exponent < -1000:
		return v * two(exponent+600) * two(-600)
	}
	return v * two(exponent)
}

// polynomial is c[0] + c[1]*x + ...
func polynomial(x float64, c []float64) float64 {
	v := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		v = c[i] + float64(x*v)
	}
	return v
}
