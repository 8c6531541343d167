package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// toLanes puts L images [C][H][W] side by side.
func toLanes(src []float32, c, h, w, lanes int) Lane {
	b := Lane{Data: make([]float32, (h*w+1)*c*lanes), H: h, W: w, Place: c * lanes, Pitch: w}
	for l := range lanes {
		for i := range c {
			for p := range h * w {
				b.Data[p*c*lanes+i*lanes+l] = src[(l*c+i)*h*w+p]
			}
		}
	}
	return b
}

// TestLaneConv compares convolutions on lanes with ConvForward: the direct way to
// the bit, the others to rounding.
func TestLaneConv(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		if current() == refLevel {
			t.Skip("no lanes in the reference")
		}
		r := rand.New(rand.NewPCG(5, 6))
		e := New(1)
		defer e.Close()
		var s LaneScratch
		lanes := Lanes()
		for range rounds(160) {
			g := Conv{In: 1 + r.IntN(20), Out: 1 + r.IntN(40), KH: 1 + r.IntN(4), KW: 1 + r.IntN(4), StrideY: 1 + r.IntN(2), StrideX: 1 + r.IntN(3),
				DilY: 1 + r.IntN(2), DilX: 1 + r.IntN(2), Groups: 1}
			switch r.IntN(4) {
			case 0:
				g.Groups = 2
				g.In, g.Out = 2*g.In, 2*g.Out
			case 2:
				g.Groups, g.Out, g.DilY, g.DilX = g.In, g.In, 1, 1
				g.KW, g.StrideX = g.KH, g.StrideY
			case 1:
				g.KH, g.KW, g.StrideY, g.StrideX, g.DilY, g.DilX = 3, 3, 1, 1, 1, 1
			}
			g.PadTop, g.PadLeft = r.IntN(g.KH), r.IntN(g.KW)
			w, bias := randSlice(r, g.weights()), randSlice(r, g.Out)
			// A window of the input, zero outside, and the outputs it reaches.
			in := rect(0, 0, 1+r.IntN(9), 1+r.IntN(7))
			out := g.OutputBox(in, 40, 40)
			if out.Empty() {
				continue
			}
			x := randSlice(r, lanes*g.In*in.Area())
			want := make([]float32, lanes*g.Out*out.Area())
			ep := Epilogue{Bias: bias}
			switch r.IntN(4) {
			case 0:
				ep.ReLU = true
			case 1:
				ep.Clip = NewClip(-0.3, 0.5)
			case 2:
				ep.Func = &Function{Func: Swish, A: 1}
			}
			check := func(what string, got Lane, tolerance float64) {
				t.Helper()
				largest := 0.0
				for _, v := range want {
					largest = max(largest, math.Abs(float64(v)))
				}
				w := toLanes(want, g.Out, out.H(), out.W(), lanes)
				for i := range w.Data[:out.Area()*w.Place] {
					if d := math.Abs(float64(w.Data[i] - got.Data[i])); d > tolerance*largest || d != d {
						t.Fatalf("%s %+v in %v out %v: element %d is %v, want %v", what, g, in, out, i, got.Data[i], w.Data[i])
					}
				}
			}
			need := g.InputBox(out)
			padded := Lane{Data: make([]float32, need.Area()*g.In*lanes), H: need.H(), W: need.W(), Place: g.In * lanes, Pitch: need.W()}
			src := toLanes(x, g.In, in.H(), in.W(), lanes)
			for y := in.Y0; y < in.Y1; y++ {
				for c := in.X0; c < in.X1; c++ {
					if y >= need.Y0 && y < need.Y1 && c >= need.X0 && c < need.X1 {
						copy(padded.At(y-need.Y0, c-need.X0)[:g.In*lanes], src.At(y, c))
					}
				}
			}
			e.ConvForward(PackForward(g, w), lanes, want, out, x, in, ep)
			dst := toLanes(randSlice(r, len(want)), g.Out, out.H(), out.W(), lanes)
			direct := PackLanes(g, w, LaneDirect)
			direct.Run(&s, dst, padded, 0, 0, ep)
			check("direct", dst, 0)
			dst = toLanes(randSlice(r, len(want)), g.Out, out.H(), out.W(), lanes)
			if laneParts(direct, &s, dst, padded, ep) {
				check("parts", dst, 0)
			}
			for _, way := range []LaneWay{LaneTaps, LaneWinograd} {
				if way == LaneWinograd && !g.CanWinograd() {
					continue
				}
				e.ConvForward(PackForward(g, w), lanes, want, out, x, in, Epilogue{})
				start := toLanes(randSlice(r, len(want)), g.Out, out.H(), out.W(), lanes)
				dst := start
				dst.Data = append([]float32(nil), start.Data...)
				PackLanes(g, w, way).Run(&s, dst, src, need.Y0-in.Y0, need.X0-in.X0, Epilogue{})
				for i := range start.Data[:out.Area()*dst.Place] {
					dst.Data[i] -= start.Data[i]
				}
				check([]string{LaneTaps: "taps", LaneWinograd: "winograd"}[way], dst, 3e-6)
			}
		}
	})
}

// laneParts computes a direct convolution some channels at a time, if that can be.
func laneParts(f *LaneConv, s *LaneScratch, dst, src Lane, ep Epilogue) bool {
	lanes := Lanes()
	// piece is memory for some of the channels of a buffer, with a gap behind each place.
	piece := func(b Lane, n int) Lane {
		b.Place = n*lanes + 16
		b.Data = make([]float32, (b.H*b.W+1)*b.Place)
		return b
	}
	switch {
	case f.plane != nil:
		for c, next := 0, 0; c < f.g.In; c = next {
			next = min(c+1+c%3, f.g.In)
			some := piece(src, next-c)
			for y := range src.H {
				for x := range src.W {
					copy(some.At(y, x)[:(next-c)*lanes], src.At(y, x)[c*lanes:])
				}
			}
			f.RunPlanes(s, dst, some, 0, 0, c, next, ep)
		}
	case f.g.Groups == 1:
		for p, next := 0, 0; p < f.Parts(); p = next {
			next = min(p+1+p%2, f.Parts())
			from, to := f.Part(p), f.Part(next)
			some := piece(dst, to-from)
			f.RunPart(s, some, src, 0, 0, p, next, ep)
			for y := range dst.H {
				for x := range dst.W {
					copy(dst.At(y, x)[from*lanes:to*lanes], some.At(y, x))
				}
			}
		}
	default:
		return false
	}
	return true
}

func TestLaneMoves(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		lanes := Lanes()
		for n := 1; n < 70; n += 1 + n/8 {
			base := randSlice(r, 4000)
			offs := make([]int64, lanes)
			for l := range offs {
				offs[l] = int64(4 * r.IntN(3900))
			}
			mask := r.Uint64()
			dst, ok := guard(t, n*lanes)
			copy(dst, randSlice(r, n*lanes))
			src := randSlice(r, n*lanes)
			want := append([]float32(nil), dst...)
			each := func(f func(i, c, l int)) {
				for c := range n {
					for l := range lanes {
						if mask>>l&1 != 0 {
							f(c*lanes+l, c, l)
						}
					}
				}
			}
			check := func(what string) {
				t.Helper()
				ok()
				if i := same(dst, want); i >= 0 {
					t.Fatalf("%s of %d: element %d is %v, want %v", what, n, i, dst[i], want[i])
				}
			}
			LaneGather(dst, base, offs, n, false, LaneSet, mask)
			each(func(i, c, l int) { want[i] = base[int(offs[l])/4+c] })
			check("gather")
			LaneGather(dst, base, offs, n, true, LaneSub, mask)
			each(func(i, c, l int) { want[i] -= max(base[int(offs[l])/4+c], 0) })
			check("gather relu sub")
			LaneGather(dst, base, offs, n, false, LaneAdd, mask)
			each(func(i, c, l int) { want[i] += base[int(offs[l])/4+c] })
			check("gather add")
			LaneCopy(dst, src, n, mask)
			each(func(i, c, l int) { want[i] = src[i] })
			check("copy")
			src = randSlice(r, n*lanes)
			third := randSlice(r, n*lanes)
			LaneMax(dst, dst, src, third)
			for i := range want {
				want[i] = max(want[i], src[i], third[i])
			}
			check("max")
		}
	})
}

// TestLaneDense compares with DenseForward on the changed maps.
func TestLaneDense(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		lanes := Lanes()
		for range rounds(40) {
			e := New(1 + r.IntN(3))
			c, h, w, out := 1+r.IntN(40), 1+r.IntN(5), 1+r.IntN(20), 1+r.IntN(60)
			if r.IntN(3) == 0 {
				h, w = 1, 1
			}
			n := 1 + r.IntN(3*lanes)
			weight, bias, clean := randSlice(r, out*c*h*w), randSlice(r, out), randSlice(r, c*h*w)
			x := make([]float32, n*len(clean))
			blocks := make([]LaneChanges, (n+lanes-1)/lanes)
			for b := range blocks {
				y0, x0 := r.IntN(h+1), r.IntN(w+1)
				box := rect(y0, x0, y0+r.IntN(h-y0+1), x0+r.IntN(w-x0+1))
				blocks[b] = LaneChanges{box, randSlice(r, box.Area()*c*lanes)}
				for l := b * lanes; l < min(n, (b+1)*lanes); l++ {
					img := x[l*len(clean):][:len(clean)]
					copy(img, clean)
					for p := range box.Area() {
						for k := range c {
							img[k*h*w+(box.Y0+p/box.W())*w+box.X0+p%box.W()] += blocks[b].Data[(p*c+k)*lanes+l-b*lanes]
						}
					}
				}
			}
			want, got, cleanOut := make([]float32, n*out), make([]float32, n*out), make([]float32, out)
			e.DenseForward(n, len(clean), out, want, x, weight, bias)
			e.DenseForward(1, len(clean), out, cleanOut, clean, weight, bias)
			e.LaneDense(n, c, h, w, got, weight, cleanOut, blocks)
			largest := 0.0
			for _, v := range want {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i, v := range got {
				if d := math.Abs(float64(v - want[i])); !(d <= 4e-6*largest) {
					t.Fatalf("%d maps of %dx%dx%d to %d: output %d is %v, want %v", n, c, h, w, out, i, v, want[i])
				}
			}
			e.Close()
		}
	})
}

// TestLaneZeros: leaving out channels that are 0 in all lanes changes no sum.
func TestLaneZeros(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		if current() == refLevel {
			t.Skip("no lanes in the reference")
		}
		r := rand.New(rand.NewPCG(11, 12))
		lanes := Lanes()
		var s LaneScratch
		for i := range rounds(40) {
			g := Conv{In: 1 + r.IntN(40), Out: 32 + r.IntN(40), KH: 1, KW: 1, StrideY: 1 + r.IntN(2), StrideX: 1, Groups: 1}
			if i%8 == 0 {
				g.In = 500 + r.IntN(100)
			}
			w := randSlice(r, g.weights())
			h, wide := 1+r.IntN(5), 1+r.IntN(5)
			src := toLanes(randSlice(r, lanes*g.In*h*wide), g.In, h, wide, lanes)
			dense := []float64{0, 0.3, 0.6, 1}[r.IntN(4)]
			for c := range h * wide * g.In {
				if r.Float64() >= dense {
					clear(src.Data[c*lanes:][:lanes])
				}
			}
			ep := Epilogue{ReLU: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				ep.Bias = randSlice(r, g.Out)
			}
			out := (h-1)/g.StrideY + 1
			var dst [2]Lane
			for k := range dst {
				dst[k] = toLanes(make([]float32, lanes*g.Out*out*wide), g.Out, out, wide, lanes)
				f := PackLanes(g, w, LaneDirect)
				if k == 1 {
					if f.SkipZeros(); !f.skip && current() != genericLevel {
						t.Fatal("zeros are not skipped")
					}
				}
				f.Run(&s, dst[k], src, 0, 0, ep)
			}
			for j, v := range dst[0].Data {
				if dst[1].Data[j] != v {
					t.Fatalf("%+v, %v of the channels: element %d is %v, want %v", g, dense, j, dst[1].Data[j], v)
				}
			}
		}
	})
}
