package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func filtersCommand() *cli.Command {
	return &cli.Command{
		Name: "filters", Usage: "draw the filters of the convolution layers, or how they change over checkpoints",
		UsageText:   "viz filters [flags] [MODEL...]",
		Description: cmdline.Examples("viz filters ckpt.bin", "viz filters --layer 1 --evolve --out evolution.png ckpt-*.bin", "viz filters --diagnose before.bin after.bin"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag,
			&cli.StringFlag{Name: "layer", Usage: "convolution `LAYER` by number or name; several with commas, or all; default: all that are larger than 1x1 (with --evolve: 1)"},
			&cli.StringFlag{Name: "scale", Value: "layer", Usage: "white and black are the largest magnitude of the `layer` or of each tile"},
			&cli.IntFlag{Name: "max", Value: 64, Usage: "draw at most `N` maps of a layer, and of its inputs"},
			&cli.BoolFlag{Name: "diagnose", Usage: "what is wrong with the filters, in numbers and words, of one network or two side by side"},
			cmdline.DataFlag, cmdline.SplitFlag, cmdline.SeedFlag, cmdline.WorkersFlag, cmdline.JSONFlag,
			&cli.IntFlag{Name: "limit", Value: 500, Usage: "with --diagnose: look for maps that never fire on `N` images of the data set, 0: none"},
			&cli.BoolFlag{Name: "evolve", Usage: "one strip for each of several checkpoints of one network, on one scale"}},
		Action: cmdline.Action(filters),
	}
}

func filters(c *cmdline.Run) error {
	if s := c.String("scale"); s != "layer" && s != "tile" {
		return cmdline.Usage("--scale "+s+": want layer or tile", "")
	}
	if c.Int("max") < 1 {
		return cmdline.Usage("--max must be at least 1", "")
	}
	if c.Bool("diagnose") {
		return diagnoseFilters(c)
	}
	if c.Bool("evolve") {
		return evolveFilters(c)
	}
	session, err := modelArgument(c)
	if err != nil {
		return err
	}
	net := session.Net
	names, err := convNodes(net, c.String("layer"))
	if err != nil {
		return err
	}
	if _, spaced := view.Convolutions(net); c.String("layer") == "" && len(spaced) < len(names) {
		c.Note("%d layers of 1x1 filters are left out: --layer all draws them, too", len(names)-len(spaced))
		names = spaced
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if out.One != "" && len(names) > 1 {
		c.Note("--out names one picture: only %s is drawn", names[0])
		names = names[:1]
	}
	for _, name := range names { // one by one, for memory
		if err := c.Context.Err(); err != nil {
			return err
		}
		figures, err := session.Filters(view.Filters{Layers: []string{name}, Most: c.Int("max"), Scale: view.Scaling(c.String("scale"))})
		if err != nil {
			return err
		}
		if _, err := out.Figures(figures...); err != nil {
			return err
		}
	}
	return out.End()
}

// convNodes lists the convolutions meant by spec: a number, a name, or all.
func convNodes(net *model.Network, spec string) ([]string, error) {
	all, _ := view.Convolutions(net)
	if len(all) == 0 {
		return nil, view.NoFilters(net)
	}
	if spec == "" || spec == "all" {
		return all, nil
	}
	var out []string
	layers, err := cmdline.ResolveLayers(net, spec)
	if err != nil {
		return nil, err
	}
	for _, name := range layers {
		if i := slices.Index(net.ConvLayers(), name); i >= 0 {
			name = net.ConvNodes()[i]
		}
		if !slices.Contains(all, name) {
			return nil, cmdline.Usage(fmt.Sprintf("layer %s is a %s: it has no filters", name, net.Node(name).Layer.Kind()),
				"convolution layers: "+strings.Join(all, ", "))
		}
		out = append(out, name)
	}
	return out, nil
}

// evolveFilters draws the filters of several checkpoints below each other.
func evolveFilters(c *cmdline.Run) error {
	if c.NArg() < 2 {
		return cmdline.Usage("--evolve needs at least two checkpoints", "viz train --keep-checkpoints leaves numbered ones")
	}
	spec := c.String("layer")
	if spec == "" {
		spec = "1"
	}
	var sessions []*view.Session
	r := view.FilterEvolution{Files: c.Args().Slice(), Called: spec, Most: c.Int("max"), Scale: view.Scaling(c.String("scale"))}
	for _, path := range r.Files {
		net, err := cmdline.OpenModel(path)
		if err != nil {
			return err
		}
		conv, err := convNodes(net, spec)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		sessions, r.Layers = append(sessions, view.NewSession(nil, net)), append(r.Layers, conv[0])
	}
	out, err := c.OpenOutput(sessions[0])
	if err != nil {
		return err
	}
	figure, err := view.EvolveFilters(sessions, r)
	if err != nil {
		return err
	}
	_, err = out.Figures(figure)
	return err
}
