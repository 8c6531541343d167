package model_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestPartsOnWorkers: images that workers take whole have the bits that they have alone, whatever the batch leaves over.
func TestPartsOnWorkers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	one := []int{1, 1}
	// Maps so large that one image at a time goes through the network.
	net := &model.Network{Name: "maps", Input: model.Input{Name: "in", C: 3, H: 180, W: 180}, Nodes: []model.Node{
		{Name: "conv", Inputs: []string{"in"}, Layer: &model.Conv{Weight: randomTensor(rng, 20, 3, 3, 3), Stride: one, Dilation: one, Pads: []int{1, 1, 1, 1}, Groups: 1}},
		{Name: "relu", Inputs: []string{"conv"}, Layer: &model.ReLU{}},
		{Name: "pool", Inputs: []string{"relu"}, Layer: &model.Pool{Op: model.PoolMax, Kernel: []int{3, 3}, Stride: []int{2, 2}}},
		{Name: "mean", Inputs: []string{"pool"}, Layer: &model.GlobalAvgPool{}}}}
	const most = 5
	x := randomTensor(rng, most, 3, 180, 180)
	alone := runOf(t, 1, net, x, 1)
	for _, workers := range []int{2, 3} {
		for _, n := range []int{1, 2, 3, most} {
			t.Run(fmt.Sprintf("%d workers, %d images", workers, n), func(t *testing.T) {
				got := runOf(t, workers, net, x.Slice(0, n), n)
				for name, v := range got {
					if !slices.Equal(v, alone[name][:len(v)]) {
						t.Errorf("%s differs", name)
					}
				}
			})
		}
	}
}

// runOf gives all values of images that go through the network so many at a time.
func runOf(t *testing.T, workers int, net *model.Network, x *tensor.Tensor, batch int) map[string][]float32 {
	e := model.NewEngine(workers)
	defer e.Close()
	p, err := e.Compile(net, model.Keep{Switches: true})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for first := 0; first < x.Shape[0]; first += batch {
		trace, err := p.Run(x.Slice(first, first+batch))
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range net.Nodes {
			out[node.Name] = append(out[node.Name], trace.Value(node.Name).Data...)
			for _, s := range trace.Switches(node.Name) {
				out[node.Name+" switches"] = append(out[node.Name+" switches"], float32(s))
			}
		}
	}
	return out
}
