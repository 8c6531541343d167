package deconv

import (
	"fmt"

	"github.com/deconvnet/viz/model"
)

// GradCAMKeep returns what a trace must hold for GradCAM at a layer.
func GradCAMKeep(net *model.Network, layer string) (model.Keep, error) {
	if _, err := net.Reading(); err != nil {
		return model.Keep{}, fmt.Errorf("deconv: %w", err)
	}
	keep, err := New(nil, net, Gradient).Keep(net.Logits)
	keep.Layers = append(keep.Layers, layer)
	return keep, err
}

// GradCAM is the class activation map of a layer for one image of a trace, [H][W] at
// the layer's resolution: the layer's maps, each weighted with the mean of the class
// score's gradient over it, added up, and what is negative set to 0 (R. R. Selvaraju
// et al., Grad-CAM: Visual Explanations from Deep Networks, 2017, section 3). The
// score is the one before softmax or sigmoid.
func GradCAM(engine *model.Engine, t *model.Trace, image int, layer string, target model.Target) ([]float32, error) {
	net := t.Net
	reading, err := net.Reading()
	if err != nil {
		return nil, fmt.Errorf("deconv: %w", err)
	}
	if image < 0 || image >= t.N() {
		return nil, fmt.Errorf("deconv: image %d of a batch of %d", image, t.N())
	}
	if err := reading.Check(target); err != nil {
		return nil, fmt.Errorf("deconv: %w", err)
	}
	maps := t.Value(layer)
	if maps == nil {
		return nil, fmt.Errorf("deconv: the trace does not hold the value of %s", layer)
	}
	p := New(engine, net, Gradient)
	p.Whole = true
	geo, err := p.geometryOf(t, net.Logits, t.Shapes[net.Logits].Box())
	if err != nil {
		return nil, err
	}
	if _, ok := geo.boxes[layer]; !ok {
		return nil, fmt.Errorf("deconv: the class scores do not depend on layer %s", layer)
	}
	d := &descent{p: p, t: t, k: engine.Kernel(), mem: &arena{}, stop: layer,
		units:   []*unit{{target: Target{image, model.Unit{Layer: net.Logits}}, geo: geo, pixels: make([]float32, net.Input.Shape().Len())}},
		signals: map[string]signal{net.Logits: {data: reading.Start(target)}}}
	if err := d.run(len(net.Nodes) - 1); err != nil {
		return nil, err
	}
	s := t.Shapes[layer]
	plane := s.H * s.W
	cam := make([]float32, plane)
	sum := make([]float64, plane)
	grad := d.signals[layer].data
	if layer == net.Input.Name {
		grad = d.units[0].pixels
	}
	for c := range s.C {
		if grad == nil {
			break
		}
		weight := 0.0
		for _, g := range grad[c*plane : (c+1)*plane] {
			weight += float64(g)
		}
		weight /= float64(plane)
		for i, v := range maps.Data[image*s.Len()+c*plane:][:plane] {
			sum[i] += weight * float64(v)
		}
	}
	for i, v := range sum {
		cam[i] = float32(max(v, 0))
	}
	return cam, nil
}
