package model_test

import (
	"encoding/json"
	"image"
	"image/color"
	"os"
	"testing"

	"github.com/deconvnet/viz/model"
)

// formula is the picture of testdata/make_preprocess.py: left half smooth, right
// half noise.
func formula(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			for c := range 3 {
				noise := uint32((uint64(x)*73856093)^(uint64(y)*19349663)^(uint64(c)*83492791)) * 2654435761 >> 24
				if 2*x < w {
					noise = uint32(x*5+y*3*(c+1)) % 256
				}
				img.Pix[y*img.Stride+4*x+c] = uint8(noise)
			}
			img.Pix[y*img.Stride+4*x+3] = 255
		}
	}
	return img
}

// TestLibraries: images are fitted as PIL, PyTorch and the libraries that presets
// and files are named after do it (testdata/make_preprocess.py). PIL's filters
// agree in every pixel, the others to a grey level.
func TestLibraries(t *testing.T) {
	text, err := os.ReadFile("testdata/preprocess.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Cases []struct {
			Spec         string
			Source, Size [2]int
			Want         []byte
		}
		Grey [][4]uint8
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	if len(ref.Cases) < 100 {
		t.Fatalf("%d cases", len(ref.Cases))
	}
	for _, c := range ref.Cases {
		p, _, err := model.ParsePreprocess(c.Spec)
		if err != nil {
			t.Errorf("%s: %v", c.Spec, err)
			continue
		}
		got := p.Fit(formula(c.Source[0], c.Source[1]), c.Size[1], c.Size[0])
		worst := 0
		for i, v := range c.Want {
			d := int(v) - int(got.Pix[i/3*4+i%3])
			worst = max(worst, d, -d)
		}
		may := 0
		if p.Filter == model.ResampleBilinearPlain || p.Filter == model.ResampleBicubicPlain || p.Filter == model.ResampleArea {
			may = 1
		}
		if worst > may || len(c.Want)/3 != len(got.Pix)/4 {
			t.Errorf("%s: %v to %v: %d grey levels from the library's, want at most %d", c.Spec, c.Source, c.Size, worst, may)
		}
	}
	for _, g := range ref.Grey {
		img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
		img.SetNRGBA(0, 0, color.NRGBA{g[0], g[1], g[2], 255})
		var got [1]uint8
		model.Planar(img, 1, false, got[:])
		if d := int(got[0]) - int(g[3]); d > 1 || d < -1 {
			t.Errorf("grey of %v is %d, PIL says %d", g[:3], got[0], g[3])
		}
	}
}
