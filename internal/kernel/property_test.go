package kernel

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
)

// VIZ_TEST_REQUIRE names the implementation that must be the default here, so
// that none falls back silently.
func TestRequiredLevel(t *testing.T) {
	want := os.Getenv("VIZ_TEST_REQUIRE")
	if want == "" {
		t.Skip("VIZ_TEST_REQUIRE is not set")
	}
	if Name() != want {
		t.Fatalf("running on %s (of %v), want %s", Name(), Names(), want)
	}
}

// sizes of layers that need several blocks of every kind.
var largeCases = []convCase{
	{Conv{In: 1, Out: 32, KH: 5, KW: 5, PadTop: 2, PadLeft: 2}, 3, Full(28, 28), Full(28, 28)},
	{Conv{In: 32, Out: 64, KH: 5, KW: 5, PadTop: 2, PadLeft: 2}, 2, Full(14, 14), Full(14, 14)},
	{Conv{In: 40, Out: 35, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}, 5, Full(7, 7), Full(7, 7)},
	{Conv{In: 70, Out: 31, KH: 1, KW: 1}, 3, Full(9, 9), Full(9, 9)},
	{Conv{In: 3, Out: 20, KH: 7, KW: 7, StrideY: 2, StrideX: 2, PadTop: 3, PadLeft: 3}, 2, Full(75, 81), Full(38, 41)},
	{Conv{In: 3, Out: 17, KH: 11, KW: 11, StrideY: 4, StrideX: 4, PadTop: 2, PadLeft: 2}, 1, Full(95, 95), Full(23, 23)},
	{Conv{In: 34, Out: 40, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}, 16, rect(3, 4, 17, 18), rect(4, 5, 16, 17)},
	{Conv{In: 300, Out: 5, KH: 1, KW: 1}, 40, Full(1, 1), Full(1, 1)},
	{Conv{In: 24, Out: 24, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, Groups: 24}, 3, Full(19, 23), Full(19, 23)},
}

func bits(s []float32) []uint32 {
	b := make([]uint32, len(s))
	for i, v := range s {
		b[i] = math.Float32bits(v)
	}
	return b
}

func equalBits(a, b []float32) bool { return slices.Equal(bits(a), bits(b)) }

// cutPlanes returns box b of each plane, which covers box full, for images
// [i0, i1) of planes planes each.
func cutPlanes(s []float32, planes, i0, i1 int, full, b Box) []float32 {
	var out []float32
	for p := i0 * planes; p < i1*planes; p++ {
		for y := b.Y0; y < b.Y1; y++ {
			at := p*full.Area() + (y-full.Y0)*full.W() + b.X0 - full.X0
			out = append(out, s[at:at+b.W()]...)
		}
	}
	return out
}

// The bits of an output depend neither on the number of workers, nor on the
// batch it is computed in, nor on the box.
func TestSameBits(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		one, many := New(1), New(5)
		defer many.Close()
		cases := slices.Clone(largeCases[:rounds(len(largeCases))])
		for range rounds(60) {
			cases = append(cases, randCase(r))
		}
		for _, c := range cases {
			g := c.g.norm()
			x := randSlice(r, c.n*g.In*c.in.Area())
			dy := randSlice(r, c.n*g.Out*c.out.Area())
			w := randSlice(r, g.weights())
			ep := Epilogue{Bias: randSlice(r, g.Out), ReLU: true}
			f, fd := PackForward(c.g, w), PackData(c.g, w)

			y, y5 := make([]float32, len(dy)), make([]float32, len(dy))
			one.ConvForward(f, c.n, y, c.out, x, c.in, ep)
			many.ConvForward(f, c.n, y5, c.out, x, c.in, ep)
			dx, dx5 := make([]float32, len(x)), make([]float32, len(x))
			one.ConvData(fd, c.n, dx, c.in, dy, c.out)
			many.ConvData(fd, c.n, dx5, c.in, dy, c.out)
			dw, dw5 := make([]float32, len(w)), make([]float32, len(w))
			db, db5 := make([]float32, g.Out), make([]float32, g.Out)
			one.ConvWeights(c.g, c.n, dw, db, x, c.in, dy, c.out)
			many.ConvWeights(c.g, c.n, dw5, db5, x, c.in, dy, c.out)
			if !equalBits(y, y5) || !equalBits(dx, dx5) || !equalBits(dw, dw5) || !equalBits(db, db5) {
				t.Fatalf("%v: five workers differ from one", c)
			}

			i := r.IntN(c.n)
			yi := make([]float32, len(dy)/c.n)
			one.ConvForward(f, 1, yi, c.out, x[i*len(x)/c.n:], c.in, ep)
			dxi := make([]float32, len(x)/c.n)
			one.ConvData(fd, 1, dxi, c.in, dy[i*len(dy)/c.n:], c.out)
			if !equalBits(yi, y[i*len(yi):][:len(yi)]) || !equalBits(dxi, dx[i*len(dxi):][:len(dxi)]) {
				t.Fatalf("%v: image %d alone differs from the batch", c, i)
			}

			cut := func(b Box) Box {
				y0, x0 := b.Y0+r.IntN(b.H()), b.X0+r.IntN(b.W())
				return rect(y0, x0, y0+1+r.IntN(b.Y1-y0), x0+1+r.IntN(b.X1-x0))
			}
			b := cut(c.out)
			yb := make([]float32, c.n*g.Out*b.Area())
			many.ConvForward(f, c.n, yb, b, x, c.in, ep)
			if !equalBits(yb, cutPlanes(y, g.Out, 0, c.n, c.out, b)) {
				t.Fatalf("%v: box %v differs from the whole", c, b)
			}
			// Also when the input is cut to what the box reads.
			if in := c.g.InputBox(b).Intersect(c.in); !in.Empty() {
				many.ConvForward(f, c.n, yb, b, cutPlanes(x, g.In, 0, c.n, c.in, in), in, ep)
				if !equalBits(yb, cutPlanes(y, g.Out, 0, c.n, c.out, b)) {
					t.Fatalf("%v: box %v from its own inputs %v differs from the whole", c, b, in)
				}
			}
			b = cut(c.in)
			dxb := make([]float32, c.n*g.In*b.Area())
			many.ConvData(fd, c.n, dxb, b, dy, c.out)
			if !equalBits(dxb, cutPlanes(dx, g.In, 0, c.n, c.in, b)) {
				t.Fatalf("%v: data gradient in box %v differs from the whole", c, b)
			}
		}
	})
}

// <conv x, y> = <x, convT y> = <w, dw>.
func TestAdjoint(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		e := New(2)
		defer e.Close()
		for _, c := range largeCases[:rounds(len(largeCases))] {
			g := c.g.norm()
			x := randSlice(r, c.n*g.In*c.in.Area())
			dy := randSlice(r, c.n*g.Out*c.out.Area())
			w := randSlice(r, g.weights())
			y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
			e.ConvForward(PackForward(c.g, w), c.n, y, c.out, x, c.in, Epilogue{})
			e.ConvData(PackData(c.g, w), c.n, dx, c.in, dy, c.out)
			e.ConvWeights(c.g, c.n, dw, nil, x, c.in, dy, c.out)
			a, b, d := dot64(y, dy), dot64(x, dx), dot64(w, dw)
			// The three are sums of the same terms; their spread is of the order
			// of the norms.
			scale := math.Sqrt(dot64(y, y) * dot64(dy, dy))
			if math.Abs(a-b) > 1e-6*scale || math.Abs(a-d) > 1e-6*scale {
				t.Errorf("%v: <y,dy> = %g, <x,dx> = %g, <w,dw> = %g, scale %g", c, a, b, d, scale)
			}
		}
	})
}

func TestLargeConv(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		e := New(2)
		defer e.Close()
		ref := New(1)
		for _, c := range largeCases[:rounds(len(largeCases))] {
			g := c.g.norm()
			x := randSlice(r, c.n*g.In*c.in.Area())
			dy := randSlice(r, c.n*g.Out*c.out.Area())
			w := randSlice(r, g.weights())
			bias := randSlice(r, g.Out)
			run := func(e *Engine) (y, dx, dw, db []float32) {
				y, dx, dw, db = make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w)), make([]float32, g.Out)
				e.ConvForward(PackForward(c.g, w), c.n, y, c.out, x, c.in, Epilogue{Bias: bias, ReLU: false})
				e.ConvData(PackData(c.g, w), c.n, dx, c.in, dy, c.out)
				e.ConvWeights(c.g, c.n, dw, db, x, c.in, dy, c.out)
				return
			}
			y, dx, dw, db := run(e)
			restore := Force("ref")
			ry, rdx, rdw, rdb := run(ref)
			restore()
			for _, v := range []struct {
				name      string
				got, want []float32
				terms     int
			}{
				{"ConvForward", y, ry, g.In / g.Groups * g.KH * g.KW},
				{"ConvData", dx, rdx, g.Out / g.Groups * g.KH * g.KW},
				{"ConvWeights", dw, rdw, c.n * c.out.Area()},
				{"bias gradient", db, rdb, c.n * c.out.Area()},
			} {
				near(t, c.String()+" "+v.name, v.got, v.want, v.terms)
			}
		}
	})
}

// near compares sums of unit normal products. A float32 chain of k such terms
// is a random walk with steps of rounding error half an ulp of sqrt(k), so its
// error is about 2^-25*k; sixteen times that, for the largest of many, and never
// less than a few ulp.
func near(t *testing.T, what string, got, want []float32, terms int) {
	t.Helper()
	tol := 16 * math.Ldexp(float64(terms)+4, -25)
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tol) {
			t.Fatalf("%s: element %d is %v, want %v (off by %.2g, tolerance %.2g)", what, i, got[i], want[i], d, tol)
		}
	}
}

func TestDense(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		e, one := New(3), New(1)
		defer e.Close()
		for _, s := range [][3]int{{1, 1, 1}, {1, 7, 3}, {2, 16, 6}, {3, 33, 13}, {4, 5, 2}, {5, 100, 31}, {7, 520, 64}, {17, 1100, 10}, {100, 300, 120}} {
			n, in, out := s[0], s[1], s[2]
			x, dy, w, b := randSlice(r, n*in), randSlice(r, n*out), randSlice(r, in*out), randSlice(r, out)
			y, y1 := make([]float32, n*out), make([]float32, n*out)
			dx, dx1 := make([]float32, n*in), make([]float32, n*in)
			dw, db := make([]float32, in*out), make([]float32, out)
			e.DenseForward(n, in, out, y, x, w, b)
			e.DenseData(n, in, out, dx, dy, w)
			e.DenseWeights(n, in, out, dw, db, x, dy)
			for i := range n {
				one.DenseForward(1, in, out, y1[i*out:], x[i*in:], w, b)
				one.DenseData(1, in, out, dx1[i*in:], dy[i*out:], w)
			}
			if !equalBits(y, y1) || !equalBits(dx, dx1) {
				t.Errorf("%v: one by one differs from the batch", s)
			}
			ry, rdx, rdw, rdb := make([]float32, n*out), make([]float32, n*in), make([]float32, in*out), make([]float32, out)
			for i := range n {
				refDenseForward(i, in, out, ry, x, w, b)
				refDenseData(i, in, out, rdx, dy, w)
			}
			for j := range out {
				refDenseWeights(j, n, in, out, rdw, rdb, x, dy)
			}
			near(t, "DenseForward", y, ry, in)
			near(t, "DenseData", dx, rdx, out)
			near(t, "DenseWeights", dw, rdw, n)
			near(t, "bias gradient", db, rdb, n)
		}
	})
}

// One engine serves many goroutines, with the bits of a single one.
func TestConcurrent(t *testing.T) {
	e := New(3)
	defer e.Close()
	r := rand.New(rand.NewPCG(13, 14))
	g := Conv{In: 20, Out: 24, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, Groups: 1}
	const n, hw = 3, 20 * 20
	full := Full(20, 20)
	x, dy, w := randSlice(r, n*g.In*hw), randSlice(r, n*g.Out*hw), randSlice(r, g.weights())
	f, fast, d := PackForward(g, w), PackForwardFast(g, w), PackData(g, w)
	run := func() [5][]float32 {
		y, z, p := make([]float32, len(dy)), make([]float32, len(dy)), make([]float32, len(dy)/4)
		dx, dw := make([]float32, len(x)), make([]float32, len(w))
		e.ConvForward(f, n, y, full, x, full, Epilogue{})
		e.ConvForward(fast, n, z, full, x, full, Epilogue{})
		e.ConvData(d, n, dx, full, dy, full)
		e.ConvWeights(g, n, dw, nil, x, full, dy, full)
		e.MaxPool(Pool{KH: 2, KW: 2, StrideY: 2, StrideX: 2}, n*g.Out, p, nil, Full(10, 10), y, full, 20, 20)
		e.ReLU(y, y)
		return [5][]float32{y, z, p, dx, dw}
	}
	want := run()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				for i, got := range run() {
					if !equalBits(got, want[i]) {
						t.Errorf("result %d differs", i)
					}
				}
			}
		})
	}
	wg.Wait()
}
