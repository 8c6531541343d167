package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name: "train", Usage: "train a network, with live progress, checkpoints and exact resumption",
		UsageText: "viz train [flags]",
		Description: "The checkpoint holds the network and all that is needed to go on: Ctrl-C leaves a valid one,\n" +
			"and --resume continues bit for bit as if there had been no break. Accuracy is measured\n" +
			"with dropout off. A log of JSON lines is written beside the checkpoint.\n\n" +
			cmdline.Examples("viz train --arch small --data shapes --epochs 4 --rate 0.002 --schedule cosine",
				"viz train --arch lenet5 --data mnist --rate 1e-4 --keep 0.5 --epochs 5 --out mnist.bin",
				"viz train --resume mnist.bin --steps 6000"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "arch", Value: "small", Usage: "architecture: " + strings.Join(model.Arches(), ", ")},
			&cli.Float64Flag{Name: "width", Value: 1, Usage: "scale the numbers of maps"},
			&cli.Float64Flag{Name: "keep", DefaultText: "the architecture's", Usage: "probability to keep a value in dropout"},
			&cli.StringFlag{Name: "init", Value: "he", Usage: "how weights start: he, or truncated (normal of 0.1 cut at 0.2, biases 0.1: the course's)"},
			cmdline.DataFlag, cmdline.SeedFlag,
			&cli.IntFlag{Name: "input-size", Aliases: []string{"size"}, Usage: "input size in `PIXELS`, for images of other or various sizes", DefaultText: "that of the images"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.BoolFlag{Name: "plain", Usage: "input is pixel/255 as in [course], without subtracting the mean and dividing by the standard deviation"},
			&cli.StringFlag{Name: "optimizer", Aliases: []string{"solver"}, Value: "adam", Usage: strings.Join(train.Solvers(), ", ") + " (rmsprop as in TensorFlow 1)"},
			&cli.Float64Flag{Name: "rate", DefaultText: "0.001 for adam and rmsprop, else 0.01", Usage: "learning rate"},
			&cli.Float64Flag{Name: "momentum", DefaultText: "0.9", Usage: "of optimizer momentum"},
			&cli.Float64Flag{Name: "beta1", DefaultText: "0.9", Usage: "of optimizer adam"},
			&cli.Float64Flag{Name: "beta2", DefaultText: "0.999", Usage: "of optimizer adam"},
			&cli.Float64Flag{Name: "decay", DefaultText: "0.9", Usage: "of optimizer rmsprop"},
			&cli.Float64Flag{Name: "epsilon", DefaultText: "1e-8 for adam, 1e-10 for rmsprop", Usage: "of adam and rmsprop"},
			&cli.IntFlag{Name: "batch", DefaultText: "100", Usage: "images a step"},
			&cli.IntFlag{Name: "steps", Usage: "total `NUMBER` of steps"},
			&cli.IntFlag{Name: "epochs", DefaultText: "10", Usage: "passes over the training images, unless --steps is given"},
			&cli.Uint64Flag{Name: "seed", Usage: "of initial weights, order, augmentation and dropout"},
			&cli.Float64Flag{Name: "weight-decay", Usage: "L2: adds this times the weight to its gradient"},
			&cli.Float64Flag{Name: "label-smoothing", Usage: "share of the target spread over all classes"},
			&cli.StringFlag{Name: "schedule", Value: "constant", Usage: "of the rate: " + strings.Join(train.Schedules(), ", ")},
			&cli.IntFlag{Name: "drop-every", DefaultText: "a third of all", Usage: "schedule step: steps between drops of the rate"},
			&cli.Float64Flag{Name: "drop-factor", DefaultText: "0.1", Usage: "schedule step: the rate is multiplied by this"},
			&cli.IntFlag{Name: "warmup", DefaultText: "small: 100, or a quarter of all; lenet5: 0", Usage: "steps over which the rate grows from 0"},
			&cli.Float64Flag{Name: "max-filter-rms", Usage: "rescale convolution filters above this root mean square to it (0.1 in Zeiler and Fergus), 0: off"},
			&cli.BoolFlag{Name: "balance", Usage: "let every class count alike: an image's loss counts N/(K*n) times, N images in all, n of its class, K classes"},
			&cli.BoolFlag{Name: "flip", Usage: "mirror training images at random"},
			&cli.IntFlag{Name: "crop", Usage: "shift training images by up to so many `PIXELS`"},
			&cli.IntFlag{Name: "eval-every", DefaultText: "one epoch", Usage: "steps between measurements of accuracy, -1: only at the end"},
			&cli.IntFlag{Name: "eval-train", DefaultText: "1000", Usage: "training images that accuracy is measured on, -1: none"},
			&cli.IntFlag{Name: "checkpoint-every", DefaultText: "only at the end", Usage: "steps between checkpoints"},
			&cli.BoolFlag{Name: "keep-checkpoints", Usage: "keep numbered copies too (ckpt-000500.bin, weights only), for viz filters --evolve"},
			&cli.StringFlag{Name: "resume", Usage: "go on from checkpoint `FILE`; other flags change its settings"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "checkpoint `FILE`", DefaultText: "the resumed file, else ckpt.bin"},
			&cli.StringFlag{Name: "log", Usage: "log `FILE`", DefaultText: "the checkpoint's name with .jsonl"},
			cmdline.ByNumberFlag, cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.QuietFlag,
		},
		Action: cmdline.Action(runTrain),
	}
}

// trainOptions are the flags that are fields of train.Options. set says which
// of them to take.
func trainOptions(c *cmdline.Run, o *train.Options, set func(name string) bool) {
	for name, at := range map[string]any{
		"optimizer": &o.Solver, "rate": &o.Rate, "momentum": &o.Momentum, "beta1": &o.Beta1, "beta2": &o.Beta2, "decay": &o.Decay,
		"epsilon": &o.Epsilon, "batch": &o.Batch, "steps": &o.Steps, "epochs": &o.Epochs, "seed": &o.Seed, "weight-decay": &o.WeightDecay,
		"label-smoothing": &o.LabelSmoothing, "schedule": &o.Schedule, "drop-every": &o.DropEvery, "drop-factor": &o.DropFactor,
		"warmup": &o.Warmup, "max-filter-rms": &o.MaxFilterRMS, "flip": &o.Flip, "balance": &o.Balance, "crop": &o.Crop, "eval-every": &o.EvalEvery,
		"eval-train": &o.EvalTrain, "checkpoint-every": &o.CheckpointEvery,
	} {
		if !set(name) {
			continue
		}
		switch at := at.(type) {
		case *string:
			*at = c.String(name)
		case *float64:
			*at = c.Float64(name)
		case *int:
			*at = c.Int(name)
		case *uint64:
			*at = c.Uint64(name)
		case *bool:
			*at = c.Bool(name)
		}
	}
}

// changed tells whether a flag changes how training goes on.
func changed(c *cmdline.Run) bool {
	var any bool
	trainOptions(c, new(train.Options), func(name string) bool {
		any = any || c.IsSet(name)
		return false
	})
	return any || slices.ContainsFunc([]string{"data", "data-seed", "limit", "hold-out"}, c.IsSet)
}

// trainPlan is what a command line asks viz train for.
type trainPlan struct {
	t      sweep.Training
	how    sweep.Preparation
	data   string
	resume string
}

// readTrain reads the command line. What can be wrong with it is wrong before the data is read.
func readTrain(c *cmdline.Run) (*trainPlan, error) {
	if c.NArg() > 0 {
		return nil, cmdline.Usage("viz train takes no arguments, got "+c.Args().First(), "name the data with --data, a checkpoint to go on from with --resume")
	}
	if c.IsSet("steps") && c.IsSet("epochs") {
		return nil, cmdline.Usage("both --steps and --epochs are given", "use one of them")
	}
	p := &trainPlan{data: c.String("data"), resume: c.String("resume")}
	p.how = sweep.Preparation{Choice: sweep.Choice{DataSeed: c.Uint64("data-seed"), HoldOut: c.Float64("hold-out"), Limit: c.Int("limit")},
		Arch: c.String("arch"), Plain: c.Bool("plain"), OwnWarmup: c.IsSet("warmup"), Altered: changed(c),
		Match: func(net *model.Network, data []string) (func([]int) []int, error) {
			to, err := c.MapClasses(net, data)
			if err == nil && to.Note != "" {
				c.Note("%s", to.Note)
			}
			return to.Labels, err
		}}
	t := &p.t
	t.Numbered = c.Bool("keep-checkpoints")
	if t.Out = c.String("out"); t.Out == "" {
		if t.Out = p.resume; t.Out == "" {
			t.Out = "ckpt.bin"
		}
	}
	if t.Log = c.String("log"); t.Log == "" {
		t.Log = sweep.LogName(t.Out)
	}
	if p.resume != "" {
		if err := p.readResumed(c); err != nil {
			return nil, err
		}
	} else {
		trainOptions(c, &t.Options, func(string) bool { return true })
		p.how.Architecture = model.ArchOptions{Keep: c.Float64("keep"), Width: c.Float64("width"), Init: c.String("init"), Seed: c.Uint64("seed"), Input: model.Input{H: c.Int("input-size"), W: c.Int("input-size")}}
		if p.data == "" {
			p.data = "shapes"
		}
	}
	if _, err := t.Options.Resolve(1 << 20); err != nil {
		return nil, cmdline.UsageErr(err)
	}
	if !slices.Contains(model.Arches(), c.String("arch")) {
		return nil, cmdline.UsageErr(&model.UnknownName{What: "architecture", Name: c.String("arch"), Nearest: model.Arches()})
	}
	if err := c.OutFile(t.Out, "--out"); err != nil {
		return nil, err
	}
	if t.Log == t.Out {
		return nil, cmdline.Usage("checkpoint and log are one file, "+t.Out, "give another --out or --log")
	}
	return p, nil
}

// readResumed is readTrain for a training that goes on.
func (p *trainPlan) readResumed(c *cmdline.Run) (err error) {
	for _, name := range []string{"arch", "width", "keep", "init", "input-size", "plain", "seed", "optimizer"} {
		if c.IsSet(name) {
			return cmdline.Usage("--"+name+" cannot change when training is resumed", "leave it out, or start anew without --resume")
		}
	}
	t := &p.t
	if t.Net, t.State, err = model.LoadState(p.resume); err != nil {
		return err
	}
	if t.Options, err = train.Resume(t.State); err != nil {
		return cmdline.Hinted(err, "numbered copies hold weights only: resume the main checkpoint")
	}
	trainOptions(c, &t.Options, c.IsSet)
	if c.IsSet("epochs") {
		t.Options.Steps = 0
	}
	if p.data == "" {
		p.data = t.Net.Origin.Data
	}
	return p.how.Choice.Recall(t.Options.Note, func(name string) bool { return c.IsSet(name) })
}

func runTrain(c *cmdline.Run) error {
	p, err := readTrain(c)
	if err != nil {
		return err
	}
	for _, path := range []string{p.t.Out, p.t.Log} {
		unlock, err := c.Lock(path)
		if err != nil {
			return err
		}
		defer unlock()
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	data, err := c.OpenTraining(p.data, p.how.Choice.DataSeed)
	if err != nil {
		return err
	}
	err = p.t.Prepare(c.Context, engine, data, p.how, c.SweepOptions())
	if _, ok := errors.AsType[*sweep.NothingLeft](err); ok {
		return cmdline.Usage(p.resume+" is "+err.Error(), "give more with --steps")
	}
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if p.resume == "" || !cmdline.SameFile(p.resume, p.t.Out) {
		other, same := sweep.Replaces(p.t.Out, p.t.Net.Origin)
		if err := c.Claimed(p.t.Out, other, same); err != nil {
			return err
		}
	}
	result, err := p.t.Run(c.Context, engine, c.SweepOptions())
	if diverged, ok := errors.AsType[*train.Diverged](err); ok {
		return cmdline.Hinted(err, fmt.Sprintf("--rate %g, or --warmup 100", diverged.Lower()))
	}
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if c.JSON {
		return c.PrintJSON(result)
	}
	if result.TestAccuracy != nil {
		c.Note("test accuracy %.4f on %d images", *result.TestAccuracy, result.TestImages)
		if chance := 1 / float64(len(p.t.Net.Classes)); *result.TestAccuracy <= 1.1*chance {
			c.Note("that is no better than chance: have the rectifiers died? Try a smaller --rate, or a longer --warmup")
		}
	}
	c.Wrote(p.t.Out)
	return nil
}
