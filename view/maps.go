package view

import (
	"context"
	"fmt"
	"image"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
)

// Maps draws one large figure of each map that r names: its strongest images with the receptive field in each,
// patch and projection, and how it fires.
func (s *Session) Maps(ctx context.Context, r Sheets, src *images.Inputs, layer *features.Layer, yield func(Figure) error) error {
	m, err := s.newSheetMaker(r, src, layer)
	if err != nil {
		return err
	}
	top, err := m.project(ctx, m.r.Maps)
	if err != nil {
		return err
	}
	m.layerMax = top.magnitude(m.r.Clip)
	for i, t := range top {
		fig, err := m.mapFigure(t)
		if err != nil {
			return err
		}
		f := Figure{Name: fmt.Sprintf("%s-%s-map%d", m.r.Rule, layer.Name, t.number), Image: fig.Draw(), Numbers: m.numbers(top[i : i+1]),
			Array: m.array(topMaps{t}), Facts: m.facts(Fact{"map", fmt.Sprint(t.number)})}
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}

// mapFigure lays the figure of one map out.
func (m *sheetMaker) mapFigure(t topMap) (render.Figure, error) {
	var panels []render.Panel
	for j, p := range t.projections {
		x, err := m.src.Load(t.hits[j].Image)
		if err != nil {
			return render.Figure{}, err
		}
		scale := m.scale(t, p)
		label := m.src.Class(t.hits[j].Image)
		if label != "" {
			label = ", " + label
		}
		panels = append(panels,
			render.Panel{Title: fmt.Sprintf("%d. %s%s", j+1, images.Title(m.src.Items[t.hits[j].Image].Name), label), Image: m.s.marked(x.Data, p.Box),
				Note: fmt.Sprintf("unit at row %d, column %d; %s", t.hits[j].Y, t.hits[j].X, boxText(p.Box))},
			render.Panel{Title: "patch", Image: render.MagnifyTo(t.crops[j], 224), Note: activationNote(p.Value)},
			render.Panel{Title: "projection", Image: render.MagnifyTo(m.cell.frame(p, p.Draw(m.s.Net.Preprocess, scale)), 224),
				Bar: &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "input units"}})
	}
	panels = append(panels, m.histogram(t.number))
	return render.Figure{Title: fmt.Sprintf("%s, map %d: strongest activations, projected by rule %s", m.layer.Name, t.number, ruleText(m.r.Rule)),
		Columns: 6, PanelSize: 224, Panels: panels,
		Caption: []string{fmt.Sprintf("0 is mid-grey, %s; grey is outside the image. %s; %s", m.scaleText(), m.s.about(), m.imagesText())}}, nil
}

// histogram is the panel that says how a map fires.
func (m *sheetMaker) histogram(number int) render.Panel {
	stats := Summarize(m.layer)[number]
	edges, counts := histogramBars(&m.layer.Stats[number].Maxima)
	return render.Panel{Title: "strongest activation in each image",
		Image: image.Image(render.Chart{XLabel: "activation (log scale)", YLabel: "images", Width: 480, Height: 300}.Bars(edges, counts)),
		Note: fmt.Sprintf("%d images, %.1f %% of them fire; over all positions mean %s, standard deviation %s, %.2f %% above 0",
			m.layer.Stats[number].Images, 100*stats.Fired, render.Number(stats.Mean), render.Number(stats.Std), 100*stats.Positions)}
}

// histogramBars are the bars of a histogram: zeros and what is below, then octaves.
func histogramBars(h *features.Histogram) (names []string, counts []float64) {
	names, counts = []string{"0"}, []float64{float64(h.Zero)}
	last := -1 << 20
	for i, n := range h.Counts {
		b := h.First + i
		if b < 0 {
			counts[0] += float64(n)
			names[0] = "≤ 0"
			continue
		}
		if octave := b / 4 * 4; octave != last {
			// Numbers below about a hundredth of the largest are one bar.
			if features.Bound(b+4) < features.Bound(h.First+len(h.Counts))/64 {
				counts[0] += float64(n)
				names[0] = "~ 0"
				continue
			}
			last = octave
			names, counts = append(names, render.Number(features.Bound(octave))), append(counts, 0)
		}
		counts[len(counts)-1] += float64(n)
	}
	return names, counts
}
