package main

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/urfave/cli/v2"
)

func filtersCommand() *cli.Command {
	return &cli.Command{
		Name: "filters", Usage: "draw the filters of the convolution layers, or how they change over checkpoints",
		UsageText:   "viz filters [flags] [MODEL...]",
		Description: examples("viz filters ckpt.bin", "viz filters --layer 1 --evolve --out evolution.png ckpt-*.bin", "viz filters --diagnose before.bin after.bin"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag,
			&cli.StringFlag{Name: "layer", Usage: "convolution `LAYER` by number or name; several with commas, or all; default: all that are larger than 1x1 (with --evolve: 1)"},
			&cli.StringFlag{Name: "scale", Value: "layer", Usage: "white and black are the largest magnitude of the `layer` or of each tile"},
			&cli.IntFlag{Name: "max", Value: 64, Usage: "draw at most `N` maps of a layer, and of its inputs"},
			&cli.BoolFlag{Name: "diagnose", Usage: "what is wrong with the filters, in numbers and words, of one network or two side by side"},
			dataFlag, splitFlag, seedFlag, workersFlag, jsonFlag,
			&cli.IntFlag{Name: "limit", Value: 500, Usage: "with --diagnose: look for maps that never fire on `N` images of the data set, 0: none"},
			&cli.BoolFlag{Name: "evolve", Usage: "one strip for each of several checkpoints of one network, on one scale"}},
		Action: filters,
	}
}

func filters(c *cli.Context) error {
	if s := c.String("scale"); s != "layer" && s != "tile" {
		return usage("--scale "+s+": want layer or tile", "")
	}
	if c.Int("max") < 1 {
		return usage("--max must be at least 1", "")
	}
	if c.Bool("diagnose") {
		return diagnoseFilters(c)
	}
	if c.Bool("evolve") {
		return evolveFilters(c)
	}
	net, err := modelArgument(c)
	if err != nil {
		return err
	}
	names, err := convNodes(net, c.String("layer"))
	if err != nil {
		return err
	}
	if spaced := withSpace(net, names); c.String("layer") == "" && len(spaced) < len(names) {
		note(c, "%d layers of 1x1 filters are left out: --layer all draws them, too", len(names)-len(spaced))
		names = spaced
	}
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if out.one != "" && len(names) > 1 {
		note(c, "--out names one picture: only %s is drawn", names[0])
		names = names[:1]
	}
	style := filterStyle{c.Int("max"), c.String("scale")}
	for _, name := range names {
		if err := c.Context.Err(); err != nil {
			return err
		}
		if _, err := drawFilters(out, style, name); err != nil {
			return err
		}
	}
	return out.end()
}

// convNodes lists the convolutions meant by spec: a number, a name, or all.
func convNodes(net *model.Network, spec string) ([]string, error) {
	var all []string
	for _, n := range net.Nodes {
		if _, ok := n.Layer.(*model.Conv); ok {
			all = append(all, n.Name)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("network %s has no convolution layers", net.Name)
	}
	if spec == "" || spec == "all" {
		return all, nil
	}
	var out []string
	layers, err := resolveLayers(net, spec)
	if err != nil {
		return nil, err
	}
	for _, name := range layers {
		if i := slices.Index(net.ConvLayers(), name); i >= 0 {
			name = all[i]
		}
		if !slices.Contains(all, name) {
			return nil, usage(fmt.Sprintf("layer %s is a %s: it has no filters", name, net.Node(name).Layer.Kind()),
				"convolution layers: "+strings.Join(all, ", "))
		}
		out = append(out, name)
	}
	return out, nil
}

// withSpace leaves out convolutions of 1x1, whose filters have no picture, unless
// there are no others.
func withSpace(net *model.Network, convs []string) []string {
	var out []string
	for _, name := range convs {
		if s := net.Node(name).Layer.(*model.Conv).Weight.Shape; s[2]*s[3] > 1 {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return convs
	}
	return out
}

// filterTiles draws the filters of one layer: in colour if they read a colour
// image, one grey tile for each map if they read one channel, otherwise (pairs) one
// grey tile for each pair of map and input, a row for each map.
func filterTiles(net *model.Network, name string, most int, scale float64) (tiles []image.Image, perRow int, pairs bool) {
	node := net.Node(name)
	l := node.Layer.(*model.Conv)
	s := l.Weight.Shape
	size := s[1] * s[2] * s[3]
	tile := func(data []float32, c int) image.Image {
		return drawSigned(data, c, s[2], s[3], net, scale)
	}
	if s[1] == 3 && net.ReadsPixels(name) || s[1] == 1 {
		for k := range min(s[0], most) {
			tiles = append(tiles, tile(l.Weight.Data[k*size:(k+1)*size], s[1]))
		}
		return tiles, columns(len(tiles), 2), false
	}
	inputs := min(s[1], most)
	for k := range min(s[0], most) {
		for ch := range inputs {
			at := k*size + ch*s[2]*s[3]
			tiles = append(tiles, tile(l.Weight.Data[at:at+s[2]*s[3]], 1))
		}
	}
	return tiles, inputs, true
}

// drawSigned draws a filter [c][h][w] with 0 as mid-grey; scale 0 takes its own
// largest magnitude.
func drawSigned(data []float32, c, h, w int, net *model.Network, scale float64) image.Image {
	if scale == 0 {
		scale = render.MaxAbs(data)
	}
	return render.Signed(net.Preprocess.RGB(data, c), c, h, w, scale)
}

// filterStyle is how filters are drawn.
type filterStyle struct {
	most    int    // maps at most
	scaling string // "layer" or "tile"
}

// drawFilters draws the filters of the convolution called name and returns the
// picture's file name.
func drawFilters(out *output, style filterStyle, name string) (string, error) {
	net, most := out.net, style.most
	l := net.Node(name).Layer.(*model.Conv)
	scale := render.MaxAbs(l.Weight.Data)
	shown := scale
	text := fmt.Sprintf("0 is mid-grey, white and black are ±%s, the layer's largest weight", render.Number(scale))
	if style.scaling == "tile" {
		shown, text = 0, "0 is mid-grey, white and black are each tile's largest weight"
	}
	tiles, columns, pairs := filterTiles(net, name, most, shown)
	s := l.Weight.Shape
	what := fmt.Sprintf("%d filters of %dx%dx%d", s[0], s[1], s[2], s[3])
	if pairs {
		what += fmt.Sprintf("; a row for each map (%d of %d), a column for each input (%d of %d)", min(s[0], most), s[0], columns, s[1])
	} else if s[0] > most {
		what += fmt.Sprintf(" (%d shown)", most)
	}
	size := 50
	if pairs {
		size = 15
	}
	grid := render.Grid(tiles, render.GridOptions{Columns: columns, MinTile: size})
	fig := render.Figure{Title: "Filters of " + name, Caption: []string{what + ". " + text + ".", net.Name + " " + hash(net)}, PanelSize: -1,
		Panels: []render.Panel{{Image: grid, Bar: signedBar(style.scaling, scale)}}, Columns: 1}
	base := "filters-" + name
	return out.picture(base, fig.Draw(), numbers{
		json:  map[string]any{"model": hash(net), "layer": name, "shape": s, "scale": scale, "scaling": style.scaling},
		shape: s, data: l.Weight.Data}, "layer", name, "scale", text)
}

func signedBar(scaling string, scale float64) *render.ColorBar {
	if scaling == "tile" {
		return nil
	}
	return &render.ColorBar{Palette: render.Gray, Lo: -scale, Hi: scale, Label: "weight"}
}

// evolveFilters draws the filters of several checkpoints below each other.
func evolveFilters(c *cli.Context) error {
	if c.NArg() < 2 {
		return usage("--evolve needs at least two checkpoints", "viz train --keep-checkpoints leaves numbered ones")
	}
	spec := c.String("layer")
	if spec == "" {
		spec = "1"
	}
	var nets []*model.Network
	var layers []*model.Conv
	var names []string
	var scale float64
	for _, path := range c.Args().Slice() {
		net, err := openModel(path)
		if err != nil {
			return err
		}
		conv, err := convNodes(net, spec)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		l := net.Node(conv[0]).Layer.(*model.Conv)
		if len(layers) > 0 && !slices.Equal(l.Weight.Shape, layers[0].Weight.Shape) {
			return fmt.Errorf("%s: layer %s is %v, but %v in %s", path, conv[0], l.Weight.Shape, layers[0].Weight.Shape, c.Args().First())
		}
		nets, layers, names = append(nets, net), append(layers, l), append(names, conv[0])
		scale = max(scale, render.MaxAbs(l.Weight.Data))
	}
	out, err := openOutput(c, nets[0])
	if err != nil {
		return err
	}
	fig := render.Figure{Title: "Filters of layer " + spec + " through training", Columns: 1, PanelSize: -1,
		Caption: []string{fmt.Sprintf("one scale for all: 0 is mid-grey, white and black are ±%s", render.Number(scale))}}
	shown := scale
	if c.String("scale") == "tile" {
		shown = 0
		fig.Caption[0] = "0 is mid-grey, white and black are each tile's largest weight"
	}
	var steps []map[string]any
	var all []float32
	for i, l := range layers {
		most := min(c.Int("max"), 32)
		tiles, columns, pairs := filterTiles(nets[i], names[i], most, shown)
		what := fmt.Sprintf("maps 0 to %d of %d; ", len(tiles)-1, l.Weight.Shape[0])
		if pairs {
			tiles = tiles[:columns]
			what = fmt.Sprintf("map 0: its filters of inputs 0 to %d of %d; ", columns-1, l.Weight.Shape[1])
		}
		if i == 0 {
			fig.Caption[0] = what + fig.Caption[0]
		}
		p := render.Panel{Title: fmt.Sprintf("step %d  (%s)", nets[i].Origin.Step, filepath.Base(c.Args().Get(i))),
			Image: render.Grid(tiles, render.GridOptions{Columns: len(tiles), MinTile: 30})}
		if i == len(layers)-1 {
			p.Bar = signedBar(c.String("scale"), scale)
		}
		fig.Panels = append(fig.Panels, p)
		steps = append(steps, map[string]any{"file": c.Args().Get(i), "step": nets[i].Origin.Step, "model": hash(nets[i]), "max": render.MaxAbs(l.Weight.Data)})
		all = append(all, l.Weight.Data...)
	}
	base := "evolution-layer" + spec
	_, err = out.picture(base, fig.Draw(), numbers{
		json:  map[string]any{"layer": spec, "scale": scale, "scaling": c.String("scale"), "checkpoints": steps},
		shape: append([]int{len(layers)}, layers[0].Weight.Shape...), data: all}, "layer", spec)
	return err
}
