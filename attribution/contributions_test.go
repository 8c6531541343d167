package attribution_test

import (
	"math"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// TestContributions: with one dense layer above, maps add up to the score but for the bias, and taking a map
// away costs what it adds. Over all maps they are the sum of HiResCAM.
func TestContributions(t *testing.T) {
	net, err := builtin.Load("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	list, err := images.Open(t.Context(), images.Spec{Data: "shapes", Limit: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := images.For(list, net)
	if err != nil {
		t.Fatal(err)
	}
	x, err := src.Load(0)
	if err != nil {
		t.Fatal(err)
	}
	e := attribution.New(engine, net)
	for _, layer := range net.ConvLayers() {
		got, err := e.Contributions(t.Context(), x, attribution.Class(3), layer, [2]int{})
		if err != nil {
			t.Fatal(err)
		}
		cam, err := e.Explain(t.Context(), x, attribution.Request{Method: attribution.HiResCAM, Targets: []attribution.Target{attribution.Class(3)}, Layers: []string{layer}})
		if err != nil {
			t.Fatal(err)
		}
		var sum, want, most float64
		for _, v := range got {
			sum += v
			most = max(most, math.Abs(v))
		}
		for _, v := range cam[0].Values {
			want += float64(v)
		}
		if most == 0 || math.Abs(sum-want) > 1e-4*most {
			t.Errorf("%s: maps add up to %g, HiResCAM to %g; the largest is %g", layer, sum, want, most)
		}
	}
	if _, err := e.Contributions(t.Context(), x, attribution.Class(3), "nowhere", [2]int{}); err == nil {
		t.Error("no error for a layer that is not there")
	}
}
