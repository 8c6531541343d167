package model_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// tokens is a transformer's block without normalisation: two linear layers with
// biases, a product of computed arrays, a softmax.
func tokens(r *rand.Rand) *model.Network {
	random := func(dims ...int) *tensor.Tensor {
		x := tensor.New(dims...)
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64()) / 4
		}
		return x
	}
	return &model.Network{Name: "tokens", Input: model.Input{Name: "x", C: 3, H: 20, W: 40}, Logits: "out", Nodes: []model.Node{
		{Name: "wide", Inputs: []string{"x"}, Layer: &model.MatMul{A: []int{3, 20, 40}, B: []int{40, 70}, Value: random(40, 70)}},
		{Name: "bias", Inputs: []string{"wide"}, Layer: &model.Binary{Op: "Add", A: []int{3, 20, 70}, B: []int{70}, Value: random(70)}},
		{Name: "gelu", Inputs: []string{"bias"}, Layer: &model.Unary{Op: "Gelu"}},
		{Name: "narrow", Inputs: []string{"gelu"}, Layer: &model.MatMul{A: []int{3, 20, 70}, B: []int{70, 40}, Value: random(70, 40)}},
		{Name: "turned", Inputs: []string{"narrow"}, Layer: &model.Rearrange{What: "Transpose", To: []int{3, 40, 20}, Strides: []int{800, 1, 40}}},
		{Name: "scores", Inputs: []string{"narrow", "turned"}, Layer: &model.MatMul{A: []int{3, 20, 40}, B: []int{3, 40, 20}}},
		{Name: "attention", Inputs: []string{"scores"}, Layer: &model.Softmax{Outer: 60, Size: 20, Inner: 1}},
		{Name: "mixed", Inputs: []string{"attention", "narrow"}, Layer: &model.MatMul{A: []int{3, 20, 20}, B: []int{3, 20, 40}}},
		{Name: "out", Inputs: []string{"mixed"}, Layer: &model.Reshape{}},
	}}
}

// A bias and a function that are computed with the product give the bits of layers
// one by one, for any number of workers and images, and a repeated run allocates
// nothing.
func TestMatMulSteps(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	net := tokens(r)
	x := tensor.New(3, 3, 20, 40)
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	one, many := model.NewEngine(1), model.NewEngine(3)
	defer many.Close()
	all, err := one.Forward(net, x)
	if err != nil {
		t.Fatal(err)
	}
	want := all.Value("out").Data
	for _, e := range []*model.Engine{one, many} {
		p, err := e.Compile(net, model.Keep{Layers: []string{"out"}})
		if err != nil {
			t.Fatal(err)
		}
		trace, err := p.Run(x)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(trace.Value("out").Data, want) {
			t.Error("computed in one step the values are others")
		}
		single, err := p.Run(tensor.From(x.Data[2400:4800], 1, 3, 20, 40))
		if err != nil {
			t.Fatal(err)
		}
		if size := len(want) / 3; !slices.Equal(single.Value("out").Data, want[size:2*size]) {
			t.Error("one image alone has other values")
		}
		if e == one {
			run := func() {
				if err := p.RunInto(trace, x); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				run()
			}
			if a := testing.AllocsPerRun(20, run); a >= 1 {
				t.Errorf("%v allocations", a)
			}
		}
	}
}
