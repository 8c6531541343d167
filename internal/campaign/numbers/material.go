package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
)

// network is a kind of network that is sound as a file.
type network struct {
	name    string
	damaged string // the layer that has weights that are no numbers, or infinite: every command says so
	change  func(weights [][]float32)
}

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// each does the same to every weight.
func each(f func(v float32) float32) func([][]float32) {
	return func(weights [][]float32) {
		for _, w := range weights {
			for i := range w {
				w[i] = f(w[i])
			}
		}
	}
}

// one sets one value of the k-th list of weights, from behind if it is negative.
func one(k int, v float32) func([][]float32) {
	return func(weights [][]float32) { w := weights[(k+len(weights))%len(weights)]; w[len(w)/2] = v }
}

var networks = []network{
	{"as it is", "", func([][]float32) {}},
	{"NaN in the first layer", "conv1", one(0, nan)}, {"NaN in a bias", "conv1", one(1, nan)}, {"NaN in the last layer", "fc2", one(-2, nan)},
	{"an infinity in the first layer", "conv1", one(0, inf)}, {"an infinity in the last bias", "fc2", one(-1, -inf)},
	{"denormal weights", "", each(func(v float32) float32 { return v * 1e-42 })},
	{"one weight of 1e38", "", one(0, 1e38)}, {"weights of 1e38", "", each(func(v float32) float32 { return float32(math.Copysign(1e38, float64(v))) })},
	{"weights of 1e19", "", each(func(v float32) float32 { return v * 1e19 })},
	{"a last bias of 1e38", "", one(-1, 1e38)},
	{"all weights 0", "", each(func(float32) float32 { return 0 })},
	{"dead maps", "", func(weights [][]float32) {
		for k, w := range weights {
			for i := range w {
				if w[i] = 0; k == 1 {
					w[i] = -1 // the bias of the first layer
				}
			}
		}
	}},
}

// build makes a small network: two convolutions, a pool and a dense layer, for so many classes.
func build(classes, size int, change func([][]float32)) (*model.Network, error) {
	names := []string{"a", "b", "c"}
	net, err := model.Build("lenet5", model.ArchOptions{Input: model.Input{C: 3, H: size, W: size}, Classes: names[:max(classes, 2)], Width: 0.1, Seed: 3})
	if err != nil {
		return nil, err
	}
	var weights [][]float32
	for i := range net.Nodes {
		switch l := net.Nodes[i].Layer.(type) {
		case *model.Conv:
			weights = append(weights, l.Weight.Data, l.Bias)
		case *model.Dense:
			if classes == 1 && l.Weight.Shape[0] == 2 {
				l.Weight.Shape, l.Weight.Data, l.Bias = []int{1, l.Weight.Shape[1]}, l.Weight.Data[:l.Weight.Shape[1]], l.Bias[:1]
				net.Classes = names[:1]
			}
			weights = append(weights, l.Weight.Data, l.Bias)
		}
	}
	change(weights)
	return net, nil
}

// inputs are what networks are shown, by the names of their files.
var inputs = map[string]func(path string) error{
	"noise.png":    drawn(20, 20, func(i int) uint8 { return uint8(i * 97) }),
	"constant.png": drawn(20, 20, func(int) uint8 { return 128 }), "black.png": drawn(20, 20, func(int) uint8 { return 0 }),
	"pixel.png": drawn(1, 1, func(int) uint8 { return 200 }), "line.png": drawn(400, 1, func(i int) uint8 { return uint8(i) }),
	"zero.npy": array(1, func(int) float32 { return 0 }), "nan.npy": array(1, func(i int) float32 { return []float32{1, nan}[i&1] }),
	"inf.npy": array(1, func(int) float32 { return inf }), "denormal.npy": array(1, func(int) float32 { return 1e-42 }),
	"huge.npy": array(1, func(int) float32 { return 3e38 }), "none.npy": array(0, func(int) float32 { return 0 }),
}

func drawn(w, h int, value func(i int) uint8) func(string) error {
	return func(path string) error {
		return campaign.WritePNG(path, w, h, func(i int) (r, g, b uint8) { return value(i), value(i), value(i) })
	}
}

func array(n int, value func(i int) float32) func(string) error {
	return func(path string) error {
		data := make([]float32, n*3*20*20)
		for i := range data {
			data[i] = value(i)
		}
		return npy.WriteFile(path, []int{n, 3, 20, 20}, data)
	}
}

// write writes a network and all inputs into a folder.
func write(dir string, net *model.Network) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := model.Save(filepath.Join(dir, "net.bin"), net, nil); err != nil {
		return fmt.Errorf("net.bin: %w", err)
	}
	for name, make := range inputs {
		if err := make(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
