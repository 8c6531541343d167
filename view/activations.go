package view

import (
	"fmt"
	"image"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Activations asks for the maps of layers for an image.
type Activations struct {
	Layers []string // nodes of the network; nil: the first convolution's features
	Most   int      // maps drawn of a layer; 0: 256
	Scale  Scaling  // PerLayer (the default) or PerMap
}

// Fields are the settings of the request.
func (r *Activations) Fields() Fields {
	return Fields{
		LayersField(Field{Name: "layer", Also: []string{"l"}, Default: "1", Usage: "`LAYER`s by number or name, comma-separated, or all"}, &r.Layers, ParseLayers),
		ChoiceField(Field{Name: "scale", Default: string(PerLayer), Usage: "colours relative to the largest value of the layer, or of each map: `layer` or map"}, &r.Scale,
			func(s string) (Scaling, error) { return Scaling(s), Scaling(s).check(PerLayer, PerMap) }),
		IntField(Field{Name: "max", Default: "256", Usage: "draw at most `N` maps of a layer"}, &r.Most, 1),
	}
}

// Validate reports the first thing wrong with the request.
func (r Activations) Validate() error {
	if r.Most < 0 {
		return &FieldError{Field: "max", Problem: fmt.Sprintf("%d: want at least 1", r.Most)}
	}
	if r.Scale != "" {
		return r.Scale.check(PerLayer, PerMap)
	}
	return nil
}

// ActivationNumbers says what a figure of activations shows.
type ActivationNumbers struct {
	Model string  `json:"model"`
	Layer string  `json:"layer"`
	Image string  `json:"image"`
	Shape []int   `json:"shape"` // of the layer's value for the image
	Shown int     `json:"shown"` // maps, from the first
	Scale Scaling `json:"scale"`
	Lo    float64 `json:"lo"` // ends of the scale of the whole layer
	Hi    float64 `json:"hi"`
}

// Plan compiles what Activations needs; a caller with many images makes it once.
func (r Activations) Plan(s *Session, switches bool) (*model.Plan, error) {
	layers, err := r.Named(s.Net)
	if err != nil {
		return nil, err
	}
	return s.Engine.Compile(s.Net, model.Keep{Layers: layers, Switches: switches})
}

// Named lists the layers of the request in a network.
func (r Activations) Named(net *model.Network) ([]string, error) {
	if r.Layers == nil {
		return ParseLayers(net, "1")
	}
	return r.Layers, nil
}

// Activations draws one figure for each layer from a trace of one image that holds the layers.
func (s *Session) Activations(r Activations, t *model.Trace, in Input) ([]Figure, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	layers, err := r.Named(s.Net)
	if err != nil {
		return nil, err
	}
	var out []Figure
	for _, layer := range layers {
		if t.Value(layer) == nil {
			return nil, fmt.Errorf("layer %s is not in the trace", layer)
		}
		if err := finite(in.Name, "value", layer, t.Value(layer).Data[:t.Shapes[layer].Len()]); err != nil {
			return nil, err
		}
		out = append(out, s.activations(r, t, in, layer))
	}
	return out, nil
}

func (s *Session) activations(r Activations, t *model.Trace, in Input, layer string) Figure {
	shape := t.Shapes[layer]
	f := newActivationFigure(t.Value(layer).Data[:shape.Len()], shape, r)
	f.picture = in.picture(s.Net)
	f.volume = s.Net.Volume(layer)
	dims := volumeShape(s.Net, layer, shape)
	size := shape.String()
	if f.volume != nil {
		size = timesText(dims)
	}
	caption := fmt.Sprintf("%s: %s, %s. %s", images.Title(in.Name), size, f.text(), s.about())
	return Figure{
		Name:  "activations-" + in.Stem + "-" + layer,
		Image: f.draw("Activations of "+layer, caption),
		Numbers: ActivationNumbers{Model: s.hash, Layer: layer, Image: in.Name, Shape: dims, Shown: f.shown,
			Scale: f.scale, Lo: f.lo, Hi: f.hi},
		Array: &Array{dims, f.values},
		Facts: []Fact{{"layer", layer}, {"image", in.Name}},
	}
}

// activationFigure is the maps of a layer beside the image. Scales begin at 0, or lie around it if there are
// negative values.
type activationFigure struct {
	picture image.Image
	shape   model.Shape
	volume  []int // channels, depth, rows, columns of a layer of volumes, or nil
	values  []float32
	shown   int
	scale   Scaling
	lo, hi  float64
	palette render.Palette
}

func newActivationFigure(values []float32, shape model.Shape, r Activations) activationFigure {
	most := r.Most
	if most == 0 {
		most = 256
	}
	f := activationFigure{shape: shape, values: values, shown: min(shape.C, most), scale: PerLayer, palette: render.Viridis}
	if shape.H*shape.W == 1 {
		f.shown = shape.C
	} else if r.Scale == PerMap {
		f.scale = PerMap
	}
	lo, hi := render.Range(values)
	f.hi = hi
	if lo < 0 {
		f.hi = max(-lo, hi)
		f.lo, f.palette = -f.hi, render.Diverging
	}
	return f
}

// text says what the tiles are.
func (f activationFigure) text() string {
	switch {
	case f.shape.H*f.shape.W == 1:
		return fmt.Sprintf("%d values, row by row", f.shape.C)
	case f.volume != nil:
		return fmt.Sprintf("%d of %d maps, numbered from 0, their %d planes beside each other", f.shown, f.shape.C, f.volume[1])
	case f.scale == PerMap:
		return fmt.Sprintf("%d of %d maps, numbered from 0, each scaled to its own largest magnitude", f.shown, f.shape.C)
	}
	return fmt.Sprintf("%d of %d maps, numbered from 0, one scale for all", f.shown, f.shape.C)
}

// limits are the ends of the scale of one map.
func (f activationFigure) limits(values []float32) (lo, hi float64) {
	if f.scale != PerMap {
		return f.lo, f.hi
	}
	lo, hi = render.Range(values)
	if f.lo < 0 {
		hi = max(-lo, hi)
		return -hi, hi
	}
	return 0, hi
}

// tiles draws each map, or each value of a layer without space.
func (f activationFigure) tiles() ([]image.Image, render.GridOptions) {
	h, w := f.shape.H, f.shape.W
	options := render.GridOptions{MinTile: 48, Gap: 2, Columns: columns(f.shown, 1.3*float64(h)/float64(w))}
	if f.volume != nil {
		options.Columns = columns(f.shown, 1.3*float64(f.volume[2])/float64(f.volume[1]*f.volume[3]))
	}
	if h*w == 1 {
		options = render.GridOptions{MinTile: 12, Columns: max(min(f.shape.C, 50), columns(f.shape.C, 2))}
	}
	var tiles []image.Image
	for k := range f.shown {
		values := f.values[k*h*w : (k+1)*h*w]
		lo, hi := f.limits(values)
		if f.volume != nil {
			tiles = append(tiles, beside(heats(values, f.volume[1:], lo, hi, f.palette)))
		} else {
			tiles = append(tiles, render.Heat(values, h, w, lo, hi, f.palette))
		}
		if h*w > 1 {
			options.Labels = append(options.Labels, fmt.Sprint(k))
		}
	}
	return tiles, options
}

func (f activationFigure) draw(title, caption string) image.Image {
	bar := &render.ColorBar{Palette: f.palette, Lo: f.lo, Hi: f.hi, Label: "activation"}
	if f.scale == PerMap {
		bar.Lo, bar.Hi, bar.Label = 0, 1, "share of each map's largest magnitude"
		if f.lo < 0 {
			bar.Lo = -1
		}
	}
	tiles, options := f.tiles()
	b := f.picture.Bounds()
	return render.Figure{Title: title, PanelSize: -1, Columns: 2,
		Panels: []render.Panel{{Title: "image", Image: render.Magnify(f.picture, max(224/max(b.Dx(), b.Dy()), 1))},
			{Title: "maps", Image: render.Grid(tiles, options), Bar: bar}},
		Caption: []string{caption}}.Draw()
}
