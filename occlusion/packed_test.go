package occlusion_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// steps are random whole multiples of a scale for each row.
func steps(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(shape...)
	inner := len(t.Data) / shape[0]
	for i := range t.Data {
		t.Data[i] = float32(r.IntN(255)-127) * (0.0003 + float32(i/inner)*1e-6)
	}
	return t
}

// TestPackedWeights: a network whose weights are kept in a byte each has the hash, files,
// values, gradients and occlusion maps of the same network in floats.
func TestPackedWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	build := func(pack func(*tensor.Tensor) *tensor.Tensor) *model.Network {
		r := rand.New(rand.NewPCG(5, 6))
		conv := func(w *tensor.Tensor) *model.Conv {
			return &model.Conv{Weight: pack(w), Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{1, 1, 1, 1}, Groups: 1}
		}
		net := &model.Network{Name: "q", Input: model.Input{Name: "in", C: 3, H: 12, W: 12}, Logits: "fc2", Preprocess: model.Preprocess{Scale: 1}, Nodes: []model.Node{
			{Name: "conv1", Inputs: []string{"in"}, Layer: conv(steps(r, 8, 3, 3, 3))},
			{Name: "relu1", Inputs: []string{"conv1"}, Layer: &model.ReLU{}},
			{Name: "conv2", Inputs: []string{"relu1"}, Layer: conv(steps(r, 24, 8, 3, 3))},
			{Name: "norm", Inputs: []string{"conv2"}, Layer: &model.BatchNorm{Scale: slices.Repeat([]float32{2}, 24), Shift: make([]float32, 24), Mean: make([]float32, 24), Var: slices.Repeat([]float32{1}, 24)}},
			{Name: "relu2", Inputs: []string{"norm"}, Layer: &model.ReLU{}},
			{Name: "rows", Inputs: []string{"relu2"}, Layer: &model.MatMul{A: []int{24, 12, 12}, B: []int{12, 12}, Value: pack(steps(r, 12, 12))}},
			{Name: "flat", Inputs: []string{"rows"}, Layer: &model.Reshape{}},
			{Name: "fc1", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: pack(steps(r, 340, 3456)), Bias: make([]float32, 340)}},
			{Name: "relu3", Inputs: []string{"fc1"}, Layer: &model.ReLU{}},
			{Name: "fc2", Inputs: []string{"relu3"}, Layer: &model.Dense{Weight: pack(steps(r, 5, 340))}},
		}}
		if err := net.Check(); err != nil {
			t.Fatal(err)
		}
		return net
	}
	plain := build(func(t *tensor.Tensor) *tensor.Tensor { return t })
	packed := build(func(x *tensor.Tensor) *tensor.Tensor {
		if x = tensor.Pack(x); x.Packed == nil {
			t.Fatal("weights are not packed")
		}
		return x
	})
	x := tensor.New(1, 3, 12, 12)
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	engine := model.NewEngine(2)
	defer engine.Close()
	type made struct {
		hash       string
		file, onnx []byte
		logits     []float32
		down       []float32
		maps       [][]float32
	}
	all := func(net *model.Network) made {
		m := made{hash: net.Hash()}
		var b bytes.Buffer
		if err := model.Write(&b, net, nil); err != nil {
			t.Fatal(err)
		}
		m.file = slices.Clone(b.Bytes())
		b.Reset()
		if err := onnx.Write(&b, net, 0); err != nil {
			t.Fatal(err)
		}
		m.onnx = b.Bytes()
		trace, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		m.logits = trace.Value("fc2").Data
		for _, values := range [][]float32{{0, 1, 0, 0, 0}, {1, -1, 2, 0, 3}} {
			got, err := backward.New(engine, net, backward.Gradient, backward.Options{}).Down(context.Background(), trace, []backward.Start{{Layer: "fc2", Values: values}}, "in")
			if err != nil {
				t.Fatal(err)
			}
			m.down = append(m.down, got[0][0].Values...)
		}
		for _, method := range []occlusion.Method{occlusion.Fast, occlusion.Brute} {
			o := occlusion.Options{Patch: [2]int{4, 4}, Stride: [2]int{4, 4}, Method: method}
			s, err := occlusion.Scan(context.Background(), engine, net, x, o)
			if err != nil {
				t.Fatal(err)
			}
			m.maps = append(m.maps, s.Logit[0])
		}
		return m
	}
	a, b := all(plain), all(packed)
	switch {
	case a.hash != b.hash:
		t.Errorf("hashes are %s and %s", a.hash, b.hash)
	case !bytes.Equal(a.file, b.file) || !bytes.Equal(a.onnx, b.onnx):
		t.Error("files differ")
	case !slices.Equal(a.logits, b.logits):
		t.Errorf("scores are %v and %v", a.logits, b.logits)
	case !slices.Equal(a.down, b.down):
		t.Error("gradients differ")
	case !slices.Equal(a.maps[0], b.maps[0]) || !slices.Equal(a.maps[1], b.maps[1]):
		t.Error("occlusion maps differ")
	}
	if c := packed.Clone(); c.Node("fc1").Layer.(*model.Dense).Weight.Packed != nil {
		t.Error("a copy, which may be trained, has packed weights")
	}
}
