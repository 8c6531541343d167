package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
)

// ofTrainings are the settings of commands that train lists of networks in a folder.
const ofTrainings = cmdline.JSON | cmdline.Workers | cmdline.Data | cmdline.Seed | cmdline.Limit | cmdline.HoldOut | cmdline.To

// trainingsLimit is what --limit means to them.
func trainingsLimit() view.Field {
	return view.Field{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"}
}

func ablateCommand() cmdline.Command {
	var r sweep.Ablation
	return cmdline.Command{
		Name: "ablate", Usage: "train variants of a network with layers left out or resized, and compare their errors",
		About: "All variants are trained on the same images for the same number of steps, each with several\n" +
			"seeds. The default list is the paper's: without hidden dense layers, without the middle\n" +
			"convolutions, without both; dense layers of half and double width, later convolutions of double\n" +
			"width, both. --variant replaces the list by your own: a name and its changes, as in\n" +
			"\"thin: conv1*0.5 conv2*0.5 -fc1\". If interrupted,\n" +
			"rerun the same command to resume.",
		Examples: []string{"viz ablate --data shapes --steps 400", "viz ablate --arch lenet5 --data mnist --variant \"no fc1: -fc1\" --variant \"wide: conv1*2 conv2*2\""},
		Flags:    ofTrainings,
		Change:   view.Fields{trainingsLimit(), {Name: "out", Default: "ablate", Usage: "`DIR` for runs, table and figure"}, {Name: "data", Default: "shapes"}},
		Fields:   r.Fields(),
		Instead:  "name the data with --data",
		Do: func(c *cmdline.Run) error {
			if err := r.Validate(); err != nil {
				return cmdline.RequestErr(err)
			}
			return c.WithFolder(c.Data, nil, func(f *sweep.Folder, out cmdline.Files) error {
				result, err := f.Ablate(c.Context, r)
				if err != nil {
					return err
				}
				return out.Report(result, result.Figure(), result.Table(), result.Text())
			})
		},
	}
}
