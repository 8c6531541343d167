// Package viz is the root of a toolkit that shows what a trained CNN has learned:
// what each feature responds to, and which image regions a prediction depends on.
//
// The root holds no code. Programs use the packages below it:
//
//	model      networks as plain data; checkpoints; forward passes
//	deconv     one activation taken down to pixels (Zeiler and Fergus' deconvnet)
//	occlusion  what the network says when parts of the image are covered
//	features   the strongest activations of every map over many images
//
// ARCHITECTURE.md shows how they fit together; cmd/viz is the program.
package viz
