package view

import (
	"fmt"
	"image"
	"math"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// GradCAM asks for the class activation map of a layer (deconv.GradCAM).
type GradCAM struct {
	Layer   string  // "": the last tokens that all count of a transformer, else the last block or convolution before the scores
	Class   *int    // nil: the image's most probable one
	At      *[2]int // row, column of a map of scores; nil: all of it
	Opacity float64 // of the overlay where the map is strongest; 0: 0.7
	Palette Palette // "": Viridis
	Tokens  [2]int  // rows, columns of a transformer's tokens in the image; 0, 0: as the network shows them
}

// Fields are the settings of the request.
func (r *GradCAM) Fields() Fields {
	return Fields{
		FieldOf(Field{Name: "layer", Also: []string{"l"}, Network: true,
			Usage: "`LAYER` by number, name, block or module (3, relu3, block2, layer4.1); default: the last block or convolution before the scores, of a transformer the last tokens that all count"},
			&r.Layer, oneLayer, func(layer string) string { return layer }),
		classField(&r.Class),
		atField(&r.At),
		tokensField(&r.Tokens),
		ChoiceField(Field{Name: "cmap", Default: string(Viridis), Usage: "colours: `NAME` is viridis, jet or gray"}, &r.Palette, ParsePalette),
		PositiveField(Field{Name: "opacity", Default: "0.7", Usage: "of the overlay where the map is strongest, 0 to 1"}, &r.Opacity, 1),
	}
}

// Palette names the colours of a map that begins at 0.
type Palette string

const (
	Viridis Palette = "viridis"
	Jet     Palette = "jet"
	Gray    Palette = "gray"
)

// Palettes lists the palettes.
func Palettes() []Palette { return []Palette{Viridis, Jet, Gray} }

// ParsePalette reads the name of a palette.
func ParsePalette(s string) (Palette, error) {
	_, err := Palette(s).colors()
	return Palette(s), err
}

func (p Palette) colors() (render.Palette, error) {
	switch p {
	case "", Viridis:
		return render.Viridis, nil
	case Jet:
		return render.Jet, nil
	case Gray:
		return render.Gray, nil
	}
	return nil, &FieldError{Field: "cmap", Problem: fmt.Sprintf("%s: want viridis, jet or gray", p)}
}

// Validate reports the first thing wrong with the request for a network.
func (r GradCAM) Validate(net *model.Network) error {
	if _, err := r.Palette.colors(); err != nil {
		return err
	}
	r, err := r.with(net)
	if err != nil {
		return err
	}
	if !(r.Opacity >= 0 && r.Opacity <= 1) {
		return &FieldError{Field: "opacity", Problem: fmt.Sprintf("%g: want more than 0, at most 1", r.Opacity)}
	}
	if _, err := net.Places(r.Layer, r.Tokens); err != nil {
		given := "not given"
		if r.Tokens != [2]int{} {
			given = fmt.Sprintf("%dx%d", r.Tokens[0], r.Tokens[1])
		}
		return &FieldError{Field: "tokens", Problem: given + ": " + err.Error(), Hint: "--tokens 14x14 says how tokens lie in the image"}
	}
	reading, err := net.Reading()
	if err != nil {
		return err
	}
	target := model.Target{At: r.At}
	if r.Class != nil {
		target.Class = *r.Class
	}
	return reading.Check(target)
}

// with fills in the layer.
func (r GradCAM) with(net *model.Network) (GradCAM, error) {
	var err error
	if r.Layer == "" {
		r.Layer = net.LastTokens()
	}
	if r.Layer == "" {
		r.Layer, err = lastLayer(net)
	}
	return r, err
}

// Plan compiles what GradCAM needs; a caller with many images makes it once.
func (r GradCAM) Plan(s *Session) (*model.Plan, error) {
	r, err := r.with(s.Net)
	if err != nil {
		return nil, err
	}
	keep, err := deconv.GradCAMKeep(s.Net, r.Layer)
	if err != nil {
		return nil, err
	}
	return s.Engine.Compile(s.Net, keep)
}

// GradCAMNumbers says what a figure of GradCAM shows.
type GradCAMNumbers struct {
	Model       string         `json:"model"`
	Layer       string         `json:"layer"`
	Class       string         `json:"class"`
	Number      int            `json:"class_number"`
	Quantity    model.Quantity `json:"quantity"` // of the class: which of the next two fields is set
	Probability *float64       `json:"probability,omitempty"`
	Value       *float64       `json:"value,omitempty"`
	Score       float64        `json:"score"`         // before softmax or sigmoid
	At          *[2]int        `json:"at,omitempty"`  // row, column of the scores' map
	Sum         bool           `json:"sum,omitempty"` // the numbers of the class are sums over all places of the scores' map
	Image       string         `json:"image"`
	Lo          float64        `json:"lo"` // ends of the scale
	Hi          float64        `json:"hi"`
}

// GradCAM draws the map of one image from a trace that a plan of the request made.
func (s *Session) GradCAM(r GradCAM, t *model.Trace, in Input) (Figure, error) {
	if err := r.Validate(s.Net); err != nil {
		return Figure{}, err
	}
	r, err := r.with(s.Net)
	if err != nil {
		return Figure{}, err
	}
	reading, err := s.Net.Reading()
	if err != nil {
		return Figure{}, err
	}
	scores := t.Value(s.Net.Logits).Data
	if err := known(in.Name, s.Net.Logits, scores); err != nil {
		return Figure{}, err
	}
	target := model.Target{Class: reading.Default(scores).Class, At: r.At}
	if r.Class != nil {
		target.Class = *r.Class
	}
	places, err := s.Net.Places(r.Layer, r.Tokens)
	if err != nil {
		return Figure{}, err
	}
	cam, err := deconv.GradCAMAt(s.Engine, t, 0, r.Layer, places, target)
	if err != nil {
		return Figure{}, err
	}
	if err := finite(in.Name, "value of the map", r.Layer, cam); err != nil {
		return Figure{}, err
	}
	shape := places.Shape()
	told := reading.Tell(scores, target)
	_, hi := render.Range(cam)
	n := GradCAMNumbers{Model: s.hash, Layer: r.Layer, Class: s.Net.Class(target.Class), Number: target.Class, Quantity: reading.Quantity(), Score: told.Score, At: r.At, Sum: r.At == nil && reading.Spatial(), Image: in.Name, Hi: hi}
	if n.Quantity == model.Probability {
		n.Probability = &told.Value
	} else {
		n.Value = &told.Value
	}
	array := []int{shape.H, shape.W}
	draw := func() image.Image { return s.gradCAMFigure(r, in, cam, shape, n, told.Value) }
	if dims := s.Net.Volume(r.Layer); dims != nil {
		array = dims[1:]
		draw = func() image.Image { return s.volumeFigure(r, in, cam, dims, n, told.Value) }
	}
	return Figure{Name: "gradcam-" + in.Stem + "-" + r.Layer, Image: draw(), Numbers: n, Array: &Array{array, cam},
		Facts: []Fact{{"layer", r.Layer}, {"class", n.Class}, {"class_number", fmt.Sprint(n.Number)}, {"image", in.Name}}}, nil
}

// classText names a class with its number: "dragonfly (319)"; a class without a name is its number.
func (s *Session) classText(k int) string {
	if name := s.Net.Class(k); name != fmt.Sprint(k) {
		return fmt.Sprintf("%s (%d)", name, k)
	}
	return fmt.Sprint(k)
}

func (r GradCAM) opacity() float64 {
	if r.Opacity == 0 {
		return 0.7
	}
	return r.Opacity
}

// heatOver draws a map from 0 to hi, as opaque as it is strong.
func heatOver(smooth []float32, h, w int, hi float64, colors render.Palette) *image.NRGBA {
	heat := render.Heat(smooth, h, w, 0, hi, colors)
	for i, v := range smooth {
		if hi > 0 {
			heat.Pix[4*i+3] = uint8(math.Round(255 * min(max(float64(v)/hi, 0), 1)))
		} else {
			heat.Pix[4*i+3] = 0
		}
	}
	return heat
}

func (s *Session) gradCAMFigure(r GradCAM, in Input, cam []float32, shape model.Shape, n GradCAMNumbers, told float64) image.Image {
	colors, _ := r.Palette.colors()
	opacity := r.opacity()
	size := s.Net.Input
	k := max(224/max(size.H, size.W), 1)
	picture := render.Magnify(in.picture(s.Net), k)
	smooth := render.Smooth(cam, shape.H, shape.W, size.H*k, size.W*k)
	heat := heatOver(smooth, size.H*k, size.W*k, n.Hi, colors)
	bar := &render.ColorBar{Palette: colors, Lo: 0, Hi: n.Hi, Label: "weighted activation"}
	note := fmt.Sprintf("%d×%d values, as they are", shape.H, shape.W)
	if n.Hi == 0 {
		note = "no positive evidence for the class in this layer"
	}
	return render.Figure{Title: fmt.Sprintf("Grad-CAM at %s for %s", r.Layer, s.classText(n.Number)), Columns: 3, PanelSize: max(size.H, size.W) * k, Panels: []render.Panel{
		{Title: "image", Image: picture, Note: fmt.Sprintf("%s; %s of %s: %s", images.Title(in.Name), n.Quantity, s.classText(n.Number), render.Number(told))},
		{Title: "class activation map", Image: render.Heat(cam, shape.H, shape.W, 0, n.Hi, colors), Bar: bar, Note: note},
		{Title: "over the image", Image: render.Overlay(picture, heat, opacity), Note: fmt.Sprintf("interpolated; as opaque as strong, at most %.2g", opacity)}},
		Caption: []string{fmt.Sprintf("The maps of %s, %v, weighted with the mean gradient of the class score over each; negative sums are 0. %s", r.Layer, shape, s.about())}}.Draw()
}
