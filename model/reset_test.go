package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
)

// A network reset for other classes has the same layers, new weights, and fits.
func TestReset(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	before := net.Hash()
	a, err := model.Reset(net, []string{"x", "y", "z"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := model.Reset(net, []string{"x", "y", "z"}, 1)
	c, _ := model.Reset(net, []string{"x", "y", "z"}, 2)
	if a.Hash() != b.Hash() || a.Hash() == c.Hash() || net.Hash() != before {
		t.Error("the weights are not a function of the seed alone, or the network was changed")
	}
	shapes, err := a.Shapes()
	if err != nil || shapes[a.Logits].C != 3 || len(a.Nodes) != len(net.Nodes) {
		t.Errorf("scores are %v: %v", shapes[a.Logits], err)
	}
	if _, err := model.Reset(net, []string{"x"}, 1); err == nil {
		t.Error("no error for one class")
	}
	for _, arch := range model.Arches() {
		in := model.Input{C: 1, H: 28, W: 28}
		n, err := model.Build(arch, model.ArchOptions{Input: in, Classes: []string{"a", "b"}, Width: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Reset(n, []string{"a", "b", "c"}, 1); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
	}
}

// Weights are drawn anew where it is asked for, from the seed and the place alone.
func TestRedraw(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	all := model.Weighted(net)
	if len(all) < 4 || all[len(all)-1] != net.Logits {
		t.Fatalf("nodes with weights: %v", all)
	}
	before := net.Hash()
	same := func(a, b *model.Network, name string) bool { // the layer's weights
		one := func(n *model.Network) string {
			only := &model.Network{Input: n.Input, Nodes: []model.Node{*n.Node(name)}}
			return only.Hash()
		}
		return one(a) == one(b)
	}
	two, err := model.Redraw(net, all[1:3], 5)
	if err != nil {
		t.Fatal(err)
	}
	three, err := model.Redraw(net, all[1:4], 5)
	if err != nil {
		t.Fatal(err)
	}
	other, err := model.Redraw(net, all[1:3], 6)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range all {
		changed := i == 1 || i == 2
		if same(net, two, name) == changed || changed && !same(two, three, name) {
			t.Errorf("%s: wrong weights", name)
		}
	}
	if net.Hash() != before || two.Hash() == other.Hash() {
		t.Error("the network was changed, or the seed says nothing")
	}
	if _, err := model.Redraw(net, []string{"none"}, 1); err == nil {
		t.Error("no error for a layer that there is not")
	}
}

// Fixed scores are the new weights times the layer's values.
func TestFixed(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	engine := model.NewEngine(1)
	defer engine.Close()
	shapes, _ := net.Shapes()
	for _, layer := range []string{"pool3", "relu6"} {
		w := randomTensor(rng, 2, shapes[layer].Len())
		fixed, err := model.Fixed(net, layer, w, []float32{1, 2}, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		x := randomTensor(rng, 1, 3, 32, 32)
		got, err := engine.Forward(fixed, x)
		if err != nil {
			t.Fatal(err)
		}
		old, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		want := 2.0
		for i, v := range old.Value(layer).Data {
			want += float64(v) * float64(w.Data[shapes[layer].Len()+i])
		}
		if g := float64(got.Value(fixed.Logits).Data[1]); g-want > 1e-3 || want-g > 1e-3 {
			t.Errorf("%s: score %v, want %v", layer, g, want)
		}
	}
	if _, err := model.Fixed(net, "nowhere", tensor.New(2, 3), nil, nil); err == nil {
		t.Error("no error for an unknown layer")
	}
}
