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
			if round%2 == 0 { // twice as long, from somewhere on
				x.Size, x.Inner, taps.Count = 20+r.IntN(60), 1, 1+round/2%2
				taps.doubled(r, x.Size)
				to = len(taps.Index) / taps.Count
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

// doubled makes taps of an axis twice as long with edges that are cut off, some weight or place other than by the rule.
func (t *Taps) doubled(r *rand.Rand, size int) {
	w, far := randSlice(r, 2*t.Count), []int{r.IntN(3), r.IntN(3), r.IntN(3), r.IntN(3)}
	t.Index, t.Weight = nil, nil
	for i := range 2 * size {
		for k := range t.Count {
			t.Index = append(t.Index, min(max(i/2+far[i%2*t.Count+k]-1, 0), size-1))
			if t.Count == 2 {
				t.Weight = append(t.Weight, w[i%2*t.Count+k])
			}
		}
	}
	if at := r.IntN(2 * size); r.IntN(2) == 0 {
		t.Index[at*t.Count] = -1
	}
	if t.Weight != nil && r.IntN(3) == 0 {
		t.Weight[r.IntN(len(t.Weight))] = 2
	}
}

// An axis twice as long by linear interpolation is made in pairs from its second number on; where a tap differs pairs end.
func TestTapsDoubles(t *testing.T) {
	linear := func() *Taps {
		t := &Taps{Count: 2}
		for i := range 60 {
			low := (i+1)/2 - 1
			w := []float32{0.25, 0.75}[(i+1)%2]
			t.Index, t.Weight = append(t.Index, max(low, 0), min(low+1, 29)), append(t.Weight, w, 1-w)
		}
		return t
	}
	broken := linear()
	broken.Weight[2*40] = 3
	three := linear()
	three.Count = 4
	for name, tt := range map[string]struct {
		taps        *Taps
		from, pairs int
	}{
		"linear": {linear(), 1, 24}, "a weight": {broken, 1, 16}, "four taps": {three, 0, 0},
		"nearest": {&Taps{Count: 1, Index: []int{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8}}, 0, 8},
		"as long": {&Taps{Count: 1, Index: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}}, 16, 0},
		"short":   {&Taps{Count: 1, Index: []int{0}}, 0, 0},
	} {
		if from, pairs := tt.taps.doubles(); pairs != tt.pairs || pairs > 0 && from != tt.from {
			t.Errorf("%s: %d pairs from %d on, want %d from %d on", name, pairs, from, tt.pairs, tt.from)
		}
	}
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
