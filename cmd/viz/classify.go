package main

import (
	"cmp"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
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

// classified is the JSON form of one image's classes.
type classified struct {
	Image    string         `json:"image"`
	Label    *int           `json:"label,omitempty"`  // true class, if the data set says
	Quantity model.Quantity `json:"quantity"`         // probability, or value: then there are no probabilities
	Labels   []int          `json:"labels,omitempty"` // of several labels that stand for themselves, those of 0.5 or more
	Top      []classScore   `json:"top"`
}

type classScore struct {
	Class       int      `json:"class"`
	Name        string   `json:"name,omitempty"`
	Probability *float64 `json:"probability,omitempty"`
	Score       float64  `json:"score"` // before softmax or sigmoid
}

func classify(c *cli.Context) error {
	if c.Int("top") < 1 {
		return usage(fmt.Sprintf("--top %d: want at least 1", c.Int("top")), "")
	}
	paths := inputPaths(c)
	if len(paths) == 0 && c.String("data") == "" {
		return usage("no images given", "viz classify photo.jpg, or --data for a data set")
	}
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	reading, err := net.Classifier()
	if err != nil {
		return err
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	if src, err = matchIfPossible(c, src); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	plan, err := engine.Compile(net, model.Keep{Layers: []string{net.Logits}})
	if err != nil {
		return err
	}
	var out []classified
	return each(c, src, "classifying", func(i int, x *tensor.Tensor) error {
		if len(out) == 0 {
			if err := warnInput(c, engine, net, x); err != nil {
				return err
			}
		}
		trace, err := plan.Run(x)
		if err != nil {
			return err
		}
		r := classified{Image: src.Items[i].Name, Quantity: reading.Quantity(), Top: topClasses(net, reading, trace.Value(net.Logits).Data, c.Int("top"))}
		if reading.Kind == model.SigmoidScores && !reading.Binary() {
			r.Labels = reading.Holds(trace.Value(net.Logits).Data)
		}
		if src.Items[i].Label >= 0 {
			r.Label = &src.Items[i].Label
		}
		out = append(out, r)
		return nil
	}, func() error { return printClasses(c, net, out) })
}

// printClasses prints the classes of images as a table, or as JSON.
func printClasses(c *cli.Context, net *model.Network, out []classified) error {
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
			shown := s.Score
			if s.Probability != nil {
				shown = *s.Probability
			}
			fmt.Fprintf(w, "%d\t%.5f\t%d\t%s\n", k+1, shown, s.Class, s.Name)
		}
	}
	return w.Flush()
}

// topClasses are the k classes with the highest scores, best first, ties by number.
func topClasses(net *model.Network, r *model.Reading, scores []float32, k int) []classScore {
	classes := make([]int, r.NumClasses())
	for i := range classes {
		classes[i] = i
	}
	all := make([]classScore, len(classes))
	for i, told := range r.TellAll(scores, classes, nil) {
		all[i] = classScore{Class: i, Score: told.Score}
		if r.Quantity() == model.Probability {
			all[i].Probability = &told.Value
		}
		if i < len(net.Classes) {
			all[i].Name = net.Classes[i]
		}
	}
	slices.SortStableFunc(all, func(a, b classScore) int { return cmp.Compare(b.Score, a.Score) })
	return all[:min(k, len(all))]
}
