package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/urfave/cli/v2"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

func activationsCommand() *cli.Command {
	return &cli.Command{
		Name: "activations", Usage: "draw a layer's activation maps for an image",
		UsageText: "viz activations [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n\n" +
			cmdline.Examples("viz activations --layer 1 img.png", "viz activations --layer all --npy numbers/ input.npy"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.IndexFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Value: "1", Usage: "`LAYER`s by number or name, comma-separated, or all"},
			&cli.StringFlag{Name: "scale", Value: "layer", Usage: "colours relative to the largest value of the layer, or of each map: `layer` or map"},
			&cli.IntFlag{Name: "max", Value: 256, Usage: "draw at most `N` maps of a layer"},
			&cli.StringFlag{Name: "npy", Usage: "write one array per layer, [N, C, H, W], into `DIR`, with switches of max pools as LAYER.switches;\n" +
				"      unless --out is given, only the first image is drawn"}},
		Action: cmdline.Action(activations),
	}
}

func activations(c *cmdline.Run) error {
	paths := c.InputPaths()
	if len(paths) == 0 && c.String("data") == "" {
		return cmdline.Usage("no image given", "viz activations img.png")
	}
	request := view.Activations{Most: c.Int("max"), Scale: view.Scaling(c.String("scale"))}
	if request.Most == 0 { // 0 means the default in a request
		return cmdline.Usage("--max 0: want at least 1", "")
	}
	if err := request.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	session, err := c.OpenSession(len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	layers, err := cmdline.ResolveLayers(net, c.String("layer"))
	if err != nil {
		return err
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	dir := c.String("npy")
	draw := src.Len() // images
	out := c.OutputIn(dir, session)
	if dir == "" || c.IsSet("out") {
		if out, err = c.OpenOutput(session); err != nil {
			return err
		}
	} else {
		draw = 1 // beside the arrays
	}
	if err := out.Several(len(layers)*draw, "layers and images"); err != nil {
		return err
	}
	var arrays *layerArrays
	if dir != "" {
		if arrays, err = newLayerArrays(c, net, layers, src.Len(), dir); err != nil {
			return err
		}
	}
	request.Layers = layers
	plan, err := request.Plan(session, arrays != nil)
	if err != nil {
		return err
	}
	drawn := 0
	return c.Each(src, "activations", func(i int, x *tensor.Tensor) error {
		t, err := plan.Run(x)
		if err != nil {
			return err
		}
		if arrays != nil {
			arrays.add(t, src.Items[i].Name)
		}
		if drawn++; drawn > draw {
			return nil
		}
		figures, err := session.Activations(request, t, view.InputOf(src, i, x))
		if err != nil {
			return err
		}
		for k := range figures {
			if dir != "" {
				figures[k].Array = nil // among the arrays of all images
			}
		}
		_, err = out.Figures(figures...)
		return err
	}, func() error { return arrays.end(c, out) })
}

// layerArrays gathers the values of layers for many images: LAYER.npy, [N, C, H, W] or
// [N, F], LAYER.switches.npy, [N, C, H, W], and the images' names in images.json.
type layerArrays struct {
	dir      string
	layers   []string
	shapes   map[string]model.Shape
	names    []string
	values   map[string][]float32
	switches map[string][]int32
}

func newLayerArrays(c *cmdline.Run, net *model.Network, layers []string, images int, dir string) (*layerArrays, error) {
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	size := 0
	for _, name := range layers {
		size += shapes[name].Len()
		if n := net.Node(name); n != nil && n.Layer.Kind() == "MaxPool" {
			size += shapes[name].Len()
		}
	}
	if size > view.MaxValues/images {
		return nil, cmdline.Hinted(fmt.Errorf("the arrays of %d layers for %d images take %.1f GB", len(layers), images, 4e-9*float64(size)*float64(images)),
			"name fewer layers with --layer, or fewer images with --limit")
	}
	return &layerArrays{dir: dir, layers: layers, shapes: shapes, values: map[string][]float32{}, switches: map[string][]int32{}}, c.OutDir(dir, "--npy")
}

func (a *layerArrays) add(t *model.Trace, image string) {
	a.names = append(a.names, image)
	for _, name := range a.layers {
		a.values[name] = append(a.values[name], t.Value(name).Data...)
		if sw := t.Switches(name); sw != nil {
			a.switches[name] = append(a.switches[name], sw...)
		}
	}
}

// end writes the arrays, if there are any, and ends the output.
func (a *layerArrays) end(c *cmdline.Run, out *cmdline.Output) error {
	if a != nil {
		if err := a.write(); err != nil {
			return err
		}
		c.Wrote(a.dir)
	}
	return out.End()
}

func (a *layerArrays) write() error {
	for _, name := range a.layers {
		file := filepath.Join(a.dir, cmdline.FileName(name))
		shape := a.shapes[name].Batch(len(a.names))
		if err := npy.WriteFile(file+".npy", shape, a.values[name]); err != nil {
			return err
		}
		if sw := a.switches[name]; sw != nil {
			if err := npy.WriteFile(file+".switches.npy", shape, sw); err != nil {
				return err
			}
		}
	}
	text, err := view.JSON(map[string]any{"images": a.names})
	if err != nil {
		return err
	}
	return imageio.WriteFile(filepath.Join(a.dir, "images.json"), func(w io.Writer) error { _, err := w.Write(text); return err })
}
