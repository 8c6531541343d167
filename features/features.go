// Package features finds what the feature maps of a network respond to: the
// images, among many, and the places in them, with the strongest activations
// ([zeiler14] 4.1, Fig. 2: the nine strongest of each map).
//
//	index, err := features.Collect(ctx, engine, net, images, features.Options{Layers: []string{"relu2"}})
//	index.Layers[0].Top[map][0]  // strongest image and place of a map
//
// The images come from the caller, one by one; memory does not grow with their
// number. The package does not know how projections are made (deconv) or drawn.
package features

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Images is a source of network inputs.
type Images interface {
	// Len is the number of images.
	Len() int
	// Input writes all of image i to dst, [C][H][W] in network units. It is
	// called from one goroutine, for every i in order.
	Input(i int, dst []float32) error
}

// Options of Collect.
type Options struct {
	Layers   []string // nodes to watch; nil: every convolution layer (model.ConvLayers)
	Top      int      // images to keep for each map; 0: 9
	Batch    int      // images in a forward pass; 0: as many as stay within about 256 MiB, at most 32
	Progress func(done, total int)
}

// Hit is the strongest activation of a map in one image.
type Hit struct {
	Image int     `json:"image"` // index in the source
	Y     int     `json:"y"`     // place in the map, the first of equals in row-major order
	X     int     `json:"x"`
	Value float32 `json:"value"`
}

// Index holds, for every map of the watched layers, its strongest images.
type Index struct {
	Model  string  `json:"model"` // hash of the network, see model.Network.Hash
	Images int     `json:"images"`
	TopK   int     `json:"top"`
	Layers []Layer `json:"layers"`
}

// Layer is the part of an Index for one node.
type Layer struct {
	Name string  `json:"name"`
	Top  [][]Hit `json:"maps"` // by map: strongest first; equal values in order of image
}

// Collect runs every image through the network once and keeps the strongest
// activations, one for each map and image. An image that cannot be had ends the
// scan with its error, and so does one that makes an activation NaN.
func Collect(ctx context.Context, engine *model.Engine, net *model.Network, images Images, o Options) (*Index, error) {
	if o.Layers == nil {
		o.Layers = net.ConvLayers()
	}
	if o.Top <= 0 {
		o.Top = 9
	}
	if len(o.Layers) == 0 {
		return nil, fmt.Errorf("features: the network has no convolution layers")
	}
	plan, err := engine.Compile(net, model.Keep{Layers: o.Layers})
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	if o.Batch <= 0 {
		o.Batch = plan.Batch(256<<20, 32)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	index := &Index{Model: net.Hash(), Images: images.Len(), TopK: o.Top}
	for _, name := range o.Layers {
		index.Layers = append(index.Layers, Layer{Name: name, Top: make([][]Hit, shapes[name].C)})
	}
	in := net.Input
	size := in.C * in.H * in.W
	batch := tensor.New(min(o.Batch, max(images.Len(), 1)), in.C, in.H, in.W)
	for at := 0; at < images.Len(); at += o.Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(o.Batch, images.Len()-at)
		for i := range n {
			if err := images.Input(at+i, batch.Data[i*size:(i+1)*size]); err != nil {
				return nil, err
			}
		}
		t, err := plan.Run(batch.Slice(0, n))
		if err != nil {
			return nil, err
		}
		for l := range index.Layers {
			if err := index.Layers[l].offer(t, at, o.Top); err != nil {
				return nil, err
			}
		}
		if o.Progress != nil {
			o.Progress(at+n, images.Len())
		}
	}
	return index, nil
}

// offer adds the maxima of a batch whose first image is number first.
func (l *Layer) offer(t *model.Trace, first, top int) error {
	s := t.Shapes[l.Name]
	plane := s.H * s.W
	v := t.Value(l.Name).Data
	for i := range t.N() {
		for c := range s.C {
			m := v[(i*s.C+c)*plane:][:plane]
			at := tensor.ArgMax(m)
			if m[at] != m[at] {
				return fmt.Errorf("features: image %d: layer %s: map %d is NaN", first+i, l.Name, c)
			}
			l.Top[c] = insert(l.Top[c], Hit{Image: first + i, Y: at / s.W, X: at % s.W, Value: m[at]}, top)
		}
	}
	return nil
}

// insert keeps the k strongest hits, strongest first, equals in order of image.
func insert(top []Hit, h Hit, k int) []Hit {
	i, _ := slices.BinarySearchFunc(top, h, func(a, b Hit) int {
		if a.Value != b.Value {
			return cmp.Compare(b.Value, a.Value)
		}
		return cmp.Compare(a.Image, b.Image)
	})
	if i >= k {
		return top
	}
	if len(top) < k {
		top = append(top, Hit{})
	}
	copy(top[i+1:], top[i:])
	top[i] = h
	return top
}
