package main

import (
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// network draws a network: a chain with or without batch normalisations, one whose dense layer has most weights, or one
// with branches.
func (p plan) network(rng *rand.Rand) (*model.Network, error) {
	o := model.ArchOptions{Classes: []string{"a", "b", "c"}, Width: float64(1+rng.IntN(4)) / 4, Seed: p.Seed}
	size, arch := 16*(2+rng.IntN(7)), "small" // 32 to 128
	if p.Short {
		size = 32
	}
	switch rng.IntN(5) {
	case 0:
		if p.Short {
			break
		}
		arch, size = "lenet5", 32*(1+rng.IntN(2)) // at 64 pixels up to 69 MB of weights
	case 1:
		arch = "branches"
	}
	o.Input = model.Input{C: 3, H: size, W: size}
	if arch != "branches" {
		return model.Build(arch, o)
	}
	conv := func(k, c, window int) *model.Conv {
		w := tensor.New(k, c, window, window)
		for i := range w.Data {
			w.Data[i] = float32(rng.NormFloat64() / math.Sqrt(float64(c*window*window)))
		}
		return &model.Conv{Weight: w, Bias: make([]float32, k), Pads: slices.Repeat([]int{window / 2}, 4), Groups: 1}
	}
	maps := 8 * (1 + rng.IntN(8))
	net := &model.Network{Name: arch, Input: o.Input, Classes: o.Classes, Logits: "scores"}
	net.Input.Name = "input"
	last := net.Input.Name
	add := func(name string, l model.Layer, inputs ...string) {
		net.Nodes = append(net.Nodes, model.Node{Name: name, Inputs: inputs, Layer: l})
	}
	c := 3
	for i := range 1 + rng.IntN(4) { // each keeps its input until its end
		at := func(name string) string { return fmt.Sprintf("%s%d", name, i) }
		add(at("in"), conv(maps, c, 1), last)
		add(at("wide"), conv(maps, maps, 3), at("in"))
		add(at("relu"), &model.ReLU{}, at("wide"))
		add(at("again"), conv(maps, maps, 3), at("relu"))
		add(at("sum"), &model.Add{}, at("again"), at("in"))
		add(at("both"), &model.Concat{}, at("sum"), last)
		last, c = at("both"), c+maps
	}
	add("mean", &model.GlobalAvgPool{}, last)
	add("flat", &model.Reshape{}, "mean")
	add("scores", &model.Dense{Weight: tensor.New(3, c), Bias: []float32{0, 1, 2}}, "flat")
	add("prob", &model.Softmax{}, "scores")
	return net, net.Check()
}

// pixels draws how many pixels a picture has at most: one of twelve has 10 to 40 million, most others are far smaller.
func (p plan) pixels(rng *rand.Rand) int {
	if p.Short {
		return 100_000
	}
	if rng.IntN(12) == 0 {
		return -(10_000_000 + rng.IntN(30_000_000))
	}
	return 30_000_000
}

// picture writes a picture of so many pixels at most, or of about so many if the number is negative.
func picture(dir string, i, input, pixels int, rng *rand.Rand) (string, error) {
	least := input/8 + 1
	w := least + int(math.Pow(10, 1+2.7*rng.Float64()))
	h := least + int(math.Pow(10, 1+2.7*rng.Float64()))
	for pixels > 0 && w*h > pixels {
		w, h = w/2, h/2
	}
	if pixels < 0 {
		w = int(math.Sqrt(float64(-pixels)) * (0.5 + rng.Float64()))
		h = -pixels / w
	}
	b := image.Rect(0, 0, w, h)
	m := map[int]image.Image{0: image.NewNRGBA(b), 1: image.NewRGBA(b), 2: image.NewGray(b), 3: image.NewPaletted(b, color.Palette{color.Black, color.White, color.NRGBA{200, 9, 9, 255}})}[rng.IntN(4)]
	if p, ok := m.(*image.RGBA); ok {
		for i := 3; i < len(p.Pix); i += 4 {
			p.Pix[i] = 255
		}
	}
	kind := []string{"png", "jpg", "gif"}[rng.IntN(3)]
	name := filepath.Join(dir, fmt.Sprintf("%d.%s", i, kind))
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	switch kind {
	case "png":
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, m)
	case "jpg":
		err = jpeg.Encode(f, m, nil)
	default:
		err = gif.Encode(f, m, &gif.Options{NumColors: 4})
	}
	return name, err
}
