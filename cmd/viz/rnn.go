package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func rnnCommand() *cli.Command {
	return &cli.Command{
		Name: "rnn", Usage: "compare recurrent networks that read images row by row with each other and with a convolutional one",
		UsageText: "viz rnn [flags]",
		Description: "Trains every cell in every size and the convolutional network on the same images in the same\n" +
			"order, once for equal steps and once for equal time (that of the convolutional one), and writes\n" +
			"curves and tables into a folder. If interrupted, rerun the same command to resume.\n\n" +
			cmdline.Examples("viz rnn --data mnist", "viz rnn --data mnist --hidden 50,100,200,500 --rate 0.001 --schedule constant --out course-rnn"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Value: "mnist", Usage: "grey images: a name (mnist, fashion-mnist), a `DIR` or a FILE"}, cmdline.SeedFlag,
			&cli.StringFlag{Name: "cells", Value: "rnn,lstm,gru", Usage: "comma-separated"},
			&cli.StringFlag{Name: "hidden", Value: "50,100,200", Usage: "hidden units, comma-separated (the course also has 500)"},
			&cli.StringFlag{Name: "cnn", Value: "lenet5", Usage: "convolutional `ARCH`itecture beside them, or none"},
			&cli.StringFlag{Name: "optimizer", Aliases: []string{"solver"}, Value: "adam", Usage: strings.Join(train.Solvers(), ", ")},
			&cli.Float64Flag{Name: "rate", Value: 0.003, Usage: "learning rate of the recurrent networks"},
			&cli.Float64Flag{Name: "cnn-rate", Value: 0.001, Usage: "learning rate of the convolutional one"},
			&cli.StringFlag{Name: "schedule", Value: "cosine", Usage: "of the rate: " + strings.Join(train.Schedules(), ", ")},
			&cli.IntFlag{Name: "batch", Value: 100, Usage: "images a step"},
			&cli.IntFlag{Name: "steps", Value: 500, Usage: "`NUMBER` of steps"},
			&cli.BoolFlag{Name: "steps-only", Usage: "do not train the recurrent networks once more for as long as the convolutional one took"},
			&cli.IntFlag{Name: "evals", Value: 20, Usage: "measurements of accuracy in each run"},
			&cli.Float64Flag{Name: "keep", Value: 0.5, Usage: "probability to keep a value in the convolutional network's dropout"},
			&cli.Uint64Flag{Name: "seed", Usage: "of initial weights, order and dropout"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "rnn", Usage: "`DIR` for runs, curves and tables"},
			cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.QuietFlag,
		},
		Action: cmdline.Action(runRNN),
	}
}

func runRNN(c *cmdline.Run) error {
	if c.NArg() > 0 {
		return cmdline.Usage("viz rnn takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	r := sweep.RNN{Cells: strings.Split(c.String("cells"), ","), CNN: c.String("cnn"), Keep: c.Float64("keep"), CNNRate: c.Float64("cnn-rate"), Evals: c.Int("evals"), StepsOnly: c.Bool("steps-only"),
		Options: train.Options{Solver: c.String("optimizer"), Rate: c.Float64("rate"), Schedule: c.String("schedule"), Batch: c.Int("batch"), Steps: c.Int("steps"), Seed: c.Uint64("seed")}}
	if r.CNN == "none" {
		r.CNN = ""
	}
	for _, s := range strings.Split(c.String("hidden"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return cmdline.Usage(fmt.Sprintf("--hidden %s: want numbers from 1 to 4096, as in 50,100,200", c.String("hidden")), "")
		}
		r.Hidden = append(r.Hidden, n)
	}
	if err := r.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	return c.WithFolder(c.String("data"), r.Fits, func(f *sweep.Folder, out cmdline.Files) error {
		result, err := f.CompareRNN(c.Context, r)
		if err != nil {
			return err
		}
		if _, err := out.Figure("", result.Figure()); err != nil {
			return err
		}
		if err := out.Numbers(result, result.Table()); err != nil || c.JSON {
			return err
		}
		if err := c.PrintTable(result.Text()); err != nil {
			return err
		}
		for _, r := range result.Rows {
			if r.Diverged != "" {
				fmt.Fprintf(c.Stdout, "%s diverged: %s\n", r.Name, r.Diverged)
			}
		}
		return nil
	})
}
