package sweep

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/view"
)

// Figure draws the curves.
func (t *RNNResult) Figure() view.Figure {
	runs, inTime := t.runs, t.inTime
	curves := func(runs []*Run, px func(*Run, Point) float64, py func(Point) *float64) []render.Series {
		var out []render.Series
		for _, r := range runs {
			s := r.series(func(p Point) float64 { return px(r, p) }, py)
			s.Name = strings.TrimSuffix(s.Name, ", equal time")
			s.Dashed = strings.HasPrefix(r.Name, "cnn")
			out = append(out, s)
		}
		return out
	}
	steps := func(_ *Run, p Point) float64 { return float64(p.Step) }
	seconds := func(r *Run, p Point) float64 { return r.Seconds(p) }
	floor := 0.8
	for _, r := range runs {
		if v := orNaN(r.Final().TestAccuracy); v < floor+0.05 {
			floor = math.Max(0, math.Floor(float64(v*10)-1)/10)
		}
	}
	byTime := fmt.Sprintf("Test accuracy by time (%.0f s for each)", orNaN(t.Seconds))
	if inTime == nil {
		byTime, inTime = "Test accuracy by time", runs
	}
	panels := []struct {
		title, x, y string
		s           []render.Series
		lo, hi      float64
	}{
		{"Test accuracy by steps", "steps", "share of test images", curves(runs, steps, testAccuracy), floor, 1},
		{"Test loss by steps", "steps", "cross-entropy, nats", curves(runs, steps, func(p Point) *float64 { return p.TestLoss }), 0, 0},
		{"Training loss by steps", "steps", "cross-entropy, nats", curves(runs, steps, func(p Point) *float64 { return p.TrainLoss }), 0, 0},
		{byTime, "seconds of training", "share of test images", curves(inTime, seconds, testAccuracy), floor, 1},
	}
	plate := render.Plate{Title: "Recurrent networks beside a convolutional one on " + t.Data, Columns: 2, Scale: 1.7,
		Caption: []string{fmt.Sprintf("Each network takes %d steps of %d images. Accuracy and loss are measured with dropout off. The time is that of training alone.",
			runs[0].Options.Steps, runs[0].Options.Batch)}}
	for _, p := range panels {
		plate.Panels = append(plate.Panels, render.Chart{Title: p.title, XLabel: p.x, YLabel: p.y, Width: 900, Height: 640, Scale: 1.7, YMin: p.lo, YMax: p.hi}.Lines(p.s))
	}
	return view.Figure{Name: "rnn-curves", Image: plate.Draw()}
}

// Table is the comparison as rows of text.
func (t *RNNResult) Table() view.Table {
	out := view.Table{Name: "rnn", Header: []string{"network", "parameters", "macs", "test_accuracy", "train_accuracy", "test_loss", "best_test_accuracy", "plateau_deviation",
		"images_per_second", "seconds", "steps_in_equal_time", "test_accuracy_in_equal_time", "diverged"}}
	for _, r := range t.Rows {
		out.Rows = append(out.Rows, []string{r.Name, strconv.Itoa(r.Parameters), strconv.FormatInt(r.MACs, 10), view.Num(orNaN(r.TestAccuracy), 4), view.Num(orNaN(r.TrainAccuracy), 4),
			view.Num(orNaN(r.TestLoss), 4), view.Num(orNaN(r.Best), 4), view.Num(orNaN(r.Plateau), 5), view.Num(orNaN(r.Speed), 0), view.Num(orNaN(r.Seconds), 1), strconv.Itoa(r.StepsInTime),
			view.Num(orNaN(r.AtEqualTime), 4), r.Diverged})
	}
	return out
}

// Text is the comparison as people read it; the first row is the names of the columns.
func (t *RNNResult) Text() [][]string {
	header := []string{"network", "parameters", "multiply-adds", "test accuracy", "best", "plateau ±", "images/s", "seconds"}
	if t.Seconds != nil {
		header = append(header, fmt.Sprintf("in %.0f s", *t.Seconds), "steps")
	}
	out := [][]string{header}
	for i, l := range t.Table().Rows {
		row := []string{l[0], l[1], fmt.Sprintf("%.2f M", float64(t.Rows[i].MACs)/1e6), l[3], l[6], l[7], l[8], l[9]}
		if t.Seconds != nil {
			row = append(row, l[11], l[10])
		}
		out = append(out, row)
	}
	return out
}
