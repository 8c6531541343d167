package kernel

import (
	"math/rand/v2"
	"testing"
)

// TestConvPair: two convolutions together have the bits of one after the other, for blocks and bands of every size, and
// write nothing else.
func TestConvPair(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(71, 72))
		e := New(3)
		defer e.Close()
		pick := func(v ...int) int { return v[r.IntN(len(v))] }
		for round := range rounds(40) {
			n, h, w, maps := pick(1, 1, 2), 1+r.IntN(30), 1+r.IntN(40), pick(1, 5, 12, 13, 24, 31)
			if round%8 == 0 { // bands
				h, w = 80, 190
			}
			k := pick(3, 3, 5)
			first := Conv{In: pick(1, 3, 16, 48), Out: maps, KH: 1, KW: 1}
			second := Conv{In: maps, Out: maps, Groups: maps, KH: k, KW: k, StrideY: pick(1, 2), PadTop: r.IntN(3), PadLeft: r.IntN(3)}
			second.StrideX = second.StrideY
			out := rect(0, 0, (h+3)/second.StrideY+1, (w+2)/second.StrideX+1)
			a, b := randSlice(r, first.check().weights()), randSlice(r, second.check().weights())
			x := randSlice(r, n*first.In*h*w)
			mid := Epilogue{Bias: randSlice(r, maps), Clip: NewClip(0, 6)}
			last := Epilogue{ReLU: round%2 == 0, Stride: maps*out.Area() + pick(0, 7)}
			if round%3 == 0 {
				mid = Epilogue{Func: &Function{Func: Swish, A: 1}}
				last.Bias, last.ReLU, last.Func = randSlice(r, maps), false, mid.Func
			}
			p := packPair(first.check(), second.check(), h, w, func() []float32 { return a }, func() []float32 { return b })
			if p == nil {
				if current() != refLevel && current() != genericLevel {
					t.Fatalf("%+v and %+v are no pair", first, second)
				}
				continue
			}
			m := make([]float32, n*maps*h*w)
			e.ConvForward(PackForward(first, a), n, m, Full(h, w), x, Full(h, w), mid)
			size := (n-1)*last.Stride + maps*out.Area()
			want, ok := guard(t, size)
			e.ConvForward(PackForward(second, b), n, want, out, m, Full(h, w), last)
			ok()
			got, ok := guard(t, size)
			copy(got, want) // what is between images
			for i := range n {
				clear(got[i*last.Stride:][:maps*out.Area()])
			}
			e.ConvPair(p, n, got, out, x, h, w, mid, last)
			ok()
			if i := same(got, want); i >= 0 {
				t.Fatalf("%d of %dx%d, %+v, %+v: value %d is %v, want %v", n, h, w, first, second, i, got[i], want[i])
			}
		}
	})
}
