package render

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
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
	// Lo and Hi, if given, are the edges of a band around the line, such as one
	// standard deviation to both sides.
	Lo, Hi []float64
	Dashed bool
	Dots   bool // mark every point
}

// A Chart says what stands around the lines or bars of a chart. The zero value is a
// chart of 640 x 400 pixels without texts. A chart that is too low for its title and
// legend becomes higher.
type Chart struct {
	Title, XLabel, YLabel string
	Width, Height         int     // pixels; 0: 640 and 400
	YMin, YMax            float64 // of the axis; unless YMin < YMax: from the data
	// Scale enlarges texts and lines, as for charts that will be looked at in half
	// their size; 0: 1.
	Scale float64
	// XNames, if given, stand at x = 1, 2, 3 .. instead of numbers.
	XNames []string
	// Colors, if given, are of each of Bars; Legend then says what they mean.
	Colors []color.Color
	Legend []LegendEntry
	// Errors, one for each value of Bars, are drawn as lines of one to both sides.
	Errors []float64
	// Group is how many of Bars stand together under one name, which may take several lines; 0: 1.
	Group int
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
		if s.Lo != nil && (len(s.Lo) != len(s.Y) || len(s.Hi) != len(s.Y)) {
			panic(fmt.Sprintf("render: Chart.Lines: series %d has %d y and a band of %d and %d", i, len(s.Y), len(s.Lo), len(s.Hi)))
		}
		col := s.Color
		if col == nil {
			col = Categorical(i)
		}
		if s.Lo != nil {
			r, g, b, _ := col.RGBA()
			shade := color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 50}
			lo, hi := Series{X: s.X, Y: s.Lo}, Series{X: s.X, Y: s.Hi}
			lows, highs := finiteRuns(lo), finiteRuns(hi)
			for k := range min(len(lows), len(highs)) {
				ring := slices.Clone(lows[k])
				for j := len(highs[k]) - 1; j >= 0; j-- {
					ring = append(ring, highs[k][j])
				}
				if band, err := plotter.NewPolygon(ring); err == nil {
					band.Color, band.LineStyle.Width = shade, 0
					p.Add(band)
				}
			}
		}
		line := vgdraw.LineStyle{Color: col, Width: vg.Length(2 * o.scale())}
		if s.Dashed {
			line.Dashes = []vg.Length{vg.Length(6 * o.scale()), vg.Length(4 * o.scale())}
		}
		dot := vgdraw.GlyphStyle{Color: col, Radius: vg.Length(2.5 * o.scale()), Shape: vgdraw.CircleGlyph{}}
		for _, run := range finiteRuns(s) {
			if len(run) > 1 {
				p.Add(&plotter.Line{XYs: run, LineStyle: line})
			}
			if len(run) == 1 || s.Dots {
				p.Add(&plotter.Scatter{XYs: run, GlyphStyle: dot})
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

// Bars draws one bar from zero for each value, with its name below it, or the name of
// its group. It panics if there are not as many names as groups. A value that is not finite has no bar.
func (o Chart) Bars(names []string, values []float64) *image.NRGBA {
	group := max(o.Group, 1)
	if len(names)*group != len(values) {
		panic(fmt.Sprintf("render: Chart.Bars: got %d names, %d values", len(names), len(values)))
	}
	if o.Errors != nil && len(o.Errors) != len(values) {
		panic(fmt.Sprintf("render: Chart.Bars: got %d values, %d errors", len(values), len(o.Errors)))
	}
	p := o.plot()
	if len(values) == 0 {
		return o.draw(p, nil)
	}
	w, _ := o.size()
	gap, wide := 0.0, 0.7 // between groups, in bars; of a bar, as a share of its place
	if group > 1 {
		gap, wide = 0.7, 0.9
	}
	at := func(i int) float64 { return float64(i) + gap*float64(i/group) }
	each := float64(w) * 0.75 / (at(len(values)-1) + 1) // pixels from bar to bar, about
	for i, v := range values {
		if v-v != 0 {
			v = 0
		}
		bar, err := plotter.NewBarChart(plotter.Values{v}, vg.Length(wide*each))
		if err != nil {
			panic("render: Chart.Bars: " + err.Error()) // all values are finite
		}
		bar.Color, bar.XMin = Categorical(0), at(i)
		if i < len(o.Colors) {
			bar.Color = o.Colors[i]
		}
		bar.LineStyle.Width = 0
		p.Add(bar)
	}
	for i, e := range o.Errors {
		if e-e != 0 || values[i]-values[i] != 0 {
			continue
		}
		line := plotter.XYs{{X: at(i), Y: values[i] - e}, {X: at(i), Y: values[i] + e}}
		p.Add(&plotter.Line{XYs: line, LineStyle: vgdraw.LineStyle{Color: ink, Width: vg.Length(2 * o.scale())}})
	}
	face := newTypeface(regular(), tickSize*o.scale())
	labels := make([]string, len(names))
	for k, name := range names {
		labels[k] = face.shorten(clean(name), int(each))
	}
	if group > 1 { // there is room for several lines
		labels = face.wrapAll(names, int(each*(float64(group)+gap-0.2)), 4)
	}
	ticks := make([]plot.Tick, len(names))
	for k := range names {
		ticks[k] = plot.Tick{Value: (at(k*group) + at(k*group+group-1)) / 2, Label: labels[k]}
	}
	p.NominalX(labels...)
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	return o.draw(p, o.Legend)
}

// scale is o.Scale or 1.
func (o Chart) scale() float64 {
	if o.Scale > 0 {
		return o.Scale
	}
	return 1
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
		s.Font = plotfont.Font{Typeface: "Go", Variant: "Sans", Size: size * vg.Length(o.scale())}
		s.Handler = handler
		s.Color = c
	}
	p.TextHandler = handler
	w, _ := o.size()
	face := newTypeface(regular(), bodySize*o.scale())
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		style(&axis.Label.TextStyle, bodySize, ink)
		style(&axis.Tick.Label, tickSize, soft)
		axis.Color, axis.Tick.Color = soft, soft
		axis.Label.Padding = 6
	}
	p.X.Label.Text = face.shorten(clean(o.XLabel), w-6*margin)
	p.X.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick { return niceTicks(lo, hi, int(float64(w)/80/o.scale())) })
	if len(o.XNames) > 0 {
		var ticks []plot.Tick
		small := newTypeface(regular(), tickSize*o.scale())
		for i, name := range o.XNames {
			ticks = append(ticks, plot.Tick{Value: float64(i + 1), Label: small.shorten(clean(name), w*3/4/len(o.XNames))})
		}
		p.X.Tick.Marker = plot.ConstantTicks(ticks)
	}
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
		// Kept inside: there is no room for the label of a mark beyond the end.
		ticks = append(ticks, plot.Tick{Value: min(max(i*step, lo), hi), Label: number(i*step, 6)})
	}
	return ticks
}

// draw puts title and legend above p, so that they never cover data.
func (o Chart) draw(p *plot.Plot, legend []LegendEntry) *image.NRGBA {
	return o.drawTicks(p, legend, nil)
}

// drawTicks is draw with given marks at the y axis; nil: round numbers.
func (o Chart) drawTicks(p *plot.Plot, legend []LegendEntry, marks plot.Ticker) *image.NRGBA {
	if o.YMin < o.YMax {
		p.Y.Min, p.Y.Max = o.YMin, o.YMax
	} else if room := 0.04 * (p.Y.Max - p.Y.Min); !math.IsInf(room, 0) && !math.IsNaN(room) {
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
	big, body := newTypeface(bold(), titleSize*o.scale()), newTypeface(regular(), bodySize*o.scale())
	inner := max(1, w-2*margin)
	title := big.wrap(o.Title, inner, 2)
	top := margin
	if len(title) > 0 {
		top += len(title)*big.height + 8
	}
	legendTop := top
	if len(legend) > 0 {
		top = drawLegend(canvas{}, body, o.scale(), legend, margin, top, inner) + 8
	}
	plotH := max(120, h-top-margin)
	axisH := plotH - int(45*o.scale()) // the rest is for the numbers and the label of the x axis
	p.Y.Label.Text = body.shorten(clean(o.YLabel), axisH)
	if p.Y.Tick.Marker = marks; marks == nil {
		p.Y.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick { return niceTicks(lo, hi, int(float64(axisH)/32/o.scale())) })
	}
	c := newCanvas(inner+2*margin, top+plotH+margin)
	c.lines(big, title, margin, margin, inner, 0, ink)
	if len(legend) > 0 {
		drawLegend(c, body, o.scale(), legend, margin, legendTop, inner)
	}
	area := vgimg.NewWith(vgimg.UseDPI(72), vgimg.UseWH(vg.Length(inner), vg.Length(plotH)))
	p.Draw(vgdraw.New(area))
	c.picture(area.Image(), margin, top)
	return c.done()
}
