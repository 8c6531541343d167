package experiments_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

// decoded are items of a set as network inputs.
type decoded []*tensor.Tensor

func (d decoded) Len() int { return len(d) }
func (d decoded) Input(i int, dst []float32) error {
	copy(dst, d[i].Data)
	return nil
}

// The finding of [zeiler14] 5.4: linear classifiers do better the higher the layer
// whose features they get. On generated images, and on real CIFAR-10 images, of
// which the built-in network has not seen those tested on.
func TestProbeRises(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Run("shapes", func(t *testing.T) { probeRises(t, "shapes", "shapes", []string{"relu1", "relu2", "relu3", "relu5"}) })
	t.Run("cifar10", func(t *testing.T) {
		probeRises(t, "cifar10", filepath.Join(viztest.Shared(t), "data", "cifar-10-lossless"), []string{"relu1", "relu3", "relu5", "relu6"})
	})
}

func probeRises(t *testing.T, name, images string, layers []string) {
	data, err := dataset.Open(context.Background(), images, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	net, err := builtin.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	e := model.NewEngine(2)
	defer e.Close()
	const perClass = 30
	var features [2][]experiments.LayerFeatures
	var labels [2][]int
	for s, set := range []*dataset.Set{data.Train, data.Test} {
		var xs decoded
		for i := range min(set.Len(), 600) {
			item, err := set.Item(i)
			if err != nil {
				t.Fatal(err)
			}
			x, err := net.Preprocess.Tensor(item.Image, net.Input)
			if err != nil {
				t.Fatal(err)
			}
			xs, labels[s] = append(xs, x), append(labels[s], item.Label)
		}
		if features[s], err = experiments.Extract(context.Background(), e, net, xs, layers, 600, nil); err != nil {
			t.Fatal(err)
		}
	}
	folds, err := experiments.Folds(labels[0], labels[1], 10, 2, perClass, 50, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, solver := range experiments.Classifiers() {
		before := 0.2 // twice chance
		for l, name := range layers {
			r, err := experiments.Probe(context.Background(), e, solver, &features[0][l], &features[1][l], labels[0], labels[1], 10, folds)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s: %.3f ± %.3f on %d values", solver, name, r.Mean, r.Std, r.Dim)
			if r.Mean <= before {
				t.Errorf("%s on %s: accuracy %.3f, not above the %.3f before", solver, name, r.Mean, before)
			}
			before = r.Mean
		}
	}
}
