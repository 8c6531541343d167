package main

import (
	"fmt"
	"strings"
)

// Work is what is measured: a row of a table.
type Work struct {
	Task, Model, Layer string
	Batch              int
	peer               []string // added to a peer's command

	// Floor is the ratio wanted at avx512 and at avx2; 0: none.
	Floor [2]float64
}

// Name tells works apart.
func (w Work) Name() string {
	name := w.Task + " " + w.Model
	if w.Layer != "" {
		name += " " + w.Layer
	}
	if w.Batch > 0 {
		name += fmt.Sprintf(" batch %d", w.Batch)
	}
	return name
}

// viz is the command of viz.
func (w Work) viz(net string) []string {
	args := []string{"bench", w.Task, "-q", "--model", net}
	switch w.Task {
	case "forward":
		args = append(args, "--batch", fmt.Sprint(w.Batch))
	case "occlude":
		args = append(args, "--patch", "16", "--stride", "4", "--least", "1")
	case "deconv":
		args = append(args, "--units", "64", "--layer", strings.TrimSuffix(w.Layer, ".cat"))
	case "topk":
		args[1] = "scan"
		args = append(args, "--images", "16", "--batch", "8", "--layer", strings.TrimSuffix(w.Layer, ".cat"))
	}
	return args
}

// networks are those of the tables, with the floors of their forward passes and occlusion maps at avx512 and avx2, and
// the layers whose units are projected and whose strongest images are looked for.
var networks = []struct {
	model         string
	forward, map_ [2]float64
	layers        []string
	last          string // "": none
}{
	{"squeezenet1_1", [2]float64{1.1, 1}, [2]float64{3, 3}, []string{"features.7.cat", "features.12.cat"}, "features.12.cat"},
	{"alexnet", [2]float64{1.1, 1.5}, [2]float64{4.5, 4.5}, []string{"features.7", "features.11"}, "features.11"},
	{"zfnet", [2]float64{1.1, 1.5}, [2]float64{11, 11}, nil, "features.13"},
	{"vgg16", [2]float64{1.1, 1.5}, [2]float64{13, 13}, []string{"features.1", "features.15", "features.29"}, "features.29"},
	{"resnet18", [2]float64{1.1, 1.3}, [2]float64{3.3, 3.3}, []string{"layer2"}, "layer4"},
	{"googlenet", [2]float64{1.1, 1}, [2]float64{3.3, 3.3}, nil, "inception5b.cat"},
	{"resnet50", [2]float64{1, 1}, [2]float64{2.5, 2.5}, []string{"layer2"}, "layer4"},
	{"mobilenet_v2", [2]float64{1, 1}, [2]float64{2.5, 2.5}, []string{"features.7"}, "features.18"},
	{"mobilenet_v3", [2]float64{1, 1}, [2]float64{2.5, 2.5}, []string{"features.7"}, ""},
	{"efficientnet_b0", [2]float64{1, 1}, [2]float64{2.5, 2.5}, []string{"features.4"}, ""},
	{"convnext_tiny", [2]float64{1, 1}, [2]float64{2.5, 2.5}, []string{"features.5"}, ""},
	{"vit_b_16", [2]float64{1, 1}, [2]float64{1, 1}, nil, ""},
}

func works() []Work {
	var all []Work
	for _, n := range networks {
		for _, batch := range []int{1, 8} {
			all = append(all, Work{Task: "forward", Model: n.model, Batch: batch, Floor: n.forward})
		}
	}
	for _, n := range networks {
		peer := []string{"--patch", "16", "--stride", "4", "--positions", "64"}
		all = append(all, Work{Task: "occlude", Model: n.model, Floor: n.map_, peer: peer})
	}
	for _, n := range networks {
		for _, l := range n.layers {
			all = append(all, Work{Task: "deconv", Model: n.model, Layer: l, Floor: [2]float64{2.5, 2.5}, peer: []string{"--units", "64", "--layer", l}})
		}
	}
	for _, n := range networks {
		if n.last != "" {
			all = append(all, Work{Task: "topk", Model: n.model, Layer: n.last, Floor: [2]float64{1.2, 1.2}, peer: []string{"--images", "16", "--layer", n.last}})
		}
	}
	return all
}
