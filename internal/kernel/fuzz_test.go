package kernel

import (
	"math"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
)

// shapeReader takes small numbers from the bytes of a fuzz input.
type shapeReader []byte

// next returns a number in [0, n).
func (s *shapeReader) next(n int) int {
	if len(*s) == 0 {
		return 0
	}
	v := int((*s)[0])
	*s = (*s)[1:]
	return v % n
}

// values returns n values from a small set that sums exactly in any order, so
// that every implementation must agree to the bit; some are NaN or infinite if
// odd is set.
func (s *shapeReader) values(n int, odd bool) []float32 {
	seed := uint32(s.next(256))*2654435761 + 1
	v := make([]float32, n)
	for i := range v {
		seed = seed*1664525 + 1013904223
		v[i] = float32(int(seed>>24)%9 - 4)
		if odd && seed>>8&0xff == 0 {
			v[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[seed>>16&0xff%3]
		}
	}
	return v
}

// FuzzConv compares every implementation with the reference on geometry that
// the input's bytes choose. Values are small whole numbers: sums are exact.
func FuzzConv(f *testing.F) {
	f.Add([]byte{3, 3, 1, 1, 1, 1, 1, 1, 2, 5, 1, 9, 9, 9, 9})
	f.Add([]byte{5, 5, 2, 3, 1, 2, 2, 2, 14, 33, 1, 3, 20, 40, 0, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte{1, 1, 1, 1, 1, 1, 0, 0, 70, 17, 1, 5, 7, 7})
	f.Add([]byte{3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8, 1, 30, 30})
	hostile.Fuzz(f, func(t testing.TB, data []byte) {
		s := shapeReader(data)
		g := Conv{
			KH: 1 + s.next(6), KW: 1 + s.next(6), StrideY: 1 + s.next(4), StrideX: 1 + s.next(4),
			DilY: 1 + s.next(3), DilX: 1 + s.next(3), PadTop: s.next(5), PadLeft: s.next(5),
		}
		g.In, g.Out, g.Groups = 1+s.next(70), 1+s.next(40), 1+s.next(9)
		if g.Groups > 1 {
			g.In, g.Out = g.Groups*(1+g.In%3), g.Groups*(1+g.Out%3)
		}
		n := 1 + s.next(5)
		in := rect(0, 0, 1+s.next(24), 1+s.next(40)).Shift(s.next(5)-2, s.next(5)-2)
		out := rect(0, 0, 1+s.next(16), 1+s.next(24)).Shift(s.next(7)-3, s.next(7)-3)
		if n*g.weights()*out.Area() > 2e6 {
			t.Skip()
		}
		odd := s.next(4) == 0
		x, dy := s.values(n*g.In*in.Area(), odd), s.values(n*g.Out*out.Area(), odd)
		plain := s.values(len(dy), false) // the padding times NaN is not specified
		w, bias := s.values(g.weights(), false), s.values(g.Out, false)
		ep := Epilogue{Bias: bias, ReLU: s.next(2) == 0}
		e := New(1 + s.next(3))
		defer e.Close()
		var want [3][]float32
		for _, name := range append([]string{"ref"}, Names()...) {
			restore := Force(name)
			y, ok1 := guard(t, len(dy))
			e.ConvForward(PackForward(g, w), n, y, out, x, in, ep)
			dx, ok2 := guard(t, len(x))
			e.ConvData(PackData(g, w), n, dx, in, dy, out)
			dw, ok3 := guard(t, len(w))
			db, ok4 := guard(t, g.Out)
			e.ConvWeights(g, n, dw, db, x, in, plain, out)
			restore()
			ok1()
			ok2()
			ok3()
			ok4()
			if want[0] == nil {
				want = [3][]float32{y, dx, dw}
				continue
			}
			for i, got := range [][]float32{y, dx, dw} {
				// 0 and -0 may differ; NaN must be NaN.
				for j, v := range got {
					if u := want[i][j]; u != v && (u == u || v == v) {
						t.Fatalf("%s, %+v n=%d in %v out %v: %s element %d is %v, want %v", name, g, n, in, out,
							[]string{"forward", "data", "weights"}[i], j, v, u)
					}
				}
			}
		}
	})
}
