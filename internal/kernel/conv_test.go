package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// convCase is a convolution with boxes, some partly outside the planes.
type convCase struct {
	g       Conv
	n       int
	in, out Box
}

func (c convCase) String() string { return fmt.Sprintf("%+v n=%d in=%v out=%v", c.g, c.n, c.in, c.out) }

// randCase draws a small convolution; about half have whole planes as boxes.
func randCase(r *rand.Rand) convCase {
	pick := func(v ...int) int { return v[r.IntN(len(v))] }
	g := Conv{
		KH: pick(1, 1, 2, 3, 3, 4, 5, 7), StrideY: pick(0, 1, 1, 1, 2, 3, 4), DilY: pick(0, 1, 1, 1, 2, 3),
		Groups: pick(0, 1, 1, 1, 2, 3),
	}
	g.KW, g.StrideX, g.DilX = g.KH, g.StrideY, g.DilY
	if r.IntN(3) == 0 {
		g.KW, g.StrideX, g.DilX = pick(1, 2, 3, 5), pick(1, 2, 3), pick(1, 2)
	}
	groups := max(g.Groups, 1)
	g.In, g.Out = groups*(1+r.IntN(5)), groups*(1+r.IntN(20))
	if r.IntN(6) == 0 { // depthwise
		g.Groups = 1 + r.IntN(9)
		g.In, g.Out = g.Groups, g.Groups*pick(1, 1, 2)
	}
	g.PadTop, g.PadLeft = r.IntN(g.KH+1), r.IntN(g.KW+1)
	n := g.norm()
	h := (n.KH-1)*n.DilY + 1 + r.IntN(14)
	w := (n.KW-1)*n.DilX + 1 + r.IntN(20)
	if r.IntN(5) == 0 {
		w += 30 + r.IntN(40)
	}
	oh := (h+g.PadTop+r.IntN(g.KH+1)-(n.KH-1)*n.DilY-1)/n.StrideY + 1
	ow := (w+g.PadLeft+r.IntN(g.KW+1)-(n.KW-1)*n.DilX-1)/n.StrideX + 1
	c := convCase{g, 1 + r.IntN(3), Full(h, w), Full(oh, ow)}
	if r.IntN(2) == 0 {
		cut := func(b Box) Box {
			y0, x0 := b.Y0+r.IntN(b.H()+3)-2, b.X0+r.IntN(b.W()+3)-2
			return rect(y0, x0, y0+1+r.IntN(b.H()), x0+1+r.IntN(b.W()))
		}
		if r.IntN(2) == 0 {
			c.in = cut(c.in)
		}
		c.out = cut(c.out)
		c.n = 1 + r.IntN(9)
	}
	return c
}

func randSlice(r *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.NormFloat64())
	}
	return s
}

// each calls f for every pair of an output and an input position that a weight
// connects, straight from the formula at Conv.
func (c convCase) each(f func(i, k, ch, w, y, x int)) {
	g := c.g.norm()
	cg, kg := g.In/g.Groups, g.Out/g.Groups
	for i := range c.n {
		for k := range g.Out {
			for ch := range cg {
				for oy := c.out.Y0; oy < c.out.Y1; oy++ {
					for ox := c.out.X0; ox < c.out.X1; ox++ {
						for ky := range g.KH {
							for kx := range g.KW {
								y, x := oy*g.StrideY-g.PadTop+ky*g.DilY, ox*g.StrideX-g.PadLeft+kx*g.DilX
								if y < c.in.Y0 || y >= c.in.Y1 || x < c.in.X0 || x >= c.in.X1 {
									continue
								}
								f(i, k, ch, ((k*cg+ch)*g.KH+ky)*g.KW+kx,
									((i*g.Out+k)*c.out.H()+oy-c.out.Y0)*c.out.W()+ox-c.out.X0,
									((i*g.In+k/kg*cg+ch)*c.in.H()+y-c.in.Y0)*c.in.W()+x-c.in.X0)
							}
						}
					}
				}
			}
		}
	}
}

// rounds returns how often to repeat a random test: n, less with -short.
func rounds(n int) int {
	if testing.Short() {
		return max(1, n/8)
	}
	return n
}

// forLevels runs a test on every implementation of this build and processor.
func forLevels(t *testing.T, f func(t *testing.T)) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			defer Force(name)()
			f(t)
		})
	}
}

// close32 compares with a float64 sum. mag is the sum of the magnitudes of the
// terms: rounding errors grow with it, not with the result. Float32 chains of k
// terms stay within k/2 ulp of it; the sums here have at most about 1000 terms
// and random signs, for which 2e-6 leaves a margin of ten.
func close32(got float32, want, mag float64) bool {
	return math.Abs(float64(got)-want) <= 2e-6*mag+1e-30
}

func TestConvFormula(t *testing.T) {
	forLevels(t, testConvFormula)
}

func testConvFormula(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	e := New(3)
	defer e.Close()
	for range rounds(300) {
		c := randCase(r)
		g := c.g.norm()
		x := randSlice(r, c.n*g.In*c.in.Area())
		dy := randSlice(r, c.n*g.Out*c.out.Area())
		w := randSlice(r, g.weights())
		bias := randSlice(r, g.Out)

		y, ym := make([]float64, len(dy)), make([]float64, len(dy))
		dx, dxm := make([]float64, len(x)), make([]float64, len(x))
		dw, dwm := make([]float64, len(w)), make([]float64, len(w))
		c.each(func(i, k, ch, wi, yi, xi int) {
			add := func(sum, mag []float64, j int, a, b float32) {
				v := float64(a) * float64(b)
				sum[j] += v
				mag[j] += math.Abs(v)
			}
			add(y, ym, yi, w[wi], x[xi])
			add(dx, dxm, xi, w[wi], dy[yi])
			add(dw, dwm, wi, x[xi], dy[yi])
		})
		check := func(what string, got []float32, want, mag []float64) {
			t.Helper()
			for j := range got {
				if !close32(got[j], want[j], mag[j]) {
					t.Fatalf("%s %v: element %d is %v, want %v", what, c, j, got[j], want[j])
				}
			}
		}
		gy, gx, gw := make([]float32, len(y)), make([]float32, len(x)), make([]float32, len(w))
		gb := make([]float32, g.Out)
		e.ConvData(PackData(c.g, w), c.n, gx, c.in, dy, c.out)
		check("ConvData", gx, dx, dxm)
		e.ConvWeights(c.g, c.n, gw, gb, x, c.in, dy, c.out)
		check("ConvWeights", gw, dw, dwm)
		db, dbm := make([]float64, g.Out), make([]float64, g.Out)
		for j, v := range dy {
			k := j / c.out.Area() % g.Out
			db[k] += float64(v)
			dbm[k] += math.Abs(float64(v))
		}
		check("bias gradient", gb, db, dbm)

		f := PackForward(c.g, w)
		e.ConvForward(f, c.n, gy, c.out, x, c.in, Epilogue{})
		check("ConvForward", gy, y, ym)
		for j := range y {
			b := float64(bias[j/c.out.Area()%g.Out])
			y[j] = max(y[j]+b, 0)
			ym[j] += math.Abs(b)
		}
		e.ConvForward(f, c.n, gy, c.out, x, c.in, Epilogue{Bias: bias, ReLU: true})
		check("ConvForward with bias and ReLU", gy, y, ym)
	}
}

func TestBoxes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range rounds(2000) {
		c := randCase(r)
		g := c.g.norm()
		oh, ow := c.out.Y1, c.out.X1
		if oh < 1 || ow < 1 {
			continue
		}
		// By brute force: the hull of the inputs read by out, and of the outputs
		// that read from in.
		var read, changed Box
		for oy := min(c.out.Y0, 0); oy < oh; oy++ {
			for ox := min(c.out.X0, 0); ox < ow; ox++ {
				p := rect(oy, ox, oy+1, ox+1)
				for ky := range g.KH {
					for kx := range g.KW {
						y, x := oy*g.StrideY-g.PadTop+ky*g.DilY, ox*g.StrideX-g.PadLeft+kx*g.DilX
						q := rect(y, x, y+1, x+1)
						if c.out.Contains(p) {
							read = read.Union(q)
						}
						if c.in.Contains(q) && Full(oh, ow).Contains(p) {
							changed = changed.Union(p)
						}
					}
				}
			}
		}
		if got := c.g.InputBox(c.out); got != read {
			t.Fatalf("%v: InputBox %v, want %v", c, got, read)
		}
		if got := c.g.OutputBox(c.in, oh, ow); got != changed {
			t.Fatalf("%v: OutputBox(%d, %d) %v, want %v", c, oh, ow, got, changed)
		}
	}
}

// Images of the output that lie apart get what they get side by side, and
// nothing between them is touched.
func TestImagesApart(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(71, 72))
		e := New(2)
		defer e.Close()
		for range rounds(60) {
			c := randCase(r)
			g := c.g.norm()
			x, w := randSlice(r, c.n*g.In*c.in.Area()), randSlice(r, g.weights())
			size := g.Out * c.out.Area()
			ep := Epilogue{Bias: randSlice(r, g.Out), ReLU: r.IntN(2) == 0, Stride: size + 1 + r.IntN(40)}
			for _, f := range []*Filters{PackForward(c.g, w), PackForwardFast(c.g, w)} {
				want := make([]float32, c.n*size)
				e.ConvForward(f, c.n, want, c.out, x, c.in, Epilogue{Bias: ep.Bias, ReLU: ep.ReLU})
				got := make([]float32, c.n*ep.Stride)
				for i := range got {
					got[i] = 77
				}
				e.ConvForward(f, c.n, got, c.out, x, c.in, ep)
				for i := range c.n {
					if !equalBits(got[i*ep.Stride:][:size], want[i*size:][:size]) {
						t.Fatalf("%v stride %d: image %d differs", c, ep.Stride, i)
					}
					for _, v := range got[i*ep.Stride+size : (i+1)*ep.Stride] {
						if v != 77 {
							t.Fatalf("%v stride %d: wrote between the images", c, ep.Stride)
						}
					}
				}
			}
		}
	})
}
