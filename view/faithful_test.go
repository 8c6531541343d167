package view

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

// TestPaired: the p value of scipy.stats.ttest_rel.
func TestPaired(t *testing.T) {
	nan := math.NaN()
	a := &FaithfulRow{Method: "a", values: map[string][]float64{"deletion": {0.2, 0.5, nan, 0.1, 0.9, 0.4}}}
	b := &FaithfulRow{Method: "b", values: map[string][]float64{"deletion": {0.1, 0.6, 1, 0, 0.5, 0.35}}}
	got, ok := paired("deletion", a, b)
	if !ok || math.Abs(got.P-0.2471782915049927) > 1e-9 || math.Abs(got.Difference-0.11) > 1e-12 || math.Abs(got.Error-0.08124038404635961) > 1e-12 || got.Images != 5 {
		t.Errorf("%+v", got)
	}
	if got, ok := paired("deletion", a, a); !ok || got.P != 1 || got.Difference != 0 {
		t.Errorf("a method against itself: %+v", got)
	}
	if _, ok := paired("energy", a, b); ok {
		t.Error("a test without values")
	}
}

// TestFaithfulLinear: where the score is linear, input x gradient foretells what
// hiding pixels costs; what a network does not carry is named.
func TestFaithfulLinear(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	shapes, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	weight := tensor.New(2, 3*32*32)
	for i := range weight.Data {
		weight.Data[i] = float32(i%17) - 8
	}
	net := &model.Network{Name: "linear", Logits: "fc", Scores: model.RawScores, Input: shapes.Input, Preprocess: shapes.Preprocess, Nodes: []model.Node{
		{Name: "flat", Inputs: []string{shapes.Input.Name}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: weight, Bias: []float32{1, 2}}},
	}}
	list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: 3}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	ticks := 0.0
	r := Faithful{Methods: []attribution.Method{attribution.InputXGradient, attribution.GradCAM}, Steps: 4, Subsets: 8, Clock: func() float64 { ticks++; return ticks }}
	n, err := NewSession(engine, net).Faithful(t.Context(), r, src)
	if err != nil {
		t.Fatal(err)
	}
	row := n.Rows[0]
	if row.Misses == nil || row.Misses.Mean > 1e-4 || n.Rows[2].Misses.Mean < 0.1 {
		t.Errorf("infidelity %+v, of a random map %+v", row.Misses, n.Rows[2].Misses)
	}
	if math.Abs(row.Subsets.Mean-1) > 1e-4 || row.Seconds.Mean != 1 || row.Pointing == nil || row.Energy == nil || row.Deletion.Error == nil || row.Deletion.Images != 3 {
		t.Errorf("%+v, sensitivity-n %+v", row, row.Subsets)
	}
	if first, last := row.DeletionCurve[0], row.InsertionCurve[4]; math.Abs(first-last) > 1e-4*math.Abs(first) || row.DeletionCurve[4] == first {
		t.Errorf("deletion begins at %g, insertion ends at %g", first, last)
	}
	if n.Rows[1].Problem == "" || n.Rows[1].Deletion != nil || n.Rows[2].Method != "random map" || n.Rows[3].Method != "centre" || len(n.Tests) == 0 {
		t.Errorf("%+v", n)
	}
	// The centre of 32x32 is where the Gaussian of the centre is largest, and mild around it.
	c := centre(32, 32)
	if at := tensor.ArgMax(c); at != 15*32+15 || math.Abs(float64(c[15*32+23]/c[15*32+15])-math.Exp(-8*(7.5*7.5-0.25)/1024)) > 1e-6 {
		t.Errorf("centre at %d", at)
	}
	for _, bad := range []Faithful{{Steps: -1}, {Subsets: -1}, {Request: attribution.Request{Targets: []attribution.Target{attribution.Unit(model.Unit{Layer: "fc"})}}},
		{Methods: []attribution.Method{"magic"}}} {
		if _, err := NewSession(engine, net).Faithful(t.Context(), bad, src); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestFaithfulBoxes: boxes from a file are those that the data set knows.
func TestFaithfulBoxes(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	open := func(paths ...string) *images.Inputs {
		list, err := images.Open(t.Context(), images.Spec{Paths: paths}, images.Options{})
		if err != nil {
			t.Fatal(err)
		}
		src, err := images.For(list, net)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	boxes, err := images.OpenBoxes("../testdata/boxes.json")
	if err != nil {
		t.Fatal(err)
	}
	r := Faithful{Methods: []attribution.Method{attribution.Saliency}, Steps: 2, Subsets: 2, Boxes: boxes}
	n, err := NewSession(engine, net).Faithful(t.Context(), r, open("../testdata/ring.png", "../testdata/star.png", "../testdata/checks.png"))
	if err != nil {
		t.Fatal(err)
	}
	// The Gaussian of the centre: its share of a box is a product of differences of error functions.
	share := func(from, to float64) float64 {
		at := func(x float64) float64 { return math.Erf(math.Sqrt(8) * (x/32 - 0.5)) }
		return (at(to) - at(from)) / (at(32) - at(0))
	}
	want := (share(2, 21)*share(10, 28) + share(10, 26)*share(6, 22)) / 2
	if got := n.Rows[2]; n.Boxed != 2 || got.Energy.Images != 2 || math.Abs(got.Energy.Mean-want) > 1e-3 || got.Pointing.Mean != 1 {
		t.Errorf("%d images with boxes, energy %+v, want %g, pointing %+v", n.Boxed, got.Energy, want, got.Pointing)
	}
	r.Targets = []attribution.Target{attribution.Class(0)}
	if _, err := NewSession(engine, net).Faithful(t.Context(), r, open("../testdata/ring.png")); err == nil {
		t.Error("no box of the class, and no error")
	}
}

// keptParts keeps parts as JSON, and fails when it has so many new ones.
type keptParts struct {
	parts map[string][]byte
	fresh int
	most  int
}

func (k *keptParts) Part(key string, v any) (bool, error) {
	text, ok := k.parts[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(text, v)
}

func (k *keptParts) Keep(key string, v any) error {
	if k.fresh++; k.fresh > k.most {
		return context.Canceled
	}
	text, err := json.Marshal(v)
	k.parts[key] = text
	return err
}

// TestKept: a measurement that goes on gives what one in a piece gives, and measures only what is missing; other
// options or images are measured anew.
func TestKept(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	source := func(limit int) *images.Inputs {
		list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: limit}, images.Options{})
		if err != nil {
			t.Fatal(err)
		}
		src, err := images.For(list, net)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	methods := []attribution.Method{attribution.Saliency, attribution.SmoothGrad}
	kept := &keptParts{parts: map[string][]byte{}}
	faithful := func(limit int, seed uint64, kept Kept) ([]byte, error) {
		r := Faithful{Methods: methods, Steps: 3, Subsets: 4, Kept: kept}
		r.Seed, r.Samples = seed, 2
		n, err := NewSession(engine, net).Faithful(t.Context(), r, source(limit))
		if err != nil {
			return nil, err
		}
		return json.Marshal(n)
	}
	sanity := func(limit int, seed uint64, kept Kept) ([]byte, error) {
		r := Sanity{Methods: methods, Kept: kept}
		r.Seed, r.Samples = seed, 2
		n, err := NewSession(engine, net).Sanity(t.Context(), r, source(limit))
		if err != nil {
			return nil, err
		}
		return json.Marshal(n)
	}
	for name, c := range map[string]struct {
		run   func(limit int, seed uint64, kept Kept) ([]byte, error)
		parts int // of a run on three images
	}{"faithful": {faithful, 3}, "sanity": {sanity, 2*len(model.Weighted(net)) - 1}} { // the topmost layer alone begins the cascade, too
		want, err := c.run(3, 7, nil)
		if err != nil {
			t.Fatal(err)
		}
		kept.parts = map[string][]byte{}
		kept.fresh, kept.most = 0, 2
		if _, err := c.run(3, 7, kept); !errors.Is(err, context.Canceled) || len(kept.parts) != 2 {
			t.Fatalf("%s: %v, %d parts", name, err, len(kept.parts))
		}
		kept.fresh, kept.most = 0, 1000
		got, err := c.run(3, 7, kept)
		if err != nil || !bytes.Equal(got, want) || kept.fresh != c.parts-2 {
			t.Errorf("%s: %v, measured %d of %d, the same: %v", name, err, kept.fresh, c.parts, bytes.Equal(got, want))
		}
		kept.fresh = 0
		if _, err := c.run(3, 8, kept); err != nil || kept.fresh != c.parts {
			t.Errorf("%s with another seed: %v, measured %d of %d", name, err, kept.fresh, c.parts)
		}
	}
}
