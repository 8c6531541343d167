package attribution_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// TestTokens: class activation maps over a transformer's tokens, the class token left
// out. Grad-CAM's values are PyTorch's for the input (37i mod 101)/50 - 1.
func TestTokens(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "model", "onnx", "testdata", "nets", "vit.onnx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	net, err := onnx.Read(data, "vit")
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(1, 3, 32, 32)
	for i := range x.Data {
		x.Data[i] = float32(37*i%101)/50 - 1
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	e := attribution.New(engine, net)
	if got := explain(t, e, x, attribution.Request{Method: attribution.GradCAM})[0]; !slices.Equal(got.Layers, []string{net.LastTokens()}) {
		t.Errorf("layer %v, want the last tokens, %s", got.Layers, net.LastTokens())
	}
	for _, m := range attribution.Methods() {
		if !m.AtLayer() {
			continue
		}
		r := attribution.Request{Method: m, Layers: []string{"/head/ViT/Sequential_21/Block_26/Add_34"}, Targets: []attribution.Target{attribution.Class(2)}}
		got := explain(t, e, x, r)[0]
		if !slices.Equal(got.Shape, []int{4, 4}) || !slices.ContainsFunc(got.Values, func(v float32) bool { return v != 0 }) {
			t.Errorf("%s: shape %v, values %v", m, got.Shape, got.Values)
		}
		if m == attribution.GradCAM {
			viztest.AllClose(t, got.Plane(), []float32{0.0178298, 0.00860936, 0, 0, 0, 0.0105277, 0.000419221, 0.00134542,
				0, 0, 0.00253162, 0.00459042, 0.0140772, 0.00278304, 0, 0.00137948}, 2e-5)
		}
		r.Tokens = [2]int{2, 8}
		if got := explain(t, e, x, r)[0]; !slices.Equal(got.Shape, []int{2, 8}) {
			t.Errorf("%s: shape %v", m, got.Shape)
		}
		r.Tokens = [2]int{9, 9}
		if _, err := e.Explain(t.Context(), x, r); err == nil {
			t.Errorf("%s: 9x9 tokens: no error", m)
		}
	}
}
