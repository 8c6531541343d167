package model

import (
	"github.com/deconvnet/viz/model/tensor"
)

// Trace is one finished forward pass over a batch: the input, the values of the
// nodes that were kept, and the switches of max pools. It never changes once
// made, so any number of projections may share it.
type Trace struct {
	Net      *Network
	Input    *tensor.Tensor // [N, C, H, W]
	Shapes   map[string]Shape
	values   map[string]*tensor.Tensor
	switches map[string][]int32
}

// N is the number of images in the batch.
func (t *Trace) N() int { return t.Input.Shape[0] }

// Value returns the output of the named node, [N, C, H, W] or [N, F], or nil if
// it was not kept. The input's name gives the input. It must not be modified.
func (t *Trace) Value(name string) *tensor.Tensor {
	if name == t.Net.Input.Name {
		return t.Input
	}
	return t.values[name]
}

// Switches returns the places of the maxima of the named max pool,
// [N, C, OH, OW]: row*W+column in the pool's input map, the first in row-major
// order among equals; or nil if they were not kept. It must not be modified.
func (t *Trace) Switches(name string) []int32 { return t.switches[name] }

// At returns the value of a unit for one image of the batch.
func (t *Trace) At(image int, u Unit) float32 {
	s := t.Shapes[u.Layer]
	return t.Value(u.Layer).Data[image*s.Len()+(u.Channel*s.H+u.Y)*s.W+u.X]
}
