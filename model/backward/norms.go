package backward

import (
	"math"

	"github.com/deconvnet/viz/model"
)

// norm takes the signal down through a normalisation whose input was x.
func (d *solo) norm(l model.Layer, dst, g, x []float32, in model.Shape) {
	switch l := l.(type) {
	case *model.GroupNorm:
		d.groupNorm(l, dst, g, x, in)
	case *model.Normalize:
		d.normalize(l, dst, g, x)
	}
}

// groupNorm takes a group's own statistics as they are under the paper's rules
// and guided backpropagation; the gradient knows that they depend on the group.
func (d *solo) groupNorm(l *model.GroupNorm, dst, g, x []float32, in model.Shape) {
	mean, scale := l.Moments(x)
	groups, plane := l.GroupsOf(in.C), in.H*in.W
	size := in.Len() / groups
	for group := range groups {
		m, s := mean[group], scale[group]
		var sum, dot float64
		for i := group * size; i < (group+1)*size && d.p.rule == Gradient; i++ {
			v := float64(float64(g[i]) * float64(l.Scale[i/plane]))
			sum += v
			dot += float64(v * (float64(x[i]) - m) * s)
		}
		for i := group * size; i < (group+1)*size; i++ {
			hat := (float64(x[i]) - m) * s
			dst[i] = float32(s * (float64(float64(g[i])*float64(l.Scale[i/plane])) - (sum+float64(hat*dot))/float64(size)))
		}
	}
}

// normalize is groupNorm for groups along any axes.
func (d *solo) normalize(l *model.Normalize, dst, g, x []float32) {
	if l.ApplyGrad(d.p.engine, d.p.rule != Gradient, dst, g, x) {
		return
	}
	mean, scale := l.Moments(x)
	sum, dot, count := make([]float64, len(mean)), make([]float64, len(mean)), float64(len(x)/len(mean))
	hat := func(i, j int) float64 { return float64((float64(x[j]) - mean[i]) * scale[i]) }
	if d.p.rule == Gradient {
		l.Visit(func(i, j int) {
			v := float64(float64(g[j]) * l.ScaleAt(j))
			sum[i] += v
			dot[i] += float64(v * hat(i, j))
		})
	}
	l.Visit(func(i, j int) {
		v, s := float64(float64(g[j])*l.ScaleAt(j)), scale[i]
		switch l.Op {
		case model.NormStandard:
			v -= (sum[i] + float64(hat(i, j)*dot[i])) / count
		case model.NormRMS:
			v -= hat(i, j) * dot[i] / count
		case model.NormL2:
			v -= float64(hat(i, j) * dot[i])
		case model.NormL1:
			if x[j] != 0 {
				v -= math.Copysign(dot[i], float64(x[j])*dot[i])
			}
		case model.NormSpread:
			v -= sum[i] / count
			if deviation := 1/s - l.Eps; deviation > 0 {
				v -= hat(i, j) * dot[i] / (count * deviation * s)
			}
		}
		dst[j] = float32(s * v)
	})
}
