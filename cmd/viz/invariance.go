package main

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/urfave/cli/v2"
)

func invarianceCommand() *cli.Command {
	var all []string
	for _, t := range experiments.Transforms() {
		all = append(all, string(t))
	}
	return &cli.Command{
		Name: "invariance", Usage: "move, scale, turn and otherwise change images, and measure how features and the class's probability follow",
		UsageText: "viz invariance [flags] [IMG...]",
		Description: "For each image and transform: the Euclidean distance of a lower and an upper layer's values to\n" +
			"those of the unchanged image, and the probability of the class (the image's label if the data\n" +
			"has the network's classes, else the most probable class of the unchanged image). Without images,\n" +
			"five of the data set the network was trained on.\n\n" +
			examples("viz invariance photo.png", "viz invariance --layers 1,3,top --transforms shift-y,scale,rotate --relative"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, workersFlag, dataFlag, splitFlag, seedFlag, imagesFlag,
			&cli.IntFlag{Name: "limit", Value: 5, Usage: "use only `N` images, of a data set a fixed random choice, at most 12"},
			&cli.StringFlag{Name: "layers", Value: "1,top", Usage: "`LAYER`s by number or name; top is what the class scores are made of"},
			&cli.StringFlag{Name: "transforms", Value: "all", Usage: strings.Join(all, ", ")},
			&cli.StringFlag{Name: "class", Usage: "class whose probability is shown, by name or number"},
			&cli.BoolFlag{Name: "relative", Usage: "draw distances as a share of the norm of the unchanged image's values"},
			&cli.IntFlag{Name: "points", Value: 25, Usage: "amounts of each transform, about"},
			byNumberFlag, jsonFlag},
		Action: invariance,
	}
}

// invarianceImage is one image's curves, as in the JSON.
type invarianceImage struct {
	Image  string                        `json:"image"`
	Class  string                        `json:"class"`
	Number int                           `json:"class_number"`
	Curves []experiments.InvarianceCurve `json:"curves"`
}

// topLayers resolves a list of layers in which "top" is what the class scores are
// made of and "last" the last convolution's features.
func topLayers(net *model.Network, list string) ([]string, error) {
	var specs []string
	for _, s := range strings.Split(list, ",") {
		switch s = strings.TrimSpace(s); s {
		case "top":
			top, err := experiments.Top(net)
			if err != nil {
				return nil, hinted(err, "name layers with --layers")
			}
			s = top
		case "last":
			convs := net.ConvLayers()
			if len(convs) == 0 {
				return nil, hinted(fmt.Errorf("network %s has no convolution layers", net.Name), "name layers with --layers")
			}
			s = convs[len(convs)-1]
		}
		specs = append(specs, s)
	}
	return resolveLayers(net, strings.Join(specs, ","))
}

func invariance(c *cli.Context) error {
	if n := c.Int("limit"); n < 1 || n > 12 {
		return usage(fmt.Sprintf("--limit %d: want 1 to 12 images in one figure", n), "")
	}
	if n := c.Int("points"); n < 3 || n > 1000 {
		return usage(fmt.Sprintf("--points %d: want 3 to 1000", n), "")
	}
	transforms := experiments.Transforms()
	if s := c.String("transforms"); s != "all" {
		transforms = nil
		for _, name := range strings.Split(s, ",") {
			t := experiments.Transform(strings.TrimSpace(name))
			if !slices.Contains(experiments.Transforms(), t) {
				return usage("there is no transform "+name, "viz invariance --help lists them")
			}
			transforms = append(transforms, t)
		}
	}
	paths := inputPaths(c)
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	if net.Logits == "" {
		return fmt.Errorf("network %s is no classifier: it has no node with class scores", net.Name)
	}
	layers, err := topLayers(net, c.String("layers"))
	if err != nil {
		return err
	}
	class := -1
	if s := c.String("class"); s != "" {
		if class, err = net.ResolveClass(s); err != nil {
			return usageErr(err)
		}
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	if class < 0 {
		if src, err = matchIfPossible(c, src); err != nil {
			return err
		}
	}
	labels := src.Labels()
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var shown []invarianceImage
	var xs []*tensor.Tensor
	return each(c, src, "transforming", func(i int, x *tensor.Tensor) error {
		k := class
		if k < 0 {
			k = labels[i]
		}
		if k < 0 {
			t, err := engine.Forward(net, x)
			if err != nil {
				return err
			}
			k = tensor.ArgMax(t.Value(net.Logits).Data)
		}
		curves, err := experiments.Invariance(c.Context, engine, net, x, k, experiments.InvarianceOptions{Transforms: transforms, Layers: layers, Points: c.Int("points")})
		if err != nil {
			return fmt.Errorf("%s: %w", src.Items[i].Name, err)
		}
		shown, xs = append(shown, invarianceImage{images.Title(src.Items[i].Name), net.Class(k), k, curves}), append(xs, x)
		return nil
	}, func() error { return finishInvariance(c, out, net, transforms, layers, shown, xs) })
}

// finishInvariance writes the figures, the table and what they say.
func finishInvariance(c *cli.Context, out *output, net *model.Network, transforms []experiments.Transform, layers []string, shown []invarianceImage, xs []*tensor.Tensor) error {
	if err := writeInvariance(c, out, net, transforms, layers, shown, xs); err != nil {
		return err
	}
	var rows [][]string
	for _, im := range shown {
		for _, k := range im.Curves {
			for a, v := range k.Amounts {
				row := []string{im.Image, im.Class, string(k.Transform), num(v, 5)}
				for l := range layers {
					row = append(row, num(k.Distance[l][a], 6), num(k.Relative(l)[a], 6))
				}
				rows = append(rows, append(row, num(k.Probability[a], 6)))
			}
		}
	}
	header := []string{"image", "class", "transform", "amount"}
	for _, l := range layers {
		header = append(header, "distance_"+l, "relative_"+l)
	}
	name := "invariance"
	if err := out.csv(name, append(header, "probability"), rows); err != nil {
		return err
	}
	return reportInvariance(c, transforms, layers, shown)
}

// paperTransforms are the three of the paper, which make the first figure; the
// others make a second.
var paperTransforms = []experiments.Transform{experiments.ShiftY, experiments.Scale, experiments.Rotate}

func writeInvariance(c *cli.Context, out *output, net *model.Network, transforms []experiments.Transform, layers []string, all []invarianceImage, xs []*tensor.Tensor) error {
	var pages [2][]int
	for i, t := range transforms {
		if slices.Contains(paperTransforms, t) {
			pages[0] = append(pages[0], i)
		} else {
			pages[1] = append(pages[1], i)
		}
	}
	if out.one != "" { // all in one picture
		pages[0], pages[1] = append(pages[0], pages[1]...), nil
	}
	for p, which := range pages {
		if len(which) == 0 {
			continue
		}
		name := []string{"invariance", "invariance-more"}[p]
		plate := render.Plate{Title: "Invariance of " + net.Name, Columns: 2 + len(layers), Scale: 1.5}
		how := "Distance: Euclidean, of the layer's values to those of the unchanged image"
		if c.Bool("relative") {
			how += ", as a share of their norm"
		}
		plate.Caption = []string{how + ". What comes in from outside has the mean colour of the training data.",
			"Layers: " + strings.Join(layers, ", ") + ". Model " + hash(net)}
		for _, t := range which {
			panels, err := invariancePanels(c, net, t, layers, all, xs)
			if err != nil {
				return err
			}
			plate.Panels = append(plate.Panels, panels...)
		}
		var shown []invarianceImage
		for _, im := range all {
			part := invarianceImage{Image: im.Image, Class: im.Class}
			for _, t := range which {
				part.Curves = append(part.Curves, im.Curves[t])
			}
			shown = append(shown, part)
		}
		if _, err := out.picture(name, plate.Draw(), numbers{json: map[string]any{"model": hash(net), "layers": layers, "images": shown}}, "layers", strings.Join(layers, ",")); err != nil {
			return err
		}
	}
	return nil
}

// invariancePanels is a row of the figure: the images at five amounts, a chart for
// each layer, and one of the probability.
func invariancePanels(c *cli.Context, net *model.Network, which int, layers []string, all []invarianceImage, xs []*tensor.Tensor) ([]image.Image, error) {
	curve := all[0].Curves[which]
	t := curve.Transform
	var series [][]render.Series
	for l := range len(layers) + 1 {
		var s []render.Series
		for i, im := range all {
			k := im.Curves[which]
			y := k.Probability
			if l < len(layers) {
				y = k.Distance[l]
				if c.Bool("relative") {
					y = k.Relative(l)
				}
			}
			s = append(s, render.Series{Name: im.Image + " " + im.Class, X: k.Amounts, Y: y, Color: render.Categorical(i)})
		}
		series = append(series, s)
	}
	shown := min(5, len(curve.Amounts))
	var tiles []image.Image
	var amounts []string
	buf := make([]float32, net.Input.Shape().Len())
	for i, x := range xs {
		for k := range shown {
			a := curve.Amounts[k*(len(curve.Amounts)-1)/(shown-1)]
			if i == 0 {
				amounts = append(amounts, render.Number(a))
			}
			if err := t.Apply(net, buf, x.Data, a); err != nil {
				return nil, err
			}
			tile := render.MagnifyTo(net.Preprocess.Image(buf, net.Input), 110)
			b := tile.Bounds()
			framed := image.NewNRGBA(image.Rect(0, 0, b.Dx()+8, b.Dy()+8))
			fillImage(framed, render.Categorical(i))
			draw.Draw(framed, b.Add(image.Pt(4, 4)), tile, b.Min, draw.Src)
			tiles = append(tiles, framed)
		}
	}
	grid := render.Plate{Title: fmt.Sprintf("%s: %s %s", t, strings.Join(amounts, ", "), t.Unit()), Columns: 1, Scale: 1.2,
		Panels: []image.Image{render.Grid(tiles, render.GridOptions{Columns: shown, Gap: 4})}}
	panels := []image.Image{grid.Draw()}
	x := fmt.Sprintf("%s, %s", t, t.Unit())
	for l, s := range series {
		chart := render.Chart{XLabel: x, YLabel: "probability of the class", Title: "Output", Width: 780, Height: 600, Scale: 1.5, YMin: 0, YMax: 1.02}
		if l < len(layers) {
			chart.Title, chart.YLabel, chart.YMax = "Layer "+layers[l], "distance", 0
			if c.Bool("relative") {
				chart.YLabel = "distance / norm"
			}
		}
		panels = append(panels, chart.Lines(s))
	}
	return panels, nil
}

func fillImage(img *image.NRGBA, c color.NRGBA) {
	for i := 0; i < len(img.Pix); i += 4 {
		copy(img.Pix[i:], []uint8{c.R, c.G, c.B, c.A})
	}
}

// reportInvariance prints what small and large changes do, as means over images.
func reportInvariance(c *cli.Context, transforms []experiments.Transform, layers []string, all []invarianceImage) error {
	type row struct {
		Transform experiments.Transform `json:"transform"`
		Amount    float64               `json:"amount"`
		Relative  []*float64            `json:"relative"` // by layer, mean over images; null if the values of an unchanged one are all 0
		Drop      float64               `json:"probability_drop"`
	}
	var rows []row
	for i, t := range transforms {
		amounts := all[0].Curves[i].Amounts
		far := func(k int) float64 { // from no change
			switch d := math.Abs(amounts[k] - t.Identity()); t {
			case experiments.Rotate:
				return min(d, 360-d)
			case experiments.Scale, experiments.Contrast:
				return math.Abs(math.Log(amounts[k]))
			default:
				return d
			}
		}
		id := slices.Index(amounts, t.Identity())
		small, large := -1, id
		for k := range amounts {
			if k != id && (small < 0 || far(k) < far(small)) {
				small = k
			}
			if far(k) >= far(large) {
				large = k
			}
		}
		for _, k := range []int{small, large} {
			r := row{Transform: t, Amount: amounts[k]}
			for l := range layers {
				mean := 0.0
				for _, im := range all {
					mean += im.Curves[i].Relative(l)[k] / float64(len(all))
				}
				if mean-mean != 0 {
					r.Relative = append(r.Relative, nil)
				} else {
					r.Relative = append(r.Relative, &mean)
				}
			}
			for _, im := range all {
				p := im.Curves[i].Probability
				r.Drop += (p[id] - p[k]) / float64(len(all))
			}
			rows = append(rows, r)
		}
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"layers": layers, "images": len(all), "rows": rows})
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nmean of %d images\tby\tchange of %s (share of norm)\tprobability lost\n", len(all), strings.Join(layers, ", "))
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s %s", r.Transform, render.Number(r.Amount), r.Transform.Unit())
		var parts []string
		for _, v := range r.Relative {
			if v == nil {
				parts = append(parts, "-")
			} else {
				parts = append(parts, fmt.Sprintf("%.3f", *v))
			}
		}
		fmt.Fprintf(w, "\t%s\t%.3f\n", strings.Join(parts, "  "), r.Drop)
	}
	return w.Flush()
}
