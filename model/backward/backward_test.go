package backward_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
	"github.com/deconvnet/viz/model/tensor"
)

// lenet is a golden network with a full trace of its images.
func lenet(t *testing.T, engine *model.Engine) *model.Trace {
	t.Helper()
	c := viztest.Golden(t, "lenet_small")
	trace, err := engine.Forward(c.Net, c.Images(t))
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func random(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

// TestStops: what arrives at a layer, sent on from there, arrives at the input with
// the bits of the way in one, whatever the rule; several stops come in one pass.
func TestStops(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	trace := lenet(t, engine)
	net, r, ctx := trace.Net, rand.New(rand.NewPCG(1, 2)), context.Background()
	for _, rule := range backward.Rules() {
		pass := backward.New(engine, net, rule, backward.Options{})
		top := "relu3"
		start := backward.Start{Image: 1, Layer: top, Values: random(r, trace.Shapes[top].Len())}
		both, err := pass.Down(ctx, trace, []backward.Start{start}, net.Input.Name, "relu1", top)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(both[0][2].Values, start.Values) {
			t.Error("the start is not what arrives at its own layer")
		}
		mid := both[0][1]
		rest, err := pass.Down(ctx, trace, []backward.Start{{Image: 1, Layer: "relu1", Box: mid.Box, Values: mid.Values}}, net.Input.Name)
		if err != nil {
			t.Fatal(err)
		}
		s := net.Input
		want := both[0][0].Full(s.H, s.W)
		if !slices.Equal(rest[0][0].Full(s.H, s.W), want) {
			t.Errorf("%s: two ways make another signal than one", rule)
		}
		if !slices.ContainsFunc(want, func(v float32) bool { return v != 0 }) {
			t.Errorf("%s: nothing arrives", rule)
		}
	}
}

// TestStarts: many signals of any values, boxes and images of a batch arrive as each
// alone in whole planes does; the gradient of a signal is the sum of its units'.
func TestStarts(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	trace := lenet(t, engine)
	net, r, ctx := trace.Net, rand.New(rand.NewPCG(3, 4)), context.Background()
	in := net.Input
	var starts []backward.Start
	for i := range 40 {
		layer := []string{"relu1", "relu2"}[i%2]
		s := trace.Shapes[layer]
		b := model.Box{Y0: r.IntN(s.H), X0: r.IntN(s.W)}
		b.Y1, b.X1 = min(b.Y0+1+r.IntN(3), s.H), min(b.X0+1+r.IntN(3), s.W)
		starts = append(starts, backward.Start{Image: r.IntN(trace.N()), Layer: layer, Box: b, Values: random(r, s.C*b.Area())})
	}
	got, err := backward.New(engine, net, backward.Gradient, backward.Options{}).Down(ctx, trace, starts, in.Name)
	if err != nil {
		t.Fatal(err)
	}
	plain := backward.New(engine, net, backward.Gradient, backward.Options{Whole: true})
	for i := range starts {
		want, err := plain.Down(ctx, trace, starts[i:i+1], in.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got[i][0].Full(in.H, in.W), want[0][0].Full(in.H, in.W)) {
			t.Fatalf("start %d at %v of %s arrives otherwise in a batch", i, starts[i].Box, starts[i].Layer)
		}
	}
	first := starts[0]
	var units []backward.Start
	for c := range trace.Shapes[first.Layer].C {
		for y := first.Box.Y0; y < first.Box.Y1; y++ {
			for x := first.Box.X0; x < first.Box.X1; x++ {
				v := first.Values[(c*first.Box.H()+y-first.Box.Y0)*first.Box.W()+x-first.Box.X0]
				units = append(units, backward.Unit(trace, first.Image, model.Unit{Layer: first.Layer, Channel: c, Y: y, X: x}, v))
			}
		}
	}
	parts, err := plain.Down(ctx, trace, units, in.Name)
	if err != nil {
		t.Fatal(err)
	}
	sum := make([]float32, in.Shape().Len())
	for _, p := range parts {
		for i, v := range p[0].Full(in.H, in.W) {
			sum[i] += v
		}
	}
	viztest.AllClose(t, got[0][0].Full(in.H, in.W), sum, 1e-5)
}

// TestUnreached: a stop that the start does not depend on has no box, and layers
// that are not on the way need no rule and no values.
func TestUnreached(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net := &model.Network{Name: "two", Input: model.Input{Name: "in", C: 1, H: 2, W: 2}, Nodes: []model.Node{
		{Name: "relu", Inputs: []string{"in"}, Layer: &model.ReLU{}},
		{Name: "soft", Inputs: []string{"in"}, Layer: &model.Softmax{}},
		{Name: "sum", Inputs: []string{"relu", "soft"}, Layer: &model.Add{}},
	}}
	trace, err := engine.Forward(net, tensor.From([]float32{1, 2, 3, 4}, 1, 1, 2, 2))
	if err != nil {
		t.Fatal(err)
	}
	ctx, ones := context.Background(), []float32{1, 1, 1, 1}
	pass := backward.New(engine, net, backward.Paper, backward.Options{})
	parts, err := pass.Down(ctx, trace, []backward.Start{{Layer: "sum", Values: ones}}, "relu")
	if err != nil || !slices.Equal(parts[0][0].Values, ones) {
		t.Errorf("past a softmax that is not on the way: %v, %v", parts, err)
	}
	if _, err := pass.Down(ctx, trace, []backward.Start{{Layer: "sum", Values: ones}}, "in"); err == nil || !strings.Contains(err.Error(), "layer soft:") {
		t.Errorf("through a softmax: %v", err)
	}
	if _, err := pass.Keep([]string{"sum"}, "relu"); err != nil {
		t.Error(err)
	}
	parts, err = pass.Down(ctx, trace, []backward.Start{{Layer: "relu", Values: ones}}, "soft")
	if err != nil || !parts[0][0].Box.Empty() || len(parts[0][0].Values) != 0 {
		t.Errorf("a stop beside the way: %v, %v", parts, err)
	}
}

// TestErrors: wrong starts are told apart.
func TestErrors(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	trace := lenet(t, engine)
	pass := backward.New(engine, trace.Net, backward.Gradient, backward.Options{})
	for _, c := range []struct {
		start backward.Start
		stop  string
		want  string
	}{
		{backward.Start{Layer: "relu9"}, "relu1", `no layer "relu9"`},
		{backward.Start{Layer: "relu1"}, "relu9", `no layer "relu9"`},
		{backward.Start{Layer: "relu1", Image: 7}, "relu1", "image 7 of a batch of 2"},
		{backward.Start{Layer: "relu1", Image: -1}, "relu1", "image -1 of a batch of 2"},
		{backward.Start{Layer: "relu1", Values: []float32{1}}, "relu1", "layer relu1: a signal of 1 values, want 6272"},
		{backward.Start{Layer: "relu1", Box: model.Box{Y1: 99, X1: 1}}, "relu1", "layer relu1: a signal at rows 0 to 99, columns 0 to 1 of maps of 8x28x28"},
	} {
		if _, err := pass.Down(context.Background(), trace, []backward.Start{c.start}, c.stop); fmt.Sprint(err) != c.want {
			t.Errorf("error %q, want %q", fmt.Sprint(err), c.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := trace.Shapes["relu1"]
	if _, err := pass.Down(ctx, trace, []backward.Start{{Layer: "relu1", Values: make([]float32, s.Len())}}, trace.Net.Input.Name); err == nil {
		t.Error("a cancelled run goes on")
	}
}
