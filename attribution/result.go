package attribution

import (
	"math"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Result is a method's answer for one target.
type Result struct {
	Method Method
	Base   Method // of a method that repeats another; else ""
	Target Target
	Layers []string // whose maps were weighed; nil for other methods
	Shape  []int    // [C, H, W] of the input, [H, W] of it, or [h, w] of the layer
	Values []float32
	Score  float64 // the target's score for the image

	Completeness *Completeness // of integrated gradients
	// Weights are those of a layer's maps by Score-CAM and Ablation-CAM: the rise of
	// the score by the map's mask, or the share that is lost without the map.
	Weights []float64
	Passes  int // forward passes that were made, of whole images or from the layer up
}

// Completeness says how far a map adds up to what it explains.
type Completeness struct {
	Baseline   string  `json:"baseline"`
	Nodes      int     `json:"nodes"`
	Difference float64 `json:"difference"` // s(image) - s(baseline)
	Residual   float64 `json:"residual"`   // sum of the map - Difference
}

func (r *run) result(target int, shape []int, values []float32) *Result {
	out := &Result{Method: r.r.Method, Target: r.r.Targets[target], Layers: r.layers, Shape: shape, Values: values, Score: r.scores[target], Passes: 1}
	if r.r.Method.Noisy() {
		out.Base = r.r.Base
	}
	return out
}

// Size is that of Plane.
func (r *Result) Size() (h, w int) { return r.Shape[len(r.Shape)-2], r.Shape[len(r.Shape)-1] }

// Signed reports whether Plane has values of both signs by definition.
func (r *Result) Signed() bool {
	k := r.Method.info()
	if r.Method == SmoothGrad && r.Base != "" {
		k = r.Base.info()
	}
	return !k.sequence && !k.unsigned
}

// Plane is the result as one map for display, [h, w]: of a gradient the largest
// magnitude among the channels, of what contributes to the score its sum over the
// channels, of a class activation map what is positive.
func (r *Result) Plane() []float32 {
	h, w := r.Size()
	out := make([]float32, h*w)
	if len(r.Shape) == 2 {
		copy(out, r.Values)
		base := r.Method
		if r.Method.Noisy() {
			base = r.Base
		}
		if base.AtLayer() {
			for i, v := range out {
				out[i] = max(v, 0)
			}
		}
		return out
	}
	magnitude := !r.Signed()
	for i := range out {
		var sum, most float64
		for c := range r.Shape[0] {
			v := float64(r.Values[c*h*w+i])
			sum += v
			most = max(most, math.Abs(v))
		}
		if out[i] = float32(sum); magnitude {
			out[i] = float32(most)
		}
	}
	return out
}

// PlaneAt is Plane at another size: between the centres of its cells linearly, at the
// border as at the outermost.
func (r *Result) PlaneAt(h, w int) []float32 {
	fromH, fromW := r.Size()
	return render.Smooth(r.Plane(), fromH, fromW, h, w)
}

// images is a batch of n images to fill.
func images(in model.Input, n int) *tensor.Tensor { return tensor.New(n, in.C, in.H, in.W) }
