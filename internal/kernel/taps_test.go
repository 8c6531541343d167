package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The taps of a new axis give the bits of the definition on every level, with guards,
// negative zeros and values that are not numbers, for any number of workers.
func TestTapsAxis(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(91, 92))
		one, many := New(1), New(3)
		defer many.Close()
		for round := range rounds(200) {
			x := Axis{1 + r.IntN(5), 1 + r.IntN(40), 1}
			if r.IntN(2) == 0 {
				x.Inner = 1 + r.IntN(100)
			}
			to := 1 + r.IntN(90)
			taps := &Taps{Count: 1 + r.IntN(4), Fill: []float32{0, 2, float32(math.Copysign(0, -1)), float32(math.NaN())}[r.IntN(4)]}
			for range to * taps.Count {
				taps.Index = append(taps.Index, max(r.IntN(x.Size+2)-2, -1))
			}
			if round%3 > 0 {
				taps.Weight = randSlice(r, len(taps.Index))
			}
			src := randSlice(r, x.Outer*x.Size*x.Inner)
			for range len(src)/8 + 1 {
				src[r.IntN(len(src))] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Copysign(0, -1)), 0}[r.IntN(4)]
			}
			out := x.Outer * to * x.Inner
			d, ok := guard(t, out)
			one.TapsAxis(x, taps, d, src)
			ok()
			other := make([]float32, out)
			many.TapsAxis(x, taps, other, src)
			job := &loopJob{taps: taps, dim: [6]int{x.Size, x.Inner, to}}
			job.s[0], job.s[1] = make([]float32, out), src
			refTapsAxis(job, 0, x.Outer*to)
			for i, want := range job.s[0] {
				if !sameNumber(d[i], want) || !sameNumber(other[i], want) {
					t.Fatalf("%v, %d taps to %d: number %d is %v and %v, want %v", x, taps.Count, to, i, d[i], other[i], want)
				}
			}
		}
	})
}

// sameNumber reports whether two numbers have the same bits or are both not numbers.
func sameNumber(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// Numbers of an axis that are not there are refused.
func TestTapsAxisRefuses(t *testing.T) {
	for name, taps := range map[string]*Taps{
		"beyond":  {Count: 1, Index: []int{0, 3}},
		"before":  {Count: 1, Index: []int{-2}},
		"groups":  {Count: 2, Index: []int{0, 1, 2}},
		"weights": {Count: 1, Index: []int{0, 1}, Weight: []float32{1}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			New(1).TapsAxis(Axis{1, 3, 1}, taps, make([]float32, 9), make([]float32, 3))
		})
	}
}
