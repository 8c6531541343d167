package sweep

import (
	"fmt"
	"image"
	"strconv"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/view"
)

// methods are the names of the two methods, for people.
func (t *TransferResult) methods() map[string]string {
	return map[string]string{"features": fmt.Sprintf("%s up to %s, new %s", t.net.Name, t.Layer, t.request.Classifier), "scratch": "all of it from scratch"}
}

// Figure draws accuracy by the number of training images.
func (t *TransferResult) Figure() view.Figure {
	var series []render.Series
	for k, method := range []string{"features", "scratch"} {
		s := render.Series{Name: t.methods()[method], Dots: true, Color: render.Categorical(2 * k)}
		for _, r := range t.Rows {
			if r.Method == method {
				s.X, s.Y = append(s.X, float64(r.PerClass)), append(s.Y, 100*r.Mean)
				s.Lo, s.Hi = append(s.Lo, 100*(r.Mean-r.Std)), append(s.Hi, 100*(r.Mean+r.Std))
			}
		}
		if len(s.X) > 0 {
			series = append(series, s)
		}
	}
	chart := render.Chart{XLabel: "training images per class", YLabel: "accuracy, % (band: ±1 standard deviation over folds)", Width: 1200, Height: 760, Scale: 1.6, YMin: 0, YMax: 100}
	plate := render.Plate{Title: fmt.Sprintf("Transfer of %s to %s", t.net.Name, t.Data), Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Lines(series)},
		Caption: []string{fmt.Sprintf("Features of layer %s; %d classes, %d test images in each of %d folds; mean of the classes' accuracies. Model %s",
			t.Layer, t.classes, t.TestImages, t.request.Folds, t.Model)}}
	if x := t.Excluded; x != nil {
		plate.Caption = append(plate.Caption, fmt.Sprintf("Of %d images, %d were left out as copies of training images of %s (correlation %g and more).", x.Images, len(x.Copies), x.Data, x.Correlation))
	}
	return view.Figure{Name: "transfer", Image: plate.Draw(), Facts: []view.Fact{{Key: "model", Value: t.net.Name + " " + t.Model}, {Key: "layer", Value: t.Layer}, {Key: "data", Value: t.Data}}}
}

// Table is what was found as rows of text.
func (t *TransferResult) Table() view.Table {
	out := view.Table{Name: "transfer", Header: []string{"per_class", "method", "accuracy", "deviation"}}
	for _, r := range t.Rows {
		out.Rows = append(out.Rows, []string{strconv.Itoa(r.PerClass), r.Method, view.Num(r.Mean, 4), view.Num(r.Std, 4)})
	}
	return out
}

// Text is what was found as people read it; the first row is the names of the columns.
func (t *TransferResult) Text() [][]string {
	out := [][]string{{"images per class", "method", fmt.Sprintf("accuracy %% (%d folds)", t.request.Folds)}}
	for _, r := range t.Rows {
		out = append(out, []string{strconv.Itoa(r.PerClass), t.methods()[r.Method], overFolds(r.Mean, r.Std, r.Accuracy)})
	}
	return out
}
