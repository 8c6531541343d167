package view

import (
	"fmt"

	"github.com/deconvnet/viz/model"
)

// LayerArrays gathers the values of layers for many images, and the switches of max pools.
type LayerArrays struct {
	Names    []string // of the images, in the order of the first axis
	layers   []string
	shapes   map[string]model.Shape
	values   map[string][]float32
	switches map[string][]int32
}

// NewLayerArrays begins with no image; arrays of more values than MaxValues are refused.
func NewLayerArrays(net *model.Network, layers []string, images int) (*LayerArrays, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	size := 0
	for _, name := range layers {
		size += shapes[name].Len()
		if n := net.Node(name); n != nil && n.Layer.Kind() == "MaxPool" {
			size += shapes[name].Len()
		}
	}
	if size > MaxValues/images {
		return nil, &FieldError{Field: "npy", Problem: fmt.Sprintf("needs %.1f GB for the arrays of %d layers and %d images", 4e-9*float64(size)*float64(images), len(layers), images),
			Hint: "name fewer layers with --layer, or fewer images with --limit"}
	}
	return &LayerArrays{layers: layers, shapes: shapes, values: map[string][]float32{}, switches: map[string][]int32{}}, nil
}

// Add takes the layers of a trace of one image.
func (a *LayerArrays) Add(t *model.Trace, image string) {
	a.Names = append(a.Names, image)
	for _, name := range a.layers {
		a.values[name] = append(a.values[name], t.Value(name).Data...)
		if sw := t.Switches(name); sw != nil {
			a.switches[name] = append(a.switches[name], sw...)
		}
	}
}

// Arrays are LAYER, [N, C, H, W] or [N, F], and LAYER.switches, [N, C, H, W].
func (a *LayerArrays) Arrays() (out []NamedArray) {
	for _, name := range a.layers {
		shape := a.shapes[name].Batch(len(a.Names))
		out = append(out, NamedArray{Name: name, Shape: shape, Float: a.values[name]})
		if sw := a.switches[name]; sw != nil {
			out = append(out, NamedArray{Name: name + ".switches", Shape: shape, Int: sw})
		}
	}
	return out
}
