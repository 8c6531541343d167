package model

import (
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model/tensor"
)

// bottleneck is a network with an inverted bottleneck of maps that are computed in bands.
func bottleneck(r *rand.Rand, stride int) *Network {
	draw := func(shape ...int) *tensor.Tensor {
		w := tensor.New(shape...)
		for i := range w.Data {
			w.Data[i] = float32(r.NormFloat64())
		}
		return w
	}
	return &Network{Name: "bottleneck", Input: Input{Name: "x", C: 3, H: 96, W: 100}, Nodes: []Node{
		{Name: "in", Inputs: []string{"x"}, Layer: &Conv{Weight: draw(8, 3, 1, 1), Groups: 1}},
		{Name: "expand", Inputs: []string{"in"}, Layer: &Conv{Weight: draw(40, 8, 1, 1), Bias: draw(40).Data, Groups: 1}},
		{Name: "clip", Inputs: []string{"expand"}, Layer: &Clip{Min: 0, Max: 6}},
		{Name: "planes", Inputs: []string{"clip"}, Layer: &Conv{Weight: draw(40, 1, 3, 3), Stride: []int{stride, stride}, Pads: []int{1, 1, 1, 1}, Groups: 40}},
		{Name: "relu", Inputs: []string{"planes"}, Layer: &ReLU{}},
		{Name: "project", Inputs: []string{"relu"}, Layer: &Conv{Weight: draw(8, 40, 1, 1), Groups: 1}},
	}}
}

// TestPair: two convolutions are computed together only where nobody wants what is between, with the bits of a plan that
// keeps that, whatever the workers; Still has them too.
func TestPair(t *testing.T) {
	for stride := 1; stride <= 2; stride++ {
		r := rand.New(rand.NewPCG(81, 82))
		net := bottleneck(r, stride)
		x := tensor.New(2, 3, 96, 100)
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64())
		}
		run := func(workers, pairs int, layers ...string) []float32 {
			e := NewEngine(workers)
			defer e.Close()
			p, err := e.Compile(net, Keep{Layers: layers})
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			for i := range p.steps {
				if p.steps[i].pair != nil {
					got++
				}
			}
			if got != pairs && kernel.Name() != "generic" {
				t.Errorf("stride %d: a plan for %v has %d pairs, want %d", stride, layers, got, pairs)
			}
			trace, err := p.Run(x)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Still(tensor.From(x.Data[:x.Len()/2], 1, 3, 96, 100)); err != nil {
				t.Fatal(err)
			}
			return trace.Value("project").Data
		}
		pairs := 2 - stride // of so few maps only those without a stride
		want := run(1, 0, "project", "clip")
		for workers := 1; workers <= 3; workers++ {
			got := run(workers, pairs, "project")
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("stride %d, %d workers: value %d is %v, want %v", stride, workers, i, got[i], want[i])
				}
			}
		}
	}
}
