package open

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Inputs beside the picture get their values from options, files or the notes.
// Expected probabilities are PyTorch's.
func TestSet(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "two-inputs.onnx")
	for _, file := range []string{"two-inputs.onnx", "meta.npy"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	x := tensor.New(1, 3, 2, 2)
	for i := range x.Data {
		x.Data[i] = float32(i*5%9-4) / 2
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	check := func(o Options, want float64) {
		t.Helper()
		net, err := Network(name, o)
		if err != nil {
			t.Errorf("%+v: %v", o, err)
			return
		}
		trace, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		if got := net.Probabilities(trace.Value(net.Logits).Data)[0]; math.Abs(got-want) > 1e-6 {
			t.Errorf("%+v: %v, want %v", o, got, want)
		}
	}
	zero, other := 0.2929985523223877, 0.8051450252532959
	check(Options{Set: map[string]string{"meta": "0,0"}}, zero)
	check(Options{Set: map[string]string{"meta": "0"}}, zero)
	check(Options{Set: map[string]string{"meta": "0.5, 2"}}, other)
	check(Options{Set: map[string]string{"meta": "@" + filepath.Join(dir, "meta.npy")}}, other)
	_, err := Network(name, Options{})
	if e, ok := errors.AsType[*OpenValues](err); !ok || e.Err.Picture != "picture" || e.Err.Others[0].Name != "meta" {
		t.Errorf("no value: %v", err)
	}
	for _, bad := range []map[string]string{{"meta": "1,2,3"}, {"meta": "a"}, {"mate": "0"}, {"meta": "@nothing.npy"}} {
		if _, err := Network(name, Options{Set: bad}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if err := (&Notes{Set: map[string]string{"meta": "@meta.npy"}, Scores: "sigmoid"}).Write(name); err != nil {
		t.Fatal(err)
	}
	net, err := Network(name, Options{Scores: "softmax"})
	if err != nil || net.Scores != model.SoftmaxScores {
		t.Errorf("the option does not go before the notes: %v", err)
	}
	check(Options{Scores: "softmax"}, other)
	if net, err = Network(name, Options{}); err != nil || net.Scores != model.SigmoidScores {
		t.Errorf("the notes' scores are not used: %v", err)
	}
}
