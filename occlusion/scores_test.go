package occlusion_test

import (
	"context"
	"math"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

func alike(a []float32, b []float64) bool {
	for i := range a {
		if math.Abs(float64(a[i])-b[i]) > 2e-5*max(1, math.Abs(b[i])) {
			return false
		}
	}
	return len(a) == len(b)
}

// What maps show follows from what the network's outputs mean. Expected values are
// PyTorch's: a patch of 2x2 zeros at strides of 2.
func TestScoresOfAllKinds(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	sigmoid := []float64{0.353315, 0.326467, 0.306753, 0.313004, 0.303891, 0.327894, 0.334987, 0.327399, 0.299405}
	not := make([]float64, len(sigmoid))
	for i, p := range sigmoid {
		not[i] = 1 - p
	}
	values := []float64{-0.604497, -0.724206, -0.815344, -0.786111, -0.828836, -0.717725, -0.685714, -0.719974, -0.850132}
	sum := []float64{30.526835, 31.235887, 31.116178, 30.675704, 31.167915, 30.813973, 30.485536, 31.227066, 31.408762}
	sumOfScores := []float64{42.828571, 46.090476, 41.12381, 37.861905, 37.419048, 42.257143, 42.038095, 44.109524, 42.77619}
	at := []float64{0.062136, 0.0558, 0.070374, 0.062136, 0.133928, 0.193321, 0.062136, 0.062136, 0.062136}
	for _, c := range []struct {
		name        string
		net         *model.Network
		o           occlusion.Options
		clean       float64
		prob, logit []float64
		quantity    model.Quantity
		best, low   int
	}{
		{"one sigmoid", viztest.OneOutput(model.SigmoidScores), occlusion.Options{}, 0.2984349, sigmoid, values, model.Probability, 0, 8},
		{"one sigmoid, class not", viztest.OneOutput(model.SigmoidScores, "not", "red"), occlusion.Options{Classes: []int{0}}, 0.7015651, not, nil, model.Probability, 0, 0},
		{"one sigmoid, class red", viztest.OneOutput(model.LogitScores, "not", "red"), occlusion.Options{Classes: []int{1}}, 0.2984349, sigmoid, values, model.Probability, 0, 8},
		{"one value", viztest.OneOutput(model.RawScores), occlusion.Options{}, -0.8547619, values, values, model.Value, 0, 8},
		{"segmentation", viztest.Segmentation(), occlusion.Options{}, 31.4391770, sum, sumOfScores, model.Probability, 1, -1},
		{"segmentation at a place", viztest.Segmentation(), occlusion.Options{Classes: []int{0}, At: &[2]int{2, 3}}, 0.062136, at, nil, model.Probability, 1, 1},
	} {
		for _, method := range []occlusion.Method{occlusion.Fast, occlusion.Box, occlusion.Brute} {
			o := c.o
			o.Patch, o.Stride, o.Method = [2]int{2, 2}, [2]int{2, 2}, method
			o.Fill = occlusion.Fill{Kind: "value", Values: []float32{0}}
			m, err := occlusion.Scan(context.Background(), engine, c.net, viztest.ScoresInput(), o)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if !alike(m.CleanProb, []float64{c.clean}) || !alike(m.Prob[0], c.prob) {
				t.Errorf("%s %q: clean %v, want %v; map %v, want %v", c.name, method, m.CleanProb, c.clean, m.Prob[0], c.prob)
			}
			if c.logit != nil && !alike(m.Logit[0], c.logit) {
				t.Errorf("%s %q: scores %v, want %v", c.name, method, m.Logit[0], c.logit)
			}
			if m.Quantity != c.quantity || m.CleanBest != c.best || c.low >= 0 && m.LowestAt(0) != c.low {
				t.Errorf("%s: %s, best class %d, lowest at %d", c.name, m.Quantity, m.CleanBest, m.LowestAt(0))
			}
			if got, want := float64(m.PixelDrop[0][0]), c.clean-c.prob[0]; math.Abs(got-want) > 1e-4 {
				t.Errorf("%s: pixel 0 loses %v, want %v", c.name, got, want)
			}
		}
	}
	for name, o := range map[string]occlusion.Options{"class": {Classes: []int{2}}, "place": {At: &[2]int{6, 0}}} {
		if _, err := occlusion.New(engine, viztest.Segmentation(), o); err == nil {
			t.Errorf("a %s that there is not is taken", name)
		}
	}
	if _, err := occlusion.New(engine, viztest.OneOutput(model.RawScores), occlusion.Options{At: &[2]int{0, 0}}); err == nil {
		t.Error("a place is taken where the scores have none")
	}
}
