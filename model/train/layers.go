package train

import (
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// batchNorm adds batch normalisation with the statistics of the batch
// [ioffe15], and keeps the layer's running statistics. relu and pooled are as
// in conv.
func (b *graph) batchNorm(name string, l *model.BatchNorm, x *G.Node, flows bool, in model.Shape, relu, pooled bool) *G.Node {
	c, plane := in.C, in.H*in.W
	gamma := b.param(name+".scale", l.Scale, false, 0, c)
	beta := b.param(name+".shift", l.Shift, false, 0, c)
	mean, invstd := make([]float32, c), make([]float32, c)
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		dgamma, dbeta := make([]float32, c), make([]float32, c)
		dx := b.buffered(name+" gradient", ins[0].Shape(), G.Nodes{ins[0], ins[1], y, dy}, nil, nil, func(dx []float32, in [][]float32) {
			x, gamma, y, dy := in[0], in[1], in[2], in[3]
			if relu && !pooled {
				b.k.ReLUGrad(dx, dy, y)
				dy = dx
			}
			b.k.BatchNormGrad(b.n, c, plane, dx, dgamma, dbeta, dy, x, gamma, mean, invstd)
		})
		return G.Nodes{dx, b.also(name+" scale gradient", tensor.Shape{c}, dgamma, dx), b.also(name+" shift gradient", tensor.Shape{c}, dbeta, dx)}
	}
	return b.buffered(name, x.Shape(), G.Nodes{x, gamma.node, beta.node}, []bool{flows, true, true}, grad, func(y []float32, in [][]float32) {
		b.k.BatchNormTrain(b.n, c, plane, y, in[0], in[1], in[2], mean, invstd, l.Eps)
		if relu {
			b.k.ReLU(y, y)
		}
		m := float64(b.n * plane)
		for i := range mean {
			s := 1 / float64(invstd[i])
			v := (float64(s*s) - l.Eps) * m / max(m-1, 1)
			l.Mean[i] = float32(float64(statMomentum*float64(l.Mean[i])) + float64((1-statMomentum)*float64(mean[i])))
			l.Var[i] = float32(float64(statMomentum*float64(l.Var[i])) + float64((1-statMomentum)*max(v, 0)))
		}
	})
}

func (b *graph) avgPool(name string, geo kernel.Pool, bottom, right int, countPad bool, x *G.Node, flows []bool, in, out model.Shape) *G.Node {
	planes := b.n * in.C
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		return G.Nodes{b.buffered(name+" gradient", ins[0].Shape(), G.Nodes{dy}, nil, nil, func(dx []float32, in2 [][]float32) {
			b.k.AvgPoolGrad(geo, planes, dx, in.Box(), in2[0], out.Box(), in.H, in.W, bottom, right, countPad)
		})}
	}
	return b.buffered(name, out.Batch(b.n), G.Nodes{x}, flows, grad, func(y []float32, in2 [][]float32) {
		b.k.AvgPool(geo, planes, y, out.Box(), in2[0], in.Box(), in.H, in.W, bottom, right, countPad)
	})
}

func (b *graph) lrn(name string, l *model.LRN, x *G.Node, flows []bool, in model.Shape) *G.Node {
	plane := in.H * in.W
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		return G.Nodes{b.buffered(name+" gradient", y.Shape(), G.Nodes{ins[0], dy}, nil, nil, func(dx []float32, in2 [][]float32) {
			b.k.LRNGrad(b.n, in.C, plane, dx, in2[1], in2[0], l.Size, l.Alpha, l.Beta, l.Bias)
		})}
	}
	return b.buffered(name, x.Shape(), G.Nodes{x}, flows, grad, func(y []float32, in2 [][]float32) {
		b.k.LRN(b.n, in.C, plane, y, in2[0], l.Size, l.Alpha, l.Beta, l.Bias)
	})
}

// pointwise adds a function of single values; f returns value and slope.
func (b *graph) pointwise(name string, x *G.Node, flows []bool, f func(x float32) (y, slope float32)) *G.Node {
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		return G.Nodes{b.buffered(name+" gradient", y.Shape(), G.Nodes{ins[0], dy}, nil, nil, func(dx []float32, in [][]float32) {
			for i, v := range in[0] {
				_, slope := f(v)
				dx[i] = slope * in[1][i]
			}
		})}
	}
	return b.buffered(name, x.Shape(), G.Nodes{x}, flows, grad, func(y []float32, in [][]float32) {
		for i, v := range in[0] {
			y[i], _ = f(v)
		}
	})
}

func (b *graph) pad(name string, l *model.Pad, x *G.Node, flows []bool, in, out model.Shape) *G.Node {
	// rows calls f with the places of each row of the input in both arrays.
	rows := func(f func(inside, padded int)) {
		for p := range b.n * in.C {
			for y := range in.H {
				f((p*in.H+y)*in.W, (p*out.H+y+l.Pads[0])*out.W+l.Pads[1])
			}
		}
	}
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		return G.Nodes{b.buffered(name+" gradient", ins[0].Shape(), G.Nodes{dy}, nil, nil, func(dx []float32, in2 [][]float32) {
			rows(func(i, o int) { copy(dx[i:i+in.W], in2[0][o:]) })
		})}
	}
	return b.buffered(name, out.Batch(b.n), G.Nodes{x}, flows, grad, func(y []float32, in2 [][]float32) {
		for i := range y {
			y[i] = l.Value
		}
		rows(func(i, o int) { copy(y[o:o+in.W], in2[0][i:]) })
	})
}
