package model

import (
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/deconvnet/viz/model/tensor"
	"github.com/disintegration/imaging"
)

// Preprocess says how pixels become a network's input: the image is resized so
// that its short side is Short pixels (0: the input's short side; more where the
// crop would not fit), the centre is cropped to the input size, transparency is
// laid on white, and each channel becomes
//
//	(pixel*Scale - Mean[c]) / Std[c]
//
// with pixel in 0..255, channels in the order RGB (BGR if set), or grey by
// luminance for a network of one channel. An image that would have to be
// enlarged more than eightfold is refused.
type Preprocess struct {
	Short int       `json:"short,omitempty"`
	Scale float32   `json:"scale"`          // usually 1/255
	Mean  []float32 `json:"mean,omitempty"` // per channel, in units of pixel*Scale; nil: 0
	Std   []float32 `json:"std,omitempty"`  // per channel; nil: 1
	BGR   bool      `json:"bgr,omitempty"`
	// DataMean is the mean pixel of the training set per channel, 0..255 in the
	// network's channel order, if known: the occlusion patch's default grey.
	DataMean []float32 `json:"data_mean,omitempty"`
}

func (p Preprocess) check(in Input) error {
	for _, v := range [][]float32{p.Mean, p.Std, p.DataMean} {
		if v != nil && len(v) != in.C {
			return fmt.Errorf("model: preprocessing is for %d channels, the input has %d", len(v), in.C)
		}
	}
	for _, s := range p.Std {
		if s == 0 {
			return fmt.Errorf("model: preprocessing divides by a deviation of 0")
		}
	}
	return nil
}

func (p Preprocess) scale() float32 {
	if p.Scale == 0 {
		return 1
	}
	return p.Scale
}

func (p Preprocess) affine(c int) (mean, std float32) {
	std = 1
	if p.Mean != nil {
		mean = p.Mean[c]
	}
	if p.Std != nil {
		std = p.Std[c]
	}
	return mean, std
}

// maxEnlarge is how many times an image may be enlarged to reach the input's
// size; beyond, a picture of it would show the resizing, not the image.
const maxEnlarge = 8

// maxResized bounds the resized image before the crop, in pixels. Only strips
// exceed it.
const maxResized = 1 << 24

// Fit returns the image as the network sees it: resized and cropped to h x w
// pixels. An image that already has that size is returned pixel for pixel.
func (p Preprocess) Fit(img image.Image, h, w int) *image.NRGBA {
	b := img.Bounds()
	if o, ok := img.(interface{ Opaque() bool }); ok && !o.Opaque() {
		img = imaging.Overlay(imaging.New(b.Dx(), b.Dy(), color.White), img, image.Point{}, 1)
	}
	return p.fit(img, h, w, imaging.Linear)
}

// FitLabels is Fit for pictures whose colours are names, not to be mixed: every
// pixel is one of the picture's, transparent ones stay so.
func (p Preprocess) FitLabels(img image.Image, h, w int) *image.NRGBA {
	return p.fit(img, h, w, imaging.NearestNeighbor)
}

func (p Preprocess) fit(img image.Image, h, w int, filter imaging.ResampleFilter) *image.NRGBA {
	b := img.Bounds()
	if b.Dx() == w && b.Dy() == h {
		return imaging.Clone(img)
	}
	short := p.Short
	if short == 0 {
		short = min(h, w)
	}
	// The short side becomes `short`, but never so small that the crop would not fit.
	scale := max(float64(short)/float64(min(b.Dx(), b.Dy())), float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy()))
	rw, rh := max(int(float64(b.Dx())*scale+0.5), w), max(int(float64(b.Dy())*scale+0.5), h)
	if rw > maxResized/rh {
		// A strip, nearly all of which the crop cuts off: most of that goes first.
		cw, ch := min(b.Dx(), 2*int(float64(w)/scale)+2), min(b.Dy(), 2*int(float64(h)/scale)+2)
		img = imaging.CropCenter(img, cw, ch)
		rw, rh = max(int(float64(cw)*scale+0.5), w), max(int(float64(ch)*scale+0.5), h)
	}
	return imaging.CropCenter(imaging.Resize(img, rw, rh, filter), w, h)
}

// Tensor turns an image into the input [1, C, H, W] of the network in.
func (p Preprocess) Tensor(img image.Image, in Input) (*tensor.Tensor, error) {
	if in.C != 1 && in.C != 3 {
		return nil, fmt.Errorf("model: the input has %d channels; images give 1 or 3: pass a .npy array", in.C)
	}
	if b := img.Bounds(); b.Dx()*maxEnlarge < in.W || b.Dy()*maxEnlarge < in.H || b.Empty() {
		return nil, fmt.Errorf("model: an image of %dx%d pixels is too small for an input of %dx%d: want at least %dx%d",
			b.Dx(), b.Dy(), in.W, in.H, (in.W+maxEnlarge-1)/maxEnlarge, (in.H+maxEnlarge-1)/maxEnlarge)
	}
	x := tensor.New(1, in.C, in.H, in.W)
	pixels := make([]uint8, in.C*in.H*in.W)
	Planar(p.Fit(img, in.H, in.W), in.C, p.BGR, pixels)
	p.Apply(pixels, in, x.Data)
	return x, nil
}

// Apply maps n planar images of bytes [n][C][H][W] to network units in dst, of
// the same shape.
func (p Preprocess) Apply(pixels []uint8, in Input, dst []float32) {
	plane, scale := in.H*in.W, p.scale()
	for i := 0; i < len(pixels); i += plane {
		mean, std := p.affine(i / plane % in.C)
		for j, v := range pixels[i : i+plane] {
			dst[i+j] = (float32(v)*scale - mean) / std
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
	img := image.NewNRGBA(image.Rect(0, 0, in.W, in.H))
	plane := in.H * in.W
	at := func(c, i int) uint8 {
		mean, std := p.affine(c)
		v := (x[c*plane+i]*std + mean) / p.scale()
		return uint8(min(max(v+0.5, 0), 255))
	}
	for i := range plane {
		r := at(0, i)
		g, b := r, r
		if in.C == 3 {
			g, b = at(1, i), at(2, i)
			if p.BGR {
				r, b = b, r
			}
		}
		copy(img.Pix[4*i:], []uint8{r, g, b, 255})
	}
	return img
}

// Units converts a pixel value 0..255 of channel c to network units.
func (p Preprocess) Units(c int, pixel float32) float32 {
	mean, std := p.affine(c)
	return (pixel*p.scale() - mean) / std
}

// MeanFill is the mean pixel of the training data in network units per channel,
// or the mean that preprocessing subtracts if the data's is not known.
func (p Preprocess) MeanFill(in Input) []float32 {
	fill := make([]float32, in.C)
	for c := range fill {
		if p.DataMean != nil {
			fill[c] = p.Units(c, p.DataMean[c])
		}
	}
	return fill
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
