package view

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/maximize"
	"github.com/deconvnet/viz/model"
)

// Maximization asks for pictures that maps, units or classes respond to most.
type Maximization struct {
	Units   []string // LAYER, LAYER:CHANNEL or LAYER:CHANNEL:ROW:COLUMN; a layer alone means several of its maps
	Maps    string   // of layers alone, as ParseMaps reads it; "": 16 of them, those that fire most if there is an index
	Classes []int
	maximize.Options
}

// Validate reports the first thing wrong with the request, whatever the network.
func (r Maximization) Validate() error {
	if len(r.Units)+len(r.Classes) == 0 {
		return &FieldError{Field: "class", Problem: "is not given, nor a layer", Hint: "viz maximize LAYER:CHANNEL, or --class CLASS"}
	}
	return maximizeError(r.Options.Validate())
}

// maximizeError is an error about an option of package maximize as one of ours.
func maximizeError(err error) error {
	if e, ok := errors.AsType[*maximize.FieldError](err); ok {
		return &FieldError{Field: e.Field, Problem: e.Problem}
	}
	return err
}

// mostMaps is how many maps of a layer are taken if none are named.
const mostMaps = 16

// Goals are what the request names of a network. index may be nil.
func (r Maximization) Goals(net *model.Network, index *features.Index) (goals []maximize.Goal, err error) {
	for _, k := range r.Classes {
		goals = append(goals, maximize.Goal{Class: &model.Target{Class: k}})
	}
	for _, spec := range r.Units {
		one, err := r.unitGoals(net, index, strings.TrimSpace(spec))
		if err != nil {
			return nil, err
		}
		goals = append(goals, one...)
	}
	if len(goals) > 400 {
		return nil, &FieldError{Field: "maps", Problem: fmt.Sprintf("name %d pictures: want at most 400", len(goals))}
	}
	return goals, nil
}

func (r Maximization) unitGoals(net *model.Network, index *features.Index, spec string) ([]maximize.Goal, error) {
	parts := strings.Split(spec, ":")
	for _, n := range []int{3, 1} {
		numbers := make([]int, 3)
		ok := len(parts) > n
		for i := 0; ok && i < n; i++ {
			v, err := strconv.Atoi(parts[len(parts)-n+i])
			numbers[i], ok = v, err == nil
		}
		if !ok {
			continue
		}
		name, err := oneLayer(net, strings.Join(parts[:len(parts)-n], ":"))
		if err != nil {
			return nil, err
		}
		g := maximize.Goal{Layer: name, Channel: numbers[0]}
		if n == 3 {
			g.At = &[2]int{numbers[1], numbers[2]}
		}
		return []maximize.Goal{g}, nil
	}
	name, err := oneLayer(net, spec)
	if err != nil {
		return nil, err
	}
	places, err := net.Places(name, [2]int{})
	if err != nil {
		return nil, err
	}
	maps, err := ParseMaps(r.Maps, places.Channels)
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", name, err)
	}
	if maps == nil && index != nil && index.Layer(name) != nil {
		maps = firing(index.Layer(name), mostMaps)
	}
	if maps == nil {
		for i := range min(mostMaps, places.Channels) {
			maps = append(maps, i*places.Channels/min(mostMaps, places.Channels))
		}
	}
	var out []maximize.Goal
	for _, k := range maps {
		out = append(out, maximize.Goal{Layer: name, Channel: k})
	}
	return out, nil
}

// Layers are those that the request names.
func (r Maximization) Layers(net *model.Network) (layers []string, err error) {
	for _, spec := range r.Units {
		goals, err := r.unitGoals(net, nil, strings.TrimSpace(spec))
		if err != nil {
			return nil, err
		}
		if len(goals) > 0 && !slices.Contains(layers, goals[0].Layer) {
			layers = append(layers, goals[0].Layer)
		}
	}
	return layers, nil
}

// Maximize prepares a run; its pictures are drawn by MaximizeFigures when it is done.
func (s *Session) Maximize(r Maximization, index *features.Index) (*maximize.Run, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	goals, err := r.Goals(s.Net, index)
	if err != nil {
		return nil, err
	}
	run, err := maximize.New(s.Engine, s.Net, goals, r.Options)
	return run, maximizeError(err)
}

// MaximizeNumbers says what the figure of a run shows.
type MaximizeNumbers struct {
	Model    string            `json:"model"`
	Options  string            `json:"options"`
	Pictures []MaximizePicture `json:"pictures"` // in the order of the array
}

// MaximizePicture is one picture.
type MaximizePicture struct {
	Goal    string    `json:"goal"`
	Layer   string    `json:"layer,omitempty"`
	Channel int       `json:"channel"` // or the class
	At      *[2]int   `json:"at,omitempty"`
	Start   int       `json:"start"`
	Value   float64   `json:"value"`               // of the goal, for the finished picture
	Natural *float64  `json:"in_images,omitempty"` // and in the images of the index
	Values  []float32 `json:"values"`              // of the goal before each step, for the picture moved and turned
}

// optionsText says how pictures were made.
func optionsText(o maximize.Options) string {
	text := fmt.Sprintf("%d steps, %s, jitter %d, zoom %g, turn %g, L2 %g, total variation %g, seed %d", o.Steps, o.Paint, *o.Jitter, *o.Zoom, *o.Turn, *o.L2, *o.Variation, o.Seed)
	if o.Blur > 0 {
		text += fmt.Sprintf(", blur %g", o.Blur)
	}
	if o.Diversity > 0 {
		text += fmt.Sprintf(", diversity %g", o.Diversity)
	}
	if o.PlainColours {
		text += ", plain colours"
	}
	return text
}

// inImages is what an index knows of a map: its strongest patches and their projections.
type inImages struct {
	patches, projections image.Image
	value                float64
}

// MaximizeFigures draws what a run made: a picture for each goal and start, beside the
// strongest patches of images and their projections, if there is an index; and the way
// there, if frames were kept. src are the images of the index.
func (s *Session) MaximizeFigures(ctx context.Context, run *maximize.Run, index *features.Index, src *images.Inputs) ([]Figure, error) {
	results, o, in := run.Results(), run.Options(), s.Net.Input
	if run.Done() < run.Total() {
		return nil, errors.New("the pictures are not finished")
	}
	n := MaximizeNumbers{Model: s.hash, Options: optionsText(o)}
	array := &Array{Shape: []int{0, in.C, in.H, in.W}}
	var panels []render.Panel
	var strip []image.Image
	columns := 0
	for _, result := range results {
		g := result.Goal
		name := g.Name(s.Net)
		known, err := s.inImages(ctx, g, index, src)
		if err != nil {
			return nil, err
		}
		for i, p := range result.Starts {
			part := MaximizePicture{Goal: name, Layer: g.Layer, Channel: g.Channel, At: g.At, Start: i, Value: p.Value, Values: p.Values}
			note := "score " + render.Number(p.Value)
			if g.Class != nil {
				part.Channel = g.Class.Class
			} else {
				note = "activation " + render.Number(p.Value)
				if g.At == nil {
					note = "mean activation " + render.Number(p.Value)
				}
			}
			if known != nil {
				part.Natural = &known.value
			}
			n.Pictures = append(n.Pictures, part)
			array.Data = append(array.Data, p.Image...)
			array.Shape[0]++
			title := name
			if len(result.Starts) > 1 {
				title = fmt.Sprintf("%s, start %d", name, i+1)
			}
			panels = append(panels, render.Panel{Title: title, Image: s.Net.Picture(p.Image), Note: note})
			for _, f := range p.Frames {
				strip = append(strip, s.Net.Picture(f))
			}
		}
		if known != nil {
			panels = append(panels, render.Panel{Title: "strongest patches", Image: known.patches, Note: "of " + images.Title(src.From) + "; largest activation " + render.Number(known.value)},
				render.Panel{Title: "projections", Image: known.projections, Note: "of these activations, by rule deconv"})
			columns = len(result.Starts) + 2
		}
	}
	if len(results) > 1 {
		columns = max(columns, min(4, len(panels)))
		if per := len(panels) / len(results); per > 1 {
			columns = per * max(4/per, 1)
		}
	}
	title := "What " + results[0].Goal.Name(s.Net) + " responds to most"
	if len(results) > 1 {
		title = fmt.Sprintf("What %d units respond to most", len(results))
	}
	caption := "Pictures made by gradient ascent from noise: they show what raises the value, not what images look like. " + n.Options + ". " + s.about()
	name := "maximize-" + fileStem(results, s.Net)
	facts := []Fact{{"goal", goalList(results, s.Net)}, {"options", n.Options}}
	out := []Figure{{Name: name, Numbers: n, Array: array, Facts: facts,
		Image: render.Figure{Title: title, Columns: columns, PanelSize: max(224, in.H, in.W), Panels: panels, Caption: []string{caption}}.Draw()}}
	if len(strip) > 0 {
		out = append(out, Figure{Name: name + "-frames", Numbers: n, Facts: facts,
			Image: render.Grid(strip, render.GridOptions{Columns: o.Frames, Gap: -1, MinTile: min(128, max(in.H, in.W)*8)})})
	}
	return out, nil
}

func goalList(results []maximize.Result, net *model.Network) string {
	var names []string
	for _, r := range results {
		names = append(names, r.Goal.Name(net))
	}
	return strings.Join(names, ",")
}

// fileStem names the figure of a run, by its channels if they are few.
func fileStem(results []maximize.Result, net *model.Network) string {
	first := results[0].Goal
	name := strings.ReplaceAll(first.Name(net), ":", "-")
	if len(results) == 1 {
		return name
	}
	same := !slices.ContainsFunc(results, func(r maximize.Result) bool { return r.Goal.Layer != first.Layer || r.Goal.At != nil })
	switch {
	case same && first.Layer == "":
		return "classes"
	case same && len(results) > 8:
		return first.Layer
	case same:
		for _, r := range results[1:] {
			name += fmt.Sprint("-", r.Goal.Channel)
		}
		return name
	}
	return "units"
}

// inImages draws what an index has of a goal's map, nil if nothing.
func (s *Session) inImages(ctx context.Context, g maximize.Goal, index *features.Index, src *images.Inputs) (*inImages, error) {
	if index == nil || g.Class != nil || index.Layer(g.Layer) == nil || g.Channel >= len(index.Layer(g.Layer).Top) {
		return nil, nil
	}
	layer := index.Layer(g.Layer)
	m, err := s.newSheetMaker(Sheets{Maps: []int{g.Channel}, Top: max(index.TopK, 1), Rule: deconv.Paper}, src, layer)
	if err != nil {
		return nil, err
	}
	top, err := m.project(ctx, []int{g.Channel})
	if err != nil || len(top[0].hits) == 0 {
		return nil, err
	}
	out := &inImages{value: float64(topValue(top[0].hits))}
	var projections, patches []image.Image
	for i, p := range top[0].projections {
		projections = append(projections, m.cell.frame(p, p.Draw(s.Net.Preprocess, m.scale(top[0], p))))
		patches = append(patches, top[0].crops[i])
	}
	out.patches, out.projections = render.Grid(patches, render.GridOptions{}), render.Grid(projections, render.GridOptions{})
	return out, nil
}
