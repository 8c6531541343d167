package main

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func transferCommand() *cli.Command {
	return &cli.Command{
		Name: "transfer", Usage: "keep a trained network's features, fit new classes on other data, and compare with training from scratch",
		UsageText: "viz transfer [flags]",
		Description: "For each number of images per class and each fold: a softmax (or support vector machines) on\n" +
			"the fixed features of one layer, against the whole network trained from random weights on the same\n" +
			"images. Accuracy is the mean over classes on test images. With --save the network of the first fold\n" +
			"with the most images is written as a checkpoint.\n\n" +
			"Images that the network was trained on are left out first: those whose correlation with one of them\n" +
			"(grey, at the size of the network's input) is at least --exclude-above.\n\n" +
			cmdline.Examples("viz transfer --model cifar10 --data shapes", "viz transfer --model ckpt.bin --data photos/ --per-class 5,15,30 --layer 5 --save photos.bin"),
		Flags: []cli.Flag{cmdline.ModelFlag,
			&cli.StringFlag{Name: "data", Value: "shapes", Usage: "the other data set: a name (shapes, cifar10, mnist, fashion-mnist), a `DIR` or a FILE"}, cmdline.SeedFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Value: "top", Usage: "keep the network up to `LAYER`; top is what the class scores are made of"},
			&cli.StringFlag{Name: "per-class", Value: "5,15,30,60", Usage: "training images of each class, comma-separated"},
			&cli.IntFlag{Name: "test-per-class", Value: 50, Usage: "test images of each class, at most"},
			&cli.IntFlag{Name: "folds", Value: 5, Usage: "random choices of images"},
			&cli.StringFlag{Name: "classifier", Aliases: []string{"solver"}, Value: "softmax", Usage: strings.Join(experiments.Solvers(), " or ")},
			&cli.BoolFlag{Name: "no-scratch", Usage: "leave out training from scratch, which takes most of the time"},
			&cli.IntFlag{Name: "scratch-steps", Value: 300, Usage: "steps of training from scratch"},
			&cli.Float64Flag{Name: "scratch-rate", Value: 0.001, Usage: "its learning rate (adam, cosine, a warm-up of a tenth)"},
			&cli.IntFlag{Name: "scratch-batch", Value: 50, Usage: "its images a step"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of folds and initial weights"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.3, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "exclude", Usage: "leave out copies of the training images of `DATA`, or none", DefaultText: "what the network was trained on, if it is here"},
			&cli.Float64Flag{Name: "exclude-above", Value: 0.95, Usage: "what counts as a copy, up to 1"},
			&cli.StringFlag{Name: "save", Usage: "write the network with new classes to `FILE`"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "transfer", Usage: "`DIR` for table and figure"},
			cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.QuietFlag},
		Action: cmdline.Action(transfer),
	}
}

// seenData is the data that the network has seen in training, whose images are to be left out; nil if that is not known,
// not here, or not wanted.
func seenData(c *cmdline.Run, net *model.Network) (*images.Data, error) {
	spec, asked := c.String("exclude"), c.String("exclude") != ""
	if !asked {
		if spec = net.Origin.Data; spec == c.String("data") {
			c.Note("%s is what the network was trained on: this is no transfer", spec)
			return nil, nil
		}
	}
	if spec == "" || spec == "none" {
		return nil, nil
	}
	data, err := c.OpenTraining(spec, c.Uint64("data-seed"))
	if errors.Is(err, fs.ErrNotExist) && !asked {
		c.Note("what the network was trained on is not here (%s): images that it has seen are not left out, unless --exclude names them", spec)
		return nil, nil
	}
	return data, err
}

// readTransfer reads the request from the command line.
func readTransfer(c *cmdline.Run) (sweep.Transfer, error) {
	r := sweep.Transfer{TestPerClass: c.Int("test-per-class"), Folds: c.Int("folds"), Classifier: c.String("classifier"), Seed: c.Uint64("seed"), Above: c.Float64("exclude-above"), Head: c.String("save") != ""}
	if !c.Bool("no-scratch") {
		r.Scratch = &sweep.Scratch{Steps: c.Int("scratch-steps"), Batch: c.Int("scratch-batch"), Rate: c.Float64("scratch-rate")}
	}
	for _, s := range strings.Split(c.String("per-class"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			return r, cmdline.Usage("--per-class "+c.String("per-class")+": want numbers, as in 15,30,60", "")
		}
		r.PerClass = append(r.PerClass, n)
	}
	return r, cmdline.RequestErr(r.Validate())
}

func transfer(c *cmdline.Run) error {
	if c.NArg() > 0 {
		return cmdline.Usage("viz transfer takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	r, err := readTransfer(c)
	if err != nil {
		return err
	}
	net, _, err := c.LoadModel(false)
	if err != nil {
		return err
	}
	layers, err := cmdline.TopLayers(net, c.String("layer"))
	if err != nil {
		return err
	}
	if len(layers) != 1 {
		return cmdline.Usage("--layer "+c.String("layer")+": want one layer", "")
	}
	r.Layer = layers[0]
	out, save := c.Files(), c.String("save")
	if err := c.OutDir(out.Dir, "--out"); err != nil {
		return err
	}
	if err := out.Claim(net, "transfer", c.String("data")); err != nil {
		return err
	}
	if save != "" {
		if err := c.OutFile(save, "--save"); err != nil {
			return err
		}
		to := net.Origin
		to.Data = c.String("data")
		other, same := sweep.Replaces(save, to)
		if err := c.Claimed(save, other, same); err != nil {
			return err
		}
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	data, err := c.OpenTraining(c.String("data"), c.Uint64("data-seed"))
	if err != nil {
		return err
	}
	if r.Seen, err = seenData(c, net); err != nil {
		return err
	}
	result, err := r.Run(c.Context, engine, net, data, sweep.Split{HoldOut: c.Float64("hold-out")}, c.SweepOptions())
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if result.Head != nil {
		if err := model.Save(save, result.Head, nil); err != nil {
			return err
		}
		c.Wrote(save)
	}
	if _, err := out.Figure("", result.Figure()); err != nil {
		return err
	}
	if err := out.Numbers(result, result.Table()); err != nil || c.JSON {
		return err
	}
	return c.PrintTable(result.Text())
}
