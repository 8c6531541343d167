package occlusion_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// A network whose products are those of whole images, as a transformer's, runs whole
// passes under every method; one of convolutions does not.
func TestMostlyWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(93, 94))
	random := func(dims ...int) *tensor.Tensor {
		x := tensor.New(dims...)
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64()) / 3
		}
		return x
	}
	conv := &model.Conv{Weight: random(6, 3, 4, 4), Stride: []int{4, 4}, Dilation: []int{1, 1}, Groups: 1}
	tail := []model.Node{
		{Name: "flat", Inputs: []string{"last"}, Layer: &model.Reshape{}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: random(4, 96)}},
	}
	tokens := append([]model.Node{
		{Name: "patches", Inputs: []string{"in"}, Layer: conv},
		{Name: "tokens", Inputs: []string{"patches"}, Layer: &model.Rearrange{What: "Transpose", To: []int{16, 6}, Strides: []int{1, 16}}},
		{Name: "wide", Inputs: []string{"tokens"}, Layer: &model.MatMul{A: []int{16, 6}, B: []int{6, 80}, Value: random(6, 80)}},
		{Name: "last", Inputs: []string{"wide"}, Layer: &model.MatMul{A: []int{16, 80}, B: []int{80, 6}, Value: random(80, 6)}},
	}, tail...)
	maps := append([]model.Node{{Name: "last", Inputs: []string{"in"}, Layer: conv}}, tail...)
	engine := model.NewEngine(2)
	defer engine.Close()
	x := random(1, 3, 16, 16)
	for name, nodes := range map[string][]model.Node{"tokens": tokens, "maps": maps} {
		net := &model.Network{Name: name, Input: model.Input{Name: "in", C: 3, H: 16, W: 16}, Logits: "fc", Nodes: nodes}
		o := occlusion.Options{Patch: [2]int{4, 4}, Stride: [2]int{3, 3}, Layers: []string{}}
		s, err := occlusion.New(engine, net, o)
		if err != nil {
			t.Fatal(err)
		}
		if p := s.Predict(); (p.MACs == p.Whole) != (name == "tokens") {
			t.Errorf("%s: %d multiply-adds of %d in whole passes", name, p.MACs, p.Whole)
		}
		got, err := occlusion.Scan(context.Background(), engine, net, x, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Method = occlusion.Brute
		want, err := occlusion.Scan(context.Background(), engine, net, x, o)
		if err != nil {
			t.Fatal(err)
		}
		tolerance := 1e-5
		if name == "tokens" {
			tolerance = 0
		}
		sameMaps(t, got, want, tolerance)
	}
}
