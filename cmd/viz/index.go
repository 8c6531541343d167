package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func featuresMerge(c *cmdline.Run) error {
	if c.NArg() == 0 {
		return cmdline.Usage("no index given", "viz features merge --out all.idx part1.idx part2.idx")
	}
	path := c.String("out")
	if err := c.OutFile(path, "--out"); err != nil {
		return err
	}
	var parts []*features.Index
	for _, name := range c.Args().Slice() {
		x, err := cmdline.ReadIndex(name)
		if err != nil {
			return err
		}
		parts = append(parts, x)
	}
	x, err := features.Merge(parts...)
	if err != nil {
		return err
	}
	if err := cmdline.WriteIndex(path, x); err != nil {
		return err
	}
	if !x.Complete() {
		c.Note("%d of %d images are in these parts", x.Scanned(), x.Images)
	}
	c.Wrote(path)
	return showIndex(c, x, "")
}

func featuresShow(c *cmdline.Run) error {
	if c.NArg() > 1 {
		return cmdline.Usage("viz features show takes one index", "")
	}
	path := c.Args().First()
	if path == "" {
		path = cmdline.IndexName
	}
	x, err := cmdline.ReadIndex(path)
	if err != nil {
		return err
	}
	return showIndex(c, x, c.String("layer"))
}

// showIndex prints a summary of an index, with the maps of one layer if named.
func showIndex(c *cmdline.Run, x *features.Index, layer string) error {
	sum, err := view.SummarizeIndex(x, layer)
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if c.JSON {
		return c.PrintJSON(sum)
	}
	var w io.Writer = c.Stdout
	if c.Command != "show" {
		if c.Quiet && layer == "" {
			return nil
		}
		w = c.Stderr
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if chosen := sum.Chosen(); chosen != nil {
		fmt.Fprintf(w, "%s: %d maps, %d never fire\n", chosen.Name, chosen.Maps, chosen.Dead)
		fmt.Fprintln(t, "map\tmean\tstd\tstrongest\timages that fire\tpositions that fire\t")
		for _, m := range chosen.Map {
			fmt.Fprintf(t, "%d\t%.4g\t%.4g\t%.4g\t%.1f %%\t%.2f %%\t\n", m.Map, m.Mean, m.Std, m.Max, 100*m.Fired, 100*m.Positions)
		}
		return t.Flush()
	}
	fmt.Fprintf(w, "model %s, %d of %d images scanned, %d left out, the %d strongest of each map\n", x.Model, sum.Scanned, sum.Images, sum.Skipped, x.TopK)
	fmt.Fprintln(t, "layer\tmaps\tnever fire\timages that fire\tpositions that fire\t")
	for _, l := range sum.Layers {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.1f %%\t%.1f %%\t\n", l.Name, l.Maps, l.Dead, 100*l.Fired, 100*l.Positions)
	}
	return t.Flush()
}
