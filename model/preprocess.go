package model

import (
	"fmt"
	"image"
	"image/color"
	"reflect"
	"slices"

	"github.com/deconvnet/viz/model/tensor"
)

// Preprocess says how pixels become a network's input. The zero Mode resizes the
// image so that its short side is Short pixels (0: the input's short side; more
// where the crop would not fit) and crops the centre to the input size; other
// Modes take the whole image. Transparency is laid on white, and each channel
// becomes
//
//	(pixel*Scale - Mean[c]) / Std[c]
//
// with pixel in 0..255 (255 - pixel if Invert), channels in the order RGB (BGR if
// set), or grey by luminance for a network of one channel. An image that would
// have to be enlarged more than eightfold is refused. Steps lists it all in words.
type Preprocess struct {
	Short int       `json:"short,omitempty"`
	Scale float32   `json:"scale"`          // usually 1/255
	Mean  []float32 `json:"mean,omitempty"` // per channel, in units of pixel*Scale; nil: 0
	Std   []float32 `json:"std,omitempty"`  // per channel; nil: 1
	BGR   bool      `json:"bgr,omitempty"`
	// DataMean is the mean pixel of the training set per channel, 0..255 in the
	// network's channel order, if known: the occlusion patch's default grey.
	DataMean []float32 `json:"data_mean,omitempty"`

	Mode   FitMode    `json:"fit,omitempty"`
	Filter Resampling `json:"filter,omitempty"`
	// Size is rows and columns that the image is resized to before the crop, under
	// the Modes that do not go by the short side.
	Size [2]int `json:"size,omitzero"`
	// Crop is the input's share of what the image is resized to, if neither Short
	// nor Size says so: 0.875 resizes to 256 for an input of 224. 0: 1.
	Crop   float64    `json:"crop,omitempty"`
	Offset CropOffset `json:"offset,omitempty"`
	// Pad is the pixel around the image under FitPad, 0..255 for red, green and blue, or
	// one for all; nil: 0.
	Pad    []float32 `json:"pad,omitempty"`
	Invert bool      `json:"invert,omitempty"` // white becomes 0, black 255
	// Max is the longest side that is resized directly: a larger image is first resized
	// so that its long side is Max. 0: no such step.
	Max int `json:"max,omitempty"`
	// Always resizes and crops images that have the input's size already, too;
	// otherwise such an image is taken pixel for pixel.
	Always bool `json:"always,omitempty"`
}

func (p Preprocess) check(in Input) error {
	for _, v := range [][]float32{p.Mean, p.Std, p.DataMean} {
		if v != nil && len(v) != in.C {
			return fmt.Errorf("preprocessing is for %d channels, the input has %d", len(v), in.C)
		}
	}
	for _, s := range p.Std {
		if s == 0 {
			return fmt.Errorf("preprocessing divides by a standard deviation of 0")
		}
	}
	if err := p.checkFit(); err != nil {
		return fmt.Errorf("preprocessing: %w", err)
	}
	if p.Size != [2]int{} && (p.Size[0] < in.H || p.Size[1] < in.W) {
		return fmt.Errorf("preprocessing resizes to %dx%d, which is smaller than the input of %dx%d", p.Size[0], p.Size[1], in.H, in.W)
	}
	return nil
}

// Stated reports whether p says anything about how pixels become the input: the
// zero value does not, nor do a scale of 1 and the data's mean.
func (p Preprocess) Stated() bool {
	p.DataMean = nil
	if p.Scale == 1 {
		p.Scale = 0
	}
	return !reflect.DeepEqual(p, Preprocess{})
}

func (p Preprocess) scale() float32 {
	if p.Scale == 0 {
		return 1
	}
	return p.Scale
}

func (p Preprocess) affine(c int) (mean, std float32) {
	std = 1
	if n := len(p.Mean); n > 0 {
		mean = p.Mean[min(c, n-1)]
	}
	if n := len(p.Std); n > 0 {
		std = p.Std[min(c, n-1)]
	}
	return mean, std
}

// maxEnlarge is how many times an image may be enlarged to reach the input's
// size; beyond, a picture of it would show the resizing, not the image.
const maxEnlarge = 8

// Tensor turns an image into the input [1, C, H, W] of the network in.
func (p Preprocess) Tensor(img image.Image, in Input) (*tensor.Tensor, error) {
	pixels := make([]uint8, in.C*in.H*in.W)
	if err := p.bytes(img, in, pixels); err != nil {
		return nil, err
	}
	x := tensor.New(1, in.C, in.H, in.W)
	p.Apply(pixels, in, x.Data)
	return x, nil
}

// bytes writes the image's pixels as the network in sees them, [C][H][W], into dst.
func (p Preprocess) bytes(img image.Image, in Input, dst []uint8) error {
	if in.C != 1 && in.C != 3 {
		return fmt.Errorf("the input has %d channels; images give 1 or 3: pass a .npy array", in.C)
	}
	if err := p.tooSmall(img.Bounds(), in); err != nil {
		return err
	}
	Planar(p.Fit(img, in.H, in.W), in.C, p.BGR, dst)
	return nil
}

// Apply maps n planar images of bytes [n][C][H][W] to network units in dst, of
// the same shape.
func (p Preprocess) Apply(pixels []uint8, in Input, dst []float32) {
	plane, scale := in.H*in.W, p.scale()
	flip := uint8(0)
	if p.Invert {
		flip = 255 // v ^ 255 is 255 - v
	}
	for i := 0; i < len(pixels); i += plane {
		mean, std := p.affine(i / plane % in.C)
		for j, v := range pixels[i : i+plane] {
			dst[i+j] = (float32(float32(v^flip)*scale) - mean) / std // the conversion keeps arm64 from fusing: the same input everywhere
		}
	}
}

// Planar writes an opaque image as bytes [c][H][W]: c = 3 in the order RGB (or
// BGR), c = 1 as luminance (Rec. 601, as in the JPEG standard).
func Planar(img *image.NRGBA, c int, bgr bool, dst []uint8) {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	red, blue := 0, 2
	if bgr {
		red, blue = 2, 0
	}
	for y := range h {
		row := img.Pix[y*img.Stride:]
		for x := range w {
			r, g, bl := row[4*x], row[4*x+1], row[4*x+2]
			if c == 1 {
				if r != g || g != bl {
					r = color.GrayModel.Convert(color.NRGBA{r, g, bl, 255}).(color.Gray).Y
				}
				dst[y*w+x] = r
				continue
			}
			i := y*w + x
			dst[red*h*w+i], dst[h*w+i], dst[blue*h*w+i] = r, g, bl
		}
	}
}

// Image turns one input [C, H, W] in network units back into pixels, clipped to
// 0..255. Networks of other than 1 or 3 channels show their first channel.
func (p Preprocess) Image(x []float32, in Input) *image.NRGBA {
	return p.ImageIn(x, in, Box{Y1: in.H, X1: in.W})
}

// ImageIn is the part of Image in a box, with its place.
func (p Preprocess) ImageIn(x []float32, in Input, b Box) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(b.X0, b.Y0, b.X1, b.Y1))
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	draw := func(c int, to ...int) {
		mean, std := p.affine(c)
		scale := p.scale()
		for y := b.Y0; y < b.Y1; y++ {
			row := img.Pix[(y-b.Y0)*img.Stride:]
			for i, v := range x[(c*in.H+y)*in.W+b.X0 : (c*in.H+y)*in.W+b.X1] {
				v = (float32(v*std) + mean) / scale
				if p.Invert {
					v = 255 - v
				}
				for _, k := range to {
					row[4*i+k] = uint8(min(max(v+0.5, 0), 255))
				}
			}
		}
	}
	switch {
	case in.C != 3:
		draw(0, 0, 1, 2)
	case p.BGR:
		draw(0, 2)
		draw(1, 1)
		draw(2, 0)
	default:
		draw(0, 0)
		draw(1, 1)
		draw(2, 2)
	}
	return img
}

// Units converts a pixel value 0..255 of channel c to network units.
func (p Preprocess) Units(c int, pixel float32) float32 {
	if p.Invert {
		pixel = 255 - pixel
	}
	mean, std := p.affine(c)
	return (float32(pixel*p.scale()) - mean) / std
}

// RGB returns three planes of numbers in the order red, green, blue, whatever
// order the network has its channels in; other numbers of planes as they are.
func (p Preprocess) RGB(planes []float32, c int) []float32 {
	if c != 3 || !p.BGR {
		return planes
	}
	n := len(planes) / 3
	return slices.Concat(planes[2*n:], planes[n:2*n], planes[:n])
}
