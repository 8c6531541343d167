package occlusion

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Style says how Figure draws a map.
type Style struct {
	Class int     // index into Map.Classes
	Paper bool    // the paper's colours (jet) and maps by position, not laid over the image's places
	Name  string  // of the image, for the title
	Alpha float64 // opacity of the overlay; 0: 0.55
	// One scale for a series of figures; nil: each its own.
	Scale *Scale
}

// Scale are limits of colour bars.
type Scale struct {
	Loss   float64               // of the overlay, from -Loss to Loss; 0: the map's own
	Totals map[string][2]float64 // of the panels of total activity, by layer
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

// minLoss is the smallest limit of the overlay's scale, so that no drop below a
// hundredth is blown up.
const minLoss = 0.01

// maxLegend is how many classes the legend names.
const maxLegend = 12

// Colours of the outlined patches, and of what no patch covers.
var (
	markPatch = color.NRGBA{255, 255, 255, 255}
	markLow   = color.NRGBA{230, 40, 40, 255}
	uncovered = color.NRGBA{170, 170, 170, 255}
)

// Figure draws panels like those of [zeiler14] (ECCV Fig. 6), lettered in
// sequence: the image with the patch; the total activity of the strongest map of
// each layer, by position (there panel b); the probability of the class (there d);
// the most probable class (there e); and the mean drop of the probability over the
// image. A position is drawn where the middle of the patch is, so that the panels
// lie over the image.
func (m *Map) Figure(s Style) image.Image {
	f := m.figure(s)
	panels := []render.Panel{f.image()}
	for _, t := range m.Totals {
		panels = append(panels, f.total(t))
	}
	panels = append(panels, f.quantity())
	if m.Quantity != model.Value || m.reading.Shape.C > 1 {
		panels = append(panels, f.best())
	}
	panels = append(panels, f.drop())
	for i := range panels {
		panels[i].Title = fmt.Sprintf("(%c) %s", 'a'+i%26, panels[i].Title)
	}
	title := "Occlusion sensitivity"
	if s.Name != "" {
		title += ": " + s.Name
	}
	return render.Figure{Title: title, Panels: panels, Columns: 3, Caption: []string{m.caption()}}.Draw()
}

// figure is one drawing of a map.
type figure struct {
	*Map
	s     Style
	class string
	side  int // enlargement of the image
	clean *image.NRGBA
	heat  render.Palette
}

func (m *Map) figure(s Style) *figure {
	in := m.Net.Input
	f := &figure{Map: m, s: s, class: m.Net.Class(m.Classes[s.Class]), side: max(224/max(in.H, in.W), 1),
		clean: m.Net.Picture(m.Input.Data), heat: render.Viridis}
	if s.Paper {
		f.heat = render.Jet
	}
	return f
}

// image is the picture with a patch, and where the class is lowest.
func (f *figure) image() render.Panel {
	shown, low := 0, f.LowestAt(f.s.Class)
	if f.Segments != nil {
		shown = low
	}
	a := render.Magnify(f.patched(f.clean, shown), f.side)
	for i, c := range map[int]color.Color{shown: markPatch, low: markLow} {
		b := f.Boxes[i]
		render.DrawBox(a, image.Rect(b.X0*f.side, b.Y0*f.side, b.X1*f.side, b.Y1*f.side), c, max(f.side/2, 1))
	}
	return render.Panel{Title: "image and patch", Image: a, Note: f.about() + "; red: " + f.lowText(f.class)}
}

// total is the activity of a layer's strongest map by position.
func (f *figure) total(t *LayerTotal) render.Panel {
	lo, hi := render.Range(t.Total)
	note := flat(lo, hi)
	if f.s.Scale != nil && f.s.Scale.Totals != nil {
		if r, ok := f.s.Scale.Totals[t.Layer]; ok {
			lo, hi = r[0], r[1]
		}
	}
	return render.Panel{Title: fmt.Sprintf("%s, map %d", t.Layer, t.Channel), Image: f.byPosition(t.Total, t.Clean, lo, hi),
		Bar:  &render.ColorBar{Palette: f.heat, Lo: lo, Hi: hi, Label: "total activity"},
		Note: fmt.Sprintf("image as it is: %s%s", render.Number(float64(t.Clean)), note)}
}

// quantity is what the network says of the class by position.
func (f *figure) quantity() render.Panel {
	values := f.Prob[f.s.Class]
	lo, hi := render.Range(values)
	barLo, barHi := f.bar(lo, hi)
	note := fmt.Sprintf("image as it is: %s; here %s to %s%s", render.Number(float64(f.CleanProb[f.s.Class])), render.Number(lo), render.Number(hi), flat(lo, hi))
	if barLo != 0 || barHi != 1 {
		note += "; colours span this range"
	}
	return render.Panel{Title: f.quantityOf(f.class), Image: f.byPosition(values, f.CleanProb[f.s.Class], barLo, barHi),
		Bar: &render.ColorBar{Palette: f.heat, Lo: barLo, Hi: barHi, Label: f.quantityText()}, Note: note}
}

// best is the most probable class by position.
func (f *figure) best() render.Panel {
	values := make([]int, len(f.ArgMax))
	count := map[int]int{}
	var most []int // classes, the most frequent first
	for i, c := range f.ArgMax {
		values[i] = int(c)
		if count[int(c)]++; count[int(c)] == 1 {
			most = append(most, int(c))
		}
	}
	slices.SortStableFunc(most, func(a, b int) int { return count[b] - count[a] })
	rows, cols := f.grid()
	e := render.Panel{Title: f.bestText(), Image: f.lay(render.Classes(spread(f.Map, values, f.CleanBest), rows, cols))}
	for _, c := range most[:min(len(most), maxLegend)] {
		e.Legend = append(e.Legend, render.LegendEntry{Color: render.Categorical(c), Text: f.Predicted(c)})
	}
	if n := len(most) - maxLegend; n > 0 {
		e.Note = fmt.Sprintf("and %d more classes", n)
	}
	return e
}

// drop is the mean drop of what the network says, over the image.
func (f *figure) drop() render.Panel {
	in := f.Net.Input
	drop := f.PixelDrop[f.s.Class]
	lo, hi := render.Range(drop)
	scale := max(render.MaxAbs(drop), f.minLoss())
	if f.s.Scale != nil && f.s.Scale.Loss > 0 {
		scale = f.s.Scale.Loss
	}
	alpha := f.s.Alpha
	if alpha == 0 {
		alpha = 0.55
	}
	heat := render.Heat(drop, in.H, in.W, -scale, scale, render.Diverging)
	hidden := false // pixels that no patch covers
	for i, v := range drop {
		if v != v {
			hidden = true
			heat.Pix[4*i+3] = 0
		}
	}
	over := render.Overlay(render.Magnify(f.clean, f.side), heat, alpha)
	p := render.Panel{Title: "drop in " + f.quantityOf(f.class), Image: over,
		Bar:  &render.ColorBar{Palette: render.Diverging, Lo: -scale, Hi: scale, Label: "mean drop when occluded"},
		Note: fmt.Sprintf("overlay, opacity %.2g; grey: no change", alpha)}
	if max(hi, -lo) <= 1e-6 {
		p.Note += "; the map is flat"
	}
	if hidden {
		render.Hatch(over, func(x, y int) bool { v := drop[y/f.side*in.W+x/f.side]; return v != v }, uncovered)
		p.Legend = append(p.Legend, render.LegendEntry{Color: uncovered, Text: "hatched: never covered"})
	}
	return p
}

// grid is the size of maps by position; those of segments are by pixel.
func (f *figure) grid() (rows, cols int) {
	if f.Segments != nil {
		return f.Net.Input.H, f.Net.Input.W
	}
	return f.Rows, f.Cols
}

func (f *figure) byPosition(values []float32, clean float32, lo, hi float64) image.Image {
	rows, cols := f.grid()
	return f.lay(render.Heat(spread(f.Map, values, clean), rows, cols, lo, hi, f.heat))
}

// lay enlarges a map by position to the size of the image's panel. Each position is
// where the middle of its patch is; what is nearer to the border than any middle is
// white.
func (f *figure) lay(cells *image.NRGBA) image.Image {
	in := f.Net.Input
	if f.Segments != nil || f.s.Paper {
		return render.MagnifyTo(cells, max(in.H, in.W)*f.side)
	}
	rows, cols := make([]int, in.H), make([]int, in.W) // position of each pixel row and column, -1 none
	place(rows, f.Map.Rows, f.Patch[0], f.Stride[0], func(i int) (int, int) { b := f.Boxes[i*f.Map.Cols]; return b.Y0, b.Y1 })
	place(cols, f.Map.Cols, f.Patch[1], f.Stride[1], func(i int) (int, int) { b := f.Boxes[i]; return b.X0, b.X1 })
	out := image.NewNRGBA(image.Rect(0, 0, in.W, in.H))
	for y, r := range rows {
		for x, c := range cols {
			if r >= 0 && c >= 0 {
				out.SetNRGBA(x, y, cells.NRGBAAt(c, r))
			} else {
				out.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
			}
		}
	}
	return render.Magnify(out, f.side)
}

// place gives each pixel the position whose patch has its middle nearest, if that is
// not farther than half a step.
func place(to []int, n, patch, stride int, box func(i int) (from, to int)) {
	best := make([]float64, len(to))
	for p := range to {
		to[p], best[p] = -1, math.Inf(1)
	}
	reach := max(float64(stride)/2, 0.5)
	if n == 1 {
		reach = max(reach, float64(patch)/2)
	}
	for i := range n {
		a, b := box(i)
		middle := float64(a+b) / 2
		for p := range to {
			if d := math.Abs(float64(p) + 0.5 - middle); d <= reach && d < best[p] {
				to[p], best[p] = i, d
			}
		}
	}
}

// about says what is covered, and with what.
func (m *Map) about() string {
	if m.Segments != nil {
		return fmt.Sprintf("one of %d segments, %s", len(m.Boxes), m.fillText())
	}
	s := fmt.Sprintf("%d×%d patch, %s", m.Patch[0], m.Patch[1], m.fillText())
	if m.Soft > 0 {
		s += fmt.Sprintf(", edge of %d pixels", m.Soft)
	}
	return s
}

// fillText says what covers the image; a mean says of what it is.
func (m *Map) fillText() string {
	if m.FillName == "mean" {
		return "fill: " + m.Net.Preprocess.MeanFillText(m.Net.Input)
	}
	return m.FillName + " fill"
}

// caption says how the map was made.
func (m *Map) caption() string {
	s := fmt.Sprintf("%s; %d segments", m.Net.Name, len(m.Boxes))
	if m.Segments == nil {
		s = fmt.Sprintf("%s; %d×%d positions at stride %d", m.Net.Name, m.Rows, m.Cols, m.Stride[0])
		if m.Stride[1] != m.Stride[0] {
			s += fmt.Sprintf("×%d", m.Stride[1])
		}
	}
	if m.MACs < m.Whole {
		return s + fmt.Sprintf("; exact; only affected activations are recomputed (%.1f× fewer multiply-adds)", float64(m.Whole)/float64(max(m.MACs, 1)))
	}
	return s + "; exact; every position is a forward pass of its own"
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
	return m.Net.Picture(x)
}

// flat says that a map has no contrast, so that nobody reads one into it.
func flat(lo, hi float64) string {
	if hi-lo <= 1e-6*max(hi, -lo, 1e-30) {
		return "; the map is flat"
	}
	return ""
}
