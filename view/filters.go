package view

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Filters asks for the filters of convolutions.
type Filters struct {
	Layers []string // convolutions; nil: all whose filters are larger than 1x1, or all if there are no others
	Most   int      // maps drawn of a layer, and of its inputs; 0: 64
	Scale  Scaling  // PerLayer (the default) or PerTile
}

// Fields are the settings of the request.
func (r *Filters) Fields() Fields {
	return Fields{
		LayersField(Field{Name: "layer", Usage: "convolution `LAYER` by number or name; several with commas, or all; default: all that are larger than 1x1"}, &r.Layers, ParseConvolutions),
		ChoiceField(Field{Name: "scale", Default: string(PerLayer), Usage: "white and black are the largest magnitude of the `layer` or of each tile"}, &r.Scale,
			func(s string) (Scaling, error) { return Scaling(s), Scaling(s).check(PerLayer, PerTile) }),
		IntField(Field{Name: "max", Default: "64", Usage: "draw at most `N` maps of a layer, and of its inputs"}, &r.Most, 1),
	}
}

// Validate reports the first thing wrong with the request.
func (r Filters) Validate() error {
	if r.Most < 0 {
		return &FieldError{Field: "max", Problem: fmt.Sprintf("%d: want at least 1", r.Most)}
	}
	if r.Scale != "" {
		return r.Scale.check(PerLayer, PerTile)
	}
	return nil
}

func (r Filters) defaults() Filters {
	if r.Most == 0 {
		r.Most = 64
	}
	if r.Scale == "" {
		r.Scale = PerLayer
	}
	return r
}

// FilterNumbers says what a figure of filters shows.
type FilterNumbers struct {
	Model   string  `json:"model"`
	Layer   string  `json:"layer"`
	Shape   []int   `json:"shape"` // [maps, inputs, rows, columns]
	Scale   float64 `json:"scale"` // the layer's largest magnitude
	Scaling Scaling `json:"scaling"`
}

// Convolutions lists the convolutions of a network. spaced has those whose filters are larger than 1x1, or
// all if there are no others.
func Convolutions(net *model.Network) (all, spaced []string) {
	for _, n := range net.Nodes {
		if l := model.ConvOfMaps(n.Layer); l != nil {
			all = append(all, n.Name)
			if s := l.Weight.Shape; s[2]*s[3] > 1 {
				spaced = append(spaced, n.Name)
			}
		}
	}
	if spaced == nil {
		spaced = all
	}
	return all, spaced
}

// ParseConvolutions reads a list of convolutions by number or name, or "all".
func ParseConvolutions(net *model.Network, list string) ([]string, error) {
	all, _ := Convolutions(net)
	if len(all) == 0 {
		return nil, NoFilters(net)
	}
	if list == "all" {
		return all, nil
	}
	layers, err := ParseLayers(net, list)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range layers {
		if i := slices.Index(net.ConvLayers(), name); i >= 0 {
			name = net.ConvNodes()[i]
		}
		if _, err := filtersOf(net.Node(name)); err != nil {
			err.Hint = "convolution layers: " + strings.Join(all, ", ")
			return nil, err
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// NoFilters says why there are no filters to draw in a network without a convolution over rows and columns.
func NoFilters(net *model.Network) error {
	if net.Volume(net.Input.Name) != nil || len(net.ConvLayers()) > 0 {
		return fmt.Errorf("network %s has convolutions over three axes only: filters are drawn as rows and columns", net.Name)
	}
	return fmt.Errorf("network %s has no convolution layers", net.Name)
}

// Filters draws one figure for each layer.
func (s *Session) Filters(r Filters) ([]Figure, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	r = r.defaults()
	layers := r.Layers
	if layers == nil {
		if _, layers = Convolutions(s.Net); layers == nil {
			return nil, NoFilters(s.Net)
		}
	}
	var out []Figure
	for _, name := range layers {
		l, err := s.convolution(name)
		if err != nil {
			return nil, err
		}
		out = append(out, s.filters(r, name, l))
	}
	return out, nil
}

// convolution is the layer of a node, which must be a convolution.
func (s *Session) convolution(name string) (*model.Conv, error) {
	n := s.Net.Node(name)
	if n == nil {
		return nil, &FieldError{Field: "layer", Problem: name + ": no such layer"}
	}
	l, err := filtersOf(n)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// filtersOf is the layer of a node, which must be a convolution of maps.
func filtersOf(n *model.Node) (*model.Conv, *FieldError) {
	l := model.ConvOfMaps(n.Layer)
	if l != nil {
		return l, nil
	}
	why := fmt.Sprintf("is a %s: it has no filters", n.Layer.Kind())
	if _, deep := n.Layer.(*model.Conv); deep {
		why = "is a convolution over three axes: filters are drawn as rows and columns"
	}
	return nil, &FieldError{Field: "layer", Problem: n.Name + " " + why}
}

func (s *Session) filters(r Filters, name string, l *model.Conv) Figure {
	weights := l.Weight.Floats()
	scale := render.MaxAbs(weights)
	shown := scale
	text := fmt.Sprintf("0 is mid-grey, white and black are ±%s, the layer's largest weight", render.Number(scale))
	if r.Scale == PerTile {
		shown, text = 0, "0 is mid-grey, white and black are each tile's largest weight"
	}
	tiles, columns, pairs := filterTiles(s.Net, name, r.Most, shown)
	shape := l.Weight.Shape
	what := fmt.Sprintf("%d filters of %dx%dx%d", shape[0], shape[1], shape[2], shape[3])
	size := 50
	switch {
	case pairs:
		size = 15
		what += fmt.Sprintf("; a row for each map (%d of %d), a column for each input (%d of %d)", min(shape[0], r.Most), shape[0], columns, shape[1])
	case shape[0] > r.Most:
		what += fmt.Sprintf(" (%d shown)", r.Most)
	}
	grid := render.Grid(tiles, render.GridOptions{Columns: columns, MinTile: size})
	fig := render.Figure{Title: "Filters of " + name, Caption: []string{what + ". " + text + ".", s.about()}, PanelSize: -1,
		Panels: []render.Panel{{Image: grid, Bar: weightBar(r.Scale, scale)}}, Columns: 1}
	return Figure{Name: "filters-" + name, Image: fig.Draw(),
		Numbers: FilterNumbers{s.hash, name, shape, scale, r.Scale},
		Array:   &Array{shape, weights},
		Facts:   []Fact{{"layer", name}, {"scale", text}}}
}

// filterTiles draws the filters of one layer: in colour if they read a colour image, one grey tile for each
// map if they read one channel, otherwise (pairs) one grey tile for each pair of map and input, a row for
// each map.
func filterTiles(net *model.Network, name string, most int, scale float64) (tiles []image.Image, perRow int, pairs bool) {
	l := net.Node(name).Layer.(*model.Conv)
	s := l.Weight.Shape
	size, weights := s[1]*s[2]*s[3], l.Weight.Floats()
	if s[1] == 3 && net.ReadsPixels(name) || s[1] == 1 {
		for k := range min(s[0], most) {
			tiles = append(tiles, Filter(net, weights[k*size:(k+1)*size], s[1], s[2], s[3], scale))
		}
		return tiles, columns(len(tiles), 2), false
	}
	inputs := min(s[1], most)
	for k := range min(s[0], most) {
		for ch := range inputs {
			at := k*size + ch*s[2]*s[3]
			tiles = append(tiles, Filter(net, weights[at:at+s[2]*s[3]], 1, s[2], s[3], scale))
		}
	}
	return tiles, inputs, true
}

// Filter draws weights [c][h][w] with 0 as mid-grey; a scale of 0 takes their own largest magnitude.
func Filter(net *model.Network, weights []float32, c, h, w int, scale float64) image.Image {
	if scale == 0 {
		scale = render.MaxAbs(weights)
	}
	return render.Signed(net.Preprocess.RGB(weights, c), c, h, w, scale)
}

// weightBar is the colour bar of filters, which tiles of scales of their own do not have.
func weightBar(scaling Scaling, scale float64) *render.ColorBar {
	if scaling == PerTile {
		return nil
	}
	return &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "weight"}
}

// FilterEvolution asks for the filters of one layer at several checkpoints of one network.
type FilterEvolution struct {
	Files  []string // names of the checkpoints, for people
	Layers []string // the convolution in each
	Called string   // what the user calls the layer
	Most   int      // maps drawn, at most 32
	Scale  Scaling  // PerLayer (one scale for all checkpoints, the default) or PerTile
}

// StepNumbers is one checkpoint of a FilterEvolution.
type StepNumbers struct {
	File  string  `json:"file"`
	Step  int     `json:"step"`
	Model string  `json:"model"`
	Max   float64 `json:"max"`
}

// FilterEvolutionNumbers says what the figure shows.
type FilterEvolutionNumbers struct {
	Layer       string        `json:"layer"`
	Scale       float64       `json:"scale"`
	Scaling     Scaling       `json:"scaling"`
	Checkpoints []StepNumbers `json:"checkpoints"`
}

// EvolveFilters draws the filters of several checkpoints below each other.
func EvolveFilters(sessions []*Session, r FilterEvolution) (Figure, error) {
	f := Filters{Most: r.Most, Scale: r.Scale}
	if err := f.Validate(); err != nil {
		return Figure{}, err
	}
	f = f.defaults()
	var layers []*model.Conv
	scale := 0.
	for i, s := range sessions {
		l, err := s.convolution(r.Layers[i])
		if err != nil {
			return Figure{}, fmt.Errorf("%s: %w", r.Files[i], err)
		}
		if i > 0 && !slices.Equal(l.Weight.Shape, layers[0].Weight.Shape) {
			return Figure{}, fmt.Errorf("%s: layer %s is %v, but %v in %s", r.Files[i], r.Layers[i], l.Weight.Shape, layers[0].Weight.Shape, r.Files[0])
		}
		layers = append(layers, l)
		scale = max(scale, render.MaxAbs(l.Weight.Floats()))
	}
	fig := render.Figure{Title: "Filters of layer " + r.Called + " through training", Columns: 1, PanelSize: -1}
	text, shown := fmt.Sprintf("one scale for all: 0 is mid-grey, white and black are ±%s", render.Number(scale)), scale
	if f.Scale == PerTile {
		text, shown = "0 is mid-grey, white and black are each tile's largest weight", 0
	}
	numbers := FilterEvolutionNumbers{Layer: r.Called, Scale: scale, Scaling: f.Scale}
	var all []float32
	for i, l := range layers {
		tiles, columns, pairs := filterTiles(sessions[i].Net, r.Layers[i], min(f.Most, 32), shown)
		what := fmt.Sprintf("maps 0 to %d of %d; ", len(tiles)-1, l.Weight.Shape[0])
		if pairs {
			tiles = tiles[:columns]
			what = fmt.Sprintf("map 0: its filters of inputs 0 to %d of %d; ", columns-1, l.Weight.Shape[1])
		}
		if i == 0 {
			fig.Caption = []string{what + text}
		}
		step := sessions[i].Net.Origin.Step
		p := render.Panel{Title: fmt.Sprintf("step %d  (%s)", step, filepath.Base(r.Files[i])),
			Image: render.Grid(tiles, render.GridOptions{Columns: len(tiles), MinTile: 30})}
		if i == len(layers)-1 {
			p.Bar = weightBar(f.Scale, scale)
		}
		fig.Panels = append(fig.Panels, p)
		numbers.Checkpoints = append(numbers.Checkpoints, StepNumbers{r.Files[i], step, sessions[i].hash, render.MaxAbs(l.Weight.Floats())})
		all = append(all, l.Weight.Floats()...)
	}
	return Figure{Name: "evolution-layer" + r.Called, Image: fig.Draw(), Numbers: numbers,
		Array: &Array{append([]int{len(layers)}, layers[0].Weight.Shape...), all}, Facts: []Fact{{"layer", r.Called}}}, nil
}
