package deconv

import (
	"context"
	"fmt"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/backward"
)

// GradCAMKeep returns what a trace must hold for GradCAM at a layer.
func GradCAMKeep(net *model.Network, layer string) (model.Keep, error) {
	if _, err := net.Reading(); err != nil {
		return model.Keep{}, fmt.Errorf("%w", err)
	}
	keep, err := backward.New(nil, net, Gradient, backward.Options{}).Keep([]string{net.Logits}, layer)
	if err != nil {
		return model.Keep{}, fmt.Errorf("%w", err)
	}
	keep.Layers = append(keep.Layers, layer, net.Logits)
	return keep, nil
}

// GradCAM is GradCAMAt for places that the network shows by itself.
func GradCAM(engine *model.Engine, t *model.Trace, image int, layer string, target model.Target) ([]float32, error) {
	places, err := t.Net.Places(layer, [2]int{})
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return GradCAMAt(engine, t, image, layer, places, target)
}

// GradCAMAt is the class activation map of a layer for one image of a trace, [H][W] at
// the resolution of the layer's places, which may be tokens: the layer's maps, each
// weighted with the mean of the class score's gradient over it, added up, and what is
// negative set to 0 (R. R. Selvaraju et al., Grad-CAM: Visual Explanations from Deep
// Networks, 2017, section 3). The score is the one before softmax or sigmoid.
func GradCAMAt(engine *model.Engine, t *model.Trace, image int, layer string, places model.Places, target model.Target) ([]float32, error) {
	net := t.Net
	reading, err := net.Reading()
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if image < 0 || image >= t.N() {
		return nil, fmt.Errorf("image %d of a batch of %d", image, t.N())
	}
	if err := reading.Check(target); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	maps := t.Value(layer)
	if maps == nil {
		return nil, fmt.Errorf("the trace does not hold the value of %s", layer)
	}
	pass := backward.New(engine, net, Gradient, backward.Options{})
	start := backward.Start{Image: image, Layer: net.Logits, Values: reading.Start(target)}
	parts, err := pass.Down(context.Background(), t, []backward.Start{start}, layer)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if parts[0][0].Box.Empty() {
		return nil, fmt.Errorf("the class scores do not depend on layer %s", layer)
	}
	s := t.Shapes[layer]
	plane := places.H * places.W
	if min(plane, places.Channels, places.Before+1) < 1 || places.Index(places.Channels-1, plane-1) >= s.Len() {
		return nil, fmt.Errorf("layer %s is %v, which has no places %+v", layer, s, places)
	}
	cam := make([]float32, plane)
	for i, v := range attribution.Weigh(attribution.GradCAM, places, maps.Data[image*s.Len():][:s.Len()], parts[0][0].Full(s.H, s.W)) {
		cam[i] = float32(max(v, 0))
	}
	return cam, nil
}
