package main

import (
	"fmt"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

func filtersCommand() cmdline.Command {
	r := &filtersRun{}
	return cmdline.Command{
		Name: "filters", Usage: "draw the filters of the convolution layers, or how they change over checkpoints", Args: "[MODEL...]",
		Examples: []string{"viz filters ckpt.bin", "viz filters --layer 1 --evolve --out evolution.png ckpt-*.bin", "viz filters --diagnose before.bin after.bin"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Data | cmdline.Split | cmdline.Seed | cmdline.Limit,
		Change: view.Fields{{Name: "layer", Usage: "convolution `LAYER` by number or name; several with commas, or all; default: all that are larger than 1x1 (with --evolve: 1)"},
			{Name: "limit", Default: "500", Usage: "with --diagnose: look for maps that never fire on `N` images of the data set, 0: none"}},
		Fields: append(r.request.Fields(),
			view.SwitchField(view.Field{Name: "diagnose", Usage: "report what is wrong with the filters, in numbers and words, of one network or two side by side"}, &r.diagnose),
			view.SwitchField(view.Field{Name: "evolve", Usage: "one strip for each of several checkpoints of one network, on one scale"}, &r.evolve)),
		Do: func(c *cmdline.Run) error {
			switch {
			case r.diagnose:
				return r.diagnosis(c)
			case r.evolve:
				return r.evolution(c)
			}
			return r.draw(c)
		},
	}
}

// filtersRun is one run of viz filters.
type filtersRun struct {
	request          view.Filters
	diagnose, evolve bool
}

func (r *filtersRun) draw(c *cmdline.Run) error {
	session, err := c.ModelArgument()
	if err != nil {
		return err
	}
	names, err := r.layers(c, session.Net, "all")
	if err != nil {
		return err
	}
	if _, spaced := view.Convolutions(session.Net); !c.Given("layer") && len(spaced) < len(names) {
		c.Note("%d layers of 1x1 filters are left out: --layer all draws them, too", len(names)-len(spaced))
		names = spaced
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if out.One != "" && len(names) > 1 {
		c.Note("--out names one picture: only %s is drawn", names[0])
		names = names[:1]
	}
	err = out.Drawn(len(names), func(i int) ([]view.Figure, error) { // one by one, for memory
		r.request.Layers = names[i : i+1]
		return session.Filters(r.request)
	})
	if err != nil {
		return err
	}
	return out.End()
}

// layers lists the convolutions that --layer means in a network, or those that stand for it if it is not given.
func (r *filtersRun) layers(c *cmdline.Run, net *model.Network, otherwise string) ([]string, error) {
	if r.request.Layers = nil; !c.Given("layer") {
		layers, err := view.ParseConvolutions(net, otherwise)
		return layers, cmdline.RequestErr(err)
	}
	err := c.Settle(net)
	return r.request.Layers, err
}

// evolution draws the filters of several checkpoints below each other.
func (r *filtersRun) evolution(c *cmdline.Run) error {
	if len(c.Args) < 2 {
		return cmdline.Usage("--evolve needs at least two checkpoints", "viz train --keep-checkpoints leaves numbered ones")
	}
	e := view.FilterEvolution{Files: c.Args, Called: c.Text("layer", "1"), Most: r.request.Most, Scale: r.request.Scale}
	var sessions []*view.Session
	for _, path := range e.Files {
		net, err := cmdline.OpenModel(c.Context, path)
		if err != nil {
			return err
		}
		conv, err := r.layers(c, net, "1")
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		sessions, e.Layers = append(sessions, view.NewSession(nil, net)), append(e.Layers, conv[0])
	}
	out, err := c.OpenOutput(sessions[0])
	if err != nil {
		return err
	}
	figure, err := view.EvolveFilters(sessions, e)
	if err != nil {
		return err
	}
	_, err = out.Figures(figure)
	return err
}
