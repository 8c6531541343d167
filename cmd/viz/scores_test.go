package main

import (
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/rogpeppe/go-internal/testscript"
)

// mkscores writes networks whose outputs mean different things, as ONNX files, and
// x.npy, an image for them. The values in scores.txtar are PyTorch's.
func mkScores(ts *testscript.TestScript, neg bool, args []string) {
	plain := func(net *model.Network) *model.Network {
		net.Scores = model.SoftmaxScores // as in files of other programs, nothing says so
		return net
	}
	after := func(net *model.Network, op model.UnaryOp) *model.Network {
		net.Nodes = append(net.Nodes, model.Node{Name: "end", Inputs: []string{net.Logits}, Layer: &model.Unary{Op: op}})
		net.Scores = model.SigmoidScores
		return net
	}
	both := after(viztest.OneOutput(model.SigmoidScores), "Sigmoid")
	both.Outputs = []model.Output{{Name: "features", Node: "flat"}, {Name: "probs", Node: "end"}}
	for name, net := range map[string]*model.Network{"sigmoid.onnx": after(viztest.OneOutput(""), "Sigmoid"), "value.onnx": viztest.OneOutput(model.RawScores),
		"both.onnx": both, "seg.onnx": viztest.Segmentation()} {
		ts.Check(onnx.Export(ts.MkAbs(name), net, 0))
	}
	ts.Check(model.Save(ts.MkAbs("softmax.bin"), plain(viztest.Segmentation()), nil))
	x := viztest.ScoresInput()
	ts.Check(npy.WriteFile(ts.MkAbs("x.npy"), x.Shape, x.Data))
}
