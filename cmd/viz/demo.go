package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"image"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/occlusion"
	"github.com/urfave/cli/v2"
)

//go:embed demo.html
var demoPage string

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

// page is what demo.html shows.
type page struct {
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
	note(c, "model: built-in shapes (%s)", net.Hash())
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	data, err := openData(c, "shapes")
	if err != nil {
		return err
	}
	src, err := dataSource(c, net, data, "shapes")
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	p := &page{Title: "viz demo", Model: net.Name, Hash: net.Hash(), Version: version()}
	add := func(title, text, command string, names ...string) {
		s := section{Title: title, Text: text, Command: command}
		for _, n := range names {
			s.Pictures = append(s.Pictures, fileName(n)+".png")
		}
		p.Sections = append(p.Sections, s)
	}

	samples, err := onePerClass(src, len(net.Classes))
	if err != nil {
		return err
	}
	if err := out.png("images", samples); err != nil {
		return err
	}
	add("The images", "Ten classes of generated pictures; colour, place and size give nothing away.", "viz data list shapes", "images")

	conv, err := convNodes(net, "1")
	if err != nil {
		return err
	}
	drawOptions := filterStyle{most: 64, scaling: "layer"}
	if err := drawFilters(out, drawOptions, conv[0], net.Node(conv[0]).Layer.(*model.Conv)); err != nil {
		return err
	}
	add("First-layer filters", "What the first convolution looks for: edges, bars and colour contrasts.", "viz filters --model shapes", "filters-"+conv[0])

	x, err := src.load(0)
	if err != nil {
		return err
	}
	t, err := engine.Forward(net, x)
	if err != nil {
		return err
	}
	var names []string
	for _, layer := range net.ConvLayers() {
		img := activationFigure(t, 0, layer, 64, src.names[0])
		if err := out.png("activations-"+layer, img, "layer", layer, "image", src.names[0]); err != nil {
			return err
		}
		names = append(names, "activations-"+layer)
	}
	add("Activations", "What the maps of each convolution layer answer to one image.", "viz activations --layer 1 --model shapes --data shapes --limit 1", names...)

	step, end := progress(c, "scanning")
	index, err := features.Collect(c.Context, engine, net, src, features.Options{Progress: step})
	end()
	if err != nil {
		return err
	}
	for i, l := range index.Layers {
		sheet, err := projectTop(c.Context, engine, net, deconv.Paper, src, l, nil)
		if err != nil {
			return err
		}
		if err := sheet.write(c, out, "tile"); err != nil {
			return err
		}
		add(fmt.Sprintf("Layer %d: what its maps respond to", i+1),
			fmt.Sprintf("For each map, the nine strongest activations among %d images: projected to pixels by the deconvnet at the left, the image patches at the right.", src.Len()),
			fmt.Sprintf("viz deconv --layer %d --model shapes", i+1), "deconv-"+l.Name)
	}

	names = nil
	for k := range 3 {
		i := slices.Index(src.labels, k*3)
		if i < 0 {
			continue
		}
		x, err := src.load(i)
		if err != nil {
			return err
		}
		m, err := occlusion.Scan(c.Context, engine, net, x, occlusion.Options{Classes: []int{src.labels[i]}})
		if err != nil {
			return err
		}
		name := "occlusion-" + net.Class(src.labels[i])
		if err := out.png(name, m.Figure(occlusion.Style{Name: src.names[i]}), "image", src.names[i]); err != nil {
			return err
		}
		if err := out.json(name, occlusionSummary(m, src.names[i])); err != nil {
			return err
		}
		names = append(names, name)
	}
	add("What the decision rests on", "A grey patch covers the image, place by place; the network is run on each.", "viz occlude --model shapes img.png", names...)

	tmpl, err := template.New("demo").Parse(demoPage)
	if err != nil {
		return err
	}
	html := filepath.Join(out.dir, "index.html")
	if err := imageio.WriteFile(html, func(w io.Writer) error { return tmpl.Execute(w, p) }); err != nil {
		return err
	}
	wrote(c, html)
	return nil
}

// onePerClass is a picture with an image of every class.
func onePerClass(src *source, classes int) (image.Image, error) {
	var panels []render.Panel
	for k := range classes {
		i := slices.Index(src.labels, k)
		if i < 0 {
			continue
		}
		x, err := src.load(i)
		if err != nil {
			return nil, err
		}
		panels = append(panels, render.Panel{Title: src.net.Class(k), Image: src.net.Preprocess.Image(x.Data, src.net.Input)})
	}
	return render.Figure{Title: "One image of each class", Panels: panels, Columns: 5, PanelSize: 128,
		Caption: []string{strings.TrimSpace(src.from)}}.Draw(), nil
}
