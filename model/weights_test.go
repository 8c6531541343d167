package model_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// TestLoadWeights: a checkpoint is safetensors too, so its weights come back
// into the architecture they are of, and into no other.
func TestLoadWeights(t *testing.T) {
	for _, arch := range model.Arches() {
		net, err := model.Build(arch, model.ArchOptions{Input: model.Input{C: 1, H: 32, W: 32}, Classes: []string{"a", "b", "c"}, Width: 0.25, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := model.Save(path, net, nil); err != nil {
			t.Fatal(err)
		}
		got, err := model.LoadWeights(path, arch, [2]int{})
		if err != nil {
			t.Fatal(err)
		}
		net.Preprocess, got.Preprocess = model.Preprocess{}, model.Preprocess{}
		if got.Hash() != net.Hash() {
			t.Errorf("%s: another network comes back", arch)
		}
		if _, err := model.LoadWeights(path, "resnet18", [2]int{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s as resnet18: error %v", arch, err)
		}
		if _, err := model.LoadWeights(path, "resnet19", [2]int{}); err == nil || !strings.Contains(err.Error(), "resnet18") {
			t.Errorf("resnet19: error %v", err)
		}
	}
	path := filepath.Join(viztest.Shared(t), "data", "safetensors", "mnist-cnn.safetensors")
	net, err := model.LoadWeights(path, "mnist-cnn", [2]int{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := net.Shapes(); err != nil || s[net.Logits].C != 10 || net.Input.C != 1 {
		t.Errorf("%v, %v", s, err)
	}
}

// TestParsePreprocess: presets, settings, and what is wrong with them.
func TestParsePreprocess(t *testing.T) {
	p, crop, err := model.ParsePreprocess("imagenet,size=232,std=.5")
	if err != nil || p.Short != 232 || crop != [2]int{224, 224} || len(p.Mean) != 3 || len(p.Fill(3).Std) != 3 || p.Fill(3).Std[2] != .5 {
		t.Errorf("%+v, %v, %v", p, crop, err)
	}
	p, crop, err = model.ParsePreprocess("scale=2/255,mean=1/1/1,order=bgr,crop=20x30")
	if err != nil || !p.BGR || p.Scale != 2./255 || crop != [2]int{20, 30} {
		t.Errorf("%+v, %v, %v", p, crop, err)
	}
	for spec, want := range map[string]string{"vgg": "no preset", "unit,raw": "no preset", "size=-1": "short side", "crop=0": "ROWSxCOLUMNS",
		"scale=1/0": "positive", "std=0": "numbers", "mean=": "numbers", "order=grb": "rgb or bgr", "x=1": "no setting"} {
		if _, _, err := model.ParsePreprocess(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", spec, err, want)
		}
	}
}
