package main

import (
	"fmt"
	"io"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func mergeCommand() cmdline.Command {
	return cmdline.Command{Name: "merge", Usage: "combine the indexes of parts", Args: "INDEX...",
		Examples: []string{"viz features merge --out all.idx part1.idx part2.idx"},
		Flags:    cmdline.JSON | cmdline.To,
		Change:   view.Fields{{Name: "out", Default: cmdline.IndexName, Usage: "index `FILE`"}},
		Do:       mergeIndexes}
}

func showCommand() cmdline.Command {
	layer := ""
	return cmdline.Command{Name: "show", Usage: "print what an index holds", Args: "[INDEX]",
		Examples: []string{"viz features show", "viz features show --layer 2 all.idx"},
		Flags:    cmdline.JSON,
		Fields:   view.Fields{view.TextField(view.Field{Name: "layer", Usage: "list the maps of `LAYER`, by name or by place in the index"}, &layer)},
		Do: func(c *cmdline.Run) error {
			path := cmdline.IndexName
			switch len(c.Args) {
			case 0:
			case 1:
				path = c.Args[0]
			default:
				return cmdline.Usage("viz features show takes one index", "")
			}
			x, err := cmdline.ReadIndex(path)
			if err != nil {
				return err
			}
			return showIndex(c, c.Stdout, x, layer)
		}}
}

func mergeIndexes(c *cmdline.Run) error {
	if len(c.Args) == 0 {
		return cmdline.Usage("no index given", "viz features merge --out all.idx part1.idx part2.idx")
	}
	if err := c.OutFile(c.Out, "--out"); err != nil {
		return err
	}
	var parts []*features.Index
	for _, name := range c.Args {
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
	if err := cmdline.WriteIndex(c.Out, x); err != nil {
		return err
	}
	if !x.Complete() {
		c.Note("%d of %d images are in these parts", x.Scanned(), x.Images)
	}
	c.Wrote(c.Out)
	return showIndex(c, c.Stderr, x, "")
}

// showIndex prints a summary of an index, with the maps of one layer if named. Beside the result of a command it is a note.
func showIndex(c *cmdline.Run, to io.Writer, x *features.Index, layer string) error {
	sum, err := view.SummarizeIndex(x, layer)
	switch {
	case err != nil:
		return cmdline.RequestErr(err)
	case c.JSON:
		return c.PrintJSON(sum)
	case c.Quiet && to == c.Stderr:
		return nil
	}
	head, rows := sum.Text(x)
	fmt.Fprintln(to, cmdline.Plain(head))
	if err := cmdline.RightRows(to, rows, 2); to != c.Stderr { // notes that nobody reads are no failure
		return err
	}
	return nil
}
