package model_test

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// randomTensor holds numbers from a normal distribution.
func randomTensor(rng *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(shape...)
	for i := range t.Data {
		t.Data[i] = float32(rng.NormFloat64())
	}
	return t
}

// kinds is a small network for every layer kind: [3, 7, 9] goes in, the kind in
// question is called "it". A new kind must be added here, and then meets every pass:
// each rule of projection either says what it does at the kind and is held to
// differences, or refuses with a reason.
func kinds(rng *rand.Rand) map[string]*model.Network {
	vector := func(n int, positive bool) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
			if positive {
				v[i] = v[i]*v[i] + 0.5
			}
		}
		return v
	}
	one := []int{1, 1}
	on := func(l model.Layer) *model.Network {
		return &model.Network{Name: "test", Input: model.Input{Name: "in", C: 3, H: 7, W: 9},
			Nodes: []model.Node{{Name: "it", Inputs: []string{"in"}, Layer: l}}}
	}
	flat := func(l model.Layer) *model.Network {
		n := on(l)
		n.Nodes = []model.Node{{Name: "flat", Inputs: []string{"in"}, Layer: &model.Reshape{}}, {Name: "it", Inputs: []string{"flat"}, Layer: l}}
		return n
	}
	two := func(l model.Layer) *model.Network {
		n := on(l)
		n.Nodes = []model.Node{{Name: "relu", Inputs: []string{"in"}, Layer: &model.ReLU{}}, {Name: "it", Inputs: []string{"in", "relu"}, Layer: l}}
		return n
	}
	recurrent := func(cell string, gates int) *model.Network {
		n := on(&model.Recurrent{Cell: model.Cell(cell), WeightX: randomTensor(rng, gates*5, 9), WeightH: randomTensor(rng, gates*5, 5),
			BiasX: vector(gates*5, false), BiasH: vector(gates*5, false)})
		grey := &model.Conv{Weight: randomTensor(rng, 1, 3, 1, 1), Stride: one, Dilation: one, Groups: 1}
		n.Nodes = append([]model.Node{{Name: "grey", Inputs: []string{"in"}, Layer: grey}}, n.Nodes...)
		n.Nodes[1].Inputs[0] = "grey"
		return n
	}
	return map[string]*model.Network{
		"Conv":           on(&model.Conv{Weight: randomTensor(rng, 4, 3, 3, 2), Bias: vector(4, false), Stride: []int{2, 1}, Dilation: []int{1, 2}, Pads: []int{1, 0, 2, 1}, Groups: 1}),
		"Conv/groups":    on(&model.Conv{Weight: randomTensor(rng, 6, 1, 3, 3), Stride: one, Dilation: one, Pads: []int{1, 1, 1, 1}, Groups: 3}),
		"Dense":          flat(&model.Dense{Weight: randomTensor(rng, 5, 3*7*9), Bias: vector(5, false)}),
		"MaxPool":        on(&model.Pool{Op: model.PoolMax, Kernel: []int{3, 2}, Stride: []int{2, 2}, Dilation: one[:], Pads: []int{1, 0, 0, 1}, Ceil: true}),
		"AvgPool":        on(&model.Pool{Op: model.PoolAverage, Kernel: []int{3, 2}, Stride: []int{1, 2}, Pads: []int{1, 1, 1, 1}}),
		"GlobalAvgPool":  on(&model.GlobalAvgPool{}),
		"ReLU":           on(&model.ReLU{}),
		"LeakyReLU":      on(&model.Unary{Op: "LeakyRelu", Alpha: 0.1}),
		"Clip":           on(&model.Clip{Min: -0.5, Max: 0.7}),
		"LRN":            on(&model.LRN{Size: 3, Alpha: 0.1, Beta: 0.75, Bias: 2}),
		"BatchNorm":      on(&model.BatchNorm{Scale: vector(3, false), Shift: vector(3, false), Mean: vector(3, false), Var: vector(3, true), Eps: 1e-5}),
		"Add":            two(&model.Add{}),
		"Concat":         two(&model.Concat{}),
		"Flatten":        on(&model.Reshape{}),
		"Pad":            on(&model.Pad{Pads: [4]int{1, 2, 0, 1}, Value: 0.5}),
		"Dropout":        on(&model.Dropout{Rate: 0.5}),
		"Softmax":        on(&model.Softmax{}),
		"Quantize":       on(&model.Quantize{Type: model.Int16, Scale: []float32{1e-4, 2e-4, 5e-5}, Zero: []float32{0, 100, -3}}),
		"Quantize/own":   on(&model.Quantize{Type: model.Uint8}),
		"Recurrent/rnn":  recurrent("rnn", 1),
		"Recurrent/lstm": recurrent("lstm", 4),
		"Recurrent/gru":  recurrent("gru", 3),

		"Unary/Elu":          on(&model.Unary{Op: "Elu", Alpha: 0.7}),
		"Unary/HardSwish":    on(&model.Unary{Op: "HardSwish"}),
		"Binary/const":       on(&model.Binary{Op: "Mul", A: []int{3, 1, 9}, B: []int{1, 3, 7, 9}, Value: randomTensor(rng, 3, 1, 9), First: true}),
		"Binary/greater":     two(&model.Binary{Op: "Greater", A: []int{3, 7, 9}, B: []int{3, 7, 9}}),
		"Binary/mod":         on(&model.Binary{Op: "Fmod", A: []int{3, 7, 9}, B: []int{}, Value: tensor.From([]float32{20})}),
		"Unary/NotZero":      on(&model.Unary{Op: "NotZero"}),
		"Unary/Shrink":       on(&model.Unary{Op: "Shrink", Alpha: 0.2, Beta: 0.3}),
		"Binary/sub":         both(on(nil), &model.Binary{Op: "Sub", A: []int{3, 7, 9}, B: []int{3, 7, 9}}),
		"Binary/div":         both(on(nil), &model.Binary{Op: "Div", A: []int{3, 7, 9}, B: []int{3, 7, 9}}),
		"Binary/two":         two(&model.Binary{Op: "Mul", A: []int{3, 7, 9}, B: []int{3, 7, 9}}),
		"Binary/gate":        gate(on(nil)),
		"Binary/PRelu":       on(&model.Binary{Op: "PRelu", A: []int{3, 7, 9}, B: []int{3, 1, 1}, Value: randomTensor(rng, 3, 1, 1)}),
		"MatMul/const":       on(&model.MatMul{A: []int{3, 7, 9}, B: []int{9, 4}, Value: randomTensor(rng, 9, 4)}),
		"MatMul/first":       on(&model.MatMul{A: []int{3, 2, 7}, B: []int{3, 7, 9}, Value: randomTensor(rng, 3, 2, 7), First: true}),
		"ConvTranspose":      on(&model.ConvTranspose{Weight: randomTensor(rng, 3, 4, 3, 2), Bias: vector(4, false), Stride: []int{2, 3}, Dilation: []int{1, 2}, Pads: []int{1, 0, 0, 2}, OutPad: []int{1, 0}, Groups: 1}),
		"ConvTranspose/3":    on(&model.ConvTranspose{Weight: randomTensor(rng, 3, 2, 2, 2), Stride: one, Dilation: one, Groups: 3}),
		"Pool/lp":            on(&model.Pool{Op: "lp", P: 2, Kernel: []int{3, 2}, Stride: []int{2, 1}, Dilation: one[:], Pads: []int{1, 0, 0, 1}}),
		"Pool/average":       on(&model.Pool{Op: "average", Kernel: []int{3, 2}, Stride: []int{2, 1}, Dilation: []int{1, 2}, Pads: []int{1, 0, 0, 1}, CountPad: true}),
		"Pool/argmax":        on(&model.Pool{Op: "argmax", Kernel: []int{3, 2}, Stride: []int{2, 1}, Dilation: one[:]}),
		"InstanceNorm":       on(&model.GroupNorm{Scale: vector(3, false), Shift: vector(3, false), Eps: 1e-5}),
		"GroupNorm":          on(&model.GroupNorm{Groups: 1, Scale: vector(3, false), Shift: vector(3, false), Eps: 1e-5}),
		"GroupNorm/2":        split(on(nil), vector(4, true), &model.GroupNorm{Groups: 2, Scale: vector(4, false), Shift: vector(4, false), Eps: 1e-5}),
		"Normalize/standard": on(&model.Normalize{Op: model.NormStandard, From: []int{21, 9}, Axes: []int{1}, Scale: vector(9, false), Shift: vector(9, false), Inner: 1, Eps: 1e-3}),
		"Normalize/channels": on(&model.Normalize{Op: model.NormStandard, From: []int{3, 7, 9}, Axes: []int{0}, Scale: vector(3, false), Inner: 63, Eps: 1e-3}),
		"Normalize/spread":   on(&model.Normalize{Op: model.NormSpread, From: []int{3, 7, 9}, Axes: []int{0, 2}, Eps: 0.1}),
		"Normalize/rms":      on(&model.Normalize{Op: model.NormRMS, From: []int{3, 7, 9}, Axes: []int{1, 2}, Shift: vector(63, false), Inner: 1, Eps: 1e-3}),
		"Normalize/l1":       squared(on(&model.Normalize{Op: model.NormL1, From: []int{3, 7, 9}, Axes: []int{1}})),
		"Normalize/l2":       on(&model.Normalize{Op: model.NormL2, From: []int{3, 7, 9}, Axes: []int{1}}),
		"Where":              both(on(nil), &model.Where{M: []int{9}, A: []int{3, 7, 9}, B: []int{3, 7, 9}, Mask: tensor.From([]float32{1, 0, 1, 1, 0, 0, 1, 0, 1}, 9)}),
		"Where/other":        both(on(nil), &model.Where{M: []int{}, A: []int{3, 7, 9}, B: []int{3, 7, 9}, Mask: tensor.New()}),
		"Where/first":        both(on(nil), &model.Where{M: []int{}, A: []int{3, 7, 9}, B: []int{3, 7, 9}, Mask: tensor.From([]float32{1})}),
		"Where/mask":         where(on(nil)),
		"CumSum":             on(&model.CumSum{Outer: 3, Size: 7, Inner: 9, Exclusive: true}),
		"CumSum/reverse":     on(&model.CumSum{Outer: 21, Size: 9, Inner: 1, Reverse: true}),
		"Hardmax":            on(&model.Hardmax{Outer: 3, Size: 7, Inner: 9}),
		"OneHot":             on(&model.OneHot{From: []int{3, 7, 9}, Axis: 1, Depth: 4, On: 2, Off: -1}),
		"TopK":               on(&model.TopK{From: []int{3, 7, 9}, Axis: 1, K: 3}),
		"TopK/smallest":      on(&model.TopK{From: []int{3, 7, 9}, Axis: 2, K: 4, Smallest: true}),
		"TopK/places":        on(&model.TopK{From: []int{3, 7, 9}, Axis: 1, K: 3, Places: true}),
		"Lookup/axis":        chosen(on(nil), &model.Lookup{Op: model.IndexAxis, Data: []int{3, 7, 9}, Index: []int{3, 2, 9}, Axis: 1}),
		"Lookup/elements":    chosen(on(nil), &model.Lookup{Op: model.IndexElements, Data: []int{3, 7, 9}, Index: []int{3, 2, 9}, Axis: 1}),
		"Lookup/nd":          chosen(on(nil), &model.Lookup{Op: model.IndexND, Data: []int{9, 7, 3}, Index: []int{27, 2}}),
		"GridSample":         grid(on(nil), &model.GridSample{Mode: model.GridLinear, Padding: model.GridZeros, Out: [2]int{7, 9}}),
		"GridSample/cubic":   grid(on(nil), &model.GridSample{Mode: model.GridCubic, Padding: model.GridReflection, Align: true, Out: [2]int{7, 9}}),
		"GridSample/nearest": grid(on(nil), &model.GridSample{Mode: model.GridNearest, Padding: model.GridBorder, Out: [2]int{7, 9}}),
		"Scatter":            chosen(on(nil), &model.Scatter{Op: model.IndexElements, Data: []int{3, 7, 9}, Index: []int{3, 2, 9}, Axis: 1, Reduction: model.ScatterSet}),
		"Scatter/add":        chosen(on(nil), &model.Scatter{Op: model.IndexElements, Data: []int{3, 7, 9}, Index: []int{3, 2, 9}, Axis: 1, Reduction: model.ScatterAdd}),
		"Reduce/mean":        on(&model.Reduce{Op: "mean", From: []int{3, 7, 9}, Axes: []int{0, 2}}),
		"Reduce/max":         on(&model.Reduce{Op: "max", From: []int{3, 7, 9}, Axes: []int{1}}),
		"Reduce/l2":          on(&model.Reduce{Op: "l2", From: []int{3, 7, 9}, Axes: []int{0}}),
		"Reduce/sum":         on(&model.Reduce{Op: "sum", From: []int{3, 7, 9}, Axes: []int{0, 1, 2}}),
		"Reduce/min":         on(&model.Reduce{Op: "min", From: []int{3, 7, 9}, Axes: []int{0}}),
		"Reduce/l1":          on(&model.Reduce{Op: "l1", From: []int{3, 7, 9}, Axes: []int{2}}),
		"Reduce/sumsquare":   on(&model.Reduce{Op: "sumsquare", From: []int{3, 7, 9}, Axes: []int{2}}),
		"Reduce/logsum":      squared(on(&model.Reduce{Op: "logsum", From: []int{3, 7, 9}, Axes: []int{2}})),
		"Reduce/logsumexp":   on(&model.Reduce{Op: "logsumexp", From: []int{3, 7, 9}, Axes: []int{2}}),
		"Reduce/prod":        on(&model.Reduce{Op: "prod", From: []int{3, 7, 9}, Axes: []int{1}}),
		"Reduce/argmax":      on(&model.Reduce{Op: "argmax", From: []int{3, 7, 9}, Axes: []int{0}}),
		"Rearrange":          on(&model.Rearrange{What: "Transpose", To: []int{9, 3, 7}, Strides: []int{1, 63, 9}}),
		"AlongAxis":          on(&model.AlongAxis{What: "Resize", From: []int{3, 7, 9}, Axis: 1, Taps: 2, Index: []int{0, -1, 3, 4, 6, 6}, Weight: []float32{.5, .5, .25, .75, 1, 0}, Fill: 2}),
		"Softmax/channels":   on(&model.Softmax{Log: true}),
		"Softmax/axis":       on(&model.Softmax{Outer: 21, Size: 9, Inner: 1}),
		"Softmax/log":        on(&model.Softmax{Outer: 3, Size: 7, Inner: 9, Log: true}),
		"Concat/axis":        two(&model.Concat{Axis: 1, To: []int{3, 14, 9}}),
		"Reshape":            on(&model.Reshape{To: []int{7, 3, 9}}),
		"Constant":           on(&model.Constant{Value: randomTensor(rng, 2, 2)}),
		"Recurrent/both": on(&model.Recurrent{Cell: model.CellLSTM, From: []int{7, 3, 9}, Direction: model.Bidirectional,
			WeightX: randomTensor(rng, 16, 9), WeightH: randomTensor(rng, 16, 2), Peepholes: randomTensor(rng, 2, 6), Lengths: []int{7, 2, 0}}),
		"Recurrent/reverse": on(&model.Recurrent{Cell: model.CellGRU, From: []int{7, 3, 9}, Direction: model.Reverse,
			WeightX: randomTensor(rng, 6, 9), WeightH: randomTensor(rng, 6, 2), BiasX: vector(6, false), BiasH: vector(6, false), H0: randomTensor(rng, 1, 3, 2), Clip: 3}),
		"Recurrent/array": on(&model.Recurrent{Cell: model.CellRNN, From: []int{7, 3, 9}, Activations: "Affine", Alpha: []float32{.5}, Beta: []float32{.1},
			WeightX: randomTensor(rng, 2, 9), WeightH: randomTensor(rng, 2, 2)}),
		"Conv/volume": on(&model.Conv{Weight: randomTensor(rng, 4, 3, 3, 2, 1), Bias: vector(4, false), Groups: 1,
			From: []int{3, 7, 3, 3}, Stride: []int{2, 1, 2}, Dilation: []int{2, 1, 1}, Pads: []int{1, 0, 1, 2, 1, 0}}),
		"Conv/array": on(&model.Conv{Weight: randomTensor(rng, 6, 1, 2, 2), Groups: 3,
			From: []int{3, 7, 9}, Stride: []int{1, 2}, Dilation: []int{1, 1}, Pads: []int{0, 1, 1, 0}}),
		"Conv/4": on(&model.Conv{Weight: randomTensor(rng, 2, 3, 2, 2, 2, 3), Groups: 1,
			From: []int{3, 7, 1, 3, 3}, Stride: []int{2, 1, 1, 1}, Dilation: []int{1, 1, 1, 1}, Pads: []int{0, 1, 0, 1, 1, 0, 1, 1}}),
		"ConvTranspose/volume": on(&model.ConvTranspose{Weight: randomTensor(rng, 3, 4, 3, 2, 2), Bias: vector(4, false), Groups: 1, OutPad: []int{1, 0, 0},
			From: []int{3, 7, 3, 3}, Stride: []int{2, 1, 3}, Dilation: []int{1, 2, 1}, Pads: []int{1, 0, 1, 0, 1, 2}}),
		"ConvTranspose/volume/3": on(&model.ConvTranspose{Weight: randomTensor(rng, 3, 2, 2, 2, 2), Groups: 3, OutPad: []int{0, 0, 0},
			From: []int{3, 7, 3, 3}, Stride: []int{1, 1, 1}, Dilation: []int{1, 1, 1}, Pads: []int{0, 0, 0, 0, 0, 0}}),
		"Pool/volume/max":     on(pooled(model.PoolMax)),
		"Pool/volume/average": on(pooled(model.PoolAverage)),
		"Pool/volume/lp":      on(pooled(model.PoolLp)),
		"Pool/volume/argmax":  on(pooled(model.PoolArgmax)),
	}
}

// pooled is a pool of volumes [3, 7, 3, 3], with windows that hang over the end.
func pooled(op model.PoolOp) *model.Pool {
	return &model.Pool{Op: op, P: 2, Kernel: []int{3, 2, 2}, Ceil: true, CountPad: true,
		From: []int{3, 7, 3, 3}, Stride: []int{3, 2, 1}, Dilation: []int{1, 1, 2}, Pads: []int{1, 0, 1, 0, 1, 1}}
}

// both combines each number with exp(x/2) of its left neighbour's.
func both(net *model.Network, l model.Layer) *model.Network {
	net.Nodes = []model.Node{{Name: "left", Inputs: []string{"in"}, Layer: &model.AlongAxis{From: []int{3, 7, 9}, Axis: 2, Taps: 1, Index: []int{0, 0, 1, 2, 3, 4, 5, 6, 7}}},
		{Name: "half", Inputs: []string{"left"}, Layer: &model.Unary{Op: "Affine", Alpha: 0.5}},
		{Name: "other", Inputs: []string{"half"}, Layer: &model.Unary{Op: "Exp"}},
		{Name: "it", Inputs: []string{"in", "other"}, Layer: l}}
	return net
}

// squared feeds the network with the squares of its input, and 1.
func squared(net *model.Network) *model.Network {
	for i := range net.Nodes {
		for j, in := range net.Nodes[i].Inputs {
			if in == "in" {
				net.Nodes[i].Inputs[j] = "more"
			}
		}
	}
	net.Nodes = append([]model.Node{{Name: "square", Inputs: []string{"in", "in"}, Layer: &model.Binary{Op: "Mul", A: []int{3, 7, 9}, B: []int{3, 7, 9}}},
		{Name: "more", Inputs: []string{"square"}, Layer: &model.Unary{Op: "Affine", Alpha: 1, Beta: 1}}}, net.Nodes...)
	return net
}

// split makes four maps of the input's first two.
func split(net *model.Network, weights []float32, l model.Layer) *model.Network {
	net.Nodes = []model.Node{{Name: "four", Inputs: []string{"in"}, Layer: &model.AlongAxis{From: []int{3, 7, 9}, Axis: 0, Taps: 1, Index: []int{0, 1, 0, 1}, Weight: weights}},
		{Name: "it", Inputs: []string{"four"}, Layer: l}}
	return net
}

// where takes each number or its square, by the sign of its left neighbour.
func where(net *model.Network) *model.Network {
	all := []int{3, 7, 9}
	net.Nodes = []model.Node{{Name: "left", Inputs: []string{"in"}, Layer: &model.AlongAxis{From: all, Axis: 2, Taps: 1, Index: []int{0, 0, 1, 2, 3, 4, 5, 6, 7}}},
		{Name: "mask", Inputs: []string{"left"}, Layer: &model.Binary{Op: "Greater", A: all, B: []int{1}, Value: tensor.New(1)}},
		{Name: "square", Inputs: []string{"in", "in"}, Layer: &model.Binary{Op: "Mul", A: all, B: all}},
		{Name: "it", Inputs: []string{"mask", "in", "square"}, Layer: &model.Where{M: all, A: all, B: all}}}
	return net
}

// chosen gives a layer the input, the rows of its two largest numbers in each
// column and, if it wants that, the numbers there.
func chosen(net *model.Network, l model.Layer) *model.Network {
	ins := []string{"in", "places"}
	if _, ok := l.(*model.Scatter); ok {
		ins = append(ins, "largest")
	}
	top := model.TopK{From: []int{3, 7, 9}, Axis: 1, K: 2}
	places := top
	places.Places = true
	small := &model.Unary{Op: "Affine", Alpha: 0.4} // rows 0 to 2, so that they are within any axis
	net.Nodes = []model.Node{{Name: "rows", Inputs: []string{"in"}, Layer: &places}, {Name: "less", Inputs: []string{"rows"}, Layer: small},
		{Name: "places", Inputs: []string{"less"}, Layer: &model.Unary{Op: "Floor"}}, {Name: "largest", Inputs: []string{"in"}, Layer: &top},
		{Name: "it", Inputs: ins, Layer: l}}
	return net
}

// grid samples the input at places made from its first two maps.
func grid(net *model.Network, l model.Layer) *model.Network {
	net.Nodes = []model.Node{{Name: "turned", Inputs: []string{"in"}, Layer: &model.Rearrange{What: "Transpose", To: []int{7, 9, 2}, Strides: []int{9, 1, 63}}},
		{Name: "places", Inputs: []string{"turned"}, Layer: &model.Unary{Op: "Tanh"}},
		{Name: "it", Inputs: []string{"in", "places"}, Layer: l}}
	return net
}

// gate multiplies maps by a number for each of them, as squeeze and excitation does.
func gate(net *model.Network) *model.Network {
	net.Nodes = []model.Node{{Name: "pool", Inputs: []string{"in"}, Layer: &model.GlobalAvgPool{}},
		{Name: "it", Inputs: []string{"in", "pool"}, Layer: &model.Binary{Op: "Mul", A: []int{1, 3, 7, 9}, B: []int{1, 3, 1, 1}}}}
	return net
}

// TestPassesMeetEveryKind runs shapes, summary, boxes, forward, checkpoint and
// projection on every kind of layer.
func TestPassesMeetEveryKind(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	all := kinds(rand.New(rand.NewPCG(1, 1)))
	met := map[string]bool{}
	for _, net := range all {
		met[net.Node("it").Layer.Kind()] = true
	}
	for _, kind := range model.KindNames() {
		if !met[kind] {
			t.Errorf("no network here has a %s", kind)
		}
	}
	// Every kind has inputs of its own, whatever comes before it: some inputs lie so
	// near to a kink that differences do not give the gradient.
	for _, name := range slices.Sorted(maps.Keys(all)) {
		seed := fnv.New64a()
		seed.Write([]byte(name))
		net, rng := all[name], rand.New(rand.NewPCG(1, seed.Sum64()))
		t.Run(name, func(t *testing.T) {
			shapes, err := net.Shapes()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := net.Summary(); err != nil {
				t.Error(err)
			}
			x := randomTensor(rng, 2, 3, 7, 9)
			base, err := engine.Forward(net, x)
			if err != nil {
				t.Fatal(err)
			}
			checkBoxes(t, engine, net, shapes, x, base, rng)
			for _, rule := range deconv.Rules() {
				text, refused := rule.Describe(net.Node("it").Layer)
				if text == "" && refused == nil || refused != nil && strings.Contains(refused.Error(), "layer kind") {
					t.Errorf("rule %s neither leads through it nor says why not: %v", rule, refused)
				}
			}
			if _, recurrent := net.Node("it").Layer.(*model.Recurrent); !recurrent {
				checkProjection(t, engine, net, shapes, x, base)
			} else if _, err := deconv.New(engine, net, deconv.Paper).Project(base, 0, model.Unit{Layer: "it"}); err == nil {
				t.Error("a projection went through a recurrent layer")
			}

			var file bytes.Buffer
			if err := model.Write(&file, net, nil); err != nil {
				t.Fatal(err)
			}
			back, _, err := model.Read(bytes.NewReader(file.Bytes()), int64(file.Len()))
			if err != nil {
				t.Fatal(err)
			}
			if back.Hash() != net.Hash() {
				t.Error("another network comes back from the file")
			}
		})
	}
}

// checkBoxes changes the input inside a box and demands that the output changes
// only where BottomUpBoxes says; and changes it outside what ReceptiveBox says a
// unit sees, which must leave the unit alone.
func checkBoxes(t *testing.T, engine *model.Engine, net *model.Network, shapes map[string]model.Shape, x *tensor.Tensor, base *model.Trace, rng *rand.Rand) {
	s := shapes["it"]
	want := base.Value("it").Data
	differ := func(box model.Box, outside bool) []float32 {
		y := x.Clone()
		for i := range y.Data {
			r, c := i/9%7, i%9
			if inside := r >= box.Y0 && r < box.Y1 && c >= box.X0 && c < box.X1; inside != outside {
				y.Data[i] = float32(rng.NormFloat64())
			}
		}
		tr, err := engine.Forward(net, y)
		if err != nil {
			t.Fatal(err)
		}
		return tr.Value("it").Data
	}
	for _, in := range []model.Box{{Y0: 0, X0: 0, Y1: 1, X1: 1}, {Y0: 2, X0: 3, Y1: 4, X1: 5}, {Y0: 6, X0: 7, Y1: 7, X1: 9}} {
		boxes, err := net.BottomUpBoxes(shapes, in)
		if err != nil {
			t.Fatal(err)
		}
		got, reach := differ(in, false), boxes["it"]
		for i := range got {
			r, c := i/s.W%s.H, i%s.W
			if (r < reach.Y0 || r >= reach.Y1 || c < reach.X0 || c >= reach.X1) && got[i] != want[i] {
				t.Errorf("input box %v changed the output at %d,%d, outside %v", in, r, c, reach)
				return
			}
		}
	}
	for _, at := range [][2]int{{0, 0}, {s.H / 2, s.W / 2}, {s.H - 1, s.W - 1}} {
		sees, err := net.ReceptiveBox("it", model.Box{Y0: at[0], X0: at[1], Y1: at[0] + 1, X1: at[1] + 1})
		if err != nil {
			t.Fatal(err)
		}
		got := differ(sees, true)
		for i := range got {
			if i/s.W%s.H == at[0] && i%s.W == at[1] && got[i] != want[i] {
				t.Errorf("unit at %v changed although the input inside %v did not", at, sees)
				return
			}
		}
	}
}

// largest is the unit of the layer whose value in image 1 is the largest, of a clip
// the largest that is not clipped.
func largest(net *model.Network, base *model.Trace, s model.Shape) model.Unit {
	best, below, found := model.Unit{Layer: "it"}, float32(math.Inf(1)), false
	if clip, ok := net.Node("it").Layer.(*model.Clip); ok {
		below = clip.Max - 0.1
	}
	for c := range s.C {
		for y := range s.H {
			for x := range s.W {
				if u := (model.Unit{Layer: "it", Channel: c, Y: y, X: x}); base.At(1, u) < below && (!found || base.At(1, u) > base.At(1, best)) {
					best, found = u, true
				}
			}
		}
	}
	return best
}

// checkProjection holds the gradient rule to differences of the forward pass at
// every pixel: value times d(unit)/d(pixel).
func checkProjection(t *testing.T, engine *model.Engine, net *model.Network, shapes map[string]model.Shape, x *tensor.Tensor, base *model.Trace) {
	u := largest(net, base, shapes["it"])
	p, err := deconv.New(engine, net, deconv.Gradient).Project(base, 1, u)
	if _, refused := deconv.Gradient.Describe(net.Node("it").Layer); refused != nil {
		if err == nil || !strings.Contains(err.Error(), "layer it: ") {
			t.Errorf("projection through a layer that says %q: error %v", refused, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	text, _ := deconv.Gradient.Describe(net.Node("it").Layer)
	through := text != "ends here"
	if through && p.Value == 0 {
		t.Fatal("the unit's value is 0, which any projection would do for")
	}
	if _, ok := net.Node("it").Layer.(*model.Quantize); ok {
		return // it passes the signal as if it did not round; TestThroughRounding holds it to that
	}
	full := p.Full(7, 9)
	want, most := make([]float64, len(full)), 0.0
	for i := range full {
		// Differences of third order, good to some 1e-4 of the largest in float32.
		at := func(d float32) float64 {
			y := x.Clone()
			y.Data[len(full)+i] += d
			tr, err := engine.Forward(net, y)
			if err != nil {
				t.Fatal(err)
			}
			return float64(tr.At(1, u))
		}
		const step = 1. / 64
		want[i] = (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step) * float64(p.Value)
		most = max(most, math.Abs(want[i]))
	}
	if through != (most > 0) {
		t.Fatalf("the rule says %q, differences are up to %g", text, most)
	}
	for i, got := range full {
		if math.Abs(float64(got)-want[i]) > 2e-3*most {
			t.Errorf("pixel %d: projection %g, by differences %g, the largest %g", i, got, want[i], most)
		}
	}
	for _, rule := range deconv.Rules() {
		if _, err := deconv.New(engine, net, rule).Project(base, 0, u); err != nil {
			if _, refused := rule.Describe(net.Node("it").Layer); refused == nil {
				t.Errorf("rule %s: %v", rule, err)
			}
		}
	}
}

type alien struct{}

func (alien) Kind() string { return "Alien" }

// TestUnknownKind: every pass reports a kind it does not know, naming the node.
func TestUnknownKind(t *testing.T) {
	net := &model.Network{Name: "test", Input: model.Input{Name: "in", C: 1, H: 2, W: 2},
		Nodes: []model.Node{{Name: "it", Inputs: []string{"in"}, Layer: alien{}}}}
	for name, err := range map[string]error{
		"shapes":  second(net.Shapes()),
		"summary": second(net.Summary()),
		"check":   net.Check(),
		"write":   model.Write(&bytes.Buffer{}, net, nil),
	} {
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte("it")) || !bytes.Contains([]byte(err.Error()), []byte("Alien")) {
			t.Errorf("%s: error %v does not name node and kind", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestShapeErrors: what is wrong is said with the node's name, got and want.
func TestShapeErrors(t *testing.T) {
	conv := func(shape ...int) *model.Conv {
		return &model.Conv{Weight: tensor.New(shape...), Stride: []int{1, 1}, Dilation: []int{1, 1}, Groups: 1}
	}
	for _, c := range []struct {
		layer model.Layer
		want  string
	}{
		{conv(4, 2, 3, 3), "layer it: weights are [4 2 3 3] in 1 groups, the input has 3 channels"},
		{conv(4, 3, 9, 3), "layer it: a window of 9 does not fit in 7 padded by 0 and 0"},
		{conv(4, 3), "layer it: weights are not [out, in, rows, columns]"},
		{&model.Dense{Weight: tensor.New(2, 3)}, "layer it: input is 3x7x9, want a vector: put a Flatten before it"},
		{&model.BatchNorm{Scale: make([]float32, 2), Shift: make([]float32, 3), Mean: make([]float32, 3), Var: make([]float32, 3)}, "layer it: statistics for 2 channels, the input has 3"},
		{&model.Recurrent{Cell: "rnn", WeightX: tensor.New(5, 9), WeightH: tensor.New(5, 5)}, "layer it: input is 3x7x9, want one channel, whose rows are the steps"},
		{&model.Pool{Op: model.PoolMax, Kernel: []int{2, 2}, Stride: []int{0, 1}, Dilation: []int{1, 1}}, "layer it: kernel 2, stride 0, dilation 1, pads 0 and 0"},
	} {
		net := &model.Network{Name: "test", Input: model.Input{Name: "in", C: 3, H: 7, W: 9}, Nodes: []model.Node{{Name: "it", Inputs: []string{"in"}, Layer: c.layer}}}
		if err := net.Check(); fmt.Sprint(err) != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

// TestBatch: the memory of a pass is counted from shapes: input, kept values,
// switches, and what lies between.
func TestBatch(t *testing.T) {
	one := []int{1, 1}
	net := &model.Network{Name: "n", Input: model.Input{Name: "in", C: 1, H: 4, W: 4}, Nodes: []model.Node{
		{Name: "relu", Inputs: []string{"in"}, Layer: &model.ReLU{}},
		{Name: "pool", Inputs: []string{"relu"}, Layer: &model.Pool{Op: model.PoolMax, Kernel: []int{2, 2}, Stride: []int{2, 2}, Dilation: one[:]}},
		{Name: "flat", Inputs: []string{"pool"}, Layer: &model.Reshape{}},
	}}
	engine := model.NewEngine(1)
	defer engine.Close()
	for _, c := range []struct {
		keep  model.Keep
		bytes int // of one image
	}{
		{model.Keep{}, 4 * (16 + 16 + 4 + 4)},                                         // in, relu, pool, its switches; flat is a view
		{model.Keep{Layers: []string{"flat"}}, 4 * (16 + 16 + 4)},                     // relu between
		{model.Keep{Layers: []string{"pool"}, Switches: true}, 4 * (16 + 16 + 4 + 4)}, // relu between
		{model.Keep{Layers: []string{"relu", "pool", "flat"}}, 4 * (16 + 16 + 4)},     // no switches
	} {
		plan, err := engine.Compile(net, c.keep)
		if err != nil {
			t.Fatal(err)
		}
		for bytes, want := range map[int]int{0: 1, c.bytes: 1, 2*c.bytes - 1: 1, 2 * c.bytes: 2, 1 << 20: 50} {
			if got := plan.Batch(bytes, 50); got != want {
				t.Errorf("keep %v: Batch(%d) = %d, want %d", c.keep, bytes, got, want)
			}
		}
	}
}
