package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
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
			&cli.StringFlag{Name: "scale", Value: "tile", Usage: "what is white and black: largest magnitude of each `tile`, map or layer"},
			&cli.StringFlag{Name: "npy", Usage: "write the projections in full image size as an array to `FILE`"}},
		Action: deconvAction,
	}
}

func deconvAction(c *cli.Context) error {
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return usageErr(err)
	}
	if s := c.String("scale"); !slices.Contains([]string{"tile", "map", "layer"}, s) {
		return usage("--scale "+s+": want tile, map or layer", "")
	}
	if c.Int("top") < 1 {
		return usage("--top must be at least 1", "")
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
	src, err := openSource(c, net, paths)
	if err != nil {
		return err
	}
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	if c.String("unit") != "" {
		return deconvUnit(c, engine, net, rule, src, out)
	}
	step, end := progress(c, "scanning")
	index, err := features.Collect(c.Context, engine, net, src, features.Options{Layers: []string{layer}, Top: c.Int("top"), Progress: step})
	end()
	if err != nil {
		return err
	}
	sheet, err := projectTop(c.Context, engine, net, rule, src, index.Layers[0], maps)
	if err != nil {
		return err
	}
	if c.String("npy") != "" {
		if err := sheet.writeNPY(c.String("npy")); err != nil {
			return err
		}
		wrote(c, c.String("npy"))
	}
	return sheet.write(c, out, c.String("scale"))
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

// parseMaps reads "0,3,7", "4-11", "all"; "" gives nil.
func parseMaps(s string, n int) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	var maps []int
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
		if a < 0 || b >= n {
			return nil, fmt.Errorf("no map %d: there are %d, 0 to %d", max(b, -a), n, n-1)
		}
		for i := a; i <= b; i++ {
			maps = append(maps, i)
		}
	}
	return maps, nil
}

// topSheet is a layer's strongest activations with their projections.
type topSheet struct {
	net   *model.Network
	rule  deconv.Rule
	src   *source
	layer string
	cell  tileCell
	maps  []topMap
}

type topMap struct {
	number      int
	hits        []features.Hit
	projections []*deconv.Projection // nil where the map did not fire
	crops       []image.Image
}

// projectTop projects the hits of the chosen maps (nil: the 16 that fire most).
func projectTop(ctx context.Context, engine *model.Engine, net *model.Network, rule deconv.Rule, src *source, l features.Layer, maps []int) (*topSheet, error) {
	if maps == nil {
		for i := range l.Top {
			maps = append(maps, i)
		}
		slices.SortStableFunc(maps, func(a, b int) int {
			if d := l.Top[b][0].Value - l.Top[a][0].Value; d != 0 {
				if d > 0 {
					return 1
				}
				return -1
			}
			return a - b
		})
		maps = maps[:min(16, len(maps))]
		slices.Sort(maps)
	}
	cell, err := newTileCell(net, l.Name)
	if err != nil {
		return nil, err
	}
	s := &topSheet{net: net, rule: rule, src: src, layer: l.Name, cell: cell}
	// Each image is run once, for all its hits.
	type place struct{ m, h int }
	byImage := map[int][]place{}
	for i, m := range maps {
		t := topMap{number: m, hits: l.Top[m]}
		t.projections = make([]*deconv.Projection, len(t.hits))
		t.crops = make([]image.Image, len(t.hits))
		s.maps = append(s.maps, t)
		for j, h := range t.hits {
			byImage[h.Image] = append(byImage[h.Image], place{i, j})
		}
	}
	var images []int
	for i := range byImage {
		images = append(images, i)
	}
	slices.Sort(images)
	projector := deconv.New(engine, net, rule)
	keep, err := projector.Keep(l.Name)
	if err != nil {
		return nil, err
	}
	plan, err := engine.Compile(net, keep)
	if err != nil {
		return nil, err
	}
	for len(images) > 0 {
		n := min(32, len(images))
		batch := images[:n]
		images = images[n:]
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
				h := s.maps[p.m].hits[p.h]
				targets = append(targets, deconv.Target{Image: b, Unit: model.Unit{Layer: l.Name, Channel: s.maps[p.m].number, Y: h.Y, X: h.X}})
				places = append(places, p)
			}
		}
		projections, err := projector.ProjectAll(ctx, t, targets)
		if err != nil {
			return nil, err
		}
		for k, p := range places {
			s.maps[p.m].projections[p.h] = projections[k]
			s.maps[p.m].crops[p.h] = cell.frame(projections[k], projections[k].Crop(net.Preprocess, net.Input, t.Input))
		}
	}
	return s, nil
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

// draw lays the sheet out: per map a block of projections beside a block of patches.
func (s *topSheet) draw(scaling string) image.Image {
	layerMax := 0.0
	mapMax := make([]float64, len(s.maps))
	for i, m := range s.maps {
		for _, p := range m.projections {
			mapMax[i] = max(mapMax[i], p.MaxAbs())
		}
		layerMax = max(layerMax, mapMax[i])
	}
	var blocks []render.Block
	for i, m := range s.maps {
		scale := map[string]float64{"tile": 0, "map": mapMax[i], "layer": layerMax}[scaling]
		b := render.Block{Label: fmt.Sprintf("map %d  max %.3g", m.number, m.hits[0].Value), Right: m.crops}
		if m.hits[0].Value <= 0 {
			b.Label = fmt.Sprintf("map %d  never fires", m.number)
		}
		for _, p := range m.projections {
			b.Left = append(b.Left, s.cell.frame(p, p.Draw(s.net.Preprocess, scale)))
		}
		blocks = append(blocks, b)
	}
	text := map[string]string{
		"tile":  "white and black are each tile's largest magnitude",
		"map":   "white and black are each map's largest magnitude",
		"layer": fmt.Sprintf("white and black are +-%.3g", layerMax)}[scaling]
	return render.BlockSheet(blocks, render.BlockOptions{
		Title: fmt.Sprintf("%s: strongest activations, projected by rule %s", s.layer, s.rule),
		Caption: []string{fmt.Sprintf("Left of each block: projections, 0 is mid-grey, %s. Right: the patches of the images in the receptive field; grey is outside the image.", text),
			fmt.Sprintf("%s %s; images: %s (%d)", s.net.Name, s.net.Hash(), s.src.from, s.src.Len())}})
}

type sheetNumbers struct {
	Model  string       `json:"model"`
	Layer  string       `json:"layer"`
	Rule   deconv.Rule  `json:"rule"`
	Scale  string       `json:"scale"`
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

func (s *topSheet) numbers(scaling string) sheetNumbers {
	n := sheetNumbers{Model: s.net.Hash(), Layer: s.layer, Rule: s.rule, Scale: scaling, Images: s.src.from}
	for _, m := range s.maps {
		var top []hitNumber
		for i, h := range m.hits {
			hn := hitNumber{Hit: h, Name: s.src.names[h.Image], Box: m.projections[i].Box, MaxAbs: m.projections[i].MaxAbs()}
			if l := s.src.labels[h.Image]; l >= 0 && l < len(s.src.classes) {
				hn.Label = s.src.classes[l]
			}
			top = append(top, hn)
		}
		n.Maps = append(n.Maps, mapNumbers{m.number, top})
	}
	return n
}

func (s *topSheet) write(c *cli.Context, out *output, scaling string) error {
	base := fmt.Sprintf("%s-%s", s.rule, s.layer)
	if err := out.png(base, s.draw(scaling), "layer", s.layer, "rule", string(s.rule), "scale", scaling, "images", s.src.from); err != nil {
		return err
	}
	return out.json(base, s.numbers(scaling))
}

// writeNPY writes all projections in full image size, [maps*top, C, H, W], map by map.
func (s *topSheet) writeNPY(path string) error {
	in := s.net.Input
	var all []float32
	n := 0
	for _, m := range s.maps {
		for _, p := range m.projections {
			all = append(all, p.Full(in.H, in.W)...)
			n++
		}
	}
	return npy.WriteFile(path, []int{n, in.C, in.H, in.W}, all)
}

// deconvUnit projects one unit of one image.
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
		if !c.IsSet("out") {
			return nil
		}
	}
	whole := net.Preprocess.Image(x.Data, in)
	k := max(224/max(in.H, in.W), 1)
	marked := render.Magnify(whole, k)
	render.DrawBox(marked, image.Rect(p.Box.X0*k, p.Box.Y0*k, p.Box.X1*k, p.Box.Y1*k), image.White.C, max(k/2, 1))
	scale := p.MaxAbs()
	fig := render.Figure{Title: fmt.Sprintf("Unit %v, rule %s", u, rule), Columns: 3, Panels: []render.Panel{
		{Title: "image", Image: marked, Note: fmt.Sprintf("%s; box: receptive field, rows %d to %d, columns %d to %d", src.names[i], p.Box.Y0, p.Box.Y1-1, p.Box.X0, p.Box.X1-1)},
		{Title: "patch", Image: render.MagnifyTo(p.Crop(net.Preprocess, in, x), 224)},
		{Title: "projection", Image: render.MagnifyTo(p.Draw(net.Preprocess, 0), 224), Bar: &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "input units"},
			Note: fmt.Sprintf("activation %.4g", p.Value)}},
		Caption: []string{net.Name + " " + net.Hash() + "; 0 is mid-grey"}}
	base := fmt.Sprintf("%s-%s", rule, strings.ReplaceAll(u.String(), ":", "-"))
	if err := out.png(base, fig.Draw(), "unit", u.String(), "rule", string(rule), "image", src.names[i]); err != nil {
		return err
	}
	if err := out.json(base, map[string]any{"model": net.Hash(), "unit": u.String(), "rule": rule, "image": src.names[i], "value": p.Value, "box": p.Box, "max_abs": scale}); err != nil {
		return err
	}
	return out.npy(base, []int{in.C, in.H, in.W}, p.Full(in.H, in.W))
}
