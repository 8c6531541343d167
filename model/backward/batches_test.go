package backward_test

import (
	"context"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
)

// TestWorkers: whatever the number of workers, and so the batches, signals arrive with the same bits, each in its place.
func TestWorkers(t *testing.T) {
	var want [][]backward.Part
	for _, workers := range []int{1, 2, 3, 8, 33} {
		engine := model.NewEngine(workers)
		trace := lenet(t, engine)
		layer := "relu2"
		s := trace.Shapes[layer]
		var starts []backward.Start
		for i := range 41 {
			u := model.Unit{Layer: layer, Channel: i % s.C, Y: i * i % s.H, X: 3 * i % s.W}
			starts = append(starts, backward.Unit(trace, i%trace.N(), u, float32(1+i)))
		}
		pass := backward.New(engine, trace.Net, backward.Gradient, backward.Options{})
		got, err := pass.Down(context.Background(), trace, starts, trace.Net.Input.Name)
		engine.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		for i := range got {
			if g, w := got[i][0], want[i][0]; g.Box != w.Box || !slices.Equal(g.Values, w.Values) {
				t.Errorf("%d workers: signal %d differs from that of one worker", workers, i)
			}
		}
	}
}
