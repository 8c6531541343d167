package sweep

import (
	"context"
	"slices"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// foldChoice says how folds are drawn.
type foldChoice struct {
	folds, train, test int // test: at most
	seed               uint64
}

// folded are the images that folds use, decoded. The folds index them.
type folded struct {
	images [2]*train.Memory
	folds  []experiments.Fold
}

// fold draws folds from training and test set and decodes the images they use.
func (sets Sets) fold(ctx context.Context, engine *model.Engine, net *model.Network, classes int, c foldChoice, o Options) (*folded, error) {
	if sets[1].Len() == 0 {
		return nil, &view.FieldError{Field: "hold-out", Problem: "is 0, and the data has no test images", Hint: "--hold-out 0.3 tests on three tenths of the images"}
	}
	drawn, err := experiments.Folds(sets[0].Labels(), sets[1].Labels(), classes, c.folds, c.train, c.test, c.seed)
	if err != nil {
		return nil, err
	}
	for s := range sets {
		of := func(f *experiments.Fold) *[]int {
			if s == 0 {
				return &f.Train
			}
			return &f.Test
		}
		var used []int
		for i := range drawn {
			used = append(used, *of(&drawn[i])...)
		}
		slices.Sort(used)
		used = slices.Compact(used)
		place := map[int]int{}
		for k, i := range used {
			place[i] = k
		}
		for i := range drawn {
			index := *of(&drawn[i])
			for k, v := range index {
				index[k] = place[v]
			}
		}
		sets[s] = sets[s].Subset(used)
	}
	images, err := sets.Decode(ctx, engine, net, nil, o)
	return &folded{images, drawn}, err
}

// extract are the features of layers of training and test images, with at most so many values.
func (f *folded) extract(ctx context.Context, engine *model.Engine, net *model.Network, layers []string, most int, o Options) (features [2][]experiments.LayerFeatures, err error) {
	for s := range features {
		step, end := o.progress("features")
		features[s], err = experiments.Extract(ctx, engine, net, memoryImages{net, f.images[s]}, layers, most, step)
		end()
		if err != nil {
			return features, err
		}
	}
	return features, nil
}

// checkClassifiers reports an error unless there are classifiers of these names.
func checkClassifiers(field string, names ...experiments.Classifier) error {
	for _, s := range names {
		if _, err := experiments.ParseClassifier(string(s)); err != nil {
			return &view.FieldError{Field: field, Problem: string(s) + ": want some of " + view.Joined(experiments.Classifiers(), ", ")}
		}
	}
	return nil
}

// overFolds writes a mean, and its standard deviation if there is one, in %.
func overFolds(mean, std float64, folds []float64) string {
	if len(folds) < 2 {
		return spread(&mean, nil)
	}
	return spread(&mean, &std)
}
