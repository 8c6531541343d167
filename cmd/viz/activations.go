package main

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/urfave/cli/v2"
)

func activationsCommand() *cli.Command {
	return &cli.Command{
		Name: "activations", Usage: "show what the maps of a layer answer to an image",
		UsageText: "viz activations [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n\n" +
			examples("viz activations --layer 1 img.png", "viz activations --layer all --npy numbers/ input.npy"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Value: "1", Usage: "`LAYER`s by number or name, comma-separated, or all"},
			&cli.IntFlag{Name: "max", Value: 256, Usage: "draw at most `N` maps of a layer"},
			&cli.StringFlag{Name: "npy", Usage: "write one array per layer, [N, C, H, W], into `DIR`, with switches of max pools as LAYER.switches;\n" +
				"      unless --out is given, only the first image is drawn"}},
		Action: activations,
	}
}

// maxArrays bounds the arrays that one run of the program holds, in values.
const maxArrays = 1 << 29

func activations(c *cli.Context) error {
	paths := inputPaths(c)
	if len(paths) == 0 && c.String("data") == "" {
		return usage("no image given", "viz activations img.png")
	}
	if c.Int("max") < 1 {
		return usage("--max must be at least 1", "")
	}
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	layers, err := resolveLayers(net, c.String("layer"))
	if err != nil {
		return err
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	dir := c.String("npy")
	draw := src.Len() // images
	out := &output{c: c, net: net, dir: dir, used: map[string]int{}}
	if dir == "" || c.IsSet("out") {
		if out, err = openOutput(c, net); err != nil {
			return err
		}
	} else {
		draw = 1 // beside the arrays
	}
	if err := out.several(len(layers)*draw, "layers and images"); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	if dir != "" {
		if err := writeActivations(c, engine, net, layers, src, dir); err != nil {
			return err
		}
		wrote(c, dir)
	}
	plan, err := engine.Compile(net, model.Keep{Layers: layers})
	if err != nil {
		return err
	}
	for i := range draw {
		if err := c.Context.Err(); err != nil {
			return err
		}
		x, err := src.Load(i)
		if err != nil {
			return err
		}
		t, err := plan.Run(x)
		if err != nil {
			return err
		}
		for _, layer := range layers {
			name := "activations-" + layer
			if draw > 1 {
				name += "-" + src.Items[i].Stem
			}
			if _, err := drawActivations(out, t, name, layer, src.Items[i].Name, c.Int("max"), dir == ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolveLayers reads a list of layers by number or name, or all. Each is named once.
func resolveLayers(net *model.Network, list string) ([]string, error) {
	var layers []string
	add := func(name string) {
		if !slices.Contains(layers, name) {
			layers = append(layers, name)
		}
	}
	for _, spec := range strings.Split(list, ",") {
		if spec = strings.TrimSpace(spec); spec == "all" {
			for _, n := range net.Nodes {
				add(n.Name)
			}
			continue
		}
		name, err := net.Resolve(spec)
		if err != nil {
			return nil, usageErr(err)
		}
		add(name)
	}
	return layers, nil
}

// writeActivations writes LAYER.npy, [N, C, H, W] or [N, F], and
// LAYER.switches.npy, [N, C, H, W], into dir for all images of src.
func writeActivations(c *cli.Context, engine *model.Engine, net *model.Network, layers []string, src *images.Inputs, dir string) error {
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	size := 0
	for _, name := range layers {
		size += shapes[name].Len()
		if n := net.Node(name); n != nil && n.Layer.Kind() == "MaxPool" {
			size += shapes[name].Len()
		}
	}
	if size > maxArrays/src.Len() {
		return hinted(fmt.Errorf("the arrays of %d layers for %d images take %.1f GB", len(layers), src.Len(), 4e-9*float64(size)*float64(src.Len())),
			"name fewer layers with --layer, or fewer images with --limit")
	}
	if err := outDir(c, dir, "--npy"); err != nil {
		return err
	}
	plan, err := engine.Compile(net, model.Keep{Layers: layers, Switches: true})
	if err != nil {
		return err
	}
	values, switches := map[string][]float32{}, map[string][]int32{}
	step, end := progress(c, "activations")
	defer end()
	batch := plan.Batch(256<<20, 32)
	for at := 0; at < src.Len(); at += batch {
		if err := c.Context.Err(); err != nil {
			return err
		}
		var xs []*tensor.Tensor
		for i := at; i < min(at+batch, src.Len()); i++ {
			x, err := src.Load(i)
			if err != nil {
				return err
			}
			xs = append(xs, x)
		}
		t, err := plan.Run(tensor.Stack(xs...))
		if err != nil {
			return err
		}
		for _, name := range layers {
			values[name] = append(values[name], t.Value(name).Data...)
			if sw := t.Switches(name); sw != nil {
				switches[name] = append(switches[name], sw...)
			}
		}
		if step != nil {
			step(at+len(xs), src.Len())
		}
	}
	for _, name := range layers {
		file := filepath.Join(dir, fileName(name))
		shape := shapes[name].Batch(src.Len())
		if err := npy.WriteFile(file+".npy", shape, values[name]); err != nil {
			return err
		}
		if sw := switches[name]; sw != nil {
			if err := npy.WriteFile(file+".switches.npy", shape, sw); err != nil {
				return err
			}
		}
	}
	return nil
}

// drawActivations draws the maps of one layer for the only image of a trace,
// with the array beside it if asked for, and returns the picture's file name.
func drawActivations(out *output, t *model.Trace, name, layer, image string, most int, array bool) (string, error) {
	s := t.Shapes[layer]
	fig := newActivationFigure(t, layer, image, most)
	n := numbers{json: map[string]any{"model": hash(t.Net), "layer": layer, "image": image, "shape": s.Batch(1)[1:], "shown": fig.shown, "lo": fig.lo, "hi": fig.hi}}
	if array {
		n.shape, n.data = s.Batch(1)[1:], t.Value(layer).Data[:s.Len()]
	}
	return out.picture(name, fig.draw(), n, "layer", layer, "image", image)
}

// activationFigure shows the maps of a layer, all on one scale: from 0, or
// around it if there are negative values.
type activationFigure struct {
	title, what string
	shape       model.Shape
	values      []float32
	shown       int
	lo, hi      float64
	palette     render.Palette
}

func newActivationFigure(t *model.Trace, layer, image string, most int) activationFigure {
	s := t.Shapes[layer]
	f := activationFigure{title: "Activations of " + layer, shape: s, values: t.Value(layer).Data[:s.Len()], shown: min(s.C, most), palette: render.Viridis}
	lo, hi := render.Range(f.values)
	f.hi = hi
	if lo < 0 {
		f.hi = max(-lo, hi)
		f.lo, f.palette = -f.hi, render.Diverging
	}
	maps := fmt.Sprintf("%d of %d maps, row by row, one scale for all", f.shown, s.C)
	if s.H*s.W == 1 {
		f.shown = s.C
		maps = fmt.Sprintf("%d values, row by row", s.C)
	}
	f.what = fmt.Sprintf("%s: %v, %s. %s %s", images.Title(image), s, maps, t.Net.Name, hash(t.Net))
	return f
}

func (f activationFigure) draw() image.Image {
	s := f.shape
	var grid image.Image
	if s.H*s.W == 1 {
		var tiles []image.Image
		for _, v := range f.values {
			tiles = append(tiles, render.Heat([]float32{v}, 1, 1, f.lo, f.hi, f.palette))
		}
		grid = render.Grid(tiles, render.GridOptions{MinTile: 12, Columns: max(min(s.C, 50), columns(s.C, 2))})
	} else {
		var tiles []image.Image
		plane := s.H * s.W
		for k := range f.shown {
			tiles = append(tiles, render.Heat(f.values[k*plane:(k+1)*plane], s.H, s.W, f.lo, f.hi, f.palette))
		}
		grid = render.Grid(tiles, render.GridOptions{MinTile: 48, Gap: 2, Columns: columns(f.shown, 1.3*float64(s.H)/float64(s.W))})
	}
	return render.Figure{Title: f.title, PanelSize: -1, Columns: 1,
		Panels:  []render.Panel{{Image: grid, Bar: &render.ColorBar{Palette: f.palette, Lo: f.lo, Hi: f.hi, Label: "activation"}}},
		Caption: []string{f.what}}.Draw()
}
