package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ReadPreprocess reads how pixels become a network's input from JSON that other
// tools write:
//
//   - timm's data config, alone or as pretrained_cfg or data_config of a model's
//     config.json: input_size, interpolation, crop_pct, crop_mode, mean, std
//   - Hugging Face's preprocessor_config.json: do_resize, size, crop_pct, resample,
//     do_center_crop, crop_size, do_rescale, rescale_factor, do_normalize, image_mean, image_std
//   - viz's own NET.onnx.viz.json
//
// What such a file leaves out is what the tool itself takes then. A file that
// asks for something that viz does not do is refused. crop is the input's
// [rows, columns], 0 if the file does not say.
func ReadPreprocess(text []byte) (p Preprocess, crop [2]int, err error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return p, crop, fmt.Errorf("not a JSON object: %w", err)
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { _, ok := keys[name]; return ok })
	}
	switch {
	case has("preprocess"):
		p, crop, err = readNotes(text)
	case has("pretrained_cfg"):
		p, crop, err = readTimm(keys["pretrained_cfg"])
	case has("data_config"):
		p, crop, err = readTimm(keys["data_config"])
	case has("image_mean", "image_std", "do_resize", "do_normalize", "do_rescale", "rescale_factor", "resample", "image_processor_type", "feature_extractor_type"):
		p, crop, err = readHuggingFace(text)
	case has("input_size", "crop_pct", "interpolation", "crop_mode"):
		p, crop, err = readTimm(text)
	default:
		return p, crop, fmt.Errorf("it does not say how pixels become an input: want timm's input_size, interpolation, mean, std or " +
			"Hugging Face's do_resize, size, image_mean, image_std")
	}
	if err == nil {
		err = p.checkFit()
	}
	return p, crop, err
}

// readNotes reads viz's own file.
func readNotes(text []byte) (p Preprocess, crop [2]int, err error) {
	var notes struct {
		Input      []int       `json:"input"`
		Preprocess *Preprocess `json:"preprocess"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&notes); err != nil {
		return p, crop, err
	}
	if notes.Preprocess == nil {
		return p, crop, fmt.Errorf("preprocess is null")
	}
	if len(notes.Input) == 2 {
		crop = [2]int(notes.Input)
	}
	return *notes.Preprocess, crop, nil
}

// affineOf takes over mean and deviation.
func (p *Preprocess) affineOf(mean, std []float64) error {
	for i, v := range [][]float64{mean, std} {
		if n := len(v); n != 1 && n != 3 {
			return fmt.Errorf("%s has %d values, want 1 or 3", []string{"mean", "std"}[i], n)
		}
	}
	for _, v := range mean {
		p.Mean = append(p.Mean, float32(v))
	}
	for _, v := range std {
		if !(v > 0) {
			return fmt.Errorf("std is %v, want more than 0", std)
		}
		p.Std = append(p.Std, float32(v))
	}
	return nil
}

// readTimm reads a data config as timm's create_transform does.
func readTimm(text []byte) (p Preprocess, crop [2]int, err error) {
	imagenet, _ := presetNamed("imagenet")
	c := struct {
		InputSize     []int     `json:"input_size"`
		Interpolation string    `json:"interpolation"`
		CropPct       *float64  `json:"crop_pct"`
		CropMode      string    `json:"crop_mode"`
		Mean          []float64 `json:"mean"`
		Std           []float64 `json:"std"`
		CropBorder    int       `json:"crop_border_pixels"`
	}{}
	if err := json.Unmarshal(text, &c); err != nil {
		return p, crop, err
	}
	switch {
	case c.InputSize == nil:
		c.InputSize = []int{3, 224, 224}
	case len(c.InputSize) != 3 || slices.Min(c.InputSize) < 1 || slices.Max(c.InputSize) > maxSide:
		return p, crop, fmt.Errorf("input_size is %v, want channels, rows and columns", c.InputSize)
	}
	if c.CropBorder != 0 {
		return p, crop, fmt.Errorf("crop_border_pixels is %d: viz does not trim borders", c.CropBorder)
	}
	crop = [2]int{c.InputSize[1], c.InputSize[2]}
	p = Preprocess{Scale: 1. / 255, Filter: ResampleBicubic, Always: true}
	if c.Interpolation != "" {
		if p.Filter, err = pilFilter(c.Interpolation); err != nil {
			return p, crop, fmt.Errorf("interpolation: %w", err)
		}
	}
	if c.Mean == nil {
		c.Mean = widened(imagenet.p.Mean)
	}
	if c.Std == nil {
		c.Std = widened(imagenet.p.Std)
	}
	if err := p.affineOf(c.Mean, c.Std); err != nil {
		return p, crop, err
	}
	pct := 0.875
	if c.CropPct != nil && *c.CropPct != 0 {
		pct = *c.CropPct
	}
	if !(pct >= 1./64 && pct <= 1) {
		return p, crop, fmt.Errorf("crop_pct is %g, want more than 0, at most 1", pct)
	}
	// timm rounds the resized side down; this share gives that side for this input.
	side := float64(crop[0])
	p.Crop = side / math.Floor(side/pct)
	switch c.CropMode {
	case "", "center":
	case "squash":
		p.Mode = FitStretch
	case "border":
		p.Mode = FitPad
		for _, m := range c.Mean {
			p.Pad = append(p.Pad, float32(math.RoundToEven(255*m)))
		}
	default:
		return p, crop, fmt.Errorf("crop_mode %q: there are center, squash, border", c.CropMode)
	}
	return p, crop, nil
}

func widened(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// pilFilter is a filter of PIL by its name.
func pilFilter(name string) (Resampling, error) {
	pil := []Resampling{ResampleNearest, ResampleLanczos, ResampleBilinear, ResampleBicubic, ResampleBox, ResampleHamming}
	if f := Resampling(name); slices.Contains(pil, f) {
		return f, nil
	}
	return "", fmt.Errorf("no filter %q: there are %s", name, listed(pil))
}

// imageProcessor is preprocessor_config.json, as far as it is about pixels.
type imageProcessor struct {
	DoResize      *bool           `json:"do_resize"`
	Size          json.RawMessage `json:"size"`
	CropPct       float64         `json:"crop_pct"`
	Resample      *int            `json:"resample"`
	DoCenterCrop  *bool           `json:"do_center_crop"`
	CropSize      json.RawMessage `json:"crop_size"`
	DoRescale     *bool           `json:"do_rescale"`
	RescaleFactor *float64        `json:"rescale_factor"`
	RescaleOffset bool            `json:"rescale_offset"`
	DoNormalize   *bool           `json:"do_normalize"`
	Mean          []float64       `json:"image_mean"`
	Std           []float64       `json:"image_std"`
	DoFlip        bool            `json:"do_flip_channel_order"`
	// What viz does not do.
	DoPad       bool `json:"do_pad"`
	DoThumbnail bool `json:"do_thumbnail"`
	DoAlign     bool `json:"do_align_long_axis"`
}

func said(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

// readHuggingFace reads an image processor's settings.
func readHuggingFace(text []byte) (p Preprocess, crop [2]int, err error) {
	var c imageProcessor
	if err := json.Unmarshal(text, &c); err != nil {
		return p, crop, err
	}
	for i, set := range []bool{c.DoPad, c.DoThumbnail, c.DoAlign} {
		if set {
			return p, crop, fmt.Errorf("%s is true: viz does not do that", []string{"do_pad", "do_thumbnail", "do_align_long_axis"}[i])
		}
	}
	if !said(c.DoResize, true) {
		return p, crop, fmt.Errorf("do_resize is false: viz brings every image to the input's size; say how with settings such as fit=stretch")
	}
	p = Preprocess{Scale: 1. / 255, Filter: ResampleBilinear, Offset: OffsetFloor, BGR: c.DoFlip, Always: true}
	if c.Resample != nil {
		byNumber := []Resampling{ResampleNearest, ResampleLanczos, ResampleBilinear, ResampleBicubic, ResampleBox, ResampleHamming}
		if *c.Resample < 0 || *c.Resample >= len(byNumber) {
			return p, crop, fmt.Errorf("resample is %d, want 0 to %d", *c.Resample, len(byNumber)-1)
		}
		p.Filter = byNumber[*c.Resample]
	}
	if crop, err = p.hfSizes(c); err != nil {
		return p, crop, err
	}
	if c.RescaleFactor != nil {
		p.Scale = float32(*c.RescaleFactor)
	}
	if !said(c.DoRescale, true) {
		p.Scale = 1
	}
	if !(p.Scale > 0) {
		return p, crop, fmt.Errorf("rescale_factor is %g, want more than 0", p.Scale)
	}
	if said(c.DoNormalize, c.Mean != nil) {
		if err := p.affineOf(c.Mean, c.Std); err != nil {
			return p, crop, fmt.Errorf("image_%w", err)
		}
	}
	if c.RescaleOffset {
		if p.Mean == nil {
			p.Mean = []float32{0}
		}
		for i := range p.Mean {
			p.Mean[i]++
		}
	}
	return p, crop, nil
}

// hfSizes takes over the sizes of the resize and the crop.
func (p *Preprocess) hfSizes(c imageProcessor) (crop [2]int, err error) {
	cropping := said(c.DoCenterCrop, false)
	size, short, err := hfSize("size", c.Size)
	if err != nil {
		return crop, err
	}
	if size == [2]int{} {
		return crop, fmt.Errorf("no size")
	}
	one := !strings.Contains(string(c.Size), "{") // a number, as in old files
	switch {
	case c.CropPct != 0 && (short || one): // ConvNeXT's rule
		if !(c.CropPct >= 1./64 && c.CropPct <= 1) {
			return crop, fmt.Errorf("crop_pct is %g, want more than 0, at most 1", c.CropPct)
		}
		if size[0] >= 384 {
			p.Mode = FitStretch
		} else {
			p.Short = int(float64(size[0]) / c.CropPct)
		}
		return size, nil
	case short || one && cropping:
		p.Short = size[0]
	default:
		p.Mode = FitStretch
	}
	if !cropping {
		if short {
			return crop, nil // the short side only: the input's size is the network's
		}
		return size, nil
	}
	crop = size
	if c.CropSize != nil {
		if crop, short, err = hfSize("crop_size", c.CropSize); err != nil {
			return crop, err
		}
	}
	if p.Mode == FitStretch && crop != size {
		if crop[0] > size[0] || crop[1] > size[1] {
			return crop, fmt.Errorf("crop_size %dx%d is larger than size %dx%d", crop[0], crop[1], size[0], size[1])
		}
		p.Size = size
	}
	return crop, nil
}

// hfSize reads a number, {"height", "width"} or {"shortest_edge"}.
func hfSize(name string, text json.RawMessage) (size [2]int, short bool, err error) {
	var n int
	var s struct {
		Height   int `json:"height"`
		Width    int `json:"width"`
		Shortest int `json:"shortest_edge"`
		Longest  int `json:"longest_edge"`
	}
	switch {
	case len(text) == 0 || string(text) == "null":
		return size, false, nil
	case json.Unmarshal(text, &n) == nil:
		size = [2]int{n, n}
	case json.Unmarshal(text, &s) != nil:
		return size, false, fmt.Errorf("%s is %.60s, want a number, height and width, or shortest_edge", name, text)
	case s.Longest != 0:
		return size, false, fmt.Errorf("%s has a longest_edge: viz does not do that", name)
	case s.Shortest != 0:
		size, short = [2]int{s.Shortest, s.Shortest}, true
	default:
		size = [2]int{s.Height, s.Width}
	}
	if min(size[0], size[1]) < 1 || max(size[0], size[1]) > maxSide {
		return size, false, fmt.Errorf("%s is %.60s, want sizes from 1 to %d", name, text, maxSide)
	}
	return size, short, nil
}
