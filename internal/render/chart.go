package render

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
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
// chart of 640 x 400 pixels without texts. A chart that is too small for its texts
// becomes larger.
type Chart struct {
	Title, XLabel, YLabel string
	Width, Height         int     // pixels; 0: 640 and 400
	YMin, YMax            float64 // of the axis; unless YMin < YMax: from the data
	// Scale enlarges texts and lines, as for charts that will be looked at in half
	// their size; 0: 1.
	Scale float64
	// XNames, if given, stand at x = 1, 2, 3 .. instead of numbers; upright if they do not fit side by side.
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
func (o Chart) Lines(series []Series) *image.NRGBA { return o.linesAxes(series).draw() }

func (o Chart) linesAxes(series []Series) axes {
	a := axes{Chart: o, x: noSpan(), y: noSpan(), grid: true}
	for i := range series {
		s := series[i]
		if s.X != nil && len(s.X) != len(s.Y) {
			panic(fmt.Sprintf("render: Chart.Lines: series %d has %d x and %d y", i, len(s.X), len(s.Y)))
		}
		if s.Lo != nil && (len(s.Lo) != len(s.Y) || len(s.Hi) != len(s.Y)) {
			panic(fmt.Sprintf("render: Chart.Lines: series %d has %d y and a band of %d and %d", i, len(s.Y), len(s.Lo), len(s.Hi)))
		}
		if s.Color == nil {
			s.Color = Categorical(i)
		}
		if s.Name != "" {
			a.legend = append(a.legend, LegendEntry{s.Color, s.Name})
		}
		for _, y := range [][]float64{s.Lo, s.Hi, s.Y} {
			for _, run := range finiteRuns(s.X, y) {
				for _, v := range run {
					a.x.add(v.X)
					a.y.add(v.Y)
				}
			}
		}
		a.paint = append(a.paint, func(p plot) { p.series(s) })
	}
	for i, name := range o.XNames {
		a.xMarks = append(a.xMarks, mark{float64(i + 1), name})
	}
	return a
}

// series draws one line with its band and dots.
func (p plot) series(s Series) {
	if s.Lo != nil {
		r, g, b, _ := s.Color.RGBA()
		shade := color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 50}
		for _, run := range bandRuns(s) {
			p.polygon(run, shade)
		}
	}
	for _, run := range finiteRuns(s.X, s.Y) {
		if len(run) > 1 {
			p.line(run, s.Color, 2, s.Dashed)
		}
		if len(run) == 1 || s.Dots {
			for _, v := range run {
				p.dot(v, s.Color)
			}
		}
	}
}

// finiteRuns are the stretches of a line without NaN and infinities. A nil xs stands for 1, 2, 3 ..
func finiteRuns(xs, ys []float64) [][]point {
	var runs [][]point
	open := false
	for i, y := range ys {
		x := float64(i + 1)
		if xs != nil {
			x = xs[i]
		}
		if !finite(x) || !finite(y) {
			open = false
			continue
		}
		if !open {
			runs = append(runs, nil)
			open = true
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], point{x, y})
	}
	return runs
}

// bandRuns are outlines of the stretches of a band where both edges are known.
func bandRuns(s Series) [][]point {
	lo, hi := slices.Clone(s.Lo), slices.Clone(s.Hi)
	for i := range lo {
		if !finite(lo[i]) || !finite(hi[i]) {
			lo[i], hi[i] = math.NaN(), math.NaN()
		}
	}
	rings, tops := finiteRuns(s.X, lo), finiteRuns(s.X, hi)
	for k, top := range tops {
		slices.Reverse(top)
		rings[k] = append(rings[k], top...)
	}
	return rings
}

// Bars draws one bar from zero for each value, with its name below it, or the name of
// its group. It panics if there are not as many names as groups. A value that is not finite has no bar.
func (o Chart) Bars(names []string, values []float64) *image.NRGBA {
	return o.barsAxes(names, values).draw()
}

func (o Chart) barsAxes(names []string, values []float64) axes {
	group := max(o.Group, 1)
	if len(names)*group != len(values) {
		panic(fmt.Sprintf("render: Chart.Bars: got %d names, %d values", len(names), len(values)))
	}
	if o.Errors != nil && len(o.Errors) != len(values) {
		panic(fmt.Sprintf("render: Chart.Bars: got %d values, %d errors", len(values), len(o.Errors)))
	}
	a := axes{Chart: o, x: noSpan(), y: noSpan(), legend: o.Legend}
	gap, wide := 0.0, 0.7 // between groups, in bars; of a bar, as a share of its place
	if group > 1 {
		gap, wide = 0.7, 0.9
	}
	at := func(i int) float64 { return float64(i) + float64(gap*float64(i/group)) }
	for i, v := range values {
		a.x.add(at(i) - 0.5)
		a.x.add(at(i) + 0.5)
		a.y.add(0)
		if !finite(v) {
			continue
		}
		a.y.add(v)
		col := Categorical(0)
		if i < len(o.Colors) {
			col = rgba(o.Colors[i])
		}
		a.paint = append(a.paint, func(p plot) { p.bar(at(i), v, wide, col) })
		if i < len(o.Errors) && finite(o.Errors[i]) {
			e := o.Errors[i]
			a.y.add(v - e)
			a.y.add(v + e)
			a.paint = append(a.paint, func(p plot) { p.line([]point{{at(i), v - e}, {at(i), v + e}}, ink, 2, false) })
		}
	}
	for k, name := range names {
		a.xMarks = append(a.xMarks, mark{(at(k*group) + at(k*group+group-1)) / 2, name})
	}
	if len(names) == 0 {
		a.xMarks = []mark{}
	}
	return a
}

func rgba(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }

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
