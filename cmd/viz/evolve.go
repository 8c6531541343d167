package main

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/urfave/cli/v2"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

func evolveCommand() *cli.Command {
	return &cli.Command{
		Name: "evolve", Usage: "show how features come about: the strongest activation of maps, projected, checkpoint by checkpoint",
		UsageText: "viz evolve [flags] CKPT...",
		Description: "A figure for each layer: rows are maps, columns checkpoints in the order given. Each cell is the\n" +
			"strongest activation over all images at that time, projected to pixels. A frame marks a jump:\n" +
			"another image than at the time before. Each row has one scale, so that growth shows. A map that\n" +
			"is 0 on every image has a grey cell and no jump.\n\n" +
			cmdline.Examples("viz train --data shapes --epochs 2 --keep-checkpoints --checkpoint-every 40", "viz evolve ckpt-*.bin", "viz evolve --layer 2,4 --maps 0-7 --limit 2000 ckpt-*.bin"),
		Flags: []cli.Flag{cmdline.OutFlag, cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.DataFlag,
			&cli.StringFlag{Name: "split", Value: "train", Usage: "part of the data set: train (the paper's) or test"},
			&cli.IntFlag{Name: "limit", Value: 2000, Usage: "use only `N` images, a fixed random choice; 0: all"}, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Value: "all", Usage: "convolution layers by number or name, comma-separated, or all"},
			&cli.StringFlag{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11; default: six at random, as in the paper"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the choice of maps"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "`RULE`: " + ruleNames()},
			&cli.Float64Flag{Name: "clip", Value: view.DefaultClip, Usage: "`PERCENT` of a row's pixels that white and black cover; 100: all"},
			&cli.BoolFlag{Name: "patches", Usage: "put the image patches below the projections"},
			cmdline.JSONFlag},
		Action: cmdline.Action(evolve),
	}
}

func ruleNames() string {
	var names []string
	for _, r := range deconv.Rules() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func evolve(c *cmdline.Run) error {
	if c.NArg() < 2 {
		return cmdline.Usage("viz evolve needs at least two checkpoints", "viz train --keep-checkpoints leaves numbered ones")
	}
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return cmdline.UsageErr(err)
	}
	if p := c.Float64("clip"); !(p > 0 && p <= 100) {
		return cmdline.Usage(fmt.Sprintf("--clip %g: want a percentage above 0", p), "")
	}
	files := c.Args().Slice()
	first, err := cmdline.OpenModel(files[0])
	if err != nil {
		return err
	}
	layers := first.ConvLayers()
	if s := c.String("layer"); s != "all" {
		if layers, err = cmdline.ResolveLayers(first, s); err != nil {
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
	r := view.Evolution{Files: files, Layers: layers, Seed: c.Uint64("seed"), Rule: rule, Clip: c.Float64("clip"), Patches: c.Bool("patches")}
	for _, name := range layers {
		maps, err := view.ParseMaps(c.String("maps"), shapes[name].C)
		if err != nil {
			return cmdline.UsageErr(fmt.Errorf("layer %s: %w", name, err))
		}
		r.Maps = append(r.Maps, maps)
	}
	if err := r.Choose(first); err != nil {
		return cmdline.RequestErr(err)
	}
	for _, file := range files[1:] { // before the first is scanned, which takes its time
		net, err := cmdline.OpenModel(file)
		if err == nil {
			err = view.SameNetwork(files[0], file, first, net, layers)
		}
		if err != nil {
			return err
		}
	}
	src, err := c.OpenSource(first, c.StringSlice("images"), false)
	if err != nil {
		return err
	}
	out, err := c.OpenOutput(view.NewSession(nil, first))
	if err != nil {
		return err
	}
	if err := out.Several(len(layers), "layers"); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	step, end := c.Progress("scanning")
	defer end()
	r.Progress = step
	result, err := view.Evolve(c.Context, engine, r, src, func(i int) (*model.Network, error) { return cmdline.OpenModel(files[i]) })
	end()
	if err != nil {
		return err
	}
	return writeEvolution(c, out, r, src, result)
}

// writeEvolution draws the layers one by one, and writes the table of all.
func writeEvolution(c *cmdline.Run, out *cmdline.Output, r view.Evolution, src *images.Inputs, result *view.EvolutionResult) error {
	all := map[string]view.EvolutionNumbers{}
	cells := map[string][]view.EvolutionCell{}
	for l, name := range r.Layers {
		if err := c.Context.Err(); err != nil {
			return err
		}
		f, err := result.Figure(l)
		if err != nil {
			return err
		}
		if _, err := out.Figures(f); err != nil {
			return err
		}
		all[name] = f.Numbers.(view.EvolutionNumbers)
		cells[name] = all[name].Cells
		c.Note("%s", result.Jumps(l))
	}
	if err := out.Table(result.Table(all)); err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(map[string]any{"data": src.From, "checkpoints": r.Files, "steps": result.Steps, "layers": cells})
	}
	return out.End()
}
