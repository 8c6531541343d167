package main

import (
	"fmt"
	"image"
	"slices"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/page"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "show everything on a built-in network: needs nothing, takes seconds, leaves a folder with index.html",
		UsageText:   "viz demo [flags]",
		Description: examples("viz demo", "viz demo --out /tmp/demo --limit 2000"),
		Flags: []cli.Flag{quietFlag, workersFlag, seedFlag,
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "demo", Usage: "write into `DIR`"},
			&cli.IntFlag{Name: "limit", Value: 1000, Usage: "number of images to search"}},
		Action: demo,
	}
}

// demoPage is what demo.html shows.
type demoPage struct {
	Title, Model, Hash, Version string
	Sections                    []section
}

type section struct {
	Title, Text, Command string
	Pictures             []string
}

func demo(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz demo takes no arguments, got "+c.Args().First(), "choose the folder with --out")
	}
	net, err := builtin.Load("shapes")
	if err != nil {
		return err
	}
	note(c, "model: built-in shapes (%s)", hash(net))
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if out.one != "" {
		return usage("viz demo writes many files", "give --out a folder")
	}
	spec := givenImages(c)
	spec.Paths, spec.Data = nil, "shapes"
	src, err := openInputs(c, net, spec)
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	p := &demoPage{Title: "viz demo", Model: net.Name, Hash: hash(net), Version: version()}
	add := func(title, text, command string, pictures ...string) {
		p.Sections = append(p.Sections, section{title, text, command, pictures})
	}

	samples, which, err := onePerClass(src, len(net.Classes))
	if err != nil {
		return err
	}
	name, err := out.picture("images", samples, numbers{json: map[string]any{"data": src.From, "images": which}})
	if err != nil {
		return err
	}
	add("The images", "Ten classes of generated pictures; colour, place and size give nothing away.", "viz data list shapes", name)

	conv, err := convNodes(net, "1")
	if err != nil {
		return err
	}
	session := view.NewSession(engine, net)
	figures, err := session.Filters(view.Filters{Layers: conv})
	if err != nil {
		return err
	}
	names, err := out.figures(figures...)
	if err != nil {
		return err
	}
	add("First-layer filters", "What the first convolution looks for: edges, bars and colour contrasts.", "viz filters --model shapes", names...)

	x, err := src.Load(0)
	if err != nil {
		return err
	}
	t, err := engine.Forward(net, x)
	if err != nil {
		return err
	}
	figures, err = session.Activations(view.Activations{Layers: net.ConvLayers(), Most: 64}, t, view.Input{Name: src.Items[0].Name, Stem: src.Items[0].Stem, Tensor: x})
	if err != nil {
		return err
	}
	if names, err = out.figures(figures...); err != nil {
		return err
	}
	add("Activations", "What the maps of each convolution layer answer to one image.", "viz activations --layer 1 --model shapes --data shapes --limit 1", names...)

	step, end := progress(c, "scanning")
	index, err := features.Collect(c.Context, engine, net, src, features.Options{Progress: step})
	end()
	if err != nil {
		return err
	}
	for i, l := range index.Layers {
		sheets, err := layerSheets(c, session, view.Sheets{Top: index.TopK}, src, &l, out)
		if err != nil {
			return err
		}
		var names []string
		for _, s := range sheets {
			names = append(names, s.File)
		}
		add(fmt.Sprintf("Layer %d: what its maps respond to", i+1),
			fmt.Sprintf("For each map, the nine strongest activations among %d images: projected to pixels by the deconvnet at the left, the image patches at the right.", src.Len()),
			fmt.Sprintf("viz deconv --layer %d --model shapes", i+1), names...)
	}

	names = nil
	for k := range 3 {
		i := slices.Index(src.Labels(), k*3)
		if i < 0 {
			continue
		}
		x, err := src.Load(i)
		if err != nil {
			return err
		}
		in := view.InputOf(src, i, x)
		in.Stem = net.Class(src.Items[i].Label)
		figures, err := session.Occlude(c.Context, view.Occlusion{Options: occlusion.Options{Classes: []int{src.Items[i].Label}}}, in)
		if err != nil {
			return err
		}
		written, err := out.figures(figures...)
		if err != nil {
			return err
		}
		names = append(names, written...)
	}
	add("What the decision rests on", "A grey patch covers the image, place by place; the network is run on each.", "viz occlude --model shapes --data shapes --limit 3", names...)

	html, err := page.HTML("demo", p)
	if err != nil {
		return err
	}
	return out.page(view.Page{File: "index.html", HTML: html})
}

// onePerClass is a picture with an image of every class, and their names.
func onePerClass(src *images.Inputs, classes int) (image.Image, []string, error) {
	var panels []render.Panel
	var which []string
	for k := range classes {
		i := slices.Index(src.Labels(), k)
		if i < 0 {
			continue
		}
		x, err := src.Load(i)
		if err != nil {
			return nil, nil, err
		}
		which = append(which, src.Items[i].Name)
		panels = append(panels, render.Panel{Title: src.Net.Class(k), Image: src.Net.Preprocess.Image(x.Data, src.Net.Input)})
	}
	return render.Figure{Title: "One image of each class", Panels: panels, Columns: 5, PanelSize: 128,
		Caption: []string{src.From}}.Draw(), which, nil
}
