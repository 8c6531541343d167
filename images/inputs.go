package images

import (
	"fmt"
	"image"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Inputs are the images of a list as one network sees them. It implements features.Images.
type Inputs struct {
	*List
	Net  *model.Network
	kept *kept // see Kept
}

// For shows a list to a network. Arrays whose shape is not that of the network's input are an error.
func For(l *List, net *model.Network) (*Inputs, error) {
	in := &Inputs{List: l, Net: net}
	if l.Data != "" {
		return in, nil
	}
	for i := range l.Items {
		if p, ok := l.array(i); ok && len(l.Items) == 1 {
			if _, err := p.Tensor(net.Preprocess, net.Input); err != nil {
				return nil, err
			}
		}
	}
	return in, nil
}

// array is image i if it is an array.
func (l *List) array(i int) (Picture, bool) {
	if !l.Items[i].array {
		return Picture{}, false
	}
	p, err := l.open(i)
	return p, err == nil
}

// Load is image i as the network's input [1, C, H, W].
func (in *Inputs) Load(i int) (*tensor.Tensor, error) {
	if x := in.kept.find(i); x != nil {
		return x, nil
	}
	p, err := in.Open(i)
	if err != nil {
		return nil, err
	}
	x, err := p.Tensor(in.Net.Preprocess, in.Net.Input)
	if err == nil {
		in.kept.add(i, x)
	}
	return x, err
}

// Input writes image i to dst, [C][H][W] in the network's units.
func (in *Inputs) Input(i int, dst []float32) error {
	x, err := in.Load(i)
	if err != nil {
		return err
	}
	if len(x.Data) != len(dst) {
		return fmt.Errorf("%s: %d values, want %d", in.Items[i].Name, len(x.Data), len(dst))
	}
	copy(dst, x.Data)
	return nil
}

// Object is the bounding box of the object in image i as the network sees it, empty if it is not known:
// the data set does not say, or the image is resized.
func (in *Inputs) Object(i int) image.Rectangle {
	p, err := in.Open(i)
	if err != nil || p.Image == nil || in.Net.Preprocess.Always || p.Image.Bounds().Dx() != in.Net.Input.W || p.Image.Bounds().Dy() != in.Net.Input.H {
		return image.Rectangle{}
	}
	return p.Object
}
