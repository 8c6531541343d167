package onnx_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// netOutput is what another program gives for an output of a network: its dims,
// and its first values.
type netOutput struct {
	Dims   []int     `json:"dims"`
	Values []float32 `json:"values"`
}

// waves is the input for which testdata/nets/expected.json was made.
func waves(in model.Input) *tensor.Tensor {
	x := tensor.New(1, in.C, in.H, in.W)
	for i := range x.Data {
		x.Data[i] = float32((37*i)%101)/50 - 1
	}
	return x
}

// readNets reads the networks of testdata/nets by name.
func readNets(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "nets", "*.onnx*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		out[name] = data
	}
	return out
}

// TestNets reads the small networks of testdata/nets and compares their outputs
// with ONNX Runtime's, or NumPy's (see testdata/SOURCES.md).
func TestNets(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "nets", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]netOutput{}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	nets := readNets(t)
	if len(nets) != len(want) {
		t.Fatalf("%d files, want %d", len(nets), len(want))
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	for name, outs := range want {
		t.Run(name, func(t *testing.T) {
			g, err := onnx.ReadGraph(nets[name], onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			x := waves(g.Net.Input)
			if lastChannels[name] {
				x = channelsFirst(x)
			}
			trace, err := engine.Forward(g.Net, x)
			if err != nil {
				t.Fatal(err)
			}
			for i, out := range g.Outputs {
				if !slices.Equal(out.Dims, outs[i].Dims) {
					t.Errorf("output %s is %v, want %v", out.Name, out.Dims, outs[i].Dims)
				}
				got := trace.Value(out.Layer).Data
				if err := viztest.Close(got[:len(outs[i].Values)], outs[i].Values, 2e-5); err != nil {
					t.Errorf("output %s: %v", out.Name, err)
				}
			}
		})
	}
}

// lastChannels are the networks whose input is seen with the channels last.
var lastChannels = map[string]bool{"nhwcconv": true, "nhwcfusedconv": true, "nhwcmaxpool": true, "groupnorm_ms": true, "skipgroupnorm": true}

// channelsFirst is x, whose numbers are [H, W, C], as [C, H, W].
func channelsFirst(x *tensor.Tensor) *tensor.Tensor {
	c, h, w := x.Shape[1], x.Shape[2], x.Shape[3]
	out := tensor.New(1, c, h, w)
	for i := range h * w {
		for k := range c {
			out.Data[k*h*w+i] = x.Data[i*c+k]
		}
	}
	return out
}

// TestLastTokens: a transformer's decision rests on what the last attention, or a
// mean over all tokens, looks at.
func TestLastTokens(t *testing.T) {
	nets := readNets(t)
	for name, want := range map[string]string{
		"vit":            "/head/ViT/Sequential_21/Block_27/LayerNorm_29",
		"deit_distilled": "/bl/bl.1/n1/LayerNormalization", "deit_distilled_23": "/bl/bl.1/n1/LayerNormalization",
		"clip_image":      "/v/bl/bl.1/n1/LayerNormalization",
		"swin":            "/n/LayerNormalization",
		"efficientformer": "/nn/LayerNormalization",
		"convnext":        "", "convnextv2": "", "mobilevit": "",
	} {
		if got := load(t, nets[name]).LastTokens(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
