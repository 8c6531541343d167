package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func sanityCommand() *cli.Command {
	return &cli.Command{
		Name: "sanity", Usage: "test which attribution methods depend on what the network has learned",
		UsageText: "viz sanity [flags] [IMG...]",
		Description: "Weights are drawn anew layer by layer, from the scores down and each layer alone, and maps before and after are\n" +
			"compared: by rank correlation, with signs and of magnitudes, and by structural similarity. A method whose maps\n" +
			"stay alike without any learned weight shows the image and the wiring, not the decision.\n\n" +
			cmdline.Examples("viz sanity", "viz sanity --method saliency,guided,gradcam --limit 4 photos/"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.IntFlag{Name: "limit", Value: 8, Usage: "use only `N` images, of a data set a fixed random choice; 0: all"},
			&cli.StringFlag{Name: "method", Value: "saliency,inputxgradient,ig,guided,deconvnet,gradcam", Usage: "`METHOD`s, comma-separated, or all: see viz attribute"},
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` of class activation maps, see viz attribute"},
			&cli.IntFlag{Name: "nodes", Value: 20, Usage: "of integrated gradients"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the weights, noise and masks"}},
		Action: cmdline.Action(sanity),
	}
}

func sanity(c *cmdline.Run) error {
	var r view.Sanity
	var err error
	if r.Methods, err = attributionMethods(c.String("method")); err != nil {
		return err
	}
	if c.Int("nodes") < 1 {
		return cmdline.Usage(fmt.Sprintf("--nodes %d: want at least 1", c.Int("nodes")), "")
	}
	r.Nodes, r.Seed = c.Int("nodes"), c.Uint64("seed")
	paths := c.InputPaths()
	session, err := c.OpenSession(len(paths) > 0 || c.String("data") != "" && c.String("data") != "shapes")
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	if spec := c.String("layer"); spec != "" {
		if r.Layers, err = net.ResolveLayers(spec); err != nil {
			return cmdline.UsageErr(err)
		}
	}
	if err := r.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	step, end := c.Progress("comparing")
	r.Progress = step
	bad, err := c.NewFailures(src.List)
	if err != nil {
		return err
	}
	r.Unreadable = bad.Add
	n, err := session.Sanity(c.Context, r, src)
	end()
	if err != nil {
		return cmdline.RequestErr(err)
	}
	return c.WriteMeasured(out, session.SanityFigure(n), n.Table(), bad, func() error { return printSanity(c, n) })
}

// printSanity prints how much of each method's maps is left when all weights are drawn anew.
func printSanity(c *cmdline.Run, n *view.SanityNumbers) error {
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "method\tkept from the top down\tall drawn anew: rank correlation\tof magnitudes\tstructural similarity\t")
	for _, row := range n.Rows {
		if row.Problem != "" {
			fmt.Fprintf(w, "%s\t%s\n", row.Method, row.Problem)
			continue
		}
		last := row.Cascade[len(row.Cascade)-1]
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%s\t%s\t%s\n", row.Method, row.Kept, plusMinus(last.Spearman), plusMinus(last.Magnitude), plusMinus(last.SSIM), row.Verdict)
	}
	return w.Flush()
}

// plusMinus is a mean with its standard error.
func plusMinus(m *view.Mean) string {
	switch {
	case m == nil:
		return ""
	case m.Error == nil:
		return view.Num(m.Mean, 3)
	}
	return view.Num(m.Mean, 3) + " ± " + view.Num(*m.Error, 3)
}
