package onnx_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
)

// ramp is an input that is not symmetric in any way.
func ramp(net *model.Network, n int) *tensor.Tensor {
	x := tensor.New(n, net.Input.C, net.Input.H, net.Input.W)
	for i := range x.Data {
		x.Data[i] = float32(uint32(i)*2654435761>>8&0xffff)/32768 - 1
	}
	return x
}

// back writes a network, reads it, and holds what comes back to what went in.
func back(t *testing.T, net *model.Network, opset int) *model.Network {
	t.Helper()
	var file bytes.Buffer
	if err := onnx.Write(&file, net, opset); err != nil {
		t.Fatal(err)
	}
	got, err := onnx.Read(file.Bytes(), "back.onnx")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	x := ramp(net, 2)
	want, err := engine.Forward(net, x)
	if err != nil {
		t.Fatal(err)
	}
	have, err := engine.Forward(got, x)
	if err != nil {
		t.Fatal(err)
	}
	a, b := slices.Clone(have.Value(got.Output()).Data), slices.Clone(want.Value(net.Output()).Data)
	for i := range min(len(a), len(b)) {
		if a[i] != a[i] && b[i] != b[i] { // neither is a number, as the logarithm of -1
			a[i], b[i] = 0, 0
		}
	}
	if err := viztest.Close(a, b, 1e-5); err != nil {
		t.Error(err)
	}
	return got
}

// TestWrite: names, preprocessing, classes, logits and numbers come back.
func TestWrite(t *testing.T) {
	for _, name := range builtin.Names() {
		net, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, opset := range []int{0, 18, 21} {
			got := back(t, net, opset)
			if !reflect.DeepEqual(got.Preprocess, net.Preprocess) || !reflect.DeepEqual(got.Classes, net.Classes) || got.Logits != net.Logits || got.Input != net.Input {
				t.Errorf("%s: preprocessing %+v, classes %v, logits %s, input %v come back", name, got.Preprocess, got.Classes, got.Logits, got.Input)
			}
			if got.Origin.Data != net.Origin.Data {
				t.Errorf("%s: origin %+v comes back", name, got.Origin)
			}
			for i, n := range net.Nodes {
				if i < len(got.Nodes) && (got.Nodes[i].Name != n.Name || got.Nodes[i].Layer.Kind() != n.Layer.Kind()) {
					t.Errorf("%s: layer %s comes back as %s %s", name, n.Name, got.Nodes[i].Name, got.Nodes[i].Layer.Kind())
				}
			}
		}
	}
	for _, arch := range model.Arches() {
		net, err := model.Build(arch, model.ArchOptions{Input: model.Input{C: 1, H: 28, W: 28}, Classes: []string{"a", "b"}, Width: 0.1, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		back(t, net, 0)
	}
}

// TestWriteNorms: normalisations come back.
func TestWriteNorms(t *testing.T) {
	net := &model.Network{Name: "n", Input: model.Input{Name: "x", C: 4, H: 2, W: 3}, Nodes: []model.Node{{Name: "norm", Inputs: []string{"x"},
		Layer: &model.GroupNorm{Groups: 2, Scale: []float32{1, 2, 3, -4}, Shift: []float32{.1, .2, .3, .4}, Eps: 1e-3}}}}
	if got := back(t, net, 21); got.Nodes[0].Layer.Kind() != "GroupNorm" {
		t.Errorf("%s comes back", got.Nodes[0].Layer.Kind())
	}
	if err := onnx.Write(io.Discard, net, 18); err == nil || !strings.Contains(err.Error(), "operator set 21") {
		t.Errorf("operator set 18: %v", err)
	}
}

// TestWriteKinds: layers that choose, compare and normalise compute the same when
// they come back.
func TestWriteKinds(t *testing.T) {
	all, top := []int{3, 4, 5}, []int{3, 2, 5}
	two := tensor.From([]float32{.5, -.5, .25, 2, -1}, 5)
	places := &model.TopK{From: all, Axis: 1, K: 2, Places: true}
	layers := map[string]model.Layer{
		"spread": &model.Normalize{Op: model.NormSpread, From: all, Axes: []int{0, 2}, Eps: .1},
		"layer":  &model.Normalize{Op: model.NormStandard, From: []int{12, 5}, Axes: []int{1}, Scale: two.Data, Shift: two.Data, Inner: 1, Eps: 1e-3},
		"rms":    &model.Normalize{Op: model.NormRMS, From: all, Axes: []int{0}, Scale: []float32{1, 2, 3}, Inner: 20, Eps: 1e-3},
		"l1":     &model.Normalize{Op: model.NormL1, From: all, Axes: []int{1}},
		"l2":     &model.Normalize{Op: model.NormL2, From: all, Axes: []int{1}},
		"sums":   &model.CumSum{Outer: 3, Size: 4, Inner: 5, Exclusive: true, Reverse: true},
		"hard":   &model.Hardmax{Outer: 3, Size: 4, Inner: 5},
		"hot":    &model.OneHot{From: all, Axis: 1, Depth: 2, On: 3, Off: -1},
		"top":    &model.TopK{From: all, Axis: 2, K: 3, Smallest: true},
		"places": places,
		"where":  &model.Where{M: []int{5}, A: all, B: []int{1}, Mask: tensor.From([]float32{1, 0, 1, 0, 0}, 5), Y: tensor.From([]float32{7}, 1)},
		"mod":    &model.Binary{Op: "Mod", A: all, B: []int{5}, Value: two},
		"fmod":   &model.Binary{Op: "Fmod", A: all, B: []int{5}, Value: two},
		"shrink": &model.Unary{Op: "Shrink", Alpha: .1, Beta: .3},
		"not":    &model.Unary{Op: "Not"},
		"nan":    &model.Unary{Op: "IsNaN"},
		"inf":    &model.Unary{Op: "IsInf", Alpha: 1},
	}
	for _, op := range []model.BinaryOp{"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"} {
		layers[string(op)] = &model.Binary{Op: op, A: all, B: []int{5}, Value: two}
	}
	on := func(name string, l model.Layer, inputs ...string) *model.Network {
		net := &model.Network{Name: "n", Input: model.Input{Name: "x", C: 3, H: 4, W: 5}}
		net.Nodes = append(net.Nodes, model.Node{Name: "at", Inputs: []string{"x"}, Layer: places},
			model.Node{Name: "grid", Inputs: []string{"x"}, Layer: &model.Rearrange{What: "Slice", To: []int{4, 3, 2}, Strides: []int{6, 2, 1}}},
			model.Node{Name: "new", Inputs: []string{"x"}, Layer: &model.TopK{From: all, Axis: 1, K: 2, Smallest: true}},
			model.Node{Name: name, Inputs: inputs, Layer: l})
		return net
	}
	for _, opset := range []int{16, 18, 21} {
		for name, l := range layers {
			t.Run(fmt.Sprint(name, opset), func(t *testing.T) { back(t, on(name, l, "x"), opset) })
		}
		if opset >= 18 {
			back(t, on("sum", &model.Scatter{Op: model.IndexElements, Data: all, Index: top, Axis: 1, Reduction: model.ScatterAdd}, "x", "at", "new"), opset)
		}
		back(t, on("set", &model.Scatter{Op: model.IndexElements, Data: all, Index: top, Axis: 1, Reduction: model.ScatterSet}, "x", "at", "new"), opset)
		back(t, on("elements", &model.Lookup{Op: model.IndexElements, Data: all, Index: top, Axis: 1}, "x", "at"), opset)
		back(t, on("tuples", &model.Lookup{Op: model.IndexND, Data: []int{15, 4}, Index: []int{15, 2, 1}, Axis: 1}, "x", "at"), opset)
		back(t, on("sampled", &model.GridSample{Mode: model.GridCubic, Padding: model.GridBorder, Out: [2]int{4, 3}}, "x", "grid"), opset)
	}
}

// TestWriteVolumes: convolutions and pools over three axes come back as they were.
func TestWriteVolumes(t *testing.T) {
	ramp := func(dims ...int) *tensor.Tensor {
		w := tensor.New(dims...)
		for i := range w.Data {
			w.Data[i] = float32(i*37%11)/8 - 0.5
		}
		return w
	}
	one := []int{1, 1, 1}
	walk := func(dilation ...int) model.WindowND {
		return model.WindowND{From: []int{2, 4, 3, 5}, Stride: []int{2, 1, 3}, Dilation: dilation, Pads: []int{1, 0, 1, 0, 1, 0}}
	}
	pool := func(w model.WindowND, l model.Pool) *model.Pool {
		l.Kernel, l.From, l.Stride, l.Dilation, l.Pads = []int{2, 2, 2}, w.From, w.Stride, w.Dilation, w.Pads
		return &l
	}
	conv := &model.Conv{Weight: ramp(4, 1, 2, 2, 3), Bias: ramp(4).Data, Groups: 2}
	conv.From, conv.Stride, conv.Dilation, conv.Pads = []int{2, 4, 3, 5}, []int{2, 1, 3}, []int{2, 1, 1}, []int{1, 0, 1, 0, 1, 0}
	up := func(more ...int) *model.ConvTranspose {
		return &model.ConvTranspose{Weight: ramp(2, 3, 2, 2, 3), Bias: ramp(3).Data, Groups: 1, OutPad: more,
			From: conv.From, Stride: conv.Stride, Dilation: []int{1, 1, 2}, Pads: conv.Pads}
	}
	for name, l := range map[string]model.Layer{
		"conv":   conv,
		"up":     up(1, 0, 2),
		"more":   up(3, 1, 0),
		"max":    pool(walk(2, 1, 1), model.Pool{Op: model.PoolMax, Ceil: true}),
		"mean":   pool(walk(one...), model.Pool{Op: model.PoolAverage, Ceil: true, CountPad: true}),
		"norm":   pool(walk(one...), model.Pool{Op: model.PoolLp, P: 3}),
		"spread": pool(walk(1, 1, 2), model.Pool{Op: model.PoolAverage}),
	} {
		net := &model.Network{Name: "n", Input: model.Input{Name: "x", C: 8, H: 3, W: 5}, Nodes: []model.Node{{Name: name, Inputs: []string{"x"}, Layer: l}}}
		opset := 13
		if name == "spread" {
			opset = 19
			if err := onnx.Write(io.Discard, net, 18); err == nil || !strings.Contains(err.Error(), "operator set 19") {
				t.Errorf("%s in operator set 18: %v", name, err)
			}
		}
		got := back(t, net, opset)
		if n := got.Nodes[slices.IndexFunc(got.Nodes, func(n model.Node) bool { return n.Layer.Kind() == l.Kind() })]; name != "more" && !reflect.DeepEqual(n.Layer, l) {
			t.Errorf("%s comes back as %v", name, n.Layer)
		}
	}
}

// TestWriteOutputPadding: output padding beyond what the operator allows takes rows
// and columns back that pads had taken away.
func TestWriteOutputPadding(t *testing.T) {
	w := tensor.From([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 1, 3, 3)
	for _, k := range []struct {
		pads, more []int
		h, w       int
	}{{[]int{0, 0, 1, 2}, []int{2, 1}, 3, 4}, {[]int{3, 3, 0, 0}, []int{3, 1}, 1, 2}, {[]int{2, 0, 1, 0}, []int{3, 0}, 1, 1}} {
		net := &model.Network{Name: "n", Input: model.Input{Name: "x", C: 1, H: k.h, W: k.w}, Nodes: []model.Node{{Name: "up", Inputs: []string{"x"},
			Layer: &model.ConvTranspose{Weight: w, Bias: []float32{1}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: k.pads, OutPad: k.more, Groups: 1}}}}
		back(t, net, 13)
	}
}

// TestWriteRefuses: what no operator expresses is named, and no file is left.
func TestWriteRefuses(t *testing.T) {
	net := &model.Network{Name: "n", Input: model.Input{Name: "x", C: 1, H: 4, W: 4}, Nodes: []model.Node{{Name: "places", Inputs: []string{"x"},
		Layer: &model.Pool{Op: "argmax", Kernel: []int{2, 2}, Stride: []int{1, 1}, Dilation: []int{1, 1}}}}}
	path := filepath.Join(t.TempDir(), "n.onnx")
	err := onnx.Export(path, net, 0)
	u, ok := errors.AsType[*onnx.Unsupported](err)
	if !ok || len(u.Ops) != 1 || u.Ops[0].Node != "places" {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file is left")
	}
	if err := onnx.Export(path, net, 12); err == nil || !strings.Contains(err.Error(), "want 13 to") {
		t.Errorf("operator set 12: %v", err)
	}
}

// TestWriteBackend writes every one of ONNX's operator cases again, with what
// VIZ_ONNX_OUT names as a folder to leave the files in for other runtimes.
func TestWriteBackend(t *testing.T) {
	dirs, _ := filepath.Glob(filepath.Join(viztest.Shared(t), "data", "onnx", "*", "*", "*", "model.onnx"))
	more, _ := filepath.Glob(filepath.Join(viztest.Shared(t), "data", "onnx", "models", "*", "model.onnx"))
	golden, _ := filepath.Glob(filepath.Join(viztest.Shared(t), "golden", "*", "model.onnx"))
	written, refused := 0, 0
	for _, path := range append(append(dirs, more...), golden...) {
		name := filepath.Base(filepath.Dir(path))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		names, err := onnx.Inputs(data)
		if err != nil {
			t.Fatal(err)
		}
		o := onnx.Options{Bind: map[string]onnx.Value{}}
		seen := false
		for i, in := range names {
			msg, err := os.ReadFile(filepath.Join(filepath.Dir(path), "test_data_set_0", "input_"+string(rune('0'+i))+".pb"))
			if err != nil {
				continue
			}
			v, err := onnx.Tensor(msg)
			if err != nil {
				t.Fatal(err)
			}
			if v.F != nil && !seen {
				seen = true
				continue
			}
			o.Bind[in] = v
		}
		g, err := onnx.ReadGraph(data, o)
		if err != nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			err := onnx.Write(&file, g.Net, 0)
			if u, ok := errors.AsType[*onnx.Unsupported](err); ok {
				refused++
				t.Logf("refused: %v", u)
				return
			}
			back(t, g.Net, 0)
			written++
			if dir := os.Getenv("VIZ_ONNX_OUT"); dir != "" {
				dump(t, dir, name, g.Net, file.Bytes())
			}
		})
	}
	t.Logf("%d written, %d refused", written, refused)
}

// dump leaves a network, an input and our output, as plain float32.
func dump(t *testing.T, dir, name string, net *model.Network, file []byte) {
	engine := model.NewEngine(1)
	defer engine.Close()
	x := ramp(net, 2)
	trace, err := engine.Forward(net, x)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, b := range map[string][]byte{".onnx": file, ".in": bytesOf(x.Data), ".out": bytesOf(trace.Value(net.Output()).Data)} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func bytesOf(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
