package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
)

func rnnCommand() cmdline.Command {
	var r sweep.RNN
	return cmdline.Command{
		Name: "rnn", Usage: "compare recurrent networks that read images row by row with each other and with a convolutional one",
		About: "Trains every cell in every size and the convolutional network on the same images in the same\n" +
			"order, once for equal steps and once for equal time (that of the convolutional one), and writes\n" +
			"curves and tables into a folder. If interrupted, rerun the same command to resume.",
		Examples: []string{"viz rnn --data mnist", "viz rnn --data mnist --hidden 50,100,200,500 --rate 0.001 --schedule constant --out course-rnn"},
		Flags:    ofTrainings,
		Change: view.Fields{trainingsLimit(), {Name: "out", Default: "rnn", Usage: "`DIR` for runs, curves and tables"},
			{Name: "data", Default: "mnist", Usage: "grey images: a name (mnist, fashion-mnist), a `DIR` or a FILE"}},
		Fields:  r.Fields(),
		Instead: "name the data with --data",
		Do: func(c *cmdline.Run) error {
			if err := r.Validate(); err != nil {
				return cmdline.RequestErr(err)
			}
			return c.WithFolder(c.Data, r.Fits, func(f *sweep.Folder, out cmdline.Files) error {
				result, err := f.CompareRNN(c.Context, r)
				if err != nil {
					return err
				}
				return out.Report(result, result.Figure(), result.Table(), result.Text(), result.Diverged()...)
			})
		},
	}
}
