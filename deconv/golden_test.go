package deconv_test

import (
	"context"
	"slices"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// TestGolden holds every stored projection, by every rule, to ours: restricted
// to the receptive field, over whole planes (the reference, which must agree to
// the last bit), and from a trace that holds only what the rule asked for.
func TestGolden(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			x := c.Images(t)
			trace, err := engine.Forward(c.Net, x)
			if err != nil {
				t.Fatal(err)
			}
			for rule, files := range c.Projections {
				r, err := deconv.ParseRule(rule)
				if err != nil {
					t.Fatal(err)
				}
				whole := deconv.New(engine, c.Net, r)
				whole.Whole = true
				boxed := deconv.New(engine, c.Net, r)
				for layer, file := range files {
					want := c.Floats(t, file)
					keep, err := boxed.Keep(layer)
					if err != nil {
						t.Fatal(err)
					}
					plan, err := engine.Compile(c.Net, keep)
					if err != nil {
						t.Fatal(err)
					}
					lean, err := plan.Run(x)
					if err != nil {
						t.Fatal(err)
					}
					var targets []deconv.Target
					for _, u := range c.Units[layer] {
						targets = append(targets, deconv.Target{Image: u.Image, Unit: u.At(layer)})
					}
					all, err := boxed.ProjectAll(context.Background(), trace, targets)
					if err != nil {
						t.Fatal(err)
					}
					in := c.Net.Input
					var got []float32
					for i, p := range all {
						got = append(got, p.Full(in.H, in.W)...)
						w, err := whole.Project(trace, targets[i].Image, targets[i].Unit)
						if err != nil {
							t.Fatal(err)
						}
						if !slices.Equal(w.Pixels, p.Full(in.H, in.W)) {
							t.Errorf("%s %s unit %v: the receptive field's projection is not the whole one's, bit for bit", rule, layer, targets[i].Unit)
						}
						l, err := boxed.Project(lean, targets[i].Image, targets[i].Unit)
						if err != nil {
							t.Fatal(err)
						}
						if err := viztest.Close(l.Pixels, p.Pixels, 2*c.Tolerance.Projections); err != nil {
							t.Errorf("%s %s unit %v from a lean trace: %v", rule, layer, targets[i].Unit, err)
						}
					}
					if err := viztest.Close(got, want, c.Tolerance.Projections); err != nil {
						t.Errorf("%s %s: %v", rule, layer, err)
					}
				}
			}
		})
	}
}
