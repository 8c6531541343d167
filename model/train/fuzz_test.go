package train

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
)

// FuzzSaved: the state of a training in a checkpoint. What is taken of it is taken again as it was resolved, and gives
// numbers for every step.
func FuzzSaved(f *testing.F) {
	f.Add([]byte(`{"options":{"solver":"sgd","rate":0.1,"batch":10,"steps":30,"schedule":"step","drop_every":5,"log_every":10,"weight_decay":0.1,"crop":2,"eval_every":-1},"images":100,"running":{"Sum":2.5,"Count":3}}`), 20)
	f.Add([]byte(`{"options":{"epochs":3,"schedule":"cosine","warmup":4,"note":"x"},"images":7}`), 1)
	f.Add([]byte(`{"options":{},"running":{"Count":1}}`), 0)
	f.Add([]byte(`{"options":{"epochs":92233720368547758}}`), 1) // nearly as many steps as there are numbers
	f.Add([]byte(`[]`), -1)
	hostile.Fuzz(f, func(t testing.TB, text []byte, step int) {
		state := &model.State{Step: step, JSON: text}
		var o Options
		if hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+100*len(text), func() (err error) {
			Owes(state)
			if o, err = Resume(state); err == nil {
				o, err = o.Resolve(100)
			}
			return imageio.OneLine(err)
		}) != nil {
			return
		}
		if again, err := o.Resolve(100); err != nil || again != o || o.Steps < 0 {
			t.Fatalf("%+v, resolved again: %+v, %v", o, again, err)
		}
		for _, step := range []int{0, 1, o.Steps / 2, o.Steps - 1, o.Warmup} {
			if r := o.rate(step); step >= 0 && (math.IsNaN(r) || math.IsInf(r, 0) || r < 0) {
				t.Fatalf("rate %g at step %d of %+v", r, step, o)
			}
			o.due(step)
		}
		if text, err := json.Marshal(saved{Options: o}); err != nil {
			t.Fatal(err)
		} else if again, err := readSaved(&model.State{JSON: text}); err != nil || again.Options != o {
			t.Fatalf("%s is read as %+v, %v", text, again, err)
		}
	})
}
