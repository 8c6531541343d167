package main

import (
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func ablateCommand() *cli.Command {
	return &cli.Command{
		Name: "ablate", Usage: "train variants of a network with layers left out or resized, and compare their errors",
		UsageText: "viz ablate [flags]",
		Description: "All variants are trained on the same images for the same number of steps, each with several\n" +
			"seeds. The default list is the paper's: without hidden dense layers, without the middle\n" +
			"convolutions, without both; dense layers of half and double width, later convolutions of double\n" +
			"width, both. --variant adds your own instead: a name and what to do, as in\n" +
			"\"thin: conv1*0.5 conv2*0.5 -fc1\". If interrupted,\n" +
			"rerun the same command to resume.\n\n" +
			cmdline.Examples("viz ablate --data shapes --steps 400", "viz ablate --arch lenet5 --data mnist --variant \"no fc1: -fc1\" --variant \"wide: conv1*2 conv2*2\""),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "arch", Value: "small", Usage: "architecture to vary: " + strings.Join(model.Arches()[:2], ", ")},
			&cli.Float64Flag{Name: "width", Value: 0.5, Usage: "scale the numbers of maps of all variants"},
			cmdline.DataFlag, cmdline.SeedFlag,
			&cli.StringSliceFlag{Name: "variant", Usage: "`\"NAME: -LAYER LAYER*FACTOR ...\"`"},
			&cli.IntFlag{Name: "seeds", Value: 3, Usage: "runs of each variant"},
			&cli.StringFlag{Name: "optimizer", Aliases: []string{"solver"}, Value: "adam", Usage: strings.Join(train.Solvers(), ", ")},
			&cli.Float64Flag{Name: "rate", Value: 0.002, Usage: "learning rate"},
			&cli.StringFlag{Name: "schedule", Value: "cosine", Usage: "of the rate: " + strings.Join(train.Schedules(), ", ")},
			&cli.IntFlag{Name: "batch", Value: 100, Usage: "images a step"},
			&cli.IntFlag{Name: "steps", Value: 600, Usage: "`NUMBER` of steps"},
			&cli.IntFlag{Name: "evals", Value: 5, Usage: "measurements of accuracy in each run"},
			&cli.Float64Flag{Name: "keep", DefaultText: "the architecture's", Usage: "probability to keep a value in dropout"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "ablate", Usage: "`DIR` for runs, table and figure"},
			cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.QuietFlag},
		Action: cmdline.Action(ablate),
	}
}

func ablate(c *cmdline.Run) error {
	if c.NArg() > 0 {
		return cmdline.Usage("viz ablate takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	r := sweep.Ablation{Arch: c.String("arch"), Width: c.Float64("width"), Keep: c.Float64("keep"), Seeds: c.Int("seeds"), Evals: c.Int("evals"),
		Options: train.Options{Solver: c.String("optimizer"), Rate: c.Float64("rate"), Schedule: c.String("schedule"), Batch: c.Int("batch"), Steps: c.Int("steps")}}
	for _, s := range c.StringSlice("variant") {
		v, err := sweep.ParseVariant(s)
		if err != nil {
			return cmdline.RequestErr(err)
		}
		r.Variants = append(r.Variants, v)
	}
	if err := r.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	return c.WithFolder(orShapes(c.String("data")), nil, func(f *sweep.Folder, out cmdline.Files) error {
		result, err := f.Ablate(c.Context, r)
		if err != nil {
			return err
		}
		if _, err := out.Figure("", result.Figure()); err != nil {
			return err
		}
		if err := out.Numbers(result, result.Table()); err != nil || c.JSON {
			return err
		}
		return c.PrintTable(result.Text())
	})
}

// orShapes is the data that is named, or the generated shapes.
func orShapes(data string) string {
	if data == "" {
		return "shapes"
	}
	return data
}
