package main

import (
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name: "eval", Usage: "measure accuracy, loss and confusion on a labelled data set",
		UsageText: "viz eval [flags]",
		Description: "Classes of the data are found among the network's by name: their order and number may differ. Where one\n" +
			"side has no names they are compared by number if there are as many. JSON: confusion[i][j] counts images of\n" +
			"class i that were taken for class j, both in the network's numbering, whose names are in classes.\n\n" +
			cmdline.Examples("viz eval --model ckpt.bin --data cifar10", "viz eval --model shapes --data shapes --split test --json"),
		Flags:  []cli.Flag{cmdline.ModelFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.ByNumberFlag, cmdline.JSONFlag, cmdline.QuietFlag, cmdline.WorkersFlag},
		Action: cmdline.Action(eval),
	}
}

func eval(c *cmdline.Run) error {
	if c.NArg() > 0 {
		return cmdline.Usage("viz eval takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	session, err := c.OpenSession(false)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	src, err := c.OpenSource(net, nil, true)
	if err != nil {
		return err
	}
	if c.ModelName() == "" && !c.ByNumber {
		if src, err = c.BuiltinFor(src); err != nil {
			return err
		}
		if src.Net != net {
			net = src.Net
			session = view.NewSession(session.Engine, net)
		}
	}
	if _, err := view.ClassScores(net); err != nil {
		if _, ok := errors.AsType[*view.NotClasses](err); ok {
			return cmdline.Hinted(err, "--scores logits if they are")
		}
		return err
	}
	src, to, err := c.MatchClasses(src)
	if err != nil {
		return err
	}
	step, end := c.Progress("evaluating")
	bad, err := c.NewFailures(src.List)
	if err != nil {
		return err
	}
	r, err := session.Evaluate(c.Context, view.Evaluate{Progress: step, Unreadable: func(_ int, err error) error { return bad.Add(err) }}, src)
	end()
	if err != nil {
		return err
	}
	if r.Images > 0 {
		if err := printEvaluation(c, net, to, r); err != nil {
			return err
		}
	}
	return bad.Err()
}

// printEvaluation prints accuracy, loss and confusion, with a row for each class of the data.
func printEvaluation(c *cmdline.Run, net *model.Network, to *classes.Mapping, r *view.Evaluation) error {
	if c.JSON {
		return c.PrintJSON(r)
	}
	fmt.Fprintf(c.Stdout, "images %d  accuracy %.4f  loss %.4f\n\n", r.Images, r.Accuracy, r.Loss)
	if len(r.Confusion) > 40 {
		c.Note("%d classes: --json gives the confusion", len(r.Confusion))
		return nil
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "true \\ predicted\t")
	for i := range r.Confusion[0] {
		fmt.Fprintf(w, "%d\t", i)
	}
	fmt.Fprintln(w, "recall\t")
	for i, row := range r.Confusion {
		if len(to.To) > 0 && !slices.Contains(to.To, i) {
			continue // a class that the data does not have
		}
		fmt.Fprintf(w, "%d %s\t", i, net.Class(i))
		for _, n := range row {
			fmt.Fprintf(w, "%d\t", n)
		}
		if recall, ok := r.Recall(i); ok {
			fmt.Fprintf(w, "%.3f", recall)
		}
		fmt.Fprintln(w, "\t")
	}
	return w.Flush()
}
