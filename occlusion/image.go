package occlusion

import (
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Style says how Figure draws a map.
type Style struct {
	Class int     // index into Map.Classes
	Paper bool    // the paper's colours (jet) instead of viridis
	Name  string  // of the image, for the title
	Alpha float64 // opacity of the overlay; 0: 0.55
	// One scale for a series of figures; nil: each its own.
	Scale *Scale
}

// Scale are limits of colour bars.
type Scale struct {
	Loss   float64               // of the overlay, from -Loss to Loss; 0: the map's own
	Totals map[string][2]float64 // of panel (b), by layer
}

// Include widens the scale so that m fits.
func (s *Scale) Include(m *Map) {
	for _, drop := range m.PixelDrop {
		s.Loss = max(s.Loss, render.MaxAbs(drop), m.minLoss())
	}
	if s.Totals == nil {
		s.Totals = map[string][2]float64{}
	}
	for _, t := range m.Totals {
		lo, hi := render.Range(append(slices.Clone(t.Total), t.Clean))
		if r, ok := s.Totals[t.Layer]; ok {
			lo, hi = min(lo, r[0]), max(hi, r[1])
		}
		s.Totals[t.Layer] = [2]float64{lo, hi}
	}
}

// minLoss is the smallest limit of the overlay's scale, so that no loss below a
// hundredth is blown up.
const minLoss = 0.01

// maxLegend is how many classes the legend names.
const maxLegend = 12

// marks are the colours of the outlined patches.
var (
	markPatch = color.NRGBA{255, 255, 255, 255}
	markLow   = color.NRGBA{230, 40, 40, 255}
)

// Figure draws the panels of [zeiler14] (ECCV Fig. 6): (a) the image with the
// patch, (b) total activity of the strongest map by position, (d) probability of
// the class by position, (e) most probable class by position; and an overlay of
// the mean loss of probability on the image. (c) is a projection: see deconv.
func (m *Map) Figure(s Style) image.Image {
	in := m.Net.Input
	alpha := s.Alpha
	if alpha == 0 {
		alpha = 0.55
	}
	side := max(224/max(in.H, in.W), 1) // enlargement of the image
	clean := m.Net.Preprocess.Image(m.Input.Data, in)
	class := m.Net.Class(m.Classes[s.Class])

	shown := 0
	low := m.LowestAt(s.Class)
	if m.Segments != nil {
		shown = low
	}
	a := render.Magnify(m.patched(clean, shown), side)
	first, lowest := m.Boxes[shown], m.Boxes[low]
	thick := max(side/2, 1)
	render.DrawBox(a, image.Rect(first.X0*side, first.Y0*side, first.X1*side, first.Y1*side), markPatch, thick)
	render.DrawBox(a, image.Rect(lowest.X0*side, lowest.Y0*side, lowest.X1*side, lowest.Y1*side), markLow, thick)

	heat := render.Palette(render.Viridis)
	if s.Paper {
		heat = render.Jet
	}
	cells := func(img image.Image) image.Image {
		return render.MagnifyTo(img, max(in.H, in.W)*side)
	}
	rows, cols := m.Rows, m.Cols
	if m.Segments != nil {
		rows, cols = in.H, in.W
	}
	heatOf := func(v []float32, lo, hi float64) image.Image { return render.Heat(v, rows, cols, lo, hi, heat) }
	panels := []render.Panel{{Title: "(a) image and patch", Image: a,
		Note: m.about() + "; red: where " + m.lowText(class)}}
	for _, t := range m.Totals {
		lo, hi := render.Range(t.Total)
		note := flat(lo, hi)
		if s.Scale != nil && s.Scale.Totals != nil {
			if r, ok := s.Scale.Totals[t.Layer]; ok {
				lo, hi = r[0], r[1]
			}
		}
		panels = append(panels, render.Panel{Title: fmt.Sprintf("(b) %s, map %d", t.Layer, t.Channel),
			Image: cells(heatOf(spread(m, t.Total, t.Clean), lo, hi)),
			Bar:   &render.ColorBar{Palette: heat, Lo: lo, Hi: hi, Label: "total activity"},
			Note:  fmt.Sprintf("clean image: %s%s", render.Number(float64(t.Clean)), note)})
	}
	lo, hi := render.Range(m.Prob[s.Class])
	barLo, barHi := m.bar(lo, hi)
	panels = append(panels, render.Panel{Title: "(d) " + m.quantityOf(class),
		Image: cells(heatOf(spread(m, m.Prob[s.Class], m.CleanProb[s.Class]), barLo, barHi)),
		Bar:   &render.ColorBar{Palette: heat, Lo: barLo, Hi: barHi, Label: m.quantityText()},
		Note:  fmt.Sprintf("clean image: %s; here %s to %s%s", render.Number(float64(m.CleanProb[s.Class])), render.Number(lo), render.Number(hi), flat(lo, hi))})

	values := make([]int, len(m.ArgMax))
	count := map[int]int{}
	var most []int // classes, the most frequent first
	for i, c := range m.ArgMax {
		values[i] = int(c)
		if count[int(c)]++; count[int(c)] == 1 {
			most = append(most, int(c))
		}
	}
	slices.SortStableFunc(most, func(a, b int) int { return count[b] - count[a] })
	e := render.Panel{Title: "(e) " + m.bestText(), Image: cells(render.Classes(spread(m, values, m.CleanBest), rows, cols))}
	for _, c := range most[:min(len(most), maxLegend)] {
		e.Legend = append(e.Legend, render.LegendEntry{Color: render.Categorical(c), Text: m.predicted(c)})
	}
	if n := len(most) - maxLegend; n > 0 {
		e.Note = fmt.Sprintf("and %d more classes", n)
	}
	if m.Quantity != model.Value || m.reading.Shape.C > 1 {
		panels = append(panels, e)
	}

	drop := m.PixelDrop[s.Class]
	lo, hi = render.Range(drop)
	scale := max(render.MaxAbs(drop), m.minLoss())
	if s.Scale != nil && s.Scale.Loss > 0 {
		scale = s.Scale.Loss
	}
	note := fmt.Sprintf("overlay, opacity %.2g; grey: no patch reaches or no loss", alpha)
	if max(hi, -lo) <= 1e-6 {
		note += "; the map is flat"
	}
	over := render.Overlay(render.Magnify(clean, side), render.Heat(drop, in.H, in.W, -scale, scale, render.Diverging), alpha)
	panels = append(panels, render.Panel{Title: "loss of p(" + class + ")", Image: over,
		Bar:  &render.ColorBar{Palette: render.Diverging, Lo: -scale, Hi: scale, Label: "mean loss when covered"},
		Note: note})

	title := "Occlusion sensitivity"
	if s.Name != "" {
		title += ": " + s.Name
	}
	return render.Figure{Title: title, Panels: panels, Columns: 3, Caption: []string{m.caption()}}.Draw()
}

// about says what is covered, and with what.
func (m *Map) about() string {
	if m.Segments != nil {
		return fmt.Sprintf("one of %d segments (fill %s)", len(m.Boxes), m.FillName)
	}
	s := fmt.Sprintf("patch %dx%d (fill %s", m.Patch[0], m.Patch[1], m.FillName)
	if m.Soft > 0 {
		s += fmt.Sprintf(", edge of %d pixels", m.Soft)
	}
	return s + ")"
}

// caption says how the map was made.
func (m *Map) caption() string {
	s := fmt.Sprintf("%s; %d segments", m.Net.Name, len(m.Boxes))
	if m.Segments == nil {
		s = fmt.Sprintf("%s; %d x %d positions at stride %d, %d", m.Net.Name, m.Rows, m.Cols, m.Stride[0], m.Stride[1])
	}
	if m.MACs < m.Whole {
		return s + fmt.Sprintf("; exact: what a patch can change is computed for every position (%.1f times fewer products)", float64(m.Whole)/float64(max(m.MACs, 1)))
	}
	return s + "; exact: every position is a forward pass of its own"
}

// spread gives every pixel the value of the segment that covers it, or clean;
// without segments it returns the values by position as they are.
func spread[T any](m *Map, values []T, clean T) []T {
	if m.Segments == nil {
		return values
	}
	out := make([]T, len(m.Segments))
	for p, i := range m.Segments {
		out[p] = clean
		if i >= 0 {
			out[p] = values[i]
		}
	}
	return out
}

// patched returns the clean image with the patch drawn at position i.
func (m *Map) patched(clean *image.NRGBA, i int) *image.NRGBA {
	in := m.Net.Input
	x := append([]float32(nil), m.Input.Data...)
	m.set.cover(i, x, m.Input.Data, m.Filler, in)
	return m.Net.Preprocess.Image(x, in)
}

// flat says that a map has no contrast, so that nobody reads one into it.
func flat(lo, hi float64) string {
	if hi-lo <= 1e-6*max(hi, -lo, 1e-30) {
		return "; the map is flat"
	}
	return ""
}
