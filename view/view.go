// Package view answers requests about a network and its images with figures, their numbers and their
// provenance, all as values. Commands translate flags to requests and figures to files; a page or a service
// can do the same with queries.
//
//	s := view.NewSession(engine, net)
//	in, err := s.Input(picture) // of package images
//	figures, err := s.Occlude(ctx, view.Occlusion{}, in)
//
// A request is a plain struct whose zero value means the defaults. What is wrong with one is a *FieldError,
// which names the field.
//
// A request describes its settings by itself, as data: its method Fields gives the name of each, what it means, how
// text sets it, and the text it has. Flags, their help, a page's query and the line that repeats a result all come
// from there:
//
//	var r view.Occlusion
//	err := r.Fields().Set(net, func(name string) (string, bool) { return query.Get(name), query.Get(name) != "" })
//	line := append([]string{"viz", "occlude"}, r.Fields().Arguments()...) // viz occlude --patch 8 --class 3
package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Session is what requests about one network share. It may be used by many goroutines at once.
type Session struct {
	Engine *model.Engine
	Net    *model.Network
	hash   string
}

// NewSession makes a session. The engine and the network stay the caller's. Without an engine (nil) it serves the
// requests that run nothing: Inspect, Filters, EvolveFilters, Diagnose, CheckSheets, Input, the figures of results.
func NewSession(engine *model.Engine, net *model.Network) *Session {
	return &Session{Engine: engine, Net: net, hash: net.Hash()}
}

// Hash identifies the network, see model.Network.Hash.
func (s *Session) Hash() string { return s.hash }

// about is the network's name and hash, for captions.
func (s *Session) about() string { return s.Net.Name + " " + s.hash }

// Input is an image as the session's network sees it.
type Input struct {
	Name   string // for captions and provenance, such as the file's path
	Stem   string // for the names of figures, unique among the images of a run
	Tensor *tensor.Tensor
}

// InputOf is image i of a list, loaded before.
func InputOf(src *images.Inputs, i int, x *tensor.Tensor) Input {
	return Input{Name: src.Items[i].Name, Stem: src.Items[i].Stem, Tensor: x}
}

// Input is a picture as the network sees it.
func (s *Session) Input(p images.Picture) (Input, error) {
	x, err := p.Tensor(s.Net.Preprocess, s.Net.Input)
	if err != nil {
		return Input{}, err
	}
	base := filepath.Base(p.Name)
	return Input{Name: p.Name, Stem: strings.TrimSuffix(base, filepath.Ext(base)), Tensor: x}, nil
}

// picture is the image in pixels, of a volume all planes.
func (in Input) picture(net *model.Network) image.Image {
	if dims := net.Volume(net.Input.Name); dims != nil {
		return beside(in.planes(dims))
	}
	return net.Preprocess.Image(in.Tensor.Data, net.Input)
}

// Figure is a picture, the numbers it shows, and where it comes from.
type Figure struct {
	Name    string // for files, without extension
	Image   image.Image
	Numbers any    // what is to be said in JSON
	Array   *Array // the numbers of the picture; nil if there are none
	Facts   []Fact // provenance
}

// Provenance is what a picture says about how it was made: the program's version, the arguments it was given, the
// network, and the figure's own facts.
func (s *Session) Provenance(version string, args []string, facts []Fact) []Fact {
	out := []Fact{{"Software", "viz " + version}, {"viz.command", strings.Join(args, " ")}, {"viz.model", s.about()}}
	for _, f := range facts {
		out = append(out, Fact{"viz." + f.Key, f.Value})
	}
	return out
}

// Array is numbers in row-major order.
type Array struct {
	Shape []int
	Data  []float32
}

// Fact is one item of provenance, such as "layer" and "relu1".
type Fact struct{ Key, Value string }

// FieldError is what is wrong with a request.
type FieldError struct {
	Field   string // as the commands call it, such as "layer"
	Problem string // with the value: "9: the network has 5 convolution layers"
	Hint    string // what can be done; may be empty
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// Scaling says what the ends of a scale of colours are taken from.
type Scaling string

const (
	PerLayer Scaling = "layer" // the largest magnitude of the layer
	PerMap   Scaling = "map"   // of each map
	PerTile  Scaling = "tile"  // of each tile of the picture
	Fixed    Scaling = "fixed" // a number
)

// check returns an error unless s is one of the scalings, or empty.
func (s Scaling) check(allowed ...Scaling) error {
	for _, a := range allowed {
		if s == a {
			return nil
		}
	}
	want := ""
	for i, a := range allowed {
		switch {
		case i == 0:
		case i == len(allowed)-1:
			want += " or "
		default:
			want += ", "
		}
		want += string(a)
	}
	return &FieldError{Field: "scale", Problem: fmt.Sprintf("%s: want %s", s, want)}
}

// columns is how many of n tiles to put in a row so that the grid has about the given ratio of columns to
// rows, with as few empty cells as can be had nearby.
func columns(n int, ratio float64) int {
	ideal := math.Sqrt(ratio * float64(n))
	best, cost := 1, math.Inf(1)
	for c := 1; c <= n; c++ {
		empty := (c - n%c) % c
		if k := math.Abs(exact.Log(float64(c)/ideal)) + float64(empty)/float64(c)/3; k < cost {
			best, cost = c, k
		}
	}
	return best
}

// JSON is the JSON form of a result, as files have it. Numbers that JSON does not know are an error that says what
// they mean.
func JSON(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if u, ok := errors.AsType[*json.UnsupportedValueError](err); ok {
		return nil, fmt.Errorf("the numbers are not finite (%s): the weights or the input are too large, or damaged", u.Str)
	}
	return append(plainJSON(text), '\n'), err
}

// plainJSON writes the characters that a terminal may act on, which names can have, as \u0000 does; JSON's own are
// plain.
func plainJSON(text []byte) []byte {
	acts := func(r rune) bool { return r >= 0x7f && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
	if !bytes.ContainsFunc(text, acts) {
		return text
	}
	var out []byte
	for _, r := range string(text) {
		if acts(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// Table is numbers as rows of text, for CSV files.
type Table struct {
	Name   string // for the file, without extension
	Header []string
	Rows   [][]string
}

// Num writes a number with a fixed number of digits behind the point for tables; nothing for NaN.
func Num(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// Number writes a number as figures do: four digits, powers of ten where they help.
func Number(v float64) string { return render.Number(v) }
