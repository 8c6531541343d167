package render

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/exact"
)

// axes are a chart's ranges, the marks beside them, and what is drawn between.
type axes struct {
	Chart
	x, y           span
	xMarks, yMarks []mark // nil: at round numbers
	grid           bool   // lines from the marks of x, too
	legend         []LegendEntry
	paint          []func(plot) // in this order
}

// A mark is a place on an axis with its text.
type mark struct {
	at   float64
	text string
}

// A chartLayout is where the parts of a chart are on its page.
type chartLayout struct {
	title          []string
	legendTop      int
	all            image.Rectangle // below the legend
	area           image.Rectangle // of the data, without the room around it
	xMarks, yMarks []mark
	upright        bool // the texts of x
}

// chartFonts are the typefaces of title, labels and marks.
type chartFonts struct{ title, body, small typeface }

func (a axes) fonts() chartFonts {
	s := a.scale()
	return chartFonts{newTypeface(bold(), titleSize*s), newTypeface(regular(), bodySize*s), newTypeface(regular(), tickSize*s)}
}

// draw puts title and legend above the chart, so that they never cover data.
func (a axes) draw() *image.NRGBA {
	a = a.ranged()
	fonts := a.fonts()
	l := a.layout(fonts)
	c := newCanvas(l.all.Max.X+margin, l.all.Max.Y+margin)
	c.lines(fonts.title, l.title, margin, margin, l.all.Dx(), 0, ink)
	if len(a.legend) > 0 {
		drawLegend(c, fonts.body, a.scale(), a.legend, margin, l.legendTop, l.all.Dx())
	}
	p := plot{c, l.area, a.x, a.y, a.scale()}
	a.drawGrid(p, l)
	for _, paint := range a.paint {
		paint(p)
	}
	a.drawMarks(p, l, fonts.small)
	a.drawLabels(c, l.all, l.area, fonts.body)
	return c.done()
}

// ranged are axes with ranges that can be drawn.
func (a axes) ranged() axes {
	if a.YMin < a.YMax {
		a.y = span{a.YMin, a.YMax}
	} else {
		a.y = a.y.widened(0.04)
	}
	a.x, a.y = a.x.drawable(), a.y.drawable()
	if a.xMarks != nil {
		outside := func(m mark) bool { return m.at < a.x.lo || m.at > a.x.hi }
		a.xMarks = slices.DeleteFunc(slices.Clone(a.xMarks), outside)
	}
	return a
}

// drawLabels draws what the axes mean, in the middle of each if there is room.
func (a axes) drawLabels(c canvas, all, area image.Rectangle, body typeface) {
	if label := body.shorten(clean(a.XLabel), all.Dx()); label != "" {
		width := body.width(label)
		x := (area.Min.X + area.Max.X - width) / 2
		all.Max.Y -= body.height
		c.text(body, label, max(min(x, all.Max.X-width), all.Min.X), all.Max.Y, 0, 0, ink)
	}
	if label := body.shorten(clean(a.YLabel), all.Dy()); label != "" {
		width := body.width(label)
		y := (area.Min.Y + area.Max.Y - width) / 2
		c.upright(body, label, all.Min.X, max(min(y, all.Max.Y-width), all.Min.Y), ink)
	}
}

// room is what stays free between data and axes, and tick how long a mark is.
func (a axes) room() int { return int(5 * a.scale()) }
func (a axes) tick() int { return int(5 * a.scale()) }

// layout places title and legend, and finds the largest area that leaves room for all other texts. Marks, texts and area
// depend on each other: a few rounds settle them.
func (a axes) layout(fonts chartFonts) chartLayout {
	s := a.scale()
	w, h := a.size()
	inner := max(w-2*margin, int(240*s))
	l := chartLayout{title: fonts.title.wrap(a.Title, inner, 2), legendTop: margin}
	if len(l.title) > 0 {
		l.legendTop += len(l.title)*fonts.title.height + 8
	}
	top := l.legendTop
	if len(a.legend) > 0 {
		top = drawLegend(canvas{}, fonts.body, s, a.legend, margin, top, inner) + 8
	}
	l.all = image.Rect(margin, top, margin+inner, top+max(h-top-margin, int(150*s)))
	texts := image.Rectangle{Max: image.Pt(0, fonts.small.height)} // beyond the area: left, right and below
	for round := range 8 {
		before := texts
		if texts = a.layoutMarks(&l, fonts, texts); texts == before {
			break
		}
		if round > 2 { // it goes to and fro
			texts.Min.X, texts.Max.X = min(texts.Min.X, before.Min.X), max(texts.Max.X, before.Max.X)
			texts.Max.Y = max(texts.Max.Y, before.Max.Y)
		}
	}
	return l
}

// layoutMarks leaves room for the texts of x that were chosen before, and chooses them again.
func (a axes) layoutMarks(l *chartLayout, fonts chartFonts, texts image.Rectangle) image.Rectangle {
	s, small := a.scale(), fonts.small
	gap := int(4 * s)
	bottom := a.room() + a.tick() + gap/2 + texts.Max.Y
	if clean(a.XLabel) != "" {
		bottom += gap + fonts.body.height
	}
	l.area = image.Rect(l.all.Min.X, l.all.Min.Y+small.height/2, l.all.Max.X-max(texts.Max.X, a.room()), l.all.Max.Y-bottom)
	if l.yMarks = withTexts(a.yMarks, func(t string) string { return small.shorten(t, l.all.Dx()/4) }); a.yMarks == nil {
		l.yMarks = roundMarks(a.y, int(float64(l.area.Dy())/28/s))
	}
	widest := 0
	for _, m := range l.yMarks {
		widest = max(widest, small.width(m.text))
	}
	indent := widest + gap + a.tick() + a.room()
	if clean(a.YLabel) != "" {
		indent += fonts.body.height + gap
	}
	l.area.Min.X += max(indent, -texts.Min.X)
	a.layoutX(l, small, l.all.Dy()*2/5)
	texts = image.Rectangle{Max: image.Pt(0, small.height)}
	for _, m := range l.xMarks {
		w, h := textSize(small, m.text)
		if l.upright {
			w, h = h, w
		}
		at := a.x.pixel(m.at, l.area.Dx())
		texts.Min.X = min(texts.Min.X, at-(w+1)/2)
		texts.Max = image.Pt(max(texts.Max.X, at+(w+1)/2-l.area.Dx()), max(texts.Max.Y, h))
	}
	return texts
}

// layoutX chooses the marks of x. Numbers become fewer until they fit. Names that do not fit side by side stand upright,
// and some are left out where even that is too dense.
func (a axes) layoutX(l *chartLayout, small typeface, longest int) {
	width := l.area.Dx()
	apart := int(8 * a.scale())
	if a.xMarks == nil {
		for n := int(float64(width) / 55 / a.scale()); ; n-- {
			l.xMarks = roundMarks(a.x, n)
			if n <= 1 || a.fit(l.xMarks, width, apart, small) {
				return
			}
		}
	}
	if a.Group > 1 { // there is room for several lines
		names := make([]string, len(a.xMarks))
		for i, m := range a.xMarks {
			names[i] = m.text
		}
		names = small.wrapAll(names, max(int(float64(width)*0.95/float64(len(names))), 1), 4)
		l.xMarks = withTexts(a.xMarks, nil)
		for i := range names {
			l.xMarks[i].text = names[i]
		}
		return
	}
	l.xMarks = withTexts(a.xMarks, func(t string) string { return small.shorten(t, width) })
	if l.upright = l.upright || !a.fit(l.xMarks, width, apart, small); !l.upright {
		return
	}
	l.xMarks = l.xMarks[:0]
	free := math.MinInt
	for _, m := range withTexts(a.xMarks, func(t string) string { return small.shorten(t, longest) }) {
		if at := a.x.pixel(m.at, width); m.text != "" && at >= free {
			l.xMarks = append(l.xMarks, m)
			free = at + small.height
		}
	}
}

// fit reports whether texts in the middle below their marks keep apart.
func (a axes) fit(marks []mark, width, apart int, face typeface) bool {
	free := math.MinInt
	for _, m := range marks {
		w := face.width(m.text)
		at := a.x.pixel(m.at, width) - w/2
		if w > 0 && at < free {
			return false
		}
		if w > 0 {
			free = at + w + apart
		}
	}
	return true
}

// withTexts are copies of marks with cleaned and then changed texts.
func withTexts(marks []mark, change func(string) string) []mark {
	out := make([]mark, len(marks))
	for i, m := range marks {
		out[i] = mark{m.at, clean(m.text)}
		if change != nil {
			out[i].text = change(out[i].text)
		}
	}
	return out
}

func textSize(t typeface, text string) (w, h int) {
	lines := strings.Split(text, "\n")
	for _, s := range lines {
		w = max(w, t.width(s))
	}
	return w, len(lines) * t.height
}

var gridColor = color.NRGBA{230, 230, 230, 255}

func (a axes) drawGrid(p plot, l chartLayout) {
	line := max(1, int(a.scale()))
	box := p.area.Inset(-a.room())
	for _, m := range l.yMarks {
		if y, ok := p.row(m.at); ok {
			fill(p.c.img, image.Rect(box.Min.X, y, box.Max.X, y+line), gridColor)
		}
	}
	for _, m := range l.xMarks {
		if x, ok := p.column(m.at); ok && a.grid {
			fill(p.c.img, image.Rect(x, box.Min.Y, x+line, box.Max.Y), gridColor)
		}
	}
}

// drawMarks draws both axes with their marks and texts.
func (a axes) drawMarks(p plot, l chartLayout, small typeface) {
	line, tick, gap := max(1, int(a.scale())), a.tick(), int(4*a.scale())
	box := p.area.Inset(-a.room())
	fill(p.c.img, image.Rect(box.Min.X-line, p.area.Min.Y, box.Min.X, p.area.Max.Y+line), soft)
	fill(p.c.img, image.Rect(p.area.Min.X, box.Max.Y, p.area.Max.X+line, box.Max.Y+line), soft)
	for _, m := range l.yMarks {
		if y, ok := p.row(m.at); ok {
			fill(p.c.img, image.Rect(box.Min.X-tick, y, box.Min.X, y+line), soft)
			p.c.text(small, m.text, box.Min.X-tick-gap, y-small.height/2, 0, 1, soft)
		}
	}
	for _, m := range l.xMarks {
		x, ok := p.column(m.at)
		if !ok {
			continue
		}
		length := tick
		if m.text == "" {
			length /= 2
		}
		fill(p.c.img, image.Rect(x, box.Max.Y, x+line, box.Max.Y+length), soft)
		top := box.Max.Y + tick + gap/2
		if l.upright {
			p.c.upright(small, m.text, x-small.height/2, top, soft)
			continue
		}
		p.c.lines(small, strings.Split(m.text, "\n"), x, top, 0, 0.5, soft)
	}
}

// roundMarks are about n marks of a span, but at least two.
func roundMarks(s span, n int) []mark {
	for k := n; ; k++ {
		if marks := niceTicks(s.lo, s.hi, k); len(marks) > 1 || k > n+4 {
			return marks
		}
	}
}

// niceTicks marks the multiples of a round step in lo..hi, at most about n, with as many digits as tell them apart.
func niceTicks(lo, hi float64, n int) []mark {
	if !(hi > lo) {
		return []mark{{lo, number(lo, 6)}}
	}
	step := niceStep(hi-lo, max(2, n))
	digits := max(6, int(math.Ceil(exact.Log10(max(math.Abs(lo), math.Abs(hi))/step)))+1)
	var ticks []mark
	first, last := math.Ceil(lo/step-1e-9), math.Floor(hi/step+1e-9)
	for i := first; i <= last; i++ {
		// Kept inside: there is no room for the label of a mark beyond the end.
		ticks = append(ticks, mark{min(max(i*step, lo), hi), number(i*step, digits)})
	}
	return ticks
}
