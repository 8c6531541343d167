package sweep

import (
	"strings"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
)

// TestRelabel trains on true and on permuted labels, the same each time.
func TestRelabel(t *testing.T) {
	data, err := images.OpenData(t.Context(), images.Spec{Data: "shapes", Seed: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: 32, W: 32}, Classes: data.Classes, Width: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	net.Preprocess.Scale = 1.0 / 255
	engine := model.NewEngine(1)
	defer engine.Close()
	r := Relabel{Images: 20, Steps: 60, Seed: 3}
	one, err := r.Run(t.Context(), engine, net, data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Relabel{Images: 20, Steps: 60, Seed: 3}.Run(t.Context(), engine, net, data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(one) != 2 || one[0].Name != "true labels" || one[1].Name != "permuted labels" || one[0].Images != 20 {
		t.Fatalf("%+v", one)
	}
	if one[0].Net.Hash() == one[1].Net.Hash() || one[0].Net.Hash() != again[0].Net.Hash() || one[1].Net.Hash() != again[1].Net.Hash() {
		t.Error("both networks are one, or another the second time")
	}
	for _, n := range one {
		if n.Accuracy < 0.5 {
			t.Errorf("%s: only %.2f are learned", n.Name, n.Accuracy)
		}
	}
	net.Classes = append([]string{"other"}, net.Classes[1:]...)
	if _, err := r.Run(t.Context(), engine, net, data, Options{}); err == nil || !strings.Contains(err.Error(), "that are not the network's") {
		t.Errorf("other classes: %v", err)
	}
	if _, err := (Relabel{Steps: -1}).Run(t.Context(), engine, net, data, Options{}); err == nil {
		t.Error("-1 steps are taken")
	}
}
