package maximize

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

func shapesNet(t *testing.T) *model.Network {
	t.Helper()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// goals are a class, a map and a unit of the built-in network.
func goals(t *testing.T, net *model.Network) []Goal {
	t.Helper()
	star, err := net.ResolveClass("star")
	if err != nil {
		t.Fatal(err)
	}
	layer := net.ConvLayers()[1]
	return []Goal{{Class: &model.Target{Class: star}}, {Layer: layer, Channel: 3}, {Layer: layer, Channel: 5, At: &[2]int{2, 3}}}
}

func run(t *testing.T, workers int, net *model.Network, goals []Goal, o Options) *Run {
	t.Helper()
	engine := model.NewEngine(workers)
	t.Cleanup(engine.Close)
	r, err := New(engine, net, goals, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRun makes a network sure of what it is to see.
func TestRun(t *testing.T) {
	net := shapesNet(t)
	for _, o := range []Options{{Steps: 40}, {Steps: 40, Paint: Pixels}, {Steps: 40, Starts: 2, Diversity: 0.2, Blur: 0.3}} {
		r := run(t, 2, net, goals(t, net), o)
		if err := r.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		for _, result := range r.Results() {
			for _, p := range result.Starts {
				if first := float64(p.Values[0]); p.Value < 1 || p.Value < 3*first {
					t.Errorf("%+v, %s: from %g to %g only", o, result.Goal.Name(net), first, p.Value)
				}
			}
		}
		first := r.Results()[0].Starts[0]
		engine := model.NewEngine(1)
		defer engine.Close()
		trace, err := engine.Forward(net, tensor.From(first.Image, 1, net.Input.C, net.Input.H, net.Input.W))
		if err != nil {
			t.Fatal(err)
		}
		scores := trace.Value(net.Logits).Data
		if p := net.Probabilities(scores)[r.goals[0].Class.Class]; p < 0.9 {
			t.Errorf("%+v: the picture of a star is one by %g", o, p)
		}
		if got := float64(scores[r.goals[0].Class.Class]); math.Abs(got-first.Value) > 1e-5*got {
			t.Errorf("the value is said to be %g, but is %g", first.Value, got)
		}
	}
}

// TestSame makes the same pictures with any number of workers and any memory, and of
// a goal among others or alone.
func TestSame(t *testing.T) {
	net := shapesNet(t)
	o := Options{Steps: 5, Starts: 3, Seed: 7, Frames: 2}
	var want []Result
	for i, workers := range []int{1, 3} {
		o.Memory = []int{0, 1}[i]
		r := run(t, workers, net, goals(t, net), o)
		if err := r.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = r.Results()
		}
		if !reflect.DeepEqual(r.Results(), want) {
			t.Errorf("%d workers, memory %d: other pictures", workers, o.Memory)
		}
	}
	alone := run(t, 2, net, goals(t, net)[1:2], o)
	if err := alone.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(alone.Results()[0], want[1]) {
		t.Error("a goal alone gives another picture than among others")
	}
	if reflect.DeepEqual(want[0].Starts[0].Image, want[0].Starts[1].Image) {
		t.Error("two starts give the same picture")
	}
	if n := len(want[0].Starts[0].Frames); n != 2 || !reflect.DeepEqual(want[0].Starts[0].Frames[1], want[0].Starts[0].Image) {
		t.Errorf("%d frames, or the last is not the finished picture", n)
	}
}

// TestRestore goes on from every step as if nothing had happened.
func TestRestore(t *testing.T) {
	net := shapesNet(t)
	o := Options{Steps: 3, Starts: 2, Frames: 3}
	whole := run(t, 2, net, goals(t, net)[:2], o)
	var saved [][]byte
	err := whole.Run(context.Background(), func() error {
		var b bytes.Buffer
		defer func() { saved = append(saved, b.Bytes()) }()
		return whole.Save(&b)
	})
	if err != nil || len(saved) != 6 || whole.Done() != whole.Total() {
		t.Fatalf("%d saved, %d of %d steps: %v", len(saved), whole.Done(), whole.Total(), err)
	}
	for i, text := range saved {
		r := run(t, 1, net, goals(t, net)[:2], o)
		if err := r.Restore(bytes.NewReader(text)); err != nil || r.Done() != i+1 {
			t.Fatalf("after step %d: at %d, %v", i+1, r.Done(), err)
		}
		if err := r.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.Results(), whole.Results()) {
			t.Errorf("restored after step %d, the run ends elsewhere", i+1)
		}
	}
	other := o
	other.Seed = 1
	if err := run(t, 1, net, goals(t, net)[:2], other).Restore(bytes.NewReader(saved[1])); !errors.Is(err, ErrOther) {
		t.Errorf("a run of another seed: %v", err)
	}
	for n := range saved[1] {
		if n%997 != 0 && n > 100 && n < len(saved[1])-100 {
			continue
		}
		r := run(t, 1, net, goals(t, net)[:2], o)
		if err := r.Restore(bytes.NewReader(saved[1][:n])); err == nil || r.Done() != 0 {
			t.Fatalf("a file of %d of %d bytes is taken", n, len(saved[1]))
		}
		bad := bytes.Clone(saved[1])
		bad[n] ^= 4
		if err := r.Restore(bytes.NewReader(bad)); err == nil {
			t.Fatalf("a file with another byte %d is taken", n)
		}
	}
}

// TestCancel stops between steps; what is there can go on.
func TestCancel(t *testing.T) {
	net := shapesNet(t)
	r := run(t, 1, net, goals(t, net)[:1], Options{Steps: 4})
	ctx, stop := context.WithCancel(context.Background())
	err := r.Run(ctx, func() error {
		if r.Done() == 2 {
			stop()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || r.Done() != 2 || len(r.Results()) != 0 {
		t.Errorf("%d steps, %v", r.Done(), err)
	}
	if err := r.Run(context.Background(), nil); err != nil || r.Done() != 4 {
		t.Errorf("%d steps, %v", r.Done(), err)
	}
}

// TestSilent wakes a unit that fires nowhere at the beginning, through what its
// rectifier reads, also behind a concatenation and a pool.
func TestSilent(t *testing.T) {
	w := tensor.New(2, 1, 3, 3)
	for i := range 9 {
		w.Data[i], w.Data[9+i] = 1, float32(i%3)-1
	}
	net := &model.Network{Name: "silent", Input: model.Input{Name: "x", C: 1, H: 8, W: 8}, Preprocess: model.Preprocess{Scale: 1.0 / 255},
		Nodes: []model.Node{
			{Name: "conv", Inputs: []string{"x"}, Layer: &model.Conv{Weight: w, Bias: []float32{0, -2}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}},
			{Name: "relu", Inputs: []string{"conv"}, Layer: &model.ReLU{}},
			{Name: "both", Inputs: []string{"relu", "relu"}, Layer: &model.Concat{}},
			{Name: "pool", Inputs: []string{"both"}, Layer: &model.Pool{Op: model.PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: []int{1, 1}}}}}
	if err := net.Check(); err != nil {
		t.Fatal(err)
	}
	for _, g := range []Goal{{Layer: "relu", Channel: 1}, {Layer: "both", Channel: 3}, {Layer: "pool", Channel: 1}} {
		r := run(t, 1, net, []Goal{g}, Options{Steps: 60, Rate: 0.2})
		if err := r.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		p := r.Results()[0].Starts[0]
		if p.Values[0] != 0 || p.Value <= 0 {
			t.Errorf("%s:%d goes from %g to %g", g.Layer, g.Channel, p.Values[0], p.Value)
		}
	}
}

// TestRefused names what is wrong.
func TestRefused(t *testing.T) {
	net := shapesNet(t)
	engine := model.NewEngine(1)
	defer engine.Close()
	layer := net.ConvLayers()[0]
	for _, c := range []struct {
		goals []Goal
		o     Options
		want  string
	}{
		{nil, Options{}, "unit is missing"},
		{[]Goal{{Layer: "nothing"}}, Options{}, "layer nothing"},
		{[]Goal{{Layer: layer, Channel: 4000}}, Options{}, "channel 4000: layer " + layer + " has"},
		{[]Goal{{Layer: layer, At: &[2]int{99, 0}}}, Options{}, "unit " + layer + ":0:99:0: the maps have"},
		{[]Goal{{Class: &model.Target{Class: 99}}}, Options{}, "99"},
		{goals(t, net), Options{Steps: -1}, "steps -1: want"},
		{goals(t, net), Options{Steps: 3, Frames: 4}, "frames 4: there are only 3 steps"},
		{goals(t, net), Options{Zoom: ptr(0.95)}, "zoom 0.95: want 0 to 0.9"},
		{goals(t, net), Options{Variation: ptr(-1.0)}, "variation -1: want"},
		{goals(t, net), Options{Paint: "oil"}, "paint oil: want fourier or pixels"},
	} {
		_, err := New(engine, net, c.goals, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
