// Package tensor holds dense float32 arrays with a shape, the numbers that flow
// through a network.
//
//	x := tensor.New(1, 3, 224, 224)                 // an image, all 0
//	x.Data[(2*224+y)*224+x0] = 0.5                    // blue at row y, column x0
//	best := tensor.ArgMax(tensor.From(scores, 10).Data) // of ten numbers
//
// A tensor is plain data in C order (the last index runs fastest). Images are
// [N, C, H, W], feature vectors [N, F]. The package knows nothing of layers.
package tensor

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/pages"
)

// Tensor is a dense array of float32 in C order; len(Data) is the product of Shape.
// Weights of quantised networks may be Packed instead, then Data is nil; Floats are
// the numbers of either.
type Tensor struct {
	Shape  []int
	Data   []float32
	Packed *Packed
}

// New returns a tensor of zeros. It panics on a negative size.
func New(shape ...int) *Tensor {
	n := 1
	for _, d := range shape {
		if d < 0 {
			panic("tensor: negative size")
		}
		n *= d
	}
	return &Tensor{Shape: slices.Clone(shape), Data: pages.Floats(n)}
}

// From wraps data, without copying, in a tensor of the given shape. It panics
// if the shape does not hold len(data) values.
func From(data []float32, shape ...int) *Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n != len(data) {
		panic(fmt.Sprintf("tensor: shape %v holds %d values, got %d", shape, n, len(data)))
	}
	return &Tensor{Shape: slices.Clone(shape), Data: data}
}

// Len is the number of values.
func (t *Tensor) Len() int {
	if t.Packed != nil {
		return len(t.Packed.Q)
	}
	return len(t.Data)
}

// Clone returns a copy that shares nothing with t, and is not packed.
func (t *Tensor) Clone() *Tensor {
	data := t.Floats()
	if t.Packed == nil {
		data = slices.Clone(data)
	}
	return &Tensor{Shape: slices.Clone(t.Shape), Data: data}
}

// Slice returns elements i..j of the first axis as a view on the same data.
func (t *Tensor) Slice(i, j int) *Tensor {
	n := len(t.Data) / max(t.Shape[0], 1)
	shape := slices.Clone(t.Shape)
	shape[0] = j - i
	return &Tensor{Shape: shape, Data: t.Data[i*n : j*n : j*n]}
}

// Stack joins tensors of equal shape [1, ...] or [k, ...] along the first axis.
// It panics if the remaining axes differ.
func Stack(ts ...*Tensor) *Tensor {
	shape := slices.Clone(ts[0].Shape)
	shape[0] = 0
	var data []float32
	for _, t := range ts {
		if !slices.Equal(t.Shape[1:], shape[1:]) {
			panic(fmt.Sprintf("tensor: cannot stack %v on %v", t.Shape, ts[0].Shape))
		}
		shape[0] += t.Shape[0]
		data = append(data, t.Data...)
	}
	return &Tensor{Shape: shape, Data: data}
}

// ArgMax returns the index of the first largest value of x, or -1 if x is
// empty. NaN is smaller than any number.
func ArgMax(x []float32) int {
	at := -1
	for i, v := range x {
		if at < 0 || v > x[at] || x[at] != x[at] && v == v {
			at = i
		}
	}
	return at
}

// Softmax returns exp(x) / sum of exp(x), computed in float64.
func Softmax(x []float32) []float64 {
	p := make([]float64, len(x))
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		top = max(top, float64(v))
	}
	for i, v := range x {
		p[i] = exact.Exp(float64(v) - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// CrossEntropy returns -log Softmax(x)[label], which is finite where the
// probability is too small to be.
func CrossEntropy(x []float32, label int) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range x {
		top = max(top, float64(v))
	}
	for _, v := range x {
		sum += exact.Exp(float64(v) - top)
	}
	return exact.Log(sum) + top - float64(x[label])
}
