package view

import (
	"fmt"
	"math"

	"github.com/deconvnet/viz/internal/render"
)

// From these shares on a method is said not to depend on the weights, or in part.
const (
	keptMuch = 0.5
	keptSome = 0.3
)

// judge looks at the whole cascade: a method that follows the lowest layers only does
// not show what the network decides by.
func (row *SanityRow) judge() {
	steps := 0
	for _, a := range row.Cascade {
		most, known := 0.0, false
		for _, m := range []*Mean{a.Spearman, a.Magnitude} {
			if m != nil {
				most, known = max(most, math.Abs(m.Mean)), true
			}
		}
		if known {
			row.Kept += most
			steps++
		}
	}
	if steps == 0 {
		return
	}
	row.Kept /= float64(steps)
	switch {
	case row.Kept >= keptMuch:
		row.Verdict = "hardly depends on the weights"
	case row.Kept >= keptSome:
		row.Verdict = "depends on the weights in part"
	default:
		row.Verdict = "depends on the weights"
	}
}

// most is the rank correlation, with signs or of magnitudes, whichever is stronger.
func (a Alike) most() float64 {
	most := 0.0
	for _, m := range []*Mean{a.Spearman, a.Magnitude} {
		if m != nil {
			most = max(most, math.Abs(m.Mean))
		}
	}
	return most
}

// judgeLabels compares what training on other labels leaves of the maps with what training anew leaves of them anyway.
func (row *SanityRow) judgeLabels() {
	if len(row.Labels) < 2 {
		return
	}
	first, last := row.Labels[0].most(), row.Labels[len(row.Labels)-1].most()
	switch {
	case first < 0.2:
		row.Taught = "differs from one training to the next"
	case last >= 0.8*first:
		row.Taught = "hardly depends on the labels"
	case last >= 0.6*first:
		row.Taught = "depends on the labels in part"
	default:
		row.Taught = "depends on the labels"
	}
}

// Table has one row for each method and step.
func (n *SanityNumbers) Table() Table {
	t := Table{Name: "sanity", Header: []string{"method", "weights drawn anew", "layer", "spearman", "standard error", "spearman of magnitudes", "standard error", "ssim", "standard error"}}
	for _, row := range n.Rows {
		for k, list := range [][]Alike{row.Cascade, row.Single, row.Labels} {
			for _, a := range list {
				line := []string{row.Method, []string{"from the top", "alone", "trained anew"}[k], a.Layer}
				for _, m := range []*Mean{a.Spearman, a.Magnitude, a.SSIM} {
					line = append(line, m.cells()...)
				}
				t.Rows = append(t.Rows, line)
			}
		}
	}
	return t
}

// SanityFigure draws how alike maps stay.
func (s *Session) SanityFigure(n *SanityNumbers) Figure {
	lines := func(pick func(*SanityRow) []Alike) (out []render.Series) {
		for _, row := range n.Rows {
			if row.Problem != "" {
				continue
			}
			y := []float64{1}
			for _, a := range pick(row) {
				if y = append(y, math.NaN()); a.Magnitude != nil {
					y[len(y)-1] = a.Magnitude.Mean
				}
			}
			out = append(out, render.Series{Name: row.Method, Y: y, Dots: true})
		}
		return out
	}
	names := []string{"none"}
	for i := range n.Layers {
		names = append(names, fmt.Sprint(i+1))
	}
	chart := func(title, x string, list []render.Series) render.Panel {
		return render.Panel{Image: render.Chart{Title: title, XLabel: x, YLabel: "rank correlation of magnitudes", XNames: names, YMin: -0.2, YMax: 1, Width: 560, Height: 420}.Lines(list)}
	}
	caption := fmt.Sprintf("%d images, seed %d. Layers, from the scores down: %s. A method whose maps stay alike shows the image and the architecture, not what was learned. %s", n.Images, n.Seed, layerList(n.Layers), s.about())
	return Figure{Name: "sanity", Numbers: n, Image: render.Figure{Title: "How alike maps stay when weights are randomised", Columns: 2, PanelSize: -1, Panels: []render.Panel{
		chart("From the scores down", "layers with random weights", lines(func(r *SanityRow) []Alike { return r.Cascade })),
		chart("Each layer alone", "layer with random weights", lines(func(r *SanityRow) []Alike { return r.Single }))},
		Caption: []string{caption}}.Draw(), Facts: []Fact{{"images", fmt.Sprint(n.Images)}}}
}

// layerList numbers layers, the middle left out of long lists.
func layerList(layers []string) string {
	out := ""
	for i, name := range layers {
		switch {
		case len(layers) > 16 && i == 8:
			out += ", ..."
		case len(layers) > 16 && i > 8 && i < len(layers)-8:
		default:
			if i > 0 {
				out += ", "
			}
			out += fmt.Sprintf("%d %s", i+1, name)
		}
	}
	return out
}

// Text is how much of each method's maps is left when all weights are drawn anew, in columns.
func (n *SanityNumbers) Text() [][]string {
	rows := [][]string{{"method", "kept from the top down", "all randomised: rank correlation", "of magnitudes", "structural similarity", ""}}
	for _, other := range n.Trained {
		rows[0] = append(rows[0], fmt.Sprintf("%s (%.0f %% learned)", other.Name, 100*other.Accuracy))
	}
	for _, row := range n.Rows {
		if row.Problem != "" {
			rows = append(rows, []string{row.Method, row.Problem})
			continue
		}
		last := row.Cascade[len(row.Cascade)-1]
		line := []string{row.Method, fmt.Sprintf("%.2f", row.Kept), last.Spearman.text(), last.Magnitude.text(), last.SSIM.text(), row.Verdict}
		for _, a := range row.Labels {
			line = append(line, fmt.Sprintf("%.2f", a.most()))
		}
		if row.Taught != "" {
			line = append(line, row.Taught)
		}
		rows = append(rows, line)
	}
	return rows
}
