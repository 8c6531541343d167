// Package onnx reads trained networks from ONNX files into model.Network, and
// writes them.
//
//	net, err := onnx.Import("squeezenet.onnx")
//	err = onnx.Export("again.onnx", net, 0)
//
// A file is read in two steps. First its skeleton, all but the weights
// (skeleton.go), which is decoded into plain structs (wire.go); constants are
// computed (constant.go, fold.go), and what remains is turned node by node into
// layers (convert.go, ops.go, ops_arrays.go, resize.go). Weights are read straight
// to their places when a node asks for them, also from files beside the model
// (external data), so that loading takes little more memory than they do.
// Everything about the format stays in here: the network that comes out knows
// nothing of ONNX but the names. What cannot be expressed in the model's layers
// is refused before anything runs, all of it at once, as an *Unsupported error.
//
// Known are the operators of convolutional networks with float arithmetic,
// operator sets 1 to 25, with recurrent cells; see layerOps and foldOps. Layers are kept for
// pictures where a graph only looks at them in another way: reshapes,
// transposes between channels first and last, and biases written as additions
// make no layers. Not known: control flow that the picture decides, custom operators,
// weights that are computed from the picture, and more than one input, though
// Options.Bind makes inputs constants.
//
// The format is described in the ONNX project's IR.md, Operators.md and
// onnx.proto. Files are untrusted: sizes are checked before anything is
// allocated, memory stays within a small multiple of the file's size, and no
// file is opened outside the model's folder.
package onnx
