package train

import (
	"context"
	"fmt"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Score is how well a network does on some images.
type Score struct {
	Images   int     `json:"images"`
	Accuracy float64 `json:"accuracy"` // share of images whose class is the most probable one
	Loss     float64 `json:"loss"`     // mean cross-entropy
	// Confusion counts images by label (row) and most probable class (column).
	Confusion [][]int `json:"confusion,omitempty"`
}

// PerClass is the mean over classes of the share of a class's images whose class is
// the most probable one, which does not depend on how many of each there are; NaN
// if there are no images.
func (s *Score) PerClass() float64 {
	sum, n := 0.0, 0
	for label, row := range s.Confusion {
		all := 0
		for _, v := range row {
			all += v
		}
		if all > 0 {
			sum += float64(row[label]) / float64(all)
			n++
		}
	}
	return sum / float64(n)
}

// evaluateBytes is about what a batch takes beside what a training holds meanwhile.
const evaluateBytes = 64 << 20

// Evaluate runs the network over n of the images (0: all) as it is used after
// training: without dropout, batch normalisation with its running statistics.
// Data sets are often sorted by class, so a part is a fixed random choice.
func Evaluate(ctx context.Context, e *model.Engine, net *model.Network, images Images, n int) (*Score, error) {
	if net.Logits == "" {
		return nil, fmt.Errorf("the network names no logits, so there are no classes to compare")
	}
	plan, err := e.Compile(net, model.Keep{Layers: []string{net.Logits}, Fast: true})
	if err != nil {
		return nil, err
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	classes := shapes[net.Logits].Len()
	if n <= 0 || n > images.Len() {
		n = images.Len()
	}
	chosen := choice(images.Len(), n)
	size := net.Input.Shape().Len()
	batch := plan.Batch(evaluateBytes, 100)
	pixels := make([]uint8, size)
	x := make([]float32, batch*size)
	table := units(net)
	s := &Score{Images: n, Confusion: make([][]int, classes)}
	for c := range s.Confusion {
		s.Confusion[c] = make([]int, classes)
	}
	right, loss := 0, 0.0
	for from := 0; from < n; from += batch {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w", err)
		}
		m := min(batch, n-from)
		for j := range m {
			if err := images.Pixels(chosen(from+j), pixels); err != nil {
				return nil, fmt.Errorf("image %d: %w", chosen(from+j), err)
			}
			augment{}.apply(x[j*size:(j+1)*size], pixels, net.Input, table)
		}
		t, err := plan.Run(tensor.From(x[:m*size], m, net.Input.C, net.Input.H, net.Input.W))
		if err != nil {
			return nil, err
		}
		logits := t.Value(net.Logits).Data
		for j := range m {
			row := logits[j*classes : (j+1)*classes]
			label, best := images.Label(chosen(from+j)), tensor.ArgMax(row)
			if label < 0 || label >= classes {
				return nil, fmt.Errorf("image %d has label %d, the network %d classes", chosen(from+j), label, classes)
			}
			s.Confusion[label][best]++
			if best == label {
				right++
			}
			loss += tensor.CrossEntropy(row, label)
		}
	}
	if n > 0 {
		s.Accuracy, s.Loss = float64(right)/float64(n), loss/float64(n)
	}
	return s, nil
}
