package view

import (
	"context"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Evolution asks how the features of layers come about: the strongest activation of some maps over images,
// projected, checkpoint by checkpoint ([zeiler14] Fig. 4).
type Evolution struct {
	Files   []string    // names of the checkpoints, for people
	Layers  []string    // nil: all convolutions' features
	Maps    [][]int     // by layer; nil entries: those that Which says
	Which   string      // maps of every layer, as ParseMaps reads it; "": six at random, as in the paper
	Seed    uint64      // of the choice of maps
	Rule    deconv.Rule // "": deconv.Paper
	Clip    float64     // percentage of a row's pixels that white and black cover; 0: DefaultClip
	Patches bool        // put the image patches below the projections
	// Progress is told how far scanning the images is.
	Progress func(done, total int)
}

// maxEvolved is the most maps in one figure.
const maxEvolved = 64

// Fields are the settings of the request.
func (r *Evolution) Fields() Fields {
	clip := clipField(&r.Clip)
	clip.Usage = "`PERCENT` of a row's pixels that white and black cover; 100: all"
	return Fields{
		LayersField(Field{Name: "layer", Also: []string{"l"}, Default: "all", Usage: "convolution layers by number or name, comma-separated, or all"}, &r.Layers,
			func(net *model.Network, text string) ([]string, error) {
				if text == "all" {
					return net.ConvLayers(), nil
				}
				return ParseLayers(net, text)
			}),
		TextField(Field{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11; default: six at random, as in the paper"}, &r.Which),
		SeedField(Field{Name: "seed", Default: "1", Usage: "of the choice of maps"}, &r.Seed),
		RuleField(&r.Rule),
		clip,
		SwitchField(Field{Name: "patches", Usage: "put the image patches below the projections"}, &r.Patches),
	}
}

// Validate reports the first thing wrong with the request for a network like the first.
func (r *Evolution) Validate(first *model.Network) error {
	if r.Clip < 0 || r.Clip > 100 {
		return &FieldError{Field: "clip", Problem: fmt.Sprintf("%g: want a percentage above 0", r.Clip)}
	}
	for l, name := range r.Layers {
		if len(r.Maps) <= l || r.Maps[l] == nil {
			continue
		}
		if n := len(r.Maps[l]); n > maxEvolved {
			return &FieldError{Field: "maps", Problem: fmt.Sprintf("%d maps of layer %s: want at most %d in a figure", n, name, maxEvolved)}
		}
		if n := len(r.Maps[l]) * len(r.Files); n > MaxValues/first.Input.Shape().Len() {
			return &FieldError{Field: "maps", Problem: fmt.Sprintf("layer %s: the projections of %d maps in %d checkpoints take %.1f GB", name, len(r.Maps[l]), len(r.Files),
				4e-9*float64(n)*float64(first.Input.Shape().Len())), Hint: "name fewer maps with --maps, or fewer checkpoints"}
		}
	}
	return nil
}

// Choose fills in the maps that are not named, and checks the request. The choice depends on the layer's name
// and the seed alone.
func (r *Evolution) Choose(first *model.Network) error {
	shapes, err := first.Shapes()
	if err != nil {
		return err
	}
	if r.Layers == nil {
		r.Layers = first.ConvLayers()
	}
	if len(r.Layers) == 0 {
		return fmt.Errorf("network %s has no convolution layers", first.Name)
	}
	for l, name := range r.Layers {
		if len(r.Maps) <= l {
			r.Maps = append(r.Maps, nil)
		}
		if r.Maps[l] == nil {
			if r.Maps[l], err = ParseMaps(r.Which, shapes[name].C); err != nil {
				return &FieldError{Field: "maps", Problem: fmt.Sprintf("%s: layer %s: %v", r.Which, name, err)}
			}
		}
		if r.Maps[l] == nil {
			h := fnv.New64a()
			io.WriteString(h, name)
			rng := rand.New(rand.NewPCG(r.Seed, h.Sum64()))
			r.Maps[l] = slices.Sorted(slices.Values(rng.Perm(shapes[name].C)[:min(6, shapes[name].C)]))
		}
	}
	if r.Rule == "" {
		r.Rule = deconv.Paper
	}
	if r.Clip == 0 {
		r.Clip = DefaultClip
	}
	return r.Validate(first)
}

// SameNetwork reports an error unless a network has the input and the layers of the first.
func SameNetwork(firstFile, file string, first, net *model.Network, layers []string) error {
	fail := func(format string, a ...any) error {
		return fmt.Errorf("%s and %s are not checkpoints of one network: %s", firstFile, file, fmt.Sprintf(format, a...))
	}
	if net.Input.Shape() != first.Input.Shape() {
		return fail("the inputs are %v and %v", first.Input.Shape(), net.Input.Shape())
	}
	a, b := net.Preprocess, first.Preprocess
	a.DataMean, b.DataMean = nil, nil // what masks are filled with
	if !reflect.DeepEqual(a, b) {
		return fail("their preprocessing differs")
	}
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	want, err := first.Shapes()
	if err != nil {
		return err
	}
	for _, name := range layers {
		if got, ok := shapes[name]; !ok {
			return fail("the second has no layer %s", name)
		} else if got != want[name] {
			return fail("layer %s is %v and %v", name, want[name], got)
		}
	}
	return nil
}

// columnNames are the checkpoints' steps, or their files where steps do not tell
// them apart.
func columnNames(files []string, steps []int) []string {
	var names []string
	for _, s := range steps {
		names = append(names, fmt.Sprintf("step %d", s))
	}
	if len(slices.Compact(slices.Sorted(slices.Values(steps)))) < len(steps) {
		for i, f := range files {
			names[i] = filepath.Base(f)
		}
	}
	return names
}

// EvolutionCell is one map at one checkpoint.
type EvolutionCell struct {
	Map        int     `json:"map"`
	Checkpoint string  `json:"checkpoint"`
	Step       int     `json:"step"`
	Image      string  `json:"image"`
	Y          int     `json:"y"`
	X          int     `json:"x"`
	Value      float32 `json:"value"`
	Jump       bool    `json:"jump"` // another image than at the checkpoint before
	Box        [4]int  `json:"box"`  // of the input: top, left, bottom, right
}

// EvolutionNumbers says what the figure of a layer shows.
type EvolutionNumbers struct {
	Layer  string          `json:"layer"`
	Data   string          `json:"data"`
	Rule   deconv.Rule     `json:"rule"`
	Maps   []int           `json:"maps"`
	Scales []float64       `json:"scales"`
	Cells  []EvolutionCell `json:"cells"`
}

// EvolutionResult is what evolution found: a figure for each layer, made one by one by Figure.
type EvolutionResult struct {
	Steps   []int                  // of the checkpoints
	Columns [][][]experiments.Cell // [checkpoint][layer][map]
	r       Evolution
	net     *model.Network // the first checkpoint's
	src     *images.Inputs
}

// Evolve scans the images at each checkpoint; open gives checkpoint i. r must have been through Choose.
func Evolve(ctx context.Context, engine *model.Engine, r Evolution, src *images.Inputs, open func(i int) (*model.Network, error)) (*EvolutionResult, error) {
	e := &EvolutionResult{r: r, net: src.Net, src: src}
	for i, file := range r.Files {
		net, err := open(i)
		if err != nil {
			return nil, err
		}
		o := experiments.EvolveOptions{Rule: r.Rule, Layers: r.Layers, Maps: r.Maps, Progress: func(done, total int) {
			if r.Progress != nil {
				r.Progress(i*total+done, len(r.Files)*total)
			}
		}}
		if i > 0 {
			o.Before = e.Columns[i-1]
		}
		column, err := experiments.Evolve(ctx, engine, net, src, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		e.Columns, e.Steps = append(e.Columns, column), append(e.Steps, net.Origin.Step)
	}
	return e, nil
}

// jumpColor frames cells whose image is another than before.
var jumpColor = color.NRGBA{230, 120, 0, 255}

// Figure draws the figure of layer l.
func (e *EvolutionResult) Figure(l int) (Figure, error) {
	layer, maps, in := e.r.Layers[l], e.r.Maps[l], e.net.Input
	table := render.Table{Title: "Evolution of " + layer, Scale: 1.6, Columns: columnNames(e.r.Files, e.Steps), MinTile: -1}
	numbers := EvolutionNumbers{Layer: layer, Data: e.src.From, Rule: e.r.Rule, Maps: maps}
	var data []float32
	tile := e.tileSize(l)
	for r, m := range maps {
		scale := e.rowScale(l, r)
		numbers.Scales = append(numbers.Scales, scale)
		tiles := render.TableRow{Label: fmt.Sprintf("map %d ±%s", m, render.Number(scale))}
		patches := render.TableRow{Label: "image"}
		for i, col := range e.Columns {
			cell := col[l][r]
			box := cell.Projection.Box
			tiles.Tiles = append(tiles.Tiles, tile.draw(cell, e.net, scale))
			if e.r.Patches {
				x, err := e.src.Load(cell.Hit.Image)
				if err != nil {
					return Figure{}, err
				}
				patches.Tiles = append(patches.Tiles, render.Magnify(cell.Projection.Crop(e.net.Preprocess, in, x), tile.k))
			}
			numbers.Cells = append(numbers.Cells, EvolutionCell{m, e.r.Files[i], e.Steps[i], e.src.Items[cell.Hit.Image].Name, cell.Hit.Y, cell.Hit.X, cell.Hit.Value, cell.Jump,
				[4]int{box.Y0, box.X0, box.Y1, box.X1}})
			data = append(data, cell.Projection.Full(in.H, in.W)...)
		}
		table.Rows = append(table.Rows, tiles)
		if e.r.Patches {
			table.Rows = append(table.Rows, patches)
		}
	}
	table.Caption = []string{fmt.Sprintf("Each cell: the strongest activation of the map over %d images (%s), projected by rule %s. Zero is mid-grey; white and black are ± the number beside the row, "+
		"which covers %g %% of the row's pixels. An orange frame marks a jump: another image than in the column before.", e.src.Len(), e.src.From, ruleText(e.r.Rule), e.r.Clip)}
	return Figure{Name: "evolution-" + layer, Image: table.Draw(), Numbers: numbers, Array: &Array{[]int{len(maps), len(e.Columns), in.C, in.H, in.W}, data},
		Facts: []Fact{{"layer", layer}, {"rule", string(e.r.Rule)}, {"images", e.src.From}}}, nil
}

// rowScale is the one scale of a row: over all its projections.
func (e *EvolutionResult) rowScale(l, r int) float64 {
	var row []float32
	for _, col := range e.Columns {
		row = append(row, col[l][r].Projection.Pixels...)
	}
	scale := render.PercentileAbs(row, e.r.Clip)
	if scale == 0 {
		scale = max(render.MaxAbs(row), 1e-30)
	}
	return scale
}

// evolutionTile is the size of the cells of a figure.
type evolutionTile struct{ h, w, k int } // in pixels of the input, and their enlargement

func (e *EvolutionResult) tileSize(l int) evolutionTile {
	t := evolutionTile{}
	for _, col := range e.Columns {
		for _, cell := range col[l] {
			t.h, t.w = max(t.h, cell.Projection.Box.H()), max(t.w, cell.Projection.Box.W())
		}
	}
	t.k = max(1, (150+max(t.h, t.w)-1)/max(t.h, t.w))
	return t
}

func (t evolutionTile) draw(cell experiments.Cell, net *model.Network, scale float64) image.Image {
	tile := render.Magnify(cell.Projection.Draw(net.Preprocess, scale), t.k)
	framed := filled(t.w*t.k+8, t.h*t.k+8, color.NRGBA{128, 128, 128, 255})
	at := image.Pt((framed.Rect.Dx()-tile.Rect.Dx())/2, (framed.Rect.Dy()-tile.Rect.Dy())/2)
	draw.Draw(framed, tile.Rect.Add(at), tile, image.Point{}, draw.Src)
	if cell.Jump {
		render.DrawBox(framed, framed.Rect, jumpColor, 4)
	}
	return framed
}

// filled is a picture of one colour.
func filled(w, h int, c color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

// Table lists all cells, as evolution.csv.
func (e *EvolutionResult) Table(figures map[string]EvolutionNumbers) Table {
	t := Table{Name: "evolution", Header: []string{"layer", "map", "checkpoint", "step", "image", "y", "x", "value", "jump", "top", "left", "bottom", "right"}}
	for _, layer := range e.r.Layers {
		for _, c := range figures[layer].Cells {
			t.Rows = append(t.Rows, []string{layer, fmt.Sprint(c.Map), c.Checkpoint, fmt.Sprint(c.Step), c.Image, fmt.Sprint(c.Y), fmt.Sprint(c.X),
				Num(float64(c.Value), 6), fmt.Sprint(c.Jump), fmt.Sprint(c.Box[0]), fmt.Sprint(c.Box[1]), fmt.Sprint(c.Box[2]), fmt.Sprint(c.Box[3])})
		}
	}
	return t
}

// Jumps says in words how often the strongest image of layer l's maps changed.
func (e *EvolutionResult) Jumps(l int) string {
	jumps, late := 0, 0
	for i, col := range e.Columns {
		for _, cell := range col[l] {
			if cell.Jump {
				jumps++
				if 2*i > len(e.Columns) {
					late++
				}
			}
		}
	}
	transitions := len(e.Columns) - 1
	text := fmt.Sprintf("%s: %d jumps in %d transitions", e.r.Layers[l], jumps, len(e.r.Maps[l])*transitions)
	if transitions > 1 {
		text += fmt.Sprintf(", %d of them in the last %d of each map's %d", late, transitions/2, transitions)
	}
	return text
}
