package model_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
)

// ways are specifications of every fit, filter and offset.
func ways() []string {
	var out []string
	for _, fit := range []string{"crop", "stretch", "pad", "crop-first"} {
		for _, f := range model.Resamplings() {
			out = append(out, "unit,fit="+fit+",filter="+string(f), "unit,always,crop_pct=.8,offset=halves,fit="+fit+",filter="+string(f))
		}
		out = append(out, "unit,fit="+fit, "unit,offset=floor,max=9,fit="+fit)
	}
	return append(out, model.PreprocessPresets()...)
}

func parse(t *testing.T, spec string) model.Preprocess {
	t.Helper()
	p, _, err := model.ParsePreprocess(spec)
	if err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	return p
}

func filled(w, h int, c color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(img.Pix[4*i:], []uint8{c.R, c.G, c.B, c.A})
	}
	return img
}

// TestFitConstant: under every way, pictures of one colour keep it, of any size
// down to one pixel and strips, and what FitLabels returns are the picture's colours.
func TestFitConstant(t *testing.T) {
	c := color.NRGBA{200, 100, 50, 255}
	for _, spec := range ways() {
		p := parse(t, spec)
		p.Pad = []float32{200, 100, 50}
		for _, size := range [][2]int{{1, 1}, {1, 40}, {40, 1}, {3000, 2}, {2, 3000}, {13, 9}, {12, 10}, {10, 12}} {
			img := filled(size[0], size[1], c)
			for name, got := range map[string]*image.NRGBA{"Fit": p.Fit(img, 10, 12), "FitLabels": p.FitLabels(img, 10, 12)} {
				if got.Bounds() != image.Rect(0, 0, 12, 10) {
					t.Fatalf("%s: %s of %v is %v", spec, name, size, got.Bounds())
				}
				for i := 0; i < len(got.Pix); i += 4 {
					if pixel := got.Pix[i : i+4]; !slices.Equal(pixel, []uint8{200, 100, 50, 255}) && (name == "Fit" || pixel[3] != 0) {
						t.Fatalf("%s: %s of %v: pixel %d is %v", spec, name, size, i/4, pixel)
					}
				}
			}
		}
	}
}

// TestFitSameSize: a picture of the input's size is not touched, except where a
// library would.
func TestFitSameSize(t *testing.T) {
	img := formula(14, 14)
	for _, spec := range ways() {
		p := parse(t, spec)
		same := slices.Equal(p.Fit(img, 14, 14).Pix, img.Pix)
		if !p.Always && !same || p.Always && same != (p.Crop == 0 && p.Short == 0) {
			t.Errorf("%s: the picture stays as it is: %v", spec, same)
		}
	}
}

// TestFitParts: a picture that is part of a larger one, or has another colour
// model, is fitted like a copy of it.
func TestFitParts(t *testing.T) {
	img := formula(31, 23)
	large := image.NewRGBA(image.Rect(-5, -7, 60, 50))
	for y := range 23 {
		for x := range 31 {
			large.Set(x+3, y+4, img.At(x, y))
		}
	}
	part := large.SubImage(image.Rect(3, 4, 34, 27))
	for _, spec := range ways() {
		p := parse(t, spec)
		if !slices.Equal(p.Fit(part, 14, 12).Pix, p.Fit(img, 14, 12).Pix) {
			t.Errorf("%s: a part is fitted in another way", spec)
		}
	}
}

// TestFitStripMemory: what the crop cuts off is not computed.
func TestFitStripMemory(t *testing.T) {
	tall := image.NewGray(image.Rect(0, 0, 1, 500_000))
	for _, spec := range []string{"torchvision", "keras-tf", "clip,fit=pad", "teachable-machine", "custom-vision,max=0", "unit,fit=stretch,filter=area", "unit,fit=stretch,filter=lanczos"} {
		p := parse(t, spec)
		p.Short = 0
		if got := p.Fit(tall, 8, 8).Bounds().Size(); got != image.Pt(8, 8) {
			t.Errorf("%s: size %v", spec, got)
		}
	}
}

// TestPad: the picture lies in the centre, the rest has the padding's colour, and
// a strip is not too small if its long side is large enough.
func TestPad(t *testing.T) {
	p := parse(t, "raw,pad=10/20/30,order=bgr")
	in := model.Input{C: 3, H: 8, W: 8}
	x, err := p.Tensor(filled(16, 8, color.NRGBA{255, 255, 255, 255}), in)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 8 {
		want := []float32{30, 20, 10}
		if y >= 2 && y < 6 {
			want = []float32{255, 255, 255}
		}
		if got := []float32{x.Data[y*8], x.Data[64+y*8], x.Data[128+y*8]}; !slices.Equal(got, want) {
			t.Errorf("row %d: %v, want %v", y, got, want)
		}
	}
	in.H, in.W = 64, 64
	if _, err := p.Tensor(filled(64, 2, color.NRGBA{A: 255}), in); err != nil {
		t.Error(err)
	}
	if _, err := parse(t, "raw").Tensor(filled(64, 2, color.NRGBA{A: 255}), in); err == nil {
		t.Error("a crop enlarges a strip 32 times")
	}
}

// TestInvert: white is 0, and everything else agrees with that.
func TestInvert(t *testing.T) {
	p := parse(t, "unit,invert")
	in := model.Input{C: 1, H: 1, W: 2}
	img := image.NewGray(image.Rect(0, 0, 2, 1))
	img.Pix = []uint8{255, 55}
	x, err := p.Tensor(img, in)
	if err != nil {
		t.Fatal(err)
	}
	if x.Data[0] != 0 || x.Data[1] != 200*float32(1./255) {
		t.Errorf("values %v, want 0 and 200/255", x.Data)
	}
	if p.Units(0, 55) != x.Data[1] {
		t.Errorf("Units gives %g, Tensor %g", p.Units(0, 55), x.Data[1])
	}
	if got := p.Image(x.Data, in).Pix; got[0] != 255 || got[4] != 55 {
		t.Errorf("the image comes back as %d, %d", got[0], got[4])
	}
}

// TestOnePath: pixels kept as bytes, as trainings do, become the numbers of Tensor.
func TestOnePath(t *testing.T) {
	for _, spec := range append(ways(), "imagenet,invert") {
		p := parse(t, spec)
		for _, channels := range []int{1, 3} {
			if channels == 1 && len(p.Mean) == 3 {
				continue
			}
			p := p.Fill(channels)
			in := model.Input{C: channels, H: 14, W: 12}
			x, err := p.Tensor(formula(31, 23), in)
			if err != nil {
				t.Fatal(err)
			}
			pixels, got := make([]uint8, len(x.Data)), make([]float32, len(x.Data))
			model.Planar(p.Fit(formula(31, 23), in.H, in.W), channels, p.BGR, pixels)
			p.Apply(pixels, in, got)
			if !slices.Equal(got, x.Data) {
				t.Errorf("%s: bytes give other numbers", spec)
			}
			for i, v := range pixels {
				if u := p.Units(i/(in.H*in.W), float32(v)); u != got[i] {
					t.Fatalf("%s: Units of %d is %g, Apply gives %g", spec, v, u, got[i])
				}
			}
		}
	}
}

// TestPresetNumbers: what the presets make of the pixel 10, 20, 30, by the
// definitions of the libraries.
func TestPresetNumbers(t *testing.T) {
	for spec, want := range map[string][3]float64{
		"imagenet":           {(10/255. - .485) / .229, (20/255. - .456) / .224, (30/255. - .406) / .225},
		"torchvision":        {(10/255. - .485) / .229, (20/255. - .456) / .224, (30/255. - .406) / .225},
		"keras-torch":        {(10/255. - .485) / .229, (20/255. - .456) / .224, (30/255. - .406) / .225},
		"keras-caffe":        {30 - 103.939, 20 - 116.779, 10 - 123.68},
		"caffe-bgr":          {30 - 104, 20 - 117, 10 - 123},
		"keras-tf":           {10/127.5 - 1, 20/127.5 - 1, 30/127.5 - 1},
		"teachable-machine":  {10/127.5 - 1, 20/127.5 - 1, 30/127.5 - 1},
		"signed":             {10/127.5 - 1, 20/127.5 - 1, 30/127.5 - 1},
		"custom-vision":      {30, 20, 10},
		"custom-vision-onnx": {30, 20, 10},
		"clip":               {(10/255. - .48145466) / .26862954, (20/255. - .4578275) / .26130258, (30/255. - .40821073) / .27577711},
		"unit":               {10 / 255., 20 / 255., 30 / 255.},
		"raw":                {10, 20, 30},
	} {
		p := parse(t, spec).Fill(3)
		x, err := p.Tensor(filled(20, 20, color.NRGBA{10, 20, 30, 255}), model.Input{C: 3, H: 8, W: 8})
		if err != nil {
			t.Fatal(err)
		}
		for c := range 3 {
			if got := float64(x.Data[64*c]); math.Abs(got-want[c]) > 1e-5*max(1, math.Abs(want[c])) {
				t.Errorf("%s: channel %d is %g, want %g", spec, c, got, want[c])
			}
		}
	}
}

// TestProportion: presets crop in one proportion, whatever the input's size.
func TestProportion(t *testing.T) {
	for _, c := range []struct {
		spec  string
		input int
		want  string
	}{
		{"imagenet", 224, "short side to 256,"}, {"imagenet", 299, "short side to 342,"}, {"imagenet", 64, "short side to 73,"},
		{"torchvision", 299, "short side to 342,"}, {"caffe-bgr", 299, "short side to 342,"}, {"imagenet,size=320", 299, "short side to 320,"},
		{"imagenet,crop=0.9", 224, "short side to 249,"}, {"unit", 64, "short side to 64,"}, {"clip", 64, "short side to 64,"},
		{"imagenet,fit=stretch", 224, "stretch the whole image to 224x224,"}, {"imagenet,crop=none", 224, "stretch the whole image to 224x224,"},
		{"size=256x300,fit=stretch", 224, "stretch the whole image to 256x300,"}, {"imagenet,crop=87.5%,fit=stretch", 224, "stretch the whole image to 256x256,"},
		{"custom-vision", 224, "crop the largest centre of the shape 256x256, resize it to 256x256,"},
		{"unit,fit=pad", 64, "resize to fit into 64x64,"},
	} {
		steps := parse(t, c.spec).Fill(3).Steps(model.Input{C: 3, H: c.input, W: c.input})
		if !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, c.want) }) {
			t.Errorf("%s for %d: no %q in %q", c.spec, c.input, c.want, steps)
		}
	}
}

// TestPreprocessErrors: errors name the key and what is allowed.
func TestPreprocessErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"fit=wide": "fit=wide: want crop, stretch, pad or crop-first", "filter=cubic": "filter=cubic: want one of bilinear", "size=3x": "size=3x: want",
		"resize=-1": "resize=-1: want", "crop=0.001": "crop=0.001: want", "crop=1.5": "crop=1.5: want", "crop_pct=87": "crop_pct=87: want", "pad=300": "pad=300: want 0 to 255",
		"pad=1/2": "pad=1/2: want", "invert=perhaps": "invert=perhaps: want yes or no", "data_mean=-1": "data_mean=-1: want", "max=x": "max=x: want",
		"offset=up": "offset=up: want round, floor or halves", "unit,size=32x32,crop=40": "smaller than the crop", "fit=crop,size=3x4": "is for the fits",
		"timm:": "cannot open", "size=99999x4": "size=99999x4", "hue=3": "no setting \"hue\": there are size",
	} {
		if _, _, err := model.ParsePreprocess(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", spec, err, want)
		}
	}
}

// TestReadPreprocess: files of other tools, as their own code reads them.
func TestReadPreprocess(t *testing.T) {
	const norm = `,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]`
	for _, c := range []struct{ text, want string }{
		{`{"input_size":[3,288,288],"crop_pct":0.95,"interpolation":"bicubic"}`, "short side to 303, bicubic, antialiased (as PIL), then crop the centre 288x288"},
		{`{"pretrained_cfg":{"input_size":[3,288,288],"crop_pct":1.0,"crop_mode":"squash","interpolation":"bilinear"}}`, "stretch the whole image to 288x288, bilinear, antialiased"},
		{`{"data_config":{"input_size":[3,288,288]}}`, "short side to 329, bicubic"},
		{`{"do_resize":true,"size":{"shortest_edge":256},"do_center_crop":true,"crop_size":{"height":288,"width":288},"resample":2` + norm + `}`, "short side to 256, bilinear"},
		{`{"size":288,"resample":3` + norm + `}`, "stretch the whole image to 288x288, bicubic"},
		{`{"size":300,"do_center_crop":true,"crop_size":288` + norm + `}`, "short side to 300"},
		{`{"size":{"height":300,"width":320},"do_center_crop":true,"crop_size":288` + norm + `}`, "stretch the whole image to 300x320, bilinear, antialiased (as PIL), then crop the centre 288x288 (offset floor)"},
		{`{"size":{"shortest_edge":288},"crop_pct":0.875` + norm + `}`, "short side to 329"},
		{`{"size":{"shortest_edge":384},"crop_pct":0.875` + norm + `}`, "stretch the whole image to 384x384"},
		{`{"size":{"height":288,"width":288},"rescale_factor":0.00784313725490196,"rescale_offset":true,"do_normalize":false}`, "subtract 1"},
		{`{"size":{"height":288,"width":288},"do_rescale":false,"do_normalize":false}`, "values from 0 to 255"},
		{`{"size":{"height":288,"width":288},"do_flip_channel_order":true,"do_normalize":false}`, "blue, green, red"},
		{`{"preprocess":{"scale":1,"fit":"pad"}}`, "fit into 288x288"},
	} {
		p, crop, err := model.ReadPreprocess([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		side := max(crop[0], 288)
		steps := p.Fill(3).Steps(model.Input{C: 3, H: side, W: side})
		if !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, c.want) }) {
			t.Errorf("%s: no %q in %q", c.text, c.want, steps)
		}
	}
	for text, want := range map[string]string{
		`[1]`: "not a JSON object", `{}`: "does not say", `{"id2label":{}}`: "does not say", `{"input_size":[3,-1,2]}`: "input_size",
		`{"input_size":[3,9,9],"interpolation":"random"}`: `no filter "random"`, `{"crop_pct":0}`: "", `{"crop_pct":2}`: "crop_pct", `{"crop_pct":0.9,"crop_mode":"x"}`: "crop_mode",
		`{"input_size":[3,9,9],"mean":[1,2]}`: "mean has 2 values", `{"input_size":[3,9,9],"std":[0,1,1]}`: "std", `{"crop_pct":"a"}`: "crop_pct",
		`{"do_resize":false}`: "do_resize", `{"do_resize":true}`: "no size", `{"do_resize":true,"size":{"longest_edge":9}}`: "longest_edge", `{"resample":9,"size":8}`: "resample",
		`{"do_pad":true,"do_resize":true,"size":8}`: "do_pad", `{"do_resize":true,"size":-3}`: "size", `{"do_resize":true,"size":"x"}`: "size",
		`{"do_normalize":true,"size":9}`: "mean", `{"rescale_factor":-1,"size":9}`: "rescale_factor", `{"preprocess":null}`: "null", `{"preprocess":{"fit":"x"}}`: "no fit",
		`{"do_resize":true,"size":{"height":9,"width":9},"do_center_crop":true,"crop_size":10}`: "larger",
	} {
		_, _, err := model.ReadPreprocess([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q in it", text, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "a,b.json")
	if err := os.WriteFile(path, []byte(`{"input_size":[3,288,300],"interpolation":"lanczos"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "config")
	if err := os.Link(path, other); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, "timm:" + path, "timm:" + other} {
		p, crop, err := model.ParsePreprocess(name + ",filter=box,invert")
		if err != nil || crop != [2]int{288, 300} || p.Filter != model.ResampleBox || !p.Invert {
			t.Errorf("%s: %+v, %v, %v", name, p, crop, err)
		}
	}
}

// TestMean: the mean pixel is that of the images as the network sees them, and
// what stands in for an unknown one says so.
func TestMean(t *testing.T) {
	in := model.Input{C: 3, H: 4, W: 4}
	p := parse(t, "unit,order=bgr,fit=pad")
	m := model.NewPixelMean(p, in)
	if m.Mean() != nil {
		t.Error("a mean of nothing")
	}
	for _, img := range []image.Image{filled(8, 8, color.NRGBA{10, 20, 30, 255}), filled(8, 4, color.NRGBA{100, 100, 100, 255})} {
		if err := m.Add(img); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Add(image.NewNRGBA(image.Rectangle{})); err == nil {
		t.Error("an empty image is taken")
	}
	// Half of the second picture is padding.
	if got, want := m.Mean(), []float32{(30 + 50) / 2., (20 + 50) / 2., (10 + 50) / 2.}; !slices.Equal(got, want) {
		t.Errorf("mean %v, want %v", got, want)
	}
	for spec, want := range map[string]string{
		"imagenet":                         "mean of preprocessing, pixel 123.7/116.3/103.5",
		"signed":                           "mean of preprocessing, pixel 127.5",
		"raw":                              "no mean known: 0, pixel 0",
		"unit,invert":                      "no mean known: 0, pixel 255",
		"imagenet,data_mean=120/110.25/99": "mean of the data, pixel 120/110.3/99",
	} {
		p := parse(t, spec).Fill(3)
		if got := p.MeanFillText(in); got != want {
			t.Errorf("%s: %q, want %q", spec, got, want)
		}
	}
	old := model.Preprocess{DataMean: []float32{1, 2, 3}}
	if got := parse(t, "keras-caffe").InPlaceOf(old).DataMean; !slices.Equal(got, []float32{3, 2, 1}) || old.DataMean[0] != 1 {
		t.Errorf("the data's mean in the other order is %v, was %v", got, old.DataMean)
	}
	if got := parse(t, "raw,data_mean=7").Fill(3).InPlaceOf(old).DataMean; !slices.Equal(got, []float32{7, 7, 7}) {
		t.Errorf("the mean that was given became %v", got)
	}
}

// TestStated: what changes how pixels go in is a statement.
func TestStated(t *testing.T) {
	for _, p := range []model.Preprocess{{}, {Scale: 1}, {Scale: 1, DataMean: []float32{3}}} {
		if p.Stated() {
			t.Errorf("%+v is taken for a statement", p)
		}
	}
	for _, spec := range []string{"unit", "raw,order=bgr", "raw,fit=stretch", "raw,invert", "raw,filter=bicubic", "raw,mean=0", "raw,size=9", "raw,always"} {
		if !parse(t, spec).Stated() {
			t.Errorf("%s is not taken for a statement", spec)
		}
	}
}

// TestDecoders: a picture that the caller decodes with image.Decode gives the
// numbers of one that the command opens.
func TestDecoders(t *testing.T) {
	jpeg420 := new(bytes.Buffer)
	if err := jpeg.Encode(jpeg420, formula(45, 37), &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	decoded, _, err := image.Decode(bytes.NewReader(jpeg420.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "p.jpg")
	if err := os.WriteFile(path, jpeg420.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	opened, err := images.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"imagenet", "keras-tf", "unit"} {
		for _, in := range []model.Input{{C: 3, H: 32, W: 32}, {C: 3, H: 37, W: 45}} {
			p := parse(t, spec).Fill(3)
			want, err := opened.Tensor(p, in)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Tensor(decoded, in)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Data, want.Data) {
				t.Errorf("%s, input %v: image.Decode leads to other numbers than the command's reader", spec, in)
			}
		}
	}
}
