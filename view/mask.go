package view

import (
	"fmt"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
)

// MaskLabels are the segments of a mask for Occlusion.Segments. Of a picture, which is resized and cropped as images
// are, each colour is one, named 0xRRGGBB, and what is transparent is none. An array has one number for each pixel of the
// network's input; those below 0 are none.
func MaskLabels(m images.Mask, net *model.Network) ([]int32, error) {
	in := net.Input
	if m.Image == nil {
		if m.H != in.H || m.W != in.W {
			return nil, &FieldError{Field: "mask", Problem: fmt.Sprintf("%s has %d x %d numbers, the network's input %d x %d pixels", m.Name, m.H, m.W, in.H, in.W)}
		}
		return m.Labels, nil
	}
	fit := net.Preprocess.FitLabels(m.Image, in.H, in.W)
	labels := make([]int32, in.H*in.W)
	for i := range labels {
		p := fit.Pix[i/in.W*fit.Stride+i%in.W*4:]
		labels[i] = int32(p[0])<<16 | int32(p[1])<<8 | int32(p[2])
		if p[3] < 128 {
			labels[i] = -1
		}
	}
	return labels, nil
}

// validateMask refuses what means nothing beside a mask.
func (r Occlusion) validateMask() error {
	if r.Segments == nil {
		return nil
	}
	for _, other := range []struct {
		field string
		set   bool
	}{{"patch", r.Patch != [2]int{} || len(r.Sizes) > 0}, {"stride", r.Stride != [2]int{}}, {"position", r.Position != nil}, {"edge", r.Cover}, {"soft", r.Soft > 0}, {"paper", r.Paper}} {
		if other.set {
			return &FieldError{Field: "mask", Problem: "goes without --" + other.field + ": the mask's segments are what is covered"}
		}
	}
	return nil
}
