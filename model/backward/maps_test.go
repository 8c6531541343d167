package backward_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
	"github.com/deconvnet/viz/model/tensor"
)

// TestProducts: signals through the product of maps and a number for each, and of two maps, have the bits of the
// sums written out; where the signal is 0 it stays 0, even against an infinity.
func TestProducts(t *testing.T) {
	for _, extreme := range []float32{0.5, float32(math.Inf(1))} {
		testProducts(t, extreme)
	}
}

func testProducts(t *testing.T, extreme float32) {
	const c, h, w = 7, 5, 6
	engine := model.NewEngine(2)
	defer engine.Close()
	maps, one := []int{c, h, w}, []int{c, 1, 1}
	net := &model.Network{Name: "products", Input: model.Input{Name: "in", C: c, H: h, W: w}, Nodes: []model.Node{
		{Name: "other", Inputs: []string{"in"}, Layer: &model.Unary{Op: model.UnaryAffine, Alpha: 2, Beta: 1}},
		{Name: "gate", Inputs: []string{"in"}, Layer: &model.GlobalAvgPool{}},
		{Name: "scaled", Inputs: []string{"other", "gate"}, Layer: &model.Binary{Op: model.BinaryMul, A: maps, B: one}},
		{Name: "turned", Inputs: []string{"gate", "other"}, Layer: &model.Binary{Op: model.BinaryMul, A: one, B: maps}},
		{Name: "product", Inputs: []string{"in", "other"}, Layer: &model.Binary{Op: model.BinaryMul, A: maps, B: maps}},
	}}
	r := rand.New(rand.NewPCG(7, 8))
	x := tensor.From(random(r, 2*c*h*w), 2, c, h, w)
	place := (2*h + 1) * w // of map 2
	x.Data[c*h*w+place] = extreme
	trace, err := engine.Forward(net, x)
	if err != nil {
		t.Fatal(err)
	}
	second := func(name string) []float32 { return trace.Value(name).Data[trace.Shapes[name].Len():] }
	in, other, gate := second("in"), second("other"), second("gate")
	box := model.Box{Y0: 1, X0: 0, Y1: 4, X1: 5}
	g, full := random(r, c*box.Area()), make([]float32, c*h*w)
	for i := range g {
		k, y, x := i/box.Area(), box.Y0+i%box.Area()/box.W(), box.X0+i%box.W()
		if at := (k*h+y)*w + x; i%4 == 0 || at == place {
			g[i] = 0
		} else {
			full[at] = g[i]
		}
	}
	times := func(f func(i int) float32) []float32 {
		out := make([]float32, len(full))
		for i, v := range full {
			if v != 0 {
				out[i] = v * f(i)
			}
		}
		return out
	}
	scaled, summed := times(func(i int) float32 { return gate[i/(h*w)] }), make([]float32, c)
	for i, v := range times(func(i int) float32 { return other[i] }) {
		summed[i/(h*w)] += v
	}
	pass := backward.New(engine, net, backward.Gradient, backward.Options{})
	for _, want := range []struct {
		layer, stop string
		values      []float32
	}{
		{"scaled", "other", scaled}, {"scaled", "gate", summed}, {"turned", "other", scaled}, {"turned", "gate", summed},
		{"product", "other", times(func(i int) float32 { return in[i] })},
	} {
		start := backward.Start{Image: 1, Layer: want.layer, Box: box, Values: g}
		parts, err := pass.Down(context.Background(), trace, []backward.Start{start, start}, want.stop)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			s := trace.Shapes[want.stop]
			if !slices.Equal(p[0].Full(s.H, s.W), want.values) {
				t.Errorf("%s to %s: got %v, want %v", want.layer, want.stop, p[0].Full(s.H, s.W), want.values)
			}
		}
	}
}

// TestKeptSlopes: signals that go down together, for which slopes are kept, have the bits of each alone.
func TestKeptSlopes(t *testing.T) {
	const c, h, w = 5, 9, 8
	engine := model.NewEngine(2)
	defer engine.Close()
	net := &model.Network{Name: "slopes", Input: model.Input{Name: "in", C: c, H: h, W: w}}
	last := "in"
	for _, op := range []model.UnaryOp{"Swish", "HardSwish", "Sigmoid", "Tanh"} {
		net.Nodes = append(net.Nodes, model.Node{Name: string(op), Inputs: []string{last}, Layer: &model.Unary{Op: op, Alpha: 1}})
		last = string(op)
	}
	r := rand.New(rand.NewPCG(9, 10))
	trace, err := engine.Forward(net, tensor.From(random(r, 2*c*h*w), 2, c, h, w))
	if err != nil {
		t.Fatal(err)
	}
	var starts []backward.Start
	for i := range 12 {
		box := model.Box{Y0: i % 2, X0: i % 3, Y1: h - i%4, X1: w - 1}
		if i%3 == 0 {
			box = model.Box{Y1: h, X1: w}
		}
		g := random(r, c*box.Area())
		for k := i % 3; k < len(g); k += 3 {
			g[k] = 0
		}
		starts = append(starts, backward.Start{Layer: last, Image: i % 2, Box: box, Values: g})
	}
	pass := backward.New(engine, net, backward.Gradient, backward.Options{})
	all, err := pass.Down(t.Context(), trace, starts, "in")
	if err != nil {
		t.Fatal(err)
	}
	for i := range starts {
		one, err := pass.Down(t.Context(), trace, starts[i:i+1], "in")
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range one[0][0].Values {
			if got := all[i][0].Values[k]; math.Float32bits(got) != math.Float32bits(want) {
				t.Fatalf("signal %d: value %d is %v, want %v", i, k, got, want)
			}
		}
	}
}
