package main

import (
	"fmt"
	"image"
	"math"
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
		Description: examples("viz filters ckpt.bin", "viz filters --layer 1 --evolve --out evolution.png ckpt-*.bin"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag,
			&cli.StringFlag{Name: "layer", Usage: "convolution `LAYER` by number or name; default: all (with --evolve: 1)"},
			&cli.StringFlag{Name: "scale", Value: "layer", Usage: "white and black are the largest magnitude of the `layer` or of each tile"},
			&cli.IntFlag{Name: "max", Value: 64, Usage: "draw at most `N` maps of a layer, and of its inputs"},
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
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if out.one != "" {
		names = names[:1]
	}
	style := filterStyle{c.Int("max"), c.String("scale")}
	for _, name := range names {
		l := net.Node(name).Layer.(*model.Conv)
		if err := drawFilters(out, style, name, l); err != nil {
			return err
		}
	}
	return nil
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
	if spec == "" {
		return all, nil
	}
	name, err := net.Resolve(spec)
	if err != nil {
		return nil, usageErr(err)
	}
	if i := slices.Index(net.ConvLayers(), name); i >= 0 {
		return all[i : i+1], nil
	}
	if !slices.Contains(all, name) {
		return nil, usage(fmt.Sprintf("layer %s is a %s: it has no filters", name, net.Node(name).Layer.Kind()),
			"convolution layers: "+strings.Join(all, ", "))
	}
	return []string{name}, nil
}

// filterTiles draws the filters of one layer: in colour if they read a colour
// image, otherwise one grey tile for each pair of map and input, a row for each map.
func filterTiles(net *model.Network, l *model.Conv, most int, scale float64) (tiles []image.Image, columns int) {
	s := l.Weight.Shape
	size := s[1] * s[2] * s[3]
	tile := func(data []float32, c int) image.Image {
		return drawSigned(data, c, s[2], s[3], net, scale)
	}
	if s[1] == 3 && net.Input.C == 3 || s[1] == 1 {
		for k := range min(s[0], most) {
			tiles = append(tiles, tile(l.Weight.Data[k*size:(k+1)*size], s[1]))
		}
		return tiles, int(math.Ceil(math.Sqrt(2 * float64(len(tiles))))) // twice as wide as high
	}
	inputs := min(s[1], most)
	for k := range min(s[0], most) {
		for ch := range inputs {
			at := k*size + ch*s[2]*s[3]
			tiles = append(tiles, tile(l.Weight.Data[at:at+s[2]*s[3]], 1))
		}
	}
	return tiles, inputs
}

func drawSigned(data []float32, c, h, w int, net *model.Network, scale float64) image.Image {
	if scale == 0 {
		scale = render.MaxAbs(data)
	}
	if c == 3 && net.Preprocess.BGR {
		plane := h * w
		data = slices.Concat(data[2*plane:], data[plane:2*plane], data[:plane])
	}
	return render.Signed(data, c, h, w, scale)
}

// filterStyle is how filters are drawn.
type filterStyle struct {
	most    int    // maps at most
	scaling string // "layer" or "tile"
}

func drawFilters(out *output, style filterStyle, name string, l *model.Conv) error {
	net, most := out.net, style.most
	scale := render.MaxAbs(l.Weight.Data)
	shown := scale
	text := fmt.Sprintf("0 is mid-grey, white and black are +-%.3g, the layer's largest weight", scale)
	if style.scaling == "tile" {
		shown, text = 0, "0 is mid-grey, white and black are each tile's largest weight"
	}
	tiles, columns := filterTiles(net, l, most, shown)
	s := l.Weight.Shape
	pairs := s[1] > 1 && len(tiles) > min(s[0], most)
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
	fig := render.Figure{Title: "Filters of " + name, Caption: []string{what + ". " + text + ".", net.Name + " " + net.Hash()}, PanelSize: -1,
		Panels: []render.Panel{{Image: grid, Bar: signedBar(style.scaling, scale)}}, Columns: 1}
	base := "filters-" + name
	if err := out.png(base, fig.Draw(), "layer", name, "scale", text); err != nil {
		return err
	}
	if err := out.json(base, map[string]any{"model": net.Hash(), "layer": name, "shape": s, "scale": scale, "scaling": style.scaling}); err != nil {
		return err
	}
	return out.npy(base, s, l.Weight.Data)
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
	var scale float64
	for _, path := range c.Args().Slice() {
		net, err := openModel(path)
		if err != nil {
			return err
		}
		names, err := convNodes(net, spec)
		if err != nil {
			return err
		}
		l := net.Node(names[0]).Layer.(*model.Conv)
		if len(layers) > 0 && !slices.Equal(l.Weight.Shape, layers[0].Weight.Shape) {
			return fmt.Errorf("%s: layer %s is %v, but %v in %s", path, names[0], l.Weight.Shape, layers[0].Weight.Shape, c.Args().First())
		}
		nets, layers = append(nets, net), append(layers, l)
		scale = max(scale, render.MaxAbs(l.Weight.Data))
	}
	out, err := openOutput(c, nets[0])
	if err != nil {
		return err
	}
	fig := render.Figure{Title: "Filters of layer " + spec + " through training", Columns: 1, PanelSize: -1,
		Caption: []string{fmt.Sprintf("one scale for all: 0 is mid-grey, white and black are +-%.3g", scale)}}
	shown := scale
	if c.String("scale") == "tile" {
		shown = 0
		fig.Caption[0] = "0 is mid-grey, white and black are each tile's largest weight"
	}
	var steps []map[string]any
	var all []float32
	for i, l := range layers {
		tiles, _ := filterTiles(nets[i], l, min(c.Int("max"), 32), shown)
		tiles = tiles[:min(len(tiles), 32)]
		p := render.Panel{Title: fmt.Sprintf("step %d  (%s)", nets[i].Origin.Step, filepath.Base(c.Args().Get(i))),
			Image: render.Grid(tiles, render.GridOptions{Columns: len(tiles), MinTile: 30})}
		if i == len(layers)-1 {
			p.Bar = signedBar(c.String("scale"), scale)
		}
		fig.Panels = append(fig.Panels, p)
		steps = append(steps, map[string]any{"file": c.Args().Get(i), "step": nets[i].Origin.Step, "model": nets[i].Hash(), "max": render.MaxAbs(l.Weight.Data)})
		all = append(all, l.Weight.Data...)
	}
	base := "evolution-layer" + spec
	if err := out.png(base, fig.Draw(), "layer", spec); err != nil {
		return err
	}
	if err := out.json(base, map[string]any{"layer": spec, "scale": scale, "checkpoints": steps}); err != nil {
		return err
	}
	return out.npy(base, append([]int{len(layers)}, layers[0].Weight.Shape...), all)
}
