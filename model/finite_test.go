package model

import (
	"math"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

func TestFinite(t *testing.T) {
	net := &Network{Name: "n", Input: Input{Name: "x", C: 1, H: 1, W: 2}, Nodes: []Node{
		{Name: "flat", Inputs: []string{"x"}, Layer: &Reshape{}},
		{Name: "mask", Layer: &Constant{Value: tensor.From([]float32{0, float32(math.Inf(-1))}, 2)}},
		{Name: "fc", Inputs: []string{"flat"}, Layer: &Dense{Weight: tensor.From([]float32{1, 2, 3, 4}, 2, 2), Bias: []float32{0, 0}}}}}
	if err := net.Finite(); err != nil {
		t.Errorf("an infinite constant: %v", err)
	}
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		damaged := net.Clone()
		damaged.Nodes[2].Layer.(*Dense).Bias[1] = float32(v)
		if err := damaged.Finite(); err == nil || !strings.Contains(err.Error(), "layer fc: number 1 of its bias") {
			t.Errorf("%g: %v", v, err)
		}
	}
	damaged := net.Clone()
	damaged.Nodes[1].Layer.(*Constant).Value.Data[0] = float32(math.NaN())
	if damaged.Finite() == nil {
		t.Error("a constant that is no number is not found")
	}
}
