package occlusion

import (
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/deconvnet/viz/internal/render"
)

// Style says how Figure draws a map.
type Style struct {
	Class int     // index into Map.Classes
	Paper bool    // the paper's colours (jet) instead of viridis
	Name  string  // of the image, for the title
	Alpha float64 // opacity of the overlay; 0: 0.55
}

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

	a := render.Magnify(m.patched(clean, 0), side)
	first, low := m.Boxes[0], m.Lowest(s.Class)
	thick := max(side/2, 1)
	render.DrawBox(a, image.Rect(first.X0*side, first.Y0*side, first.X1*side, first.Y1*side), markPatch, thick)
	render.DrawBox(a, image.Rect(low.X0*side, low.Y0*side, low.X1*side, low.Y1*side), markLow, thick)

	heat := render.Palette(render.Viridis)
	if s.Paper {
		heat = render.Jet
	}
	cells := func(img image.Image) image.Image {
		return render.MagnifyTo(img, max(in.H, in.W)*side)
	}
	panels := []render.Panel{{Title: "(a) image and patch", Image: a,
		Note: fmt.Sprintf("patch %dx%d (fill %s); red: where %s is least probable", m.Patch[0], m.Patch[1], m.FillName, class)}}
	for _, t := range m.Totals {
		lo, hi := render.Range(t.Total)
		panels = append(panels, render.Panel{Title: fmt.Sprintf("(b) %s, map %d", t.Layer, t.Channel),
			Image: cells(render.Heat(t.Total, m.Rows, m.Cols, lo, hi, heat)),
			Bar:   &render.ColorBar{Palette: heat, Lo: lo, Hi: hi, Label: "total activity"},
			Note:  fmt.Sprintf("clean image: %s%s", render.Number(float64(t.Clean)), flat(lo, hi))})
	}
	lo, hi := render.Range(m.Prob[s.Class])
	panels = append(panels, render.Panel{Title: "(d) p(" + class + ")",
		Image: cells(render.Heat(m.Prob[s.Class], m.Rows, m.Cols, 0, 1, heat)),
		Bar:   &render.ColorBar{Palette: heat, Lo: 0, Hi: 1, Label: "probability"},
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
	e := render.Panel{Title: "(e) most probable class", Image: cells(render.Classes(values, m.Rows, m.Cols))}
	for _, c := range most[:min(len(most), maxLegend)] {
		e.Legend = append(e.Legend, render.LegendEntry{Color: render.Categorical(c), Text: m.Net.Class(c)})
	}
	if n := len(most) - maxLegend; n > 0 {
		e.Note = fmt.Sprintf("and %d more classes", n)
	}
	panels = append(panels, e)

	drop := m.PixelDrop[s.Class]
	scale := max(render.MaxAbs(drop), 0.01) // a loss below a hundredth is not blown up
	over := render.Overlay(render.Magnify(clean, side), render.Heat(drop, in.H, in.W, -scale, scale, render.Diverging), alpha)
	panels = append(panels, render.Panel{Title: "loss of p(" + class + ")", Image: over,
		Bar:  &render.ColorBar{Palette: render.Diverging, Lo: -scale, Hi: scale, Label: "mean loss when covered"},
		Note: fmt.Sprintf("overlay, opacity %.2g; grey: no patch reaches or no loss", alpha)})

	title := "Occlusion sensitivity"
	if s.Name != "" {
		title += ": " + s.Name
	}
	return render.Figure{Title: title, Panels: panels, Columns: 3,
		Caption: []string{fmt.Sprintf("%s; %d x %d positions at stride %d, %d; exact: every position is a forward pass of its own",
			m.Net.Name, m.Rows, m.Cols, m.Stride[0], m.Stride[1])}}.Draw()
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
