package open

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/onnx"
)

func TestNetwork(t *testing.T) {
	dir := t.TempDir()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	ckpt, file := filepath.Join(dir, "net.bin"), filepath.Join(dir, "net.onnx")
	if err := model.Save(ckpt, net, nil); err != nil {
		t.Fatal(err)
	}
	if err := onnx.Export(file, net, 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shapes", ckpt, file} {
		got, err := Network(name, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Input != net.Input && name != file || len(got.Classes) != len(net.Classes) {
			t.Errorf("%s: input %v and %d classes, want %v and %d", name, got.Input, len(got.Classes), net.Input, len(net.Classes))
		}
	}
	// Notes go before the file, options before the notes.
	notes := &Notes{Preprocess: &model.Preprocess{Scale: 2}}
	if err := notes.Write(file); err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]float32{"": 2, "scale=3": 3} {
		got, err := Network(file, Options{Preprocess: spec})
		if err != nil {
			t.Fatal(err)
		}
		if got.Preprocess.Scale != want {
			t.Errorf("--preprocess %q: scale %g, want %g", spec, got.Preprocess.Scale, want)
		}
	}
	if before, _ := builtin.Load("shapes"); before.Preprocess.Scale == 3 {
		t.Error("options changed the built-in network")
	}
}

func TestNetworkErrors(t *testing.T) {
	dir := t.TempDir()
	labels := filepath.Join(dir, "labels.txt")
	if err := os.WriteFile(labels, []byte("one\ntwo\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Network(filepath.Join(dir, "none.bin"), Options{}); !as[*Missing](err) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Network("shapes", Options{Labels: labels}); err == nil {
		t.Error("two names are taken for ten classes")
	}
	for _, o := range []Options{{Preprocess: "nonsense"}, {InputSize: [2]int{64, 64}}} {
		if _, err := Network("shapes", o); !as[*OptionError](err) {
			t.Errorf("%+v: %v, want an OptionError", o, err)
		}
	}
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
