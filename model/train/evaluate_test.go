package train_test

import (
	"context"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// TestEvaluateSortedData: accuracy on a part of the images is not accuracy on
// the first classes of a set that is sorted by class.
func TestEvaluateSortedData(t *testing.T) {
	net, err := model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 8, W: 8}, Classes: []string{"a", "b", "c", "d"}, Width: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	images := &train.Memory{Size: 64, Bytes: make([]uint8, 400*64), Labels: make([]int, 400)}
	for i := range images.Labels {
		images.Labels[i] = i / 100
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	s, err := train.Evaluate(context.Background(), engine, net, images, 80)
	if err != nil {
		t.Fatal(err)
	}
	for label, row := range s.Confusion {
		n := 0
		for _, k := range row {
			n += k
		}
		if n < 10 || n > 30 {
			t.Errorf("%d of 80 images are of class %d, want about 20", n, label)
		}
	}
}

// Worked out by hand: 3 of 4, 0 of 1; the third class has no images.
func TestPerClass(t *testing.T) {
	s := train.Score{Images: 5, Accuracy: 0.6, Confusion: [][]int{{3, 1, 0}, {0, 0, 1}, {0, 0, 0}}}
	if got := s.PerClass(); got != 0.375 {
		t.Errorf("got %v, want 0.375", got)
	}
}
