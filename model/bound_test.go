package model

import (
	"slices"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// TestScratch: after passes layer by layer by workers that steal no worker keeps more than the bound;
// with images side by side all of them keep no more than twice as much.
func TestScratch(t *testing.T) {
	for _, arch := range []string{"squeezenet1_1", "mobilenet_v2"} {
		net, _, err := buildZoo(arch, nil, [2]int{64, 64})
		if err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{3} {
			e := NewEngine(workers)
			worker, shared, beside := 0, 0, 0
			for _, c := range []struct {
				n    int
				fast bool
			}{{1, true}, {1, false}, {2, true}, {6, true}} {
				keep := Keep{Layers: []string{net.Logits}, Fast: c.fast}
				if c.n < workers {
					keep.Before = func(string) {} // layer by layer
				} else {
					beside = workers - 1
				}
				plan, err := e.Compile(net, keep)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := plan.Run(tensor.New(c.n, net.Input.C, net.Input.H, net.Input.W)); err != nil {
					t.Fatal(err)
				}
				w, s := plan.Scratch(c.n)
				worker, shared = max(worker, w), max(shared, s)
				each, all := kernel.Of(e).Scratch()
				sum := 0
				for _, b := range each {
					sum += b
				}
				most := slices.Max(each)
				if beside == 0 && (most > worker || all > shared) || sum > (workers+beside)*worker || all > (1+beside)*shared {
					t.Errorf("%s, %d images on %d workers: at most %d bytes a worker, %d in all, %d shared; by the bound %d and %d",
						arch, c.n, workers, most, sum, all, worker, shared)
				}
			}
			e.Close()
		}
	}
}
