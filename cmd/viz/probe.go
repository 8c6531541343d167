package main

import (
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func probeCommand() *cli.Command {
	return &cli.Command{
		Name: "probe", Usage: "measure how well linear classifiers do on the features of each layer",
		UsageText: "viz probe [flags]",
		Description: "A linear support vector machine and a softmax are fitted to the features of each layer; accuracy\n" +
			"is the mean over classes, its mean and standard deviation are over folds, each a random choice of training\n" +
			"and test images. Maps that would give more than --most values are averaged over a grid. The\n" +
			"fit is by gonum's L-BFGS; the strength of regularisation is chosen on training images.\n\n" +
			cmdline.Examples("viz probe --model cifar10 --data cifar10", "viz probe --model net.onnx --data photos/ --per-class 30 --layers 1,3,5,top"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.DataFlag, cmdline.SeedFlag,
			&cli.StringFlag{Name: "layers", DefaultText: "convolutions, at most 8 of them, and top", Usage: "`LAYER`s by number or name; top is what the class scores are made of"},
			&cli.IntFlag{Name: "per-class", Value: 100, Usage: "training images of each class in a fold"},
			&cli.IntFlag{Name: "test-per-class", Value: 50, Usage: "test images of each class in a fold, at most"},
			&cli.IntFlag{Name: "folds", Value: 5, Usage: "random choices of images"},
			&cli.StringFlag{Name: "classifiers", Aliases: []string{"solvers"}, Value: strings.Join(experiments.Solvers(), ","), Usage: "comma-separated"},
			&cli.IntFlag{Name: "most", Value: 4096, Usage: "values of a layer, at most"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the folds"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.3, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "probe", Usage: "`DIR` for table and figure"},
			cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.QuietFlag},
		Action: cmdline.Action(probe),
	}
}

func probe(c *cmdline.Run) error {
	if c.NArg() > 0 {
		return cmdline.Usage("viz probe takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	r := sweep.Probe{Classifiers: strings.Split(c.String("classifiers"), ","), PerClass: c.Int("per-class"), TestPerClass: c.Int("test-per-class"), Folds: c.Int("folds"),
		Most: c.Int("most"), Seed: c.Uint64("seed")}
	if err := r.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	net, _, err := c.LoadModel(false)
	if err != nil {
		return err
	}
	if s := c.String("layers"); s != "" {
		r.Layers, err = cmdline.TopLayers(net, s)
	} else {
		r.Layers, err = sweep.ProbeLayers(net)
	}
	if err != nil {
		return err
	}
	spec := c.String("data")
	if spec == "" {
		if spec = net.Origin.Data; spec == "" {
			return cmdline.Usage("the model does not record its data set", "name one with --data")
		}
	}
	out := c.Files()
	if err := c.OutDir(out.Dir, "--out"); err != nil {
		return err
	}
	if err := out.Claim(net, "probe", spec); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	data, err := c.OpenTraining(spec, c.Uint64("data-seed"))
	if err != nil {
		return err
	}
	result, err := r.Run(c.Context, engine, net, data, sweep.Split{HoldOut: c.Float64("hold-out")}, c.SweepOptions())
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if _, err := out.Figure("", result.Figure()); err != nil {
		return err
	}
	if err := out.Numbers(result, result.Table()); err != nil || c.JSON {
		return err
	}
	return c.PrintTable(result.Text())
}
