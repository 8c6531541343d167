package main

import (
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func correspondCommand() *cli.Command {
	return &cli.Command{
		Name: "correspond", Usage: "mask the same part in several images and see whether features change alike",
		UsageText: "viz correspond [flags] [IMG...]",
		Description: "The score is the Hamming distance of the signs of the changes, as a mean over pairs of images\n" +
			"and over the layer's values; signs are -1, 0, 1, so values that stay as they are agree. Lower\n" +
			"is more alike. Each part is compared with masks of its sizes at random places in the same\n" +
			"images; \"random, aligned\" has them at one random place in all images, which tells how much comes\n" +
			"from being in the same place alone. Standard errors are by the jackknife over images.\n\n" +
			"Parts are a JSON file: {\"left eye\": {\"dog1.png\": [x0, y0, x1, y1], ...}, ...}, in pixels of the\n" +
			"network's input (x1, y1 exclusive). Data that knows where its objects are (shapes) needs none:\n" +
			"images of one class whose objects stand alike are chosen, parts are the corners and the middle\n" +
			"of the object's box, of half its size.\n\n" +
			examples("viz correspond --model shapes --data shapes --class disc", "viz correspond --parts parts.json dog1.png dog2.png dog3.png dog4.png dog5.png"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, workersFlag, dataFlag, splitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "parts", Usage: "`FILE` of boxes"},
			&cli.StringFlag{Name: "layers", Value: "last,top", Usage: "`LAYER`s by number or name; last is the last block or convolution before the scores, top what the class scores are made of"},
			&cli.StringFlag{Name: "class", Usage: "of a data set: class whose images are taken, by name or number; default: the first"},
			&cli.IntFlag{Name: "count", Value: 24, Usage: "of a data set: choose `N` images (the paper has 5)"},
			&cli.IntFlag{Name: "random", Value: 20, Usage: "draws of random masks for each part"},
			&cli.Uint64Flag{Name: "seed", Usage: "of the random masks"},
			jsonFlag},
		Action: correspond,
	}
}

func correspond(c *cli.Context) error {
	if c.Int("random") < 2 || c.Int("random") > 10000 {
		return usage(fmt.Sprintf("--random %d: want 2 to 10000", c.Int("random")), "")
	}
	paths := inputPaths(c)
	if len(paths) > 0 && c.String("parts") == "" {
		return usage("images need --parts, a JSON file with the boxes of the parts", "viz correspond --help shows its form")
	}
	if len(paths) == 0 && c.String("parts") != "" {
		return usage("--parts needs the images that it has boxes of", "viz correspond --parts parts.json a.png b.png c.png")
	}
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	layers, err := topLayers(net, c.String("layers"))
	if err != nil {
		return err
	}
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	var x *tensor.Tensor
	var parts []experiments.Part
	var names []string
	if len(paths) > 0 {
		x, parts, names, err = namedParts(c, net, paths)
	} else {
		x, parts, names, err = objectParts(c, net)
	}
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	step, end := progress(c, "masking")
	got, err := experiments.Correspond(c.Context, engine, net, x, parts, experiments.CorrespondOptions{Layers: layers, Random: c.Int("random"), Seed: c.Uint64("seed"), Progress: step})
	end()
	if err != nil {
		return err
	}
	figure, table := view.NewSession(engine, net).Correspondence(view.Correspondence{Layers: layers, Parts: parts, Images: x, Names: names,
		Draws: c.Int("random"), Seed: c.Uint64("seed"), Rows: got})
	if _, err := out.figures(figure); err != nil {
		return err
	}
	if err := out.table(table); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, figure.Numbers)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nlayer\tpart\tscore ± spread (%d images)\tstandard error\tbelow random by\n", len(names))
	for _, r := range got {
		below := fmt.Sprintf("%.4f, %.1f standard errors", r.Below, r.Lower)
		if r.Part == experiments.Random {
			below = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%.4f ± %.4f\t%.4f\t%s\n", r.Layer, r.Part, r.Score, r.Deviation, r.Error, below)
	}
	return w.Flush()
}

// namedParts reads images and the boxes of their parts.
func namedParts(c *cli.Context, net *model.Network, paths []string) (*tensor.Tensor, []experiments.Part, []string, error) {
	fail := func(err error) (*tensor.Tensor, []experiments.Part, []string, error) { return nil, nil, nil, err }
	src, err := openInputs(c, net, images.Spec{Paths: paths})
	if err != nil {
		return fail(err)
	}
	if src.Len() > 200 {
		return fail(usage(fmt.Sprintf("%d images, want at most 200", src.Len()), ""))
	}
	file := c.String("parts")
	text, err := os.ReadFile(file)
	if err != nil {
		return fail(err)
	}
	var boxes map[string]map[string][]int
	if err := json.Unmarshal(text, &boxes); err != nil {
		return fail(fmt.Errorf("%s: %w: want {\"part\": {\"image.png\": [x0, y0, x1, y1]}}", file, err))
	}
	if len(boxes) == 0 {
		return fail(fmt.Errorf("%s: no parts: want {\"part\": {\"image.png\": [x0, y0, x1, y1]}}", file))
	}
	var labels []string
	for name := range boxes {
		labels = append(labels, name)
	}
	slices.Sort(labels)
	var parts []experiments.Part
	for _, name := range labels {
		p := experiments.Part{Name: name}
		for _, path := range src.Names() {
			b, ok := boxes[name][path]
			if !ok {
				b, ok = boxes[name][filepath.Base(path)]
			}
			if !ok {
				return fail(fmt.Errorf("%s: part %s has no box for %s", file, name, path))
			}
			if len(b) != 4 {
				return fail(fmt.Errorf("%s: part %s: box %v of %s, want [x0, y0, x1, y1]", file, name, b, path))
			}
			r := image.Rectangle{Min: image.Pt(b[0], b[1]), Max: image.Pt(b[2], b[3])}
			if r.Dx() < 1 || r.Dy() < 1 || !r.In(image.Rect(0, 0, net.Input.W, net.Input.H)) {
				return fail(fmt.Errorf("%s: part %s: box %v of %s is not inside the network's input of %dx%d", file, name, b, path, net.Input.W, net.Input.H))
			}
			p.Boxes = append(p.Boxes, r)
		}
		parts = append(parts, p)
	}
	var xs []*tensor.Tensor
	var names []string
	for i := range src.Len() {
		x, err := src.Load(i)
		if err != nil {
			return fail(err)
		}
		xs, names = append(xs, x), append(names, images.Title(src.Items[i].Name))
	}
	return tensor.Stack(xs...), parts, names, nil
}

// objectParts chooses images of one class with objects that stand alike.
func objectParts(c *cli.Context, net *model.Network) (*tensor.Tensor, []experiments.Part, []string, error) {
	fail := func(err error) (*tensor.Tensor, []experiments.Part, []string, error) { return nil, nil, nil, err }
	want := c.Int("count")
	if want < 3 || want > 200 {
		return fail(usage(fmt.Sprintf("--count %d: want 3 to 200 images", want), ""))
	}
	src, err := openSource(c, net, nil, false)
	if err != nil {
		return fail(err)
	}
	class := 0
	if s := c.String("class"); s != "" {
		// The data's class, whatever classes the network tells apart.
		if class, err = (&model.Network{Classes: src.Classes}).ResolveClass(s); err != nil {
			return fail(usageErr(err))
		}
	}
	name := src.Classes[class]
	var of []int
	var boxes []image.Rectangle
	for i, l := range src.Labels() {
		if l != class {
			continue
		}
		b := src.Object(i)
		if b.Empty() {
			return fail(usage(fmt.Sprintf("%s: where the objects are in the network's input of %dx%d is not known", src.From, net.Input.W, net.Input.H),
				"give images and --parts, or --data shapes for a network with inputs of 32x32"))
		}
		of, boxes = append(of, i), append(boxes, b)
		if len(of) == 1000 {
			break
		}
	}
	if len(of) < want {
		return fail(usage(fmt.Sprintf("there are %d images of class %s, want %d", len(of), name, want), "ask for fewer with --count"))
	}
	chosen, spread := experiments.Alike(boxes, want)
	var xs []*tensor.Tensor
	var names []string
	var objects []image.Rectangle
	for _, k := range chosen {
		x, err := src.Load(of[k])
		if err != nil {
			return fail(err)
		}
		xs, names, objects = append(xs, x), append(names, src.Items[of[k]].Name), append(objects, boxes[k])
	}
	note(c, "%d images of class %s, whose objects' corners differ by up to %d pixels", want, name, spread)
	return tensor.Stack(xs...), experiments.ObjectParts(objects), names, nil
}
