package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name: "inspect", Usage: "list a network's layers: shapes, weights, receptive fields, multiply-adds, projection rules",
		UsageText:   "viz inspect [flags] [MODEL]",
		Description: cmdline.Examples("viz inspect ckpt.bin", "viz inspect --rule guided --json net.onnx"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.JSONFlag, cmdline.QuietFlag,
			cmdline.WorkersFlag, &cli.BoolFlag{Name: "refused", Usage: "list every node of an ONNX file that cannot be used, nothing else"}, &cli.StringFlag{Name: "occlude", Usage: "show how an occlusion map with `PATCH/STRIDE` would be computed, such as 16/4"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "projection `RULE` to show: deconv, guided, gradient, deconv_lrngrad, deconv_leaky"}},
		Action: cmdline.Action(inspect),
	}
}

func inspect(c *cmdline.Run) error {
	s, err := modelArgument(c)
	if c.Bool("refused") {
		return listRefused(c, err)
	}
	if err != nil {
		return err
	}
	if c.IsSet("occlude") {
		return inspectOcclusion(c, s.Net, c.String("occlude"))
	}
	rule, err := deconv.ParseRule(c.String("rule"))
	if err != nil {
		return cmdline.UsageErr(err)
	}
	r, err := s.Inspect(rule)
	if err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(r)
	}
	return printInspection(c, s.Net, rule, r)
}

// printInspection prints what goes into a network and comes out, and a table of its layers.
func printInspection(c *cmdline.Run, net *model.Network, rule deconv.Rule, r *view.Inspection) error {
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\tinput %s\t%s\n", r.Model, r.Hash, r.Input, view.ClassesText(net))
	if text := scoresText(net); text != "" {
		fmt.Fprintf(w, "scores\t%s\n", text)
	}
	if len(r.Outputs) > 1 {
		for _, o := range r.Outputs {
			fmt.Fprintf(w, "output\t%s\t%s\tlayer %s\n", o.Name, o.Shape, o.Node)
		}
	}
	pixels := view.PixelsText(net)
	if c.Unstated(net) {
		pixels = "0..255 as they are, since the model does not say (see --preprocess)"
	}
	fmt.Fprintf(w, "pixels\t%s\n", pixels)
	for i, step := range r.Steps {
		fmt.Fprintf(w, "\t%d. %s\n", i+1, step)
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "layer\tname\tkind\tattributes\toutput\tweights\tmultiply-adds\treceptive field\tstride\trule %s\n", rule)
	for _, l := range r.Layers {
		number, field, stride := "", "all", "-"
		if l.Paper > 0 {
			number = fmt.Sprint(l.Paper)
		} else if l.Block > 0 {
			number = fmt.Sprint("block", l.Block)
		}
		name := l.Name
		if l.Module != "" && l.Module != l.Name {
			name += " (" + l.Module + ")"
		}
		if l.Field[0] > 0 {
			field, stride = view.PairText(l.Field), view.PairText(l.Stride)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", number, name, l.Kind, l.Attributes, l.Output,
			count(int64(l.Weights)), count(l.MACs), field, stride, l.Rule)
	}
	fmt.Fprintf(w, "\ttotal\t\t\t\t%s\t%s\n", count(int64(r.Weights)), count(r.MACs))
	if last := net.LastSpatial(); last != "" {
		fmt.Fprintf(w, "\nlayer that commands take by default: %s, the last with maps before the scores\n", last)
	}
	return w.Flush()
}

// listRefused lists the nodes that err, from opening a network, is about.
func listRefused(c *cmdline.Run, err error) error {
	e, ok := errors.AsType[*onnx.Unsupported](err)
	if err != nil && !ok {
		return err
	}
	ops := []onnx.UnsupportedOp{}
	if ok {
		ops = e.Ops
	}
	if c.JSON {
		return c.PrintJSON(ops)
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "node\toperator\topset\treason\twhat would help")
	for _, o := range ops {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", o.Node, o.Op, o.Opset, o.Reason, o.Help)
	}
	return w.Flush()
}

// modelArgument takes the model, in a session without an engine, from the only argument or as every command does.
func modelArgument(c *cmdline.Run) (*view.Session, error) {
	switch {
	case c.NArg() > 1:
		return nil, cmdline.Usage(fmt.Sprintf("one model at a time, got %d", c.NArg()), "")
	case c.NArg() == 1 && c.String("model") != "":
		return nil, cmdline.Usage("both an argument and --model are given", "")
	case c.NArg() == 1:
		o, err := c.ModelOptions()
		if err != nil {
			return nil, err
		}
		o.Like = ""
		net, err := cmdline.OpenNetwork(c.Args().First(), o)
		if err != nil {
			return nil, err
		}
		c.NoteOrigin(net)
		return view.NewSession(nil, net), nil
	}
	s, _, err := c.FindModel(nil, false)
	return s, err
}

// count writes a number with k, M or G, and nothing for 0.
func count(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%.1fk", float64(n)/1e3)
	case n < 10_000_000_000:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1fG", float64(n)/1e9)
}

// scoresText says what the network's scores mean, "" if that goes without saying.
func scoresText(net *model.Network) string {
	if net.Logits == "" {
		return ""
	}
	at := ", at layer " + net.Logits
	switch text := net.Assumed(); {
	case text != "":
		return text + at + " (--scores says otherwise)"
	case net.Scores != model.SoftmaxScores || len(net.Outputs) > 1:
		return net.Scores.String() + at
	}
	return ""
}
