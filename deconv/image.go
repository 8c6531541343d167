package deconv

import (
	"image"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// MaxAbs is the largest magnitude among the projection's pixels.
func (p *Projection) MaxAbs() float64 { return render.MaxAbs(p.Pixels) }

// Magnitude is the magnitude that percent % of the projection's pixels do not
// exceed, or the largest if that would be 0: a scale for Draw that a few strong
// pixels do not decide.
func (p *Projection) Magnitude(percent float64) float64 {
	if m := render.PercentileAbs(p.Pixels, percent); m > 0 {
		return m
	}
	return p.MaxAbs()
}

// Draw returns the projection as a picture of its box: 0 is mid-grey, +-scale
// white and black. Scale 0 takes the projection's own largest magnitude.
// Channels are shown as colours in the order that pre gives them; inputs of
// other than 1 or 3 channels show their first channel.
func (p *Projection) Draw(pre model.Preprocess, scale float64) *image.NRGBA {
	if scale == 0 {
		scale = p.MaxAbs()
	}
	return drawSigned(p.Pixels, p.C, p.Box.H(), p.Box.W(), pre, scale)
}

func drawSigned(data []float32, c, h, w int, pre model.Preprocess, scale float64) *image.NRGBA {
	if c != 3 {
		return render.Signed(data[:h*w], 1, h, w, scale)
	}
	return render.Signed(pre.RGB(data, 3), 3, h, w, scale)
}

// Crop returns the part of the image x (one or more of [N, C, H, W], network
// units) that the projection covers, as pixels.
func (p *Projection) Crop(pre model.Preprocess, in model.Input, x *tensor.Tensor) image.Image {
	size := in.C * in.H * in.W
	return pre.ImageIn(x.Data[p.Image*size:(p.Image+1)*size], in, p.Box)
}
