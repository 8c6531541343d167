package view

import (
	"fmt"
	"math"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
)

// Inspection describes a network: its layers, its weights, what goes in and what comes out.
type Inspection struct {
	Model      string            `json:"model"`
	Hash       string            `json:"hash"`
	Input      string            `json:"input"`
	Logits     string            `json:"logits,omitempty"`
	Scores     string            `json:"scores,omitempty"` // what the values at logits mean: softmax, sigmoid, logits or raw
	Outputs    []InspectedOutput `json:"outputs,omitempty"`
	Classes    []string          `json:"classes,omitempty"`
	Preprocess model.Preprocess  `json:"preprocess"`
	Steps      []string          `json:"steps"` // what happens to pixels, in order
	Origin     model.Origin      `json:"origin"`
	Weights    int               `json:"weights"`
	MACs       int64             `json:"macs"`
	Layers     []InspectedLayer  `json:"layers"`
}

// InspectedOutput is an output of the file.
type InspectedOutput struct {
	model.Output
	Shape string `json:"shape"`
}

// InspectedLayer is a layer, and what the rule of projection does at it.
type InspectedLayer struct {
	model.LayerSummary
	Rule string `json:"rule"`
}

// Inspect describes the network, with what a rule of projection does at each layer; "" is deconv.Paper.
func (s *Session) Inspect(rule deconv.Rule) (*Inspection, error) {
	if rule == "" {
		rule = deconv.Paper
	}
	net := s.Net
	layers, err := net.Summary()
	if err != nil {
		return nil, err
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	r := &Inspection{Model: net.Name, Hash: s.hash, Input: net.Input.Shape().String(), Logits: net.Logits, Classes: net.Classes,
		Preprocess: net.Preprocess, Steps: net.Preprocess.Steps(net.Input), Origin: net.Origin}
	for i, l := range layers {
		text, err := rule.Describe(net.Nodes[i].Layer)
		if err != nil {
			text = "refused: " + err.Error()
		}
		r.Weights += l.Weights
		r.MACs += l.MACs
		r.Layers = append(r.Layers, InspectedLayer{l, text})
	}
	if net.Logits != "" {
		r.Scores = net.Scores.String()
	}
	for _, o := range net.Outputs {
		r.Outputs = append(r.Outputs, InspectedOutput{o, shapes[o.Node].String()})
	}
	return r, nil
}

// ClassesText says how many classes or values a network tells: "10 classes at 6x6 places".
func ClassesText(net *model.Network) string {
	reading, err := net.Reading()
	if err != nil {
		return "no class scores"
	}
	n, what := reading.NumClasses(), "classes"
	switch {
	case reading.Kind == model.RawScores && n == 1:
		what = "value"
	case reading.Kind == model.RawScores:
		what = "values"
	case n == 1:
		what = "class"
	}
	text := fmt.Sprintf("%d %s", n, what)
	if reading.Spatial() {
		text += fmt.Sprintf(" at %dx%d places", reading.Shape.H, reading.Shape.W)
	}
	return text
}

// PixelsText is the formula by which pixels become the network's input, above the list of all steps.
func PixelsText(net *model.Network) string {
	p := net.Preprocess
	order := "RGB"
	if p.BGR {
		order = "BGR"
	}
	if net.Input.C == 1 {
		order = "grey"
	}
	if p.Invert {
		order = "(255 - " + order + ")"
	}
	s := fmt.Sprintf("%s * %g", order, p.Scale)
	if r := 1 / float64(p.Scale); p.Scale < 1 && p.Scale > 0 && math.Abs(r-math.Round(r*2)/2) < 1e-3 {
		s = fmt.Sprintf("%s / %g", order, math.Round(r*2)/2)
	}
	if p.Mean != nil {
		s += fmt.Sprintf(" - %v", p.Mean)
	}
	if p.Std != nil {
		s = fmt.Sprintf("(%s) / %v", s, p.Std)
	}
	if p.Short > 0 && p.Mode == model.FitCrop {
		s += fmt.Sprintf("; short side to %d, centre %dx%d", p.Short, net.Input.H, net.Input.W)
	}
	return s
}
