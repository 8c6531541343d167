package view

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
)

// More scalings, of colour bars of occlusion maps.
const (
	PerPicture Scaling = "own"    // each picture has its own scale
	PerSeries  Scaling = "series" // all pictures of a run share one, see SeriesScale
)

// Occlusion asks what a prediction depends on: a patch slides over the images ([zeiler14] 4.2).
type Occlusion struct {
	occlusion.Options
	Paper   bool    // the paper's colours, with the patch and stride that are the default
	Scale   Scaling // of the colour bars: PerPicture (the default), PerSeries, or Fixed
	Fixed   float64 // the drop at the ends of the colour bar for Scale Fixed
	Opacity float64 // of the overlay, to 1; 0: 0.55
	// Progress is told by Session.Occlude how many positions are done.
	Progress func(done, total int)
}

// Fields are the settings of the request; Segments, which come from a picture, and Memory are not among them.
func (r *Occlusion) Fields() Fields {
	return Fields{
		r.patchField(),
		PairField(Field{Name: "stride", Usage: "step between positions in input pixels, `N` or ROWSxCOLUMNS; default: 6/224 of the input"}, &r.Stride),
		positionField(&r.Position),
		FieldOf(Field{Name: "edge", Default: "inside", Usage: "inside: positions at multiples of the stride; cover: and a last row and column at the border"},
			&r.Cover, Plain(ParseEdge), func(cover bool) string { return notZero(cover, "cover") }),
		fillField(&r.Fill),
		IntField(Field{Name: "soft", Default: "0", Usage: "`PIXELS` over which the patch fades in from its edge"}, &r.Soft, 0),
		FieldOf(Field{Name: "class", Usage: "`CLASS` by name or number, or several: cat,dog; default: the image's most probable one", Network: true},
			&r.Classes, ParseClasses, list),
		atField(&r.At),
		LayersField(Field{Name: "layer", Usage: "`LAYER`s whose strongest map is totalled (panel b), by number or name; default: the last block or convolution before the scores"}, &r.Layers, ParseLayers),
		SwitchField(Field{Name: "paper", Usage: "the paper's setting (50x50 at stride 6 of 224) and colours"}, &r.Paper),
		FieldOf(Field{Name: "method", Default: "fast", Usage: "fast, box (bit for bit as brute force), or brute"}, &r.Method, Plain(occlusion.ParseMethod), occlusion.Method.String),
		r.scaleField(),
		PositiveField(Field{Name: "opacity", Default: fmt.Sprint(defaultOpacity), Usage: "of the overlay, 0 to 1"}, &r.Opacity, 1),
		RangeField(Field{Name: "batch", Default: "0", Usage: "positions per forward pass of --method brute, 0: chosen by memory; results do not depend on it", Neutral: true}, &r.Batch, 0, 1<<16),
	}
}

// positionField is Options.Position.
func positionField(dst **[2]int) Field {
	f := Field{Name: "position", Usage: "cover only one place: `ROW,COLUMN` of the patch's upper left corner"}
	return FieldOf(f, dst, Plain(func(text string) (*[2]int, error) {
		at, err := ParseAt(text)
		if err != nil {
			return nil, &FieldError{Field: "position", Problem: text + ": want ROW,COLUMN"}
		}
		return at, nil
	}), func(at *[2]int) string {
		if at == nil {
			return ""
		}
		return list(at[:])
	})
}

func (r *Occlusion) patchField() Field {
	return Field{Name: "patch", Was: []string{"size"}, Usage: "patch in input pixels, `N` or ROWSxCOLUMNS, or several: 16,32x8; default: 50/224 of the input, as in the paper",
		Set: func(_ *model.Network, text string) (err error) {
			r.Patch, r.Sizes, err = ParsePatches(text)
			return err
		},
		Text: func() string { return r.patchText() }}
}

func (r *Occlusion) scaleField() Field {
	return Field{Name: "scale", Default: string(PerPicture),
		Usage: "limits of the colour bars: own (of each picture), series (one for all pictures of the run), or the drop in probability at their ends, such as 0.5",
		Set: func(_ *model.Network, text string) (err error) {
			r.Scale, r.Fixed, err = ParseOcclusionScale(text)
			return err
		},
		Text: func() string {
			switch r.Scale {
			case Fixed:
				return fmt.Sprint(r.Fixed)
			case "":
				return string(PerPicture)
			}
			return string(r.Scale)
		}}
}

// fillField is what an occluder shows.
func fillField(dst *occlusion.Fill) Field {
	return FieldOf(Field{Name: "fill", Default: "mean", Usage: "patch: mean (of the training data), image (its mean), blur, noise:SEED, a grey level 0..255, or input:V[,V...] in network units"},
		dst, Plain(occlusion.ParseFill), occlusion.Fill.String)
}

// ParsePatches reads one or several sizes of the patch, as in "8" or "16,32x8".
func ParsePatches(s string) (patch [2]int, sizes [][2]int, err error) {
	for i, size := range strings.Split(s, ",") {
		p, err := ParsePair("patch", size)
		switch {
		case err != nil:
			return patch, nil, err
		case p == [2]int{} && strings.Contains(s, ","):
			return patch, nil, &FieldError{Field: "patch", Problem: s + ": a size is missing"}
		case i == 0:
			patch = p
		case p != patch && !slices.Contains(sizes, p):
			sizes = append(sizes, p)
		}
	}
	return patch, sizes, nil
}

// ParseEdge reads "inside" (or ""), positions at multiples of the stride, or "cover", which adds those at the border.
func ParseEdge(s string) (cover bool, err error) {
	if s != "" && s != "inside" && s != "cover" {
		return false, &FieldError{Field: "edge", Problem: s + ": want inside or cover"}
	}
	return s == "cover", nil
}

// ParseOcclusionScale reads Occlusion.Scale and Fixed.
func ParseOcclusionScale(s string) (Scaling, float64, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && v > 0 && v <= 1 {
		return Fixed, v, nil
	}
	if k := Scaling(s); k == "" || k == PerPicture || k == PerSeries {
		return k, 0, nil
	}
	return "", 0, &FieldError{Field: "scale", Problem: s + ": want own, series, or a drop of more than 0, at most 1"}
}

// Validate reports the first thing wrong with the request for a network. Session.Occluder checks the classes and
// the place.
func (r Occlusion) Validate(net *model.Network) error {
	if r.Soft < 0 {
		return &FieldError{Field: "soft", Problem: fmt.Sprintf("%d: must not be negative", r.Soft)}
	}
	if !(r.Opacity >= 0 && r.Opacity <= 1) {
		return &FieldError{Field: "opacity", Problem: fmt.Sprintf("%v: want more than 0, at most 1", r.Opacity)}
	}
	switch r.Scale {
	case "", PerPicture, PerSeries:
	case Fixed:
		if !(r.Fixed > 0 && r.Fixed <= 1) {
			return &FieldError{Field: "scale", Problem: fmt.Sprintf("%v: want a drop of more than 0, at most 1", r.Fixed)}
		}
	default:
		return r.Scale.check(PerPicture, PerSeries, Fixed)
	}
	if r.Paper && (r.Patch != [2]int{} || r.Stride != [2]int{} || len(r.Sizes) > 0) {
		return &FieldError{Field: "paper", Problem: "sets patch and stride", Hint: "leave out --patch and --stride"}
	}
	if _, err := occlusion.ParseMethod(string(r.Method)); err != nil {
		return &FieldError{Field: "method", Problem: strings.TrimPrefix(err.Error(), "method ")}
	}
	if r.Memory < 0 || r.Batch < 0 {
		return &FieldError{Field: "memory", Problem: fmt.Sprintf("%d, batch %d: must not be negative", r.Memory, r.Batch)}
	}
	if err := r.validateMask(); err != nil {
		return err
	}
	return r.validateLayout(net)
}

// validateLayout tries where the patches would lie.
func (r Occlusion) validateLayout(net *model.Network) error {
	_, _, err := occlusion.Cost(net, r.Options)
	e, ok := errors.AsType[*occlusion.OptionError](err)
	if !ok {
		return err
	}
	fields := map[string]FieldError{
		"Patch":    {Field: "patch", Problem: r.patchText()},
		"Stride":   {Field: "stride", Problem: PairText(r.Stride)},
		"Position": {Field: "position"},
		"Segments": {Field: "mask"},
		"Soft":     {Field: "soft", Problem: fmt.Sprint(r.Soft)},
	}
	f, ok := fields[e.Option]
	if !ok {
		return err
	}
	f.Problem = strings.TrimPrefix(f.Problem+": "+e.Problem, ": ")
	return &f
}

// patchText lists the sizes of the patch, "" if that is the default.
func (r Occlusion) patchText() string {
	if r.Patch == [2]int{} {
		return ""
	}
	var all []string
	for _, p := range append([][2]int{r.Patch}, r.Sizes...) {
		all = append(all, PairText(p))
	}
	return strings.Join(all, ",")
}

// Text is all of the request that numbers and pictures depend on: what is not the default, in one line. Requests
// of one text give the same results for the same network and image.
func (r Occlusion) Text() string {
	var parts []string
	for _, f := range r.Fields() {
		if f.Name == "class" && r.Segments != nil {
			parts = append(parts, "mask="+digest(r.Segments))
		}
		if f.Changed() && !f.Neutral {
			parts = append(parts, f.Name+"="+f.Text())
		}
	}
	return strings.Join(parts, " ")
}

const defaultOpacity = 0.55

func list(numbers []int) string {
	var s []string
	for _, n := range numbers {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ",")
}

// digest identifies numbers.
func digest[T int32 | float32](data []T) string {
	h := sha256.New()
	var buf []byte
	for part := range slices.Chunk(data, 1<<14) {
		buf = buf[:0]
		for _, v := range part {
			bits := uint32(v)
			if f, ok := any(v).(float32); ok {
				bits = math.Float32bits(f)
			}
			buf = binary.LittleEndian.AppendUint32(buf, bits)
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Hash identifies what the network sees of the image.
func (in Input) Hash() string { return digest(in.Tensor.Data) }

// Occluder is an Occlusion request made ready for any number of images. It may be used by many goroutines at once.
type Occluder struct {
	s       *Session
	r       Occlusion
	text    string
	patches [][2]int
	scanner *occlusion.Scanner // nil once Done
}

// Occluder prepares a request. An error may be an *occlusion.MemoryError.
func (s *Session) Occluder(r Occlusion) (*Occluder, error) {
	if err := r.Validate(s.Net); err != nil {
		return nil, err
	}
	reading, err := s.Net.Reading()
	if err != nil {
		return nil, err
	}
	for _, k := range r.Classes {
		if err := reading.Check(model.Target{Class: k}); err != nil {
			return nil, &FieldError{Field: "class", Problem: fmt.Sprintf("%d: %v", k, err)}
		}
	}
	if err := reading.Check(model.Target{At: r.At}); err != nil && r.At != nil {
		return nil, &FieldError{Field: "at", Problem: fmt.Sprintf("%s: %v", list(r.At[:]), err)}
	}
	scanner, err := occlusion.New(s.Engine, s.Net, r.Options)
	if err != nil {
		return nil, err
	}
	return &Occluder{s: s, r: r, text: r.Text(), patches: scanner.Patches(), scanner: scanner}, nil
}

// Predict says what the scan of an image will take.
func (o *Occluder) Predict() occlusion.Prediction { return o.scanner.Predict() }

// Scan covers an image, and returns a map for each size of the patch.
func (o *Occluder) Scan(ctx context.Context, x *tensor.Tensor, progress func(done, total int)) ([]*occlusion.Map, error) {
	return o.scanner.ScanAll(ctx, x, progress)
}

// ScanEach is Scan that tells of every position as soon as it is computed, see occlusion.Scanner.ScanEach.
func (o *Occluder) ScanEach(ctx context.Context, x *tensor.Tensor, progress func(done, total int), each func(m *occlusion.Map, i int)) ([]*occlusion.Map, error) {
	return o.scanner.ScanEach(ctx, x, progress, each)
}

// Done is the request without what scanning takes, to list and draw maps that are there.
func (o *Occluder) Done() *Occluder {
	return &Occluder{s: o.s, r: o.r, text: o.text, patches: o.patches}
}

// SeriesScale is the one scale of a series of maps, see PerSeries.
func SeriesScale(maps ...*occlusion.Map) *occlusion.Scale {
	scale := &occlusion.Scale{}
	for _, m := range maps {
		scale.Include(m)
	}
	return scale
}

// Base is what the figures and arrays of an image are called for a size of the patch.
func (o *Occluder) Base(stem string, patch [2]int) string {
	name := "occlusion-" + stem
	if len(o.r.Sizes) > 0 {
		name += "-" + PairText(patch)
	}
	return name
}

// Names are what the figures of an image will be called, by size of the patch and class, if the classes are
// given; the most probable one adds nothing to a name.
func (o *Occluder) Names(stem string) (names [][]string) {
	for _, patch := range o.patches {
		base := o.Base(stem, patch)
		of := []string{base}
		if len(o.r.Classes) > 1 {
			of = nil
			for _, k := range o.r.Classes {
				of = append(of, base+"-"+o.s.Net.Class(k))
			}
		}
		names = append(names, of)
	}
	return names
}

// Figures draws the maps of an image, one figure for each class of each. series is the scale of a series, or nil.
func (o *Occluder) Figures(in Input, maps []*occlusion.Map, series *occlusion.Scale) (out []Figure) {
	names := o.Names(in.Stem)
	for i, m := range maps {
		for j, k := range m.Classes {
			out = append(out, Figure{Name: names[i][j], Image: m.Figure(o.style(in, j, series)), Numbers: o.Numbers(in, m, k),
				Array: &Array{[]int{m.Net.Input.H, m.Net.Input.W}, m.PixelDrop[j]},
				Facts: []Fact{{"image", in.Name}, {"class", m.Net.Class(k)}, {"patch", PairText(m.Patch)}, {"stride", PairText(m.Stride)},
					{"fill", m.FillName}, {"method", m.Method.String()}}})
		}
	}
	return out
}

func (o *Occluder) style(in Input, class int, series *occlusion.Scale) occlusion.Style {
	s := occlusion.Style{Class: class, Paper: o.r.Paper, Name: images.Title(in.Name), Alpha: o.r.Opacity, Scale: series}
	if o.r.Scale == Fixed {
		s.Scale = &occlusion.Scale{Loss: o.r.Fixed}
	}
	return s
}

// Occlude draws the maps of one image, each on its own scale unless the request fixes one.
func (s *Session) Occlude(ctx context.Context, r Occlusion, in Input) ([]Figure, error) {
	o, err := s.Occluder(r)
	if err != nil {
		return nil, err
	}
	maps, err := o.Scan(ctx, in.Tensor, r.Progress)
	if err != nil {
		return nil, err
	}
	var series *occlusion.Scale
	if r.Scale == PerSeries {
		series = SeriesScale(maps...)
	}
	return o.Figures(in, maps, series), nil
}
