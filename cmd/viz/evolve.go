package main

import (
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
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func evolveCommand() *cli.Command {
	return &cli.Command{
		Name: "evolve", Usage: "show how features come about: the strongest activation of maps, projected, checkpoint by checkpoint",
		UsageText: "viz evolve [flags] CKPT...",
		Description: "A figure for each layer: rows are maps, columns checkpoints in the order given. Each cell is the\n" +
			"strongest activation over all images at that time, projected to pixels. A frame marks a jump:\n" +
			"another image than at the time before. Each row has one scale, so that growth shows. A map that\n" +
			"is 0 on every image has a grey cell and no jump.\n\n" +
			examples("viz train --data shapes --epochs 2 --keep-checkpoints --checkpoint-every 40", "viz evolve ckpt-*.bin", "viz evolve --layer 2,4 --maps 0-7 --limit 2000 ckpt-*.bin"),
		Flags: []cli.Flag{outFlag, quietFlag, workersFlag, dataFlag,
			&cli.StringFlag{Name: "split", Value: "train", Usage: "part of the data set: train (the paper's) or test"},
			&cli.IntFlag{Name: "limit", Value: 2000, Usage: "use only `N` images, a fixed random choice; 0: all"}, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Value: "all", Usage: "convolution layers by number or name, comma-separated, or all"},
			&cli.StringFlag{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11; default: six at random, as in the paper"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the choice of maps"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "`RULE`: " + ruleNames()},
			&cli.Float64Flag{Name: "clip", Value: view.DefaultClip, Usage: "`PERCENT` of a row's pixels that white and black cover; 100: all"},
			&cli.BoolFlag{Name: "patches", Usage: "put the image patches below the projections"},
			jsonFlag},
		Action: evolve,
	}
}

func ruleNames() string {
	var names []string
	for _, r := range deconv.Rules() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// evolveCell is a cell of the figure, as in the JSON and, with its layer, in the CSV.
type evolveCell struct {
	Map        int     `json:"map"`
	Checkpoint string  `json:"checkpoint"`
	Step       int     `json:"step"`
	Image      string  `json:"image"`
	Y          int     `json:"y"`
	X          int     `json:"x"`
	Value      float32 `json:"value"`
	Jump       bool    `json:"jump"`
	Box        [4]int  `json:"box"` // of the input: top, left, bottom, right
}

func evolve(c *cli.Context) error {
	if c.NArg() < 2 {
		return usage("viz evolve needs at least two checkpoints", "viz train --keep-checkpoints leaves numbered ones")
	}
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return usageErr(err)
	}
	if p := c.Float64("clip"); !(p > 0 && p <= 100) {
		return usage(fmt.Sprintf("--clip %g: want a percentage above 0", p), "")
	}
	files := c.Args().Slice()
	first, err := openModel(files[0])
	if err != nil {
		return err
	}
	layers := first.ConvLayers()
	if s := c.String("layer"); s != "all" {
		if layers, err = resolveLayers(first, s); err != nil {
			return err
		}
	}
	if len(layers) == 0 {
		return fmt.Errorf("network %s has no convolution layers", first.Name)
	}
	shapes, err := first.Shapes()
	if err != nil {
		return err
	}
	maps := make([][]int, len(layers))
	for l, name := range layers {
		if maps[l], err = parseMaps(c.String("maps"), shapes[name].C); err != nil {
			return usageErr(fmt.Errorf("layer %s: %w", name, err))
		}
		if maps[l] == nil {
			h := fnv.New64a() // of the name, so that a layer's maps do not depend on which others are drawn
			io.WriteString(h, name)
			rng := rand.New(rand.NewPCG(c.Uint64("seed"), h.Sum64()))
			maps[l] = slices.Sorted(slices.Values(rng.Perm(shapes[name].C)[:min(6, shapes[name].C)]))
		}
		if len(maps[l]) > 64 {
			return usage(fmt.Sprintf("%d maps, want at most 64 in a figure", len(maps[l])), "")
		}
	}
	for l, name := range layers {
		if n := len(maps[l]) * len(files); n > view.MaxValues/first.Input.Shape().Len() {
			return hinted(fmt.Errorf("layer %s: the projections of %d maps in %d checkpoints take %.1f GB", name, len(maps[l]), len(files),
				4e-9*float64(n)*float64(first.Input.Shape().Len())), "name fewer maps with --maps, or fewer checkpoints")
		}
	}
	for _, file := range files[1:] { // before the first is scanned, which takes its time
		if err := sameNetwork(file, files[0], first, layers); err != nil {
			return err
		}
	}
	src, err := openSource(c, first, c.StringSlice("images"), false)
	if err != nil {
		return err
	}
	out, err := openOutput(c, first)
	if err != nil {
		return err
	}
	if err := out.several(len(layers), "layers"); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	step, end := progress(c, "scanning")
	defer end()
	var columns [][][]experiments.Cell // [checkpoint][layer][map]
	var steps []int
	for i, file := range files {
		net, err := openModel(file)
		if err != nil {
			return err
		}
		o := experiments.EvolveOptions{Rule: rule, Layers: layers, Maps: maps, Progress: func(done, total int) {
			if step != nil {
				step(i*total+done, len(files)*total)
			}
		}}
		if i > 0 {
			o.Before = columns[i-1]
		}
		column, err := experiments.Evolve(c.Context, engine, net, src, o)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		columns, steps = append(columns, column), append(steps, net.Origin.Step)
	}
	end()
	all := map[string][]evolveCell{}
	var rows [][]string
	for l, name := range layers {
		if err := c.Context.Err(); err != nil {
			return err
		}
		cells, err := drawEvolution(c, out, first, src, files, steps, l, name, maps[l], columns)
		if err != nil {
			return err
		}
		all[name] = cells
		jumps, late := 0, 0
		for i, cell := range cells {
			if cell.Jump {
				jumps++
				if column := i % len(files); 2*column > len(files) {
					late++
				}
			}
			rows = append(rows, []string{name, fmt.Sprint(cell.Map), cell.Checkpoint, fmt.Sprint(cell.Step), cell.Image, fmt.Sprint(cell.Y), fmt.Sprint(cell.X),
				num(float64(cell.Value), 6), fmt.Sprint(cell.Jump), fmt.Sprint(cell.Box[0]), fmt.Sprint(cell.Box[1]), fmt.Sprint(cell.Box[2]), fmt.Sprint(cell.Box[3])})
		}
		transitions := len(files) - 1
		when := ""
		if transitions > 1 {
			when = fmt.Sprintf(", %d of them in the last %d of each map's %d", late, transitions/2, transitions)
		}
		note(c, "%s: %d jumps in %d transitions%s", name, jumps, len(maps[l])*transitions, when)
	}
	base := "evolution"
	header := []string{"layer", "map", "checkpoint", "step", "image", "y", "x", "value", "jump", "top", "left", "bottom", "right"}
	if err := out.csv(base, header, rows); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"data": src.From, "checkpoints": files, "steps": steps, "layers": all})
	}
	return nil
}

// sameNetwork refuses a checkpoint whose input or layers are not those of the first.
func sameNetwork(file, firstFile string, first *model.Network, layers []string) error {
	fail := func(format string, a ...any) error {
		return fmt.Errorf("%s and %s are not checkpoints of one network: %s", firstFile, file, fmt.Sprintf(format, a...))
	}
	net, err := openModel(file)
	if err != nil {
		return err
	}
	if net.Input.Shape() != first.Input.Shape() {
		return fail("the input is %v, and %v", first.Input.Shape(), net.Input.Shape())
	}
	a, b := net.Preprocess, first.Preprocess
	a.DataMean, b.DataMean = nil, nil // what masks are filled with
	if !reflect.DeepEqual(a, b) {
		return fail("pixels become the input in different ways")
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
			return fail("layer %s is %v, and %v", name, want[name], got)
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

// drawEvolution draws the figure of one layer.
func drawEvolution(c *cli.Context, out *output, net *model.Network, src *images.Inputs, files []string, steps []int, l int, layer string, maps []int,
	columns [][][]experiments.Cell) ([]evolveCell, error) {
	jump := color.NRGBA{230, 120, 0, 255}
	table := render.Table{Title: "Evolution of " + layer, Scale: 1.6, Columns: columnNames(files, steps)}
	var cells []evolveCell
	var data []float32
	var scales []float64
	in := net.Input
	tallest, widest := 0, 0
	for _, col := range columns {
		for _, cell := range col[l] {
			tallest, widest = max(tallest, cell.Projection.Box.H()), max(widest, cell.Projection.Box.W())
		}
	}
	k := max(1, (150+max(tallest, widest)-1)/max(tallest, widest)) // enlargement
	for r, m := range maps {
		// One scale for the row: over all its projections.
		var row []float32
		for _, col := range columns {
			row = append(row, col[l][r].Projection.Pixels...)
		}
		scale := render.PercentileAbs(row, c.Float64("clip"))
		if scale == 0 {
			scale = max(render.MaxAbs(row), 1e-30)
		}
		scales = append(scales, scale)
		tiles := render.TableRow{Label: fmt.Sprintf("map %d ±%s", m, render.Number(scale))}
		patches := render.TableRow{Label: "image"}
		for i, col := range columns {
			cell := col[l][r]
			box := cell.Projection.Box
			tile := render.Magnify(cell.Projection.Draw(net.Preprocess, scale), k)
			framed := image.NewNRGBA(image.Rect(0, 0, widest*k+8, tallest*k+8))
			fillImage(framed, color.NRGBA{128, 128, 128, 255})
			at := image.Pt((framed.Rect.Dx()-tile.Rect.Dx())/2, (framed.Rect.Dy()-tile.Rect.Dy())/2)
			draw.Draw(framed, tile.Rect.Add(at), tile, image.Point{}, draw.Src)
			if cell.Jump {
				render.DrawBox(framed, framed.Rect, jump, 4)
			}
			tiles.Tiles = append(tiles.Tiles, framed)
			if c.Bool("patches") {
				x, err := src.Load(cell.Hit.Image)
				if err != nil {
					return nil, err
				}
				patches.Tiles = append(patches.Tiles, render.Magnify(cell.Projection.Crop(net.Preprocess, in, x), k))
			}
			cells = append(cells, evolveCell{m, files[i], steps[i], src.Items[cell.Hit.Image].Name, cell.Hit.Y, cell.Hit.X, cell.Hit.Value, cell.Jump,
				[4]int{box.Y0, box.X0, box.Y1, box.X1}})
			data = append(data, cell.Projection.Full(in.H, in.W)...)
		}
		table.Rows = append(table.Rows, tiles)
		if c.Bool("patches") {
			table.Rows = append(table.Rows, patches)
		}
	}
	table.MinTile = -1
	table.Caption = []string{fmt.Sprintf("Each cell: the strongest activation of the map over %d images (%s), projected by rule %s. Zero is mid-grey; white and black are ± the number beside the row, "+
		"which covers %g %% of the row's pixels. An orange frame marks a jump: another image than in the column before.", src.Len(), src.From, c.String("rule"), c.Float64("clip"))}
	_, err := out.picture("evolution-"+layer, table.Draw(), numbers{json: map[string]any{"layer": layer, "data": src.From, "rule": c.String("rule"), "maps": maps, "scales": scales, "cells": cells},
		shape: []int{len(maps), len(columns), in.C, in.H, in.W}, data: data}, "layer", layer, "rule", c.String("rule"))
	return cells, err
}
