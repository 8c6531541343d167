package onnx_test

import (
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// TestCosineClassifiers: scores divided by lengths are those of classes; a vector divided by its own
// length is none. The values are PyTorch's.
func TestCosineClassifiers(t *testing.T) {
	for _, c := range []struct {
		file string
		kind model.Scores
		want []float32
	}{
		{"similarity", model.LogitScores, []float32{0.6547559, -0.8360872, 0.2737976, 0.7324966, -0.5152116}},
		{"lengths", model.LogitScores, []float32{-0.167262, -0.5280944, 0.4420494, -0.748056, 0.3543906}},
		{"normalised", model.LogitScores, []float32{-3.257192, -2.521852, -28.18274, 7.360292, -10.37249}},
		{"embedding", model.RawScores, []float32{0.4843878, -0.5796853, -0.615223, -0.2103046, -0.08127768}},
	} {
		net, err := onnx.Import(filepath.Join("testdata", "cosine", c.file+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 2*8*8)
		for i := range x {
			x[i] = float32(i*37%101)/50 - 1
		}
		if net.Scores != c.kind || net.NumClasses() != 5 {
			t.Errorf("%s: scores are %s of %d classes, want %s of 5", c.file, net.Scores, net.NumClasses(), c.kind)
		}
		for i, v := range eval(t, net, x...) {
			if d := v - c.want[i]; d > 1e-5 || d < -1e-5 {
				t.Errorf("%s: score %d is %g, want %g", c.file, i, v, c.want[i])
			}
		}
	}
}
