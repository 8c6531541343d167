package model

import (
	"image"
	"image/color"
	"slices"
)

// Volume returns the dims [channels, depth, rows, columns] of a layer's value, or of
// the input, if it is a volume, as convolutions over three axes make it and see it;
// nil if it is anything else.
func (net *Network) Volume(name string) []int {
	shapes, err := net.Shapes()
	if err != nil {
		return nil
	}
	if name == net.Input.Name {
		return net.inputVolume(shapes)
	}
	return net.volumes(shapes)[name]
}

// Picture is an input in pixels: Preprocess.Image, or of a volume the plane in the
// middle, see VolumePlane.
func (net *Network) Picture(x []float32) *image.NRGBA {
	if dims := net.Volume(net.Input.Name); dims != nil {
		return VolumePlane(x, dims, dims[1]/2)
	}
	return net.Preprocess.Image(x, net.Input)
}

// VolumePlane is plane d of a volume of dims [channels, depth, rows, columns] in pixels,
// from the volume's least number, black, to its largest; three channels are colours.
func VolumePlane(x []float32, dims []int, d int) *image.NRGBA {
	lo, hi := slices.Min(x), slices.Max(x)
	h, w := dims[2], dims[3]
	level := func(c, i int) uint8 {
		if !(hi > lo) {
			return 0
		}
		return uint8(255*(x[(c*dims[1]+d)*h*w+i]-lo)/(hi-lo) + 0.5)
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range h * w {
		r := level(0, i)
		pixel := color.NRGBA{R: r, G: r, B: r, A: 255}
		if dims[0] == 3 {
			pixel.G, pixel.B = level(1, i), level(2, i)
		}
		img.SetNRGBA(i%w, i/w, pixel)
	}
	return img
}

// volumes are the dims of all layers' values that are volumes.
func (net *Network) volumes(shapes map[string]Shape) map[string][]int {
	found := map[string][]int{}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		var dims []int
		if l, ok := n.Layer.(interface{ Dims() ([]int, error) }); ok {
			dims, _ = l.Dims()
		}
		for _, in := range n.Inputs {
			if dims == nil && found[in] != nil {
				dims = volumeAfter(n.Layer, found[in], shapes[in], shapes[n.Name])
			}
		}
		if len(dims) == 4 && ArrayShape(dims) == shapes[n.Name] {
			found[n.Name] = dims
		}
	}
	// What goes into a layer over three axes as it is, is a volume, too.
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if from := fromVolume(n.Layer); from != nil && net.Node(n.Inputs[0]) != nil && ArrayShape(from) == shapes[n.Inputs[0]] && found[n.Inputs[0]] == nil {
			found[n.Inputs[0]] = from
		}
	}
	return found
}

// inputVolume follows the input through layers that leave its numbers where they are
// to one over three axes.
func (net *Network) inputVolume(shapes map[string]Shape) []int {
	same := map[string]bool{net.Input.Name: true}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if !slices.ContainsFunc(n.Inputs, func(in string) bool { return same[in] }) {
			continue
		}
		if from := fromVolume(n.Layer); from != nil && from[0]*from[1] == net.Input.C && from[2] == net.Input.H && from[3] == net.Input.W {
			return from
		}
		switch n.Layer.(type) {
		case *Reshape, *Binary, *Unary, *BatchNorm, *Quantize, *Dropout:
			same[n.Name] = shapes[n.Name].Len() == net.Input.Shape().Len()
		}
	}
	return nil
}

// fromVolume are the dims that a layer over three axes sees; nil: it is none.
func fromVolume(l Layer) []int {
	var from []int
	switch l := l.(type) {
	case *Conv:
		from = l.From
	case *ConvTranspose:
		from = l.From
	case *Pool:
		from = l.From
	}
	if len(from) != 4 {
		return nil
	}
	return from
}

// volumeAfter are the dims of what a layer makes of a volume of dims from, nil if
// that is none that is known.
func volumeAfter(l Layer, from []int, in, out Shape) []int {
	switch l := l.(type) {
	case *AlongAxis:
		if len(l.From) == 4 {
			dims := slices.Clone(l.From)
			dims[l.Axis] = len(l.Index) / max(l.Taps, 1)
			return dims
		}
	case *Concat:
		if !l.Maps() {
			return l.To
		}
	}
	if moves(l) || in.H != out.H || in.W != out.W {
		return nil
	}
	return append([]int{out.C}, from[1:]...)
}

// moves reports whether a layer gives its numbers other axes.
func moves(l Layer) bool {
	switch l.(type) {
	case *Reshape, *Rearrange, *Dense, *MatMul, *Constant, *Recurrent, *Conv, *ConvTranspose, *Pool:
		return true
	}
	return false
}
