package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func invarianceCommand() *cli.Command {
	var all []string
	for _, t := range experiments.Transforms() {
		all = append(all, string(t))
	}
	return &cli.Command{
		Name: "invariance", Usage: "move, scale, turn and otherwise change images, and measure how features and the class's probability follow",
		UsageText: "viz invariance [flags] [IMG...]",
		Description: "For each image and transform: the Euclidean distance of a lower and an upper layer's values to\n" +
			"those of the unchanged image, and the probability of the class (the image's label if the data\n" +
			"has the network's classes, else the most probable class of the unchanged image). Without images,\n" +
			"five of the data set the network was trained on.\n\n" +
			cmdline.Examples("viz invariance photo.png", "viz invariance --layers 1,3,top --transforms shift-y,scale,rotate --relative"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.IntFlag{Name: "limit", Value: 5, Usage: "use only `N` images, of a data set a fixed random choice, at most 12"},
			&cli.StringFlag{Name: "layers", Value: "1,top", Usage: "`LAYER`s by number or name; top is what the class scores are made of"},
			&cli.StringFlag{Name: "transforms", Value: "all", Usage: strings.Join(all, ", ")},
			&cli.StringFlag{Name: "class", Usage: "class whose probability is shown, by name or number"},
			&cli.BoolFlag{Name: "relative", Usage: "draw distances as a share of the norm of the unchanged image's values"},
			&cli.IntFlag{Name: "points", Value: 25, Usage: "amounts of each transform, about"},
			cmdline.ByNumberFlag, cmdline.JSONFlag},
		Action: cmdline.Action(invariance),
	}
}

func invariance(c *cmdline.Run) error {
	if n := c.Int("limit"); n < 1 || n > 12 {
		return cmdline.Usage(fmt.Sprintf("--limit %d: want 1 to 12 images in one figure", n), "")
	}
	if n := c.Int("points"); n < 3 || n > 1000 {
		return cmdline.Usage(fmt.Sprintf("--points %d: want 3 to 1000", n), "")
	}
	transforms, err := view.ParseTransforms(c.String("transforms"))
	if err != nil {
		return cmdline.Usage(err.Error(), "viz invariance --help lists them")
	}
	paths := c.InputPaths()
	session, err := c.OpenSession(len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	if _, err := net.Reading(); err != nil {
		return err
	}
	layers, err := cmdline.TopLayers(net, c.String("layers"))
	if err != nil {
		return err
	}
	class := -1
	if s := c.String("class"); s != "" {
		if class, err = net.ResolveClass(s); err != nil {
			return cmdline.UsageErr(err)
		}
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	if class < 0 {
		named := len(src.Classes) > 0
		if src, err = c.MatchIfPossible(src); err != nil {
			return err
		}
		if named && slices.Max(src.Labels()) < 0 {
			c.Note("the most probable class stands in for the true one")
		}
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	result := view.Invariance{Layers: layers, Transforms: transforms, From: src.From, Relative: c.Bool("relative"), OneFigure: out.One != "" || out.Stdout}
	return c.Each(src, "transforming", func(i int, x *tensor.Tensor) error {
		return result.Measure(c.Context, session, src, i, x, class, c.Int("points"))
	}, func() error { return finishInvariance(c, out, session, result) })
}

// finishInvariance writes the figures and the table, and prints what small and large changes do.
func finishInvariance(c *cmdline.Run, out *cmdline.Output, session *view.Session, r view.Invariance) error {
	figures, err := session.Invariance(r)
	if err != nil {
		return err
	}
	if _, err := out.Figures(figures...); err != nil {
		return err
	}
	if err := out.Table(r.Table()); err != nil {
		return err
	}
	rows := r.Changes()
	if c.JSON {
		return c.PrintJSON(map[string]any{"layers": r.Layers, "images": len(r.Images), "rows": rows})
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nmean of %d images\tby\trelative distance in %s\tdrop in probability\n", len(r.Images), strings.Join(r.Layers, ", "))
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s %s", r.Transform, view.Number(r.Amount), r.Transform.Unit())
		var parts []string
		for _, v := range r.Relative {
			if v == nil {
				parts = append(parts, "-")
			} else {
				parts = append(parts, fmt.Sprintf("%.3f", *v))
			}
		}
		fmt.Fprintf(w, "\t%s\t%.3f\n", strings.Join(parts, "  "), r.Drop)
	}
	return w.Flush()
}
