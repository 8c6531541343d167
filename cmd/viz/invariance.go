package main

import (
	"fmt"
	"slices"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

func invarianceCommand() cmdline.Command {
	var r view.Invariance
	return cmdline.Command{
		Name: "invariance", Usage: "move, scale, turn and otherwise change images, and measure how features and the class's probability follow", Args: "[IMG...]",
		About: "For each image and transform: the Euclidean distance of a lower and an upper layer's values to\n" +
			"those of the unchanged image, and the probability of the class (the image's label if the data\n" +
			"has the network's classes, else the most probable class of the unchanged image). Without images,\n" +
			"five of the data set the network was trained on.",
		Examples: []string{"viz invariance photo.png", "viz invariance --layers 1,3,top --transforms shift-y,scale,rotate --relative"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.ByNumber,
		Change:   view.Fields{{Name: "limit", Default: "5", Usage: "use only `N` images, of a data set a fixed random choice, at most 12"}},
		Fields:   r.Fields(),
		Do:       func(c *cmdline.Run) error { return invariance(c, &r) },
	}
}

func invariance(c *cmdline.Run, r *view.Invariance) error {
	if n := c.Limit; n < 1 || n > 12 {
		return cmdline.Usage(fmt.Sprintf("--limit %d: want 1 to 12 images in one figure", n), "")
	}
	w, err := c.Work(cmdline.Need{Check: func(s *view.Session) error {
		if _, err := s.Net.Reading(); err != nil {
			return err
		}
		return r.Prepare(s.Net)
	}})
	if err != nil {
		return err
	}
	defer w.Close()
	src := w.Src
	if r.Class == nil {
		named := len(src.Classes) > 0
		if src, err = c.MatchIfPossible(src); err != nil {
			return err
		}
		if named && slices.Max(src.Labels()) < 0 {
			c.Note("the most probable class stands in for the true one")
		}
	}
	r.From, r.OneFigure = src.From, w.Out.One != "" || w.Out.Stdout
	return c.Each(src, "transforming", func(i int, x *tensor.Tensor) error {
		return r.Measure(c.Context, w.Session, src, i, x)
	}, func() error {
		figures, err := w.Session.Invariance(*r)
		if err != nil {
			return err
		}
		if _, err := w.Out.Figures(figures...); err != nil {
			return err
		}
		if err := w.Out.Table(r.Table()); err != nil {
			return err
		}
		if c.JSON {
			return c.PrintJSON(map[string]any{"layers": r.Layers, "images": len(r.Images), "rows": r.Changes()})
		}
		return c.PrintTable(r.Text())
	})
}
