package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Average pools over boxes have the bits of the definition on every level, with
// paddings of all kinds, strides, dilations, and numbers that are none.
func TestAvgPoolBits(t *testing.T) {
	forLevels(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(93, 94))
		one, many := New(1), New(3)
		defer many.Close()
		for range rounds(300) {
			g := Pool{KH: 1 + r.IntN(4), KW: 1 + r.IntN(4), StrideY: 1 + r.IntN(3), StrideX: 1 + r.IntN(3), DilY: 1 + r.IntN(2), DilX: 1 + r.IntN(2)}
			g.PadTop, g.PadLeft = r.IntN(g.KH), r.IntN(g.KW)
			h, w, bottom, right := 2+r.IntN(20), 2+r.IntN(150), r.IntN(3), r.IntN(3)
			part := func(h, w int) Box {
				y, x := r.IntN(h), r.IntN(w)
				return rect(y, x, y+1+r.IntN(h-y), x+1+r.IntN(w-x))
			}
			out, in := part(1+(h+2)/g.StrideY, 1+(w+2)/g.StrideX), part(h, w)
			if r.IntN(2) == 0 {
				in = Full(h, w)
			}
			if r.IntN(2) == 0 { // many whole windows side by side, of which a kernel makes eight at a time
				g.DilX, in, out = 1, Full(h, w), Full(1+(h+2)/g.StrideY, 1+(w+2)/g.StrideX)
			}
			planes := 1 + r.IntN(3)
			src := randSlice(r, planes*in.Area())
			src[r.IntN(len(src))] = float32(math.NaN())
			pad := r.IntN(2) == 0
			d, ok := guard(t, planes*out.Area())
			one.AvgPool(g, planes, d, out, src, in, h, w, bottom, right, pad)
			ok()
			other := make([]float32, len(d))
			many.AvgPool(g, planes, other, out, src, in, h, w, bottom, right, pad)
			want := make([]float32, len(d))
			for p := range planes {
				refAvgPool(g, want[p*out.Area():][:out.Area()], out, src[p*in.Area():][:in.Area()], in, h, w, bottom, right, pad)
			}
			for i, v := range want {
				whole := out == Full(1, 1) && g.KH == h && g.KW == w // summed in float32
				if !whole && (!sameNumber(d[i], v) || !sameNumber(other[i], v)) {
					t.Fatalf("%+v of %d x %d, %v from %v: number %d is %v and %v, want %v", g, h, w, out, in, i, d[i], other[i], v)
				}
			}
		}
	})
}
