package main

import (
	"errors"
	"fmt"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func evalCommand() cmdline.Command {
	return cmdline.Command{
		Name: "eval", Usage: "measure accuracy, loss and confusion on a labelled data set",
		About: "Classes of the data are matched to the network's by name: their order and number may differ. Where one\n" +
			"side has no names they are matched by number if there are as many. JSON: confusion[i][j] counts images of\n" +
			"class i that were classified as class j, both in the network's numbering, whose names are in classes.",
		Examples: []string{"viz eval --model ckpt.bin --data cifar10", "viz eval --model shapes --data shapes --split test --json"},
		Flags:    cmdline.Model | cmdline.JSON | cmdline.Workers | cmdline.Data | cmdline.Split | cmdline.Limit | cmdline.Seed | cmdline.ByNumber,
		Instead:  "name the data with --data",
		Do:       eval,
	}
}

func eval(c *cmdline.Run) error {
	w, err := c.Work(cmdline.Need{Labels: true})
	if err != nil {
		return err
	}
	defer w.Close()
	if c.ModelName() == "" && !c.ByNumber {
		if w.Src, err = c.BuiltinFor(w.Src); err != nil {
			return err
		}
		w.Session = view.NewSession(w.Session.Engine, w.Src.Net)
	}
	if _, err := view.ClassScores(w.Session.Net); err != nil {
		if _, ok := errors.AsType[*view.NotClasses](err); ok {
			return cmdline.Hinted(err, "--scores logits if they are")
		}
		return err
	}
	src, to, err := c.MatchClasses(w.Src)
	if err != nil {
		return err
	}
	bad, err := c.NewFailures(src.List)
	if err != nil {
		return err
	}
	step, end := c.Progress("evaluating")
	r, err := w.Session.Evaluate(c.Context, view.Evaluate{Progress: step, Unreadable: func(_ int, err error) error { return bad.Add(err) }}, src)
	end()
	switch {
	case err != nil:
		return err
	case r.Images == 0:
		return bad.Err()
	case c.JSON:
		err = c.PrintJSON(r)
	default:
		err = printEvaluation(c, r, to.To)
	}
	if err != nil {
		return err
	}
	return bad.Err()
}

// printEvaluation prints accuracy, loss and confusion, with a row for each of the classes, or for all if there are none.
func printEvaluation(c *cmdline.Run, r *view.Evaluation, classes []int) error {
	fmt.Fprintf(c.Stdout, "images %d  accuracy %.4f  loss %.4f\n\n", r.Images, r.Accuracy, r.Loss)
	if len(r.Confusion) > 40 {
		c.Note("%d classes: --json gives the confusion", len(r.Confusion))
		return nil
	}
	return c.PrintRight(r.Text(classes))
}
