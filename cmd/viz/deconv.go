package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
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
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` by number (2: the second convolution's features) or name, several with commas, or all; default: the last block or convolution before the scores"},
			&cli.StringFlag{Name: "features", Usage: "index `FILE` that viz features made"},
			&cli.StringFlag{Name: "map", Usage: "one large sheet of feature map `K`: images, receptive fields, patches, projections, histogram"},
			&cli.StringFlag{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11, or all; default: the 16 with the strongest activation"},
			&cli.IntFlag{Name: "top", Value: 9, Usage: "strongest activations per map, each from another image"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "`RULE`: deconv (the paper's), guided, gradient, deconv_lrngrad, deconv_leaky"},
			&cli.StringFlag{Name: "unit", Usage: "project one unit, `LAYER:CHANNEL:Y:X` (or LAYER:CHANNEL), of the first image"},
			&cli.IntFlag{Name: "index", Usage: "with --unit: number of the image among several"},
			&cli.StringFlag{Name: "scale", Value: "tile", Usage: "what is white and black: the magnitude of each `tile`, map or layer, or a number"},
			&cli.Float64Flag{Name: "clip", Value: view.DefaultClip, Usage: "`PERCENT` of a projection's pixels that its magnitude covers; 100: all"},
			&cli.StringFlag{Name: "npy", Usage: "write the projections in full image size as an array to `FILE`"}},
		Action: deconvAction,
	}
}

// projectionRequest reads what flags say about sheets of projections.
func projectionRequest(c *cli.Context) (view.Sheets, error) {
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return view.Sheets{}, usageErr(err)
	}
	r := view.Sheets{Top: c.Int("top"), Rule: rule, Scale: view.Scaling(c.String("scale")), Clip: c.Float64("clip"), Full: c.String("npy") != ""}
	if v, err := strconv.ParseFloat(c.String("scale"), 64); err == nil {
		r.Scale, r.Fixed = view.Fixed, v
	} else if !slices.Contains([]view.Scaling{view.PerTile, view.PerMap, view.PerLayer}, r.Scale) {
		return r, usage("--scale "+c.String("scale")+": want tile, map, layer or a positive number", "")
	}
	if r.Clip == 0 || r.Top == 0 { // 0 means the default in a request
		return r, usage(fmt.Sprintf("--top %d --clip %g: want numbers above 0: --clip 0: want a percentage above 0", r.Top, r.Clip), "")
	}
	return r, requestErr(r.Validate())
}

func deconvAction(c *cli.Context) error {
	request, err := projectionRequest(c)
	if err != nil {
		return err
	}
	unit := c.String("unit") != ""
	switch {
	case c.IsSet("map") && c.IsSet("maps"):
		return usage("--map and --maps exclude each other", "")
	case c.IsSet("index") && !unit:
		return usage("--index goes with --unit", "")
	case unit:
		for _, f := range []string{"layer", "maps", "map", "features"} {
			if c.IsSet(f) {
				return usage("--unit and --"+f+" exclude each other", "")
			}
		}
	}
	paths := inputPaths(c)
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	if unit {
		return deconvUnit(c, net, request, paths)
	}
	layers, err := deconvLayers(c, net)
	if err != nil {
		return err
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
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if err := out.several(len(layers), "layers"); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	session := view.NewSession(engine, net)
	chosen, err := chosenMaps(c, session, request, layers)
	if err != nil {
		return err
	}
	bad, err := newFailures(c, src.List)
	if err != nil {
		return err
	}
	if index == nil {
		step, end := progress(c, "scanning")
		index, err = features.Collect(c.Context, engine, net, src, features.Options{Layers: layers, Top: request.Top, Readers: 2, Progress: step,
			Unreadable: func(_ int, err error) error { return bad.add(err) }})
		end()
		if err != nil {
			return err
		}
	}
	if err := drawSheets(c, session, request, index, src, layers, chosen, out); err != nil {
		return err
	}
	if err := out.end(); err != nil {
		return err
	}
	return bad.err()
}

// chosenMaps reads --maps or --map for each layer, and checks that the rule leads down from it.
func chosenMaps(c *cli.Context, s *view.Session, r view.Sheets, layers []string) ([][]int, error) {
	shapes, err := s.Net.Shapes()
	if err != nil {
		return nil, err
	}
	spec := c.String("maps")
	if spec == "" {
		spec = c.String("map")
	}
	var chosen [][]int
	for _, layer := range layers {
		if err := s.CheckSheets(r, layer); err != nil {
			return nil, usageErr(err)
		}
		maps, err := parseMaps(spec, shapes[layer].C)
		if err != nil {
			return nil, usageErr(fmt.Errorf("layer %s: %w", layer, err))
		}
		chosen = append(chosen, maps)
	}
	return chosen, nil
}

// drawSheets draws the sheets of layers, or large sheets of single maps, and the pages of an atlas around them.
func drawSheets(c *cli.Context, s *view.Session, r view.Sheets, index *features.Index, src *images.Inputs, layers []string, chosen [][]int, out *output) error {
	atlas := c.String("maps") == "all" || len(layers) > 1
	if atlas {
		r.Most = view.AtlasMaps
	}
	var sheets [][]view.AtlasSheet
	for i, layer := range layers {
		r.Maps = chosen[i]
		if c.IsSet("map") {
			if err := out.several(len(r.Maps), "maps"); err != nil {
				return err
			}
			if err := s.Maps(c.Context, r, src, index.Layer(layer), func(f view.Figure) error { _, err := out.figures(f); return err }); err != nil {
				return err
			}
			continue
		}
		written, err := layerSheets(c, s, r, src, index.Layer(layer), out)
		if err != nil {
			return err
		}
		sheets = append(sheets, written)
	}
	if !atlas || out.one != "" || c.IsSet("map") {
		return nil
	}
	return writeAtlas(c, s, view.Atlas{Layers: layers, Sheets: sheets, Rule: string(r.Rule), Version: version()}, src, index, out)
}

// layerSheets draws the sheets of one layer, and writes --npy.
func layerSheets(c *cli.Context, s *view.Session, r view.Sheets, src *images.Inputs, layer *features.Layer, out *output) ([]view.AtlasSheet, error) {
	step, end := progress(c, "projecting")
	defer end()
	r.Progress = step
	var written []view.AtlasSheet
	full, err := s.Sheets(c.Context, r, src, layer, func(sheet view.Sheet) error {
		if err := out.several(len(written)+1, "sheets of maps"); err != nil {
			return err
		}
		names, err := out.figures(sheet.Figure)
		if err == nil {
			written = append(written, view.AtlasSheet{File: names[0], Size: sheet.Image.Bounds().Size(), Maps: sheet.Maps, Places: sheet.Places})
		}
		return err
	})
	if err == nil && full != nil {
		if err = npy.WriteFile(c.String("npy"), full.Shape, full.Data); err == nil {
			wrote(c, c.String("npy"))
		}
	}
	return written, requestErr(err)
}

// writeAtlas writes the pages of an atlas and the picture of its images.
func writeAtlas(c *cli.Context, s *view.Session, r view.Atlas, src *images.Inputs, index *features.Index, out *output) error {
	for _, name := range r.Layers {
		r.Files = append(r.Files, fileName("layer-"+name)+".html")
	}
	step, end := progress(c, "images of the atlas")
	r.Progress = step
	pages, picture, remark, err := s.Atlas(c.Context, r, src, index)
	end()
	if err != nil {
		return err
	}
	if remark != "" {
		note(c, "%s", remark)
	}
	if picture != nil {
		path := filepath.Join(out.dir, "images.png")
		if err := imageio.WritePNG(path, picture, provenance(c, s.Net, "images", src.From)); err != nil {
			return err
		}
		wrote(c, path)
	}
	for _, p := range pages {
		if err := out.page(p); err != nil {
			return err
		}
	}
	return nil
}

// deconvUnit projects one unit of one image. With --npy and no --out it draws nothing.
func deconvUnit(c *cli.Context, net *model.Network, sheets view.Sheets, paths []string) error {
	u, err := net.ParseUnit(c.String("unit"))
	if err != nil {
		return usageErr(err)
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	path := c.String("npy")
	if path != "" {
		if err := outFile(c, path, "--npy"); err != nil {
			return err
		}
	}
	var out *output
	if path == "" || c.IsSet("out") {
		if out, err = openOutput(c, net); err != nil {
			return err
		}
	}
	i := c.Int("index")
	if i < 0 || i >= src.Len() {
		return usage(fmt.Sprintf("--index %d: there are %d images, 0 to %d", i, src.Len(), src.Len()-1), "")
	}
	x, err := src.Load(i)
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	session := view.NewSession(engine, net)
	request, in := view.Unit{Unit: u, Rule: sheets.Rule, Clip: sheets.Clip}, view.InputOf(src, i, x)
	p, err := session.ProjectUnit(request, in)
	if err != nil {
		return err
	}
	if path != "" {
		if err := npy.WriteFile(path, []int{net.Input.C, net.Input.H, net.Input.W}, p.Full(net.Input.H, net.Input.W)); err != nil {
			return err
		}
		wrote(c, path)
	}
	if out == nil {
		return nil
	}
	if _, err := out.figures(session.UnitFigure(request, in, p)); err != nil {
		return err
	}
	return out.end()
}

// deconvLayers resolves --layer, by default the last maps before the scores.
func deconvLayers(c *cli.Context, net *model.Network) ([]string, error) {
	spec := c.String("layer")
	if spec == "" {
		last, err := net.LastFeatures()
		if err != nil {
			return nil, hinted(err, "name a layer with --layer")
		}
		return []string{last}, nil
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
