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
// sums along the channels and taps run in one fixed order. Padding is never
// multiplied: a weight that is Inf or NaN has no effect where its tap lies
// outside the input, or it makes the element NaN; which of the two is not
// specified. Inf and NaN in the inputs follow IEEE arithmetic.
//
// The package knows nothing about networks, files or images. Arguments of
// wrong sizes are mistakes of the caller and panic.
package kernel
