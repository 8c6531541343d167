package view

import (
	"fmt"
	"image"
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Unit asks for the projection of one unit of an image.
type Unit struct {
	Unit model.Unit
	Rule deconv.Rule // "": deconv.Paper
	Clip float64     // see Sheets.Clip
}

// Fields are the settings of the request.
func (r *Unit) Fields() Fields {
	return Fields{
		FieldOf(Field{Name: "unit", Usage: "project one unit, `LAYER:CHANNEL:Y:X` (or LAYER:CHANNEL), of the first image", Network: true}, &r.Unit,
			(*model.Network).ParseUnit, func(u model.Unit) string { return notZero(u, u.String()) }),
		RuleField(&r.Rule),
		clipField(&r.Clip),
	}
}

// UnitNumbers says what the figure of a unit shows.
type UnitNumbers struct {
	Model  string      `json:"model"`
	Unit   string      `json:"unit"`
	Rule   deconv.Rule `json:"rule"`
	Image  string      `json:"image"`
	Value  float32     `json:"value"` // the unit's activation
	Box    model.Box   `json:"box"`   // its receptive field in the image
	MaxAbs float64     `json:"max_abs"`
	Scale  float64     `json:"scale"` // what is white and black
	Clip   float64     `json:"clip"`
}

// ProjectUnit projects a unit to pixels.
func (s *Session) ProjectUnit(r Unit, in Input) (*deconv.Projection, error) {
	if r.Rule == "" {
		r.Rule = deconv.Paper
	}
	t, err := s.Engine.Forward(s.Net, in.Tensor)
	if err != nil {
		return nil, err
	}
	return deconv.New(s.Engine, s.Net, r.Rule).Project(t, 0, r.Unit)
}

// UnitFigure draws a projection that ProjectUnit made: the image with the unit's receptive field, the patch,
// the projection.
func (s *Session) UnitFigure(r Unit, in Input, p *deconv.Projection) Figure {
	if r.Rule == "" {
		r.Rule = deconv.Paper
	}
	if r.Clip == 0 {
		r.Clip = DefaultClip
	}
	input := s.Net.Input
	scale := p.Magnitude(r.Clip)
	fig := render.Figure{Title: fmt.Sprintf("Unit %v, rule %s", r.Unit, ruleText(r.Rule)), Columns: 3, Panels: []render.Panel{
		{Title: "image", Image: s.marked(in.Tensor.Data, p.Box), Note: images.Title(in.Name) + "; " + boxText(p.Box)},
		{Title: "patch", Image: render.MagnifyTo(p.Crop(s.Net.Preprocess, input, in.Tensor), 224)},
		{Title: "projection", Image: render.MagnifyTo(p.Draw(s.Net.Preprocess, scale), 224),
			Bar: &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "input units"}, Note: activationNote(p.Value)}},
		Caption: []string{s.about() + "; 0 is mid-grey, white and black are the " + ClipText(r.Clip)}}
	return Figure{Name: fmt.Sprintf("%s-%s-%s", r.Rule, in.Stem, strings.ReplaceAll(r.Unit.String(), ":", "-")), Image: fig.Draw(),
		Numbers: UnitNumbers{s.hash, r.Unit.String(), r.Rule, in.Name, p.Value, p.Box, p.MaxAbs(), scale, r.Clip},
		Array:   &Array{[]int{input.C, input.H, input.W}, p.Full(input.H, input.W)},
		Facts:   []Fact{{"unit", r.Unit.String()}, {"rule", string(r.Rule)}, {"image", in.Name}}}
}

// marked is an image with a box drawn into it.
func (s *Session) marked(x []float32, b model.Box) image.Image {
	in := s.Net.Input
	k := max(224/max(in.H, in.W), 1)
	img := render.Magnify(s.Net.Picture(x), k)
	render.DrawBox(img, image.Rect(b.X0*k, b.Y0*k, b.X1*k, b.Y1*k), image.White.C, max(k/2, 1))
	return img
}

// boxText says where a receptive field is.
func boxText(b model.Box) string {
	return fmt.Sprintf("box: receptive field, rows %d to %d, columns %d to %d", b.Y0, b.Y1-1, b.X0, b.X1-1)
}

// activationNote says where a projection started.
func activationNote(v float32) string {
	if v == 0 {
		return "activation 0: the unit does not fire, so there is nothing to project"
	}
	return "activation " + render.Number(float64(v))
}
