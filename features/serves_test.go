package features

import (
	"errors"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
)

// TestServes: an index serves for its own network, layers and images, and not for others.
func TestServes(t *testing.T) {
	x := &Index{Model: "abc", Images: 5, TopK: 2, Source: Source{Names: "n", Sizes: "s"},
		Layers: []Layer{{Name: "relu1", H: 3, W: 4, Top: [][]Hit{{{Value: 3}, {Value: 2}}, {{Value: 1}}}}}}
	shapes := map[string]model.Shape{"relu1": {C: 2, H: 3, W: 4}, "relu2": {C: 1, H: 1, W: 1}}
	if err := x.Serves("abc", shapes, []string{"relu1"}, 2); err != nil {
		t.Error(err)
	}
	if err := errors.Join(x.IsOf(5, "n", "s"), x.IsOf(5, "n", "")); err != nil {
		t.Error(err)
	}
	other := map[string]model.Shape{"relu1": {C: 2, H: 4, W: 3}}
	for want, err := range map[string]error{
		"of model abc, the network is abd":       x.Serves("abd", shapes, nil, 1),
		"does not hold layer relu2":              x.Serves("abc", shapes, []string{"relu1", "relu2"}, 1),
		"has layer relu1 as 2x3x4, want":         x.Serves("abc", other, []string{"relu1"}, 1),
		"keeps the 2 strongest":                  x.Serves("abc", shapes, []string{"relu1"}, 3),
		"of other images: 5 of them, here are 5": x.IsOf(5, "m", "s"),
		"have changed":                           x.IsOf(5, "n", "t"),
		"of other images: 5 of them, here are 6": x.IsOf(6, "n", "s"),
	} {
		if _, ok := errors.AsType[*Mismatch](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	x.Keep(1)
	if top := x.Layers[0].Top; len(top[0]) != 1 || top[0][0].Value != 3 || len(top[1]) != 1 {
		t.Errorf("the strongest are %v", top)
	}
}
