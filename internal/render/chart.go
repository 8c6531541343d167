package render

import (
	"fmt"
	"image"
	"image/color"
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
// chart of 640 x 400 pixels without texts. A chart that is too low for its title and
// legend becomes higher.
type Chart struct {
	Title, XLabel, YLabel string
	Width, Height         int     // pixels; 0: 640 and 400
	YMin, YMax            float64 // of the axis; unless YMin < YMax: from the data
}

// Curves draws series as lines into a chart of 640 x 400 pixels.
func Curves(series []Series, title, xlabel, ylabel string) *image.NRGBA {
	return Chart{Title: title, XLabel: xlabel, YLabel: ylabel}.Lines(series)
}

// Lines draws each series as a line; those with a name are listed above the
// lines. A point that has no neighbours to be joined to is drawn as a dot. It
// panics if X and Y of a series differ in length.
func (o Chart) Lines(series []Series) *image.NRGBA {
	p := o.plot()
	var legend []LegendEntry
	for i, s := range series {
		if s.X != nil && len(s.X) != len(s.Y) {
			panic(fmt.Sprintf("render: Chart.Lines: series %d has %d x and %d y", i, len(s.X), len(s.Y)))
		}
		col := s.Color
		if col == nil {
			col = Categorical(i)
		}
		for _, run := range finiteRuns(s) {
			if len(run) == 1 {
				dot := vgdraw.GlyphStyle{Color: col, Radius: 2.5, Shape: vgdraw.CircleGlyph{}}
				p.Add(&plotter.Scatter{XYs: run, GlyphStyle: dot})
			} else {
				p.Add(&plotter.Line{XYs: run, LineStyle: vgdraw.LineStyle{Color: col, Width: 2}})
			}
		}
		if s.Name != "" {
			legend = append(legend, LegendEntry{col, s.Name})
		}
	}
	return o.draw(p, legend)
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
		return o.draw(p, nil)
	}
	w, _ := o.size()
	each := float64(w) * 0.75 / float64(len(names)) // pixels from bar to bar, about
	finite := make(plotter.Values, len(values))
	short := make([]string, len(names))
	face := newTypeface(regular(), tickSize)
	for i, v := range values {
		if v-v == 0 {
			finite[i] = v
		}
		short[i] = face.shorten(clean(names[i]), int(each))
	}
	bars, err := plotter.NewBarChart(finite, vg.Length(0.7*each))
	if err != nil {
		panic("render: Chart.Bars: " + err.Error()) // all values are finite
	}
	bars.Color = Categorical(0)
	bars.LineStyle.Width = 0
	p.Add(bars)
	p.NominalX(short...)
	return o.draw(p, nil)
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

// plotFonts holds the Go fonts for gonum/plot, so that charts and figures look
// alike; it is only read.
var plotFonts = sync.OnceValue(func() *plotfont.Cache {
	return plotfont.NewCache(plotfont.Collection{
		{Font: plotfont.Font{Typeface: "Go", Variant: "Sans"}, Face: regular()},
	})
})

// plot is an empty plot in our fonts and colours. One vg point is one pixel.
func (o Chart) plot() *plot.Plot {
	p := plot.New()
	handler := text.Plain{Fonts: plotFonts()}
	style := func(s *text.Style, size vg.Length, c color.Color) {
		s.Font = plotfont.Font{Typeface: "Go", Variant: "Sans", Size: size}
		s.Handler = handler
		s.Color = c
	}
	p.TextHandler = handler
	w, _ := o.size()
	face := newTypeface(regular(), bodySize)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		style(&axis.Label.TextStyle, bodySize, ink)
		style(&axis.Tick.Label, tickSize, soft)
		axis.Color, axis.Tick.Color = soft, soft
		axis.Label.Padding = 6
	}
	p.X.Label.Text = face.shorten(clean(o.XLabel), w-6*margin)
	p.X.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick { return niceTicks(lo, hi, w/80) })
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{230}, color.Gray{230}
	p.Add(grid)
	return p
}

// niceTicks marks the multiples of a round step in lo..hi, at most about n.
func niceTicks(lo, hi float64, n int) []plot.Tick {
	if !(hi > lo) {
		return []plot.Tick{{Value: lo, Label: number(lo, 6)}}
	}
	step := niceStep(hi-lo, max(2, n))
	var ticks []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: number(i*step, 6)})
	}
	return ticks
}

// draw puts title and legend above p, so that they never cover data.
func (o Chart) draw(p *plot.Plot, legend []LegendEntry) *image.NRGBA {
	if o.YMin < o.YMax {
		p.Y.Min, p.Y.Max = o.YMin, o.YMax
	} else if room := 0.04 * (p.Y.Max - p.Y.Min); room-room == 0 {
		if p.Y.Min != 0 {
			p.Y.Min -= room
		}
		if p.Y.Max != 0 {
			p.Y.Max += room
		}
	}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		if math.IsInf(axis.Min, 0) || math.IsInf(axis.Max, 0) { // no data
			axis.Min, axis.Max = 0, 1
		}
	}
	w, h := o.size()
	big, body := newTypeface(bold(), titleSize), newTypeface(regular(), bodySize)
	inner := max(1, w-2*margin)
	title := big.wrap(o.Title, inner, 2)
	top := margin
	if len(title) > 0 {
		top += len(title)*big.height + 8
	}
	legendTop := top
	if len(legend) > 0 {
		top = drawLegend(canvas{}, body, legend, margin, top, inner) + 8
	}
	plotH := max(120, h-top-margin)
	axisH := plotH - 45 // the rest is for the numbers and the label of the x axis
	p.Y.Label.Text = body.shorten(clean(o.YLabel), axisH)
	p.Y.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick { return niceTicks(lo, hi, axisH/32) })
	c := newCanvas(inner+2*margin, top+plotH+margin)
	c.lines(big, title, margin, margin, inner, 0, ink)
	if len(legend) > 0 {
		drawLegend(c, body, legend, margin, legendTop, inner)
	}
	area := vgimg.NewWith(vgimg.UseDPI(72), vgimg.UseWH(vg.Length(inner), vg.Length(plotH)))
	p.Draw(vgdraw.New(area))
	c.picture(area.Image(), margin, top)
	return c.done()
}
