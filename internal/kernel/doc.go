// Package kernel computes the layers of a convolutional network, forwards,
// backwards and for training, on flat slices of float32.
//
// Tensors are NCHW: a batch of n images of c planes of h rows of w values.
// Convolutions, their transposes and pools work on a Box, a window of a plane,
// so that occlusion and projection compute only the part that can change; a
// whole map is the box Full(h, w). Everything heavy is a method of an Engine,
// which owns the workers and the scratch memory.
//
// Results do not depend on the number of workers, and the value of an output
// element depends neither on the batch it is computed in nor on the box: all
// sums along the channels and taps run in one fixed order. (Winograd's algorithm,
// which has to be asked for, is the exception.)
//
// Inf and NaN follow IEEE arithmetic, except in products with the padding, which
// may be skipped or multiplied: what a weight that is Inf or NaN gives where its
// tap lies outside the input, or such a gradient where it meets padding, is not
// specified.
//
// Files: ref.go defines every function by plain loops that sum in float64, and
// tests compare all else with it. level.go says what an implementation of the
// inner loops consists of; level_amd64.go lists those in assembly, generic.go is
// plain Go, dispatch.go chooses. gemm.go (forward, data gradient, dense layers),
// columns.go (maps too small to fill vectors), depthwise.go and channels.go (planes that are convolved by themselves),
// weights.go (weight gradient) and winograd.go cut the work into tiles for them.
// The assembly is written by the module in _asm; see generate.sh.
//
// The package knows nothing about networks, files or images. Arguments of
// wrong sizes are mistakes of the caller and panic.
package kernel
