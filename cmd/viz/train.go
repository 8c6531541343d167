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
	"github.com/deconvnet/viz/view"
)

func trainCommand() cmdline.Command {
	r := &trainRun{}
	a := &r.how.Architecture
	return cmdline.Command{
		Name: "train", Usage: "train a network, with live progress, checkpoints and exact resumption",
		About: "The checkpoint holds the network and all that is needed to go on: Ctrl-C leaves a valid one,\n" +
			"and --resume continues bit for bit as if there had been no break. Accuracy is measured\n" +
			"with dropout off. A log of JSON lines is written beside the checkpoint.",
		Examples: []string{"viz train --arch small --data shapes --epochs 4 --rate 0.002 --schedule cosine",
			"viz train --arch lenet5 --data mnist --rate 1e-4 --keep 0.5 --epochs 5 --out mnist.bin",
			"viz train --resume mnist.bin --steps 6000"},
		Flags:  cmdline.JSON | cmdline.Workers | cmdline.Data | cmdline.Seed | cmdline.Limit | cmdline.HoldOut | cmdline.Out | cmdline.ByNumber,
		Change: view.Fields{trainingsLimit(), {Name: "out", Usage: "checkpoint `FILE`", Otherwise: "the resumed file, else ckpt.bin"}},
		Fields: append(view.Fields{
			view.TextField(view.Field{Name: "arch", Default: "small", Usage: "architecture: " + strings.Join(model.Arches(), ", ")}, &r.how.Arch),
			view.NumberField(view.Field{Name: "width", Default: "1", Usage: "scale the numbers of maps"}, &a.Width),
			view.NumberField(view.Field{Name: "keep", Otherwise: "the architecture's", Usage: "probability to keep a value in dropout"}, &a.Keep),
			view.TextField(view.Field{Name: "init", Default: "he", Usage: "how weights start: he, or truncated (normal of 0.1 cut at 0.2, biases 0.1: the course's)"}, &a.Init),
			view.IntField(view.Field{Name: "input-size", Otherwise: "that of the images", Usage: "input size in `PIXELS`, for images of other or various sizes"}, &r.size, 1),
			view.SwitchField(view.Field{Name: "plain", Usage: "input is pixel/255 as in [course], without subtracting the mean and dividing by the standard deviation"}, &r.how.Plain),
			view.SwitchField(view.Field{Name: "keep-checkpoints", Usage: "keep numbered copies too (ckpt-000500.bin, weights only), for viz filters --evolve"}, &r.t.Numbered),
			view.TextField(view.Field{Name: "resume", Usage: "resume from checkpoint `FILE`; other flags change its settings"}, &r.resume),
			view.TextField(view.Field{Name: "log", Usage: "log `FILE`", Otherwise: "the checkpoint's name with .jsonl"}, &r.t.Log),
		}, sweep.OptionFields(&r.t.Options)...),
		Instead: "name the data with --data, a checkpoint to resume with --resume",
		Do:      r.do,
	}
}

// trainRun is one run of viz train.
type trainRun struct {
	t      sweep.Training
	how    sweep.Preparation
	size   int
	resume string
}

// read reads the command line. What can be wrong with it is wrong before the data is read.
func (r *trainRun) read(c *cmdline.Run) error {
	if c.Given("steps") && c.Given("epochs") {
		return cmdline.Usage("both --steps and --epochs are given", "use one of them")
	}
	r.how.Choice = sweep.Choice{DataSeed: c.DataSeed, HoldOut: c.HoldOut, Limit: c.Limit}
	r.how.OwnWarmup, r.how.Altered = c.Given("warmup"), changed(c)
	r.how.Match = func(net *model.Network, data []string) (func([]int) []int, error) {
		to, err := c.MapClasses(net, data)
		if err == nil && to.Note != "" {
			c.Note("%s", to.Note)
		}
		return to.Labels, err
	}
	t := &r.t
	if t.Out = c.Out; t.Out == "" {
		if t.Out = r.resume; t.Out == "" {
			t.Out = "ckpt.bin"
		}
	}
	if t.Log == "" {
		t.Log = sweep.LogName(t.Out)
	}
	if r.resume != "" {
		if err := r.readResumed(c); err != nil {
			return err
		}
	} else {
		r.how.Architecture.Seed, r.how.Architecture.Input = t.Options.Seed, model.Input{H: r.size, W: r.size}
		if c.Data == "" {
			c.Data = "shapes"
		}
	}
	if _, err := t.Options.Resolve(1 << 20); err != nil {
		return cmdline.UsageErr(err)
	}
	if !slices.Contains(model.Arches(), r.how.Arch) {
		return cmdline.UsageErr(&model.UnknownName{What: "architecture", Name: r.how.Arch, Nearest: model.Arches()})
	}
	if t.Log == t.Out {
		return cmdline.Usage("checkpoint and log are one file, "+t.Out, "give another --out or --log")
	}
	return c.OutFile(t.Out, "--out")
}

// changed tells whether a flag changes how training goes on.
func changed(c *cmdline.Run) bool {
	names := []string{"data", "data-seed", "limit", "hold-out"}
	for _, f := range sweep.OptionFields(&train.Options{}) {
		names = append(names, f.Name)
	}
	return slices.ContainsFunc(names, c.Given)
}

// readResumed is read for a training that goes on.
func (r *trainRun) readResumed(c *cmdline.Run) (err error) {
	for _, name := range []string{"arch", "width", "keep", "init", "input-size", "plain", "seed", "optimizer"} {
		if c.Given(name) {
			return cmdline.Usage("--"+name+" cannot change when training is resumed", "leave it out, or start anew without --resume")
		}
	}
	t := &r.t
	if t.Net, t.State, err = model.LoadState(r.resume); err != nil {
		return err
	}
	if t.Options, err = train.Resume(t.State); err != nil {
		return cmdline.Hinted(err, "numbered copies hold weights only: resume the main checkpoint")
	}
	if err := c.Settle(nil); err != nil { // what is given on top of the old settings
		return err
	}
	if c.Given("epochs") {
		t.Options.Steps = 0
	}
	if c.Data == "" {
		c.Data = t.Net.Origin.Data
	}
	return r.how.Choice.Recall(t.Options.Note, c.Given)
}

func (r *trainRun) do(c *cmdline.Run) error {
	if err := r.read(c); err != nil {
		return err
	}
	for _, path := range []string{r.t.Out, r.t.Log} {
		unlock, err := c.Lock(path)
		if err != nil {
			return err
		}
		defer unlock()
	}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	data, err := c.OpenTraining(c.Data, r.how.Choice.DataSeed)
	if err != nil {
		return err
	}
	err = r.t.Prepare(c.Context, engine, data, r.how, c.SweepOptions())
	if _, ok := errors.AsType[*sweep.NothingLeft](err); ok {
		return cmdline.Usage(r.resume+" is "+err.Error(), "give more with --steps")
	}
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if r.resume == "" || !cmdline.SameFile(r.resume, r.t.Out) {
		other, same := sweep.Replaces(r.t.Out, r.t.Net.Origin)
		if err := c.Claimed(r.t.Out, other, same); err != nil {
			return err
		}
	}
	result, err := r.t.Run(c.Context, engine, c.SweepOptions())
	if diverged, ok := errors.AsType[*train.Diverged](err); ok {
		return cmdline.Hinted(err, fmt.Sprintf("--rate %g, or --warmup 100", diverged.Lower()))
	}
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if c.JSON {
		return c.PrintJSON(result)
	}
	for _, text := range result.Remarks(len(r.t.Net.Classes)) {
		c.Note("%s", text)
	}
	c.Wrote(r.t.Out)
	return nil
}
