package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// TestFast holds plans that may use Winograd's algorithm to the exact ones, on a
// network wide enough to use it.
func TestFast(t *testing.T) {
	net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: 32, W: 32}, Classes: []string{"a", "b", "c"}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	layers := append(net.ConvLayers(), net.Logits)
	for _, n := range []int{1, 5} {
		x := randomTensor(rng, n, 3, 32, 32)
		var traces []*model.Trace
		for _, fast := range []bool{false, true} {
			plan, err := engine.Compile(net, model.Keep{Layers: layers, Fast: fast})
			if err != nil {
				t.Fatal(err)
			}
			tr, err := plan.Run(x)
			if err != nil {
				t.Fatal(err)
			}
			traces = append(traces, tr)
		}
		for _, name := range layers {
			if err := viztest.Close(traces[1].Value(name).Data, traces[0].Value(name).Data, 1e-4); err != nil {
				t.Errorf("batch %d, %s: %v", n, name, err)
			}
		}
	}
}
