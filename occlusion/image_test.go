package occlusion_test

import (
	"fmt"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// TestFigureOfAnyInput draws maps of networks with inputs of 1 to 4 channels, not
// square, in either channel order, for one and several layers.
func TestFigureOfAnyInput(t *testing.T) {
	one := []int{1, 1}
	for channels := 1; channels <= 4; channels++ {
		for _, size := range [][2]int{{9, 14}, {14, 9}, {3, 40}} {
			h, w := size[0], size[1]
			weight := tensor.New(2, channels, 3, 3)
			for i := range weight.Data {
				weight.Data[i] = float32(i%5) - 2
			}
			dense := tensor.New(30, 2*(h-2)*(w-2))
			for i := range dense.Data {
				dense.Data[i] = float32(i*i%7-3) / 20
			}
			net := &model.Network{Name: "any", Input: model.Input{Name: "in", C: channels, H: h, W: w}, Logits: "fc", Nodes: []model.Node{
				{Name: "conv", Inputs: []string{"in"}, Layer: &model.Conv{Weight: weight, Stride: one, Dilation: one, Groups: 1}},
				{Name: "relu", Inputs: []string{"conv"}, Layer: &model.ReLU{}},
				{Name: "flat", Inputs: []string{"relu"}, Layer: &model.Reshape{}},
				{Name: "fc", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: dense}},
			}, Preprocess: model.Preprocess{BGR: channels == 3}}
			if err := net.Check(); err != nil {
				t.Fatal(err)
			}
			x := tensor.New(1, channels, h, w)
			for i := range x.Data {
				x.Data[i] = float32(i * 37 % 251)
			}
			for _, o := range []occlusion.Options{
				{Patch: [2]int{2, 3}, Cover: true},
				{Patch: size, Layers: []string{"in", "relu", "fc"}, Classes: []int{3, 29}}, // one position
			} {
				m := scan(t, 1, net, x, o)
				for j := range m.Classes {
					img := m.Figure(occlusion.Style{Class: j, Paper: j == 1, Name: fmt.Sprintf("%d channels", channels)})
					if b := img.Bounds(); b.Dx() < 500 || b.Dy() < 300 || b.Dx() > 1200 || b.Dy() > 1500 {
						t.Errorf("%d channels, input %v: figure is %v", channels, size, b.Size())
					}
				}
			}
		}
	}
}
