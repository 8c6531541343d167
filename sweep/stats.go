package sweep

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"gonum.org/v1/gonum/stat/combin"
)

// spearman is the rank correlation of x and y, where both are finite, and the
// share of orders of y that give one as strong: of all orders up to 8 pairs,
// beyond of 20000 random ones.
func spearman(x, y []float64) (rho, p float64, n int) {
	var a, b []float64
	for i := range x {
		if x[i]-x[i] == 0 && y[i]-y[i] == 0 {
			a, b = append(a, x[i]), append(b, y[i])
		}
	}
	n = len(a)
	ra, rb := ranks(a), ranks(b)
	rho = exact.Correlation(ra, rb)
	if n < 3 || rho != rho {
		return math.NaN(), math.NaN(), n
	}
	as, all := 0, 0
	try := func(order []float64) {
		all++
		if math.Abs(exact.Correlation(ra, order)) >= math.Abs(rho)-1e-12 {
			as++
		}
	}
	if n <= 8 {
		order := make([]float64, n)
		for g := combin.NewPermutationGenerator(n, n); g.Next(); {
			for k, i := range g.Permutation(nil) {
				order[k] = rb[i]
			}
			try(order)
		}
	} else {
		rng := rand.New(rand.NewPCG(1, 2))
		order := slices.Clone(rb)
		for range 20000 {
			rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
			try(order)
		}
	}
	return rho, float64(as) / float64(all), n
}

// ranks gives equals their mean rank.
func ranks(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, a := range v {
		below, same := 0, 0
		for _, b := range v {
			if b < a {
				below++
			}
			if b == a {
				same++
			}
		}
		out[i] = float64(below) + float64(float64(same+1)/2)
	}
	return out
}

// meanStd is the mean and the standard deviation, as over a sample (n-1); NaN if there are too few.
func meanStd(v []float64) (mean, std float64) {
	if len(v) == 0 {
		return math.NaN(), math.NaN()
	}
	if len(v) == 1 {
		return v[0], math.NaN()
	}
	return exact.MeanStdDev(v)
}
