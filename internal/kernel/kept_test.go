package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Signals times slopes that are kept have the bits of MapSlope on every level, also where they are 0.
func TestMulKept(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(41, 42))
		e := New(1)
		for f := range funcCount {
			fn := Function{f, 1, 0}
			if !fn.HasSlope() {
				continue
			}
			n := 1 + r.IntN(90)
			x, g, ones := randSlice(r, n), randSlice(r, n), make([]float32, n)
			for i := range x {
				x[i], ones[i] = 9*x[i], 1
				if r.IntN(4) == 0 {
					g[i] = 0
				}
			}
			x[r.IntN(n)] = float32(math.NaN())
			want, slopes := make([]float32, n), make([]float32, n)
			e.MapSlope(fn, want, g, x)
			e.MapSlope(fn, slopes, ones, x)
			got, ok := guard(t, n)
			e.MulKept(got, g, slopes)
			ok()
			for i, v := range want {
				if !sameNumber(got[i], v) {
					t.Fatalf("function %d of %v: signal %v becomes %v, want %v", f, x[i], g[i], got[i], v)
				}
			}
		}
	})
}
