package sweep

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// Probe asks how well linear classifiers do on the features of each layer.
type Probe struct {
	Layers       []string                 // nil: ProbeLayers
	Classifiers  []experiments.Classifier // nil: all
	PerClass     int                      // training images of each class in a fold
	TestPerClass int                      // test images of each class in a fold, at most
	Folds        int                      // random choices of images
	Most         int                      // values of a layer: maps that would give more are averaged over a grid
	Seed         uint64                   // of the folds
}

// Validate reports the first thing wrong with the request.
func (r Probe) Validate() error {
	if r.Folds > mostRuns {
		return tooMany("folds", r.Folds)
	}
	if err := atLeastOne("per-class", r.PerClass, "test-per-class", r.TestPerClass, "folds", r.Folds, "most", r.Most); err != nil {
		return err
	}
	return checkClassifiers("classifiers", r.Classifiers...)
}

// mostRuns bounds the runs of each variant, and the choices of images, whose results are kept until the end.
const mostRuns = 1000

func tooMany(field string, n int) error {
	return &view.FieldError{Field: field, Problem: fmt.Sprintf("%d: want at most %d", n, mostRuns)}
}

// atLeastOne checks fields, given as name and value in turn.
func atLeastOne(fields ...any) error {
	for i := 0; i+1 < len(fields); i += 2 {
		if n := fields[i+1].(int); n < 1 {
			return &view.FieldError{Field: fields[i].(string), Problem: fmt.Sprintf("%d: want at least 1", n)}
		}
	}
	return nil
}

// ProbeLayers are the layers a probe takes by default: convolutions, at most 8 of them, and what the class scores are made of.
func ProbeLayers(net *model.Network) ([]string, error) {
	convs := net.ConvLayers()
	var out []string
	if most := 8; len(convs) > most {
		for i := range most {
			out = append(out, convs[i*(len(convs)-1)/(most-1)])
		}
	} else {
		out = append(out, convs...)
	}
	top, err := experiments.Top(net)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(out, top) {
		out = append(out, top)
	}
	return out, nil
}

// ProbeRow is how one classifier does on one layer.
type ProbeRow struct {
	*experiments.ProbeResult
	Classifier experiments.Classifier `json:"classifier"` // Solver is its older name, for one more version
	Std        float64                `json:"std"`        // and Deviation that of the standard deviation
}

// ProbeResult is what a Probe found.
type ProbeResult struct {
	Data       string     `json:"data"`
	Model      string     `json:"model"`
	PerClass   int        `json:"per_class"`
	Results    []ProbeRow `json:"results"`
	TestImages int        `json:"test_images"`

	request Probe
	net     *model.Network
	classes int
	shapes  map[string]model.Shape
}

// Run fits the classifiers.
func (r Probe) Run(ctx context.Context, engine *model.Engine, net *model.Network, data *images.Data, split Split, o Options) (*ProbeResult, error) {
	if r.Classifiers == nil {
		r.Classifiers = experiments.Classifiers()
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Layers == nil {
		var err error
		if r.Layers, err = ProbeLayers(net); err != nil {
			return nil, err
		}
	}
	sets, text, err := split.Of(data)
	if err != nil {
		return nil, err
	}
	if text != "" {
		o.note("%s", text)
	}
	f, err := sets.fold(ctx, engine, net, len(data.Classes), foldChoice{r.Folds, r.PerClass, r.TestPerClass, r.Seed}, o)
	if err != nil {
		return nil, err
	}
	features, err := f.extract(ctx, engine, net, r.Layers, r.Most, o)
	if err != nil {
		return nil, err
	}
	out := &ProbeResult{Data: data.Name, Model: net.Hash(), PerClass: r.PerClass, TestImages: len(f.folds[0].Test), request: r, net: net, classes: len(data.Classes), shapes: map[string]model.Shape{}}
	step, end := o.progress("fitting")
	defer end()
	for l, layer := range r.Layers {
		out.shapes[layer] = features[0][l].Shape
		for _, classifier := range r.Classifiers {
			p, err := experiments.Probe(ctx, engine, classifier, &features[0][l], &features[1][l], f.images[0].Labels, f.images[1].Labels, len(data.Classes), f.folds)
			if err != nil {
				return nil, err
			}
			out.Results = append(out.Results, ProbeRow{p, p.Classifier, p.Std})
			if step != nil {
				step(len(out.Results), len(r.Layers)*len(r.Classifiers))
			}
		}
	}
	return out, nil
}

// Figure draws accuracy by layer.
func (t *ProbeResult) Figure() view.Figure {
	layers, classifiers := t.request.Layers, t.request.Classifiers
	var series []render.Series
	for k, name := range classifiers {
		s := render.Series{Name: string(name), Dots: true, Color: render.Categorical(2 * k)}
		for i := range layers {
			r := t.Results[i*len(classifiers)+k]
			s.X, s.Y = append(s.X, float64(i+1)), append(s.Y, 100*r.Mean)
			s.Lo, s.Hi = append(s.Lo, 100*(r.Mean-r.Std)), append(s.Hi, 100*(r.Mean+r.Std))
		}
		series = append(series, s)
	}
	chance := render.Series{Name: "chance", Dashed: true, Color: render.Categorical(-1)}
	for i := range layers {
		chance.X, chance.Y = append(chance.X, float64(i+1)), append(chance.Y, 100/float64(t.classes))
	}
	chart := render.Chart{XLabel: "layer", YLabel: "accuracy, % (band: ±1 standard deviation over folds)", Width: 1200, Height: 760, Scale: 1.6, YMin: 0, YMax: 100, XNames: layers}
	title := fmt.Sprintf("Linear classifiers on the layers of %s: %s, %d training images per class, %d folds", t.net.Name, t.Data, t.PerClass, t.request.Folds)
	plate := render.Plate{Title: title, Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Lines(append(series, chance))}}
	return view.Figure{Name: "probe", Image: plate.Draw(), Facts: []view.Fact{{Key: "model", Value: t.net.Name + " " + t.Model}, {Key: "data", Value: t.Data}}}
}

// Table is what was found as rows of text.
func (t *ProbeResult) Table() view.Table {
	out := view.Table{Name: "probe", Header: []string{"layer", "solver", "values", "lambda", "accuracy", "deviation"}}
	for f := range t.request.Folds {
		out.Header = append(out.Header, fmt.Sprintf("fold%d", f+1))
	}
	for _, r := range t.Results {
		row := []string{r.Layer, string(r.Classifier), fmt.Sprint(r.Dim), view.Num(r.Lambda, 6), view.Num(r.Mean, 4), view.Num(r.Std, 4)}
		for _, a := range r.Accuracy {
			row = append(row, view.Num(a, 4))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// Text is what was found as people read it; the first row is the names of the columns.
func (t *ProbeResult) Text() [][]string {
	out := [][]string{{"layer", "classifier", "values", fmt.Sprintf("accuracy %% (%d folds, %d test images)", t.request.Folds, t.TestImages), "lambda"}}
	for _, r := range t.Results {
		values := fmt.Sprint(r.Dim)
		if shape := t.shapes[r.Layer]; r.Grid != [2]int{shape.H, shape.W} {
			values += fmt.Sprintf(" (means over %dx%d positions)", r.Grid[0], r.Grid[1])
		}
		out = append(out, []string{r.Layer, string(r.Classifier), values, overFolds(r.Mean, r.Std, r.Accuracy), fmt.Sprintf("%g", r.Lambda)})
	}
	return out
}
