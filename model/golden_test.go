package model_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestGoldenForward runs the golden networks with everything kept and holds
// every activation and every switch to the stored ones.
func TestGoldenForward(t *testing.T) {
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
			if c.Net.Logits != c.Logits {
				t.Errorf("logits node is %q, want %q", c.Net.Logits, c.Logits)
			}
			for _, l := range c.Layers {
				v := trace.Value(l.Name)
				if v == nil {
					t.Errorf("%s: no value", l.Name)
					continue
				}
				if !slices.Equal(v.Shape, l.Shape) {
					t.Errorf("%s: shape %v, want %v", l.Name, v.Shape, l.Shape)
					continue
				}
				if err := viztest.Close(v.Data, c.Floats(t, l.File), c.Tolerance.Activations); err != nil {
					t.Errorf("%s (%s): %v", l.Name, l.Op, err)
				}
				if l.Switches != "" && !slices.Equal(trace.Switches(l.Name), c.Ints(t, l.Switches)) {
					t.Errorf("%s: switches differ", l.Name)
				}
			}
			logits := trace.Value(c.Logits)
			for i, want := range c.TopClass {
				if got := tensor.ArgMax(logits.Slice(i, i+1).Data); got != want {
					t.Errorf("image %d: class %d, want %d", i, got, want)
				}
			}
		})
	}
}

// TestGoldenFused holds the plan that keeps only the class scores, with layers
// fused and buffers reused, to the stored scores.
func TestGoldenFused(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			plan, err := engine.Compile(c.Net, model.Keep{Layers: []string{c.Logits}})
			if err != nil {
				t.Fatal(err)
			}
			var want []float32
			for _, l := range c.Layers {
				if l.Name == c.Logits {
					want = c.Floats(t, l.File)
				}
			}
			x := c.Images(t)
			for range 2 { // the second run reuses the first's buffers
				trace, err := plan.Run(x)
				if err != nil {
					t.Fatal(err)
				}
				viztest.AllClose(t, trace.Value(c.Logits).Data, want, c.Tolerance.Activations)
			}
		})
	}
}

// TestGoldenSwitchesFused keeps one pool at a time: its switches must not
// depend on what was fused before it.
func TestGoldenSwitchesFused(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			for _, l := range c.Layers {
				if l.Switches == "" {
					continue
				}
				plan, err := engine.Compile(c.Net, model.Keep{Layers: []string{l.Name}, Switches: true})
				if err != nil {
					t.Fatal(err)
				}
				trace, err := plan.Run(c.Images(t))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(trace.Switches(l.Name), c.Ints(t, l.Switches)) {
					t.Errorf("%s: switches differ", l.Name)
				}
			}
		})
	}
}

// TestGoldenBatch: an image gives the same bits alone and in a batch, and with
// any number of workers.
func TestGoldenBatch(t *testing.T) {
	one, three := model.NewEngine(1), model.NewEngine(3)
	defer one.Close()
	defer three.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			x := c.Images(t)
			var keepLogits = model.Keep{Layers: []string{c.Logits}}
			for _, keep := range []model.Keep{{}, keepLogits} {
				want := run(t, one, c.Net, keep, x)
				same(t, c, "3 workers", run(t, three, c.Net, keep, x), want, 0)
				for i := range x.Shape[0] {
					same(t, c, fmt.Sprintf("image %d alone", i), run(t, three, c.Net, keep, x.Slice(i, i+1)), want, i)
				}
			}
		})
	}
}

func run(t *testing.T, e *model.Engine, net *model.Network, keep model.Keep, x *tensor.Tensor) *model.Trace {
	t.Helper()
	plan, err := e.Compile(net, keep)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := plan.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// same compares got with the images from first on of want, bit for bit.
func same(t *testing.T, c *viztest.Case, what string, got, want *model.Trace, first int) {
	t.Helper()
	for _, l := range c.Layers {
		g, w := got.Value(l.Name), want.Value(l.Name)
		if w == nil {
			continue
		}
		if !slices.Equal(g.Data, w.Slice(first, first+got.N()).Data) {
			t.Errorf("%s: %s gives other bits", l.Name, what)
		}
		if s := got.Switches(l.Name); s != nil {
			n := len(s) / got.N()
			if !slices.Equal(s, want.Switches(l.Name)[first*n:first*n+len(s)]) {
				t.Errorf("%s: %s gives other switches", l.Name, what)
			}
		}
	}
}
