package deconv_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// TestGradCAMTokens compares class activation maps over the tokens of small
// transformers with PyTorch's: autograd's gradient at the block's output, class
// tokens left out, for the input (37i mod 101)/50 - 1.
func TestGradCAMTokens(t *testing.T) {
	for _, c := range []struct {
		net, layer string
		class      int
		want       []float32
	}{
		{"vit", "/head/ViT/Sequential_21/Block_26/Add_34", 2, []float32{0.0178298, 0.00860936, 0, 0, 0, 0.0105277, 0.000419221, 0.00134542,
			0, 0, 0.00253162, 0.00459042, 0.0140772, 0.00278304, 0, 0.00137948}},
		{"deit_distilled", "/bl/bl.0/Add_1", 1, []float32{0, 0, 0, 0.000763201, 0.0110105, 0.01575, 0.00773322, 0.0031734,
			0.00126133, 0.00301751, 0.00388489, 0.00555843, 0.0179882, 0, 0, 0}},
		{"vit_gap_optimised", "/norm/LayerNormalization_output_0/add", 3, []float32{0, 0.027882, 0.0199319, 0, 0, 0, 0.00529451, 0.00948403,
			0, 0.012542, 0.0349557, 0.0295028, 0.00332428, 0.0198466, 0, 0.011454}},
		{"swin", "/a/a.3/Add_1", 1, []float32{0.0158011, 0.0182725, 0.016264, 0.0113878, 0.0130284, 0.0139874, 0, 0.0207236,
			0.018693, 0.0051004, 0.00951257, 0, 0, 0, 0.00780475, 0.00732012}},
	} {
		net := family(t, c.net)
		engine := model.NewEngine(1)
		defer engine.Close()
		keep, err := deconv.GradCAMKeep(net, c.layer)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := engine.Compile(net, keep)
		if err != nil {
			t.Fatal(err)
		}
		x := tensor.New(1, 3, 32, 32)
		for i := range x.Data {
			x.Data[i] = float32(37*i%101)/50 - 1
		}
		trace, err := plan.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		cam, err := deconv.GradCAM(engine, trace, 0, c.layer, model.Target{Class: c.class})
		if err != nil {
			t.Fatalf("%s: %v", c.net, err)
		}
		if err := viztest.Close(cam, c.want, 2e-5); err != nil {
			t.Errorf("%s: %v", c.net, err)
		}
		if _, err := deconv.GradCAMAt(engine, trace, 0, c.layer, model.Places{H: 9, W: 9, Channels: 8, Last: true}, model.Target{}); err == nil {
			t.Errorf("%s: 9x9 places: no error", c.net)
		}
	}
}

// family reads a network of model/onnx/testdata/nets.
func family(t *testing.T, name string) *model.Network {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "model", "onnx", "testdata", "nets", name+".onnx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	net, err := onnx.Read(data, name)
	if err != nil {
		t.Fatal(err)
	}
	return net
}
