// Package viztest is what viz's tests share: comparison of arrays within a
// stated tolerance, and the golden networks with everything a correct
// implementation computes on them.
//
//	c := viztest.Golden(t, "lenet_small")
//	viztest.AllClose(t, got, c.Floats(t, c.Layers[0].File), c.Tolerance.Activations)
//
// It imports model and model/onnx, so tests of those packages, and of packages
// they import, must be external (package model_test) to use it.
package viztest
