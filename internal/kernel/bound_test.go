package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBound: whatever convolutions an engine runs, by workers that steal, none keeps more than their bound; the bound is
// not many times what is kept.
func TestBound(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		if current() == refLevel {
			t.Skip("the reference keeps nothing")
		}
		r := rand.New(rand.NewPCG(11, 12))
		for _, workers := range []int{1, 3, 8} {
			e := New(workers)
			var bound Bound
			keeps := func(what any) {
				each, shared := e.Scratch()
				if most := slices.Max(each); most > bound.Worker() || shared > bound.Shared() {
					t.Fatalf("%v, %d workers: %d bytes a worker, %d shared; at most %d and %d by the bound %+v", what, workers, most, shared, bound.Worker(), bound.Shared(), bound)
				}
			}
			forward := func(g Conv, n int, in, out Box) {
				f := PackForwardFast(g, make([]float32, g.norm().weights()))
				bound = bound.Max(f.Bound(n, out.H(), out.W(), in, workers))
				e.ConvForward(f, n, make([]float32, n*g.Out*out.Area()), out, make([]float32, n*g.In*in.Area()), in, Epilogue{})
				keeps(g)
			}
			for range rounds(30) {
				c := randCase(r)
				c.g.Places = c.out.Area() * r.IntN(2)
				forward(c.g, c.n, c.in, c.out)
			}
			for _, c := range manyCases {
				forward(c.g, c.n, Full(c.h, c.h), outputs(c.g, c.h))
			}
			g := Conv{In: 16, Out: 40, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}.norm()
			pool := Pool{KH: 3, KW: 3, StrideY: 2, StrideX: 2}
			for _, fast := range []bool{false, true} {
				f := PackForward(g, make([]float32, g.weights()))
				if fast {
					f = PackForwardFast(g, make([]float32, g.weights()))
				}
				for _, n := range []int{1, 5} {
					bound = bound.Max(f.BoundMaxPool(pool, n, 31, 31, 64, 64, Full(64, 64), workers))
					e.ConvMaxPool(f, n, make([]float32, n*40*31*31), Full(31, 31), pool, 64, 64, make([]float32, n*16*64*64), Full(64, 64), Epilogue{})
					keeps("pool")
				}
			}
			first, second := Conv{In: 8, Out: 50, KH: 1, KW: 1}.norm(), Conv{In: 50, Out: 50, KH: 3, KW: 3, Groups: 50, PadTop: 1, PadLeft: 1}.norm()
			weights := func(g Conv) func() []float32 { return func() []float32 { return make([]float32, g.weights()) } }
			if p := packPair(first, second, 60, 60, weights(first), weights(second)); p != nil {
				bound = bound.Max(p.Bound(60, 60, 60, 60))
				e.ConvPair(p, 2, make([]float32, 2*50*3600), Full(60, 60), make([]float32, 2*8*3600), 60, 60, Epilogue{}, Epilogue{})
				keeps("pair")
			}
			if each, _ := e.Scratch(); slices.Max(each) == 0 || bound.Worker() > 20<<20 {
				t.Errorf("%d workers keep %v bytes, the bound is %d", workers, each, bound.Worker())
			}
			e.Close()
		}
	})
}
