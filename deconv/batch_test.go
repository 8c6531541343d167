package deconv_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// randomGraph draws a network of convolutions, pools, rectifiers, branches that
// meet again, squeeze and excitation, and a dense layer, on a small input.
func randomGraph(r *rand.Rand) *model.Network {
	net := &model.Network{Name: "random", Input: model.Input{Name: "in", C: 1 + r.IntN(3), H: 12 + r.IntN(20), W: 12 + r.IntN(20)}}
	noise := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	add := func(kind string, l model.Layer, in ...string) string {
		name := fmt.Sprintf("%s%d", kind, len(net.Nodes))
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: in, Layer: l})
		return name
	}
	shape := func(name string) model.Shape {
		s, err := net.Shapes()
		if err != nil {
			panic(err)
		}
		return s[name]
	}
	conv := func(in string, out, k, stride, pad int) string {
		c := shape(in).C
		name := add("conv", &model.Conv{Weight: tensor.From(noise(out*c*k*k), out, c, k, k), Bias: noise(out),
			Stride: []int{stride, stride}, Dilation: []int{1, 1}, Pads: []int{pad, pad, pad, pad}, Groups: 1}, in)
		switch r.IntN(4) {
		case 0:
			return name
		case 1:
			n := shape(name).C
			scale := noise(n)
			name = add("bn", &model.BatchNorm{Scale: scale, Shift: noise(n), Mean: noise(n), Var: slices.Repeat([]float32{2}, n), Eps: 1e-5}, name)
			return add("clip", &model.Clip{Max: 6}, name)
		case 2:
			return add("leaky", &model.Unary{Op: "LeakyRelu", Alpha: 0.1}, name)
		}
		return add("relu", &model.ReLU{}, name)
	}
	at := "in"
	for range 2 + r.IntN(4) {
		s := shape(at)
		if min(s.H, s.W) < 5 {
			break
		}
		switch r.IntN(7) {
		case 0, 1:
			k := 1 + r.IntN(5)
			at = conv(at, 1+r.IntN(24), min(k, s.H, s.W), 1+r.IntN(2), r.IntN(k/2+1))
		case 2:
			k, stride := 2+r.IntN(2), 1+r.IntN(2)
			at = add("pool", &model.Pool{Op: model.PoolMax, Kernel: []int{k, k}, Stride: []int{stride, stride}, Dilation: []int{1, 1},
				Pads: []int{k / 3, k / 3, 0, 0}, Ceil: r.IntN(2) == 0}, at)
		case 3:
			at = add("average", &model.Pool{Op: model.PoolAverage, Kernel: []int{3, 2}, Stride: []int{2, 1}, Pads: []int{1, 0, 1, 1}, CountPad: r.IntN(2) == 0}, at)
		case 4:
			at = add("concat", &model.Concat{}, conv(at, 3, 1, 1, 0), conv(at, 4, 3, 1, 1), add("pool", &model.Pool{Op: model.PoolMax, Kernel: []int{3, 3}, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: []int{1, 1, 1, 1}}, at))
		case 5:
			at = add("add", &model.Add{}, conv(at, 5, 3, 1, 1), conv(at, 5, 1, 1, 0))
			at = add("relu", &model.ReLU{}, at)
		case 6: // squeeze and excitation
			at = add("swish", &model.Unary{Op: model.UnarySwish, Alpha: 1}, conv(at, 1+r.IntN(9), 3, 1, r.IntN(2)))
			s := shape(at)
			gate := add("sigmoid", &model.Unary{Op: model.UnarySigmoid}, conv(add("mean", &model.GlobalAvgPool{}, at), s.C, 1, 1, 0))
			maps, one := []int{s.C, s.H, s.W}, []int{s.C, 1, 1}
			if r.IntN(2) == 0 {
				at = add("gated", &model.Binary{Op: model.BinaryMul, A: maps, B: one}, at, gate)
			} else {
				at = add("gated", &model.Binary{Op: model.BinaryMul, A: one, B: maps}, gate, at)
			}
			if r.IntN(2) == 0 {
				at = add("square", &model.Binary{Op: model.BinaryMul, A: maps, B: maps}, at, at)
			}
		}
	}
	flat := add("flat", &model.Reshape{}, at)
	n := shape(flat).C
	dense := add("dense", &model.Dense{Weight: tensor.From(noise(7*n), 7, n), Bias: noise(7)}, flat)
	dense = add("relu", &model.ReLU{}, dense)
	add("scores", &model.Dense{Weight: tensor.From(noise(21), 3, 7)}, dense)
	return net
}

// TestBatches: many units of several images at once, those at the border among
// them, have the pixels that each has alone over whole planes, bit for bit, in
// graphs of all kinds and by every rule; with Fast nearly.
func TestBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	engine := model.NewEngine(2)
	defer engine.Close()
	graphs := 40
	if testing.Short() {
		graphs = 8
	}
	for range graphs {
		net := randomGraph(r)
		in := net.Input
		x := tensor.New(3, in.C, in.H, in.W)
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64())
		}
		trace, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		rule := deconv.Rules()[r.IntN(len(deconv.Rules()))]
		layer := net.Nodes[r.IntN(len(net.Nodes))].Name
		s := trace.Shapes[layer]
		var targets []deconv.Target
		for i := range 50 {
			u := model.Unit{Layer: layer, Channel: r.IntN(s.C), Y: r.IntN(s.H), X: r.IntN(s.W)}
			switch i % 5 {
			case 0:
				u.Y, u.X = 0, s.W-1
			case 1:
				u.Y = s.H - 1
			}
			targets = append(targets, deconv.Target{Image: r.IntN(3), Unit: u})
		}
		all, err := deconv.New(engine, net, rule).ProjectAll(context.Background(), trace, targets)
		if err != nil {
			t.Fatal(err)
		}
		whole := deconv.New(engine, net, rule)
		whole.Whole = true
		quick := deconv.New(engine, net, rule)
		quick.Fast = true
		fast, err := quick.ProjectAll(context.Background(), trace, targets)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range all {
			w, err := whole.Project(trace, targets[i].Image, targets[i].Unit)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.Pixels, p.Full(in.H, in.W)) {
				t.Fatalf("%v\n%s %v of image %d: not the pixels of the whole planes", net, rule, targets[i].Unit, targets[i].Image)
			}
			if err := viztest.Close(fast[i].Pixels, p.Pixels, 1e-4); err != nil && p.MaxAbs() > 0 {
				t.Errorf("%v\n%s %v fast: %v", net, rule, targets[i].Unit, err)
			}
		}
	}
}

// TestProjectUnits is the short way: units of one image by the paper's rule.
func TestProjectUnits(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(1)
	defer engine.Close()
	trace, err := engine.Forward(c.Net, c.Images(t))
	if err != nil {
		t.Fatal(err)
	}
	units := []model.Unit{{Layer: "relu1", Channel: 2, Y: 3, X: 4}, {Layer: "relu2", Channel: 1, Y: 5, X: 2}}
	got, err := deconv.Project(trace, units...)
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range units {
		want, err := deconv.New(engine, c.Net, deconv.Paper).Project(trace, 0, u)
		if err != nil {
			t.Fatal(err)
		}
		if got[i].Unit != u || !slices.Equal(got[i].Pixels, want.Pixels) {
			t.Errorf("%v: not the projection that a Projector makes", u)
		}
	}
}
