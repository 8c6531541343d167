package model_test

import (
	"image"
	"image/color"
	"image/draw"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
)

// TestFitExtremes: a strip whose whole enlargement would take gigabytes is
// still fitted, and one pixel is refused.
func TestFitExtremes(t *testing.T) {
	in := model.Input{Name: "in", C: 1, H: 8, W: 8}
	p := model.Preprocess{Scale: 1}
	strip := image.NewGray(image.Rect(0, 0, 20_000_000, 1))
	for i := range strip.Pix {
		strip.Pix[i] = uint8(i / 1_000_000) // 10 in the middle, 9 left of it
	}
	x, err := p.Tensor(strip, in)
	if err != nil {
		t.Fatal(err)
	}
	if x.Data[0] != 9 && x.Data[0] != 10 {
		t.Errorf("the strip's middle is %v, want 9 or 10", x.Data[0])
	}
	tall := image.NewGray(image.Rect(0, 0, 1, 3_000_000))
	if got := p.Fit(tall, 8, 8).Bounds().Size(); got != image.Pt(8, 8) {
		t.Errorf("size %v", got)
	}
	in = model.Input{Name: "in", C: 3, H: 32, W: 40}
	_, err = p.Tensor(image.NewNRGBA(image.Rect(0, 0, 5, 3)), in)
	if err == nil || !strings.Contains(err.Error(), "5x3 pixels is too small for an input of 40x32: want at least 5x4") {
		t.Error(err)
	}
	if _, err := p.Tensor(image.NewNRGBA(image.Rect(0, 0, 5, 4)), in); err != nil {
		t.Error(err)
	}
	if _, err := p.Tensor(image.NewNRGBA(image.Rectangle{}), in); err == nil {
		t.Error("an empty image is taken")
	}
}

// TestPixelFormats: one picture in every format of the image package gives one
// tensor, also as a part of a larger picture.
func TestPixelFormats(t *testing.T) {
	colours := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}, {0, 0, 0, 255}, {255, 255, 0, 255}}
	var palette color.Palette
	for _, c := range colours {
		palette = append(palette, c)
	}
	r := image.Rect(3, 5, 9, 11)
	in := model.Input{Name: "in", C: 3, H: 6, W: 6}
	p := model.Preprocess{Scale: 1, BGR: true}
	var want []float32
	for name, img := range map[string]draw.Image{
		"NRGBA": image.NewNRGBA(r), "RGBA": image.NewRGBA(r), "NRGBA64": image.NewNRGBA64(r), "RGBA64": image.NewRGBA64(r),
		"CMYK": image.NewCMYK(r), "Paletted": image.NewPaletted(r, palette),
		"part": image.NewNRGBA(image.Rect(0, 0, 20, 20)).SubImage(r).(draw.Image),
	} {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				img.Set(x, y, colours[(x*5+y*7)%len(colours)])
			}
		}
		x, err := p.Tensor(img, in)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = x.Data
		}
		if !slices.Equal(x.Data, want) {
			t.Errorf("%s gives another tensor", name)
		}
		if c := colours[(3*5+5*7)%len(colours)]; x.Data[0] != float32(c.B) || x.Data[36] != float32(c.G) || x.Data[72] != float32(c.R) {
			t.Errorf("%s: first pixel is %v %v %v in the order BGR, want %v", name, x.Data[0], x.Data[36], x.Data[72], c)
		}
	}
	clear := image.NewNRGBA(r)
	x, err := p.Tensor(clear, in)
	if err != nil || x.Data[0] != 255 {
		t.Errorf("transparency is laid on %v, want white; %v", x.Data[0], err)
	}
}
