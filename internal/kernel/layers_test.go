package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// guard returns a slice of n values between canaries, and a function that
// fails the test if one of those was overwritten.
func guard(t testing.TB, n int) (s []float32, check func()) {
	t.Helper()
	const pad = 40
	all := make([]float32, n+2*pad)
	for i := range all {
		all[i] = float32(math.NaN())
	}
	canary := math.Float32frombits(0x7fa5a5a5)
	for i := range pad {
		all[i], all[pad+n+i] = canary, canary
	}
	return all[pad : pad+n : pad+n], func() {
		t.Helper()
		for i := range pad {
			if math.Float32bits(all[i]) != 0x7fa5a5a5 || math.Float32bits(all[pad+n+i]) != 0x7fa5a5a5 {
				t.Fatalf("write outside a slice of %d, %d from its ends", n, i)
			}
		}
	}
}

// strange returns normal values with some NaN, Inf, -Inf, 0 and -0 among them.
func strange(r *rand.Rand, n int) []float32 {
	s := randSlice(r, n)
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1))}
	for range n/8 + 1 {
		if n > 0 {
			s[r.IntN(n)] = odd[r.IntN(len(odd))]
		}
	}
	return s
}

// same compares bits, but any NaN equals any other.
func same(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return i
		}
	}
	return -1
}

// The elementwise kernels compute the bits of the plain loops, for every length
// around the block size and more than a chunk.
func TestElementwise(t *testing.T) {
	lengths := []int{6<<10 + 77, 64<<10 + 77}
	for n := range rounds(140) {
		lengths = append(lengths, n)
	}
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(21, 22))
		e := New(2)
		defer e.Close()
		for _, n := range lengths {
			a, b := strange(r, n), strange(r, n)
			d, ok := guard(t, n)
			want := make([]float32, n)
			check := func(what string) {
				t.Helper()
				ok()
				if i := same(d, want); i >= 0 {
					t.Fatalf("%s of %d: element %d is %v, want %v (from %v, %v)", what, n, i, d[i], want[i], a[i], b[i])
				}
			}
			e.ReLU(d, a)
			for i, v := range a {
				want[i] = max(v, 0)
			}
			check("ReLU")
			e.ReLUGrad(d, b, a)
			for i, v := range a {
				want[i] = 0
				if v > 0 {
					want[i] = b[i]
				}
			}
			check("ReLUGrad")
			e.Add(d, a, b)
			for i, v := range a {
				want[i] = v + b[i]
			}
			check("Add")
			for i, v := range a {
				want[i] = max(v+b[i], 0)
			}
			e.AddReLU(d, a, b)
			check("AddReLU")
			scale, shift := []float32{0.3, -2, 1}, []float32{0.7, 0, -1}
			e.ScaleShift(1, 3, n/3, d, a, scale, shift)
			for i := range n / 3 * 3 {
				k := i / (n / 3)
				want[i] = float32(a[i]*scale[k]) + shift[k]
			}
			copy(want[n/3*3:], d[n/3*3:])
			check("ScaleShift")
		}
	})
}

// Solvers: the formulas, in float64. Each step is a handful of roundings.
func TestSolvers(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		e := New(2)
		defer e.Close()
		for _, n := range []int{1, 31, 32, 33, 100, 6<<10 + 45, 64<<10 + 45} {
			g := randSlice(r, n)
			state := func() (s []float32, s64 []float64, check func()) {
				s, check = guard(t, n)
				s64 = make([]float64, n)
				for i := range s {
					s[i] = float32(r.ExpFloat64())
					s64[i] = float64(s[i])
				}
				return
			}
			near := func(what string, got []float32, want []float64) {
				t.Helper()
				for i := range got {
					if d := math.Abs(float64(got[i]) - want[i]); !(d <= 1e-6*(1+math.Abs(want[i]))) {
						t.Fatalf("%s, %d values: element %d is %v, want %v", what, n, i, got[i], want[i])
					}
				}
			}
			w, w64, ok := state()
			e.SGD(w, g, 0.1)
			for i := range w64 {
				w64[i] -= 0.1 * float64(g[i])
			}
			near("SGD", w, w64)
			ok()

			w, w64, ok = state()
			v, v64, ok2 := state()
			for range 3 {
				e.Momentum(w, v, g, 0.1, 0.9)
				for i := range w64 {
					v64[i] = 0.9*v64[i] + float64(g[i])
					w64[i] -= 0.1 * v64[i]
				}
			}
			near("Momentum", w, w64)
			near("Momentum v", v, v64)
			ok()
			ok2()

			w, w64, ok = state()
			m, m64, ok2 := state()
			v, v64, ok3 := state()
			clear(m)
			clear(m64)
			clear(v)
			clear(v64)
			for s := 1; s <= 3; s++ {
				e.Adam(w, m, v, g, 0.01, 0.9, 0.999, 1e-8, s)
				for i := range w64 {
					gi := float64(g[i])
					m64[i] = 0.9*m64[i] + 0.1*gi
					v64[i] = 0.999*v64[i] + 0.001*gi*gi
					w64[i] -= 0.01 * m64[i] / (1 - math.Pow(0.9, float64(s))) / (math.Sqrt(v64[i]/(1-math.Pow(0.999, float64(s)))) + 1e-8)
				}
			}
			near("Adam", w, w64)
			near("Adam m", m, m64)
			ok()
			ok2()
			ok3()

			w, w64, ok = state()
			v, v64, ok2 = state()
			e.RMSProp(w, v, g, 0.01, 0.9, 1e-5)
			for i := range w64 {
				gi := float64(g[i])
				v64[i] = 0.9*v64[i] + 0.1*gi*gi
				w64[i] -= 0.01 * gi / math.Sqrt(v64[i]+1e-5)
			}
			near("RMSProp", w, w64)
			near("RMSProp s", v, v64)
			ok()
			ok2()
		}
	})
}

func TestMaxPool(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(25, 26))
		e := New(2)
		defer e.Close()
		for round := range rounds(400) {
			g := Pool{KH: 1 + r.IntN(4), StrideY: 1 + r.IntN(3), DilY: 1 + r.IntN(2)}
			g.KW, g.StrideX, g.DilX = g.KH, g.StrideY, g.DilY
			if round%3 == 0 {
				g = Pool{KH: 2, KW: 2, StrideY: 2, StrideX: 2}
			} else {
				g.PadTop, g.PadLeft = r.IntN(g.KH), r.IntN(g.KW)
			}
			h, w := 8+r.IntN(30), 8+r.IntN(70)
			n := g.norm()
			oh := (h+n.PadTop-(n.KH-1)*n.DilY-1)/n.StrideY + 1 + r.IntN(2)*min(g.PadTop, 1)
			ow := (w+n.PadLeft-(n.KW-1)*n.DilX-1)/n.StrideX + 1 + r.IntN(2)*min(g.PadLeft, 1)
			out := Full(oh, ow)
			if r.IntN(2) == 0 {
				out.Y0, out.X0 = r.IntN(oh), r.IntN(ow)
			}
			in := Full(h, w)
			if r.IntN(2) == 0 {
				in = g.InputBox(out).Intersect(in)
			}
			planes := 1 + r.IntN(4)
			src := strange(r, planes*in.Area())
			if r.IntN(3) == 0 {
				for i := range src {
					src[i] = float32(r.IntN(2)) // ties
				}
			}
			d, ok := guard(t, planes*out.Area())
			sw := make([]int32, len(d)+1)
			sw[len(d)] = 77
			want, wantSw := make([]float32, len(d)), make([]int32, len(d))
			for p := range planes {
				refMaxPool(n, want[p*out.Area():], wantSw[p*out.Area():], out, src[p*in.Area():], in, h, w)
			}
			e.MaxPool(g, planes, d, nil, out, src, in, h, w)
			if i := same(d, want); i >= 0 {
				t.Fatalf("%+v %dx%d out %v without switches: element %d is %v, want %v", g, h, w, out, i, d[i], want[i])
			}
			e.MaxPool(g, planes, d, sw[:len(d)], out, src, in, h, w)
			ok()
			if i := same(d, want); i >= 0 || sw[len(d)] != 77 {
				t.Fatalf("%+v %dx%d out %v: element %d is %v, want %v", g, h, w, out, i, d[i], want[i])
			}
			if !slices.Equal(sw[:len(d)], wantSw) {
				t.Fatalf("%+v %dx%d out %v: switches differ", g, h, w, out)
			}

			// Unpooling into a box is the whole plane's, cut.
			up, ok := guard(t, planes*h*w)
			v := randSlice(r, len(d))
			e.MaxUnpool(planes, up, Full(h, w), v, sw, w, out.Area())
			ok()
			ref := make([]float32, len(up))
			for p := range planes {
				for i := range out.Area() {
					if at := sw[p*out.Area()+i]; at >= 0 {
						ref[p*h*w+int(at)] += v[p*out.Area()+i]
					}
				}
			}
			if !equalBits(up, ref) {
				t.Fatalf("MaxUnpool differs")
			}
			b := rect(r.IntN(h)-1, r.IntN(w)-1, 0, 0)
			b.Y1, b.X1 = b.Y0+1+r.IntN(h), b.X0+1+r.IntN(w)
			part, ok := guard(t, planes*b.Area())
			e.MaxUnpool(planes, part, b, v, sw, w, out.Area())
			ok()
			for p := range planes {
				for y := b.Y0; y < b.Y1; y++ {
					for x := b.X0; x < b.X1; x++ {
						want := float32(0)
						if y >= 0 && y < h && x >= 0 && x < w {
							want = ref[(p*h+y)*w+x]
						}
						if part[(p*b.H()+y-b.Y0)*b.W()+x-b.X0] != want {
							t.Fatalf("MaxUnpool into %v differs at %d %d", b, y, x)
						}
					}
				}
			}
		}
	})
}

func TestAvgPool(t *testing.T) {
	e := New(2)
	defer e.Close()
	// 3x3 plane 1..9, 2x2 windows, stride 2, ceil mode, padding 1 on all sides.
	src := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	g := Pool{KH: 2, KW: 2, StrideY: 2, StrideX: 2, PadTop: 1, PadLeft: 1}
	d := make([]float32, 4)
	e.AvgPool(g, 1, d, Full(2, 2), src, Full(3, 3), 3, 3, 1, 1, true)
	if want := []float32{1. / 4, 5. / 4, 11. / 4, 28. / 4}; !slices.Equal(d, want) {
		t.Errorf("counting the padding: %v, want %v", d, want)
	}
	e.AvgPool(g, 1, d, Full(2, 2), src, Full(3, 3), 3, 3, 1, 1, false)
	if want := []float32{1, 2.5, 5.5, 7}; !slices.Equal(d, want) {
		t.Errorf("not counting it: %v, want %v", d, want)
	}
	// A third window begins in the last padded row: only that counts.
	d = make([]float32, 9)
	e.AvgPool(g, 1, d, Full(3, 3), src, Full(3, 3), 3, 3, 1, 1, true)
	if d[8] != 0 || d[2] != 0 {
		t.Errorf("windows in the padding: %v", d)
	}
	r := rand.New(rand.NewPCG(27, 28))
	for range 100 {
		g := Pool{KH: 1 + r.IntN(3), KW: 1 + r.IntN(3), StrideY: 1 + r.IntN(3), StrideX: 1 + r.IntN(3), PadTop: r.IntN(2), PadLeft: r.IntN(2)}
		in, out := rect(r.IntN(3), r.IntN(3), 6+r.IntN(3), 6+r.IntN(3)), rect(r.IntN(2), r.IntN(2), 3+r.IntN(2), 3+r.IntN(2))
		x, dy := randSlice(r, 2*in.Area()), randSlice(r, 2*out.Area())
		y, dx := make([]float32, len(dy)), make([]float32, len(x))
		pad := r.IntN(2) == 0
		e.AvgPool(g, 2, y, out, x, in, 8, 8, 1, 1, pad)
		e.AvgPoolGrad(g, 2, dx, in, dy, out, 8, 8, 1, 1, pad)
		if a, b := dot64(y, dy), dot64(x, dx); math.Abs(a-b) > 1e-5 {
			t.Fatalf("%+v %v %v: <y,dy> = %v, <x,dx> = %v", g, in, out, a, b)
		}
	}
	// Down from the mean of whole planes, as the reference does it.
	dy, dx, want := randSlice(r, 3), make([]float32, 3*12), make([]float32, 12)
	e.AvgPoolGrad(WholePool(7, 9), 3, dx, rect(1, 2, 5, 5), dy, Full(1, 1), 7, 9, 0, 0, false)
	for i := range dy {
		refAvgPoolGrad(WholePool(7, 9), want, rect(1, 2, 5, 5), dy[i:i+1], Full(1, 1), 7, 9, 0, 0, false)
		if !slices.Equal(dx[i*12:(i+1)*12], want) {
			t.Errorf("plane %d down from its mean: %v, want %v", i, dx[i*12:(i+1)*12], want)
		}
	}
}

// Normalisations against the float64 reference; their results are of unit size
// and take a few roundings more than the length of a plane's partial sums.
func TestNorms(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(29, 30))
		e := New(3)
		defer e.Close()
		for _, s := range [][3]int{{1, 1, 2}, {2, 3, 5}, {3, 7, 64}, {2, 10, 49}, {5, 4, 131}, {4, 2, 1000}} {
			n, c, hw := s[0], s[1], s[2]
			x, dy := randSlice(r, n*c*hw), randSlice(r, n*c*hw)
			for i := range x {
				x[i] += 0.5
			}
			gamma, beta := randSlice(r, c), randSlice(r, c)
			near := func(what string, got, want []float32, tol float64) {
				t.Helper()
				for i := range want {
					if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tol*(1+math.Abs(float64(want[i])))) {
						t.Fatalf("%s %v: element %d is %v, want %v", what, s, i, got[i], want[i])
					}
				}
			}
			y, ok := guard(t, len(x))
			want := make([]float32, len(x))
			mean, is, mean2, is2 := make([]float32, c), make([]float32, c), make([]float32, c), make([]float32, c)
			e.BatchNormTrain(n, c, hw, y, x, gamma, beta, mean, is, 1e-3)
			ok()
			for k := range c {
				refBatchNormTrain(k, n, c, hw, want, x, gamma, beta, mean2, is2, 1e-3)
			}
			near("BatchNormTrain", y, want, 3e-6)
			near("mean", mean, mean2, 1e-6)
			near("invstd", is, is2, 1e-6)
			dx, ok := guard(t, len(x))
			dg, db, dg2, db2 := make([]float32, c), make([]float32, c), make([]float32, c), make([]float32, c)
			e.BatchNormGrad(n, c, hw, dx, dg, db, dy, x, gamma, mean, is)
			ok()
			for k := range c {
				refBatchNormGrad(k, n, c, hw, want, dg2, db2, dy, x, gamma, mean, is)
			}
			near("BatchNormGrad", dx, want, 2e-5)
			near("dgamma", dg, dg2, 1e-5)
			near("dbeta", db, db2, 1e-5)

			for _, size := range []int{1, 2, 5} {
				for _, b := range []float64{0.75, 0.5, 0.6} {
					e.LRN(n, c, hw, y, x, size, 0.2, b, 2)
					ok()
					for i := range n {
						for p := range hw {
							refLRN(c, hw, p, want[i*c*hw:], x[i*c*hw:], size, 0.2, b, 2)
						}
					}
					near("LRN", y, want, 1e-6)
				}
			}
			// LRNGrad by differences in float64: d/dx of <lrn(x), dy>.
			e.LRNGrad(n, c, hw, dx, dy, x, 5, 0.2, 0.75, 2)
			lrn := func(x []float64) float64 {
				sum := 0.0
				for i := range c {
					lo, hi := lrnWindow(i, c, 5)
					sq := 0.0
					for j := lo; j < hi; j++ {
						sq += x[j] * x[j]
					}
					sum += x[i] * math.Pow(2+0.2/5*sq, -0.75) * float64(dy[i*hw])
				}
				return sum
			}
			col := make([]float64, c)
			for i := range col {
				col[i] = float64(x[i*hw])
			}
			for i := range col {
				const h = 1e-5
				v := col[i]
				col[i] = v + h
				d := lrn(col)
				col[i] = v - h
				d = (d - lrn(col)) / (2 * h)
				col[i] = v
				if math.Abs(d-float64(dx[i*hw])) > 1e-5 {
					t.Fatalf("LRNGrad %v: channel %d is %v, want %v", s, i, dx[i*hw], d)
				}
			}
		}
	})
}

func TestSoftmax(t *testing.T) {
	e := New(2)
	defer e.Close()
	x := []float32{0, 0, float32(math.Log(2)), 1000, 999, 0}
	y := make([]float32, 6)
	e.Softmax(2, 3, y, x)
	want := []float32{0.25, 0.25, 0.5, 0.7310586, 0.26894143, 0}
	for i := range want {
		if math.Abs(float64(y[i]-want[i])) > 1e-6 {
			t.Fatalf("softmax %v, want %v", y, want)
		}
	}
	d := make([]float32, 6)
	loss := SoftmaxCrossEntropy(2, 3, d, x, []int32{2, 0})
	if w := (math.Ln2 - math.Log(0.7310585786)) / 2; math.Abs(loss-w) > 1e-6 {
		t.Errorf("loss %v, want %v", loss, w)
	}
	for i, v := range []float32{0.125, 0.125, -0.25, -0.1344707, 0.1344707, 0} {
		if math.Abs(float64(d[i]-v)) > 1e-6 {
			t.Fatalf("gradient %v", d)
		}
	}
}

// Once the scratch memory is there, a forward pass and a training step allocate
// nothing.
func TestNoAllocations(t *testing.T) {
	e := New(2)
	defer e.Close()
	g := Conv{In: 20, Out: 24, KH: 3, KW: 3, PadTop: 1, PadLeft: 1}
	g2 := g
	g2.StrideY, g2.StrideX = 2, 2
	const n, hw = 4, 16 * 16
	x, y, w, b := make([]float32, n*24*hw), make([]float32, n*24*hw), make([]float32, 20*24*9), make([]float32, 24)
	sw := make([]int32, n*24*hw/4)
	full, half := Full(16, 16), Full(8, 8)
	f, f2, fast := PackForward(g, w), PackForward(g2, w), PackForwardFast(g, w)
	d, dFast := PackData(g, w), PackDataFast(g, w)
	p := Pool{KH: 2, KW: 2, StrideY: 2, StrideX: 2}
	for name, run := range map[string]func(){
		"ConvForward":          func() { e.ConvForward(f, n, y, full, x, full, Epilogue{Bias: b, ReLU: true}) },
		"ConvForward stride 2": func() { e.ConvForward(f2, n, y, half, x, full, Epilogue{Bias: b, ReLU: true}) },
		"ConvForward Winograd": func() { e.ConvForward(fast, n, y, full, x, full, Epilogue{Bias: b, ReLU: true}) },
		"ConvData":             func() { e.ConvData(d, n, x, full, y, full) },
		"ConvData Winograd":    func() { e.ConvData(dFast, n, x, full, y, full) },
		"ConvWeights":          func() { e.ConvWeights(g, n, w, b, x, full, y, full) },
		"Repack":               func() { fast.Repack(w); dFast.Repack(w) },
		"DenseForward":         func() { e.DenseForward(n, 180, 24, y, x, w[:180*24], b) },
		"DenseData":            func() { e.DenseData(n, 180, 24, x, y, w[:180*24]) },
		"DenseWeights":         func() { e.DenseWeights(n, 180, 24, w[:180*24], b, x, y) },
		"MaxPool":              func() { e.MaxPool(p, n*24, y, sw, half, x, full, 16, 16) },
		"MaxUnpool":            func() { e.MaxUnpool(n*24, y, full, x, sw, 16, 64) },
		"AvgPool":              func() { e.AvgPool(p, n*24, y, half, x, full, 16, 16, 0, 0, true) },
		"LRN":                  func() { e.LRN(n, 24, hw, y, x, 5, 1e-4, 0.75, 1) },
		"ReLU":                 func() { e.ReLU(y, x) },
		"ReLUGrad":             func() { e.ReLUGrad(y, y, x) },
		"Add":                  func() { e.Add(y, y, x) },
		"AddReLU":              func() { e.AddReLU(y, y, x) },
		"ConvMaxPool":          func() { e.ConvMaxPool(f, n, y, half, p, 16, 16, x, full, Epilogue{Bias: b, ReLU: true}) },
		"ScaleShift":           func() { e.ScaleShift(n, 24, hw, y, x, b, b) },
		"Softmax":              func() { e.Softmax(n, 24, y, x) },
		"Adam":                 func() { e.Adam(x, y, y, y, 0, 0.9, 0.999, 1e-8, 1) },
		"Momentum":             func() { e.Momentum(x, y, y, 0, 0.9) },
	} {
		run()
		// Two workers come in any order at first, each with scratch of its own.
		for range 20 {
			run()
		}
		if a := testing.AllocsPerRun(50, run); a >= 1 && Name() != "ref" {
			t.Errorf("%s: %v allocations", name, a)
		}
	}
}

// A convolution pooled in bands is the convolution, then the pool, bit for bit
// and for any number of workers.
func TestConvMaxPool(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(81, 82))
		one, many := New(1), New(5)
		defer many.Close()
		for range rounds(80) {
			c := randCase(r)
			g := c.g.norm()
			h, w := c.out.H(), c.out.W()
			c.out = Full(h, w)
			p := Pool{KH: 1 + r.IntN(min(3, h)), StrideY: 1 + r.IntN(3), StrideX: 1 + r.IntN(3)}
			p.KW = 1 + r.IntN(min(3, w))
			p.PadTop, p.PadLeft = r.IntN(p.KH), r.IntN(p.KW)
			oh, ow := (h+p.PadTop-p.KH)/p.StrideY+1, (w+p.PadLeft-p.KW)/p.StrideX+1
			out := rect(r.IntN(oh), r.IntN(ow), oh, ow)
			x, wt := randSlice(r, c.n*g.In*c.in.Area()), randSlice(r, g.weights())
			ep := Epilogue{Bias: randSlice(r, g.Out), ReLU: r.IntN(2) == 0}
			f := PackForward(c.g, wt)
			mid := make([]float32, c.n*g.Out*h*w)
			one.ConvForward(f, c.n, mid, c.out, x, c.in, ep)
			want := make([]float32, c.n*g.Out*out.Area())
			one.MaxPool(p, c.n*g.Out, want, nil, out, mid, c.out, h, w)
			for _, e := range []*Engine{one, many} {
				got, ok := guard(t, len(want))
				e.ConvMaxPool(f, c.n, got, out, p, h, w, x, c.in, ep)
				ok()
				if !equalBits(got, want) {
					t.Fatalf("%v pool %+v out %v: differs", c, p, out)
				}
			}
		}
	})
}

// TestPower compares with math.Pow.
func TestPower(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 20000 {
		x, y := math.Exp(20*r.NormFloat64()), 3*r.NormFloat64()
		if r.IntN(4) == 0 {
			x = 1 + 1e-3*r.NormFloat64()
		}
		want := math.Pow(x, y)
		if want < 1e-38 || want > 3e38 {
			continue
		}
		if got := power(x, y); math.Abs(got/want-1) > 1e-9 {
			t.Fatalf("%g to the power %g is %g, want %g", x, y, got, want)
		}
	}
	for _, c := range [][2]float64{{0, -0.6}, {0, 0.6}, {-1, 0.5}, {math.Inf(1), -0.6}, {math.NaN(), 1}, {1e-40, 0.5}, {2, 1e6}, {2, -1e6}, {5, 0}} {
		if got, want := power(c[0], c[1]), math.Pow(c[0], c[1]); got != want && (got == got || want == want) {
			t.Errorf("%g to the power %g is %g, want %g", c[0], c[1], got, want)
		}
	}
}

// Where no input is negative some levels compare the bits of the inputs; one that is, or is no number, in any row, gives what it
// gives elsewhere.
func TestMaxPoolRectified(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(27, 28))
		e := New(2)
		defer e.Close()
		bad := []float32{float32(math.NaN()), -float32(math.NaN()), float32(math.Copysign(0, -1)), -1, float32(math.Inf(-1)), math.Float32frombits(0xff800001)}
		for round := range rounds(480) {
			g := []Pool{{KH: 2, KW: 2, StrideY: 2, StrideX: 2}, {KH: 3, KW: 3, StrideY: 2, StrideX: 2}, {KH: 3, KW: 3, StrideY: 1, StrideX: 1}}[round%3]
			if round%2 == 1 {
				g.PadTop, g.PadLeft = r.IntN(g.KH), r.IntN(g.KW)
			}
			n := g.norm()
			out := Full(1+r.IntN(9), 8+r.IntN(26))
			h, w := (out.H()-1)*n.StrideY+n.KH-r.IntN(n.PadTop+1), (out.W()-1)*n.StrideX+n.KW-r.IntN(n.PadLeft+1)
			planes := 1 + r.IntN(3)
			src := strange(r, planes*h*w)
			for i, v := range src {
				switch {
				case !(v > 0):
					src[i] = 0
				case round%4 == 0:
					src[i] = float32(r.IntN(3)) // ties
				}
			}
			if r.IntN(3) > 0 {
				src[r.IntN(len(src))] = bad[r.IntN(len(bad))]
			}
			d, ok := guard(t, planes*out.Area())
			sw, wantSw := make([]int32, len(d)), make([]int32, len(d))
			want := make([]float32, len(d))
			for p := range planes {
				refMaxPool(n, want[p*out.Area():], wantSw[p*out.Area():], out, src[p*h*w:], Full(h, w), h, w)
			}
			e.MaxPool(g, planes, d, sw, out, src, Full(h, w), h, w)
			ok()
			if i := same(d, want); i >= 0 {
				t.Fatalf("%+v %dx%d out %v: element %d is %v, want %v", g, h, w, out, i, d[i], want[i])
			}
			if !slices.Equal(sw, wantSw) {
				t.Fatalf("%+v %dx%d out %v: switches %v, want %v", g, h, w, out, sw, wantSw)
			}
			e.MaxPool(g, planes, d, nil, out, src, Full(h, w), h, w)
			ok()
			if i := same(d, want); i >= 0 {
				t.Fatalf("%+v %dx%d out %v without switches: element %d is %v, want %v", g, h, w, out, i, d[i], want[i])
			}
		}
	})
}
