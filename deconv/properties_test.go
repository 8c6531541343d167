package deconv_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestByHand follows one unit down a convolution, a rectifier and a pool whose
// numbers can be worked out on paper.
//
//	image      conv (1x2 filter [1 -2], bias 1)    relu          pool 1x3
//	3 1 0 2    3-2+1=2  1-0+1=2  0-4+1=-3          2 2 0         max 2, the first of two
//
// Down from the pool's 2: the switch puts it on position 0; the rectifier lets it
// pass; the transposed filter spreads 2*1 on pixel 0 and 2*(-2) on pixel 1. The bias
// plays no part.
func TestByHand(t *testing.T) {
	one := []int{1, 1}
	net := &model.Network{Name: "hand", Input: model.Input{Name: "in", C: 1, H: 1, W: 4}, Nodes: []model.Node{
		{Name: "conv", Inputs: []string{"in"}, Layer: &model.Conv{Weight: tensor.From([]float32{1, -2}, 1, 1, 1, 2), Bias: []float32{1}, Stride: one, Dilation: one, Groups: 1}},
		{Name: "relu", Inputs: []string{"conv"}, Layer: &model.ReLU{}},
		{Name: "pool", Inputs: []string{"relu"}, Layer: &model.Pool{Op: model.PoolMax, Kernel: []int{1, 3}, Stride: one[:], Dilation: one[:]}},
	}}
	engine := model.NewEngine(1)
	defer engine.Close()
	trace, err := engine.Forward(net, tensor.From([]float32{3, 1, 0, 2}, 1, 1, 1, 4))
	if err != nil {
		t.Fatal(err)
	}
	p, err := deconv.New(engine, net, deconv.Paper).Project(trace, 0, model.Unit{Layer: "pool"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{2, -4, 0, 0}; p.Value != 2 || !slices.Equal(p.Full(1, 4), want) {
		t.Errorf("value %g, projection %v, want 2 and %v", p.Value, p.Full(1, 4), want)
	}
	// Starting at the rectifier's third unit, which did not fire, gives nothing.
	p, err = deconv.New(engine, net, deconv.Paper).Project(trace, 0, model.Unit{Layer: "relu", X: 2})
	if err != nil {
		t.Fatal(err)
	}
	if p.MaxAbs() != 0 {
		t.Errorf("a silent unit projects to %v", p.Pixels)
	}
	// The convolution's own third unit is -3: the transposed filter makes it -3 and 6.
	p, err = deconv.New(engine, net, deconv.Paper).Project(trace, 0, model.Unit{Layer: "conv", X: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, 0, -3, 6}; !slices.Equal(p.Full(1, 4), want) {
		t.Errorf("projection %v, want %v", p.Full(1, 4), want)
	}
}

// TestSameForAnyWorkers: projections do not depend on the number of workers.
func TestSameForAnyWorkers(t *testing.T) {
	c := viztest.Golden(t, "resnet_tiny")
	x := c.Images(t)
	var want []float32
	for _, workers := range []int{1, 2, 5} {
		engine := model.NewEngine(workers)
		trace, err := engine.Forward(c.Net, x)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for _, layer := range []string{"relu1", c.Logits} {
			for _, u := range c.Units[layer] {
				p, err := deconv.New(engine, c.Net, deconv.Guided).Project(trace, u.Image, u.At(layer))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, p.Pixels...)
			}
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%d workers: the projections differ", workers)
		}
		engine.Close()
	}
}

// TestErrors: what cannot be projected is refused by name.
func TestErrors(t *testing.T) {
	c := viztest.Golden(t, "lenet_small")
	engine := model.NewEngine(1)
	defer engine.Close()
	trace, err := engine.Forward(c.Net, c.Images(t))
	if err != nil {
		t.Fatal(err)
	}
	p := deconv.New(engine, c.Net, deconv.Paper)
	for _, e := range []struct {
		image int
		unit  model.Unit
		want  string
	}{
		{2, model.Unit{Layer: "relu1"}, "image 2 of a batch of 2"},
		{0, model.Unit{Layer: "relu9"}, `no layer "relu9": did you mean relu1, relu2, relu3?`},
		{0, model.Unit{Layer: "relu1", Channel: 8}, "unit relu1:8:0:0 is outside layer relu1, which is 8x28x28"},
	} {
		if _, err := p.Project(trace, e.image, e.unit); fmt.Sprint(err) != e.want {
			t.Errorf("got  %v\nwant %s", err, e.want)
		}
	}
	// A trace that lacks what the rule reads.
	plan, err := engine.Compile(c.Net, model.Keep{Layers: []string{"relu2"}})
	if err != nil {
		t.Fatal(err)
	}
	lean, err := plan.Run(c.Images(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Project(lean, 0, model.Unit{Layer: "relu2"}); fmt.Sprint(err) != "layer pool1: the trace does not hold its switches" {
		t.Error(err)
	}
	other := viztest.Golden(t, "resnet_tiny")
	if _, err := deconv.New(engine, other.Net, deconv.Paper).Project(trace, 0, model.Unit{Layer: "relu1"}); fmt.Sprint(err) != "the trace is of another network" {
		t.Error(err)
	}
}

// TestMagnitude: a few strong pixels do not decide the scale; where almost all
// are 0, the largest does.
func TestMagnitude(t *testing.T) {
	p := &deconv.Projection{Pixels: make([]float32, 1000)}
	for i := range p.Pixels {
		p.Pixels[i] = 1
	}
	p.Pixels[7] = -50
	if got := p.Magnitude(99.5); got != 1 {
		t.Errorf("magnitude %g, want 1", got)
	}
	if got := p.Magnitude(100); got != 50 {
		t.Errorf("magnitude %g, want 50", got)
	}
	p.Pixels = make([]float32, 1000)
	p.Pixels[7] = -50
	if got := p.Magnitude(99.5); got != 50 {
		t.Errorf("magnitude of a single pixel %g, want 50", got)
	}
}
