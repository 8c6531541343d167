package main

import (
	"errors"
	"io/fs"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
)

func transferCommand() cmdline.Command {
	r := &transferRun{}
	return cmdline.Command{
		Name: "transfer", Usage: "keep a trained network's features, fit new classes on other data, and compare with training from scratch",
		About: "For each number of images per class and each fold: a softmax (or support vector machines) on\n" +
			"the fixed features of one layer, against the whole network trained from random weights on the same\n" +
			"images. Accuracy is the mean over classes on test images. With --save the network of the first fold\n" +
			"with the most images is written as a checkpoint.\n\n" +
			"Images that the network was trained on are left out first: those whose correlation with one of them\n" +
			"(grey, at the size of the network's input) is at least --exclude-above.",
		Examples: []string{"viz transfer --model cifar10 --data shapes", "viz transfer --model ckpt.bin --data photos/ --per-class 5,15,30 --layer 5 --save photos.bin"},
		Flags:    cmdline.Model | cmdline.JSON | cmdline.Workers | cmdline.Data | cmdline.Seed | cmdline.HoldOut | cmdline.Out,
		Change: view.Fields{{Name: "out", Default: "transfer", Usage: "`DIR` for table and figure"}, {Name: "hold-out", Default: "0.3"},
			{Name: "data", Default: "shapes", Usage: "the other data set: a name (shapes, cifar10, mnist, fashion-mnist), a `DIR` or a FILE"}},
		Fields: append(r.request.Fields(),
			view.TextField(view.Field{Name: "exclude", Usage: "leave out copies of the training images of `DATA`, or none", Otherwise: "what the network was trained on, if it is here"}, &r.exclude),
			view.TextField(view.Field{Name: "save", Usage: "write the network with new classes to `FILE`"}, &r.save)),
		Instead: "name the data with --data",
		Do:      r.do,
	}
}

// transferRun is one run of viz transfer.
type transferRun struct {
	request       sweep.Transfer
	exclude, save string
}

func (r *transferRun) do(c *cmdline.Run) error {
	r.request.Head = r.save != ""
	if err := r.request.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	net, err := c.LoadModel(false)
	if err != nil {
		return err
	}
	out, err := c.ClaimFiles(net, "transfer")
	if err != nil {
		return err
	}
	if r.save != "" {
		if err := c.OutFile(r.save, "--save"); err != nil {
			return err
		}
		to := net.Origin
		to.Data = c.Data
		other, same := sweep.Replaces(r.save, to)
		if err := c.Claimed(r.save, other, same); err != nil {
			return err
		}
	}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	data, err := c.OpenTraining(c.Data, c.DataSeed)
	if err != nil {
		return err
	}
	if r.request.Seen, err = r.seen(c, net); err != nil {
		return err
	}
	result, err := r.request.Run(c.Context, engine, net, data, sweep.Split{HoldOut: c.HoldOut}, c.SweepOptions())
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if result.Head != nil {
		if err := model.Save(r.save, result.Head, nil); err != nil {
			return err
		}
		c.Wrote(r.save)
	}
	return out.Report(result, result.Figure(), result.Table(), result.Text())
}

// seen is the data that the network has seen in training, whose images are to be left out; nil if that is not known,
// not here, or not wanted.
func (r *transferRun) seen(c *cmdline.Run, net *model.Network) (*images.Data, error) {
	spec, asked := r.exclude, r.exclude != ""
	if !asked {
		if spec = net.Origin.Data; spec == c.Data {
			c.Note("%s is what the network was trained on: this is no transfer", spec)
			return nil, nil
		}
	}
	if spec == "" || spec == "none" {
		return nil, nil
	}
	data, err := c.OpenTraining(spec, c.DataSeed)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		c.Note("what the network was trained on is not here (%s): images that it has seen are not left out, unless --exclude names them", spec)
		return nil, nil
	}
	return data, err
}
