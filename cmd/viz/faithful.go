package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func faithfulCommand() *cli.Command {
	return &cli.Command{
		Name: "faithful", Usage: "measure which attribution methods can be believed on a network",
		UsageText: "viz faithful [flags] [IMG...]",
		Description: "For each image and method: the probability while the strongest pixels are taken away (deletion) or shown\n" +
			"(insertion), what is lost when only the map is shown, how well sums of the map foretell what hiding pixels\n" +
			"costs (sensitivity-n), and where the object's place is known (shapes), whether the map points at it.\n" +
			"A random map and one of the centre stand beside. docs/methods.md says more.\n\n" +
			cmdline.Examples("viz faithful --limit 20", "viz faithful --method gradcam,ig,rise photos/"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "use only `N` images, of a data set a fixed random choice; 0: all"},
			&cli.StringFlag{Name: "method", Value: "saliency,inputxgradient,ig,smoothgrad,guided,deconvnet,gradcam,occlusion", Usage: "`METHOD`s, comma-separated, or all: see viz attribute"},
			&cli.StringFlag{Name: "class", Usage: "`CLASS` by name or number; default: each image's most probable one"},
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` of class activation maps, see viz attribute"},
			&cli.StringFlag{Name: "fill", Value: "mean", Usage: "what stands for pixels that are taken away: 0, V or V/V/V in network units, mean (of the training data), image (its mean), or blur"},
			&cli.IntFlag{Name: "steps", Value: 50, Usage: "of deletion and insertion"},
			&cli.IntFlag{Name: "subsets", Value: 32, Usage: "random sets of 1/16 of the pixels for sensitivity-n"},
			&cli.Uint64Flag{Name: "seed", Usage: "of random maps, sets, noise and masks"}},
		Action: cmdline.Action(faithful),
	}
}

func faithful(c *cmdline.Run) error {
	var r view.Faithful
	var err error
	if r.Methods, err = attributionMethods(c.String("method")); err != nil {
		return err
	}
	for _, name := range []string{"steps", "subsets"} {
		if c.Int(name) < 1 {
			return cmdline.Usage(fmt.Sprintf("--%s %d: want at least 1", name, c.Int(name)), "")
		}
	}
	r.Steps, r.Subsets, r.Seed = c.Int("steps"), c.Int("subsets"), c.Uint64("seed")
	if r.Fill, err = attribution.ParseBaseline(c.String("fill")); err != nil {
		return cmdline.UsageErr(fmt.Errorf("--fill: %w", err))
	}
	paths := c.InputPaths()
	session, err := c.OpenSession(len(paths) > 0 || c.String("data") != "" && c.String("data") != "shapes")
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	if spec := c.String("class"); spec != "" {
		class, err := net.ResolveClass(spec)
		if err != nil {
			return cmdline.UsageErr(err)
		}
		r.Targets = []attribution.Target{attribution.Class(class)}
	}
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
	step, end := c.Progress("measuring")
	start := time.Now()
	r.Progress, r.Clock = step, func() float64 { return time.Since(start).Seconds() }
	bad, err := c.NewFailures(src.List)
	if err != nil {
		return err
	}
	r.Unreadable = bad.Add
	n, err := session.Faithful(c.Context, r, src)
	end()
	if err != nil {
		return cmdline.RequestErr(err)
	}
	return c.WriteMeasured(out, session.FaithfulFigure(n), n.Table(), bad, func() error { return printFaithful(c, n) })
}

// printFaithful prints means with standard errors.
func printFaithful(c *cmdline.Run, n *view.FaithfulNumbers) error {
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	table := n.Table()
	var head []string
	for i, name := range table.Header {
		if i == 0 || i%2 == 1 {
			head = append(head, name)
		}
	}
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for k, row := range table.Rows {
		line := row[:1]
		for i := 1; i+1 < len(row); i += 2 {
			cell := row[i]
			if row[i+1] != "" {
				cell += " ± " + row[i+1]
			}
			line = append(line, cell)
		}
		if problem := n.Rows[k].Problem; problem != "" {
			line = append(row[:1], problem)
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	return w.Flush()
}
