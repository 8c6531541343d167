package sweep

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/view"
)

// figures draws a trial's figures one by one. Charts have ranges that hold all trials, so that they can be compared.
func (t *TrialsResult) figures(f *finishedTrial, yield func(view.Figure) error) error {
	figure := func(name string, img image.Image) error {
		return yield(view.Figure{Name: name, Image: img, Facts: []view.Fact{{Key: "trial", Value: f.describe()}}})
	}
	if err := figure("curves", drawCurves(f, t.done)); err != nil {
		return err
	}
	for l, a := range f.Moments[0].Layers {
		if err := figure("activity-"+a.Layer, drawActivity(f, l, t.done)); err != nil {
			return err
		}
		if err := figure("ridges-"+a.Layer, ridges(f, l, t.done)); err != nil {
			return err
		}
	}
	return figure("filters", filterStrip(f))
}

// tables are the numbers of a trial's figures.
func (f *finishedTrial) tables() []view.Table {
	activity := view.Table{Name: "activity", Header: []string{"step", "layer", "max", "mean", "min", "deviation", "sparsity", "feature_mean", "feature_deviation"}}
	for _, m := range f.Moments {
		for _, a := range m.Layers {
			activity.Rows = append(activity.Rows, []string{strconv.Itoa(m.Step), a.Layer, view.Num(a.Max, 5), view.Num(a.Mean, 6), view.Num(a.Min, 5), view.Num(a.Std, 6),
				view.Num(a.Sparsity, 5), view.Num(a.FeatureMean, 6), view.Num(a.FeatureStd, 6)})
		}
	}
	curves := view.Table{Name: "curves", Header: []string{"step", "images", "batch_loss", "train_accuracy", "train_loss", "test_accuracy", "test_loss"}}
	for _, p := range f.Run.Points {
		row := []string{strconv.Itoa(p.Step), strconv.Itoa(p.Images)}
		for _, v := range []*float64{p.Loss, p.TrainAccuracy, p.TrainLoss, p.TestAccuracy, p.TestLoss} {
			row = append(row, view.Num(orNaN(v), 5))
		}
		curves.Rows = append(curves.Rows, row)
	}
	return []view.Table{activity, curves}
}

// sharedRange is the range of a number that holds all trials. Those whose numbers
// are more than ten times as large as the middle one's would flatten the rest: they
// are left out, and have a range of their own. of gives a trial's range, lo > hi if
// it has none; nil f stands for any trial.
func sharedRange(f *finishedTrial, all []*finishedTrial, of func(t *finishedTrial) (lo, hi float64)) (lo, hi float64) {
	var sizes []float64
	for _, t := range all {
		if lo, hi := of(t); lo <= hi {
			sizes = append(sizes, max(-lo, hi))
		}
	}
	if len(sizes) == 0 {
		return 0, 0
	}
	slices.Sort(sizes)
	most := 10 * sizes[(len(sizes)-1)/2]
	if f != nil {
		if lo, hi := of(f); max(-lo, hi) > most {
			return lo, hi
		}
	}
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, t := range all {
		if l, h := of(t); max(-l, h) <= most {
			lo, hi = min(lo, l), max(hi, h)
		}
	}
	return lo, hi
}

// lossRange is that of the losses of training and test images. The first weights
// can lose many times more than any that were trained.
func lossRange(f *finishedTrial, all []*finishedTrial) float64 {
	_, hi := sharedRange(f, all, func(t *finishedTrial) (lo, hi float64) {
		for _, p := range t.Run.Points {
			for _, v := range []*float64{p.TrainLoss, p.TestLoss} {
				if v != nil && (p.Step > 0 || len(t.Run.Points) == 1) {
					hi = max(hi, *v)
				}
			}
		}
		return 0, hi
	})
	return 1.04 * hi
}

// accuracyRange is the tenth above the best test accuracy.
func accuracyRange(all []*finishedTrial) float64 {
	best := 0.0
	for _, t := range all {
		if v := t.Run.Best().TestAccuracy; v != nil {
			best = max(best, *v)
		}
	}
	return min(math.Floor(float64(10*best)+1)/10, 1)
}

// drawCurves draws a trial's accuracies and losses, 2 x 2.
func drawCurves(f *finishedTrial, all []*finishedTrial) image.Image {
	r := f.Run
	panel := func(title, y string, hi float64, v func(Point) *float64) image.Image {
		s := r.series(bySteps, v)
		s.Name = ""
		return render.Chart{Title: title, XLabel: "steps", YLabel: y, Width: 820, Height: 520, Scale: 1.6, YMax: hi}.Lines([]render.Series{s})
	}
	loss := lossRange(f, all)
	return render.Plate{Title: f.describe(), Columns: 2, Scale: 1.6, Panels: []image.Image{
		panel("Test accuracy", "share of images", accuracyRange(all), func(p Point) *float64 { return p.TestAccuracy }),
		panel("Test loss", "cross-entropy, nats", loss, func(p Point) *float64 { return p.TestLoss }),
		panel("Training accuracy", "share of images", 1, func(p Point) *float64 { return p.TrainAccuracy }),
		panel("Training loss", "cross-entropy, nats", loss, func(p Point) *float64 { return p.TrainLoss })},
		Caption: []string{fmt.Sprintf("Measured with dropout off, on %d test images and %d training images. Axes span all trials; the losses before the first step may lie above.",
			r.Sizes[1], min(r.Options.EvalTrain, r.Sizes[0]))}}.Draw()
}

// drawActivity draws the statistics of a trial's layer l over the steps.
func drawActivity(f *finishedTrial, l int, all []*finishedTrial) image.Image {
	layer := f.Moments[0].Layers[l].Layer
	chart := func(title, y string, v func(a experiments.Activity) float64) image.Image {
		var s render.Series
		for _, m := range f.Moments {
			s.X, s.Y = append(s.X, float64(m.Step)), append(s.Y, v(m.Layers[l]))
		}
		lo, hi := sharedRange(f, all, func(t *finishedTrial) (lo, hi float64) {
			lo, hi = math.Inf(1), math.Inf(-1)
			for _, a := range t.layer(layer) {
				lo, hi = min(lo, v(a)), max(hi, v(a))
			}
			return lo, hi
		})
		room := float64(0.04 * (hi - lo))
		return render.Chart{Title: title, XLabel: "steps", YLabel: y, Width: 760, Height: 500, Scale: 1.6, YMin: lo - room, YMax: hi + room}.Lines([]render.Series{s})
	}
	return render.Plate{Title: "Activations of " + layer + ", " + f.describe(), Columns: 3, Scale: 1.6, Panels: []image.Image{
		chart("Maximum", "activation", func(a experiments.Activity) float64 { return a.Max }),
		chart("Mean", "activation", func(a experiments.Activity) float64 { return a.Mean }),
		chart("Sparsity", "share of features that are 0", func(a experiments.Activity) float64 { return a.Sparsity }),
		chart("Minimum", "activation", func(a experiments.Activity) float64 { return a.Min }),
		chart("Standard deviation", "activation", func(a experiments.Activity) float64 { return a.Std }),
		chart("Mean after ReLU", "activation", func(a experiments.Activity) float64 { return a.FeatureMean })},
		Caption: []string{"Over all test images and positions. Maximum, mean, minimum and standard deviation are of the convolution before ReLU (after it the minimum is always 0); sparsity is after it. " +
			"Axes span all trials except those whose range is more than ten times larger."}}.Draw()
}

// ridges draws the histograms of a layer's activations over the steps.
func ridges(f *finishedTrial, l int, all []*finishedTrial) image.Image {
	const rows, bins = 13, 120 // every second row is labelled, the last too
	layer := f.Moments[0].Layers[l].Layer
	// The range holds all but a thousandth at each end, at every moment of every trial.
	edge := func(a experiments.Activity, i int) float64 {
		return a.Range * (2*float64(i)/float64(len(a.Histogram)) - 1)
	}
	lo, hi := sharedRange(f, all, func(t *finishedTrial) (lo, hi float64) {
		lo, hi = math.Inf(1), math.Inf(-1)
		for _, a := range t.layer(layer) {
			sum, first, last := 0, -1, 0
			for i, v := range a.Histogram {
				if sum += v; first < 0 && sum > a.Values/1000 {
					first = i
				}
				if sum < a.Values-a.Values/1000 {
					last = i + 1
				}
			}
			lo, hi = min(lo, edge(a, max(first, 0))), max(hi, edge(a, min(last+1, len(a.Histogram))))
		}
		return lo, hi
	})
	if !(hi > lo) {
		lo, hi = -1, 1
	}
	var names []string
	var counts [][]float64
	n := min(rows, len(f.Moments))
	for r := range n {
		m := f.Moments[r*(len(f.Moments)-1)/max(n-1, 1)]
		a := m.Layers[l]
		// below is the share of values below x: straight within a fine bin.
		total := make([]int, len(a.Histogram)+1)
		for i, v := range a.Histogram {
			total[i+1] = total[i] + v
		}
		below := func(x float64) float64 {
			at := float64(min(max((x+a.Range)/(2*a.Range), 0), 1) * float64(len(a.Histogram)))
			i := min(int(at), len(a.Histogram)-1)
			return (float64(total[i]) + float64((at-float64(i))*float64(a.Histogram[i]))) / float64(a.Values)
		}
		row := make([]float64, bins)
		for b := range row {
			share := below(lo+float64((hi-lo)*float64(b+1)/bins)) - below(lo+float64((hi-lo)*float64(b)/bins))
			row[b] = math.Sqrt(share) // roots, or the peak at 0 hides the rest
		}
		names, counts = append(names, strconv.Itoa(m.Step)), append(counts, row)
	}
	chart := render.Chart{Title: "Activations of " + layer + " over steps", XLabel: "activation before ReLU", YLabel: "step", Width: 1100, Height: 900, Scale: 1.6}
	return render.Plate{Title: f.describe(), Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Ridges(names, counts, lo, hi)},
		Caption: []string{fmt.Sprintf("Histograms over all test images and positions, heights as square roots, one scale. "+
			"The range spans all trials except those whose range is more than ten times larger, "+
			"without a thousandth at each end; values beyond ±%d count at the ends.", activityReach)}}.Draw()
}

// filterStrip draws the first filters at up to seven moments, on one scale, and
// what has changed from the first to the last of them, on its own.
func filterStrip(f *finishedTrial) image.Image {
	const most = 7
	n := min(most, len(f.Moments))
	var shown []moment
	scale := 0.0
	for i := range n {
		m := f.Moments[i*(len(f.Moments)-1)/max(n-1, 1)]
		shown = append(shown, m)
		scale = max(scale, render.MaxAbs(m.Filters))
	}
	shape := shown[0].Shape
	panel := func(title string, filters []float32, scale float64) image.Image {
		size := shape[1] * shape[2] * shape[3]
		var tiles []image.Image
		for i := range min(shape[0], 64) {
			w := filters[i*size : (i+1)*size]
			if shape[1] == 3 {
				tiles = append(tiles, render.Signed(w, 3, shape[2], shape[3], scale))
			} else {
				tiles = append(tiles, render.Signed(w[:shape[2]*shape[3]], 1, shape[2], shape[3], scale))
			}
		}
		grid := render.Magnify(render.Grid(tiles, render.GridOptions{}), 8)
		return render.Plate{Title: title, Columns: 1, Scale: 1.4, Panels: []image.Image{grid}}.Draw()
	}
	plate := render.Plate{Title: "First filters, " + f.describe(), Columns: 4, Scale: 1.6,
		Caption: []string{"One scale for all steps: 0 is mid-grey, white and black are ±" + render.Number(scale) + "."}}
	for _, m := range shown {
		plate.Panels = append(plate.Panels, panel(fmt.Sprintf("step %d", m.Step), m.Filters, scale))
	}
	if first, last := shown[0], shown[n-1]; n > 1 {
		change := slices.Clone(last.Filters)
		for i, v := range first.Filters {
			change[i] -= v
		}
		size := render.MaxAbs(change)
		plate.Panels = append(plate.Panels, panel(fmt.Sprintf("change, %d to %d", first.Step, last.Step), change, size))
		plate.Caption[0] += " Of the change they are ±" + render.Number(size) + "."
	}
	return plate.Draw()
}

// overview draws the curves of all trials together.
func (t *TrialsResult) overview() view.Figure {
	curves := func(x func(Point) float64, y func(Point) *float64) []render.Series {
		var out []render.Series
		for i, f := range t.done {
			s := f.Run.series(x, y)
			s.Name, s.Color = f.Trial.Name, render.Categorical(i)
			out = append(out, s)
		}
		return out
	}
	images := func(p Point) float64 { return float64(p.Images) / 1e6 }
	chart := func(title, x, y string, hi float64) render.Chart {
		return render.Chart{Title: title, XLabel: x, YLabel: y, Width: 960, Height: 640, Scale: 1.6, YMax: hi}
	}
	top := accuracyRange(t.done)
	plate := render.Plate{Title: "All trials on " + t.Data, Columns: 2, Scale: 1.6, Panels: []image.Image{
		chart("Test accuracy by steps", "steps", "share of images", top).Lines(curves(bySteps, testAccuracy)),
		chart("Test accuracy by training images seen", "million images", "share of images", top).Lines(curves(images, testAccuracy)),
		chart("Training accuracy by steps", "steps", "share of images", 1).Lines(curves(bySteps, func(p Point) *float64 { return p.TrainAccuracy })),
		chart("Test loss by steps", "steps", "cross-entropy, nats", lossRange(nil, t.done)).Lines(curves(bySteps, func(p Point) *float64 { return p.TestLoss }))},
		Caption: []string{"Measured with dropout off. Losses before the first step, and those of trials more than ten times above the middle one, may lie above the chart."}}
	return view.Figure{Name: "trials", Image: plate.Draw()}
}
