package exact

import "math"

// The functions of this file add from the first to the last, which others do in an order of each processor.

// Mean is the mean of numbers; of none it is NaN.
func Mean(v []float64) float64 {
	total := 0.0
	for _, x := range v {
		total += x
	}
	return total / float64(len(v))
}

// products are the sums of the products of what two lists have above their means. What rounding of the means left is
// taken out again.
func products(x, y []float64) float64 {
	mx, my, n := Mean(x), Mean(y), float64(len(x))
	var total, left, other float64
	for i := range x {
		a, b := x[i]-mx, y[i]-my
		total += float64(a * b)
		left += a
		other += b
	}
	return total - float64(left*other)/n
}

// MeanStdDev is the mean of numbers and their standard deviation, by n - 1; of one number that is NaN.
func MeanStdDev(v []float64) (mean, std float64) {
	return Mean(v), math.Sqrt(products(v, v) / float64(len(v)-1))
}

// Correlation is Pearson's coefficient of two lists of a length.
func Correlation(x, y []float64) float64 {
	return products(x, y) / math.Sqrt(products(x, x)*products(y, y))
}

// Student is how likely a value of Student's distribution, with so many degrees of freedom, is at least as far from 0 as t.
func Student(t float64, freedom int) float64 {
	if math.IsInf(t, 0) {
		return 0
	}
	a, square := float64(float64(freedom)/2), float64(t*t)
	x, rest := float64(freedom)/(float64(freedom)+square), square/(float64(freedom)+square)
	// Of the beta function of a and 1/2, from 1/2 or 1 up.
	beta, at := math.Pi, 0.5
	if freedom%2 == 0 {
		beta, at = 2, 1
	}
	for ; at < a; at++ {
		beta *= at / (at + 0.5)
	}
	front := Pow(x, a) * math.Sqrt(rest) / beta
	if float64(x*(a+2.5)) < a+1 {
		return front * fraction(x, a, 0.5) / a
	}
	return 1 - float64(2*front*fraction(rest, 0.5, a))
}

// fraction is the continued fraction of the incomplete beta function, by Lentz's method.
func fraction(x, a, b float64) float64 {
	const tiny = 1e-300
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-float64((a+b)*x/(a+1)))
	h := d
	for i := 1; i < 1000; i++ {
		m := float64(i)
		before := h
		for _, k := range []float64{
			m * (b - m) * x / ((a + float64(2*m) - 1) * (a + float64(2*m))),
			-(a + m) * (a + b + m) * x / ((a + float64(2*m)) * (a + float64(2*m) + 1)),
		} {
			d = 1 / away(1+float64(k*d))
			c = away(1 + k/c)
			h *= float64(c * d)
		}
		if math.Abs(h-before) < 1e-17*math.Abs(h) || h == before {
			break
		}
	}
	return h
}
