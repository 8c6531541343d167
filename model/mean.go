package model

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
)

// MeanFill is the mean pixel of the training data in network units per channel,
// or the mean that preprocessing subtracts if the data's is not known.
// MeanFillText says which.
func (p Preprocess) MeanFill(in Input) []float32 {
	fill := make([]float32, in.C)
	for c := range fill {
		if len(p.DataMean) > 0 {
			fill[c] = p.Units(c, p.DataMean[min(c, len(p.DataMean)-1)])
		}
	}
	return fill
}

// MeanFillText says what MeanFill gives, for captions: "mean of the data, pixel
// 118/109/95", or what stands in for a mean that is not known: "mean of
// preprocessing, pixel 124/116/104", or "no mean known: 0, pixel 0". Pixels are
// 0..255 in the network's channel order, one number if all are the same.
func (p Preprocess) MeanFillText(in Input) string {
	pixels := make([]float64, in.C)
	for c := range pixels {
		if len(p.DataMean) > 0 {
			pixels[c] = float64(p.DataMean[min(c, len(p.DataMean)-1)])
			continue
		}
		mean, _ := p.affine(c)
		if pixels[c] = float64(mean / p.scale()); p.Invert {
			pixels[c] = 255 - pixels[c]
		}
	}
	text := "pixel " + levels(pixels)
	switch {
	case p.DataMean != nil:
		return "mean of the data, " + text
	case p.Mean != nil:
		return "mean of preprocessing, " + text
	}
	return "no mean known: 0, " + text
}

// levels writes grey levels, one if all are alike, rounded to a tenth.
func levels(v []float64) string {
	var parts []string
	same := true
	for _, x := range v {
		parts = append(parts, fmt.Sprint(math.Round(x*10)/10))
		same = same && parts[len(parts)-1] == parts[0]
	}
	if same && len(parts) > 1 {
		parts = parts[:1]
	}
	return strings.Join(parts, "/")
}

// InPlaceOf is p with the mean pixel of the data that old knows, unless p has its own.
func (p Preprocess) InPlaceOf(old Preprocess) Preprocess {
	if p.DataMean == nil && old.DataMean != nil {
		p.DataMean = slices.Clone(old.DataMean)
		if p.BGR != old.BGR {
			slices.Reverse(p.DataMean)
		}
	}
	return p
}

// A PixelMean measures the mean pixel of images as a network sees them: resized
// and cropped, in its channel order. The sums are exact, so the order of the
// images does not matter.
type PixelMean struct {
	p      Preprocess
	in     Input
	pixels []uint8
	sums   []uint64
	n      uint64 // pixels of each channel
}

// NewPixelMean starts a measurement for a network with the input in that is fed by p.
func NewPixelMean(p Preprocess, in Input) *PixelMean {
	return &PixelMean{p: p, in: in, pixels: make([]uint8, in.Shape().Len()), sums: make([]uint64, in.C)}
}

// Add takes in one image. It refuses what Preprocess.Tensor refuses.
func (m *PixelMean) Add(img image.Image) error {
	if err := m.p.bytes(img, m.in, m.pixels); err != nil {
		return err
	}
	plane := m.in.H * m.in.W
	for i, v := range m.pixels {
		m.sums[i/plane] += uint64(v)
	}
	m.n += uint64(plane)
	return nil
}

// Mean is the mean pixel so far, 0..255 per channel: a Preprocess.DataMean. It
// is nil if there was no image.
func (m *PixelMean) Mean() []float32 {
	if m.n == 0 {
		return nil
	}
	mean := make([]float32, len(m.sums))
	for c, sum := range m.sums {
		mean[c] = float32(float64(sum) / float64(m.n))
	}
	return mean
}
