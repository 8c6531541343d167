package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
)

func trialsCommand() cmdline.Command {
	var r sweep.Trials
	list, plan := "", false
	return cmdline.Command{
		Name: "trials", Usage: "train a list of settings one after the other, with curves, activations and filters over time, and compare them",
		About: "Without --list, the course's eight trials of lenet5 on small grey images. A list is YAML or JSON:\n\n" +
			"   trials:\n" +
			"     - {name: slow, optimizer: adam, rate: 1e-4, batch: 100, steps: 2000, keep: 0.6}\n" +
			"     - {name: fast, optimizer: rmsprop, rate: 0.001, batch: 200, steps: 1000, keep: 0.5, arch: lenet5, width: 0.5}\n\n" +
			"Other fields: init (he, or truncated: the course's), schedule, weight_decay, warmup, seed, and expect,\n" +
			"an accuracy to compare with. What is left out takes its default.\n\n" +
			"The plan with its time is shown first. If interrupted, rerun the same command to resume. Everything goes into\n" +
			"a folder with report.html, which needs no other file.",
		Examples: []string{"viz trials --data CIFAR10/ --out course", "viz trials --list trials.yaml --data mnist --only fast", "viz trials --data shapes --shorten 0.01 --out try"},
		Flags:    ofTrainings,
		Change:   view.Fields{trainingsLimit(), {Name: "out", Default: "trials", Usage: "`DIR` for everything"}},
		Fields: append(r.Fields(),
			view.TextField(view.Field{Name: "list", Otherwise: "the course's eight", Usage: "YAML or JSON `FILE` of trials"}, &list),
			view.SwitchField(view.Field{Name: "plan", Usage: "only estimate how long it takes"}, &plan)),
		Instead: "name the list with --list, the data with --data",
		Do: func(c *cmdline.Run) (err error) {
			if c.Data == "" {
				return cmdline.Usage("no data named", "--data CIFAR10/ is the course's folder; --data shapes needs no files")
			}
			if list != "" {
				if r.List, err = sweep.ReadTrials(list); err != nil {
					return err
				}
			}
			if err := r.Validate(); err != nil {
				return cmdline.RequestErr(err)
			}
			return c.WithFolder(c.Data, nil, func(f *sweep.Folder, out cmdline.Files) error {
				if plan {
					return f.PlanTrials(c.Context, r)
				}
				return trials(c, f, r, out)
			})
		},
	}
}

func trials(c *cmdline.Run, f *sweep.Folder, r sweep.Trials, out cmdline.Files) error {
	result, err := f.Trials(c.Context, r)
	if err != nil {
		return err
	}
	if err := out.Save(result, result.Table()); err != nil {
		return err
	}
	html, err := result.Report(c.Context, out)
	if err != nil {
		return err
	}
	if err := out.Page("report.html", html); err != nil {
		return err
	}
	return out.Print(result, result.Text(), append([]string{""}, result.Remarks()...)...)
}
