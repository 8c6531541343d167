package render

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"sync"

	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// A Series is a named line of a chart. A point with a NaN or an infinity breaks the
// line.
type Series struct {
	Name  string
	X, Y  []float64   // of equal length; a nil X stands for 1, 2, 3 ..
	Color color.Color // nil: Categorical of its place
}

// A Chart says what stands around the lines or bars of a chart. The zero value is a
// chart of 640 x 400 pixels without texts.
type Chart struct {
	Title, XLabel, YLabel string
	Width, Height         int     // pixels; 0: 640 and 400
	YMin, YMax            float64 // of the axis; equal: from the data
}

// Curves draws series as lines into a chart of 640 x 400 pixels.
func Curves(series []Series, title, xlabel, ylabel string) *image.NRGBA {
	return Chart{Title: title, XLabel: xlabel, YLabel: ylabel}.Lines(series)
}

// Lines draws each series as a line, with a legend if there is more than one or a
// single one has a name. A point that has no neighbours to be joined to is drawn
// as a dot. It panics if X and Y of a series differ in length.
func (o Chart) Lines(series []Series) *image.NRGBA {
	p := o.plot()
	for i, s := range series {
		if s.X != nil && len(s.X) != len(s.Y) {
			panic(fmt.Sprintf("render: Chart.Lines: series %d has %d x and %d y", i, len(s.X), len(s.Y)))
		}
		col := s.Color
		if col == nil {
			col = Categorical(i)
		}
		style := vgdraw.LineStyle{Color: col, Width: 2}
		for _, run := range finiteRuns(s) {
			if len(run) == 1 {
				p.Add(&plotter.Scatter{XYs: run, GlyphStyle: vgdraw.GlyphStyle{Color: col, Radius: 2.5, Shape: vgdraw.CircleGlyph{}}})
			} else {
				p.Add(&plotter.Line{XYs: run, LineStyle: style})
			}
		}
		if s.Name != "" {
			p.Legend.Add(o.short(s.Name, 3), &plotter.Line{LineStyle: style})
		}
	}
	return o.draw(p)
}

// finiteRuns are the stretches of s without NaN and infinities.
func finiteRuns(s Series) []plotter.XYs {
	var runs []plotter.XYs
	open := false
	for i, y := range s.Y {
		x := float64(i + 1)
		if s.X != nil {
			x = s.X[i]
		}
		// x-x is NaN for both kinds.
		if x-x != 0 || y-y != 0 {
			open = false
			continue
		}
		if !open {
			runs = append(runs, nil)
			open = true
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], plotter.XY{X: x, Y: y})
	}
	return runs
}

// Bars draws one bar from zero for each value, with its name below it. It panics if
// names and values differ in length. A value that is not finite has no bar.
func (o Chart) Bars(names []string, values []float64) *image.NRGBA {
	if len(names) != len(values) {
		panic(fmt.Sprintf("render: Chart.Bars: got %d names, %d values", len(names), len(values)))
	}
	p := o.plot()
	if len(values) == 0 {
		return o.draw(p)
	}
	finite := make(plotter.Values, len(values))
	short := make([]string, len(names))
	room := 0.75 / float64(len(names))
	for i, v := range values {
		if v-v == 0 {
			finite[i] = v
		}
		short[i] = o.short(names[i], 1/room)
	}
	w, _ := o.size()
	bars, err := plotter.NewBarChart(finite, vg.Length(float64(w)*room*0.8))
	if err != nil {
		panic("render: Chart.Bars: " + err.Error()) // all values are finite
	}
	bars.Color = Categorical(0)
	bars.LineStyle.Width = 0
	p.Add(bars)
	p.NominalX(short...)
	return o.draw(p)
}

func (o Chart) size() (w, h int) {
	w, h = o.Width, o.Height
	if w < 1 {
		w = 640
	}
	if h < 1 {
		h = 400
	}
	return w, h
}

// short cuts s to the given fraction (1/parts) of the chart's width.
func (o Chart) short(s string, parts float64) string {
	w, _ := o.size()
	return newTypeface(regular(), tickSize).shorten(clean(s), int(float64(w)/parts))
}

// plotFonts holds the Go fonts for gonum/plot, so that charts and figures look
// alike; it is only read.
var plotFonts = sync.OnceValue(func() *plotfont.Cache {
	return plotfont.NewCache(plotfont.Collection{
		{Font: plotfont.Font{Typeface: "Go", Variant: "Sans"}, Face: regular()},
		{Font: plotfont.Font{Typeface: "Go", Variant: "Bold"}, Face: bold()},
	})
})

// plot is an empty plot in our fonts and colours. One vg point is one pixel.
func (o Chart) plot() *plot.Plot {
	p := plot.New()
	handler := text.Plain{Fonts: plotFonts()}
	style := func(s *text.Style, variant plotfont.Variant, size vg.Length, c color.Color) {
		s.Font = plotfont.Font{Typeface: "Go", Variant: variant, Size: size}
		s.Handler = handler
		s.Color = c
	}
	p.TextHandler = handler
	style(&p.Title.TextStyle, "Bold", titleSize-2, ink)
	style(&p.Legend.TextStyle, "Sans", tickSize, ink)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		style(&axis.Label.TextStyle, "Sans", bodySize, ink)
		style(&axis.Tick.Label, "Sans", tickSize, soft)
		axis.Color, axis.Tick.Color = soft, soft
		axis.Label.Padding = 6
	}
	w, h := o.size()
	bodyFace := newTypeface(regular(), bodySize)
	p.Title.Text = newTypeface(bold(), titleSize-2).shorten(clean(o.Title), w-2*margin)
	p.Title.Padding = 10
	p.X.Label.Text = bodyFace.shorten(clean(o.XLabel), w-6*margin)
	p.Y.Label.Text = bodyFace.shorten(clean(o.YLabel), h-6*margin)
	p.Legend.Top = true
	p.Legend.Padding = 4
	p.Legend.ThumbnailWidth = 24
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{230}, color.Gray{230}
	p.Add(grid)
	return p
}

func (o Chart) draw(p *plot.Plot) *image.NRGBA {
	if o.YMin < o.YMax {
		p.Y.Min, p.Y.Max = o.YMin, o.YMax
	}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		if math.IsInf(axis.Min, 0) || math.IsInf(axis.Max, 0) { // no data
			axis.Min, axis.Max = 0, 1
		}
	}
	w, h := o.size()
	page := image.NewRGBA(image.Rect(0, 0, w, h))
	fill(page, page.Rect, color.White)
	canvas := vgimg.NewWith(vgimg.UseDPI(72), vgimg.UseWH(vg.Length(w), vg.Length(h)))
	p.Draw(vgdraw.Crop(vgdraw.New(canvas), margin, -margin, margin, -margin))
	img := canvas.Image()
	draw.Draw(page, page.Rect, img, img.Bounds().Min, draw.Over)
	return &image.NRGBA{Pix: page.Pix, Stride: page.Stride, Rect: page.Rect}
}
