// Package viz is the root of a toolkit that shows what a trained CNN has learned:
// what each feature responds to, and which image regions a prediction depends on.
//
// The root holds no code. Programs use the packages below it:
//
//	net, err := open.Network("squeezenet.onnx", open.Options{}) // model/open: any file to a network
//	s := view.NewSession(model.NewEngine(0), net)                // view: a request to figures and numbers
//	figures, err := s.Occlude(ctx, view.Occlusion{}, in)         // in is of a picture: s.Input
//
// Under view are the packages that compute:
//
//	deconv       one activation taken down to pixels (Zeiler and Fergus' deconvnet)
//	occlusion    what the network says when parts of the image are covered
//	attribution  what of an image a score comes from, by many methods
//	features     the strongest activations of every map over many images
//	maximize     the pictures that a unit or class responds to most
//	experiments  the paper's other measurements
//	model        networks as plain data; checkpoints; forward passes
//	images       names of files, folders and data sets to pictures
//
// ARCHITECTURE.md shows how they fit together; cmd/viz is the program.
package viz
