package onnx_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// photo loads a picture as the network sees it.
func photo(t *testing.T, net *model.Network, path string) *tensor.Tensor {
	t.Helper()
	img, err := imageio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := net.Preprocess.Tensor(img, net.Input)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// scores returns the probabilities of every image of x.
func scores(t *testing.T, net *model.Network, x *tensor.Tensor) [][]float64 {
	t.Helper()
	engine := model.NewEngine(2)
	defer engine.Close()
	plan, err := engine.Compile(net, model.Keep{Layers: []string{net.Logits}})
	if err != nil {
		t.Fatal(err)
	}
	trace, err := plan.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for i := range trace.N() {
		row := trace.Value(net.Logits).Slice(i, i+1).Data
		top, sum := float64(slices.Max(row)), 0.0
		p := make([]float64, len(row))
		for j, v := range row {
			p[j] = math.Exp(float64(v) - top)
			sum += p[j]
		}
		for j := range p {
			p[j] /= sum
		}
		out = append(out, p)
	}
	return out
}

// TestModels holds networks that others trained to what ONNX Runtime answers:
// the same first class, and probabilities within 1e-4 (expected.json has them
// rounded to 1e-5). The jpeg pictures of Tiny VGG were decoded by libjpeg, whose
// cosine transform rounds otherwise than Go's: some pixels differ by a few
// levels, and probabilities by up to 1.2e-3.
func TestModels(t *testing.T) {
	data := filepath.Join(viztest.Shared(t), "data")
	text, err := os.ReadFile(filepath.Join(data, "models", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	load := func(file string, p model.Preprocess, into any) *model.Network {
		t.Helper()
		net, err := onnx.Import(filepath.Join(data, "models", file))
		if err != nil {
			t.Fatal(err)
		}
		net.Preprocess = p
		if err := json.Unmarshal(raw[file], into); err != nil {
			t.Fatal(err)
		}
		return net
	}
	pictures := []struct {
		file, folder string
		p            model.Preprocess
		tol          float64
	}{
		{"squeezenet1_1-imagenet.onnx", "crop224", model.Preprocess{Scale: 1, BGR: true, Mean: []float32{104, 117, 123}}, 1e-4},
		{"tiny-vgg.onnx", "tiny-vgg64", model.Preprocess{Scale: 1. / 255}, 2e-3},
	}
	for _, c := range pictures {
		t.Run(c.file, func(t *testing.T) {
			var want struct {
				Photos map[string]struct {
					Top5 []struct {
						Index int
						Prob  float64
					}
				}
			}
			net := load(c.file, c.p, &want)
			if len(want.Photos) == 0 {
				t.Fatal("no photos in expected.json")
			}
			for name, w := range want.Photos {
				if testing.Short() && c.tol < 1e-3 && name != "chelsea.png" {
					continue
				}
				p := scores(t, net, photo(t, net, filepath.Join(data, "photos", c.folder, name)))[0]
				worst := 0.0
				for k, top := range w.Top5 {
					worst = max(worst, math.Abs(p[top.Index]-top.Prob))
					if k == 0 && slices.Index(p, slices.Max(p)) != top.Index {
						t.Errorf("%s: class %d, want %d", name, slices.Index(p, slices.Max(p)), top.Index)
					}
				}
				if worst > c.tol {
					t.Errorf("%s: a probability is off by %.2g, tolerance %g", name, worst, c.tol)
				}
			}
		})
	}
	cifar := []struct {
		file string
		p    model.Preprocess
	}{
		{"convnetjs-cifar10.onnx", model.Preprocess{Scale: 1. / 255, Mean: []float32{.5, .5, .5}}},
		{"resnet8-cifar10.onnx", model.Preprocess{Scale: 1}},
	}
	for _, c := range cifar {
		t.Run(c.file, func(t *testing.T) {
			var want map[string]struct {
				Images, Correct int
				First10         []int       `json:"first10_predictions"`
				First3          [][]float64 `json:"first3_probs"`
			}
			net := load(c.file, c.p, &want)
			w := want["cifar-10-lossless/test_batch.bin.gz"]
			if w.Images == 0 {
				t.Fatal("no CIFAR results in expected.json")
			}
			f, err := os.Open(filepath.Join(data, "cifar-10-lossless", "test_batch.bin.gz"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			records, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			const size = 3 * 32 * 32
			n := len(records) / (1 + size)
			if testing.Short() {
				n = 20
			}
			x := tensor.New(n, 3, 32, 32)
			for i := range n {
				net.Preprocess.Apply(records[i*(1+size)+1:(i+1)*(1+size)], net.Input, x.Data[i*size:])
			}
			correct := 0
			for i, p := range scores(t, net, x) {
				class := slices.Index(p, slices.Max(p))
				if class == int(records[i*(1+size)]) {
					correct++
				}
				if i < len(w.First10) && class != w.First10[i] {
					t.Errorf("image %d: class %d, want %d", i, class, w.First10[i])
				}
				if i < len(w.First3) {
					for k, v := range w.First3[i] {
						if math.Abs(p[k]-v) > 1e-4 {
							t.Errorf("image %d, class %d: probability %g, want %g", i, k, p[k], v)
						}
					}
				}
			}
			if !testing.Short() && (n != w.Images || correct != w.Correct) {
				t.Errorf("%d of %d right, want %d of %d", correct, n, w.Correct, w.Images)
			}
		})
	}
}

// TestBackend runs ONNX's own operator cases: each must give the stored outputs
// within 1e-4, or be refused for a reason that is right. Inputs after the first
// of floats are bound as constants.
func TestBackend(t *testing.T) {
	cases(t, filepath.Join(viztest.Shared(t), "data", "onnx", "backend", "*", "*"), map[string]bool{
		"test_convinteger_without_padding": true, "test_convinteger_with_padding": true, // quantised
		"test_maxunpool_export_without_output_shape": true, "test_maxunpool_export_with_output_shape": true, // not an operator of convnets going up
	})
}

// TestExporters runs whole networks by CNTK, PyTorch, tf2onnx and keras2onnx.
func TestExporters(t *testing.T) {
	cases(t, filepath.Join(viztest.Shared(t), "data", "onnx", "models", "*"), nil)
}

// cases runs all folders that match and logs what became of each.
func cases(t *testing.T, glob string, mayRefuse map[string]bool) {
	dirs, err := filepath.Glob(filepath.Join(glob, "model.onnx"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases in %s (%v)", glob, err)
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	passed, refused, failed := 0, 0, 0
	for _, path := range dirs {
		dir := filepath.Dir(path)
		name := filepath.Base(dir)
		worst, err := runCase(engine, dir)
		u, isRefusal := errors.AsType[*onnx.Unsupported](err)
		switch {
		case err == nil:
			passed++
			t.Logf("%-70s passed, off by %.1e", name, worst)
		case isRefusal && mayRefuse[name]:
			refused++
			t.Logf("%-70s refused: %v", name, u.Ops[0])
		default:
			failed++
			t.Errorf("%-70s FAILED: %v", name, err)
		}
	}
	t.Logf("%d passed, %d refused, %d failed", passed, refused, failed)
}

// runCase runs one case and returns by how much its outputs are off, relative to
// the largest value of each.
func runCase(engine *model.Engine, dir string) (worst float64, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return 0, err
	}
	names, err := onnx.Inputs(data)
	if err != nil {
		return 0, err
	}
	load := func(kind string, i int) (onnx.Value, error) {
		msg, err := os.ReadFile(filepath.Join(dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i)))
		if err != nil {
			return onnx.Value{}, err
		}
		return onnx.Tensor(msg)
	}
	o := onnx.Options{Bind: map[string]onnx.Value{}}
	var picture *onnx.Value
	for i, in := range names {
		v, err := load("input", i)
		if err != nil {
			return 0, err
		}
		if picture == nil && v.F != nil {
			picture = &v
			continue
		}
		o.Bind[in] = v
	}
	g, err := onnx.ReadGraph(data, o)
	if err != nil {
		return 0, err
	}
	in := g.Net.Input
	x := tensor.New(1, in.C, in.H, in.W)
	if picture != nil {
		// The channels of an input with them last are where they belong only if there is one.
		n := len(picture.F) / in.Shape().Len()
		x = tensor.From(picture.F, n, in.C, in.H, in.W)
	}
	trace, err := engine.Forward(g.Net, x)
	if err != nil {
		return 0, err
	}
	for i, out := range g.Outputs {
		want, err := load("output", i)
		if err != nil {
			return 0, err
		}
		numbers := want.F
		for _, v := range want.I {
			numbers = append(numbers, float32(v))
		}
		if !slices.Equal(out.Dims, want.Dims) {
			return 0, fmt.Errorf("output %s is %v, want %v", out.Name, out.Dims, want.Dims)
		}
		got := trace.Value(out.Layer).Data
		if err := viztest.Close(got, numbers, 1e-4); err != nil {
			return 0, fmt.Errorf("output %s: %w", out.Name, err)
		}
		top, off := 1e-30, 0.0
		for j, v := range numbers {
			top, off = max(top, math.Abs(float64(v))), max(off, math.Abs(float64(v)-float64(got[j])))
		}
		worst = max(worst, off/top)
	}
	return worst, nil
}

// TestForeignOperators: everything that is in the way is listed at once.
func TestForeignOperators(t *testing.T) {
	_, err := onnx.Import(filepath.Join(viztest.Shared(t), "data", "onnx", "models", "unsupported-quant-domain.onnx"))
	u, ok := errors.AsType[*onnx.Unsupported](err)
	if !ok {
		t.Fatalf("error %v, want *Unsupported", err)
	}
	if len(u.Ops) < 10 || !strings.Contains(u.Error(), "Quant_0 (qonnx.custom_op.general.Quant") {
		t.Errorf("%d operators listed: %v", len(u.Ops), u)
	}
}
