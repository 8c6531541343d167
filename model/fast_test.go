package model_test

import (
	"math/rand/v2"
	"slices"
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

// TestFastBatch: the bits of a fast plan that is made for a batch depend on neither the batch that comes nor the
// workers, on maps whose algorithm would depend on it.
func TestFastBatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, size := range []int{6, 7, 14} {
		net := &model.Network{Name: "maps", Input: model.Input{Name: "in", C: 16, H: size, W: size}, Logits: "conv", Nodes: []model.Node{
			{Name: "conv", Inputs: []string{"in"}, Layer: &model.Conv{Weight: randomTensor(rng, 32, 16, 3, 3), Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{1, 1, 1, 1}, Groups: 1}}}}
		x := randomTensor(rng, 9, 16, size, size)
		run := func(workers int, keep model.Keep, n int) []float32 {
			engine := model.NewEngine(workers)
			defer engine.Close()
			plan, err := engine.Compile(net, keep)
			if err != nil {
				t.Fatal(err)
			}
			tr, err := plan.Run(x.Slice(0, n))
			if err != nil {
				t.Fatal(err)
			}
			return tr.Value("conv").Data
		}
		whole := run(2, model.Keep{Layers: []string{"conv"}, Fast: true, Batch: 8}, 9)
		for n := 1; n < 9; n++ {
			if got := run(1+n%2, model.Keep{Layers: []string{"conv"}, Fast: true, Batch: 8}, n); !slices.Equal(got, whole[:len(got)]) {
				t.Errorf("maps of %dx%d: %d images have other bits than 9", size, size, n)
			}
		}
		if err := viztest.Close(whole, run(2, model.Keep{Layers: []string{"conv"}}, 9), 1e-4); err != nil {
			t.Errorf("maps of %dx%d: %v", size, size, err)
		}
	}
}
