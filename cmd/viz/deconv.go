package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/urfave/cli/v2"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/view"
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
			cmdline.Examples("viz deconv --layer 2", "viz deconv --layer 3 --maps 0,3,7 --rule guided photos/", "viz deconv --features features.idx --layer all --maps all --out atlas",
				"viz deconv --layer 2 --map 17", "viz deconv --unit relu2:5:3:4 --npy unit.npy img.png"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` by number (2: the second convolution's features) or name, several with commas, or all; default: the last block or convolution before the scores"},
			&cli.StringFlag{Name: "features", Usage: "index `FILE` that viz features made"},
			&cli.StringFlag{Name: "map", Usage: "one large sheet of feature map `K`: images, receptive fields, patches, projections, histogram"},
			&cli.StringFlag{Name: "maps", Usage: "feature maps, such as 0,3,7 or 4-11, or all; default: the 16 with the strongest activation"},
			&cli.IntFlag{Name: "top", Value: 9, Usage: "strongest activations per map, each from another image"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "`RULE`: deconv (the paper's), guided, gradient (times the activation), deconv_lrngrad, deconv_leaky"},
			&cli.StringFlag{Name: "unit", Usage: "project one unit, `LAYER:CHANNEL:Y:X` (or LAYER:CHANNEL), of the first image"},
			cmdline.IndexFlag,
			&cli.StringFlag{Name: "scale", Value: "tile", Usage: "what is white and black: the magnitude of each `tile`, map or layer, or a number"},
			&cli.Float64Flag{Name: "clip", Value: view.DefaultClip, Usage: "`PERCENT` of a projection's pixels that its magnitude covers; 100: all"},
			&cli.StringFlag{Name: "npy", Usage: "write the projections in full image size as an array to `FILE`"}},
		Action: cmdline.Action(deconvAction),
	}
}

// projectionRequest reads what flags say about sheets of projections.
func projectionRequest(c *cmdline.Run) (view.Sheets, error) {
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return view.Sheets{}, cmdline.UsageErr(err)
	}
	r := view.Sheets{Top: c.Int("top"), Rule: rule, Scale: view.Scaling(c.String("scale")), Clip: c.Float64("clip"), Full: c.String("npy") != ""}
	if v, err := strconv.ParseFloat(c.String("scale"), 64); err == nil {
		r.Scale, r.Fixed = view.Fixed, v
	} else if !slices.Contains([]view.Scaling{view.PerTile, view.PerMap, view.PerLayer}, r.Scale) {
		return r, cmdline.Usage("--scale "+c.String("scale")+": want tile, map, layer or a positive number", "")
	}
	if r.Clip == 0 || r.Top == 0 { // 0 means the default in a request
		return r, cmdline.Usage(fmt.Sprintf("--top %d --clip %g: want numbers above 0: --clip 0: want a percentage above 0", r.Top, r.Clip), "")
	}
	return r, cmdline.RequestErr(r.Validate())
}

func deconvAction(c *cmdline.Run) error {
	request, err := projectionRequest(c)
	if err != nil {
		return err
	}
	unit := c.String("unit") != ""
	switch {
	case c.IsSet("map") && c.IsSet("maps"):
		return cmdline.Usage("--map and --maps exclude each other", "")
	case c.IsSet("index") && !unit:
		return cmdline.Usage("--index goes with --unit", "")
	case unit:
		for _, f := range []string{"layer", "maps", "map", "features"} {
			if c.IsSet(f) {
				return cmdline.Usage("--unit and --"+f+" exclude each other", "")
			}
		}
	}
	paths := c.InputPaths()
	session, err := c.OpenSession(len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	if unit {
		return deconvUnit(c, session, request, paths)
	}
	layers, err := c.DeconvLayers(net)
	if err != nil {
		return err
	}
	index, src, err := c.OpenFeatures(session, layers, paths)
	if err != nil {
		return err
	}
	if path := c.String("npy"); path != "" {
		if err := c.OutFile(path, "--npy"); err != nil {
			return err
		}
		if len(layers) > 1 {
			return cmdline.Usage("--npy is one array, but there are several layers", "each sheet has its numbers beside it")
		}
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if err := out.Several(len(layers), "layers"); err != nil {
		return err
	}
	chosen, err := chosenMaps(c, session, request, layers)
	if err != nil {
		return err
	}
	bad, err := c.NewFailures(src.List)
	if err != nil {
		return err
	}
	if index == nil {
		step, end := c.Progress("scanning")
		index, err = features.Collect(c.Context, session.Engine, net, src, features.Options{Layers: layers, Top: request.Top, Readers: 2, Progress: step,
			Unreadable: func(_ int, err error) error { return bad.Add(err) }})
		end()
		if err != nil {
			return err
		}
	}
	if err := drawSheets(c, session, request, index, src, layers, chosen, out); err != nil {
		return err
	}
	if err := out.End(); err != nil {
		return err
	}
	return bad.Err()
}
