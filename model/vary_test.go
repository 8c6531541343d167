package model_test

import (
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
)

func TestVary(t *testing.T) {
	net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: 32, W: 32}, Classes: []string{"a", "b", "c"}, Width: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v      model.Variation
		layers int // fewer
		shapes map[string]model.Shape
	}{
		{model.Variation{}, 0, map[string]model.Shape{"relu5": {C: 32, H: 8, W: 8}}},
		{model.Variation{Remove: []string{"fc1"}}, 3, map[string]model.Shape{"fc2": {C: 3, H: 1, W: 1, Flat: true}}},                                 // with relu6 and drop
		{model.Variation{Remove: []string{"conv3", "conv4"}}, 6, map[string]model.Shape{"pool2": {C: 16, H: 8, W: 8}, "conv5": {C: 32, H: 8, W: 8}}}, // each with norm and rectifier
		{model.Variation{Width: map[string]float64{"conv3": 2, "fc1": 0.5}}, 0, map[string]model.Shape{"relu3": {C: 48, H: 16, W: 16}, "relu6": {C: 16, H: 1, W: 1, Flat: true}}},
	} {
		got, err := model.Vary(net, c.v)
		if err != nil {
			t.Errorf("%+v: %v", c.v, err)
			continue
		}
		if len(got.Nodes) != len(net.Nodes)-c.layers {
			t.Errorf("%+v: %d layers of %d", c.v, len(got.Nodes), len(net.Nodes))
		}
		shapes, _ := got.Shapes()
		for name, want := range c.shapes {
			if shapes[name] != want {
				t.Errorf("%+v: %s is %v, want %v", c.v, name, shapes[name], want)
			}
		}
	}
	for _, v := range []model.Variation{{Remove: []string{"fc2"}}, {Remove: []string{"pool1"}}, {Remove: []string{"nowhere"}}, {Width: map[string]float64{"conv1": 0}}, {Width: map[string]float64{"relu1": 2}}} {
		if _, err := model.Vary(net, v); err == nil || !strings.Contains(err.Error(), "layer") {
			t.Errorf("%+v: error %v", v, err)
		}
	}
}
