package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// clips are ranges with all kinds of ends.
var clips = [][2]float32{{0, 6}, {-1, 1}, {0, 0}, {float32(math.Copysign(0, -1)), 2}, {-2, float32(math.Inf(1))}, {1, 3}, {float32(math.Inf(-1)), -0.5}}

func TestClip(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(91, 92))
		e := New(2)
		defer e.Close()
		for _, c := range clips {
			for _, n := range []int{0, 1, 7, 16, 65, 1000, 40000} {
				x := oddSlice(r, n, true)
				want := make([]float32, n)
				for i, v := range x {
					want[i] = min(max(v, c[0]), c[1])
				}
				got, ok := guard(t, n)
				e.Clip(NewClip(c[0], c[1]), got, x)
				ok()
				e.Clip(NewClip(c[0], c[1]), x, x)
				if !sameBits(got, want) || !sameBits(x, want) {
					t.Fatalf("%v of %d values differs", c, n)
				}
			}
		}
	})
}

// A convolution with an epilogue has the bits of the convolution and then the
// function, whatever way it is computed in.
func TestEpilogue(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(93, 94))
		e := New(3)
		defer e.Close()
		try := func(c convCase) {
			g := c.g.norm()
			x, w, bias := oddSlice(r, c.n*g.In*c.in.Area(), true), randSlice(r, g.weights()), randSlice(r, g.Out)
			limits := clips[r.IntN(len(clips))]
			size := g.Out * c.out.Area()
			gap := r.IntN(3)
			for _, f := range []*Filters{PackForward(c.g, w), PackForwardFast(c.g, w)} {
				want := make([]float32, c.n*(size+gap))
				got, ok := guard(t, len(want))
				copy(got, want)
				e.ConvForward(f, c.n, want, c.out, x, c.in, Epilogue{Bias: bias, Stride: size + gap})
				for i, v := range want {
					if i%(size+gap) < size {
						want[i] = min(max(v, limits[0]), limits[1])
					}
				}
				e.ConvForward(f, c.n, got, c.out, x, c.in, Epilogue{Bias: bias, Clip: NewClip(limits[0], limits[1]), Stride: size + gap})
				ok()
				if !sameBits(got, want) {
					t.Fatalf("%v: clip to %v differs", c, limits)
				}
				fn := Function{Func: Func(r.IntN(int(funcCount))), A: 0.5, B: 0.25}
				e.ConvForward(f, c.n, want, c.out, x, c.in, Epilogue{Bias: bias, Stride: size + gap})
				for i := range c.n {
					e.Map(fn, want[i*(size+gap):][:size], want[i*(size+gap):][:size])
				}
				e.ConvForward(f, c.n, got, c.out, x, c.in, Epilogue{Bias: bias, Func: &fn, Stride: size + gap})
				ok()
				if !sameBits(got, want) {
					t.Fatalf("%v: function %v differs", c, fn)
				}
			}
		}
		for range rounds(200) {
			try(randCase(r))
		}
		for _, s := range [][4]int{{1, 20, 40, 3}, {3, 16, 23, 3}, {2, 32, 20, 5}, {4, 24, 7, 3}, {5, 40, 5, 1}, {1, 48, 33, 1}} { // images, channels, size, kernel
			n, ch, h, ks := s[0], s[1], s[2], s[3]
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				g := Conv{In: ch, Out: ch + 3, KH: ks, KW: ks, PadTop: ks / 2, PadLeft: ks / 2}
				try(convCase{g, n, Full(h, h), Full(h, h)})
			})
		}
	})
}
