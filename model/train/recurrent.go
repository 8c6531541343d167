package train

import (
	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// geometry is the layer as the kernels see it. Shapes has checked it.
func geometry(l *model.Recurrent, in model.Shape) kernel.Recurrent {
	cell, _ := kernel.CellOf(string(l.Cell))
	return kernel.Recurrent{Cell: cell, Steps: in.H, In: in.W, Hidden: l.WeightH.Shape[1]}
}

// recurrent adds a recurrent layer as one operation with all its steps inside,
// and one for the way back through them. (Steps as operations of their own would
// be thousands of nodes.)
func (b *graph) recurrent(name string, l *model.Recurrent, x *G.Node, flows bool, in model.Shape) *G.Node {
	geo := geometry(l, in)
	state := &kernel.Recurrence{}
	wx := b.param(name+".weight_x", l.WeightX.Data, true, 0, l.WeightX.Shape...)
	wh := b.param(name+".weight_h", l.WeightH.Data, true, 0, l.WeightH.Shape...)
	bx := b.param(name+".bias_x", l.BiasX, false, 0, len(l.BiasX))
	bh := b.param(name+".bias_h", l.BiasH, false, 0, len(l.BiasH))
	weights := func(in [][]float32) kernel.RecurrentWeights {
		return kernel.RecurrentWeights{WX: in[0], WH: in[1], BX: in[2], BH: in[3]}
	}
	grad := func(ins G.Nodes, y, dy *G.Node) G.Nodes {
		d := kernel.RecurrentWeights{WH: make([]float32, len(wh.value)), BX: make([]float32, len(bx.value)), BH: make([]float32, len(bh.value))}
		var dx []float32
		if flows {
			dx = make([]float32, b.n*in.Len())
		}
		// y is among the inputs so that the state is that of this step.
		dw := b.buffered(name+" gradient", wx.shape, G.Nodes{ins[1], ins[2], ins[3], ins[4], y, dy}, nil, nil, func(dw []float32, in [][]float32) {
			d.WX = dw
			b.k.RecurrentBackward(geo, b.n, state, d, dx, in[5], weights(in))
		})
		grads := G.Nodes{nil, dw, b.also(name+" hidden gradient", wh.shape, d.WH, dw),
			b.also(name+" input bias gradient", bx.shape, d.BX, dw), b.also(name+" hidden bias gradient", bh.shape, d.BH, dw)}
		if flows {
			grads[0] = b.also(name+" data gradient", ins[0].Shape(), dx, dw)
		}
		return grads
	}
	return b.buffered(name, tensor.Shape{b.n, geo.Hidden}, G.Nodes{x, wx.node, wh.node, bx.node, bh.node}, []bool{flows, true, true, true, true}, grad,
		func(y []float32, in [][]float32) {
			b.k.RecurrentForward(geo, b.n, state, y, in[0], weights(in[1:]))
		})
}
