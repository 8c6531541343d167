package main

import (
	"fmt"
	"text/tabwriter"

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
			examples("viz sanity", "viz sanity --method saliency,guided,gradcam --limit 4 photos/"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, jsonFlag, workersFlag, dataFlag, splitFlag, seedFlag, imagesFlag,
			&cli.IntFlag{Name: "limit", Value: 8, Usage: "use only `N` images, of a data set a fixed random choice; 0: all"},
			&cli.StringFlag{Name: "method", Value: "saliency,inputxgradient,ig,guided,deconvnet,gradcam", Usage: "`METHOD`s, comma-separated, or all: see viz attribute"},
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` of class activation maps, see viz attribute"},
			&cli.IntFlag{Name: "nodes", Value: 20, Usage: "of integrated gradients"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the weights, noise and masks"}},
		Action: sanity,
	}
}

func sanity(c *cli.Context) error {
	var r view.Sanity
	var err error
	if r.Methods, err = attributionMethods(c.String("method")); err != nil {
		return err
	}
	if c.Int("nodes") < 1 {
		return usage(fmt.Sprintf("--nodes %d: want at least 1", c.Int("nodes")), "")
	}
	r.Nodes, r.Seed = c.Int("nodes"), c.Uint64("seed")
	paths := inputPaths(c)
	session, err := openSession(c, len(paths) > 0 || c.String("data") != "" && c.String("data") != "shapes")
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	if spec := c.String("layer"); spec != "" {
		if r.Layers, err = net.ResolveLayers(spec); err != nil {
			return usageErr(err)
		}
	}
	if err := r.Validate(); err != nil {
		return requestErr(err)
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	out, err := openOutput(c, session)
	if err != nil {
		return err
	}
	step, end := progress(c, "comparing")
	r.Progress = step
	bad, err := newFailures(c, src.List)
	if err != nil {
		return err
	}
	r.Unreadable = bad.add
	n, err := session.Sanity(c.Context, r, src)
	end()
	if err != nil {
		return requestErr(err)
	}
	return writeMeasured(c, out, session.SanityFigure(n), n.Table(), bad, func() error { return printSanity(c, n) })
}

// printSanity prints how much of each method's maps is left when all weights are drawn anew.
func printSanity(c *cli.Context, n *view.SanityNumbers) error {
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
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
