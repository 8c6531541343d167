package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func classifyCommand() *cli.Command {
	return &cli.Command{
		Name: "classify", Usage: "name the most probable classes of images",
		UsageText:   "viz classify [flags] IMG...",
		Description: examples("viz classify photo.jpg", "viz classify --model net.onnx --preprocess imagenet --labels names.txt --json photo.jpg"),
		Flags: []cli.Flag{modelFlag, jsonFlag, quietFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.IntFlag{Name: "top", Value: 5, Usage: "classes to list for each image"}, byNumberFlag},
		Action: classify,
	}
}

func classify(c *cli.Context) error {
	request := view.Classify{Top: c.Int("top")}
	if request.Top < 1 { // 0 means the default in a request
		return usage(fmt.Sprintf("--top %d: want at least 1", request.Top), "")
	}
	paths := inputPaths(c)
	if len(paths) == 0 && c.String("data") == "" {
		return usage("no images given", "viz classify photo.jpg, or --data for a data set")
	}
	session, err := openSession(c, len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	if _, err := net.Classifier(); err != nil {
		return err
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	if src, err = matchIfPossible(c, src); err != nil {
		return err
	}
	classifier, err := session.Classifier(request)
	if err != nil {
		return err
	}
	var out []view.Classified
	return each(c, src, "classifying", func(i int, x *tensor.Tensor) error {
		if len(out) == 0 {
			if err := warnInput(c, session.Engine, net, x); err != nil {
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
func printClasses(c *cli.Context, net *model.Network, out []view.Classified) error {
	if c.Bool("json") {
		return printJSON(c, out)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
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
