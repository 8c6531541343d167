package onnx_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// quantised are the networks of testdata/quantised.json, with what ONNX Runtime
// 1.30 gives for pattern as input, and the largest error allowed: a step of the
// output's scaling where sums of integers are rounded to one.
func quantised(t testing.TB) map[string]recorded { return recordings(t, "testdata/quantised.json") }

func recordings(t testing.TB, path string) map[string]recorded {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]recorded
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A recorded network has outputs as the graph has them: the integers if they are quantised.
type recorded struct {
	Step  float64
	Model string
	Want  map[string][]float32
}

func (r recorded) graph(t *testing.T) *onnx.Graph {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(r.Model)
	if err != nil {
		t.Fatal(err)
	}
	if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	g, err := onnx.ReadGraph(data, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// pattern is ((37 i) mod 101)/50 - 1.
func pattern(in model.Input) *tensor.Tensor {
	x := tensor.New(1, in.C, in.H, in.W)
	for i := range x.Data {
		x.Data[i] = float32(float64(37*i%101)/50 - 1)
	}
	return x
}

func TestQuantised(t *testing.T) { compareRecorded(t, quantised(t), 25) }

// TestFamilies: networks of two to five blocks as their exporters write them, TFLite and Keras
// among them, give what ONNX Runtime gives.
func TestFamilies(t *testing.T) { compareRecorded(t, recordings(t, "testdata/families.json"), 13) }

func compareRecorded(t *testing.T, all map[string]recorded, least int) {
	engine := model.NewEngine(1)
	defer engine.Close()
	if len(all) < least {
		t.Errorf("%d networks", len(all))
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			g := c.graph(t)
			x := pattern(g.Net.Input)
			if strings.HasPrefix(name, "u8in") || name == "tflite" { // pictures of 8 bits
				for i, v := range x.Data {
					x.Data[i] = float32(math.RoundToEven(float64((v + 1) * 127)))
				}
			}
			trace, err := engine.Forward(g.Net, x)
			if err != nil {
				t.Fatal(err)
			}
			for _, out := range g.Outputs {
				got, want := trace.Value(out.Layer).Data, c.Want[out.Name]
				if len(got) != len(want) {
					t.Fatalf("output %s has %d values, want %d", out.Name, len(got), len(want))
				}
				worst := 0.0
				for i := range got {
					worst = max(worst, math.Abs(float64(got[i]-want[i])))
				}
				if !(worst <= c.Step*1.001+1e-6) {
					t.Errorf("output %s differs by %g, want at most %g", out.Name, worst, c.Step)
				}
				if len(got) == 5 && slices.Index(got, slices.Max(got)) != slices.Index(want, slices.Max(want)) {
					t.Errorf("output %s: another class", out.Name)
				}
			}
		})
	}
}

// TestQuantisedAgain: a quantised network comes back from an ONNX file and from a
// checkpoint with the same bits.
func TestQuantisedAgain(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	for name, c := range quantised(t) {
		net := c.graph(t).Net
		want, err := engine.Forward(net, pattern(net.Input))
		if err != nil {
			t.Fatal(err)
		}
		again := func(how string, back *model.Network) {
			have, err := engine.Forward(back, pattern(net.Input))
			if err != nil {
				t.Fatal(err)
			}
			if err := viztest.Close(have.Value(back.Output()).Data, want.Value(net.Output()).Data, 1e-6); err != nil {
				t.Errorf("%s from %s: %v", name, how, err)
			}
		}
		var file bytes.Buffer
		if err := model.Write(&file, net, nil); err != nil {
			t.Fatal(err)
		}
		back, _, err := model.Read(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		again("a checkpoint", back)
		file.Reset()
		if err := onnx.Write(&file, net, 21); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if back, err = onnx.Read(file.Bytes(), ""); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again("ONNX", back)
	}
	net := &model.Network{Name: "q", Input: model.Input{Name: "x", C: 1, H: 1, W: 1}, Nodes: []model.Node{{Name: "y", Inputs: []string{"x"},
		Layer: &model.Quantize{Type: model.Int4, Scale: []float32{1}, Zero: []float32{0}}}}}
	if err := onnx.Write(&bytes.Buffer{}, net, 13); err == nil || !strings.Contains(err.Error(), "operator set 21") {
		t.Errorf("int4 in operator set 13: %v", err)
	}
}

// TestQuantisedStructure: what the quantiser made of a network is undone, so that
// its layers are the usual ones.
func TestQuantisedStructure(t *testing.T) {
	all := quantised(t)
	kinds := func(name string) string {
		var s []string
		for _, n := range all[name].graph(t).Net.Nodes {
			s = append(s, n.Layer.Kind())
		}
		return strings.Join(s, " ")
	}
	for name, want := range map[string]string{
		"u8":    "Quantize Conv ReLU Quantize GlobalAvgPool Flatten Dense",
		"dynmm": "AvgPool Conv Flatten Quantize Dense Binary BatchNorm", // the scales of weights and the bias behind the product
	} {
		if got := kinds(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	// The rectifier that uint8 with zero point 0 stands for is one again.
	net := all["qlinear"].graph(t).Net
	if got := net.ConvLayers(); !slices.Equal(got, []string{"conv1.relu", "conv2"}) {
		t.Errorf("layers are %v", got)
	}
}

func TestQuantisedRefusals(t *testing.T) {
	scale, zero := floats("s", nil, 0.5), part(msg(nil, 5, msg(text(num(nil, 2, 3), 8, "z"), 9, []byte{0})))
	x := input("x", 1, 2, 4, 4)
	for want, parts := range map[string][]part{
		"the scale, is missing":        {op("QuantizeLinear", "x", "y")},
		"scale s holds 0":              {op("QuantizeLinear", "x s", "y"), floats("s", nil, 0)},
		"3 scales for axis 1":          {op("QuantizeLinear", "x s", "y"), floats("s", []int64{3}, 1, 1, 1)},
		"cannot be quantised to int64": {op("QuantizeLinear", "x s", "y", integer("output_dtype", 7)), scale},
		"zero point z is":              {op("DequantizeLinear", "x s z", "y"), floats("s", []int64{2}, 1, 1), longs("z", 1, 2, 3)},
		"want a constant":              {op("QLinearConv", "x s z w s z s z b", "y"), op("Relu", "x", "b"), scale, zero, floats("w", []int64{2, 2, 1, 1}, 1, 1, 1, 1)},
		"for blocks of 3":              {op("DequantizeLinear", "w s", "v", integer("block_size", 3), integer("axis", 0)), op("Add", "x v", "y"), floats("s", []int64{3, 4}, count(1, 12)...), floats("w", []int64{4, 4}, count(0, 16)...)},
		"become infinite":              {op("QuantizeLinear", "x s f", "y", integer("saturate", 0)), floats("s", nil, 1), part(msg(nil, 5, msg(text(num(nil, 2, 17), 8, "f"), 9, []byte{0})))},
		"both its inputs have scales":  {op("DynamicQuantizeLinear", "x", "q qs qz"), op("MatMulInteger", "q q qz qz", "y")},
		"its scale qs is computed":     {op("DynamicQuantizeLinear", "x", "q qs qz"), op("DequantizeLinear", "x qs", "y")},
		"input 0 is missing":           {op("QuantizeLinear", "- s", "v"), op("Add", "x v", "y"), scale},
	} {
		data := file(21, append(parts, x, output("y"))...)
		if _, err := onnx.Read(data, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestQuantisedScores: a graph whose output is quantised gives integers, but its
// scores are the numbers that they stand for, before a softmax that there is.
func TestQuantisedScores(t *testing.T) {
	graph := []part{input("x", 1, 2, 1, 1), output("y"), op("Flatten", "x", "f"), op("Gemm", "f w", "l"), floats("w", []int64{2, 3}, 1, 2, 3, 4, 5, 6),
		floats("s", nil, 0.5), msg(nil, 5, msg(text(num(nil, 2, 2), 8, "z"), 9, []byte{10}))}
	net := load(t, file(13, append(graph, op("QuantizeLinear", "l s z", "y"))...))
	if got := eval(t, net, 1, 1); !slices.Equal(got, []float32{20, 24, 28}) { // 5, 7, 9 in halves, from 10 on
		t.Errorf("outputs are %v", got)
	}
	if net.Logits != "n:y" || net.Scores != model.LogitScores {
		t.Errorf("scores are %s of %s", net.Scores, net.Logits)
	}
	net = load(t, file(13, append(graph, op("Softmax", "l", "p"), op("QuantizeLinear", "p s z", "y"))...))
	if net.Logits != "n:l" || net.Scores != model.SoftmaxScores {
		t.Errorf("scores are %s of %s, want the softmax's input", net.Scores, net.Logits)
	}
}

// TestQuantisedSmall: weights that the file keeps in bytes stay so, however they come to
// their layer.
func TestQuantisedSmall(t *testing.T) {
	i8 := func(name string, dims ...int64) part {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(37*i%251 - 125)
		}
		return raw(name, 3, data, dims...)
	}
	graph := []part{input("x", 1, 4, 6, 6), i8("cw", 8, 4, 3, 3), floats("cs", []int64{8}, .1, .2, .3, .4, .5, .6, .7, .8),
		op("DequantizeLinear", "cw cs", "cf", integer("axis", 0)), op("Conv", "x cf", "c"), op("Relu", "c", "r"), op("Flatten", "r", "f"),
		i8("gw", 16, 128), floats("gs", nil, .01), op("DequantizeLinear", "gw gs", "gf"), op("Gemm", "f gf", "g", integer("transB", 1)),
		i8("mw", 16, 12), floats("ms", []int64{12}, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1, 1.1, 1.2), op("DequantizeLinear", "mw ms", "mf", integer("axis", 1)), op("MatMul", "g mf", "m"),
		i8("tw", 10, 12), floats("ts", []int64{10}, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1), op("DequantizeLinear", "tw ts", "tf", integer("axis", 0)), op("Transpose", "tf", "tt"), op("MatMul", "m tt", "y"), output("y")}
	g, err := onnx.ReadGraph(file(13, graph...), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	packed := 0
	for _, n := range g.Net.Nodes {
		var w *tensor.Tensor
		switch l := n.Layer.(type) {
		case *model.Conv:
			w = l.Weight
		case *model.Dense:
			w = l.Weight
		default:
			continue
		}
		if w.Packed == nil {
			t.Errorf("%s: weights of %v take four bytes each", n.Name, w.Shape)
			continue
		}
		packed++
		s := w.Shape
		if n.Name == "n:m" { // turned: [12, 16]
			if got, want := w.Floats()[1*16+2], float32(int8(37*(2*12+1)%251-125))*.2; got != want {
				t.Errorf("%s: a weight is %g, want %g", n.Name, got, want)
			}
		}
		if n.Name == "n:y" {
			if got, want := w.Floats()[3*12+2], float32(int8(37*(3*12+2)%251-125))*.4; got != want {
				t.Errorf("%s of %v: a weight is %g, want %g", n.Name, s, got, want)
			}
		}
	}
	if packed != 4 {
		t.Errorf("%d layers have small weights, want 4", packed)
	}
}

// TestQuantisedMask: a constant that is computed, and that one operator looks at twice, is there both times in a network
// whose weights stay small: a query from which all keys are hidden hears nothing.
func TestQuantisedMask(t *testing.T) {
	mask := make([]float32, 64)
	for i := range 8 {
		mask[i] = float32(math.Inf(-1))
	}
	weights := make([]byte, 64)
	for i := range weights {
		weights[i] = byte(37*i%251 - 125)
	}
	net := load(t, file(23, input("x", 1, 1, 8, 8), raw("w", 3, weights, 8, 8), floats("s", nil, .01), op("DequantizeLinear", "w s", "wf"), op("MatMul", "x wf", "h"),
		floats("m", []int64{8, 8}, mask...), op("Identity", "m", "mm"), op("Attention", "h h h mm", "y"), output("y")))
	for i, v := range eval(t, net, sequence(64, 37, 23, 10)...) {
		if v != v || (v == 0) != (i < 8) {
			t.Fatalf("number %d is %g", i, v)
		}
	}
}

// TestQuantisedRecurrent: a recurrent layer takes weights of bytes as floats.
func TestQuantisedRecurrent(t *testing.T) {
	weights := func(n int) (small []byte, large []float32) {
		for i := range n {
			v := int8(37*i%251 - 125)
			small, large = append(small, byte(v)), append(large, float32(v)/256)
		}
		return small, large
	}
	w8, w := weights(4 * 4 * 5)
	r8, r := weights(4 * 4 * 4)
	lstm := []part{input("x", 1, 1, 3, 5), longs("axis", 1), op("Squeeze", "x axis", "s"), op("Transpose", "s", "t", ints("perm", 1, 0, 2)),
		op("LSTM", "t w r", "- y", integer("hidden_size", 4)), output("y")}
	plain := load(t, file(13, slices.Concat(lstm, []part{floats("w", []int64{1, 16, 5}, w...), floats("r", []int64{1, 16, 4}, r...)})...))
	small := load(t, file(13, slices.Concat([]part{raw("w8", 3, w8, 1, 16, 5), raw("r8", 3, r8, 1, 16, 4), floats("scale", nil, 1./256),
		op("DequantizeLinear", "w8 scale", "w"), op("DequantizeLinear", "r8 scale", "r")}, lstm)...))
	x := sequence(15, 37, 23, 10)
	if got, want := eval(t, small, x...), eval(t, plain, x...); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
