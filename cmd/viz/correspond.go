package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func correspondCommand() *cli.Command {
	return &cli.Command{
		Name: "correspond", Usage: "mask the same part in several images and see whether features change alike",
		UsageText: "viz correspond [flags] [IMG...]",
		Description: "The score is the Hamming distance of the signs of the changes, as a mean over pairs of images\n" +
			"and over the layer's values; signs are -1, 0, 1, so values that stay as they are agree. Lower\n" +
			"is more alike. Each part is compared with masks of its sizes at random places in the same\n" +
			"images; \"random, aligned\" has them at one random place in all images, which tells how much comes\n" +
			"from being in the same place alone. Standard errors are by the jackknife over images.\n\n" +
			"Parts are a JSON file: {\"left eye\": {\"dog1.png\": [x0, y0, x1, y1], ...}, ...}, in pixels of the\n" +
			"network's input (x1, y1 exclusive). Data that knows where its objects are (shapes) needs none:\n" +
			"images of one class whose objects stand alike are chosen, parts are the corners and the middle\n" +
			"of the object's box, of half its size.\n\n" +
			cmdline.Examples("viz correspond --model shapes --data shapes --class disc", "viz correspond --parts parts.json dog1.png dog2.png dog3.png dog4.png dog5.png"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "parts", Usage: "`FILE` of boxes"},
			&cli.StringFlag{Name: "layers", Value: "last,top", Usage: "`LAYER`s by number or name; last is the last block or convolution before the scores, top what the class scores are made of"},
			&cli.StringFlag{Name: "class", Usage: "of a data set: class whose images are taken, by name or number; default: the first"},
			&cli.IntFlag{Name: "count", Value: 24, Usage: "of a data set: choose `N` images (the paper has 5)"},
			&cli.IntFlag{Name: "random", Value: 20, Usage: "draws of random masks for each part"},
			&cli.Uint64Flag{Name: "seed", Usage: "of the random masks"},
			cmdline.JSONFlag},
		Action: cmdline.Action(correspond),
	}
}

func correspond(c *cmdline.Run) error {
	if c.Int("random") < 2 || c.Int("random") > 10000 {
		return cmdline.Usage(fmt.Sprintf("--random %d: want 2 to 10000", c.Int("random")), "")
	}
	paths := c.InputPaths()
	if len(paths) > 0 && c.String("parts") == "" {
		return cmdline.Usage("images need --parts, a JSON file with the boxes of the parts", "viz correspond --help shows its form")
	}
	if len(paths) == 0 && c.String("parts") != "" {
		return cmdline.Usage("--parts needs the images that it has boxes of", "viz correspond --parts parts.json a.png b.png c.png")
	}
	session, err := c.OpenSession(len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	layers, err := cmdline.TopLayers(net, c.String("layers"))
	if err != nil {
		return err
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	var masked *view.MaskedParts
	if len(paths) > 0 {
		masked, err = namedParts(c, net, paths)
	} else {
		masked, err = objectParts(c, net)
	}
	if err != nil {
		return err
	}
	step, end := c.Progress("masking")
	got, err := experiments.Correspond(c.Context, session.Engine, net, masked.Images, masked.Parts, experiments.CorrespondOptions{Layers: layers, Random: c.Int("random"), Seed: c.Uint64("seed"), Progress: step})
	end()
	if err != nil {
		return err
	}
	figure, table := session.Correspondence(view.Correspondence{Layers: layers, Parts: masked.Parts, Images: masked.Images, Names: masked.Names,
		Draws: c.Int("random"), Seed: c.Uint64("seed"), Rows: got})
	if _, err := out.Figures(figure); err != nil {
		return err
	}
	if err := out.Table(table); err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(figure.Numbers)
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nlayer\tpart\tscore ± spread (%d images)\tstandard error\tbelow random by\n", len(masked.Names))
	for _, r := range got {
		below := fmt.Sprintf("%.4f, %.1f standard errors", r.Below, r.Lower)
		if r.Part == experiments.Random {
			below = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%.4f ± %.4f\t%.4f\t%s\n", r.Layer, r.Part, r.Score, r.Deviation, r.Error, below)
	}
	return w.Flush()
}

// namedParts reads images and the boxes of their parts.
func namedParts(c *cmdline.Run, net *model.Network, paths []string) (*view.MaskedParts, error) {
	src, err := c.OpenInputs(net, images.Spec{Paths: paths})
	if err != nil {
		return nil, err
	}
	file := c.String("parts")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	boxes, err := view.ParseParts(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	parts, err := view.PartsOf(src, boxes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m, err := view.NamedParts(src, parts)
	return m, cmdline.RequestErr(err)
}

// objectParts chooses images of one class with objects that stand alike.
func objectParts(c *cmdline.Run, net *model.Network) (*view.MaskedParts, error) {
	src, err := c.OpenSource(net, nil, false)
	if err != nil {
		return nil, err
	}
	class := 0
	if s := c.String("class"); s != "" {
		// The data's class, whatever classes the network tells apart.
		if class, err = (&model.Network{Classes: src.Classes}).ResolveClass(s); err != nil {
			return nil, cmdline.UsageErr(err)
		}
	}
	m, err := view.ObjectParts(src, class, c.Int("count"))
	if err != nil {
		return nil, cmdline.RequestErr(err)
	}
	c.Note("%d images of class %s, whose objects' corners differ by up to %d pixels", len(m.Names), src.Classes[class], m.Spread)
	return m, nil
}
