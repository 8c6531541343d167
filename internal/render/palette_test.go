package render

import (
	"image/color"
	"math"
	"testing"
)

func TestPaletteEnds(t *testing.T) {
	tests := []struct {
		name string
		p    Palette
		t    float64
		want color.NRGBA
	}{
		{"gray", Gray, 0, color.NRGBA{0, 0, 0, 255}},
		{"gray", Gray, 0.5, color.NRGBA{128, 128, 128, 255}}, // 127.5 rounds up
		{"gray", Gray, 1, color.NRGBA{255, 255, 255, 255}},
		{"jet", Jet, 0, color.NRGBA{0, 0, 128, 255}},
		{"jet", Jet, 0.125, color.NRGBA{0, 0, 255, 255}},
		{"jet", Jet, 0.5, color.NRGBA{128, 255, 128, 255}},
		{"jet", Jet, 1, color.NRGBA{128, 0, 0, 255}},
		{"viridis", Viridis, 0, color.NRGBA{0x44, 0x01, 0x54, 255}},
		{"viridis", Viridis, 0.5, color.NRGBA{0x21, 0x91, 0x8c, 255}},
		{"viridis", Viridis, 1, color.NRGBA{0xfd, 0xe7, 0x25, 255}},
		{"diverging", Diverging, 0.5, color.NRGBA{128, 128, 128, 255}},
		{"steps", Steps(Gray, 2), 0.49, color.NRGBA{0, 0, 0, 255}},
		{"steps", Steps(Gray, 2), 0.5, color.NRGBA{255, 255, 255, 255}},
		{"steps", Steps(Diverging, 3), 0.4, color.NRGBA{128, 128, 128, 255}},
	}
	for _, tt := range tests {
		if got := tt.p(tt.t); got != tt.want {
			t.Errorf("%s(%v) is %v, want %v", tt.name, tt.t, got, tt.want)
		}
	}
	for name, p := range map[string]Palette{"gray": Gray, "jet": Jet, "viridis": Viridis, "diverging": Diverging, "steps": Steps(Jet, 7)} {
		if p(-3) != p(0) || p(7) != p(1) || p(math.Inf(1)) != p(1) || p(math.Inf(-1)) != p(0) {
			t.Errorf("%s does not clip", name)
		}
		if got := p(math.NaN()); got != nan {
			t.Errorf("%s(NaN) is %v, want magenta", name, got)
		}
	}
}

// Lightness rises all the way, in steps that do not vary too much.
func TestViridisMonotone(t *testing.T) {
	const n = 256
	mean := (toLab(Viridis(1)).l - toLab(Viridis(0)).l) / n
	for i := range n {
		a, b := toLab(Viridis(float64(i)/n)), toLab(Viridis(float64(i+1)/n))
		// One step of an 8-bit channel is up to 0.003 in lightness.
		if b.l-a.l < -0.001 {
			t.Errorf("lightness falls by %.4f at %d/%d", a.l-b.l, i, n)
		}
		if i%8 == 0 && i+8 <= n {
			if d := toLab(Viridis(float64(i+8)/n)).l - a.l; d < 4*mean || d > 14*mean {
				t.Errorf("lightness rises by %.4f from %d to %d, want about %.4f", d, i, i+8, 8*mean)
			}
		}
	}
}

// Both sides look equally far from zero, and no colour had to be clipped.
func TestDivergingBalanced(t *testing.T) {
	zero := toLab(Diverging(0.5))
	for i := range 101 {
		s := float64(i) / 200
		neg, pos := toLab(Diverging(0.5-s)), toLab(Diverging(0.5+s))
		a, b := math.Sqrt(neg.distance2(zero)), math.Sqrt(pos.distance2(zero))
		want := 2 * s * math.Hypot(0.165, 0.162)
		// Rounding to bytes costs up to about 0.004.
		if math.Abs(a-want) > 0.006 || math.Abs(b-want) > 0.006 {
			t.Errorf("±%v: distances to grey %.4f and %.4f, want %.4f", s, a, b, want)
		}
	}
	if lo, hi := Diverging(0), Diverging(1); !(lo.B > lo.G && lo.G > lo.R) || !(hi.R > hi.G && hi.G > hi.B) {
		t.Errorf("ends are %v, want blue, and %v, want orange", lo, hi)
	}
}

func TestCategorical(t *testing.T) {
	// 0.06 in OKLab is three times what can just be told apart side by side.
	for i := range 32 {
		for j := range i {
			if d := math.Sqrt(toLab(Categorical(i)).distance2(toLab(Categorical(j)))); d < 0.06 {
				t.Errorf("colours %d and %d are %.3f apart", i, j, d)
			}
		}
		if d := math.Sqrt(toLab(Categorical(i)).distance2(toLab(nan))); d < 0.06 {
			t.Errorf("colour %d is %.3f from that of NaN", i, d)
		}
	}
	seen := map[color.NRGBA]bool{}
	for i := range 1000 {
		c := Categorical(i)
		if c != Categorical(i) || c.A != 255 {
			t.Fatalf("colour %d is %v", i, c)
		}
		seen[c] = true
	}
	if len(seen) < 950 {
		t.Errorf("1000 classes have %d colours", len(seen))
	}
	if Categorical(-1) != (color.NRGBA{210, 210, 210, 255}) {
		t.Errorf("colour -1 is %v, want light grey", Categorical(-1))
	}
}

// Every byte survives the way to OKLab and back.
func TestLabRoundTrip(t *testing.T) {
	for v := range 256 {
		for _, c := range []color.NRGBA{{uint8(v), uint8(v), uint8(v), 255}, {uint8(v), 255 - uint8(v), 40, 255}} {
			if got := toLab(c).color(); got != c {
				t.Errorf("%v becomes %v", c, got)
			}
		}
	}
}
