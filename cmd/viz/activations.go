package main

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/urfave/cli/v2"
)

func activationsCommand() *cli.Command {
	return &cli.Command{
		Name: "activations", Usage: "show what the maps of a layer answer to an image",
		UsageText:   "viz activations [flags] IMG...",
		Description: examples("viz activations --layer 1 img.png", "viz activations --layer all --npy numbers/ input.npy"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "layer", Value: "1", Usage: "`LAYER`s by number or name, comma-separated, or all"},
			&cli.IntFlag{Name: "max", Value: 256, Usage: "draw at most `N` maps of a layer"},
			&cli.StringFlag{Name: "npy", Usage: "write one array per layer, [N, C, H, W], into `DIR`; with switches of max pools as LAYER.switches"}},
		Action: activations,
	}
}

func activations(c *cli.Context) error {
	paths := inputPaths(c)
	if len(paths) == 0 && c.String("data") == "" {
		return usage("no image given", "viz activations img.png")
	}
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	var layers []string
	for _, spec := range strings.Split(c.String("layer"), ",") {
		if spec == "all" {
			for _, n := range net.Nodes {
				layers = append(layers, n.Name)
			}
			continue
		}
		name, err := net.Resolve(strings.TrimSpace(spec))
		if err != nil {
			return usageErr(err)
		}
		layers = append(layers, name)
	}
	src, err := openSource(c, net, paths)
	if err != nil {
		return err
	}
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if out.one != "" && len(layers) > 1 {
		return usage("--out names one picture, but there are several layers", "give --out a folder")
	}
	dir := c.String("npy")
	if dir != "" {
		if err := outDir(dir); err != nil {
			return err
		}
	}
	var xs []*tensor.Tensor
	for i := range src.Len() {
		x, err := src.load(i)
		if err != nil {
			return err
		}
		xs = append(xs, x)
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	t, err := engine.Forward(net, tensor.Stack(xs...))
	if err != nil {
		return err
	}
	for _, name := range layers {
		if dir != "" {
			file := filepath.Join(dir, fileName(name))
			v := t.Value(name)
			if err := npy.WriteFile(file+".npy", v.Shape, v.Data); err != nil {
				return err
			}
			if sw := t.Switches(name); sw != nil {
				if err := npy.WriteFile(file+".switches.npy", v.Shape, sw); err != nil {
					return err
				}
			}
		}
		if dir == "" || c.IsSet("out") {
			if err := drawActivations(c, out, t, name, src); err != nil {
				return err
			}
		}
	}
	if dir != "" {
		wrote(c, dir)
		if !c.IsSet("out") {
			// The grids go beside the numbers.
			out.dir = dir
			for _, name := range layers {
				if err := drawActivations(c, out, t, name, src); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// drawActivations draws the maps of one layer for the first image.
func drawActivations(c *cli.Context, out *output, t *model.Trace, name string, src *source) error {
	base := "activations-" + name
	img := activationFigure(t, 0, name, c.Int("max"), src.names[0])
	return out.png(base, img, "layer", name, "image", src.names[0])
}

// activationFigure shows the maps of a layer for one image of a trace, all on one scale.
func activationFigure(t *model.Trace, i int, name string, most int, image_ string) image.Image {
	s := t.Shapes[name]
	v := t.Value(name).Data[i*s.Len() : (i+1)*s.Len()]
	lo, hi := render.Range(v)
	palette := render.Palette(render.Viridis)
	if lo < 0 {
		m := max(-lo, hi)
		lo, hi, palette = -m, m, render.Diverging
	} else {
		lo = 0
	}
	var grid image.Image
	shown := min(s.C, most)
	if s.H*s.W == 1 {
		cols := min(s.C, 64)
		cells := slices.Clone(v)
		for len(cells)%cols != 0 {
			cells = append(cells, 0)
		}
		grid = render.Magnify(render.Heat(cells, len(cells)/cols, cols, lo, hi, palette), 8)
		shown = s.C
	} else {
		var tiles []image.Image
		for k := range shown {
			tiles = append(tiles, render.Heat(v[k*s.H*s.W:(k+1)*s.H*s.W], s.H, s.W, lo, hi, palette))
		}
		grid = render.Grid(tiles, render.GridOptions{MinTile: 48, Gap: 2})
	}
	fig := render.Figure{Title: "Activations of " + name, PanelSize: -1, Columns: 1,
		Panels: []render.Panel{{Image: grid, Bar: &render.ColorBar{Palette: palette, Lo: lo, Hi: hi, Label: "activation"}}},
		Caption: []string{fmt.Sprintf("%s: %v, %d of %d maps, row by row, one scale for all", filepath.Base(image_), s, shown, s.C),
			t.Net.Name + " " + t.Net.Hash()}}
	return fig.Draw()
}
