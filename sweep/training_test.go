package sweep

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// A training that is cancelled while its last step is measured says so, and gives its accuracy when it is resumed.
func TestTrainingStoppedAtItsEnd(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	data, err := images.OpenData(t.Context(), images.Spec{Data: "shapes", Seed: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "a.bin")
	prepared := func(tr *Training) *Training {
		tr.Options, tr.Out, tr.Log = train.Options{Batch: 5, Steps: 2}, out, LogName(out)
		p := Preparation{Choice: Choice{Limit: 20}, Arch: "lenet5", Architecture: model.ArchOptions{Width: 0.1, Seed: 1},
			Match: func(*model.Network, []string) (func([]int) []int, error) {
				return func(l []int) []int { return l }, nil
			}}
		if err := tr.Prepare(t.Context(), engine, data, p, Options{}); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	resumed := 0
	for n := 1; ; n++ {
		r, err := prepared(&Training{}).Run(&brittle{t.Context(), n}, engine, Options{})
		if err == nil {
			if r.TestAccuracy == nil {
				t.Errorf("cancelled at question %d, it says that it is done, without an accuracy", n)
			}
			break
		}
		net, state, loaded := model.LoadState(out)
		if !errors.Is(err, context.Canceled) || loaded != nil {
			t.Fatal(err, loaded)
		}
		if state.Step < 2 {
			continue
		}
		resumed++
		if r, err = prepared(&Training{Net: net, State: state}).Run(t.Context(), engine, Options{}); err != nil || r.TestAccuracy == nil {
			t.Fatalf("cancelled at question %d, resumed: %+v, %v", n, r, err)
		}
	}
	if resumed == 0 {
		t.Error("it was never cancelled at its end")
	}
}
