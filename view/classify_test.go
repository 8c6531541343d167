package view

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// TestEvaluate counts by hand what Classify says of the same images, and leaves out an image that cannot be read.
func TestEvaluate(t *testing.T) {
	s, _ := ring(t)
	src := testSource(t, s.Net, "shapes", 130) // more than a batch
	e, err := s.Evaluate(context.Background(), Evaluate{}, src)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Classifier(Classify{Top: 3})
	if err != nil {
		t.Fatal(err)
	}
	correct, loss := 0, 0.0
	for i := range src.Len() {
		x, err := src.Load(i)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Classify(src, i, x)
		if err != nil || len(r.Top) != 3 || *r.Label != src.Items[i].Label {
			t.Fatalf("%+v, %v", r, err)
		}
		if r.Top[0].Shown() < r.Top[1].Shown() || r.Top[1].Shown() < r.Top[2].Shown() {
			t.Errorf("image %d: %v is not in order", i, r.Top)
		}
		for _, top := range r.Top {
			if top.Class == *r.Label {
				loss -= math.Log(top.Shown())
			}
		}
		if r.Top[0].Class == *r.Label {
			correct++
		}
	}
	if e.Images != 130 || e.Correct != correct || e.Accuracy != float64(correct)/130 || math.Abs(e.Loss-loss/130) > 1e-4 {
		t.Errorf("%d of %d right, loss %.6f, want %d of 130, loss %.6f", e.Correct, e.Images, e.Loss, correct, loss/130)
	}
	bad := *src.List
	bad.Items = append([]images.Item{}, src.Items...)
	bad.Items[3].Label = 77
	if _, err := s.Evaluate(context.Background(), Evaluate{}, &images.Inputs{List: &bad, Net: s.Net}); err == nil {
		t.Error("label 77 of 10 classes is counted")
	}
}

// TestNotClasses: a network of values has no accuracy.
func TestNotClasses(t *testing.T) {
	_, err := ClassScores(viztest.OneOutput(model.RawScores))
	if _, ok := errors.AsType[*NotClasses](err); !ok {
		t.Errorf("got %v", err)
	}
}

// TestParseTopLayers: names that stand for layers, and a network that has none such.
func TestParseTopLayers(t *testing.T) {
	s, _ := ring(t)
	got, err := ParseTopLayers(s.Net, "last, top,1")
	if err != nil || len(got) != 3 || got[0] != "relu5" || got[2] != "relu1" {
		t.Errorf("%v, %v", got, err)
	}
	_, err = ParseTopLayers(&model.Network{Name: "none"}, "last")
	if e, ok := errors.AsType[*NoLayer](err); !ok || e.Name != "last" {
		t.Errorf("got %v", err)
	}
	if _, err := ParseTransforms("shift-y,turn"); err == nil {
		t.Error("a transform that there is not is taken")
	}
}

// TestDiagnose: only the layers asked for, with the maps that never fire if images were looked at.
func TestDiagnose(t *testing.T) {
	s, _ := ring(t)
	src := testSource(t, s.Net, "shapes", 5)
	index, err := features.Collect(context.Background(), s.Engine, s.Net, src, features.Options{Top: 1})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Diagnose("x", []string{"conv2"}, index, src)
	if err != nil || len(d.Layers) != 1 || d.Layers[0].Layer != "conv2" || d.Images != 5 || d.Layers[0].Silent == nil {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = s.Diagnose("x", []string{"conv2"}, nil, nil); err != nil || d.Images != 0 || d.Layers[0].Silent != nil {
		t.Errorf("without images: %+v, %v", d, err)
	}
}
