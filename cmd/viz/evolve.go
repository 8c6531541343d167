package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

func evolveCommand() cmdline.Command {
	var r view.Evolution
	return cmdline.Command{
		Name: "evolve", Usage: "show how features come about: the strongest activation of maps, projected, checkpoint by checkpoint", Args: "CKPT...",
		About: "A figure for each layer: rows are maps, columns checkpoints in the order given. Each cell is the\n" +
			"strongest activation over all images at that step, projected to pixels. A frame marks a jump:\n" +
			"another image than at the checkpoint before. Each row has one scale, so that growth shows. A map that\n" +
			"is 0 on every image has a grey cell and no jump.",
		Examples: []string{"viz train --data shapes --epochs 2 --keep-checkpoints --checkpoint-every 40", "viz evolve ckpt-*.bin", "viz evolve --layer 2,4 --maps 0-7 --limit 2000 ckpt-*.bin"},
		Flags:    cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures,
		Change: view.Fields{{Name: "split", Default: "train", Usage: "part of the data set: train (the paper's) or test"},
			{Name: "limit", Default: "2000", Usage: "use only `N` images, a fixed random choice; 0: all"}},
		Fields: r.Fields(),
		Do:     func(c *cmdline.Run) error { return evolve(c, &r) },
	}
}

func evolve(c *cmdline.Run, r *view.Evolution) error {
	if len(c.Args) < 2 {
		return cmdline.Usage("viz evolve needs at least two checkpoints", "viz train --keep-checkpoints leaves numbered ones")
	}
	r.Files = c.Args
	first, err := cmdline.OpenModel(c.Context, r.Files[0])
	if err != nil {
		return err
	}
	if err := c.Settle(first); err != nil {
		return err
	}
	if err := r.Choose(first); err != nil {
		return cmdline.RequestErr(err)
	}
	for _, file := range r.Files[1:] { // before the first is scanned, which takes its time
		net, err := cmdline.OpenModel(c.Context, file)
		if err == nil {
			err = view.SameNetwork(r.Files[0], file, first, net, r.Layers)
		}
		if err != nil {
			return err
		}
	}
	src, err := c.OpenSource(first, c.Images, false)
	if err != nil {
		return err
	}
	out, err := c.OpenOutput(view.NewSession(nil, first))
	if err != nil {
		return err
	}
	if err := out.Several(len(r.Layers), "layers"); err != nil {
		return err
	}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	step, end := c.Progress("scanning")
	defer end()
	r.Progress = step
	result, err := view.Evolve(c.Context, engine, *r, src.Kept(keptPictures), func(i int) (*model.Network, error) { return cmdline.OpenModel(c.Context, r.Files[i]) })
	end()
	if err != nil {
		return err
	}
	return writeEvolution(c, out, r, src.From, result)
}

// writeEvolution draws the layers one by one, and writes the table of all.
func writeEvolution(c *cmdline.Run, out *cmdline.Output, r *view.Evolution, from string, result *view.EvolutionResult) error {
	all := map[string]view.EvolutionNumbers{}
	cells := map[string][]view.EvolutionCell{}
	for l, name := range r.Layers {
		if err := c.Context.Err(); err != nil {
			return err
		}
		f, err := result.Figure(l)
		if err != nil {
			return err
		}
		if _, err := out.Figures(f); err != nil {
			return err
		}
		all[name] = f.Numbers.(view.EvolutionNumbers)
		cells[name] = all[name].Cells
		c.Note("%s", result.Jumps(l))
	}
	if err := out.Table(result.Table(all)); err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(map[string]any{"data": from, "checkpoints": r.Files, "steps": result.Steps, "layers": cells})
	}
	return out.End()
}
