package main

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func trialsCommand() *cli.Command {
	return &cli.Command{
		Name: "trials", Usage: "train a list of settings one after the other, with curves, activations and filters over time, and compare them",
		UsageText: "viz trials [flags]",
		Description: "Without --list, the course's eight trials of lenet5 on small grey images. A list is YAML or JSON:\n\n" +
			"   trials:\n" +
			"     - {name: slow, optimizer: adam, rate: 1e-4, batch: 100, steps: 2000, keep: 0.6}\n" +
			"     - {name: fast, optimizer: rmsprop, rate: 0.001, batch: 200, steps: 1000, keep: 0.5, arch: lenet5, width: 0.5}\n\n" +
			"Other fields: init (he, or truncated: the course's), schedule, weight_decay, warmup, seed, and expect,\n" +
			"an accuracy to compare with. What is left out takes its default.\n\n" +
			"The plan with its time is shown first. If interrupted, rerun the same command to resume. Everything goes into\n" +
			"a folder with report.html, which needs no other file.\n\n" +
			cmdline.Examples("viz trials --data CIFAR10/ --out course", "viz trials --list trials.yaml --data mnist --only fast", "viz trials --data shapes --shorten 0.01 --out try"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "list", Usage: "YAML or JSON `FILE` of trials", DefaultText: "the course's eight"},
			&cli.StringFlag{Name: "only", Usage: "names of trials, comma-separated"},
			cmdline.DataFlag, cmdline.SeedFlag,
			&cli.IntFlag{Name: "evals", Value: 40, Usage: "measurements in each trial"},
			&cli.Float64Flag{Name: "shorten", Value: 1, Usage: "take only this share of the steps, to try out"},
			&cli.BoolFlag{Name: "standardize", Usage: "subtract the mean and divide by the standard deviation; without it input is pixel/255 as in the course"},
			&cli.BoolFlag{Name: "plan", Usage: "only say how long it takes"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "trials", Usage: "`DIR` for everything"},
			cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.QuietFlag},
		Action: cmdline.Action(runTrials),
	}
}

func runTrials(c *cmdline.Run) error {
	if c.NArg() > 0 {
		return cmdline.Usage("viz trials takes no arguments, got "+c.Args().First(), "name the list with --list, the data with --data")
	}
	r := sweep.Trials{Evals: c.Int("evals"), Shorten: c.Float64("shorten"), Standardize: c.Bool("standardize")}
	if r.Evals == 0 || r.Shorten == 0 { // which stand for the defaults in a request
		return cmdline.Usage("--evals must be at least 2, --shorten above 0", "")
	}
	if c.String("data") == "" {
		return cmdline.Usage("no data named", "--data CIFAR10/ is the course's folder; --data shapes needs no files")
	}
	if path := c.String("list"); path != "" {
		var err error
		if r.List, err = sweep.ReadTrials(path); err != nil {
			return err
		}
	}
	if s := c.String("only"); s != "" {
		for _, name := range strings.Split(s, ",") {
			r.Only = append(r.Only, strings.TrimSpace(name))
		}
	}
	if err := r.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	return c.WithFolder(c.String("data"), nil, func(f *sweep.Folder, out cmdline.Files) error {
		if c.Bool("plan") {
			return f.PlanTrials(c.Context, r)
		}
		result, err := f.Trials(c.Context, r)
		if err != nil {
			return err
		}
		table := result.Table()
		if err := out.Save(result, table); err != nil {
			return err
		}
		html, err := result.Report(c.Context, out)
		if err != nil {
			return err
		}
		if err := out.Page("report.html", html); err != nil {
			return err
		}
		if c.JSON {
			return c.PrintJSON(result)
		}
		return printTrials(c, result, table.Rows)
	})
}

// printTrials prints the comparison and the answers.
func printTrials(c *cmdline.Run, result *sweep.TrialsResult, rows [][]string) error {
	text := [][]string{{"trial", "optimizer", "rate", "batch", "steps", "keep", "test accuracy", "expected", "best", "at step", "images/s", "seconds"}}
	for _, l := range rows {
		text = append(text, []string{l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[13], l[7], l[8], l[11], l[12]})
	}
	if err := c.PrintTable(text); err != nil {
		return err
	}
	fmt.Fprintln(c.Stdout)
	for _, r := range result.Trials {
		if r.Diverged != "" {
			fmt.Fprintf(c.Stdout, "%s diverged: %s\n", r.Trial.Name, r.Diverged)
		}
	}
	for _, f := range result.Findings {
		fmt.Fprintf(c.Stdout, "%s: %s\n", f.Question, f.Answer)
	}
	return nil
}
