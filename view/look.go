package view

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"sync"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

// Look is a session made ready for the small questions of somebody who looks around: what a layer does for an image,
// what a unit sees, what happens under an occluder. It may be used by many goroutines at once.
type Look struct {
	s       *Session
	reading *model.Reading // nil: the network has no scores
	noScore error
	values  *model.Plan // of all layers

	mu         sync.Mutex
	projectors map[deconv.Rule]*deconv.Projector
	spotters   map[string]*occlusion.Spotter // by layers
}

// Look prepares a session.
func (s *Session) Look() (*Look, error) {
	k := &Look{s: s, projectors: map[deconv.Rule]*deconv.Projector{}, spotters: map[string]*occlusion.Spotter{}}
	k.reading, k.noScore = s.Net.Reading()
	var err error
	k.values, err = s.Engine.Compile(s.Net, model.Keep{})
	return k, err
}

// Session is what the look is of.
func (k *Look) Session() *Session { return k.s }

// Trace runs the network on an image and keeps all layers, as ProjectUnit does.
func (k *Look) Trace(in Input) (*model.Trace, error) { return k.values.Run(in.Tensor) }

// TraceBytes is the memory that a trace takes.
func (k *Look) TraceBytes() (bytes int) {
	shapes, err := k.s.Net.Shapes()
	if err != nil {
		return 0
	}
	for i := range k.s.Net.Nodes {
		n := &k.s.Net.Nodes[i]
		bytes += 4 * shapes[n.Name].Len()
		if n.Layer.Kind() == "MaxPool" {
			bytes += 4 * shapes[n.Name].Len()
		}
	}
	return bytes
}

// Picture is an input as the network sees it, in pixels.
func (k *Look) Picture(in Input) image.Image { return in.picture(k.s.Net) }

// MapFacts are numbers about one map of a layer for an image.
type MapFacts struct {
	Map  int     `json:"map"`
	Max  float32 `json:"max"` // the strongest activation, and where: the first of equals in row-major order
	Y    int     `json:"y"`
	X    int     `json:"x"`
	Min  float32 `json:"min"`
	Mean float64 `json:"mean"`
}

// LayerMaps are all maps of a layer for an image.
type LayerMaps struct {
	Layer  string     `json:"layer"`
	Shape  [3]int     `json:"shape"` // maps, rows, columns
	Volume []int      `json:"volume,omitempty"`
	Scale  Scaling    `json:"scale"`
	Lo     float64    `json:"lo"` // ends of the scale of the layer
	Hi     float64    `json:"hi"`
	Signed bool       `json:"signed"` // the scale lies around 0
	Maps   []MapFacts `json:"maps"`
	// Tile and Columns say how the maps lie in the picture: rows and columns of each, and how many side by side.
	Tile    [2]int         `json:"tile"`
	Columns int            `json:"columns"`
	Reduced int            `json:"reduced,omitempty"` // of so many values squared the largest magnitude is drawn
	Image   image.Image    `json:"-"`
	Palette render.Palette `json:"-"`
}

// Side is the largest tile, in pixels, that Maps draws.
const Side = 64

// Maps shows all maps of a layer of a trace.
func (k *Look) Maps(t *model.Trace, layer string, scale Scaling) (*LayerMaps, error) {
	if scale == "" {
		scale = PerLayer
	}
	if err := scale.check(PerLayer, PerMap); err != nil {
		return nil, err
	}
	v := t.Value(layer)
	if v == nil {
		return nil, &FieldError{Field: "layer", Problem: layer + ": no such layer"}
	}
	shape := k.s.Net.Input.Shape()
	if layer != k.s.Net.Input.Name {
		shape = t.Shapes[layer]
	}
	f := newActivationFigure(v.Data[:shape.Len()], shape, Activations{Most: shape.C, Scale: scale})
	m := &LayerMaps{Layer: layer, Shape: [3]int{shape.C, shape.H, shape.W}, Volume: k.s.Net.Volume(layer), Scale: f.scale,
		Lo: f.lo, Hi: f.hi, Signed: f.lo < 0, Palette: f.palette}
	plane := shape.H * shape.W
	for c := range shape.C {
		m.Maps = append(m.Maps, mapFacts(c, f.values[c*plane:(c+1)*plane], shape.W))
	}
	m.draw(f)
	return m, nil
}

func mapFacts(c int, values []float32, w int) MapFacts {
	f := MapFacts{Map: c}
	if len(values) == 0 {
		return f
	}
	f.Max, f.Min = values[0], values[0]
	for i, v := range values {
		if v > f.Max {
			f.Max, f.Y, f.X = v, i/w, i%w
		}
		f.Min = min(f.Min, v)
		f.Mean += float64(v)
	}
	f.Mean /= float64(len(values))
	return f
}

// draw lays the maps out in one picture of 256 colours.
func (m *LayerMaps) draw(f activationFigure) {
	h, w := f.shape.H, f.shape.W
	by := max((max(h, w)+Side-1)/Side, 1)
	if by > 1 {
		m.Reduced = by
	}
	th, tw := (h+by-1)/by, (w+by-1)/by
	m.Tile, m.Columns = [2]int{th, tw}, max(columns(f.shape.C, 1), 1)
	rows := (f.shape.C + m.Columns - 1) / m.Columns
	img := image.NewPaletted(image.Rect(0, 0, m.Columns*tw, rows*th), Colors(f.palette))
	for c := range f.shape.C {
		values := f.values[c*h*w : (c+1)*h*w]
		lo, hi := f.limits(values)
		x0, y0 := c%m.Columns*tw, c/m.Columns*th
		for y := range th {
			for x := range tw {
				v := largestIn(values, w, y*by, min((y+1)*by, h), x*by, min((x+1)*by, w))
				img.Pix[(y0+y)*img.Stride+x0+x] = level(v, lo, hi)
			}
		}
	}
	m.Image = img
}

// largestIn is the value of the largest magnitude in a part of a map.
func largestIn(values []float32, w, y0, y1, x0, x1 int) float32 {
	best := values[y0*w+x0]
	for y := y0; y < y1; y++ {
		for _, v := range values[y*w+x0 : y*w+x1] {
			if max(v, -v) > max(best, -best) {
				best = v
			}
		}
	}
	return best
}

// level is where a value lies between lo and hi, of 256.
func level(v float32, lo, hi float64) uint8 {
	if !(hi > lo) {
		return 0
	}
	t := (float64(v) - lo) / (hi - lo)
	return uint8(float64(min(max(t, 0), 1)*255) + 0.5)
}

// Colors are 256 steps of a palette.
func Colors(p render.Palette) color.Palette {
	out := make(color.Palette, 256)
	for i := range out {
		out[i] = p(float64(i) / 255)
	}
	return out
}

// SeenUnit is a unit taken down to pixels, in parts.
type SeenUnit struct {
	Numbers    UnitNumbers
	Patch      image.Image // the part of the image that it sees
	Projection image.Image // 0 is mid-grey, +-Numbers.Scale white and black
}

// Unit projects a unit of a trace to pixels, as ProjectUnit does.
func (k *Look) Unit(t *model.Trace, r Unit, in Input) (*SeenUnit, error) {
	if r.Rule == "" {
		r.Rule = deconv.Paper
	}
	if r.Clip == 0 {
		r.Clip = DefaultClip
	}
	if err := k.s.Net.CheckUnitIn(t.Shapes, r.Unit); err != nil {
		return nil, &FieldError{Field: "unit", Problem: err.Error()}
	}
	p, err := k.projector(r.Rule).Project(t, 0, r.Unit)
	if err != nil {
		return nil, err
	}
	scale := p.Magnitude(r.Clip)
	return &SeenUnit{
		Numbers:    UnitNumbers{k.s.hash, r.Unit.String(), r.Rule, in.Name, p.Value, p.Box, p.MaxAbs(), scale, r.Clip},
		Patch:      p.Crop(k.s.Net.Preprocess, k.s.Net.Input, in.Tensor),
		Projection: p.Draw(k.s.Net.Preprocess, scale)}, nil
}

// projector is kept, since it holds packed weights.
func (k *Look) projector(rule deconv.Rule) *deconv.Projector {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.projectors[rule] == nil {
		k.projectors[rule] = deconv.New(k.s.Engine, k.s.Net, rule)
	}
	return k.projectors[rule]
}

// Leads says at which layers a projection by a rule can start: "" or why it cannot.
func (k *Look) Leads(rule deconv.Rule, layer string) string {
	if _, err := k.projector(rule).Keep(layer); err != nil {
		return err.Error()
	}
	return ""
}

// Still runs the network on an image to be covered. layers are those whose strongest map is totalled, see
// occlusion.NewSpotter.
func (k *Look) Still(in Input, layers []string) (*occlusion.Still, error) {
	if k.noScore != nil {
		return nil, k.noScore
	}
	spotter, err := k.spotter(layers)
	if err != nil {
		return nil, err
	}
	return spotter.Image(in.Tensor)
}

// kept bounds the spotters, which hold packed weights.
const kept = 3

func (k *Look) spotter(layers []string) (*occlusion.Spotter, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := strings.Join(layers, ",")
	if s := k.spotters[key]; s != nil {
		return s, nil
	}
	s, err := occlusion.NewSpotter(k.s.Engine, k.s.Net, layers)
	if err != nil {
		return nil, err
	}
	for other := range k.spotters {
		if len(k.spotters) >= kept && other != "" {
			delete(k.spotters, other)
		}
	}
	k.spotters[key] = s
	return s, nil
}

// Shown is what a patch shows, as the network sees it: colours as r, g, b, 255, row by row.
func (k *Look) Shown(still *occlusion.Still, c occlusion.Cover) ([]byte, error) {
	x, err := still.Covered(c)
	if err != nil {
		return nil, err
	}
	net, b := k.s.Net, c.Patch
	if net.Volume(net.Input.Name) == nil {
		return net.Preprocess.ImageIn(x.Data, net.Input, b).Pix, nil
	}
	img := net.Picture(x.Data)
	out := make([]byte, 0, 4*b.H()*b.W())
	for y := b.Y0; y < b.Y1; y++ {
		for x := b.X0; x < b.X1; x++ {
			p := img.NRGBAAt(x, y)
			out = append(out, p.R, p.G, p.B, p.A)
		}
	}
	return out, nil
}

// SpotLayer is the total activity of the strongest map of a layer.
type SpotLayer struct {
	Layer string  `json:"layer"`
	Map   int     `json:"map"`
	Clean float32 `json:"clean"`
	Total float32 `json:"total"`
}

// SpotNumbers is what a network makes of an image with a cover, or without.
type SpotNumbers struct {
	Quantity model.Quantity `json:"quantity"`
	Sum      bool           `json:"sum,omitempty"` // the numbers are sums over the places of a map of scores
	Best     int            `json:"best"`          // the most probable class
	BestName string         `json:"best_name"`
	Top      []ClassScore   `json:"top"`     // best first
	Asked    []ClassScore   `json:"classes"` // of the classes that were asked for
	Layers   []SpotLayer    `json:"layers,omitempty"`
}

// Spot lists the numbers of a cover: the top best classes, and those that are asked for.
func (k *Look) Spot(still *occlusion.Still, s occlusion.Spot, top int, classes []int) (*SpotNumbers, error) {
	all := make([]int, k.reading.NumClasses())
	for i := range all {
		all[i] = i
	}
	for _, c := range classes {
		if err := k.reading.Check(model.Target{Class: c}); err != nil {
			return nil, &FieldError{Field: "class", Problem: fmt.Sprintf("%d: %v", c, err)}
		}
	}
	net := k.s.Net
	n := &SpotNumbers{Quantity: k.reading.Quantity(), Sum: k.reading.Spatial(), Best: k.reading.Default(s.Scores).Class, Asked: []ClassScore{}}
	n.BestName = net.Class(n.Best)
	scores := make([]ClassScore, len(all))
	for i, told := range k.reading.TellAll(s.Scores, all, nil) {
		scores[i] = ClassScore{Class: i, Name: net.Class(i), Score: told.Score}
		if n.Quantity == model.Probability {
			scores[i].Probability = &told.Value
		}
	}
	for _, c := range classes {
		n.Asked = append(n.Asked, scores[c])
	}
	n.Top = best(scores, top)
	for j, layer := range still.Layers() {
		n.Layers = append(n.Layers, SpotLayer{layer, still.Channels()[j], still.Clean.Totals[j], s.Totals[j]})
	}
	return n, nil
}

// best are the n classes of the highest scores, best first; the first of equals comes first.
func best(scores []ClassScore, n int) []ClassScore {
	out := make([]ClassScore, 0, n+1)
	for _, s := range scores {
		i := len(out)
		for i > 0 && cmp.Compare(s.Score, out[i-1].Score) > 0 {
			i--
		}
		if i < n {
			out = slices.Insert(out, i, s)
			out = out[:min(len(out), n)]
		}
	}
	return out
}

// Small is a picture made to fit into a square of side pixels; smaller ones are left as they are.
func (k *Look) Small(p images.Picture, side int) (image.Image, error) {
	img := p.Image
	if img == nil {
		in, err := k.s.Input(p)
		if err != nil {
			return nil, err
		}
		img = in.picture(k.s.Net)
	}
	if b := img.Bounds(); b.Dx() <= side && b.Dy() <= side {
		return img, nil
	}
	return imageio.Fit(img, side, side, imageio.Box), nil
}
