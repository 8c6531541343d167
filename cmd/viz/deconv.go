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
	"github.com/deconvnet/viz/images"
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
			"Without images, those of the data set the network was trained on. With an index made by\n" +
			"viz features nothing is scanned; ./features.idx is taken if it is of this network.\n\n" +
			"All maps (--maps all, or several layers) make an atlas: sheets in pages, and index.html, which\n" +
			"leads from layers to maps to images and back.\n\n" +
			examples("viz deconv --layer 2", "viz deconv --layer 3 --maps 0,3,7 --rule guided photos/", "viz deconv --features features.idx --layer all --maps all --out atlas",
				"viz deconv --layer 2 --map 17", "viz deconv --unit relu2:5:3:4 --npy unit.npy img.png"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, jsonFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` by number (2: the second convolution's features) or name, several with commas, or all; default: the last convolution"},
			&cli.StringFlag{Name: "features", Usage: "index `FILE` that viz features made"},
			&cli.StringFlag{Name: "map", Usage: "one large sheet of feature map `K`: images, receptive fields, patches, projections, histogram"},
			&cli.StringFlag{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11, or all; default: the 16 with the strongest activation"},
			&cli.IntFlag{Name: "top", Value: 9, Usage: "strongest activations per map, each from another image"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "`RULE`: deconv (the paper's), guided, gradient, deconv_lrngrad, deconv_leaky"},
			&cli.StringFlag{Name: "unit", Usage: "project one unit, `LAYER:CHANNEL:Y:X` (or LAYER:CHANNEL), of the first image"},
			&cli.IntFlag{Name: "index", Usage: "with --unit: number of the image among several"},
			&cli.StringFlag{Name: "scale", Value: "tile", Usage: "what is white and black: the magnitude of each `tile`, map or layer, or a number"},
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
	scaling, fixed := c.String("scale"), 0.0
	if !slices.Contains([]string{"tile", "map", "layer"}, scaling) {
		if fixed, err = strconv.ParseFloat(scaling, 64); err != nil || !(fixed > 0 && fixed < math.MaxFloat32) {
			return usage("--scale "+scaling+": want tile, map, layer or a positive number", "")
		}
		scaling = "fixed"
	}
	if c.IsSet("map") && c.IsSet("maps") {
		return usage("--map and --maps exclude each other", "")
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
		for _, f := range []string{"layer", "maps", "map", "features"} {
			if c.IsSet(f) {
				return usage("--unit and --"+f+" exclude each other", "")
			}
		}
		if _, err := net.ParseUnit(c.String("unit")); err != nil {
			return usageErr(err)
		}
	}
	var layers []string
	if c.String("unit") == "" {
		if layers, err = deconvLayers(c, net); err != nil {
			return err
		}
	}
	index, src, err := openFeatures(c, net, layers, paths)
	if err != nil {
		return err
	}
	if path := c.String("npy"); path != "" {
		if err := outFile(c, path, "--npy"); err != nil {
			return err
		}
		if len(layers) > 1 {
			return usage("--npy is one array, but there are several layers", "each sheet has its numbers beside it")
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
	if err := out.several(len(layers), "layers"); err != nil {
		return err
	}
	var all []*sheets
	var chosen [][]int
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	atlas := c.String("maps") == "all" || len(layers) > 1
	for _, layer := range layers {
		s, err := newSheets(net, rule, layer, c.Int("top"))
		if err != nil {
			return usageErr(err)
		}
		s.scaling, s.fixed, s.clip, s.npy, s.top = scaling, fixed, c.Float64("clip"), c.String("npy"), c.Int("top")
		if atlas {
			s.page = min(s.page, atlasPage)
		}
		spec := c.String("maps")
		if spec == "" {
			spec = c.String("map")
		}
		maps, err := parseMaps(spec, shapes[layer].C)
		if err != nil {
			return usageErr(fmt.Errorf("layer %s: %w", layer, err))
		}
		all, chosen = append(all, s), append(chosen, maps)
	}
	bad, err := newFailures(c, src.List)
	if err != nil {
		return err
	}
	if index == nil {
		step, end := progress(c, "scanning")
		index, err = features.Collect(c.Context, engine, net, src, features.Options{Layers: layers, Top: c.Int("top"), Readers: 2, Progress: step,
			Unreadable: func(_ int, err error) error { return bad.add(err) }})
		end()
		if err != nil {
			return err
		}
	}
	var pages [][]sheetPage
	for i, s := range all {
		l := index.Layer(layers[i])
		if c.IsSet("map") {
			if err := s.writeMaps(c, engine, src, *l, chosen[i], out); err != nil {
				return err
			}
			continue
		}
		p, err := s.write(c, engine, src, *l, chosen[i], out)
		if err != nil {
			return err
		}
		pages = append(pages, p)
	}
	if atlas && out.one == "" && !c.IsSet("map") {
		if err := writeAtlas(out, net, rule, index, src, layers, pages); err != nil {
			return err
		}
	}
	if out != nil {
		if err := out.end(); err != nil {
			return err
		}
	}
	return bad.err()
}

// deconvLayers resolves --layer, by default the last convolution.
func deconvLayers(c *cli.Context, net *model.Network) ([]string, error) {
	spec := c.String("layer")
	if spec == "" {
		convs := net.ConvLayers()
		if len(convs) == 0 {
			return nil, usage("the network has no convolution layers", "name a layer with --layer")
		}
		return convs[len(convs)-1:], nil
	}
	return convLayers(net, spec)
}

// openFeatures finds the images to draw from and, if there is one, an index of
// them: --features, or features.idx if it fits. A nil index means to scan.
func openFeatures(c *cli.Context, net *model.Network, layers []string, paths []string) (*features.Index, *images.Inputs, error) {
	path, asked := c.String("features"), c.IsSet("features")
	if !asked && (len(paths) > 0 || c.IsSet("data") || c.IsSet("limit") || c.IsSet("split") || c.String("unit") != "" || !isFile(indexName)) {
		src, err := openSource(c, net, paths, false)
		return nil, src, err
	}
	if !asked {
		path = indexName
	}
	index, src, err := useIndex(c, net, layers, path)
	switch {
	case err == nil:
		note(c, "index: %s (%d of %d images)", path, index.Scanned(), index.Images)
		return index, src, nil
	case asked:
		return nil, nil, err
	}
	note(c, "%s is not used: %v", path, err)
	src, err = openSource(c, net, paths, false)
	return nil, src, err
}

func useIndex(c *cli.Context, net *model.Network, layers []string, path string) (*features.Index, *images.Inputs, error) {
	index, err := readIndex(path)
	if err != nil {
		return nil, nil, err
	}
	again := "viz features makes a new one"
	if index.Model != hash(net) {
		return nil, nil, hinted(fmt.Errorf("%s is an index of model %s, the network is %s", path, index.Model, hash(net)), again)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range layers {
		l, s := index.Layer(name), shapes[name]
		if l == nil {
			return nil, nil, hinted(fmt.Errorf("%s does not hold layer %s", path, name), again)
		}
		if l.H != s.H || l.W != s.W || len(l.Top) != s.C {
			return nil, nil, hinted(fmt.Errorf("%s: layer %s is %dx%dx%d, want %v", path, name, len(l.Top), l.H, l.W, s), again)
		}
	}
	if top := c.Int("top"); top > index.TopK {
		return nil, nil, hinted(fmt.Errorf("%s keeps the %d strongest of each map, not %d", path, index.TopK, top), again)
	}
	from := index.Source
	if given := givenSource(c); len(given.Images) > 0 || given.Data != "" {
		from = given
	}
	if c.IsSet("limit") {
		from.Limit = c.Int("limit")
	}
	if c.IsSet("split") {
		from.Split = c.String("split")
	}
	if c.IsSet("data-seed") {
		from.Seed = c.Uint64("data-seed")
	}
	src, from, err := openImages(c, net, from)
	if err != nil {
		return nil, nil, err
	}
	if src.Len() != index.Images || from.Names != index.Source.Names {
		return nil, nil, hinted(fmt.Errorf("%s is an index of other images: %d of them, here are %d", path, index.Images, src.Len()), again)
	}
	// An index may have more of each map than is drawn.
	for l := range index.Layers {
		for m, top := range index.Layers[l].Top {
			index.Layers[l].Top[m] = top[:min(len(top), c.Int("top"))]
		}
	}
	return index, src, nil
}

// atlasPage is the most maps on a page of an atlas.
const atlasPage = 48

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
	fixed     float64 // the magnitude if scaling is "fixed"
	npy       string  // file for all projections in full image size; "": none
	top       int     // hits of a map
}

// sheetPage is a picture of some maps.
type sheetPage struct {
	File   string
	Size   image.Point
	Maps   []int
	Places []image.Rectangle // of the maps' blocks
}

// defaultClip leaves out few enough pixels not to show and enough that the
// strongest do not decide what the others look like.
const defaultClip = 99.5

// maxPage bounds a sheet, in pixels.
const maxPage = 24_000_000

// newSheets fails if the rule cannot go down from the layer.
func newSheets(net *model.Network, rule deconv.Rule, layer string, top int) (*sheets, error) {
	s := &sheets{net: net, top: top, projector: deconv.New(nil, net, rule), rule: rule, layer: layer, scaling: "tile", clip: defaultClip}
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

// write projects the chosen maps (nil: the 16 that fire most) and writes pictures
// and numbers.
func (s *sheets) write(c *cli.Context, engine *model.Engine, src *images.Inputs, l features.Layer, maps []int, out *output) ([]sheetPage, error) {
	s.projector = deconv.New(engine, s.net, s.rule)
	if maps == nil {
		maps = firing(l, 16)
	}
	sheets := (len(maps) + s.page - 1) / s.page
	pages := slices.Collect(slices.Chunk(maps, (len(maps)+sheets-1)/sheets)) // of about one size
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
	var written []sheetPage
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
		img, places := s.draw(t, src, layerMax)
		shape, data := s.array(t)
		file, err := out.picture(name, img, numbers{json: s.numbers(t, l, src), shape: shape, data: data},
			"layer", s.layer, "rule", string(s.rule), "scale", s.scaling, "images", src.From)
		if err != nil {
			return nil, err
		}
		written = append(written, sheetPage{file, img.Bounds().Size(), page, places})
	}
	if s.npy != "" {
		// All projections in full image size, [projections, C, H, W], map by map.
		if err := npy.WriteFile(s.npy, []int{len(all) / (in.C * in.H * in.W), in.C, in.H, in.W}, all); err != nil {
			return nil, err
		}
		wrote(c, s.npy)
	}
	return written, nil
}

// array is the projections of a sheet, [maps, hits, C, rows, columns], each in its
// tile; what is not there is 0.
func (s *sheets) array(t topMaps) ([]int, []float32) {
	c, h, w := s.net.Input.C, s.cell.size[0], s.cell.size[1]
	hits := 0
	for _, m := range t {
		hits = max(hits, len(m.hits))
	}
	if hits == 0 || c*h*w > maxArrays/(len(t)*hits) {
		return nil, nil
	}
	data := make([]float32, len(t)*hits*c*h*w)
	for i, m := range t {
		for j, p := range m.projections {
			y, x := s.cell.place(p)
			for k := range c * p.Box.H() {
				ch, row := k/p.Box.H(), k%p.Box.H()
				at := (((i*hits+j)*c+ch)*h+y+row)*w + x
				copy(data[at:at+p.Box.W()], p.Pixels[k*p.Box.W():])
			}
		}
	}
	return []int{len(t), hits, c, h, w}, data
}

// firing lists the n maps with the strongest activations, in order of number.
func firing(l features.Layer, n int) []int {
	maps := make([]int, len(l.Top))
	for i := range maps {
		maps[i] = i
	}
	slices.SortStableFunc(maps, func(a, b int) int { return cmp.Compare(topValue(l.Top[b]), topValue(l.Top[a])) })
	maps = maps[:min(n, len(maps))]
	slices.Sort(maps)
	return maps
}

// topValue is the value of the first hit, 0 if there is none.
func topValue(top []features.Hit) float32 {
	if len(top) == 0 {
		return 0
	}
	return top[0].Value
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
func (s *sheets) project(ctx context.Context, plan *model.Plan, src *images.Inputs, l features.Layer, maps []int, tick func(int)) (topMaps, error) {
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
			x, err := src.Load(i)
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
	fields *model.Fields
	size   [2]int  // rows, columns
	whole  [2]bool // the tile is the whole image along this axis
}

func newTileCell(net *model.Network, layer string) (tileCell, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return tileCell{}, err
	}
	fields, err := net.Fields(shapes)
	if err != nil {
		return tileCell{}, err
	}
	t := tileCell{fields: fields, size: [2]int{net.Input.H, net.Input.W}, whole: [2]bool{true, true}}
	field, _ := fields.Size(layer)
	for a, n := range field {
		if n > 0 && n < t.size[a] {
			t.size[a], t.whole[a] = n, false
		}
	}
	return t, nil
}

// frame puts a picture of a projection's box into its cell. A box that is cut
// by a border keeps to the side away from that border.
func (t tileCell) frame(p *deconv.Projection, img image.Image) image.Image {
	y, x := t.place(p)
	out := imaging.New(t.size[1], t.size[0], color.NRGBA{128, 128, 128, 255})
	return imaging.Paste(out, img, image.Pt(x, y))
}

// place is where in the cell the box begins: where it does in what the unit
// would see without borders, or in the image.
func (t tileCell) place(p *deconv.Projection) (y, x int) {
	y, x = p.Box.Y0, p.Box.X0
	open, _ := t.fields.Box(p.Unit.Layer, p.Unit.Y, p.Unit.X)
	if !t.whole[0] {
		y -= open.Y0
	}
	if !t.whole[1] {
		x -= open.X0
	}
	return y, x
}

// clipText says in words which magnitude a scale is.
func clipText(clip float64) string {
	if clip == 100 {
		return "largest magnitude"
	}
	return fmt.Sprintf("magnitude at the %gth percentile", clip)
}

// draw lays a sheet out: per map a block of projections beside a block of patches.
func (s *sheets) draw(top topMaps, src *images.Inputs, layerMax float64) (image.Image, []image.Rectangle) {
	var blocks []render.Block
	for _, m := range top {
		scale := s.scale(m, layerMax)
		b := render.Block{Label: fmt.Sprintf("map %d  max %s", m.number, render.Number(float64(topValue(m.hits)))), Right: m.crops}
		if topValue(m.hits) <= 0 {
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
	return render.PlacedBlocks(blocks, render.BlockOptions{
		Title: fmt.Sprintf("%s: strongest activations, projected by rule %s", s.layer, s.rule),
		Caption: []string{fmt.Sprintf("Left of each block: projections, 0 is mid-grey, %s. Right: the patches of the images in the receptive field; grey is outside the image.", s.scaleText(layerMax)),
			fmt.Sprintf("%s %s; images: %s (%d)", s.net.Name, hash(s.net), src.From, src.Len())}})
}

// scale is what is white and black in the tiles of a map, 0 if each has its own.
func (s *sheets) scale(m topMap, layerMax float64) float64 {
	switch s.scaling {
	case "fixed":
		return s.fixed
	case "map":
		return m.magnitude(s.clip)
	case "layer":
		return layerMax
	}
	return 0
}

func (s *sheets) scaleText(layerMax float64) string {
	return map[string]string{
		"tile":  "white and black are each tile's " + clipText(s.clip),
		"map":   "white and black are each map's " + clipText(s.clip),
		"fixed": "white and black are ±" + render.Number(s.fixed),
		"layer": fmt.Sprintf("white and black are ±%s, the layer's %s", render.Number(layerMax), clipText(s.clip))}[s.scaling]
}

type sheetNumbers struct {
	Model  string       `json:"model"`
	Layer  string       `json:"layer"`
	Rule   deconv.Rule  `json:"rule"`
	Scale  string       `json:"scale"`
	Fixed  float64      `json:"fixed,omitempty"`
	Clip   float64      `json:"clip"` // percentile of a projection's magnitudes that is white or black
	Images string       `json:"images"`
	Maps   []mapNumbers `json:"maps"`
}

type mapNumbers struct {
	mapSummary
	Hits []hitNumber `json:"hits"`
}

type hitNumber struct {
	features.Hit
	Name   string    `json:"name"`
	Label  string    `json:"label,omitempty"`
	Number *int      `json:"label_number,omitempty"` // in the data's numbering
	Box    model.Box `json:"box"`
	MaxAbs float64   `json:"max_abs"`
}

func (s *sheets) numbers(top topMaps, l features.Layer, src *images.Inputs) sheetNumbers {
	stats := summarize(&l)
	n := sheetNumbers{Model: hash(s.net), Layer: s.layer, Rule: s.rule, Scale: s.scaling, Fixed: s.fixed, Clip: s.clip, Images: src.From}
	for _, m := range top {
		var hits []hitNumber
		for i, h := range m.hits {
			hn := hitNumber{Hit: h, Name: src.Items[h.Image].Name, Box: m.projections[i].Box, MaxAbs: m.projections[i].MaxAbs()}
			if l := src.Items[h.Image].Label; l >= 0 && l < len(src.Classes) {
				hn.Label, hn.Number = src.Classes[l], &l
			}
			hits = append(hits, hn)
		}
		stats[m.number].Top = nil
		n.Maps = append(n.Maps, mapNumbers{stats[m.number], hits})
	}
	return n
}

// deconvUnit projects one unit of one image. With out nil it draws nothing.
func deconvUnit(c *cli.Context, engine *model.Engine, net *model.Network, rule deconv.Rule, src *images.Inputs, out *output) error {
	u, err := net.ParseUnit(c.String("unit"))
	if err != nil {
		return usageErr(err)
	}
	i := c.Int("index")
	if i < 0 || i >= src.Len() {
		return usage(fmt.Sprintf("--index %d: there are %d images, 0 to %d", i, src.Len(), src.Len()-1), "")
	}
	x, err := src.Load(i)
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
		{Title: "image", Image: marked, Note: fmt.Sprintf("%s; box: receptive field, rows %d to %d, columns %d to %d", images.Title(src.Items[i].Name), p.Box.Y0, p.Box.Y1-1, p.Box.X0, p.Box.X1-1)},
		{Title: "patch", Image: render.MagnifyTo(p.Crop(net.Preprocess, in, x), 224)},
		{Title: "projection", Image: render.MagnifyTo(p.Draw(net.Preprocess, scale), 224), Bar: &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "input units"},
			Note: activationNote(p.Value)}},
		Caption: []string{net.Name + " " + hash(net) + "; 0 is mid-grey, white and black are the " + clipText(c.Float64("clip"))}}
	base := fmt.Sprintf("%s-%s-%s", rule, src.Items[i].Stem, strings.ReplaceAll(u.String(), ":", "-"))
	_, err = out.picture(base, fig.Draw(), numbers{
		json:  map[string]any{"model": hash(net), "unit": u.String(), "rule": rule, "image": src.Items[i].Name, "value": p.Value, "box": p.Box, "max_abs": p.MaxAbs(), "scale": scale, "clip": c.Float64("clip")},
		shape: []int{in.C, in.H, in.W}, data: p.Full(in.H, in.W)}, "unit", u.String(), "rule", string(rule), "image", src.Items[i].Name)
	return err
}

// activationNote says where a projection started.
func activationNote(v float32) string {
	if v == 0 {
		return "activation 0: the unit does not fire, so there is nothing to project"
	}
	return "activation " + render.Number(float64(v))
}
