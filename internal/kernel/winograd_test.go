package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Winograd's error: its transforms multiply by up to 8 and 5 and cancel again.
// For unit normal weights and inputs the outputs are of size ks*sqrt(channels),
// relative to which the root of the mean square error is 1e-6 at 16 channels and
// 3e-6 at 520, the largest of thousands up to 6e-5 (direct sums: 4e-7 and 2e-6).
// The bounds are about twice that.
func TestWinograd(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(31, 32))
		e, one := New(3), New(1)
		defer e.Close()
		used := map[[2]int]int{}
		if current().winogradIn[6] == nil {
			if f := PackForwardFast(Conv{In: 16, Out: 16, KH: 3, KW: 3}, make([]float32, 16*16*9)); len(f.win) > 0 {
				t.Error("packed for an algorithm that is not there")
			}
			return
		}
		for round := range max(3, rounds(18)) {
			g := Conv{In: 16 + r.IntN(40), Out: 16 + r.IntN(40), KH: 3, KW: 3, PadTop: r.IntN(3), PadLeft: r.IntN(3)}
			h, w := 7+r.IntN(30), 7+r.IntN(70)
			if round%3 == 2 {
				g.KH, g.KW = 5, 5
			}
			if round%3 == 1 { // few tiles
				h, w = 14, 14
			}
			if round == 0 {
				g.In = 520 // two blocks of k
			}
			out := rect(0, 0, 4+r.IntN(h), 4+r.IntN(w)).Shift(r.IntN(5)-2, r.IntN(5)-2)
			in := Full(h, w)
			n := 1 + r.IntN(5)
			switch round % 3 {
			case 0:
				if round == 3 { // several bands
					g.In, h, w, n, out = 48, 150, 130, 1, Full(147, 131)
					in = Full(h, w)
					break
				}
				n, out = 2, rect(-1, 1, 17, 22)
			case 1:
				n, out = 1, Full(7, 9)
				if round%2 == 0 {
					out = Full(14, 13)
				}
			}
			x, wt, bias := randSlice(r, n*g.In*in.Area()), randSlice(r, g.norm().check().weights()), randSlice(r, g.Out)
			f := PackForwardFast(g, wt)
			if w := f.winograd(n, out.H(), out.W()); w != nil {
				used[[2]int{w.alpha, w.size}]++
			}
			check := func(what string, got, want []float32, chans int) {
				t.Helper()
				sum, worst := 0.0, 0.0
				for i := range want {
					d := math.Abs(float64(got[i]) - float64(want[i]))
					if math.IsNaN(d) {
						d = math.Inf(1)
					}
					sum += d * d
					worst = max(worst, d)
				}
				size := float64(g.KH) * math.Sqrt(float64(chans))
				if rms := math.Sqrt(sum / float64(len(want))); rms > 6e-6*size || worst > 1.5e-4*size {
					t.Fatalf("%s %+v n=%d %v to %v: error %.2g rms, %.2g at most, relative to %.3g", what, g, n, in, out, rms/size, worst/size, size)
				}
			}
			y, ok := guard(t, n*g.Out*out.Area())
			ep := Epilogue{Bias: bias, ReLU: round%2 == 0}
			e.ConvForward(f, n, y, out, x, in, ep)
			ok()
			want := make([]float32, len(y))
			for p := range n * g.Out {
				refConvForward(g.norm(), wt, p/g.Out, p%g.Out, want, out, x, in, ep)
			}
			check("forward", y, want, g.In)
			y1 := make([]float32, len(y))
			one.ConvForward(f, n, y1, out, x, in, ep)
			if !equalBits(y, y1) {
				t.Fatalf("%+v: three workers differ from one", g)
			}

			fd := PackDataFast(g, wt)
			dx, ok := guard(t, n*g.In*in.Area())
			dy := randSlice(r, len(y))
			e.ConvData(fd, n, dx, in, dy, out)
			ok()
			want = make([]float32, len(dx))
			for p := range n * g.In {
				refConvData(g.norm(), wt, p/g.In, p%g.In, want, in, dy, out)
			}
			check("data", dx, want, g.Out)
		}
		if len(used) != 3 {
			t.Errorf("tiles used: %v, want all three kinds", used)
		}
	})
}
