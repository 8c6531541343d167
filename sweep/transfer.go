package sweep

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// Transfer asks how well the features of a trained network serve other data: a classifier on the features of one
// layer, against the whole network trained from random weights on the same images.
type Transfer struct {
	Layer        string // the network is kept up to it; "": what the class scores are made of
	PerClass     []int  // training images of each class
	TestPerClass int    // test images of each class, at most
	Folds        int    // random choices of images
	Classifier   experiments.Classifier
	Scratch      *Scratch // training from scratch; nil: none
	Seed         uint64   // of folds and initial weights
	// Seen is the data that the network was trained on: copies of its training images, whose correlation is at least
	// Above, are left out. nil: nothing is.
	Seen  *images.Data
	Above float64
	Head  bool // make the network with new class scores: of the first fold with the most images
}

// Scratch says how networks are trained from scratch: with adam, a cosine and a warm-up of a tenth.
type Scratch struct {
	Steps, Batch int
	Rate         float64
}

// Validate reports the first thing wrong with the request.
func (r Transfer) Validate() error {
	if r.Folds > mostRuns {
		return tooMany("folds", r.Folds)
	}
	if err := atLeastOne("test-per-class", r.TestPerClass, "folds", r.Folds); err != nil {
		return err
	}
	if s := r.Scratch; s != nil {
		if err := atLeastOne("scratch-steps", s.Steps, "scratch-batch", s.Batch); err != nil {
			return err
		}
	}
	if len(r.PerClass) == 0 {
		return &view.FieldError{Field: "per-class", Problem: "names no number of images"}
	}
	for _, n := range r.PerClass {
		if n < 1 {
			return &view.FieldError{Field: "per-class", Problem: fmt.Sprintf("%d: want numbers, as in 15,30,60", n)}
		}
	}
	if !(r.Above > 0 && r.Above <= 1) {
		return &view.FieldError{Field: "exclude-above", Problem: fmt.Sprintf("%g: want more than 0 and at most 1", r.Above)}
	}
	return checkClassifiers("classifier", r.Classifier)
}

// TransferRow is one number of images per class.
type TransferRow struct {
	PerClass int       `json:"per_class"`
	Method   string    `json:"method"` // "features" or "scratch"
	Accuracy []float64 `json:"accuracy"`
	Mean     float64   `json:"mean"`
	Std      float64   `json:"std"`
	OldStd   float64   `json:"deviation"` // the older name of Std, for one more version
	Lambda   float64   `json:"lambda,omitempty"`
}

// TransferResult is what a Transfer found.
type TransferResult struct {
	Model      string        `json:"model"`
	Data       string        `json:"data"`
	Layer      string        `json:"layer"`
	TestImages int           `json:"test_images"`
	Excluded   *Exclusion    `json:"excluded,omitempty"`
	Rows       []TransferRow `json:"rows"`

	Head    *model.Network `json:"-"` // with new class scores, if it was asked for
	request Transfer
	net     *model.Network
	classes int
}

// NoReset says that a network cannot be trained from scratch.
type NoReset struct{ Err error }

func (e *NoReset) Error() string { return e.Err.Error() }
func (e *NoReset) Unwrap() error { return e.Err }

// Hint says what can be done.
func (e *NoReset) Hint() string { return "--no-scratch leaves out training from scratch" }

// transferring is a Transfer under way.
type transferring struct {
	Transfer
	engine   *model.Engine
	net      *model.Network
	classes  []string
	most     int // images of each class
	features [2]experiments.LayerFeatures
	*folded
	o Options
}

// Run fits and trains.
func (r Transfer) Run(ctx context.Context, engine *model.Engine, net *model.Network, data *images.Data, split Split, o Options) (*TransferResult, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Layer == "" {
		var err error
		if r.Layer, err = experiments.Top(net); err != nil {
			return nil, err
		}
	}
	r.PerClass = slices.Compact(slices.Sorted(slices.Values(r.PerClass)))
	if r.Scratch != nil {
		if _, err := model.Reset(net, data.Classes, 0); err != nil {
			return nil, &NoReset{err}
		}
	}
	out := &TransferResult{Model: net.Hash(), Data: data.Name, Layer: r.Layer, request: r, net: net, classes: len(data.Classes)}
	sets, text, err := split.Of(data)
	if err != nil {
		return nil, err
	}
	if text != "" {
		o.note("%s", text)
	}
	if r.Seen != nil {
		if sets, out.Excluded, err = sets.exclude(ctx, engine, net, r.Seen, r.Above, o); err != nil {
			return nil, err
		}
	}
	t := &transferring{Transfer: r, engine: engine, net: net, classes: data.Classes, most: r.PerClass[len(r.PerClass)-1], o: o}
	if t.folded, err = sets.fold(ctx, engine, net, len(data.Classes), foldChoice{r.Folds, t.most, r.TestPerClass, r.Seed}, o); err != nil {
		return nil, err
	}
	out.TestImages = len(t.folds[0].Test)
	if err := fitsMemory(net, r.Layer, t.images[0].Len()+t.images[1].Len()); err != nil {
		return nil, err
	}
	features, err := t.extract(ctx, engine, net, []string{r.Layer}, math.MaxInt, o)
	if err != nil {
		return nil, err
	}
	t.features = [2]experiments.LayerFeatures{features[0][0], features[1][0]}
	return out, t.run(ctx, out)
}

// run adds the rows to out.
func (t *transferring) run(ctx context.Context, out *TransferResult) error {
	step, end := t.o.progress("transfer")
	defer end()
	done, total := 0, len(t.PerClass)*len(t.folds)
	for _, n := range t.PerClass {
		part := t.part(n)
		r, err := experiments.Probe(ctx, t.engine, t.Classifier, &t.features[0], &t.features[1], t.images[0].Labels, t.images[1].Labels, len(t.classes), part)
		if err != nil {
			return err
		}
		out.Rows = append(out.Rows, TransferRow{n, "features", r.Accuracy, r.Mean, r.Std, r.Std, r.Lambda})
		if t.Head && n == t.most {
			if out.Head, err = t.head(ctx, part[0], r.Lambda, out.Data); err != nil {
				return err
			}
		}
		if t.Scratch == nil {
			continue
		}
		row := TransferRow{PerClass: n, Method: "scratch"}
		for f, fold := range part {
			a, err := t.fromScratch(ctx, fold, t.Seed+uint64(f))
			if err != nil {
				return err
			}
			row.Accuracy = append(row.Accuracy, a)
			if done++; step != nil {
				step(done, total)
			}
		}
		if row.Mean, row.Std = meanStd(row.Accuracy); len(row.Accuracy) == 1 {
			row.Std = 0
		}
		row.OldStd = row.Std
		out.Rows = append(out.Rows, row)
	}
	return nil
}

// part are the folds with n training images of each class. A smaller choice is a part of the larger one: n of each class's most.
func (t *transferring) part(n int) []experiments.Fold {
	part := make([]experiments.Fold, len(t.folds))
	for f, fold := range t.folds {
		part[f].Test = fold.Test
		for k, i := range fold.Train {
			if k%t.most < n {
				part[f].Train = append(part[f].Train, i)
			}
		}
	}
	return part
}

// fitsMemory refuses features of a layer that take more than 4 GB.
func fitsMemory(net *model.Network, layer string, images int) error {
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	if values := shapes[layer].Len(); values > 1<<30/images {
		return &TooLarge{fmt.Sprintf("layer %s has %d values: of %d images they take %.1f GB, want at most 4", layer, values, images, 4*float64(values)*float64(images)/(1<<30)),
			"choose a layer nearer the scores with --layer, fewer --folds or fewer images --per-class"}
	}
	return nil
}

// fromScratch trains the network's layers from random weights on a fold and
// returns the accuracy, mean over classes, on its test images.
func (t *transferring) fromScratch(ctx context.Context, fold experiments.Fold, seed uint64) (float64, error) {
	fresh, err := model.Reset(t.net, t.classes, seed)
	if err != nil {
		return 0, err
	}
	var sets [2]*train.Memory
	for s, index := range [][]int{fold.Train, fold.Test} {
		m := &train.Memory{Size: t.images[s].Size}
		for _, i := range index {
			m.Bytes = append(m.Bytes, t.images[s].Bytes[i*m.Size:(i+1)*m.Size]...)
			m.Labels = append(m.Labels, t.images[s].Labels[i])
		}
		sets[s] = m
	}
	trained, _, err := train.Run(ctx, t.engine, fresh, sets[0], nil, nil, train.Options{Rate: t.Scratch.Rate, Schedule: train.ScheduleCosine, Warmup: t.Scratch.Steps / 10,
		Steps: t.Scratch.Steps, Batch: min(t.Scratch.Batch, len(fold.Train)), Seed: seed, EvalTrain: -1, EvalEvery: -1}, train.Hooks{})
	if err != nil {
		return 0, err
	}
	score, err := train.Evaluate(ctx, t.engine, trained, sets[1], 0)
	if err != nil {
		return 0, err
	}
	return score.PerClass(), nil
}

// head is the network up to the layer with new class scores.
func (t *transferring) head(ctx context.Context, fold experiments.Fold, lambda float64, data string) (*model.Network, error) {
	f := &t.features[0]
	var x []float32
	var y []int
	for _, i := range fold.Train {
		x, y = append(x, f.Data[i*f.Dim:(i+1)*f.Dim]...), append(y, t.images[0].Labels[i])
	}
	m, err := experiments.Fit(ctx, t.engine, t.Classifier, x, y, len(t.classes), lambda)
	if err != nil {
		return nil, err
	}
	// Scores of x itself, without the mean and scale: W·(x-mean)*s + b.
	w, b := tensor.New(m.Classes, m.Dim), make([]float32, m.Classes)
	for k := range m.Classes {
		sum := float64(m.B[k])
		for j := range m.Dim {
			v := m.W[k*m.Dim+j] * m.Scale
			w.Data[k*m.Dim+j] = v
			sum -= float64(float64(v) * float64(m.Mean[j]))
		}
		b[k] = float32(sum)
	}
	out, err := model.Fixed(t.net, t.Layer, w, b, t.classes)
	if err != nil {
		return nil, err
	}
	out.Origin.Data, out.Origin.Tool = data, t.o.Tool
	return out, nil
}
