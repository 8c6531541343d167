package render

import (
	"image"
	"image/color"
	"math"
	"sort"
	"strings"
	"sync"
	"unicode"

	"github.com/fogleman/gg"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// Text sizes in pixels, and colours.
const (
	titleSize = 18
	headSize  = 14 // panel titles and block labels
	bodySize  = 13 // captions, notes, legends
	tickSize  = 12 // numbers at colour bars
)

var (
	ink   = color.NRGBA{33, 33, 33, 255}
	soft  = color.NRGBA{85, 85, 85, 255}    // notes and numbers
	frame = color.NRGBA{190, 190, 190, 255} // lines around pictures and bars
)

// The Go fonts are parsed once; a parsed font is not changed by its use.
var regular, bold = sync.OnceValue(parse(goregular.TTF)), sync.OnceValue(parse(gobold.TTF))

func parse(ttf []byte) func() *opentype.Font {
	return func() *opentype.Font {
		f, err := opentype.Parse(ttf)
		if err != nil {
			panic("render: embedded font: " + err.Error())
		}
		return f
	}
}

// typeface measures and breaks text of one size. It holds buffers, so each
// drawing makes its own.
type typeface struct {
	face   font.Face
	ascent int // from the top of a line to its baseline
	height int // of a line
}

func newTypeface(f *opentype.Font, size float64) typeface {
	face, err := newSteadyFace(f, size)
	if err != nil {
		panic("render: embedded font: " + err.Error())
	}
	m := face.Metrics()
	return typeface{face, m.Ascent.Ceil(), m.Ascent.Ceil() + m.Descent.Ceil() + 1}
}

// width is the advance of s in pixels, rounded up.
func (t typeface) width(s string) int { return font.MeasureString(t.face, s).Ceil() }

// clean makes s one line: white space and control characters become spaces.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}

// shorten is s, cut and closed by an ellipsis if it is wider than width.
func (t typeface) shorten(s string, width int) string {
	if t.width(s) <= width {
		return s
	}
	r := []rune(s)
	cut := func(n int) string { return strings.TrimRight(string(r[:n]), " ") + "…" }
	// The smallest number of characters that is too wide; one fewer fits.
	n := sort.Search(len(r), func(n int) bool { return t.width(cut(n)) > width })
	if n == 0 {
		return ""
	}
	return cut(n - 1)
}

// wrapAll is wrap for texts that stand side by side: all get as many lines as the longest.
func (t typeface) wrapAll(all []string, width, limit int) []string {
	lines, most := make([][]string, len(all)), 0
	for i, s := range all {
		lines[i] = t.wrap(s, width, limit)
		most = max(most, len(lines[i]))
	}
	out := make([]string, len(all))
	for i, l := range lines {
		out[i] = strings.Join(l, "\n") + strings.Repeat("\n ", most-len(l))
	}
	return out
}

// wrap breaks s into lines of at most width pixels, at spaces where it can, and
// keeps its line breaks. If there are more than limit lines (0: no limit) the
// last one kept ends in an ellipsis.
func (t typeface) wrap(s string, width, limit int) []string {
	var lines []string
	for _, paragraph := range strings.Split(strings.TrimSpace(s), "\n") {
		line := ""
		for _, word := range strings.Fields(clean(paragraph)) {
			if line != "" && t.width(line+" "+word) <= width {
				line += " " + word
				continue
			}
			if line != "" {
				lines = append(lines, line)
			}
			for t.width(word) > width { // a word longer than the line
				head := t.head(word, width)
				lines = append(lines, head)
				word = word[len(head):]
			}
			line = word
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	if limit > 0 && len(lines) > limit {
		lines[limit-1] = t.shorten(lines[limit-1]+" …", width)
		lines = lines[:limit]
	}
	return lines
}

// head is the longest beginning of word that fits into width, at least one
// character.
func (t typeface) head(word string, width int) string {
	end := 0
	for i, r := range word {
		next := i + len(string(r))
		if end > 0 && t.width(word[:next]) > width {
			break
		}
		end = next
	}
	return word[:end]
}

// A canvas is a white page that is drawn on with gg. Texts are given by their
// top, in whole pixels.
type canvas struct {
	img *image.RGBA
	dc  *gg.Context
}

func newCanvas(w, h int) canvas {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	fill(img, img.Rect, color.White)
	return canvas{img, gg.NewContextForRGBA(img)}
}

// part is a canvas of the same pixels whose upper left corner is that of a rectangle.
func (c canvas) part(r image.Rectangle) canvas {
	pix := c.img.Pix[c.img.PixOffset(r.Min.X, r.Min.Y):]
	img := &image.RGBA{Pix: pix, Stride: c.img.Stride, Rect: image.Rectangle{Max: r.Size()}}
	return canvas{img, gg.NewContextForRGBA(img)}
}

// done is what has been drawn.
func (c canvas) done() *image.NRGBA {
	// The page is opaque, where RGBA and NRGBA have the same bytes.
	return &image.NRGBA{Pix: c.img.Pix, Stride: c.img.Stride, Rect: c.img.Rect}
}

// picture draws img with its upper left corner at (x,y).
func (c canvas) picture(img image.Image, x, y int) {
	paste(c.img, image.Pt(x, y), img)
}

// outline draws a line of one pixel around r, outside it.
func (c canvas) outline(r image.Rectangle) {
	c.dc.SetColor(frame)
	c.dc.SetLineWidth(1)
	c.dc.DrawRectangle(float64(r.Min.X)-0.5, float64(r.Min.Y)-0.5, float64(r.Dx())+1, float64(r.Dy())+1)
	c.dc.Stroke()
}

// align places a line of text at the left (0), middle (0.5) or right (1) of width.
func (c canvas) text(t typeface, s string, x, y, width int, align float64, col color.Color) {
	c.dc.SetFontFace(t.face)
	c.dc.SetColor(col)
	x += int(math.Round(align * float64(width-t.width(s))))
	c.dc.DrawString(s, float64(x), float64(y+t.ascent))
}

// upright draws a line of text that reads from below, with its upper left corner at (x,y).
func (c canvas) upright(t typeface, s string, x, y int, col color.Color) {
	level := newCanvas(max(t.width(s), 1), t.height)
	level.text(t, s, 0, 0, 0, 0, col)
	b := level.img.Rect
	turned := image.NewRGBA(image.Rect(0, 0, b.Dy(), b.Dx()))
	for i := range b.Dx() {
		for k := range b.Dy() {
			turned.SetRGBA(k, b.Dx()-1-i, level.img.RGBAAt(i, k))
		}
	}
	c.picture(turned, x, y)
}

// lines draws lines below each other and returns the y below the last.
func (c canvas) lines(t typeface, lines []string, x, y, width int, align float64, col color.Color) int {
	for _, s := range lines {
		c.text(t, s, x, y, width, align, col)
		y += t.height
	}
	return y
}

const margin = 20 // pixels around a page

// newPage is a white page with a title above and caption lines below, all wrapped to the width of its body (or to 320
// pixels if it is narrower), which is w x h pixels. The body is drawn on a canvas of its own with the same pixels, whose
// upper left corner is at a point of the page. Texts are scaled.
func newPage(title string, caption []string, w, h int, scale float64) (page, body canvas, at image.Point) {
	big, small := newTypeface(bold(), titleSize*scale), newTypeface(regular(), bodySize*scale)
	width := w
	if title = clean(title); title != "" || len(caption) > 0 {
		width = max(width, 320)
	}
	head := big.wrap(title, width, 3)
	var foot []string
	for _, s := range caption {
		foot = append(foot, small.wrap(s, width, 0)...)
	}
	high := 2*margin + h
	if len(head) > 0 {
		high += len(head)*big.height + 10
	}
	if len(foot) > 0 {
		high += len(foot)*small.height + 10
	}
	page = newCanvas(width+2*margin, high)
	y := page.lines(big, head, margin, margin, width, 0, ink)
	if len(head) > 0 {
		y += 10
	}
	at = image.Pt(margin+(width-w)/2, y)
	page.lines(small, foot, margin, y+h+10, width, 0, soft)
	return page, page.part(image.Rectangle{at, at.Add(image.Pt(w, h))}), at
}
