package viztest

import (
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// sequence is an array of shape with simple numbers: ((i*step) % n - n/2) / by.
func sequence(step, n int, by float32, shape ...int) *tensor.Tensor {
	t := tensor.New(shape...)
	for i := range t.Data {
		t.Data[i] = float32(i*step%n-n/2) / by
	}
	return t
}

// ScoresInput is an image for the networks of this file.
func ScoresInput() *tensor.Tensor { return sequence(29, 17, 5, 1, 3, 6, 6) }

// features are the first layers of these networks: 4 maps of 6x6, "relu".
func features(name string, kind model.Scores) *model.Network {
	return &model.Network{Name: name, Input: model.Input{Name: "x", C: 3, H: 6, W: 6}, Scores: kind,
		Preprocess: model.Preprocess{Scale: 1}, Nodes: []model.Node{
			{Name: "conv", Inputs: []string{"x"}, Layer: &model.Conv{Weight: sequence(37, 11, 7, 4, 3, 3, 3), Bias: sequence(3, 5, 10, 4).Data,
				Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{1, 1, 1, 1}, Groups: 1}},
			{Name: "relu", Inputs: []string{"conv"}, Layer: &model.ReLU{}}}}
}

// Segmentation is a network with two classes at every pixel, at "scores".
func Segmentation() *model.Network {
	net := features("segmentation", model.LogitScores)
	net.Logits = "scores"
	net.Nodes = append(net.Nodes, model.Node{Name: "scores", Inputs: []string{"relu"}, Layer: &model.Conv{Weight: sequence(5, 9, 3, 2, 4, 1, 1),
		Bias: sequence(7, 5, 10, 2).Data, Stride: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}})
	return net
}

// OneOutput is a network with one output, "score".
func OneOutput(kind model.Scores, classes ...string) *model.Network {
	net := features("one", kind)
	net.Logits, net.Classes = "score", classes
	net.Nodes = append(net.Nodes, model.Node{Name: "mean", Inputs: []string{"relu"}, Layer: &model.GlobalAvgPool{}},
		model.Node{Name: "flat", Inputs: []string{"mean"}, Layer: &model.Reshape{}},
		model.Node{Name: "score", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: sequence(5, 9, 3, 1, 4), Bias: []float32{0.2}}})
	return net
}
