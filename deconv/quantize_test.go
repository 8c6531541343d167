package deconv_test

import (
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// TestThroughRounding: signals go down through a rounding layer as if it were not
// there; guided backpropagation and the gradient are cut off where the values were.
func TestThroughRounding(t *testing.T) {
	weights := []float32{2, -3, 5, 7, 11, -13}
	// The first channel is int8 in steps of 0.5, -1.5 to 126; the second float8 to 448.
	for _, l := range []*model.Quantize{
		{Type: model.Int8, Scale: []float32{0.5, 0.25}, Zero: []float32{-125, 0}},
		{Type: model.Float8E4M3FN, Scale: []float32{0.5 / 448, 2}, Zero: []float32{0, 0}},
		{Type: model.Uint8},
	} {
		net := &model.Network{Name: "q", Input: model.Input{Name: "in", C: 2, H: 1, W: 3}, Nodes: []model.Node{
			{Name: "it", Inputs: []string{"in"}, Layer: l},
			{Name: "flat", Inputs: []string{"it"}, Layer: &model.Reshape{}},
			{Name: "sum", Inputs: []string{"flat"}, Layer: &model.Dense{Weight: tensor.From(weights, 1, 6)}},
		}}
		x := tensor.From([]float32{-1.7, -1.9, 1000, 31, 33, -5}, 1, 2, 1, 3)
		inside := map[model.QuantType][]bool{
			model.Int8:         {true, false, false, true, false, true},
			model.Float8E4M3FN: {false, false, false, true, true, true},
			model.Uint8:        {true, true, true, true, true, true},
		}[l.Type]
		engine := model.NewEngine(1)
		defer engine.Close()
		trace, err := engine.Forward(net, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range deconv.Rules() {
			p, err := deconv.New(engine, net, rule).Project(trace, 0, model.Unit{Layer: "sum"})
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range p.Full(1, 3) {
				want := weights[i] * p.Value
				if (rule == deconv.Guided || rule == deconv.Gradient) && !inside[i] {
					want = 0
				}
				if got != want {
					t.Errorf("%s, rule %s, pixel %d: %g, want %g", l.Type, rule, i, got, want)
				}
			}
		}
	}
}
