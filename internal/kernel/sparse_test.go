package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Signals with many zeros give the same numbers by the sparse way as by the
// product, whatever the share of zeros, the geometry and the boxes. pays is left
// out: runSparse is called where it would not pay as well.
func TestConvDataSparse(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		e := New(2)
		defer e.Close()
		defer func(n int) { sparseFloats = n }(sparseFloats)
		used := 0
		for range rounds(400) {
			c := randCase(r)
			if r.IntN(3) == 0 {
				c.g.In, c.g.Groups = 16+r.IntN(40), 1
				c.g.Out = 1 + r.IntN(6)
			}
			g := c.g.norm()
			w := randSlice(r, g.weights())
			dy := randSlice(r, c.n*g.Out*c.out.Area())
			share := r.Float64()
			for i := range dy {
				if r.Float64() < share {
					dy[i] = 0
				}
			}
			f := PackDataSparse(c.g, w, false)
			size := c.n * g.In * c.in.Area()
			want := make([]float32, size)
			e.ConvData(f, c.n, want, c.in, dy, c.out)
			got, check := guard(t, size)
			e.ConvDataSparse(f, c.n, got, c.in, dy, c.out)
			check()
			if !slices.Equal(got, want) {
				t.Fatalf("%v: not the bits of ConvData", c)
			}
			if f.sparse == nil || c.in.Empty() || c.out.Empty() {
				continue
			}
			used++
			for i := range c.n {
				got, check := guard(t, size/c.n)
				y := dy[i*len(dy)/c.n:][:len(dy)/c.n]
				j := new(sparseJob)
				count := 0
				for _, v := range y {
					if v != 0 {
						count++
					}
				}
				sparseFloats = []int{192 << 10, 300, 1}[r.IntN(3)] // bands of many rows or few
				if n := j.find(f, y); n != count {
					t.Fatalf("%v: found %d values of %d", c, n, count)
				}
				e.runSparse(f, j, got, c.in, c.out)
				check()
				if !slices.Equal(got, want[i*size/c.n:][:size/c.n]) {
					t.Fatalf("%v image %d, %d values: not the bits of ConvData", c, i, count)
				}
			}
		}
		if used == 0 && current() != refLevel {
			t.Error("the sparse way was never taken")
		}
	})
}

// Weight gradients of signals with many zeros are the same numbers by the sparse
// way as by the product. pays is left out here, too.
func TestConvWeightsSparse(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		lv := current()
		if lv.gather[1] == nil {
			t.Skip("this level has no sparse way")
		}
		r := rand.New(rand.NewPCG(5, 6))
		e := New(2)
		defer e.Close()
		used, split := 0, 0
		for i := range rounds(400) {
			c := randCase(r)
			if i == 0 { // images one by one, since several do not fit into scratch memory
				c = convCase{Conv{In: 16, Out: 3, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}, 3, Full(190, 190), Full(190, 190)}
			} else if r.IntN(2) == 0 {
				c.g.In, c.g.Out, c.g.Groups = []int{16, 32, 1 + r.IntN(60)}[r.IntN(3)], 1+r.IntN(40), 1
			}
			g := c.g.norm()
			if g.Groups > 1 || g.DilX > 1 || c.out.Empty() {
				continue
			}
			x := randSlice(r, c.n*g.In*c.in.Area())
			dy := randSlice(r, c.n*g.Out*c.out.Area())
			share := []float64{0, 0.5, 0.9, 1}[r.IntN(4)]
			for i := range dy {
				if r.Float64() < share {
					dy[i] = 0
				}
			}
			var db, wantDB []float32
			if r.IntN(2) == 0 {
				db, wantDB = make([]float32, g.Out), make([]float32, g.Out)
			}
			want := make([]float32, g.weights())
			e.runWeights(lv, g, c.n, want, wantDB, x, c.in, dy, c.out)
			got, check := guard(t, len(want))
			j := e.sparseWeights(lv, g, c.out)
			e.runSparseWeights(j, c.n, got, db, x, c.in, dy)
			check()
			if !slices.Equal(got, want) || !slices.Equal(db, wantDB) {
				t.Fatalf("%v: not the bits of the product", c)
			}
			used++
			if j.vecs >= len(lv.gather[1]) {
				split++
			}
		}
		if used < 20 || split == 0 && !testing.Short() {
			t.Errorf("the sparse way was taken %d times, with rows in parts %d times", used, split)
		}
	})
}

func BenchmarkConvWeightsSparse(b *testing.B) {
	for _, c := range []struct {
		name string
		g    Conv
		side int
	}{
		{"lenet_conv1", Conv{In: 1, Out: 32, KH: 5, KW: 5, PadTop: 2, PadLeft: 2}, 28},
		{"lenet_conv2", Conv{In: 32, Out: 64, KH: 5, KW: 5, PadTop: 2, PadLeft: 2}, 14},
		{"vgg_conv1_2", Conv{In: 64, Out: 64, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}, 56},
	} {
		const n = 20
		r := rand.New(rand.NewPCG(1, 2))
		g := c.g.norm()
		out := Full(c.side, c.side)
		x, dy := randSlice(r, n*g.In*out.Area()), make([]float32, n*g.Out*out.Area())
		// One of each 2x2, and of these two in three.
		for p := range n * g.Out {
			for y := 0; y < c.side; y += 2 {
				for u := 0; u < c.side; u += 2 {
					if r.IntN(3) > 0 {
						dy[(p*c.side+y+r.IntN(2))*c.side+u+r.IntN(2)] = r.Float32() + 0.1
					}
				}
			}
		}
		dw, db := make([]float32, g.weights()), make([]float32, g.Out)
		e := New(0)
		lv := current()
		if e.sparseWeights(lv, g, out) == nil {
			b.Skip("this level multiplies all values")
		}
		b.Run(fmt.Sprintf("%s/sparse_pays_%v", c.name, e.sparseWeights(lv, g, out).pays(dy)), func(b *testing.B) {
			for b.Loop() {
				e.runSparseWeights(e.sparseWeights(lv, g, out), n, dw, db, x, out, dy)
			}
		})
		b.Run(c.name+"/dense", func(b *testing.B) {
			for b.Loop() {
				e.runWeights(lv, g, n, dw, db, x, out, dy, out)
			}
		})
	}
}

func BenchmarkConvDataSparse(b *testing.B) {
	for _, c := range []struct {
		name string
		g    Conv
		side int // of the signal
	}{
		{"lenet_conv2", Conv{In: 32, Out: 64, KH: 5, KW: 5, PadTop: 2, PadLeft: 2}, 14},
		{"alexnet_conv1", Conv{In: 3, Out: 64, KH: 11, KW: 11, StrideY: 4, StrideX: 4}, 23},
		{"alexnet_conv2", Conv{In: 64, Out: 192, KH: 5, KW: 5}, 15},
		{"vgg_conv1_2", Conv{In: 64, Out: 64, KH: 3, KW: 3}, 36},
		{"vgg_conv2_2", Conv{In: 128, Out: 128, KH: 3, KW: 3}, 14},
		{"vgg_conv2_2_large", Conv{In: 128, Out: 128, KH: 3, KW: 3}, 90},
		{"vgg_conv3_3", Conv{In: 256, Out: 256, KH: 3, KW: 3}, 48},
		{"vgg_conv4_3", Conv{In: 512, Out: 512, KH: 3, KW: 3}, 20},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		g := c.g.norm()
		in := Full(c.side, c.side)
		out := g.InputBox(in)
		dy := randSlice(r, g.Out*in.Area())
		for i := range dy {
			if r.IntN(8) != 0 {
				dy[i] = 0
			}
		}
		f := PackDataSparse(g, randSlice(r, g.weights()), false)
		if f.sparse == nil {
			b.Skip("this level multiplies all values")
		}
		dx := make([]float32, g.In*out.Area())
		e := New(1)
		j := new(sparseJob)
		count := j.find(f, dy)
		b.Run(fmt.Sprintf("%s/sparse_pays_%v", c.name, f.pays(count, out, in)), func(b *testing.B) {
			for b.Loop() {
				j.find(f, dy)
				e.runSparse(f, j, dx, out, in)
			}
		})
		b.Run(c.name+"/dense", func(b *testing.B) {
			for b.Loop() {
				e.ConvData(f, 1, dx, out, dy, in)
			}
		})
	}
}

// Weights packed for whole signals of one size give what those for all sizes give, and the same bits for signals that go
// down alone or together.
func TestDataWhole(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		e := New(2)
		defer e.Close()
		for _, c := range []struct{ in, out, k, h, w int }{{16, 20, 3, 28, 24}, {17, 16, 3, 14, 14}, {16, 16, 5, 20, 20}, {3, 16, 3, 30, 30}, {20, 16, 1, 9, 9}} {
			g := Conv{In: c.in, Out: c.out, KH: c.k, KW: c.k, PadTop: c.k / 2, PadLeft: c.k / 2}
			box := Box{Y1: c.h, X1: c.w}
			const n = 3
			w, dy := randSlice(r, g.norm().weights()), randSlice(r, n*c.out*box.Area())
			for i := range dy {
				if i%n == 0 {
					dy[i] = 0
				}
			}
			size := c.in * box.Area()
			want := make([]float32, n*size)
			e.ConvData(PackData(g, w), n, want, box, dy, box)
			for _, sparse := range []bool{false, true} {
				f := PackDataWhole(g, w, c.h, c.w, sparse)
				data := e.ConvData
				if sparse {
					data = e.ConvDataSparse
				}
				together, alone := make([]float32, n*size), make([]float32, n*size)
				data(f, n, together, box, dy, box)
				for i := range n {
					data(f, 1, alone[i*size:], box, dy[i*c.out*box.Area():], box)
				}
				if !slices.Equal(together, alone) {
					t.Errorf("%v, sparse %t: not the bits of signals that go down alone", c, sparse)
				}
				for i, v := range together {
					if d := math.Abs(float64(v - want[i])); d > 3e-4 {
						t.Fatalf("%v, sparse %t: value %d is %g, want %g", c, sparse, i, v, want[i])
					}
				}
			}
		}
	})
}
