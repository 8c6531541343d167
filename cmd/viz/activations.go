package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func activationsCommand() cmdline.Command {
	var r view.Activations
	dir := ""
	npy := view.Field{Name: "npy", Usage: "write one array per layer, [N, C, H, W], into `DIR`, with switches of max pools as LAYER.switches;\n" +
		"      unless --out is given, only the first image is drawn"}
	return cmdline.Command{
		Name: "activations", Usage: "draw a layer's activation maps for an image", Args: "IMG...",
		About:    "IMG is an image, a folder of images, or a .npy array in the network's input units.",
		Examples: []string{"viz activations --layer 1 img.png", "viz activations --layer all --npy numbers/ input.npy"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.Index,
		Fields:   append(r.Fields(), view.TextField(npy, &dir)),
		Do:       func(c *cmdline.Run) error { return activations(c, &r, dir) },
	}
}

func activations(c *cmdline.Run, r *view.Activations, dir string) error {
	w, err := c.Work(cmdline.Need{Pictures: true, Elsewhere: dir != "" && !c.Given("out"), Check: func(*view.Session) error { return r.Validate() }})
	if err != nil {
		return err
	}
	defer w.Close()
	if r.Layers, err = r.Named(w.Session.Net); err != nil {
		return err
	}
	draw := w.Src.Len() // images
	if w.Out == nil {
		draw, w.Out = 1, c.OutputIn(dir, w.Session) // beside the arrays
	}
	if err := w.Out.Several(len(r.Layers)*draw, "layers and images"); err != nil {
		return err
	}
	var arrays *view.LayerArrays
	if dir != "" {
		if arrays, err = view.NewLayerArrays(w.Session.Net, r.Layers, w.Src.Len()); err != nil {
			return cmdline.RequestErr(err)
		}
		if err := c.OutDir(dir, "--npy"); err != nil {
			return err
		}
	}
	plan, err := r.Plan(w.Session, arrays != nil)
	if err != nil {
		return err
	}
	drawn := 0
	return w.FiguresThen("activations", func(in view.Input) ([]view.Figure, error) {
		t, err := plan.Run(in.Tensor)
		if err != nil {
			return nil, err
		}
		if arrays != nil {
			arrays.Add(t, in.Name)
		}
		if drawn++; drawn > draw {
			return nil, nil
		}
		for _, layer := range r.Layers { // drawn, a layer takes several times what its values do
			one := *r
			one.Layers = []string{layer}
			figures, err := w.Session.Activations(one, t, in)
			if err != nil {
				return nil, err
			}
			if arrays != nil {
				figures[0].Array = nil // among the arrays of all images
			}
			if _, err := w.Out.Figures(figures...); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}, func() error {
		if arrays == nil {
			return nil
		}
		return c.WriteArrays(dir, arrays.Arrays(), map[string]any{"images": arrays.Names})
	})
}
