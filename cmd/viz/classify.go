package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func classifyCommand() *cli.Command {
	return &cli.Command{
		Name: "classify", Usage: "name the most probable classes of images",
		UsageText:   "viz classify [flags] IMG...",
		Description: cmdline.Examples("viz classify photo.jpg", "viz classify --model net.onnx --preprocess imagenet --labels names.txt --json photo.jpg"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.JSONFlag, cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.IndexFlag, cmdline.ImagesFlag,
			&cli.IntFlag{Name: "top", Value: 5, Usage: "classes to list for each image"}, cmdline.ByNumberFlag},
		Action: cmdline.Action(classify),
	}
}

func classify(c *cmdline.Run) error {
	request := view.Classify{Top: c.Int("top")}
	if request.Top < 1 { // 0 means the default in a request
		return cmdline.Usage(fmt.Sprintf("--top %d: want at least 1", request.Top), "")
	}
	paths := c.InputPaths()
	if len(paths) == 0 && c.String("data") == "" {
		return cmdline.Usage("no images given", "viz classify photo.jpg, or --data for a data set")
	}
	session, err := c.OpenSession(len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	if _, err := net.Classifier(); err != nil {
		return err
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	if src, err = c.MatchIfPossible(src); err != nil {
		return err
	}
	classifier, err := session.Classifier(request)
	if err != nil {
		return err
	}
	var out []view.Classified
	return c.Each(src, "classifying", func(i int, x *tensor.Tensor) error {
		if len(out) == 0 {
			if err := c.WarnInput(session.Engine, net, x); err != nil {
				return err
			}
		}
		r, err := classifier.Classify(src, i, x)
		if err != nil {
			return err
		}
		out = append(out, r)
		return nil
	}, func() error { return printClasses(c, net, out) })
}

// printClasses prints the classes of images as a table, or as JSON.
func printClasses(c *cmdline.Run, net *model.Network, out []view.Classified) error {
	if c.JSON {
		return c.PrintJSON(out)
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	for i, r := range out {
		if i > 0 {
			fmt.Fprintln(w)
		}
		title := r.Image
		if r.Label != nil {
			title += fmt.Sprintf(" (class %d %s)", *r.Label, net.Class(*r.Label))
		}
		fmt.Fprintln(w, title)
		for k, s := range r.Top {
			fmt.Fprintf(w, "%d\t%.5f\t%d\t%s\n", k+1, s.Shown(), s.Class, s.Name)
		}
	}
	return w.Flush()
}
