package render

import (
	"image"
	"image/color"
	"math"
)

// A Plate is a page of finished pictures, such as charts, in rows.
type Plate struct {
	Title   string
	Caption []string      // paragraphs below, wrapped
	Panels  []image.Image // row by row; nil leaves a place empty
	Columns int           // 0: near-square
	Scale   float64       // of the texts; 0: 1
}

// Draw returns the plate on a white page. Columns and rows are as wide and as high
// as their largest picture; the others stand in the middle.
func (p Plate) Draw() *image.NRGBA {
	columns := max(columnsFor(len(p.Panels), p.Columns), 1)
	rows := (len(p.Panels) + columns - 1) / columns
	ws, hs := make([]int, columns), make([]int, rows)
	for i, m := range p.Panels {
		if m != nil {
			ws[i%columns], hs[i/columns] = max(ws[i%columns], m.Bounds().Dx()), max(hs[i/columns], m.Bounds().Dy())
		}
	}
	w, h := 0, 0
	for _, v := range ws {
		w += v
	}
	for _, v := range hs {
		h += v
	}
	scale := p.Scale
	if scale <= 0 {
		scale = 1
	}
	page, c, _ := newPage(p.Title, p.Caption, max(w, 1), max(h, 1), scale)
	y := 0
	for r := range rows {
		x := 0
		for k := range columns {
			if i := r*columns + k; i < len(p.Panels) && p.Panels[i] != nil {
				b := p.Panels[i].Bounds()
				c.picture(p.Panels[i], x+(ws[k]-b.Dx())/2, y+(hs[r]-b.Dy())/2)
			}
			x += ws[k]
		}
		y += hs[r]
	}
	return page.done()
}

// Ridges draws histograms over one range below each other, a row for each name
// (the first at the bottom), all to one scale: the highest bin reaches over two
// rows. counts are [row][bin], the bins cut lo..hi into equal parts. It panics if
// names and counts differ in length.
func (o Chart) Ridges(names []string, counts [][]float64, lo, hi float64) *image.NRGBA {
	if len(names) != len(counts) {
		panic("render: Chart.Ridges: names and rows differ in number")
	}
	top := 0.0
	for _, row := range counts {
		for _, v := range row {
			top = max(top, v)
		}
	}
	if !(top > 0) {
		top = 1
	}
	const reach = 2.2 // rows
	a := axes{Chart: o, x: noSpan(), y: noSpan(), grid: true, yMarks: []mark{}}
	a.YMin, a.YMax = -0.2, float64(max(len(counts)-1, 0))+reach+0.2
	for i := len(counts) - 1; i >= 0; i-- {
		row := counts[i]
		ring := []point{{lo, float64(i)}}
		for b, v := range row {
			ring = append(ring, point{lo + (hi-lo)*(float64(b)+0.5)/float64(len(row)), float64(i) + reach*v/top})
		}
		ring = append(ring, point{hi, float64(i)}, point{lo, float64(i)})
		t := 0.5
		if len(counts) > 1 {
			t = float64(i) / float64(len(counts)-1)
		}
		shade := Viridis(0.15 + float64(0.7*t))
		shade.A = 215
		if len(row) > 0 {
			a.x.add(lo)
			a.x.add(hi)
			a.paint = append(a.paint, func(p plot) {
				p.polygon(ring, shade)
				p.line(ring, color.White, 1, false)
			})
		}
	}
	every := max(1, int(math.Ceil(float64(len(names))/12)))
	for i, s := range names {
		if i%every == 0 || i == len(names)-1 && i%every > every/2 {
			a.yMarks = append(a.yMarks, mark{float64(i), s})
		}
	}
	return a.draw()
}
