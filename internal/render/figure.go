package render

import (
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/exact"
)

// A Figure is a page of labelled panels. Draw wraps its texts and makes the page
// as large as they need.
type Figure struct {
	Title     string   // at most three lines, then an ellipsis
	Caption   []string // paragraphs below the panels
	Panels    []Panel
	Columns   int // panels in a row; 0: up to three in one row, else near-square
	PanelSize int // pixels that an enlarged picture may reach, see MagnifyTo; 0: 256, negative: never enlarge
}

// A Panel is a picture with what explains it. Everything but Image may be empty;
// without Image the panel is text.
type Panel struct {
	Image  image.Image   // enlarged by a whole number, see Figure.PanelSize
	Title  string        // above, at most two lines
	Bar    *ColorBar     // below the picture
	Legend []LegendEntry // below the bar
	Note   string        // at the bottom, wrapped
}

// A ColorBar says which numbers the colours of a panel stand for. It always
// shows Lo and Hi, and round numbers between as far as there is room. If Hi <= Lo
// the map is flat, and the bar is one colour with one number, as in Heat.
type ColorBar struct {
	Palette  Palette // nil: Viridis
	Lo, Hi   float64
	Label    string // what is measured, with its unit
	Discrete int    // draw this many equal steps (see Steps); less than 2: continuous
}

// A LegendEntry names a colour of a categorical map.
type LegendEntry struct {
	Color color.Color
	Text  string
}

const (
	panelGap  = 24  // between panels
	minPanelW = 160 // so that texts have room beside small pictures
	barHeight = 12
	tickLen   = 4
	swatch    = 12 // side of a legend's colour square
)

// figureFonts are the typefaces of one drawing.
type figureFonts struct{ head, body, tick typeface }

// Draw returns the figure on a white page.
func (f Figure) Draw() *image.NRGBA {
	size := f.PanelSize
	if size == 0 {
		size = 256
	}
	fonts := figureFonts{
		newTypeface(bold(), headSize),
		newTypeface(regular(), bodySize),
		newTypeface(regular(), tickSize),
	}
	columns := f.Columns
	if columns < 1 && len(f.Panels) <= 3 {
		columns = len(f.Panels)
	}
	columns = columnsFor(len(f.Panels), columns)

	// A column is as wide as its widest picture; then texts can be wrapped, and a
	// row is as high as its highest title, picture and texts.
	laid := make([]laidPanel, len(f.Panels))
	widths := make([]int, columns)
	for i, p := range f.Panels {
		laid[i].Panel = p
		if p.Image != nil {
			laid[i].img = enlarged(p.Image, factor(p.Image.Bounds().Size(), size))
			laid[i].size = laid[i].img.Rect.Size()
		}
		widths[i%columns] = max(widths[i%columns], laid[i].size.X+2, minPanelW+2) // 2 for the outline
	}
	var rows []panelRow
	for i := range laid {
		if i%columns == 0 {
			rows = append(rows, panelRow{})
		}
		p, row := &laid[i], &rows[len(rows)-1]
		p.width = widths[i%columns]
		p.title = fonts.head.wrap(p.Title, p.width, 2)
		p.note = fonts.body.wrap(p.Note, p.width, 0)
		row.title = max(row.title, len(p.title)*fonts.head.height)
		row.image = max(row.image, p.size.Y)
	}
	for i := range laid {
		p, row := &laid[i], &rows[i/columns]
		row.height = max(row.height, p.below(*row)+p.texts(canvas{}, fonts, 0, 0))
	}

	w, h := -panelGap, -panelGap
	for _, v := range widths {
		w += v + panelGap
	}
	for _, r := range rows {
		h += r.height + panelGap
	}
	page, c, _ := newPage(f.Title, f.Caption, max(w, 1), max(h, 1), 1)
	y := 0
	for r, row := range rows {
		x := 0
		for i := r * columns; i < min((r+1)*columns, len(laid)); i++ {
			laid[i].draw(c, fonts, row, x, y)
			x += widths[i%columns] + panelGap
		}
		y += row.height + panelGap
	}
	return page.done()
}

// panelRow holds the heights of a row: titles, pictures, and all of it.
type panelRow struct{ title, image, height int }

// pictureTop is where pictures begin below the row's top.
func (r panelRow) pictureTop() int {
	if r.title == 0 {
		return 1
	}
	return r.title + 5
}

// laidPanel is a Panel that knows its size and its lines.
type laidPanel struct {
	Panel
	img         *image.NRGBA
	size        image.Point
	width       int
	title, note []string
}

// drop is how far below the row's common edge the picture begins. A picture that is
// nearly as high as the row's highest is centred beside it; a much smaller
// one stays at the top, with its texts close by.
func (p laidPanel) drop(row panelRow) int {
	if 4*p.size.Y >= 3*row.image {
		return (row.image - p.size.Y) / 2
	}
	return 0
}

// below is where the texts under the picture begin, from the row's top.
func (p laidPanel) below(row panelRow) int {
	h := p.size.Y
	if 4*h >= 3*row.image {
		h = row.image
	}
	return row.pictureTop() + h + 1
}

func (p laidPanel) draw(c canvas, fonts figureFonts, row panelRow, x, y int) {
	// Titles of one line stand directly above the picture, like those of two.
	top := y + row.title - len(p.title)*fonts.head.height
	c.lines(fonts.head, p.title, x, top, p.width, 0.5, ink)
	if p.img != nil {
		at := image.Pt(x+(p.width-p.size.X)/2, y+row.pictureTop()+p.drop(row))
		c.picture(p.img, at.X, at.Y)
		c.outline(image.Rectangle{at, at.Add(p.size)})
	}
	p.texts(c, fonts, x, y+p.below(row))
}

// texts draws bar, legend and note with their upper left corner at (x,y) and returns
// their height; with a zero canvas it only measures.
func (p laidPanel) texts(c canvas, fonts figureFonts, x, y int) int {
	top := y
	if p.Bar != nil {
		y += 8
		w := max(p.size.X, minPanelW)
		y = p.Bar.draw(c, fonts, x+(p.width-w)/2, y, w)
	}
	if len(p.Legend) > 0 {
		y += 8
		y = drawLegend(c, fonts.body, 1, p.Legend, x, y, p.width)
	}
	if len(p.note) > 0 {
		y += 6
		if c.img != nil {
			c.lines(fonts.body, p.note, x, y, p.width, 0.5, soft)
		}
		y += len(p.note) * fonts.body.height
	}
	return y - top
}

// draw draws the bar, w pixels wide, with numbers and label below it, and returns
// the y below. With a zero canvas it only measures.
func (b ColorBar) draw(c canvas, fonts figureFonts, x, y, w int) int {
	label := fonts.body.wrap(b.Label, w, 2)
	bottom := y + barHeight + 1 + tickLen + fonts.tick.height + len(label)*fonts.body.height
	if c.img == nil {
		return bottom
	}
	p := b.Palette
	if p == nil {
		p = Viridis
	}
	if b.Discrete >= 2 {
		p = Steps(p, b.Discrete)
	}
	flat := !(b.Hi > b.Lo) || math.IsInf(b.Hi-b.Lo, 0)
	for i := range w {
		t := 0.5
		if !flat {
			t = (float64(i) + 0.5) / float64(w)
		}
		fill(c.img, image.Rect(x+i, y, x+i+1, y+barHeight), p(t))
	}
	c.outline(image.Rect(x, y, x+w, y+barHeight))

	y += barHeight + 1
	for _, t := range barTicks(b.Lo, b.Hi, w, fonts.tick) {
		fill(c.img, image.Rect(x+t.at, y, x+t.at+1, y+tickLen), soft)
		c.text(fonts.tick, t.text, x+t.left, y+tickLen, 0, 0, soft)
	}
	c.lines(fonts.body, label, x, y+tickLen+fonts.tick.height, w, 0.5, ink)
	return bottom
}

// A barTick is a mark at a pixel of the bar, with a number that begins at pixel
// left.
type barTick struct {
	at, left int
	text     string
}

// barTicks are the marks of a bar of w pixels: both ends, whose numbers stay above
// the bar's width, and round numbers between that come no nearer than a gap to
// others. A flat range has one mark in the middle.
func barTicks(lo, hi float64, w int, face typeface) []barTick {
	span := hi - lo
	if !(span > 0) || math.IsInf(span, 0) {
		s := number(lo, 4)
		if math.IsNaN(span) || math.IsInf(span, 0) {
			s += " .. " + number(hi, 4)
		}
		return []barTick{{w / 2, (w - face.width(s)) / 2, s}}
	}
	// Enough digits to tell the ends apart when they are close together.
	digits := 3 + max(0, int(math.Floor(exact.Log10(max(math.Abs(lo), math.Abs(hi))/span))))
	const gap = 10
	first, last := number(lo, digits), number(hi, digits)
	ticks := []barTick{{0, 0, first}}
	free := face.width(first) + gap   // where the next number may begin
	end := w - face.width(last) - gap // where it must end
	room := max(face.width(first), face.width(last), 16) + 2*gap
	step := niceStep(span, max(2, w/room))
	for i := math.Ceil(lo/step + 1e-6); i*step < hi; i++ {
		s := number(i*step, digits)
		at := int((float64(i*step) - lo) / span * float64(w))
		left := at - face.width(s)/2
		if left < free || left+face.width(s) > end {
			continue
		}
		ticks = append(ticks, barTick{at, left, s})
		free = left + face.width(s) + gap
	}
	return append(ticks, barTick{w - 1, w - face.width(last), last})
}

// niceStep is the smallest of 1, 2, 5 times a power of ten that divides span into
// at most n steps.
func niceStep(span float64, n int) float64 {
	raw := span / float64(n)
	power := exact.Pow(10, math.Floor(exact.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= raw*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// Number writes v for a label: four significant digits, see ColorBar.
func Number(v float64) string { return number(v, 4) }

// number writes v with at most the given significant digits, without trailing
// zeros, with a true minus sign, and with an exponent only for very large or very
// small values.
func number(v float64, digits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	case v == 0:
		return "0"
	}
	// Rounding first keeps 0.30000000000000004 from showing.
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', min(digits, 15), 64), 64)
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if a := math.Abs(v); a < 1e-4 || a >= 1e7 {
		s = strconv.FormatFloat(v, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "e")
		e, _ := strconv.Atoi(exponent)
		s = mantissa + "e" + strconv.Itoa(e)
	}
	return strings.ReplaceAll(s, "-", "−")
}

// drawLegend draws entries in rows from (x,y), as many in a row as fit into width,
// and returns the y below. With a zero canvas it only measures.
func drawLegend(c canvas, face typeface, scale float64, entries []LegendEntry, x, y, width int) int {
	const entryGap = 14
	textGap, swatch := int(6*scale), int(swatch*scale)
	left := 0
	for _, e := range entries {
		s := face.shorten(clean(e.Text), width-swatch-textGap-1)
		w := swatch + textGap + face.width(s)
		if left > 0 && left+w > width {
			left = 0
			y += face.height + 2
		}
		if c.img != nil {
			r := image.Rect(0, 0, swatch, swatch).Add(image.Pt(x+left+1, y+(face.height-swatch)/2))
			fill(c.img, r, e.Color)
			c.outline(r)
			c.text(face, s, r.Max.X+textGap, y, 0, 0, ink)
		}
		left += w + entryGap
	}
	return y + face.height
}
