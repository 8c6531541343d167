package kernel

import (
	"math/rand/v2"
	"testing"
)

// Rows by turns have their numbers, and sums their bits, on every level, and nothing is written behind them.
func TestWeave(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		v := current().vector
		if v == nil {
			t.Skip("plain Go")
		}
		r := rand.New(rand.NewPCG(31, 32))
		for _, n := range []int{8, 16, 24, 64, 200} {
			a, b, c, d := randSlice(r, n), randSlice(r, n), randSlice(r, n), randSlice(r, n)
			got, ok := guard(t, 2*n)
			v.weave(&got[0], &a[0], &b[0], n)
			ok()
			for i := range a {
				if got[2*i] != a[i] || got[2*i+1] != b[i] {
					t.Fatalf("%d: pair %d is %v, want %v and %v", n, i, got[2*i:2*i+2], a[i], b[i])
				}
			}
			v.weaveSums(&got[0], &a[0], &b[0], &c[0], &d[0], n, 0.25, 0.7, -0.3, 1.1)
			ok()
			for i := range a {
				even, odd := 0+float32(a[i]*0.25)+float32(b[i]*0.7), 0+float32(c[i]*-0.3)+float32(d[i]*1.1)
				if got[2*i] != even || got[2*i+1] != odd {
					t.Fatalf("%d: pair %d is %v, want %v and %v", n, i, got[2*i:2*i+2], even, odd)
				}
			}
			odd := n - 3 // lengths that are no multiple
			weave(v, got[:2*odd+1], a[:odd+1], b[:odd])
			for i := range odd {
				if got[2*i] != a[i] || got[2*i+1] != b[i] || got[2*odd] != a[odd] {
					t.Fatalf("%d: pair %d is %v, want %v and %v", odd, i, got[2*i:2*i+2], a[i], b[i])
				}
			}
		}
	})
}
