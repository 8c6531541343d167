package kernel

import (
	"math/rand/v2"
	"testing"
)

// Turned products have the bits of others, and write nothing beside their outputs; so
// for any number of workers, images and boxes.
func TestTurnedBits(t *testing.T) {
	forAsm(t, func(lv *level) { lv.columns[1] = nil }, func(t *testing.T, plain *level) {
		r := rand.New(rand.NewPCG(171, 172))
		e, one := New(3), New(1)
		defer e.Close()
		defer one.Close()
		used := 0
		for i := range rounds(400) {
			c := randCase(r)
			g := &c.g
			if i%4 == 0 { // long sums, several panels of outputs
				*g = Conv{In: 1 + r.IntN(600), Out: 1 + r.IntN(130), KH: 1, KW: 1}
				c.in = Full(1+r.IntN(9), 1+r.IntN(9))
				c.out = c.in
			}
			x := oddSlice(r, c.n*g.In*c.in.Area(), r.IntN(2) == 0)
			w, bias := randSlice(r, g.norm().weights()), randSlice(r, g.Out)
			gap := r.IntN(3)
			ep := Epilogue{ReLU: r.IntN(2) == 0, Stride: g.Out*c.out.Area() + gap}
			if r.IntN(2) == 0 {
				ep.Bias = bias
			}
			if !ep.ReLU && r.IntN(2) == 0 {
				ep.Clip = NewClip(0, 6)
			} else if !ep.ReLU && r.IntN(2) == 0 {
				ep.Func = &Function{HardSwish, 0, 0}
			}
			g.Places = c.out.Area()
			f := PackForward(*g, w)
			if f.subs[0].t.turned {
				used++
			}
			y, ok := guard(t, c.n*ep.Stride)
			y1, want := make([]float32, len(y)), make([]float32, len(y))
			copy(y1, y)
			copy(want, y)
			e.ConvForward(f, c.n, y, c.out, x, c.in, ep)
			ok()
			one.ConvForward(f, c.n, y1, c.out, x, c.in, ep)
			was := active.Swap(plain)
			one.ConvForward(PackForward(*g, w), c.n, want, c.out, x, c.in, ep)
			active.Store(was)
			if !sameBits(y, y1) || !sameBits(y, want) {
				t.Fatalf("%v %+v: differs from the plain product", c, ep)
			}
		}
		if used < rounds(400)/10 {
			t.Errorf("%d cases of %d were turned", used, rounds(400))
		}
	})
}
