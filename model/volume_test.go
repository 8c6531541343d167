package model

import (
	"image/color"
	"slices"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// TestVolume: values between layers over three axes are volumes, arrays of four axes
// elsewhere are not.
func TestVolume(t *testing.T) {
	net := &Network{Name: "v", Input: Input{Name: "x", C: 6, H: 4, W: 5}, Nodes: []Node{
		{Name: "minus", Inputs: []string{"x"}, Layer: &Unary{Op: "Affine", Alpha: 2}},
		{Name: "view", Inputs: []string{"minus"}, Layer: &Reshape{To: []int{2, 3, 20}}},
		{Name: "conv", Inputs: []string{"view"}, Layer: &Conv{Weight: tensor.New(4, 2, 2, 1, 2), From: []int{2, 3, 4, 5}, Groups: 1}},
		{Name: "relu", Inputs: []string{"conv"}, Layer: &ReLU{}},
		{Name: "wider", Inputs: []string{"relu"}, Layer: &AlongAxis{From: []int{4, 2, 4, 4}, Axis: 3, Taps: 1, Index: []int{0, 0, 1, 1, 2, 3}}},
		{Name: "both", Inputs: []string{"wider", "wider"}, Layer: &Concat{}},
		{Name: "turned", Inputs: []string{"both"}, Layer: &Rearrange{What: "Transpose", To: []int{2, 8, 4, 6}, Strides: []int{24, 48, 6, 1}}},
		{Name: "again", Inputs: []string{"turned"}, Layer: &ReLU{}},
		{Name: "pool", Inputs: []string{"both"}, Layer: &GlobalAvgPool{}},
	}}
	for name, want := range map[string][]int{"x": {2, 3, 4, 5}, "view": {2, 3, 4, 5}, "conv": {4, 2, 4, 4}, "relu": {4, 2, 4, 4}, "wider": {4, 2, 4, 6},
		"both": {8, 2, 4, 6}, "minus": nil, "turned": nil, "again": nil, "pool": nil, "nothing": nil} {
		if got := net.Volume(name); !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	plain := &Network{Name: "p", Input: Input{Name: "x", C: 6, H: 4, W: 5}, Nodes: []Node{
		{Name: "resize", Inputs: []string{"x"}, Layer: &AlongAxis{From: []int{2, 3, 4, 5}, Axis: 3, Taps: 1, Index: []int{0}}},
		{Name: "join", Inputs: []string{"x", "x"}, Layer: &Concat{Axis: 0, To: []int{4, 3, 4, 5}}}}}
	for _, name := range []string{"x", "resize", "join"} {
		if got := plain.Volume(name); got != nil {
			t.Errorf("%s of a network of maps is a volume %v", name, got)
		}
	}
}

// TestVolumePlane: the least number of a volume is black, the largest white, in every plane.
func TestVolumePlane(t *testing.T) {
	x := []float32{-1, 0, 1, 3}
	img := VolumePlane(x, []int{1, 2, 1, 2}, 1)
	if a, b := img.NRGBAAt(0, 0), img.NRGBAAt(1, 0); a != (color.NRGBA{128, 128, 128, 255}) || b != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("%v and %v", a, b)
	}
	if a := VolumePlane([]float32{2, 2}, []int{1, 2, 1, 1}, 0).NRGBAAt(0, 0); a != (color.NRGBA{0, 0, 0, 255}) {
		t.Errorf("an even volume is %v", a)
	}
}
