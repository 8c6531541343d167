package render

import (
	"image"
	"image/color"
	"math"
	"testing"
)

var (
	nan32 = float32(math.NaN())
	inf32 = float32(math.Inf(1))
)

// greys are the red values of img, row by row; -1 for a pixel that is not an opaque
// grey.
func greys(img *image.NRGBA) []int {
	var g []int
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			c := img.NRGBAAt(x, y)
			v := int(c.R)
			if c.R != c.G || c.G != c.B || c.A != 255 {
				v = -1
			}
			g = append(g, v)
		}
	}
	return g
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestSigned(t *testing.T) {
	tests := []struct {
		name  string
		data  []float32
		scale float64
		want  []int
	}{
		{"zero, ends", []float32{0, 2, -2, 1}, 2, []int{128, 255, 0, 192}}, // 128+127*0.5 = 191.5
		{"below zero", []float32{-1, -0.5}, 2, []int{64, 96}},              // 128-128*0.5, 128-128*0.25
		{"clipped", []float32{9, -9, inf32, -inf32}, 2, []int{255, 0, 255, 0}},
		{"flat", []float32{0, 0, 0}, 0, []int{128, 128, 128}},
		{"no scale", []float32{5, -5}, 0, []int{128, 128}},
		{"bad scale", []float32{5, -5}, math.NaN(), []int{128, 128}},
		{"nan", []float32{nan32, 0}, 1, []int{-1, 128}},
		{"empty", nil, 1, nil},
	}
	for _, tt := range tests {
		img := Signed(tt.data, 1, 1, len(tt.data), tt.scale)
		if got := greys(img); !equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	// Planar colours, 2 rows of 1: red 1, 0; green 0, -1; blue -1, NaN.
	img := Signed([]float32{1, 0, 0, -1, -1, nan32}, 3, 2, 1, 1)
	if got := img.NRGBAAt(0, 0); got != (color.NRGBA{255, 128, 0, 255}) {
		t.Errorf("first pixel is %v", got)
	}
	if got := img.NRGBAAt(0, 1); got != nan {
		t.Errorf("pixel with a NaN is %v, want magenta", got)
	}
}

func TestUnit(t *testing.T) {
	got := greys(Unit([]float32{-1, 0, 1, 2, 3, 4}, 1, 2, 3, 0, 2))
	if want := []int{0, 0, 128, 255, 255, 255}; !equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := greys(Unit([]float32{5, 5}, 1, 1, 2, 5, 5)), []int{128, 128}; !equal(got, want) {
		t.Errorf("flat: got %v, want %v", got, want)
	}
}

func TestHeat(t *testing.T) {
	// 2 rows of 3, from 0 to 4 in grey: 1 is 63.75, 2 is 127.5.
	img := Heat([]float32{0, 1, 2, 4, 9, nan32}, 2, 3, 0, 4, Gray)
	if img.Rect != image.Rect(0, 0, 3, 2) {
		t.Fatalf("bounds %v, want 3x2", img.Rect)
	}
	if got, want := greys(img), []int{0, 64, 128, 255, 255, -1}; !equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// A flat map is never amplified, whatever its level and rounding.
	for _, values := range [][]float32{{0, 0}, {3, 3}, {7, 7.0001}} {
		lo, hi := float64(values[0]), float64(values[0])
		img := Heat(values, 1, 2, lo, hi, Diverging)
		if got, want := greys(img), []int{128, 128}; !equal(got, want) {
			t.Errorf("flat %v: got %v, want %v", values, got, want)
		}
	}
}

func TestClasses(t *testing.T) {
	img := Classes([]int{3, -1, 3, 40}, 2, 2)
	for i, want := range []int{3, -1, 3, 40} {
		if got := img.NRGBAAt(i%2, i/2); got != Categorical(want) {
			t.Errorf("cell %d is %v, want colour %d", i, got, want)
		}
	}
}

func TestStatistics(t *testing.T) {
	data := []float32{3, -7, nan32, 1, 5}
	if got := MaxAbs(data); got != 7 {
		t.Errorf("MaxAbs is %v, want 7", got)
	}
	if lo, hi := Range(data); lo != -7 || hi != 5 {
		t.Errorf("Range is %v, %v, want -7, 5", lo, hi)
	}
	if lo, hi := Range([]float32{nan32}); lo != 0 || hi != 0 || MaxAbs(nil) != 0 {
		t.Errorf("without data Range is %v, %v", lo, hi)
	}
	// Sorted -7 1 3 5: position p/100*3.
	for _, tt := range []struct{ p, want float64 }{{0, -7}, {100, 5}, {50, 2}, {25, -1}, {90, 4.4}, {-5, -7}, {200, 5}} {
		if got := Percentile(data, tt.p); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("Percentile(%v) is %v, want %v", tt.p, got, tt.want)
		}
	}
	if got := PercentileAbs(data, 50); got != 4 { // of 1 3 5 7
		t.Errorf("PercentileAbs(50) is %v, want 4", got)
	}
	if got := Percentile(nil, 50); got != 0 {
		t.Errorf("Percentile of nothing is %v", got)
	}
	if data[0] != 3 || data[1] != -7 {
		t.Error("data was reordered")
	}
}

func TestMagnify(t *testing.T) {
	img := Unit([]float32{0, 1, 2, 3}, 1, 2, 2, 0, 255)
	if got, want := greys(Magnify(img, 2)), []int{
		0, 0, 1, 1,
		0, 0, 1, 1,
		2, 2, 3, 3,
		2, 2, 3, 3,
	}; !equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// A part of a picture that does not begin at (0,0).
	sub := Magnify(img.SubImage(image.Rect(1, 0, 2, 2)), 1)
	if got, want := greys(sub), []int{1, 3}; !equal(got, want) {
		t.Errorf("part: got %v, want %v", got, want)
	}
	for _, tt := range []struct{ w, h, target, want int }{
		{30, 30, 224, 210}, {5, 7, 35, 25}, {5, 7, 34, 20}, {300, 10, 224, 300}, {1, 1, 0, 1},
	} {
		if got := MagnifyTo(image.NewGray(image.Rect(0, 0, tt.w, tt.h)), tt.target).Rect.Dx(); got != tt.want {
			t.Errorf("%dx%d to %d: width %d, want %d", tt.w, tt.h, tt.target, got, tt.want)
		}
	}
}

func TestOverlay(t *testing.T) {
	base := Unit([]float32{0, 100, 200, 40}, 1, 1, 4, 0, 255)
	heat := Unit([]float32{100, 0}, 1, 1, 2, 0, 255)
	// A quarter of the heat: 0.75*0+25, 0.75*100+25, 0.75*200, 0.75*40
	if got, want := greys(Overlay(base, heat, 0.25)), []int{25, 100, 150, 30}; !equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := greys(Overlay(base, heat, 0)), greys(base); !equal(got, want) {
		t.Errorf("alpha 0: got %v, want %v", got, want)
	}
	if got, want := greys(Overlay(base, heat, 1)), []int{100, 100, 0, 0}; !equal(got, want) {
		t.Errorf("alpha 1: got %v, want %v", got, want)
	}
	clear := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	if got, want := greys(Overlay(base, clear, 1)), greys(base); !equal(got, want) {
		t.Errorf("transparent heat: got %v, want %v", got, want)
	}
}

func TestDrawBox(t *testing.T) {
	draw := func(r image.Rectangle, thickness int) []int {
		img := Unit(make([]float32, 20), 1, 4, 5, 0, 1)
		DrawBox(img, r, color.Gray{1}, thickness)
		return greys(img)
	}
	if got, want := draw(image.Rect(1, 0, 5, 4), 1), []int{
		0, 1, 1, 1, 1,
		0, 1, 0, 0, 1,
		0, 1, 0, 0, 1,
		0, 1, 1, 1, 1,
	}; !equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// Clipped at the picture's edges, and too small to have an inside.
	if got, want := draw(image.Rect(-3, -3, 2, 2), 1), []int{
		0, 1, 0, 0, 0,
		1, 1, 0, 0, 0,
		0, 0, 0, 0, 0,
		0, 0, 0, 0, 0,
	}; !equal(got, want) {
		t.Errorf("clipped: got %v, want %v", got, want)
	}
	if got, want := draw(image.Rect(1, 1, 3, 4), 1), []int{
		0, 0, 0, 0, 0,
		0, 1, 1, 0, 0,
		0, 1, 1, 0, 0,
		0, 1, 1, 0, 0,
	}; !equal(got, want) {
		t.Errorf("small: got %v, want %v", got, want)
	}
}

func TestPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"channels": func() { Signed(make([]float32, 8), 2, 2, 2, 1) },
		"length":   func() { Unit(make([]float32, 8), 3, 2, 2, 0, 1) },
		"heat":     func() { Heat(make([]float32, 8), 3, 3, 0, 1, Gray) },
		"classes":  func() { Classes(make([]int, 8), 3, 3) },
		"magnify":  func() { Magnify(image.NewGray(image.Rect(0, 0, 1, 1)), 0) },
		"steps":    func() { Steps(Gray, 1) },
		"series":   func() { Curves([]Series{{X: []float64{1}, Y: []float64{1, 2}}}, "", "", "") },
		"bars":     func() { Chart{}.Bars([]string{"a"}, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestSmooth: values of torch.nn.functional.interpolate(mode="bilinear", align_corners=False).
func TestSmooth(t *testing.T) {
	got := Smooth([]float32{0, 1, 2, 4, 8, 16}, 2, 3, 4, 6)
	want := []float32{
		0, 0.25, 0.75, 1.25, 1.75, 2,
		1, 1.4375, 2.3125, 3.4375, 4.8125, 5.5,
		3, 3.8125, 5.4375, 7.8125, 10.9375, 12.5,
		4, 5, 7, 10, 14, 16}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Fatalf("value %d is %g, want %g", i, got[i], want[i])
		}
	}
}
