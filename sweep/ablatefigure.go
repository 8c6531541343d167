package sweep

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/view"
)

// Figure draws the errors of all variants as bars, a pair for each.
func (t *AblationResult) Figure() view.Figure {
	var names []string
	var values, errors []float64
	var colors []color.Color
	var caption strings.Builder
	for i, r := range t.Rows {
		names, values = append(names, r.Variant), append(values, 100*orNaN(r.TestMean), 100*orNaN(r.TrainMean))
		errors = append(errors, 100*orNaN(r.TestStd), 100*orNaN(r.TrainStd))
		colors = append(colors, render.Categorical(0), render.Categorical(2))
		if i > 0 {
			caption.WriteString("; ")
		}
		fmt.Fprintf(&caption, "%s: %.2f M parameters, %.1f M multiply-adds", r.Variant, float64(r.Parameters)/1e6, float64(r.MACs)/1e6)
	}
	caption.WriteString(".")
	chart := render.Chart{YLabel: "error, %", Width: max(900, 190*len(t.Rows)), Height: 760, Scale: 1.6, Errors: errors, Colors: colors, Group: 2,
		Legend: []render.LegendEntry{{Color: render.Categorical(0), Text: "test"}, {Color: render.Categorical(2), Text: "training"}}}
	plate := render.Plate{Title: fmt.Sprintf("Variants of %s on %s", t.Arch, t.Data), Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Bars(names, values)},
		Caption: []string{caption.String(), fmt.Sprintf("Mean of %d seeds after %d steps of %d images; lines are one standard deviation.", t.request.Seeds, t.Steps, t.request.Options.Batch)}}
	return view.Figure{Name: "ablate", Image: plate.Draw()}
}

// Table is the comparison as rows of text.
func (t *AblationResult) Table() view.Table {
	out := view.Table{Name: "ablate", Header: []string{"variant", "change", "parameters", "macs", "train_error", "train_deviation",
		"test_error", "test_deviation", "diverged", "paper_train_and_validation_error_percent"}}
	for _, r := range t.Rows {
		out.Rows = append(out.Rows, []string{r.Variant, r.Change, strconv.Itoa(r.Parameters), strconv.FormatInt(r.MACs, 10), view.Num(orNaN(r.TrainMean), 4), view.Num(orNaN(r.TrainStd), 4),
			view.Num(orNaN(r.TestMean), 4), view.Num(orNaN(r.TestStd), 4), strconv.Itoa(r.Diverged), r.Paper})
	}
	return out
}

// Text is the comparison as people read it; the first row is the names of the columns.
func (t *AblationResult) Text() [][]string {
	out := [][]string{{"variant", "parameters", "multiply-adds", "training error %", "test error %", "against full", "the paper on ImageNet: training / validation %"}}
	for i, r := range t.Rows {
		test := spread(r.TestMean, r.TestStd)
		if r.Diverged > 0 {
			test += fmt.Sprintf(" (%d diverged)", r.Diverged)
		}
		out = append(out, []string{r.Variant, fmt.Sprintf("%.3f M", float64(r.Parameters)/1e6), fmt.Sprintf("%.1f M", float64(r.MACs)/1e6), spread(r.TrainMean, r.TrainStd), test, t.against(i), r.Paper})
	}
	return out
}

// against is the difference of row i's test error to that of the full network, in points of a per cent.
func (t *AblationResult) against(i int) string {
	r, full := t.Rows[i], t.Rows[0]
	difference := orNaN(r.TestMean) - orNaN(full.TestMean)
	if i == 0 || difference != difference {
		return ""
	}
	text := fmt.Sprintf("%+.1f", 100*difference)
	if e := exact.Hypot(orNaN(r.TestStd)/math.Sqrt(float64(len(r.Test))), orNaN(full.TestStd)/math.Sqrt(float64(len(full.Test)))); e > 0 {
		text += fmt.Sprintf(" (%.1f standard errors)", difference/e)
	}
	return text
}

// spread writes a mean and its standard deviation, in %.
func spread(mean, std *float64) string {
	switch {
	case mean == nil:
		return "-"
	case std == nil:
		return view.Num(100**mean, 1)
	}
	return view.Num(100**mean, 1) + " ± " + view.Num(100**std, 1)
}
