package render

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestGamma: bytes looked up are those of the definition, around every step, too.
func TestGamma(t *testing.T) {
	check := func(x float64) {
		if got, want := gamma(x), gammaByDefinition(x); got != want {
			t.Fatalf("%.17g: %d, want %d", x, got, want)
		}
	}
	for _, step := range gammaSteps()[:256] {
		x := step
		for range 20 {
			check(x)
			x = math.Nextafter(x, 2)
		}
		for _, by := range []float64{-1e-8, -1.1e-9, -1e-9, -1e-12, 1e-12, 1e-9, 1.1e-9, 1e-8} {
			check(step + by)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		check(1.2*rng.Float64() - 0.1)
	}
}
