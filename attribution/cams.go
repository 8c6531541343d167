package attribution

import (
	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// cam weighs the maps of the layers with the gradients grads, by layer, for one
// image of a trace.
func (r *run) cam(t *model.Trace, image int, m Method, grads [][]float32) (values []float32, shape []int) {
	var layers [][]float64
	for j, name := range r.layers {
		p, size := r.places[j], r.shapes[name].Len()
		layers = append(layers, Weigh(m, p, t.Value(name).Data[image*size:(image+1)*size], grads[j]))
	}
	return r.fuse(layers)
}

// Weigh is the class activation map of one layer, [H*W] of its places, before the rectifier: the layer's value for one
// image, and the gradient of the score by it, as a method weighs them that has one way down (GradCAM, say).
func Weigh(m Method, p model.Places, value, gradient []float32) []float64 {
	a, g, plane := maps(p, value), maps(p, gradient), p.H*p.W
	sum := make([]float64, plane)
	for k := range p.Channels {
		addMap(m, sum, a[k*plane:(k+1)*plane], g[k*plane:(k+1)*plane])
	}
	return sum
}

// addMap adds a layer's map a, whose gradient is g, as the method weighs it.
func addMap(m Method, sum []float64, a, g []float32) {
	weight := 0.0
	switch m {
	case HiResCAM:
		for i, v := range a {
			sum[i] += float64(float64(g[i]) * float64(v))
		}
		return
	case LayerCAM:
		for i, v := range a {
			sum[i] += float64(max(float64(g[i]), 0) * float64(v))
		}
		return
	case GradCAM:
		for _, v := range g {
			weight += float64(v)
		}
		weight /= float64(len(g))
	case XGradCAM:
		var product, total float64
		for i, v := range a {
			product += float64(float64(g[i]) * float64(v))
			total += float64(v)
		}
		weight = ratio(product, total)
	case GradCAMPlus:
		var total float64
		for _, v := range a {
			total += float64(v)
		}
		for _, v := range g {
			if v > 0 {
				d := float64(v)
				weight += float64(ratio(d*d, float64(2*d*d)+float64(total*d*d*d)) * d)
			}
		}
	}
	add(sum, a, weight)
}

func add(sum []float64, a []float32, weight float64) {
	for i, v := range a {
		sum[i] += float64(weight * float64(v))
	}
}

// ratio is a/b, 0 if b is.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// fuse makes one map of those of the layers: that of one layer as it is, before its
// rectifier; of several what Request.Layers says.
func (r *run) fuse(layers [][]float64) (values []float32, shape []int) {
	var h, w int
	for _, p := range r.places {
		if p.H*p.W > h*w {
			h, w = p.H, p.W
		}
	}
	values = make([]float32, h*w)
	for j, sum := range layers {
		p := r.places[j]
		one, most := make([]float32, len(sum)), 0.0
		for _, v := range sum {
			most = max(most, v)
		}
		for i, v := range sum {
			one[i] = float32(v)
			if len(layers) > 1 {
				one[i] = float32(exact.Tanh(2 * ratio(max(v, 0), most)))
			}
		}
		one = render.Smooth(one, p.H, p.W, h, w)
		if j == 0 {
			copy(values, one)
			continue
		}
		for i, v := range one {
			values[i] = max(values[i], v)
		}
	}
	return values, []int{h, w}
}
