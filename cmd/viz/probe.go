package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
)

func probeCommand() cmdline.Command {
	var r sweep.Probe
	return cmdline.Command{
		Name: "probe", Usage: "measure how well linear classifiers do on the features of each layer",
		About: "A linear support vector machine and a softmax are fitted to the features of each layer; accuracy\n" +
			"is the mean over classes, its mean and standard deviation are over folds, each a random choice of training\n" +
			"and test images. Maps that would give more than --most values are averaged over a grid. The\n" +
			"fit is by gonum's L-BFGS; the strength of regularisation is chosen on training images.",
		Examples: []string{"viz probe --model cifar10 --data cifar10", "viz probe --model net.onnx --data photos/ --per-class 30 --layers 1,3,5,top"},
		Flags:    cmdline.Model | cmdline.JSON | cmdline.Workers | cmdline.Data | cmdline.Seed | cmdline.HoldOut | cmdline.Out,
		Change:   view.Fields{{Name: "out", Default: "probe", Usage: "`DIR` for table and figure"}, {Name: "hold-out", Default: "0.3"}},
		Fields:   r.Fields(),
		Instead:  "name the data with --data",
		Do: func(c *cmdline.Run) error {
			if err := r.Validate(); err != nil {
				return cmdline.RequestErr(err)
			}
			return probe(c, &r)
		},
	}
}

func probe(c *cmdline.Run, r *sweep.Probe) error {
	net, err := c.LoadModel(false)
	if err != nil {
		return err
	}
	if c.Data == "" {
		if c.Data = net.Origin.Data; c.Data == "" {
			return cmdline.Usage("the model does not record its data set", "name one with --data")
		}
	}
	out, err := c.ClaimFiles(net, "probe")
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	data, err := c.OpenTraining(c.Data, c.DataSeed)
	if err != nil {
		return err
	}
	result, err := r.Run(c.Context, engine, net, data, sweep.Split{HoldOut: c.HoldOut}, c.SweepOptions())
	if err != nil {
		return cmdline.RequestErr(err)
	}
	return out.Report(result, result.Figure(), result.Table(), result.Text())
}
