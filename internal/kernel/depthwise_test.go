package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// forAsm runs f on every level in assembly, with a changed copy of it.
func forAsm(t *testing.T, change func(lv *level), f func(t *testing.T, other *level)) {
	for _, lv := range asmLevels() {
		t.Run(lv.name, func(t *testing.T) {
			defer Force(lv.name)()
			other := *lv
			change(&other)
			f(t, &other)
		})
	}
}

// oddSlice is randSlice with zeros of both signs, denormals and, if wild, values
// that are not finite.
func oddSlice(r *rand.Rand, n int, wild bool) []float32 {
	s := randSlice(r, n)
	for i := range s {
		switch r.IntN(24) {
		case 0:
			s[i] = float32(math.Copysign(0, float64(s[i])))
		case 1:
			s[i] *= 1e-39
		case 2:
			if wild {
				s[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[r.IntN(3)]
			}
		}
	}
	return s
}

// sameBits compares values bit by bit; a NaN is like any other.
func sameBits(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// randPlanes draws a depthwise convolution with boxes that may reach beyond the
// planes or leave a part of them out.
func randPlanes(r *rand.Rand) convCase {
	pick := func(v ...int) int { return v[r.IntN(len(v))] }
	k := pick(1, 2, 3, 3, 4, 5, 7)
	g := Conv{KH: k, KW: k, StrideY: pick(1, 1, 2, 2, 3), DilY: pick(1, 1, 1, 1, 2)}
	g.StrideX, g.DilX = g.StrideY, g.DilY
	if r.IntN(6) == 0 {
		g.KW = pick(1, 2, 3, 4, 5)
	}
	g.In = 1 + r.IntN(40)
	g.Out, g.Groups = g.In, g.In
	g.PadTop, g.PadLeft = r.IntN(k+1), r.IntN(k+1)
	h, w := (g.KH-1)*g.DilY+1+r.IntN(20), (g.KW-1)*g.DilX+1+r.IntN(pick(10, 40, 120))
	oh, ow := (h+2*g.PadTop-(g.KH-1)*g.DilY-1)/g.StrideY+1, (w+2*g.PadLeft-(g.KW-1)*g.DilX-1)/g.StrideX+1
	c := convCase{g, 1 + r.IntN(3), Full(h, w), Full(oh, ow)}
	if r.IntN(3) == 0 {
		cut := func(b Box) Box {
			y0, x0 := b.Y0+r.IntN(b.H()+3)-2, b.X0+r.IntN(b.W()+3)-2
			return rect(y0, x0, y0+1+r.IntN(b.H()), x0+1+r.IntN(b.W()))
		}
		c.in, c.out = cut(c.in), cut(c.out)
	}
	return c
}

// Depthwise convolutions and their gradients have the bits of the tiles, and write
// nothing beside their outputs; so for any number of workers.
func TestDepthwiseBits(t *testing.T) {
	forAsm(t, func(lv *level) { lv.planeConv, lv.channels = [3][8][8]planeConv{}, [3][]channelConv{} }, func(t *testing.T, tiles *level) {
		r := rand.New(rand.NewPCG(81, 82))
		e, one := New(3), New(1)
		defer e.Close()
		defer one.Close()
		used := 0
		for range rounds(800) {
			c := randPlanes(r)
			g := c.g
			x := oddSlice(r, c.n*g.In*c.in.Area(), r.IntN(2) == 0)
			dy := oddSlice(r, c.n*g.Out*c.out.Area(), r.IntN(2) == 0)
			w, bias := oddSlice(r, g.weights(), false), oddSlice(r, g.Out, false)
			ep := Epilogue{ReLU: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				ep.Bias = bias
			}
			f, d := PackForward(g, w), PackData(g, w)
			if f.planes() {
				used++
			}
			y, yOK := guard(t, len(dy))
			dx, dxOK := guard(t, len(x))
			e.ConvForward(f, c.n, y, c.out, x, c.in, ep)
			e.ConvData(d, c.n, dx, c.in, dy, c.out)
			yOK()
			dxOK()
			y1, dx1 := make([]float32, len(dy)), make([]float32, len(x))
			one.ConvForward(f, c.n, y1, c.out, x, c.in, ep)
			one.ConvData(d, c.n, dx1, c.in, dy, c.out)
			if !sameBits(y, y1) || !sameBits(dx, dx1) {
				t.Fatalf("%v: three workers differ from one", c)
			}
			was := active.Swap(tiles)
			f, d = PackForward(g, w), PackData(g, w)
			one.ConvForward(f, c.n, y1, c.out, x, c.in, ep)
			one.ConvData(d, c.n, dx1, c.in, dy, c.out)
			active.Store(was)
			if !sameBits(y, y1) {
				t.Fatalf("%v %+v: forward differs from the tiles", c, ep)
			}
			if !sameBits(dx, dx1) {
				t.Fatalf("%v: gradient differs from the tiles", c)
			}
		}
		if used == 0 {
			t.Error("no case took the kernels for planes")
		}
	})
}
