package kernel

import (
	"math/rand/v2"
	"testing"
)

// TestCutProduct: cuts by hand, then that no other cut ends sooner by the same costs.
func TestCutProduct(t *testing.T) {
	for _, c := range []struct {
		s              productShape
		workers        int
		chunks, splits int
	}{
		{productShape{count: 1, panels: 24, most: 8, blocks: 9, rows: 14, read: 16, weights: 1}, 1, 3, 1}, // as coarse as can be
		{productShape{count: 1, panels: 16, most: 8, blocks: 9, rows: 14, read: 16, weights: 1}, 2, 4, 1}, // even, and something to steal
		{productShape{count: 1, panels: 1, most: 8, blocks: 16, rows: 14, read: 16, weights: 1}, 4, 1, 4}, // only rows
		{productShape{count: 4, panels: 2, most: 8, blocks: 4, rows: 14, read: 16, weights: 1}, 4, 1, 1},  // groups are enough
	} {
		if chunks, splits := cutProduct(c.s, c.workers); chunks != c.chunks || splits != c.splits {
			t.Errorf("%+v on %d: %d chunks, %d splits; want %d, %d", c.s, c.workers, chunks, splits, c.chunks, c.splits)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		s := productShape{count: 1 + r.IntN(3), panels: 1 + r.IntN(20), most: 1 + r.IntN(8), blocks: 1 + r.IntN(20), rows: 1 + r.IntN(14), read: r.IntN(20), weights: r.IntN(2), begin: r.IntN(20)}
		workers := 1 + r.IntN(33)
		cost := func(chunks, splits int) int {
			p, b := (s.panels+chunks-1)/chunks, (s.blocks+splits-1)/splits
			rounds := (s.count*chunks*splits + workers - 1) / workers
			return (2*p*(b*s.rows+s.read) + b*s.rows*s.weights + 2*s.begin) * (8*rounds + min(workers-1, 8))
		}
		chunks, splits := cutProduct(s, workers)
		if chunks < 1 || chunks > s.panels || splits < 1 || splits > s.blocks || (s.panels+chunks-1)/chunks > s.most {
			t.Fatalf("%+v on %d: %d chunks, %d splits", s, workers, chunks, splits)
		}
		for c := (s.panels + s.most - 1) / s.most; c <= s.panels; c++ {
			for n := 1; n <= s.blocks; n++ {
				if cost(c, n) < cost(chunks, splits) {
					t.Fatalf("%+v on %d: %d chunks, %d splits cost %d; %d, %d cost %d", s, workers, chunks, splits, cost(chunks, splits), c, n, cost(c, n))
				}
			}
		}
	}
}

// manyCases are convolutions that many workers cut in different ways.
var manyCases = []struct {
	g Conv
	n int
	h int
}{
	{Conv{In: 40, Out: 70, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}, 1, 28},                         // tiles in stages
	{Conv{In: 20, Out: 18, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}, 3, 36},                         // tiles in local tasks for some
	{Conv{In: 70, Out: 90, KH: 3, KW: 3, StrideY: 2, StrideX: 2, PadTop: 1, PadLeft: 1}, 1, 15}, // sums of several blocks
	{Conv{In: 30, Out: 64, KH: 1, KW: 1, StrideY: 2, StrideX: 2}, 2, 9},                         // panels across images
	{Conv{In: 32, Out: 48, KH: 3, KW: 3, StrideY: 2, StrideX: 2, Groups: 2, PadTop: 1}, 1, 13},  // groups
	{Conv{In: 200, Out: 100, KH: 1, KW: 1}, 1, 6},                                               // a single run of columns
}

// TestManyWorkers: however finely work is cut, also where many workers share packed columns or the stages of tiles, the
// bits are those of one worker.
func TestManyWorkers(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		one := New(1)
		for _, c := range manyCases {
			in := Full(c.h, c.h)
			out := outputs(c.g, c.h)
			x, w := randSlice(r, c.n*c.g.In*in.Area()), randSlice(r, c.g.norm().weights())
			ep := Epilogue{Bias: randSlice(r, c.g.Out), ReLU: true}
			f := PackForwardFast(c.g, w)
			want := make([]float32, c.n*c.g.Out*out.Area())
			one.ConvForward(f, c.n, want, out, x, in, ep)
			for _, workers := range []int{2, 5, 8, 32} {
				e := New(workers)
				for range 2 { // the second time with the memory of the first
					got := make([]float32, len(want))
					e.ConvForward(f, c.n, got, out, x, in, ep)
					if !equalBits(got, want) {
						t.Errorf("%v, %d images: %d workers differ from one", c.g, c.n, workers)
					}
				}
				e.Close()
			}
		}
	})
}

// TestSharedColumns: columns of a strided convolution are packed once for eight workers, and by each for two.
func TestSharedColumns(t *testing.T) {
	for _, c := range []struct{ workers, loops int }{{2, 2}, {8, 3}} {
		e := New(1)
		loops := 0
		e.Simulate(c.workers, func(n int, inOrder bool, f func(i, worker int)) {
			loops++
			for i := range n {
				f(i, i*c.workers/n)
			}
		})
		if current() == refLevel {
			t.Skip("no products")
		}
		g := Conv{In: 128, Out: 256, KH: 3, KW: 3, StrideY: 2, StrideX: 2, PadTop: 1, PadLeft: 1}
		f := PackForward(g, make([]float32, g.norm().weights()))
		e.ConvForward(f, 1, make([]float32, 256*14*14), Full(14, 14), make([]float32, 128*28*28), Full(28, 28), Epilogue{})
		if loops != c.loops {
			t.Errorf("%d workers: %d loops, want %d", c.workers, loops, c.loops)
		}
	}
}

// outputs is the box of the outputs of maps of h x h, padded alike on both sides.
func outputs(g Conv, h int) Box {
	g = g.norm()
	return Full((h+2*g.PadTop-g.KH)/g.StrideY+1, (h+2*g.PadLeft-g.KW)/g.StrideX+1)
}
