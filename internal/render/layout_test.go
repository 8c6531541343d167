package render

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// flat is a w x h tile of one grey.
func flat(w, h, grey int) image.Image {
	data := make([]float32, w*h)
	for i := range data {
		data[i] = float32(grey)
	}
	return Unit(data, 1, h, w, 0, 255)
}

func TestGridPixels(t *testing.T) {
	a, b, c := flat(2, 1, 10), flat(2, 1, 20), flat(2, 1, 30)
	tests := []struct {
		name  string
		tiles []image.Image
		o     GridOptions
		width int
		want  []int
	}{
		{"default", []image.Image{a, b, c}, GridOptions{Background: color.Black}, 7, []int{
			0, 0, 0, 0, 0, 0, 0,
			0, 10, 10, 0, 20, 20, 0,
			0, 0, 0, 0, 0, 0, 0,
			0, 30, 30, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0}},
		{"no gap, white", []image.Image{a, b, c}, GridOptions{Gap: -1, Columns: 2}, 4, []int{
			10, 10, 20, 20,
			30, 30, 255, 255}},
		{"one column", []image.Image{a, nil}, GridOptions{Columns: 1}, 4, []int{
			255, 255, 255, 255,
			255, 10, 10, 255,
			255, 255, 255, 255,
			255, 255, 255, 255,
			255, 255, 255, 255}},
		{"more columns than tiles", []image.Image{a}, GridOptions{Columns: 9, Gap: 2, Background: color.Black}, 6, []int{
			0, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0,
			0, 0, 10, 10, 0, 0,
			0, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0}},
		// The cell is 3x2; a 2x1 tile has its odd pixels right and below.
		{"sizes", []image.Image{a, flat(3, 2, 40)}, GridOptions{Gap: -1}, 6, []int{
			10, 10, 128, 40, 40, 40,
			128, 128, 128, 40, 40, 40}},
		// The smallest whole number that makes 2 at least 3 is 2.
		{"enlarged", []image.Image{a}, GridOptions{Gap: -1, MinTile: 3}, 4, []int{
			10, 10, 10, 10,
			10, 10, 10, 10}},
		{"none", nil, GridOptions{}, 1, []int{255}},
	}
	for _, tt := range tests {
		img := Grid(tt.tiles, tt.o)
		if got := greys(img); img.Rect.Dx() != tt.width || !equal(got, tt.want) {
			t.Errorf("%s: width %d, want %d; got\n%v, want\n%v", tt.name, img.Rect.Dx(), tt.width, got, tt.want)
		}
	}
}

func TestGridShape(t *testing.T) {
	for _, tt := range []struct{ n, columns, rows int }{{1, 1, 1}, {2, 2, 1}, {9, 3, 3}, {10, 4, 3}, {32, 6, 6}, {96, 10, 10}} {
		tiles := make([]image.Image, tt.n)
		for i := range tiles {
			tiles[i] = flat(4, 4, 0)
		}
		if got, want := Grid(tiles, GridOptions{}).Rect.Size(), image.Pt(5*tt.columns+1, 5*tt.rows+1); got != want {
			t.Errorf("%d tiles: %v, want %v", tt.n, got, want)
		}
	}
}

// Pixels of a block: two 3x3 grids of 4x4 tiles, 16 times enlarged to 64, one pixel
// between tiles, four between the grids.
func TestBlockGeometry(t *testing.T) {
	var left, right []image.Image
	for i := range 9 {
		left = append(left, flat(4, 4, i))
		right = append(right, flat(4, 4, 10+i))
	}
	right[8] = flat(2, 4, 18) // cut at the image border
	img := Block{Left: left, Right: right}.draw(16)
	if got, want := img.Rect.Size(), image.Pt(2*(3*64+2)+4, 3*64+2); got != want {
		t.Fatalf("block is %v, want %v", got, want)
	}
	at := func(x, y int) int { return greys(toNRGBA(img.SubImage(image.Rect(x, y, x+1, y+1))))[0] }
	for _, tt := range []struct{ x, y, want int }{
		{0, 0, 0}, {63, 63, 0}, {64, 0, 255}, {65, 0, 1}, {130, 0, 2}, {193, 193, 8},
		{194, 0, 255}, {197, 0, 255}, {198, 0, 10}, {198, 65, 13},
		// The last tile: 16 pixels of padding, 32 of picture, 16 of padding.
		{198 + 130, 130, 128}, {198 + 130 + 15, 130, 128}, {198 + 130 + 16, 130, 18}, {198 + 130 + 47, 193, 18}, {198 + 130 + 48, 193, 128},
	} {
		if got := at(tt.x, tt.y); got != tt.want {
			t.Errorf("pixel %d,%d is %d, want %d", tt.x, tt.y, got, tt.want)
		}
	}
}

func TestBlockSheetSizes(t *testing.T) {
	for n := range 8 {
		for _, o := range []BlockOptions{{}, {Columns: 3, MinTile: -1}, {Title: "title", Caption: []string{"caption"}}} {
			blocks := make([]Block, n)
			for i := range blocks {
				blocks[i] = Block{Label: strings.Repeat("map ", 30), Left: []image.Image{flat(3, 5, 9), nil}, Right: make([]image.Image, i%3)}
			}
			checkMargins(t, fmt.Sprintf("%d blocks, %+v", n, o), BlockSheet(blocks, o))
		}
	}
}

// checkMargins fails if anything but white is nearer than 16 pixels to an edge (the
// margin is 20; an italic or wide letter may hang over a little).
func checkMargins(t *testing.T, name string, img *image.NRGBA) {
	t.Helper()
	inner := img.Rect.Inset(16)
	for y := range img.Rect.Dy() {
		for x := 0; x < img.Rect.Dx(); x++ {
			if (image.Point{x, y}).In(inner) {
				x = inner.Max.X - 1
				continue
			}
			if c := img.NRGBAAt(x, y); c != (color.NRGBA{255, 255, 255, 255}) {
				t.Errorf("%s: pixel %d,%d of %v is %v, want white margin", name, x, y, img.Rect.Size(), c)
				return
			}
		}
	}
}

var longTexts = []string{
	"",
	"short",
	strings.Repeat("a long text of many words ", 40),
	strings.Repeat("oneverylongword", 40),
	"two\nlines\tand a tab\x00 and a NUL",
	strings.Repeat("W", 300),
	"Größe → 50 × 50, Σ p ≥ 0.5, класс «собака», 柴犬",
	strings.Repeat("\n", 50),
}

func TestTextStaysInside(t *testing.T) {
	for _, s := range longTexts {
		for _, size := range []int{1, 30, 500} {
			name := fmt.Sprintf("%.20q %d", s, size)
			tile := flat(size, size/2+1, 0)
			panel := Panel{
				Image: tile, Title: s, Note: s,
				Bar:    &ColorBar{Lo: -123456.789, Hi: 1e-9, Label: s},
				Legend: []LegendEntry{{color.Black, s}, {color.Black, "b"}, {color.Black, s}},
			}
			checkMargins(t, "figure "+name, Figure{Title: s, Caption: []string{s, s}, Panels: []Panel{panel, panel, {Note: s}, panel}}.Draw())
			checkMargins(t, "figure without panels "+name, Figure{Title: s, Caption: []string{s}}.Draw())
			checkMargins(t, "table "+name, Table{Title: s, Caption: []string{s}, Columns: []string{s, s, s},
				Rows: []TableRow{{s, []image.Image{tile}}, {s, nil}}}.Draw())
			checkMargins(t, "blocks "+name, BlockSheet([]Block{{Label: s, Left: []image.Image{tile}}, {Label: s}}, BlockOptions{Title: s, Caption: []string{s}}))
		}
		for _, w := range []int{0, 200, 1000} {
			o := Chart{Title: s, XLabel: s, YLabel: s, Width: w, Height: w / 2}
			checkMargins(t, fmt.Sprintf("curves %.20q %d", s, w), o.Lines([]Series{{Name: s, Y: []float64{1, 2e6, -3}}, {Name: s}}))
			checkMargins(t, fmt.Sprintf("bars %.20q %d", s, w), o.Bars([]string{s, s, "c"}, []float64{1, -2, math.NaN()}))
		}
	}
}

func TestWrap(t *testing.T) {
	face := newTypeface(regular(), bodySize)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var b strings.Builder
		for range rng.IntN(60) {
			b.WriteString([]string{"a", "W", "é", "→", " ", "  ", "\n", "word", "…"}[rng.IntN(9)])
		}
		s, width, limit := b.String(), 20+rng.IntN(200), rng.IntN(4)
		lines := face.wrap(s, width, limit)
		for _, l := range lines {
			if face.width(l) > width {
				t.Errorf("%q at %d: line %q is %d wide", s, width, l, face.width(l))
			}
		}
		if limit > 0 && len(lines) > limit {
			t.Errorf("%q at %d: %d lines, want at most %d", s, width, len(lines), limit)
		}
		if limit == 0 { // no letter is lost
			got, want := strings.Join(strings.Fields(strings.Join(lines, "")), ""), strings.Join(strings.Fields(s), "")
			if got != want {
				t.Errorf("%q at %d: got %q", s, width, lines)
			}
		}
	}
}

func TestBarTicks(t *testing.T) {
	face := newTypeface(regular(), tickSize)
	tests := []struct {
		lo, hi float64
		w      int
		want   string
	}{
		{0, 1, 240, "0 0.2 0.4 0.6 0.8 1"},
		{-3, 3, 240, "−3 −2 −1 0 1 2 3"},
		{0, 1, 60, "0 0.5 1"},
		{0, 1, 40, "0 1"},
		{0.137, 0.953, 240, "0.137 0.5 0.953"},
		{1000.123, 1000.987, 160, "1000.12 1000.99"},
		{0, 2.5e-7, 240, "0 1e−7 2.5e−7"},
		{0.25, 0.25, 240, "0.25"},
		{2, 1, 240, "2"},
		{math.NaN(), 1, 240, "NaN .. 1"},
		{math.Inf(-1), math.Inf(1), 240, "−∞ .. ∞"},
	}
	for _, tt := range tests {
		var texts []string
		end := -1
		for _, tick := range barTicks(tt.lo, tt.hi, tt.w, face) {
			texts = append(texts, tick.text)
			if tick.left <= end || tick.left+face.width(tick.text) > tt.w || tick.at < 0 || tick.at >= tt.w {
				t.Errorf("%v..%v: number %q overlaps or leaves the bar", tt.lo, tt.hi, tick.text)
			}
			end = tick.left + face.width(tick.text)
		}
		if got := strings.Join(texts, " "); got != tt.want {
			t.Errorf("%v..%v on %d: got %q, want %q", tt.lo, tt.hi, tt.w, got, tt.want)
		}
	}
}

// The picture in a panel keeps its pixels, and the bar runs from Lo to Hi.
func TestFigurePixels(t *testing.T) {
	img := Figure{Panels: []Panel{{
		Image: flat(200, 100, 77),
		Bar:   &ColorBar{Palette: Gray, Lo: 0, Hi: 1},
	}}}.Draw()
	// Margin 20 and one pixel of outline; the outline itself is at 20.
	for _, tt := range []struct{ x, y, want int }{
		{20, 20, 190}, {21, 21, 77}, {220, 120, 77}, {221, 121, 190}, {222, 122, 255},
		{21, 135, 1}, {220, 135, 254}, // the middles of the first and the last of 200 columns
	} {
		if got := int(img.NRGBAAt(tt.x, tt.y).R); got != tt.want {
			t.Errorf("pixel %d,%d is %d, want %d", tt.x, tt.y, got, tt.want)
		}
	}
}

// Drawings share nothing that changes (for the race detector).
func TestParallel(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			Figure{Title: "title", Panels: []Panel{{Image: flat(9, 9, 0), Bar: &ColorBar{Hi: 1}}}}.Draw()
			Curves([]Series{{Name: "a", Y: []float64{1, 2}}}, "title", "x", "y")
			Categorical(5)
		})
	}
}
