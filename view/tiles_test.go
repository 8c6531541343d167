package view

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestTilesOfBranches: where the branches of a network see different places, each
// projection lies in its tile, and in its row of the array, where the unit sees it.
func TestTilesOfBranches(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	conv := func(pads ...int) *model.Conv {
		w := tensor.New(4, 3, 3, 3)
		for i := range w.Data {
			w.Data[i] = float32(rng.NormFloat64())
		}
		return &model.Conv{Weight: w, Stride: []int{1, 1}, Dilation: []int{1, 1}, Pads: pads, Groups: 1}
	}
	net := &model.Network{Name: "asymmetric", Input: model.Input{Name: "in", C: 3, H: 32, W: 32}, Preprocess: model.Preprocess{Scale: 1. / 255},
		Nodes: []model.Node{
			{Name: "a", Inputs: []string{"in"}, Layer: conv(0, 0, 2, 2)},
			{Name: "b", Inputs: []string{"in"}, Layer: conv(2, 2, 0, 0)},
			{Name: "sum", Inputs: []string{"a", "b"}, Layer: &model.Add{}},
			{Name: "relu", Inputs: []string{"sum"}, Layer: &model.ReLU{}}}}
	engine := model.NewEngine(0)
	defer engine.Close()
	ctx := context.Background()
	list, err := images.Open(ctx, images.Spec{Data: "shapes", Limit: 12, Seed: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src := &images.Inputs{List: list, Net: net}
	index, err := features.Collect(ctx, engine, net, src, features.Options{Layers: []string{"relu"}, Top: 9})
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewSession(engine, net).newSheetMaker(Sheets{}, src, index.Layer("relu"))
	if err != nil {
		t.Fatal(err)
	}
	top, err := m.project(ctx, []int{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	array := m.array(top)
	shape, data := array.Shape, array.Data
	if len(shape) != 5 || shape[3] != 5 || shape[4] != 5 {
		t.Fatalf("the array is %v, want tiles of 5x5", shape)
	}
	cut := 0
	for m, tm := range top {
		for h, p := range tm.projections {
			full := p.Full(32, 32)
			if p.Box.H() < 5 || p.Box.W() < 5 {
				cut++
			}
			for i := range 3 * 5 * 5 {
				c, y, x := i/25, p.Unit.Y-2+i/5%5, p.Unit.X-2+i%5 // a unit sees two rows and columns on each side
				want := float32(0)
				if y >= 0 && y < 32 && x >= 0 && x < 32 {
					want = full[(c*32+y)*32+x]
				}
				if got := data[((m*9+h)*3+c)*25+i%25]; got != want {
					t.Fatalf("map %d, hit %d, %v: channel %d, row %d, column %d is %g, want %g", m, h, p.Unit, c, i/5%5, i%5, got, want)
				}
			}
			if b := tm.crops[h].Bounds(); b.Dx() != 5 || b.Dy() != 5 {
				t.Fatalf("a patch is %v, want 5x5", b)
			}
		}
	}
	if cut == 0 {
		t.Fatal("no unit at the border among the strongest: the test looks at nothing")
	}
}
