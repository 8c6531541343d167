package render

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"
)

// 6*0.1 is more than 0.6; a mark there would have its label cut off.
func TestNiceTicksInside(t *testing.T) {
	for _, hi := range []float64{0.3, 0.6, 0.7, 1, 3} {
		ticks := niceTicks(0, hi, 8)
		if last := ticks[len(ticks)-1].at; last != hi {
			t.Errorf("0 to %v: the last mark is at %v", hi, last)
		}
	}
}

// TestGroupedBars: each group has its name below it, in as many lines as it takes, and bars keep their colours and order.
func TestGroupedBars(t *testing.T) {
	chart := Chart{Width: 500, Height: 300, Group: 2, Colors: []color.Color{Categorical(0), Categorical(2), Categorical(0), Categorical(2)}}
	img := chart.Bars([]string{"full", "without the last dense layer"}, []float64{4, 3, 2, 1})
	// Along the axis' foot: test, training, test, training.
	var seen []color.NRGBA
	for y := 299; y > 0 && len(seen) == 0; y-- {
		for x := range 500 {
			c := img.NRGBAAt(x, y)
			for _, want := range []color.NRGBA{rgba(Categorical(0)), rgba(Categorical(2))} {
				if c == want && (len(seen) == 0 || seen[len(seen)-1] != want) {
					seen = append(seen, want)
				}
			}
		}
	}
	want := []color.NRGBA{rgba(Categorical(0)), rgba(Categorical(2)), rgba(Categorical(0)), rgba(Categorical(2))}
	if !slices.Equal(seen, want) {
		t.Errorf("bars from left to right: %v, want %v", seen, want)
	}
	face := newTypeface(regular(), tickSize)
	labels := face.wrapAll([]string{"full", "without the last dense layer"}, 80, 4)
	if strings.Count(labels[0], "\n") != strings.Count(labels[1], "\n") || strings.ReplaceAll(labels[1], "\n", " ") != "without the last dense layer" {
		t.Errorf("%q: want the whole name, and as many lines for both", labels)
	}
	plain := chart.Bars([]string{"", ""}, []float64{4, 3, 2, 1})
	if bytes.Equal(plain.Pix, img.Pix) {
		t.Error("the names are not drawn")
	}
	defer func() {
		if recover() == nil {
			t.Error("three names for two groups are no error")
		}
	}()
	chart.Bars([]string{"a", "b", "c"}, []float64{4, 3, 2, 1})
}

// hardCharts are charts whose texts are hard to place, and lines hard to draw.
func hardCharts() map[string]axes {
	nan, inf := math.NaN(), math.Inf(1)
	charts := map[string]axes{
		"nothing": Chart{}.linesAxes(nil), "no bars": Chart{}.barsAxes(nil, nil),
		"bars without values": Chart{}.barsAxes([]string{"a", "b", "c"}, []float64{nan, inf, 0}),
		"edge of the largest": Chart{YMin: -math.MaxFloat64, YMax: math.MaxFloat64}.linesAxes([]Series{{Y: []float64{1, 2}}}),
		"long numbers":        Chart{}.linesAxes([]Series{{X: []float64{1e9, 1e9 + 1.6}, Y: []float64{1, 2}}}),
		"far apart x":         Chart{}.linesAxes([]Series{{X: []float64{-1e308, 0, 1e308}, Y: []float64{1, 2, 3}, Dots: true, Dashed: true}}),
	}
	for i, y := range [][]float64{{}, {nan}, {0.3}, {5, 5, 5}, {0, 0}, {1e300, -1e300}, {math.MaxFloat64, -math.MaxFloat64, 0}, {5e-324, 0}, {1e-12, 3e-12},
		{1e6 + 0.1, 1e6 + 0.3}, {1, 1 + 1e-15}, {-1e9, -1e9 - 1}, {1, nan, 2, inf, 3}, {-1234567, 1234567}, {0.00012345, 0.00012346}} {
		for _, size := range []int{60, 1200} {
			for _, scale := range []float64{1, 2.3} {
				o := Chart{Title: "a title", XLabel: "a long label of x that does not fit everywhere", YLabel: "a long label of y", Width: size, Height: size / 2, Scale: scale}
				charts[fmt.Sprint("lines ", i, size, scale)] = o.linesAxes([]Series{{Name: "name", Y: y, Dots: true}, {X: y, Y: y, Dashed: true}})
				var names, layers []string
				for k := range 7 * len(y) {
					names, layers = append(names, fmt.Sprintf("%d", k)), append(layers, fmt.Sprintf("features.%d.conv", k))
				}
				o.XNames = layers
				charts[fmt.Sprint("named ", i, size, scale)] = o.linesAxes([]Series{{Y: y, Lo: y, Hi: y}})
				charts[fmt.Sprint("bars ", i, size, scale)] = o.barsAxes(names, slices.Repeat(y, 7))
				charts[fmt.Sprint("long bars ", i, size, scale)] = o.barsAxes(layers, slices.Repeat(y, 7))
			}
		}
	}
	return charts
}

// Whatever is drawn, marks keep apart and say different things, and there is room for the data.
func TestMarksKeepApart(t *testing.T) {
	for name, a := range hardCharts() {
		a = a.ranged()
		fonts := a.fonts()
		l := a.layout(fonts)
		if l.area.Dx() < 50 || l.area.Dy() < 30 || !l.area.In(l.all) {
			t.Errorf("%s: the area is %v of %v", name, l.area, l.all)
		}
		free := math.MinInt
		for _, m := range l.xMarks {
			w := fonts.small.width(m.text)
			if l.upright {
				w = fonts.small.height
			}
			at := l.area.Min.X + a.x.pixel(m.at, l.area.Dx()) - w/2
			if m.text != "" && at < free || at < l.all.Min.X-1 || at+w > l.all.Max.X+1 {
				t.Errorf("%s: %q is at %d to %d of %v; the text before ends at %d", name, m.text, at, at+w, l.all, free)
			}
			if m.text != "" {
				free = at + w
			}
		}
		for i, m := range l.yMarks {
			if y := a.y.pixel(m.at, l.area.Dy()); i > 0 && y-a.y.pixel(l.yMarks[i-1].at, l.area.Dy()) < fonts.small.height {
				t.Errorf("%s: %q and %q are too near", name, l.yMarks[i-1].text, m.text)
			}
			if i > 0 && m.text == l.yMarks[i-1].text {
				t.Errorf("%s: two marks are called %q", name, m.text)
			}
			if w := fonts.small.width(m.text); l.area.Min.X-a.room()-w < l.all.Min.X {
				t.Errorf("%s: %q does not fit beside the axis", name, m.text)
			}
		}
	}
}

func TestHardChartsStayInside(t *testing.T) {
	for name, a := range hardCharts() {
		if a.Width != 1200 && a.Scale <= 1 {
			checkMargins(t, name, a.draw())
		}
	}
}

// What is outside the range of y is not drawn over texts, wherever it is.
func TestOutsideIsNotDrawn(t *testing.T) {
	o := Chart{YMin: 0, YMax: 1, XLabel: "x", YLabel: "y"}
	x := []float64{1, 2, 3, 4, 5, 6}
	far := Series{X: x, Y: []float64{0.5, 1e300, -1e300, 7, -2, 0.5}, Dots: true}
	far.Lo, far.Hi = far.Y, []float64{1e300, 1e300, 5, 9, 0, 2}
	dashed := far
	dashed.Dashed = true
	a := o.linesAxes([]Series{far, dashed})
	got := a.draw()
	a.paint = nil
	want := a.draw()
	ranged := a.ranged()
	area := ranged.layout(ranged.fonts()).area.Inset(-4)
	differ := 0
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			if got.NRGBAAt(x, y) == want.NRGBAAt(x, y) {
				continue
			}
			if differ++; !(image.Point{x, y}).In(area) {
				t.Fatalf("pixel %d,%d outside %v is drawn on", x, y, area)
			}
		}
	}
	if differ < 500 {
		t.Errorf("only %d pixels are drawn", differ)
	}
}

// Bars outside the range are cut at its edge.
func TestBarsAreCut(t *testing.T) {
	a := Chart{YMin: 1, YMax: 2}.barsAxes([]string{"a", "b", "c"}, []float64{1.5, 9, 0.5})
	ranged := a.ranged()
	area := ranged.layout(ranged.fonts()).area
	img := a.draw()
	count := func(x float64) (n int) {
		at := area.Min.X + ranged.x.pixel(x, area.Dx())
		for y := range img.Rect.Dy() {
			if img.NRGBAAt(at, y) == Categorical(0) {
				n++
			}
		}
		return n
	}
	h := area.Dy()
	if a, b, c := count(0), count(1), count(2); max(a-h/2, h/2-a) > 1 || b != h || c != 0 {
		t.Errorf("bars of %d, %d, %d pixels in %d; want half, all, none", a, b, c, h)
	}
}

func TestClipLine(t *testing.T) {
	r := image.Rect(0, 0, 9, 9) // with its last pixel: 0 to 10
	line := []point{{X: -5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 15}, {X: 8, Y: 15}, {X: 8, Y: 5}, {X: 7, Y: 5}, {X: 30, Y: 30}, {X: 31, Y: 5}}
	want := [][]point{{{X: 0, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 10}}, {{X: 8, Y: 10}, {X: 8, Y: 5}, {X: 7, Y: 5}, {X: 10, Y: 5 + 25.0*3/23}}}
	got := clipLine(line, r)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("piece %d: got %v, want %v", i, got[i], want[i])
		}
		for k, p := range want[i] {
			if math.Hypot(p.X-got[i][k].X, p.Y-got[i][k].Y) > 1e-9 {
				t.Errorf("piece %d: got %v, want %v", i, got[i], want[i])
			}
		}
	}
	if got := clipLine([]point{{X: -1, Y: 9}, {X: 3, Y: 14}}, r); got != nil {
		t.Errorf("a line past the corner gives %v", got)
	}
}

func TestClipPolygon(t *testing.T) {
	r := image.Rect(0, 0, 9, 9)
	area := func(ring []point) (sum float64) {
		for i, p := range ring {
			q := ring[(i+1)%len(ring)]
			sum += (p.X*q.Y - q.X*p.Y) / 2
		}
		return math.Abs(sum)
	}
	for _, tt := range []struct {
		ring []point
		want float64
	}{
		{[]point{{X: 2, Y: 2}, {X: 4, Y: 2}, {X: 4, Y: 4}, {X: 2, Y: 4}}, 4},
		{[]point{{X: -5, Y: -5}, {X: 50, Y: -5}, {X: 50, Y: 50}, {X: -5, Y: 50}}, 100},
		{[]point{{X: 5, Y: 5}, {X: 25, Y: 5}, {X: 25, Y: 25}, {X: 5, Y: 25}}, 25},
		{[]point{{X: 0, Y: 10}, {X: 10, Y: -10}, {X: 10, Y: 10}}, 75},
		{[]point{{X: 20, Y: 0}, {X: 30, Y: 0}, {X: 30, Y: 9}}, 0},
	} {
		if got := area(clipPolygon(tt.ring, r)); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%v: %v inside, want %v", tt.ring, got, tt.want)
		}
	}
}

func TestDashes(t *testing.T) {
	// Along a corner after 5: 6 on, 4 off, and 2 on.
	got := dashes([]point{{X: 0, Y: 0}, {X: 5, Y: 0}, {X: 5, Y: 7}}, 6, 4)
	if want := "[[{0 0} {5 0} {5 1}] [{5 5} {5 7}]]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A band is left out where one of its edges is not known, and only there.
func TestBandRuns(t *testing.T) {
	nan := math.NaN()
	got := bandRuns(Series{Lo: []float64{1, 2, nan, 4, 5}, Hi: []float64{11, 12, 13, 14, nan}})
	if want := "[[{1 1} {2 2} {2 12} {1 11}] [{4 4} {4 14}]]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
