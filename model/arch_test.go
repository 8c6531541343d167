package model_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
)

// TestInits checks the distributions that weights and biases start from.
func TestInits(t *testing.T) {
	build := func(init model.Init) (*model.Network, error) {
		return model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 28, W: 28}, Classes: make([]string, 10), Init: init, Seed: 1})
	}
	// A normal distribution cut at two deviations keeps 0.880 of its deviation.
	for init, want := range map[model.Init]struct{ conv2, fc1, bias, most float64 }{
		"":          {math.Sqrt(2.0 / 800), math.Sqrt(2.0 / 3136), 0, math.Inf(1)},
		"he":        {math.Sqrt(2.0 / 800), math.Sqrt(2.0 / 3136), 0, math.Inf(1)},
		"truncated": {0.0880, 0.0880, 0.1, 0.2},
	} {
		net, err := build(init)
		if err != nil {
			t.Fatal(err)
		}
		check := func(layer string, w, bias []float32, deviation float64) {
			sum, squares, most := 0.0, 0.0, 0.0
			for _, v := range w {
				sum, squares, most = sum+float64(v), squares+float64(v)*float64(v), max(most, math.Abs(float64(v)))
			}
			n := float64(len(w))
			if got := math.Sqrt(squares / n); math.Abs(got-deviation) > 0.02*deviation || math.Abs(sum/n) > 4*deviation/math.Sqrt(n) || most > want.most+1e-6 {
				t.Errorf("%q: %s: deviation %g, want %g; mean %g; largest %g, want at most %g", init, layer, got, deviation, sum/n, most, want.most)
			}
			for _, v := range bias {
				if v != float32(want.bias) {
					t.Fatalf("%q: %s: bias %g, want %g", init, layer, v, want.bias)
				}
			}
		}
		for _, n := range net.Nodes {
			switch l := n.Layer.(type) {
			case *model.Conv:
				if n.Name == "conv2" {
					check(n.Name, l.Weight.Data, l.Bias, want.conv2)
				}
			case *model.Dense:
				if n.Name == "fc1" {
					check(n.Name, l.Weight.Data, l.Bias, want.fc1)
				}
			}
		}
	}
	var unknown *model.UnknownName
	if _, err := build("truncatd"); !errors.As(err, &unknown) || !slices.Contains(unknown.Nearest, "truncated") {
		t.Errorf("got %v, want an unknown name with truncated nearest", err)
	}
}
