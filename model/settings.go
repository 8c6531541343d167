package model

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
)

// settings lists the keys that ParsePreprocess knows, for errors.
const settings = "size, resize, crop, fit, filter, pad, invert, scale, mean, std, order, data_mean, offset, max, always"

// ParsePreprocess reads a preset's name, or a file FILE.json as ReadPreprocess
// takes it (also timm:FILE.json), or settings KEY=VALUE, or a preset or file and
// settings that change it, separated by commas. Presets:
//
//	imagenet    torchvision's: short side to 256 for a crop of 224 and in that
//	            proportion for others, (pixel/255 - mean) / deviation of ImageNet's RGB
//	caffe-bgr   the same crop, BGR, 0..255 minus 104, 117, 123
//	unit        pixel/255
//	signed      pixel*2/255 - 1
//	raw         0..255 as they are
//	torchvision, keras-caffe, keras-tf, keras-torch, clip, teachable-machine,
//	custom-vision, custom-vision-onnx   as these libraries; see docs/preprocessing.md
//
//	size=256         pixels of the short side before the crop; 0: the crop's
//	size=256x320     rows and columns to which the whole image is stretched before the crop
//	resize=          the same as size, or stretch
//	crop=224         the network's input, ROWSxCOLUMNS or one number, for networks of any size
//	crop=0.875       the input's share of what the image is resized to
//	crop=none        no crop: the whole image is stretched
//	fit=crop         or stretch, pad (the rest is filled), crop-first (then resized)
//	filter=bilinear  how images are resized: see Resampling
//	pad=114          what is filled with, 0..255, one number or red/green/blue
//	invert           white is 0
//	scale=1/255      what pixels 0..255 are multiplied by, a number or a fraction
//	mean=.5/.4/.3    subtracted then, one number or one for each channel, in the network's order
//	std=.2/.2/.2     divided by then
//	order=rgb|bgr    of the channels
//	data_mean=120    mean pixel of the training data, 0..255, as mean
//	offset=round     where the crop begins: round, floor, halves (see CropOffset)
//	max=1600         larger images are first resized to this long side
//	always           images of the input's size are resized and cropped, too
//
// crop is [rows, columns], 0 if nothing is said. Of one mean or deviation for all
// channels, Fill makes as many as a network has.
func ParsePreprocess(spec string) (p Preprocess, crop [2]int, err error) {
	s := specReader{p: Preprocess{Scale: 1. / 255}}
	parts, err := s.base(spec)
	if err != nil {
		return s.p, s.crop, err
	}
	for _, part := range parts {
		key, value, given := strings.Cut(strings.TrimSpace(part), "=")
		if !given {
			value = "yes"
			if key != "invert" && key != "always" {
				return s.p, s.crop, noPreset(key)
			}
		}
		if err := s.set(key, value); err != nil {
			return s.p, s.crop, err
		}
	}
	if s.crop == [2]int{} {
		s.crop = s.p.Size
	}
	if err := s.p.checkFit(); err != nil {
		return s.p, s.crop, err
	}
	if s.p.Size != [2]int{} && (s.crop[0] > s.p.Size[0] || s.crop[1] > s.p.Size[1]) {
		return s.p, s.crop, fmt.Errorf("size=%dx%d is smaller than the crop of %dx%d", s.p.Size[0], s.p.Size[1], s.crop[0], s.crop[1])
	}
	return s.p, s.crop, nil
}

// CropOf is the size of the input that the settings of a specification name themselves, 0, 0 if they name
// none. What a preset or a file says does not count: that is adapted to the network's input. Errors are
// ParsePreprocess's.
func CropOf(spec string) (crop [2]int, err error) {
	var s specReader
	rest, err := s.base(spec)
	if err != nil {
		return crop, err
	}
	s.crop = crop
	for _, part := range rest {
		if key, value, _ := strings.Cut(strings.TrimSpace(part), "="); key == "crop" {
			if err := s.setCrop(key, value); err != nil {
				return crop, err
			}
		}
	}
	return s.crop, nil
}

// specReader is what ParsePreprocess has read so far.
type specReader struct {
	p    Preprocess
	crop [2]int
	// Whether settings, not a preset, gave them.
	fitGiven, sizeGiven bool
}

// base reads the preset or file that a specification begins with, and returns
// the settings after it.
func (s *specReader) base(spec string) ([]string, error) {
	if path, rest, ok := jsonFile(spec); ok {
		text, err := readSmall(path)
		if err != nil {
			return nil, err
		}
		if s.p, s.crop, err = ReadPreprocess(text); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return rest, nil
	}
	parts := strings.Split(spec, ",")
	first := strings.TrimSpace(parts[0])
	if strings.Contains(first, "=") || first == "invert" || first == "always" {
		return parts, nil
	}
	preset, ok := presetNamed(first)
	if !ok {
		return nil, noPreset(first)
	}
	s.p, s.crop = preset.p, [2]int{preset.crop, preset.crop}
	return parts[1:], nil
}

func noPreset(name string) error {
	return fmt.Errorf("no preset %q: there are %s; or FILE.json; or settings such as size=256,crop=224,scale=1/255,mean=.5,std=.2,order=rgb (keys: %s)",
		name, strings.Join(PreprocessPresets(), ", "), settings)
}

// jsonFile splits "timm:a,b.json,size=3" into file and settings. A file after timm:
// may have any name without a comma.
func jsonFile(spec string) (path string, rest []string, ok bool) {
	const end = ".json"
	path, timm := strings.CutPrefix(strings.TrimSpace(spec), "timm:")
	switch i := strings.Index(path, end+","); {
	case i >= 0:
		return path[:i+len(end)], strings.Split(path[i+len(end)+1:], ","), true
	case strings.HasSuffix(path, end):
		return path, nil, true
	case timm:
		parts := strings.Split(path, ",")
		return parts[0], parts[1:], true
	}
	return "", nil, false
}

func readSmall(path string) ([]byte, error) {
	text, err := imageio.ReadSmall(path, 16<<20)
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = fmt.Errorf("cannot open %s: %w", path, p.Err)
	}
	return text, err
}

// set takes over one setting.
func (s *specReader) set(key, value string) (err error) {
	bad := func(want string) error { return fmt.Errorf("%s=%s: want %s", key, value, want) }
	p := &s.p
	switch key {
	case "size", "short", "resize":
		if value == "stretch" && key == "resize" {
			return s.fit(FitStretch)
		}
		if err := s.size(value); err != nil {
			return bad("the number of pixels of the short side, or ROWSxCOLUMNS")
		}
	case "crop", "crop_pct":
		return s.setCrop(key, value)
	case "fit":
		mode, err := ParseFitMode(value)
		if err != nil {
			return bad("crop, stretch, pad or crop-first")
		}
		return s.fit(mode)
	case "filter":
		if p.Filter, err = ParseResampling(value); err != nil {
			return bad("one of " + listed(Resamplings()))
		}
	case "offset":
		if p.Offset, err = ParseCropOffset(value); err != nil {
			return bad("round, floor or halves")
		}
	case "pad":
		if p.Pad, err = levelsOf(value); err != nil || len(p.Pad) != 1 && len(p.Pad) != 3 {
			return bad("0 to 255, one number or red/green/blue")
		}
		if !s.fitGiven {
			return s.fit(FitPad)
		}
	case "invert", "always":
		yes, err := yesNo(value)
		if err != nil {
			return bad("yes or no")
		}
		if key == "invert" {
			p.Invert = yes
		} else {
			p.Always = yes
		}
	case "max":
		if p.Max, err = strconv.Atoi(value); err != nil || p.Max < 0 || p.Max > maxSide {
			return bad("the number of pixels of the long side")
		}
	case "data_mean":
		if p.DataMean, err = levelsOf(value); err != nil {
			return bad("pixels 0 to 255 separated by /, one or as many as channels")
		}
	default:
		return s.setNumbers(key, value)
	}
	return nil
}

// setNumbers takes over what happens to pixels after the fit.
func (s *specReader) setNumbers(key, value string) error {
	bad := func(want string) error { return fmt.Errorf("%s=%s: want %s", key, value, want) }
	p := &s.p
	switch key {
	case "scale":
		top, bottom, fraction := strings.Cut(value, "/")
		a, errA := strconv.ParseFloat(top, 64)
		b, errB := 1., error(nil)
		if fraction {
			b, errB = strconv.ParseFloat(bottom, 64)
		}
		if p.Scale = float32(a / b); errA != nil || errB != nil || !(p.Scale > 0) || math.IsInf(float64(p.Scale), 0) {
			return bad("a positive number or a fraction such as 1/255")
		}
	case "mean", "std":
		v, err := numbers(value)
		if err != nil || key == "std" && slices.Contains(v, 0) {
			return bad("numbers separated by /, one or as many as channels")
		}
		if key == "mean" {
			p.Mean = v
		} else {
			p.Std = v
		}
	case "order":
		if value != "rgb" && value != "bgr" {
			return bad("rgb or bgr")
		}
		p.BGR = value == "bgr"
	default:
		return fmt.Errorf("no setting %q: there are %s", key, settings)
	}
	return nil
}

// fit sets the mode. What a preset says about the sizes of another mode goes.
func (s *specReader) fit(mode FitMode) error {
	if s.p.Mode != mode && !s.sizeGiven {
		s.p.Short, s.p.Size, s.p.Crop = 0, [2]int{}, 0
	}
	s.p.Mode, s.fitGiven = mode, true
	return nil
}

// size reads N or ROWSxCOLUMNS.
func (s *specReader) size(value string) error {
	if !strings.Contains(value, "x") {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxSide {
			return fmt.Errorf("not a size")
		}
		s.p.Short, s.p.Size, s.p.Crop, s.sizeGiven = n, [2]int{}, 0, true
		return nil
	}
	size, err := twoSizes(value)
	if err != nil {
		return err
	}
	if !s.fitGiven && s.p.Mode == FitCrop {
		s.p.Mode = FitStretch
	}
	s.p.Short, s.p.Size, s.p.Crop, s.sizeGiven = 0, size, 0, true
	return nil
}

// setCrop reads the input's size, or its share, or none.
func (s *specReader) setCrop(key, value string) error {
	if value == "none" {
		return s.fit(FitStretch)
	}
	if share, err := share(value); key == "crop_pct" || err == nil && strings.ContainsAny(value, ".%") {
		if err != nil {
			return fmt.Errorf("%s=%s: want the input's share of the resized image, such as 0.875 or 87.5%%", key, value)
		}
		s.p.Short, s.p.Size, s.p.Crop, s.sizeGiven = 0, [2]int{}, share, true
		return nil
	}
	crop, err := twoSizes(value)
	if err != nil {
		return fmt.Errorf("crop=%s: want N or ROWSxCOLUMNS, a share such as 0.875, or none", value)
	}
	s.crop = crop
	return nil
}

// share reads a number above 0 up to 1, or in per cent.
func share(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 1./64 && v <= 1) {
		return 0, fmt.Errorf("not a share")
	}
	return v, nil
}

// twoSizes reads N or ROWSxCOLUMNS.
func twoSizes(s string) (v [2]int, err error) {
	rows, columns, two := strings.Cut(s, "x")
	if !two {
		columns = rows
	}
	var errs [2]error
	v[0], errs[0] = strconv.Atoi(rows)
	v[1], errs[1] = strconv.Atoi(columns)
	if errs != [2]error{} || min(v[0], v[1]) < 1 || max(v[0], v[1]) > maxSide {
		return v, fmt.Errorf("not a size")
	}
	return v, nil
}

// numbers reads finite numbers separated by slashes.
func numbers(s string) (v []float32, err error) {
	for _, part := range strings.Split(s, "/") {
		f, err := strconv.ParseFloat(part, 32)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("not a number")
		}
		v = append(v, float32(f))
	}
	return v, nil
}

// levelsOf reads numbers 0 to 255.
func levelsOf(s string) ([]float32, error) {
	v, err := numbers(s)
	if err == nil && (slices.Min(v) < 0 || slices.Max(v) > 255) {
		err = fmt.Errorf("not a pixel")
	}
	return v, err
}

func yesNo(s string) (bool, error) {
	switch s {
	case "yes", "true", "1":
		return true, nil
	case "no", "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("not yes or no")
}

// Fill repeats a mean or deviation that is given once for each of c channels.
func (p Preprocess) Fill(c int) Preprocess {
	for _, v := range []*[]float32{&p.Mean, &p.Std, &p.DataMean} {
		if len(*v) == 1 && c > 1 {
			*v = slices.Repeat(*v, c)
		}
	}
	return p
}
