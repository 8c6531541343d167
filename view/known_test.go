package view

import (
	"math"
	"strings"
	"testing"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestScoresThatAreNoNumbers: a network whose values overflow has no classes to name, no accuracy, and no maps or curves;
// the error says for which image and where.
func TestScoresThatAreNoNumbers(t *testing.T) {
	net, err := model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 1, H: 8, W: 8}, Classes: []string{"a", "b"}, Width: 0.1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range net.Nodes {
		if l, ok := net.Nodes[i].Layer.(*model.Conv); ok {
			for k := range l.Weight.Data {
				l.Weight.Data[k] = float32(math.Copysign(1e38, float64(l.Weight.Data[k])))
			}
		}
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	s := NewSession(engine, net)
	x := tensor.New(1, 1, 8, 8)
	for i := range x.Data {
		x.Data[i] = 9
	}
	src, err := images.For(images.Single(images.Picture{Name: "nine.npy", Array: x}), net)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Classifier(Classify{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Classify(src, 0, x); err == nil || !strings.Contains(err.Error(), "nine.npy: value 0 of layer "+net.Logits) {
		t.Error(err)
	}
	src.Items[0].Label, src.Classes = 1, net.Classes
	if _, err := s.Evaluate(t.Context(), Evaluate{}, src); err == nil || !strings.Contains(err.Error(), "nine.npy: value 0 of layer "+net.Logits) {
		t.Error(err)
	}
	in := InputOf(src, 0, x)
	conv := net.ConvLayers()[1]
	cam, acts := GradCAM{Layer: conv}, Activations{Layers: []string{conv}}
	for name, look := range map[string]func() error{
		"nine.npy: value 0 of layer " + net.Logits: func() error {
			plan, err := cam.Plan(s)
			if err != nil {
				return err
			}
			trace, err := plan.Run(x)
			if err != nil {
				return err
			}
			_, err = s.GradCAM(cam, trace, in)
			return err
		},
		"nine.npy: value 0 of layer " + conv: func() error {
			plan, err := acts.Plan(s, false)
			if err != nil {
				return err
			}
			trace, err := plan.Run(x)
			if err != nil {
				return err
			}
			_, err = s.Activations(acts, trace, in)
			return err
		},
		"nine.npy: shift-y: distance 0 of layer " + conv: func() error {
			r := Invariance{Layers: []string{conv}, Transforms: []experiments.Transform{experiments.ShiftY}}
			return r.Measure(t.Context(), s, src, 0, x)
		},
	} {
		if err := look(); err == nil || !strings.Contains(err.Error(), name+" is ") {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}
