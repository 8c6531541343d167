package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func randomRecurrent(rng *rand.Rand, r Recurrent) RecurrentWeights {
	g := r.Cell.Gates() * r.Hidden
	fill := func(n int, scale float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64() * scale)
		}
		return v
	}
	return RecurrentWeights{fill(g*r.In, 0.5), fill(g*r.Hidden, 0.5), fill(g, 0.3), fill(g, 0.3)}
}

// Every level gives what plain loops in float64 give, to the precision of a few
// chained steps, and the same bits with any number of workers.
func TestRecurrentForward(t *testing.T) {
	for _, cell := range []Cell{RNN, LSTM, GRU} {
		for _, n := range []int{1, 3, 17} {
			r := Recurrent{Cell: cell, Steps: 5, In: 7, Hidden: 13}
			t.Run(fmt.Sprint(cell, n), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, uint64(n)))
				w := randomRecurrent(rng, r)
				x := make([]float32, n*r.Steps*r.In)
				for i := range x {
					x[i] = float32(rng.NormFloat64())
				}
				run := func(level string, workers int) (y, hidden []float32) {
					defer Force(level)()
					e := New(workers)
					defer e.Close()
					var s Recurrence
					y = make([]float32, n*r.Hidden)
					for range 2 {
						e.RecurrentForward(r, n, &s, y, x, w)
					}
					return y, append([]float32(nil), s.Hidden(r, n)...)
				}
				wantY, want := run("ref", 1)
				for _, level := range Names() {
					y, hidden := run(level, 1)
					for i := range hidden {
						if math.Abs(float64(hidden[i]-want[i])) > 2e-6 {
							t.Fatalf("%s: hidden[%d] = %v, want %v", level, i, hidden[i], want[i])
						}
					}
					for i := range y {
						if math.Abs(float64(y[i]-wantY[i])) > 2e-6 {
							t.Fatalf("%s: y[%d] = %v, want %v", level, i, y[i], wantY[i])
						}
					}
					for i, v := range other(run(level, 3)) {
						if v != hidden[i] {
							t.Fatalf("%s: another result with 3 workers", level)
						}
					}
				}
			})
		}
	}
}

func other(_, b []float32) []float32 { return b }

// Gradients agree with central differences of the float64 reference's last
// state: those are good to about 1e-4 here, for the reference stores float32.
func TestRecurrentBackward(t *testing.T) {
	const n = 3
	for _, cell := range []Cell{RNN, LSTM, GRU} {
		t.Run(fmt.Sprint(cell), func(t *testing.T) {
			r := Recurrent{Cell: cell, Steps: 4, In: 3, Hidden: 5}
			rng := rand.New(rand.NewPCG(2, 3))
			w := randomRecurrent(rng, r)
			x, dy := make([]float32, n*r.Steps*r.In), make([]float32, n*r.Hidden)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			for i := range dy {
				dy[i] = float32(rng.NormFloat64())
			}
			e := New(2)
			defer e.Close()
			y := make([]float32, n*r.Hidden)
			loss := func() float64 {
				defer Force("ref")()
				var s Recurrence
				e.RecurrentForward(r, n, &s, y, x, w)
				sum := 0.0
				for i, v := range y {
					sum += float64(v) * float64(dy[i])
				}
				return sum
			}
			d := RecurrentWeights{make([]float32, len(w.WX)), make([]float32, len(w.WH)), make([]float32, len(w.BX)), make([]float32, len(w.BH))}
			dx := make([]float32, len(x))
			var s Recurrence
			for range 2 {
				e.RecurrentForward(r, n, &s, y, x, w)
				e.RecurrentBackward(r, n, &s, d, dx, dy, w)
			}
			for _, c := range []struct {
				name      string
				value, by []float32
			}{{"WX", w.WX, d.WX}, {"WH", w.WH, d.WH}, {"BX", w.BX, d.BX}, {"BH", w.BH, d.BH}, {"x", x, dx}} {
				for i := range c.value {
					v := c.value[i]
					const h = 1.0 / 256
					c.value[i] = v + h
					up := loss()
					c.value[i] = v - h
					down := loss()
					c.value[i] = v
					if want := (up - down) / (2 * h); math.Abs(want-float64(c.by[i])) > 3e-4 {
						t.Fatalf("%s[%d]: gradient %v, want %v", c.name, i, c.by[i], want)
					}
				}
			}
		})
	}
}

func TestExp32(t *testing.T) {
	for x := float32(-80); x <= 80; x += 0.0137 {
		if got, want := float64(exp32(x)), math.Exp(float64(x)); math.Abs(got/want-1) > 4e-7 {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestActivate(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		lv := current()
		if lv == refLevel {
			t.Skip("the reference has its own")
		}
		inf, spare := float32(math.Inf(1)), make([]float32, lv.block)
		for n := range 75 {
			src := make([]float32, n)
			for i := range src {
				src[i] = float32(i-n/2) * 0.37 * float32(1+n%9)
			}
			if n > 40 {
				src[3], src[n-1], src[n-2], src[5] = inf, -inf, float32(math.NaN()), 1e-6
			}
			for _, c := range []struct {
				a    activation
				want func(x float64) float64
			}{{tanh, math.Tanh}, {sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }}} {
				dst, check := guard(t, n)
				lv.activate(c.a, dst, src, spare)
				check()
				for i, v := range dst {
					if got, want := float64(v), c.want(float64(src[i])); !(math.Abs(got-want) <= 2e-7) && (want == want || got == got) {
						t.Fatalf("%v of %v: %v, want %v", c.a, src[i], got, want)
					}
				}
				// In place, and wherever in the vector, the bits are the same.
				for i := range n {
					one := []float32{src[i]}
					if lv.activate(c.a, one, one, spare); one[0] != dst[i] && one[0] == one[0] {
						t.Fatalf("%v of %v: %v alone, %v among others", c.a, src[i], one[0], dst[i])
					}
				}
			}
		}
	})
}
