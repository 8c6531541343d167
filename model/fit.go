package model

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/disintegration/imaging"
)

// A FitMode says how an image of any shape comes to have the input's.
type FitMode string

const (
	FitCrop      FitMode = ""           // the short side is resized, the centre cut out: torchvision, timm
	FitStretch   FitMode = "stretch"    // the whole image is resized, whatever its shape: Keras, Resize((h, w))
	FitPad       FitMode = "pad"        // the whole image is resized in its shape, the rest filled: letterbox
	FitCropFirst FitMode = "crop-first" // the largest centre of the input's shape is cut out, then resized: ImageOps.fit
)

// ParseFitMode reads crop, stretch, pad or crop-first.
func ParseFitMode(s string) (FitMode, error) {
	switch s {
	case "crop":
		return FitCrop, nil
	case "stretch", "pad", "crop-first":
		return FitMode(s), nil
	}
	return "", fmt.Errorf("no fit %q: there are crop, stretch, pad, crop-first", s)
}

// A CropOffset says where the centre begins when an odd number of pixels is left over.
type CropOffset string

const (
	OffsetRound  CropOffset = ""       // the nearest, between two the even one: torchvision, timm
	OffsetFloor  CropOffset = "floor"  // the smaller: TensorFlow, Hugging Face
	OffsetHalves CropOffset = "halves" // half of the one size less half of the other, each rounded down
)

// ParseCropOffset reads round, floor or halves.
func ParseCropOffset(s string) (CropOffset, error) {
	switch s {
	case "round":
		return OffsetRound, nil
	case "floor", "halves":
		return CropOffset(s), nil
	}
	return "", fmt.Errorf("no offset %q: there are round, floor, halves", s)
}

// of is the offset of a window in a line; of one that is longer, it is negative.
func (o CropOffset) of(line int64, window int) int64 {
	left := line - int64(window)
	switch {
	case left < 0:
		return -(-left / 2)
	case o == OffsetFloor:
		return left / 2
	case o == OffsetHalves:
		return line/2 - int64(window/2)
	}
	return int64(math.RoundToEven(float64(left) / 2))
}

// maxSide is the largest number of pixels that settings can ask for.
const maxSide = 1 << 15

// checkFit says what is wrong with how the image is fitted.
func (p Preprocess) checkFit() error {
	if _, err := ParseFitMode(string(p.Mode)); p.Mode != "" && err != nil {
		return err
	}
	if _, err := ParseResampling(string(p.Filter)); p.Filter != "" && err != nil {
		return err
	}
	if _, err := ParseCropOffset(string(p.Offset)); p.Offset != "" && err != nil {
		return err
	}
	for _, v := range []int{p.Short, p.Max, p.Size[0], p.Size[1]} {
		if v < 0 || v > maxSide {
			return fmt.Errorf("a size of %d pixels, want 0 to %d", v, maxSide)
		}
	}
	if (p.Size[0] == 0) != (p.Size[1] == 0) {
		return fmt.Errorf("size is %dx%d, want both or none", p.Size[0], p.Size[1])
	}
	if p.Size != [2]int{} && p.Mode == FitCrop {
		return fmt.Errorf("a size of %dx%d is for the fits stretch, pad and crop-first", p.Size[0], p.Size[1])
	}
	if p.Crop != 0 && !(p.Crop >= 1./64 && p.Crop <= 1) {
		return fmt.Errorf("the crop is %g of the image, want more than 0, at most 1", p.Crop)
	}
	if len(p.Pad) > 1 && len(p.Pad) != 3 {
		return fmt.Errorf("the padding has %d values, want 1 or 3", len(p.Pad))
	}
	if slices.ContainsFunc(p.Pad, func(v float32) bool { return !(v >= 0 && v <= 255) }) {
		return fmt.Errorf("the padding is %v, want 0 to 255", p.Pad)
	}
	return nil
}

// own reports whether images are fitted as viz always did, with its own filter
// and roundings, which networks that say nothing else keep.
func (p Preprocess) own() bool {
	return p.Mode == FitCrop && p.Filter == ResampleOwn && p.Crop == 0 && p.Max == 0 && p.Offset == OffsetRound && !p.Always
}

// filter is the filter of everything that is not own.
func (p Preprocess) filter() Resampling {
	if p.Filter == ResampleOwn {
		return ResampleBilinear
	}
	return p.Filter
}

// maxResized bounds the resized image before the crop, in pixels. Only strips
// exceed it.
const maxResized = 1 << 24

// Fit returns the image as the network sees it: resized and cropped to h x w
// pixels. An image that already has that size is returned pixel for pixel,
// unless Always is set. Colours of a JPEG from image.Decode are interpolated, as in
// every picture that viz itself decodes.
func (p Preprocess) Fit(img image.Image, h, w int) *image.NRGBA {
	img = imageio.Pixels(img)
	if o, ok := img.(interface{ Opaque() bool }); ok && !o.Opaque() {
		img = onWhite(img)
	}
	if p.own() {
		return p.fitOwn(img, h, w, func(img image.Image, w, h int) *image.NRGBA { return imageio.Resize(img, w, h, imageio.Linear) })
	}
	pad := color.NRGBA{A: 255}
	if n := len(p.Pad); n > 0 {
		at := func(c int) uint8 { return uint8(p.Pad[min(c, n-1)] + 0.5) }
		pad = color.NRGBA{at(0), at(1), at(2), 255}
	}
	return p.fit(img, h, w, p.filter(), pad)
}

// onWhite lays a picture on white, some rows at a time: large ones take memory.
func onWhite(img image.Image) *image.NRGBA {
	const rows = 64
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := 0; y < b.Dy(); y += rows {
		part := imaging.Crop(img, image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, min(b.Min.Y+y+rows, b.Max.Y)))
		for i := 0; i < len(part.Pix); i += 4 {
			over(out.Pix[y*out.Stride+i:][:4], part.Pix[i:i+4])
		}
	}
	return out
}

// over lays a pixel on white. The colours are as in imaging.Overlay on amd64: the sum of two products, cut off.
func over(dst, src []uint8) {
	below, above := 1-float64(src[3])/255, float64(src[3])/255
	below = below * 255 / 255
	sum := below + above
	below, above = below/sum, above/sum
	for c := range 3 {
		dst[c] = uint8(float64(255*below) + float64(float64(src[c])*above))
	}
	dst[3] = 255
}

// Memory is about the most bytes that Tensor takes for an image of w x h pixels beside the image itself; clear says that it
// may be transparent.
func (p Preprocess) Memory(w, h int, clear bool, in Input) int {
	bytes, input := 0, in.W*in.H
	if clear {
		bytes += 4 * w * h
	}
	switch {
	case w == in.W && h == in.H && !p.Always:
		bytes += 4 * input
	case p.own():
		short := p.Short
		if short == 0 {
			short = min(in.H, in.W)
		}
		scale := max(float64(short)/float64(min(w, h)), float64(in.W)/float64(w), float64(in.H)/float64(h))
		rw, rh := int(float64(w)*scale)+1, int(float64(h)*scale)+1
		if rw > maxResized/rh { // most of it is cut off before
			rw, rh = min(rw, 2*in.W+8), min(rh, 2*in.H+8)
			bytes += 4 * min(w*h, maxResized)
		}
		bytes += 4*rw*h + 8*rw*rh
	default: // the part is copied, then resized in one direction, then in the other
		if mw, mh := p.reduced(w, h); mw != w || mh != h {
			bytes += 4*mw*mh + 16*min(mw*h, w*mh)
		}
		bytes += 4*w*h + 16*min(in.W*h, w*in.H) + 8*input
	}
	return bytes + (5*in.C+8)*input
}

// FitLabels is Fit for pictures whose colours are names, not to be mixed: every
// pixel is one of the picture's, transparent ones stay so.
func (p Preprocess) FitLabels(img image.Image, h, w int) *image.NRGBA {
	if p.own() {
		return p.fitOwn(img, h, w, func(img image.Image, w, h int) *image.NRGBA {
			return imaging.Resize(img, w, h, imaging.NearestNeighbor)
		})
	}
	return p.fit(img, h, w, ResampleNearest, color.NRGBA{})
}

func (p Preprocess) fitOwn(img image.Image, h, w int, resize func(img image.Image, w, h int) *image.NRGBA) *image.NRGBA {
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
	rw, rh := max(int(float64(float64(b.Dx())*scale)+0.5), w), max(int(float64(float64(b.Dy())*scale)+0.5), h)
	if rw > maxResized/rh {
		// A strip, nearly all of which the crop cuts off: most of that goes first.
		cw, ch := min(b.Dx(), 2*int(float64(w)/scale)+2), min(b.Dy(), 2*int(float64(h)/scale)+2)
		img = imaging.CropCenter(img, cw, ch)
		rw, rh = max(int(float64(float64(cw)*scale)+0.5), w), max(int(float64(float64(ch)*scale)+0.5), h)
	}
	return imaging.CropCenter(resize(img, rw, rh), w, h)
}

// fit resizes and crops by the rules of other libraries.
func (p Preprocess) fit(img image.Image, h, w int, filter Resampling, pad color.NRGBA) *image.NRGBA {
	b := img.Bounds()
	if b.Dx() == w && b.Dy() == h && !p.Always {
		return imaging.Clone(img)
	}
	if mw, mh := p.reduced(b.Dx(), b.Dy()); mw != b.Dx() || mh != b.Dy() {
		img = filter.resize(img, axis{0, b.Dx(), 0, float64(b.Dx()), int64(mw)}, axis{0, b.Dy(), 0, float64(b.Dy()), int64(mh)}, 0, 0, mw, mh)
		b = img.Bounds()
	}
	ax, ay := p.axes(b.Dx(), b.Dy(), h, w)
	x, y := p.Offset.of(ax.out, w), p.Offset.of(ay.out, h)
	if x >= 0 && y >= 0 {
		return filter.resize(img, ax, ay, x, y, w, h)
	}
	// The resized image does not fill the input.
	nw, nh := min(w, int(ax.out)), min(h, int(ay.out))
	return imaging.Paste(imaging.New(w, h, pad), filter.resize(img, ax, ay, max(x, 0), max(y, 0), nw, nh), image.Pt(int(max(-x, 0)), int(max(-y, 0))))
}

// reduced is the size after the step that Max asks for.
func (p Preprocess) reduced(w, h int) (int, int) {
	switch long := int64(p.Max); {
	case p.Max == 0 || max(w, h) <= p.Max:
		return w, h
	case h > w:
		return max(int(long*int64(w)/int64(h)), 1), p.Max
	default:
		return p.Max, max(int(long*int64(h)/int64(w)), 1)
	}
}

// axes says which part of an image of sw x sh is resized to what, for an input
// of h x w.
func (p Preprocess) axes(sw, sh, h, w int) (x, y axis) {
	x, y = axis{0, sw, 0, float64(sw), 0}, axis{0, sh, 0, float64(sh), 0}
	th, tw := p.target(h, w)
	by := func(scale float64) (int64, int64) {
		return max(int64(math.RoundToEven(float64(sw)*scale)), 1), max(int64(math.RoundToEven(float64(sh)*scale)), 1)
	}
	switch p.Mode {
	case FitStretch:
		x.out, y.out = int64(tw), int64(th)
	case FitPad:
		x.out, y.out = by(min(float64(tw)/float64(sw), float64(th)/float64(sh)))
	case FitCropFirst:
		x.out, y.out = int64(tw), int64(th)
		p.cut(&x, &y)
	default:
		if short := int64(p.short(th, tw)); short == 0 {
			x.out, y.out = by(max(float64(tw)/float64(sw), float64(th)/float64(sh)))
		} else if sw <= sh {
			x.out, y.out = short, short*int64(sh)/int64(sw)
		} else {
			x.out, y.out = short*int64(sw)/int64(sh), short
		}
		if x.out < int64(w) || y.out < int64(h) { // never so small that the crop would not fit
			x.out, y.out = by(max(float64(w)/float64(sw), float64(h)/float64(sh)))
			x.out, y.out = max(x.out, int64(w)), max(y.out, int64(h))
		}
	}
	return x, y
}

// short is what the short side becomes, 0 if the image covers th x tw instead.
func (p Preprocess) short(th, tw int) int {
	if p.Short > 0 {
		return p.Short
	}
	if th == tw {
		return th
	}
	return 0
}

// target is the size to which the image, or its centre, is resized for an input of h x w.
func (p Preprocess) target(h, w int) (th, tw int) {
	scale := 1.
	switch {
	case p.Size != [2]int{}:
		return max(p.Size[0], h), max(p.Size[1], w)
	case p.Short > 0:
		scale = max(float64(p.Short)/float64(min(h, w)), 1)
	case p.Crop > 0:
		scale = 1 / p.Crop
	}
	return int(math.Round(float64(h) * scale)), int(math.Round(float64(w) * scale))
}

// cut restricts axes to the centre of the shape that they are resized to: with
// PIL's filters between pixels, as ImageOps.fit, else at whole pixels.
func (p Preprocess) cut(x, y *axis) {
	w, h := x.to, y.to
	shape := float64(x.out) / float64(y.out)
	switch {
	case w/h == shape:
		return
	case w/h > shape:
		w = float64(shape * h)
	default:
		h = w / shape
	}
	if _, kernel := p.filter().kernel(); kernel != nil || p.filter() == ResampleNearest {
		x.from, y.from = (x.to-w)*0.5, (y.to-h)*0.5
		x.to, y.to = x.from+w, y.from+h
		return
	}
	x.cutTo(max(int(math.Round(w)), 1), p.Offset)
	y.cutTo(max(int(math.Round(h)), 1), p.Offset)
}

// cutTo restricts an axis to size whole pixels.
func (a *axis) cutTo(size int, o CropOffset) {
	a.lo = int(o.of(int64(a.hi), size))
	a.hi = a.lo + size
	a.from, a.to = float64(a.lo), float64(a.hi)
}

// tooSmall refuses images that would have to be enlarged too much.
func (p Preprocess) tooSmall(b image.Rectangle, in Input) error {
	x, y := b.Dx()*maxEnlarge < in.W, b.Dy()*maxEnlarge < in.H
	if b.Empty() || x && y || (x || y) && p.Mode != FitPad {
		return fmt.Errorf("an image of %dx%d pixels is too small for an input of %dx%d: want at least %dx%d",
			b.Dx(), b.Dy(), in.W, in.H, (in.W+maxEnlarge-1)/maxEnlarge, (in.H+maxEnlarge-1)/maxEnlarge)
	}
	return nil
}
