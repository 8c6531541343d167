package model

import (
	"strings"
	"testing"

	"github.com/deconvnet/viz/model/tensor"
)

// tokensOf is a network of 4x6 patches, as tokens of 3 channels behind more others.
func tokensOf(more int) *Network {
	net := &Network{Name: "t", Input: Input{Name: "x", C: 1, H: 8, W: 12}}
	add := func(name string, l Layer, ins ...string) {
		net.Nodes = append(net.Nodes, Node{Name: name, Layer: l, Inputs: ins})
	}
	add("patches", &Conv{Weight: tensor.New(3, 1, 2, 2), Stride: []int{2, 2}, Dilation: []int{1, 1}, Groups: 1}, "x")
	add("turned", &Rearrange{What: "Transpose", To: []int{24, 3}, Strides: []int{1, 24}}, "patches")
	last := "turned"
	if more > 0 {
		add("class", &Constant{Value: tensor.New(more, 3)}, "x")
		add("joined", &Concat{Axis: 0, To: []int{24 + more, 3}}, "class", "turned")
		last = "joined"
	}
	add("scaled", &Unary{Op: "Gelu"}, last)
	return net
}

func TestPlaces(t *testing.T) {
	image := &Network{Name: "i", Input: Input{Name: "x", C: 3, H: 12, W: 8}, Nodes: []Node{
		{Name: "last", Layer: &Rearrange{What: "Transpose", To: []int{12, 8, 3}, Strides: []int{8, 1, 96}}, Inputs: []string{"x"}},
		{Name: "first", Layer: &Rearrange{What: "Transpose", To: []int{3, 12, 8}, Strides: []int{1, 24, 3}}, Inputs: []string{"last"}},
		{Name: "tokens", Layer: &Reshape{To: []int{96, 3}}, Inputs: []string{"last"}},
		{Name: "odd", Layer: &Reshape{To: []int{32, 9}}, Inputs: []string{"last"}},
	}}
	if err := image.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		net   *Network
		layer string
		given [2]int
		want  Places
		err   string
	}{
		{tokensOf(0), "patches", [2]int{}, Places{H: 4, W: 6, Channels: 3}, ""},
		{tokensOf(0), "scaled", [2]int{}, Places{H: 4, W: 6, Channels: 3, Last: true}, ""},
		{tokensOf(1), "scaled", [2]int{}, Places{H: 4, W: 6, Channels: 3, Last: true, Before: 1}, ""},
		{tokensOf(5), "scaled", [2]int{}, Places{H: 4, W: 6, Channels: 3, Last: true, Before: 5}, ""},
		{tokensOf(1), "scaled", [2]int{3, 8}, Places{H: 3, W: 8, Channels: 3, Last: true, Before: 1}, ""},
		{tokensOf(1), "scaled", [2]int{5, 6}, Places{}, "25 tokens of 3 channels, fewer than 5x6 places"},
		{tokensOf(1), "scaled", [2]int{2, 4}, Places{}, "25 tokens of 3 channels: 17 more than 2x4 places"},
		{tokensOf(1), "none", [2]int{}, Places{}, "no layer"},
		{image, "last", [2]int{}, Places{H: 12, W: 8, Channels: 3, Last: true}, ""},
		{image, "first", [2]int{}, Places{H: 12, W: 8, Channels: 3}, ""},
		{image, "tokens", [2]int{}, Places{H: 12, W: 8, Channels: 3, Last: true}, ""},
		{image, "odd", [2]int{}, Places{}, "say in how many rows and columns"},
		{image, "odd", [2]int{4, 8}, Places{H: 4, W: 8, Channels: 9, Last: true}, ""},
		{image, "odd", [2]int{3, 3}, Places{H: 3, W: 3, Channels: 32}, ""},
		{image, "first", [2]int{5, 5}, Places{}, "5x5 places are not in it"},
	} {
		got, err := c.net.Places(c.layer, c.given)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %s %v: %+v %v, want %+v %s", c.net.Name, c.layer, c.given, got, err, c.want, c.err)
		}
	}
	p := Places{H: 2, W: 3, Channels: 4, Last: true, Before: 1}
	if p.Index(3, 5) != 27 || (Places{H: 2, W: 3, Channels: 4}).Index(3, 5) != 23 {
		t.Error("indices of places")
	}
}
