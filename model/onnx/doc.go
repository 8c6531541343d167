// Package onnx reads trained networks from ONNX files into model.Network.
//
//	net, err := onnx.Import("squeezenet.onnx")
//
// A file is decoded into plain structs (wire.go), its constants are computed
// (constant.go, fold.go), and what remains is turned node by node into layers
// (convert.go, ops.go). Everything about the format stays in here: the network
// that comes out knows nothing of ONNX but the names. What cannot be expressed
// in the model's layers is refused before anything runs, all of it at once, as
// an *Unsupported error.
//
// Known are the operators of convolutional classifiers on pictures with float
// arithmetic, operator sets 1 to 23. Height and width must be fixed in the file.
// Not known: control flow, quantised and custom operators, recurrent ones, and
// weights kept in other files.
//
// The format is described in the ONNX project's IR.md, Operators.md and
// onnx.proto. Files are untrusted: sizes are checked before anything is
// allocated, and memory stays within a small multiple of the file's size.
package onnx
