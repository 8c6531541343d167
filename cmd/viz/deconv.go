package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	gomaps "maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/disintegration/imaging"
	"github.com/urfave/cli/v2"
)

func deconvCommand() *cli.Command {
	return &cli.Command{
		Name: "deconv", Usage: "project the strongest activations of a layer to pixels, beside the image patches that caused them",
		UsageText: "viz deconv [flags] [IMG...]",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n" +
			"Without images, those of the data set the network was trained on.\n\n" +
			examples("viz deconv --layer 2", "viz deconv --layer 3 --maps 0,3,7 --rule guided photos/", "viz deconv --unit relu2:5:3:4 --npy unit.npy img.png"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` by number (2: the second convolution's features) or name; default: the last convolution"},
			&cli.StringFlag{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11, or all; default: the 16 with the strongest activation"},
			&cli.IntFlag{Name: "top", Value: 9, Usage: "strongest activations per map, each from another image"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "`RULE`: deconv (the paper's), guided, gradient, deconv_lrngrad, deconv_leaky"},
			&cli.StringFlag{Name: "unit", Usage: "project one unit, `LAYER:CHANNEL:Y:X` (or LAYER:CHANNEL), of the first image"},
			&cli.IntFlag{Name: "index", Usage: "with --unit: number of the image among several"},
			&cli.StringFlag{Name: "scale", Value: "tile", Usage: "what is white and black: the magnitude of each `tile`, map or layer"},
			&cli.Float64Flag{Name: "clip", Value: defaultClip, Usage: "`PERCENT` of a projection's pixels that its magnitude covers; 100: all"},
			&cli.StringFlag{Name: "npy", Usage: "write the projections in full image size as an array to `FILE`"}},
		Action: deconvAction,
	}
}

func deconvAction(c *cli.Context) error {
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return usageErr(err)
	}
	if p := c.Float64("clip"); !(p > 0 && p <= 100) {
		return usage(fmt.Sprintf("--clip %g: want a percentage above 0", p), "")
	}
	if s := c.String("scale"); !slices.Contains([]string{"tile", "map", "layer"}, s) {
		return usage("--scale "+s+": want tile, map or layer", "")
	}
	if top := c.Int("top"); top < 1 || top > 400 {
		return usage(fmt.Sprintf("--top %d: want 1 to 400", top), "")
	}
	if c.IsSet("index") && c.String("unit") == "" {
		return usage("--index goes with --unit", "")
	}
	paths := inputPaths(c)
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	if c.String("unit") != "" {
		for _, f := range []string{"layer", "maps"} {
			if c.IsSet(f) {
				return usage("--unit and --"+f+" exclude each other", "")
			}
		}
		if _, err := net.ParseUnit(c.String("unit")); err != nil {
			return usageErr(err)
		}
	}
	layer, maps, err := layerAndMaps(c, net)
	if err != nil {
		return err
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	if path := c.String("npy"); path != "" {
		if err := outFile(c, path, "--npy"); err != nil {
			return err
		}
	}
	var out *output // nil: only the array of a unit is asked for
	if c.String("unit") == "" || c.String("npy") == "" || c.IsSet("out") {
		if out, err = openOutput(c, net); err != nil {
			return err
		}
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	if c.String("unit") != "" {
		return deconvUnit(c, engine, net, rule, src, out)
	}
	sheets, err := newSheets(net, rule, layer, c.Int("top"))
	if err != nil {
		return usageErr(err)
	}
	step, end := progress(c, "scanning")
	index, err := features.Collect(c.Context, engine, net, src, features.Options{Layers: []string{layer}, Top: c.Int("top"), Progress: step})
	end()
	if err != nil {
		return err
	}
	sheets.scaling, sheets.clip, sheets.npy = c.String("scale"), c.Float64("clip"), c.String("npy")
	_, err = sheets.write(c, engine, src, index.Layers[0], maps, out)
	return err
}

// layerAndMaps resolves --layer and --maps; maps is nil for the default choice.
func layerAndMaps(c *cli.Context, net *model.Network) (string, []int, error) {
	spec := c.String("layer")
	if spec == "" {
		convs := net.ConvLayers()
		if len(convs) == 0 {
			return "", nil, usage("the network has no convolution layers", "name a layer with --layer")
		}
		spec = convs[len(convs)-1]
	}
	layer, err := net.Resolve(spec)
	if err != nil {
		return "", nil, usageErr(err)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return "", nil, err
	}
	maps, err := parseMaps(c.String("maps"), shapes[layer].C)
	if err != nil {
		return "", nil, usageErr(fmt.Errorf("layer %s: %w", layer, err))
	}
	return layer, maps, nil
}

// parseMaps reads "0,3,7", "4-11", "all", each map once; "" gives nil.
func parseMaps(s string, n int) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	var maps []int
	add := func(m int) {
		if !slices.Contains(maps, m) {
			maps = append(maps, m)
		}
	}
	if s == "all" {
		for i := range n {
			maps = append(maps, i)
		}
		return maps, nil
	}
	for _, part := range strings.Split(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(strings.TrimSpace(from))
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(strings.TrimSpace(to))
		}
		if err != nil || b < a {
			return nil, fmt.Errorf("maps %q: want numbers as in 0,3,7 or 4-11, or all", s)
		}
		if b >= n {
			return nil, fmt.Errorf("no map %d: there are %d, 0 to %d", b, n, n-1)
		}
		for i := a; i <= b; i++ {
			add(i)
		}
	}
	return maps, nil
}

// sheets draws the strongest activations of a layer with their projections: one
// picture, or several if there are many maps or large receptive fields.
type sheets struct {
	net       *model.Network
	projector *deconv.Projector
	keep      model.Keep // what the projector needs of a trace
	rule      deconv.Rule
	layer     string
	cell      tileCell
	page      int     // maps on a picture
	scaling   string  // what is white and black: the magnitude of each "tile", "map", or the "layer"
	clip      float64 // percent of a projection's pixels that this magnitude covers, see deconv.Projection.Magnitude
	npy       string  // file for all projections in full image size; "": none
}

// defaultClip leaves out few enough pixels not to show and enough that the
// strongest do not decide what the others look like.
const defaultClip = 99.5

// maxPage bounds a sheet, in pixels.
const maxPage = 24_000_000

// newSheets fails if the rule cannot go down from the layer.
func newSheets(net *model.Network, rule deconv.Rule, layer string, top int) (*sheets, error) {
	s := &sheets{net: net, projector: deconv.New(nil, net, rule), rule: rule, layer: layer, scaling: "tile", clip: defaultClip}
	var err error
	if s.keep, err = s.projector.Keep(layer); err != nil {
		return nil, err
	}
	if s.cell, err = newTileCell(net, layer); err != nil {
		return nil, err
	}
	side := math.Ceil(math.Sqrt(float64(top))) * float64(max(s.cell.size[0], s.cell.size[1], 64))
	s.page = max(int(maxPage/(2*side*side)), 1)
	return s, nil
}

// write projects the chosen maps (nil: the 16 that fire most), writes pictures
// and numbers, and returns the pictures' file names.
func (s *sheets) write(c *cli.Context, engine *model.Engine, src *source, l features.Layer, maps []int, out *output) ([]string, error) {
	s.projector = deconv.New(engine, s.net, s.rule)
	if maps == nil {
		maps = firing(l, 16)
	}
	pages := slices.Collect(slices.Chunk(maps, s.page))
	if err := out.several(len(pages), "sheets of maps"); err != nil {
		return nil, err
	}
	in := s.net.Input
	n := 0
	for _, m := range maps {
		n += len(l.Top[m])
	}
	if size := in.C * in.H * in.W; s.npy != "" && size > maxArrays/n {
		return nil, hinted(fmt.Errorf("%d projections of %dx%dx%d take %.1f GB", n, in.C, in.H, in.W, 4e-9*float64(n)*float64(size)), "name fewer maps with --maps")
	}
	plan, err := engine.Compile(s.net, s.keep)
	if err != nil {
		return nil, err
	}
	step, end := progress(c, "projecting")
	defer end()
	done := 0
	tick := func(k int) {
		if done += k; step != nil {
			step(done, n)
		}
	}
	layerMax := 0.0
	if s.scaling == "layer" && len(pages) > 1 {
		n *= 2
		for _, page := range pages {
			t, err := s.project(c.Context, plan, src, l, page, tick)
			if err != nil {
				return nil, err
			}
			layerMax = max(layerMax, t.magnitude(s.clip))
		}
	}
	var names []string
	var all []float32
	for i, page := range pages {
		t, err := s.project(c.Context, plan, src, l, page, tick)
		if err != nil {
			return nil, err
		}
		if len(pages) == 1 {
			layerMax = t.magnitude(s.clip)
		}
		if s.npy != "" {
			all = t.appendFull(all, in)
		}
		name := fmt.Sprintf("%s-%s", s.rule, s.layer)
		if len(pages) > 1 {
			name += fmt.Sprintf("-sheet%d", i+1)
		}
		file, err := out.picture(name, s.draw(t, src, layerMax), numbers{json: s.numbers(t, src)},
			"layer", s.layer, "rule", string(s.rule), "scale", s.scaling, "images", src.from)
		if err != nil {
			return nil, err
		}
		names = append(names, file)
	}
	if s.npy != "" {
		// All projections in full image size, [projections, C, H, W], map by map.
		if err := npy.WriteFile(s.npy, []int{len(all) / (in.C * in.H * in.W), in.C, in.H, in.W}, all); err != nil {
			return nil, err
		}
		wrote(c, s.npy)
	}
	return names, nil
}

// firing lists the n maps with the strongest activations, in order of number.
func firing(l features.Layer, n int) []int {
	maps := make([]int, len(l.Top))
	for i := range maps {
		maps[i] = i
	}
	slices.SortStableFunc(maps, func(a, b int) int { return cmp.Compare(l.Top[b][0].Value, l.Top[a][0].Value) })
	maps = maps[:min(n, len(maps))]
	slices.Sort(maps)
	return maps
}

// topMaps are the maps of one picture.
type topMaps []topMap

type topMap struct {
	number      int
	hits        []features.Hit
	projections []*deconv.Projection
	crops       []image.Image
}

// magnitude is the largest of the projections' magnitudes.
func (t topMaps) magnitude(clip float64) float64 {
	m := 0.0
	for _, tm := range t {
		m = max(m, tm.magnitude(clip))
	}
	return m
}

func (t topMap) magnitude(clip float64) float64 {
	m := 0.0
	for _, p := range t.projections {
		m = max(m, p.Magnitude(clip))
	}
	return m
}

// appendFull appends all projections in full image size, map by map.
func (t topMaps) appendFull(all []float32, in model.Input) []float32 {
	for _, m := range t {
		for _, p := range m.projections {
			all = append(all, p.Full(in.H, in.W)...)
		}
	}
	return all
}

// project takes the hits of some maps down to pixels. Each image is run once,
// for all its hits; tick is told how many projections are done.
func (s *sheets) project(ctx context.Context, plan *model.Plan, src *source, l features.Layer, maps []int, tick func(int)) (topMaps, error) {
	type place struct{ m, h int }
	byImage := map[int][]place{}
	var top topMaps
	for i, m := range maps {
		t := topMap{number: m, hits: l.Top[m]}
		t.projections = make([]*deconv.Projection, len(t.hits))
		t.crops = make([]image.Image, len(t.hits))
		top = append(top, t)
		for j, h := range t.hits {
			byImage[h.Image] = append(byImage[h.Image], place{i, j})
		}
	}
	for batch := range slices.Chunk(slices.Sorted(gomaps.Keys(byImage)), plan.Batch(256<<20, 32)) {
		var xs []*tensor.Tensor
		for _, i := range batch {
			x, err := src.load(i)
			if err != nil {
				return nil, err
			}
			xs = append(xs, x)
		}
		t, err := plan.Run(tensor.Stack(xs...))
		if err != nil {
			return nil, err
		}
		var targets []deconv.Target
		var places []place
		for b, i := range batch {
			for _, p := range byImage[i] {
				h := top[p.m].hits[p.h]
				targets = append(targets, deconv.Target{Image: b, Unit: model.Unit{Layer: l.Name, Channel: top[p.m].number, Y: h.Y, X: h.X}})
				places = append(places, p)
			}
		}
		projections, err := s.projector.ProjectAll(ctx, t, targets)
		if err != nil {
			return nil, err
		}
		for k, p := range places {
			top[p.m].projections[p.h] = projections[k]
			top[p.m].crops[p.h] = s.cell.frame(projections[k], projections[k].Crop(s.net.Preprocess, s.net.Input, t.Input))
		}
		tick(len(places))
	}
	return top, nil
}

// tileCell gives all tiles of a sheet one size, that of a receptive field away
// from the border, or the whole image if that is smaller; what lies outside the
// image is mid-grey. Units then stand at the same place in each tile.
type tileCell struct {
	net   *model.Network
	size  [2]int  // rows, columns
	whole [2]bool // the tile is the whole image along this axis
}

func newTileCell(net *model.Network, layer string) (tileCell, error) {
	t := tileCell{net: net, size: [2]int{net.Input.H, net.Input.W}, whole: [2]bool{true, true}}
	layers, err := net.Summary()
	if err != nil {
		return tileCell{}, err
	}
	for _, l := range layers {
		for a := range 2 {
			if l.Name == layer && l.Field[a] > 0 && l.Field[a] < t.size[a] {
				t.size[a], t.whole[a] = l.Field[a], false
			}
		}
	}
	return t, nil
}

// frame puts a picture of a projection's box into its cell. A box that is cut
// by the image's border keeps to the side away from that border.
func (t tileCell) frame(p *deconv.Projection, img image.Image) image.Image {
	y, x := p.Box.Y0, p.Box.X0
	if !t.whole[0] {
		y = 0
		if p.Box.Y0 == 0 && p.Box.Y1 < t.net.Input.H {
			y = t.size[0] - p.Box.H()
		}
	}
	if !t.whole[1] {
		x = 0
		if p.Box.X0 == 0 && p.Box.X1 < t.net.Input.W {
			x = t.size[1] - p.Box.W()
		}
	}
	out := imaging.New(t.size[1], t.size[0], color.NRGBA{128, 128, 128, 255})
	return imaging.Paste(out, img, image.Pt(x, y))
}

// clipText says in words which magnitude a scale is.
func clipText(clip float64) string {
	if clip == 100 {
		return "largest magnitude"
	}
	return fmt.Sprintf("magnitude at the %gth percentile", clip)
}

// draw lays a sheet out: per map a block of projections beside a block of patches.
func (s *sheets) draw(top topMaps, src *source, layerMax float64) image.Image {
	var blocks []render.Block
	for _, m := range top {
		scale := layerMax
		if s.scaling == "map" {
			scale = m.magnitude(s.clip)
		}
		b := render.Block{Label: fmt.Sprintf("map %d  max %s", m.number, render.Number(float64(m.hits[0].Value))), Right: m.crops}
		if m.hits[0].Value <= 0 {
			b.Label = fmt.Sprintf("map %d  never fires", m.number)
		}
		for _, p := range m.projections {
			if s.scaling == "tile" {
				scale = p.Magnitude(s.clip)
			}
			b.Left = append(b.Left, s.cell.frame(p, p.Draw(s.net.Preprocess, scale)))
		}
		blocks = append(blocks, b)
	}
	text := map[string]string{
		"tile":  "white and black are each tile's " + clipText(s.clip),
		"map":   "white and black are each map's " + clipText(s.clip),
		"layer": fmt.Sprintf("white and black are ±%s, the layer's %s", render.Number(layerMax), clipText(s.clip))}[s.scaling]
	return render.BlockSheet(blocks, render.BlockOptions{
		Title: fmt.Sprintf("%s: strongest activations, projected by rule %s", s.layer, s.rule),
		Caption: []string{fmt.Sprintf("Left of each block: projections, 0 is mid-grey, %s. Right: the patches of the images in the receptive field; grey is outside the image.", text),
			fmt.Sprintf("%s %s; images: %s (%d)", s.net.Name, hash(s.net), src.from, src.Len())}})
}

type sheetNumbers struct {
	Model  string       `json:"model"`
	Layer  string       `json:"layer"`
	Rule   deconv.Rule  `json:"rule"`
	Scale  string       `json:"scale"`
	Clip   float64      `json:"clip"` // percentile of a projection's magnitudes that is white or black
	Images string       `json:"images"`
	Maps   []mapNumbers `json:"maps"`
}

type mapNumbers struct {
	Map int         `json:"map"`
	Top []hitNumber `json:"top"`
}

type hitNumber struct {
	features.Hit
	Name   string    `json:"name"`
	Label  string    `json:"label,omitempty"`
	Box    model.Box `json:"box"`
	MaxAbs float64   `json:"max_abs"`
}

func (s *sheets) numbers(top topMaps, src *source) sheetNumbers {
	n := sheetNumbers{Model: hash(s.net), Layer: s.layer, Rule: s.rule, Scale: s.scaling, Clip: s.clip, Images: src.from}
	for _, m := range top {
		var hits []hitNumber
		for i, h := range m.hits {
			hn := hitNumber{Hit: h, Name: src.names[h.Image], Box: m.projections[i].Box, MaxAbs: m.projections[i].MaxAbs()}
			if l := src.labels[h.Image]; l >= 0 && l < len(src.classes) {
				hn.Label = src.classes[l]
			}
			hits = append(hits, hn)
		}
		n.Maps = append(n.Maps, mapNumbers{m.number, hits})
	}
	return n
}

// deconvUnit projects one unit of one image. With out nil it draws nothing.
func deconvUnit(c *cli.Context, engine *model.Engine, net *model.Network, rule deconv.Rule, src *source, out *output) error {
	u, err := net.ParseUnit(c.String("unit"))
	if err != nil {
		return usageErr(err)
	}
	i := c.Int("index")
	if i < 0 || i >= src.Len() {
		return usage(fmt.Sprintf("--index %d: there are %d images, 0 to %d", i, src.Len(), src.Len()-1), "")
	}
	x, err := src.load(i)
	if err != nil {
		return err
	}
	t, err := engine.Forward(net, x)
	if err != nil {
		return err
	}
	p, err := deconv.New(engine, net, rule).Project(t, 0, u)
	if err != nil {
		return err
	}
	in := net.Input
	if path := c.String("npy"); path != "" {
		if err := npy.WriteFile(path, []int{in.C, in.H, in.W}, p.Full(in.H, in.W)); err != nil {
			return err
		}
		wrote(c, path)
	}
	if out == nil {
		return nil
	}
	whole := net.Preprocess.Image(x.Data, in)
	k := max(224/max(in.H, in.W), 1)
	marked := render.Magnify(whole, k)
	render.DrawBox(marked, image.Rect(p.Box.X0*k, p.Box.Y0*k, p.Box.X1*k, p.Box.Y1*k), image.White.C, max(k/2, 1))
	scale := p.Magnitude(c.Float64("clip"))
	fig := render.Figure{Title: fmt.Sprintf("Unit %v, rule %s", u, rule), Columns: 3, Panels: []render.Panel{
		{Title: "image", Image: marked, Note: fmt.Sprintf("%s; box: receptive field, rows %d to %d, columns %d to %d", title(src.names[i]), p.Box.Y0, p.Box.Y1-1, p.Box.X0, p.Box.X1-1)},
		{Title: "patch", Image: render.MagnifyTo(p.Crop(net.Preprocess, in, x), 224)},
		{Title: "projection", Image: render.MagnifyTo(p.Draw(net.Preprocess, scale), 224), Bar: &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "input units"},
			Note: activationNote(p.Value)}},
		Caption: []string{net.Name + " " + hash(net) + "; 0 is mid-grey, white and black are the " + clipText(c.Float64("clip"))}}
	base := fmt.Sprintf("%s-%s", rule, strings.ReplaceAll(u.String(), ":", "-"))
	_, err = out.picture(base, fig.Draw(), numbers{
		json:  map[string]any{"model": hash(net), "unit": u.String(), "rule": rule, "image": src.names[i], "value": p.Value, "box": p.Box, "max_abs": p.MaxAbs(), "scale": scale, "clip": c.Float64("clip")},
		shape: []int{in.C, in.H, in.W}, data: p.Full(in.H, in.W)}, "unit", u.String(), "rule", string(rule), "image", src.names[i])
	return err
}

// activationNote says where a projection started.
func activationNote(v float32) string {
	if v == 0 {
		return "activation 0: the unit does not fire, so there is nothing to project"
	}
	return "activation " + render.Number(float64(v))
}
