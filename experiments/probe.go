package experiments

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Images is a source of network inputs: Input writes image i, [C][H][W] in network
// units.
type Images interface {
	Len() int
	Input(i int, dst []float32) error
}

// LayerFeatures are one layer's values as vectors.
type LayerFeatures struct {
	Layer string
	Shape model.Shape
	Grid  [2]int    // places kept of each map, rows and columns; the layer's own size if nothing was averaged
	Dim   int       // values of an image
	Data  []float32 // [N][Dim]
}

// Extract runs all images through the network. Maps that would give more than
// most values are averaged over a grid of places, as large as fits.
func Extract(ctx context.Context, engine *model.Engine, net *model.Network, images Images, layers []string, most int, progress func(done, total int)) ([]LayerFeatures, error) {
	plan, err := engine.Compile(net, model.Keep{Layers: layers})
	if err != nil {
		return nil, err
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	var out []LayerFeatures
	for _, name := range layers {
		s := shapes[name]
		f := LayerFeatures{Layer: name, Shape: s, Grid: [2]int{s.H, s.W}}
		if s.Len() > most {
			side := max(int(math.Sqrt(float64(most)/float64(s.C))), 1)
			f.Grid = [2]int{min(side, s.H), min(side, s.W)}
		}
		f.Dim = s.C * f.Grid[0] * f.Grid[1]
		f.Data = make([]float32, 0, f.Dim*images.Len())
		out = append(out, f)
	}
	err = eachBatch(ctx, net, plan, images, func(t *model.Trace, done int) {
		for l := range out {
			f := &out[l]
			f.Data = f.pool(f.Data, t.Value(f.Layer).Data)
		}
		if progress != nil {
			progress(done, images.Len())
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// eachBatch runs all images through a plan and calls f with each batch's trace and
// the number of images that are done with it.
func eachBatch(ctx context.Context, net *model.Network, plan *model.Plan, images Images, f func(t *model.Trace, done int)) error {
	in := net.Input
	size := in.Shape().Len()
	batch := plan.Batch(128<<20, 64)
	x := tensor.New(batch, in.C, in.H, in.W)
	for from := 0; from < images.Len(); from += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(batch, images.Len()-from)
		for i := range n {
			if err := images.Input(from+i, x.Data[i*size:(i+1)*size]); err != nil {
				return err
			}
		}
		t, err := plan.Run(x.Slice(0, n))
		if err != nil {
			return err
		}
		f(t, from+n)
	}
	return nil
}

// pool appends the values of some images, averaged over the grid.
func (f *LayerFeatures) pool(dst, src []float32) []float32 {
	s := f.Shape
	if f.Grid == [2]int{s.H, s.W} {
		return append(dst, src...)
	}
	plane := s.H * s.W
	for p := 0; p < len(src); p += plane {
		for gy := range f.Grid[0] {
			for gx := range f.Grid[1] {
				// Cells overlap by a row or column where sizes do not divide.
				y0, y1 := gy*s.H/f.Grid[0], ((gy+1)*s.H+f.Grid[0]-1)/f.Grid[0]
				x0, x1 := gx*s.W/f.Grid[1], ((gx+1)*s.W+f.Grid[1]-1)/f.Grid[1]
				sum := float32(0)
				for y := y0; y < y1; y++ {
					for _, v := range src[p+y*s.W+x0 : p+y*s.W+x1] {
						sum += v
					}
				}
				dst = append(dst, sum/float32((y1-y0)*(x1-x0)))
			}
		}
	}
	return dst
}

// rows gathers vectors by index.
func (f *LayerFeatures) rows(index []int) []float32 {
	out := make([]float32, 0, len(index)*f.Dim)
	for _, i := range index {
		out = append(out, f.Data[i*f.Dim:(i+1)*f.Dim]...)
	}
	return out
}

// Fold is one random choice of images: indices to train and to test on.
type Fold struct{ Train, Test []int }

// Folds draws n folds: train images of each class from those that trainLabels
// belong to, and at most test of each class from testLabels. A class with fewer
// training images is an error.
func Folds(trainLabels, testLabels []int, classes, n, train, test int, seed uint64) ([]Fold, error) {
	byClass := func(labels []int) [][]int {
		out := make([][]int, classes)
		for i, l := range labels {
			if l >= 0 && l < classes {
				out[l] = append(out[l], i)
			}
		}
		return out
	}
	from, against := byClass(trainLabels), byClass(testLabels)
	folds := make([]Fold, n)
	for f := range folds {
		rng := rand.New(rand.NewPCG(seed, uint64(f)))
		for c := range classes {
			if len(from[c]) < train {
				return nil, fmt.Errorf("class %d has %d training images, want %d", c, len(from[c]), train)
			}
			for _, i := range rng.Perm(len(from[c]))[:train] {
				folds[f].Train = append(folds[f].Train, from[c][i])
			}
			p := rng.Perm(len(against[c]))
			for _, i := range p[:min(test, len(p))] {
				folds[f].Test = append(folds[f].Test, against[c][i])
			}
		}
		if len(folds[f].Test) == 0 {
			return nil, fmt.Errorf("no test images")
		}
	}
	return folds, nil
}

// ProbeResult is how a linear classifier does on one layer.
type ProbeResult struct {
	Layer      string     `json:"layer"`
	Classifier Classifier `json:"solver"`
	Dim        int        `json:"dim"`
	Grid       [2]int     `json:"grid"`
	Lambda     float64    `json:"lambda"`
	Accuracy   []float64  `json:"accuracy"` // of each fold, mean over classes
	Mean       float64    `json:"mean"`
	Std        float64    `json:"std"`
	OldStd     float64    `json:"deviation"` // the older name of Std, for one more version
}

// lambdas are the strengths of regularisation to choose from.
var lambdas = []float64{1e-1, 1e-2, 1e-3, 1e-4, 1e-5}

// Probe fits a classifier to a layer's features in every fold and measures it on
// the fold's test images ([zeiler14] 5.4). The strength of regularisation is
// chosen once, in the first fold, by training on four fifths of its training
// images and measuring on the rest; test images have no part in it.
func Probe(ctx context.Context, engine *model.Engine, classifier Classifier, train, test *LayerFeatures, trainLabels, testLabels []int, classes int, folds []Fold) (*ProbeResult, error) {
	r := &ProbeResult{Layer: train.Layer, Classifier: classifier, Dim: train.Dim, Grid: train.Grid}
	pick := func(labels, index []int) []int {
		out := make([]int, len(index))
		for i, k := range index {
			out[i] = labels[k]
		}
		return out
	}
	var fit, held []int
	for i, k := range folds[0].Train { // grouped by class, so every fifth is a fifth of each
		if i%5 == 4 {
			held = append(held, k)
		} else {
			fit = append(fit, k)
		}
	}
	best := -1.0
	r.Lambda = 1e-3
	if len(held) >= classes {
		for _, lambda := range lambdas {
			m, err := Fit(ctx, engine, classifier, train.rows(fit), pick(trainLabels, fit), classes, lambda)
			if err != nil {
				return nil, err
			}
			if a := PerClass(m.Predict(engine, train.rows(held)), pick(trainLabels, held), classes); a > best {
				best, r.Lambda = a, lambda
			}
		}
	}
	for _, f := range folds {
		m, err := Fit(ctx, engine, classifier, train.rows(f.Train), pick(trainLabels, f.Train), classes, r.Lambda)
		if err != nil {
			return nil, err
		}
		r.Accuracy = append(r.Accuracy, PerClass(m.Predict(engine, test.rows(f.Test)), pick(testLabels, f.Test), classes))
	}
	r.Mean, r.Std = meanStd(r.Accuracy)
	r.OldStd = r.Std
	return r, nil
}
