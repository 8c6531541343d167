// Package model holds trained convolutional networks as plain data and runs
// them forward.
//
// A Network is a graph of named layers; Load reads one from a checkpoint and
// Engine.Forward runs it on a batch, giving a Trace from which the analysis
// packages (deconv, occlusion, features) work. Preprocess is the one step
// between pixels and numbers.
//
//	net, err := model.Load("ckpt.bin")
//	x, err := net.Preprocess.Tensor(img, net.Input)
//	trace, err := engine.Forward(net, x)
//
// Where to begin, among many names:
//
//   - to have a network: [Load] a checkpoint, [Build] an architecture, [LoadWeights] of
//     another library (model/open takes any file); [Save] keeps it
//   - to run it: [NewEngine], [Engine.Forward]; or [Engine.Compile] once for many runs
//   - to read what came out: [Trace.Value], [Network.Reading], [Network.Resolve] for names
//   - to know it: [Network.Summary], [Network.Shapes], [Network.ReceptiveBox]
//   - to change it: [Reset], [Redraw], [Vary], [Fixed]
//
// All that has a method Kind is a kind of layer, a [Layer] to be put into a [Node].
//
// Layers are data; passes (shapes, forward, boxes, summary) are functions over
// them. Arrays are float32 in NCHW order. The package does not know how
// networks are trained (model/train) or what ONNX is (model/onnx), and nothing
// of projections or occlusion.
//
// Sources cited in this module:
//
//	[zeiler14]   M. D. Zeiler and R. Fergus, Visualizing and Understanding
//	             Convolutional Networks, ECCV 2014 (arXiv 1311.2901)
//	[krypton19]  S. Nakandala, A. Kumar, Y. Papakonstantinou, Incremental and
//	             Approximate Inference for Faster Occlusion-based Deep CNN
//	             Explanations, SIGMOD 2019
//	[course]     Rice University COMP/ELEC 576, assignment 2 (2017)
package model
