package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
	"github.com/urfave/cli/v2"
)

func occludeCommand() *cli.Command {
	return &cli.Command{
		Name: "occlude", Usage: "map what a decision rests on by covering the image with a patch, place by place",
		UsageText: "viz occlude [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n\n" +
			examples("viz occlude img.png", "viz occlude --class cat --size 8 --stride 2 --out cat.png img.png", "viz occlude --npy numbers/ --layer 1,3 img.png"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, workersFlag, jsonFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "class", Usage: "`CLASS` by name or number, or several: cat,dog; default: the image's most probable one"},
			&cli.StringFlag{Name: "size", Usage: "patch in input pixels, `N` or ROWSxCOLUMNS; default: 50/224 of the input, as in the paper"},
			&cli.StringFlag{Name: "stride", Usage: "step between positions in input pixels, `N` or ROWSxCOLUMNS; default: 6/224 of the input"},
			&cli.StringFlag{Name: "edge", Value: "inside", Usage: "inside: positions at multiples of the stride; cover: and a last row and column at the border"},
			&cli.StringFlag{Name: "fill", Value: "mean", Usage: "patch: mean (of the training data), image (its mean), blur, noise:SEED, a grey level 0..255, or input:V[,V...] in network units"},
			&cli.StringFlag{Name: "layer", Usage: "`LAYER`s whose strongest map is totalled (panel b), by number or name; default: the last convolution"},
			&cli.BoolFlag{Name: "paper", Usage: "the paper's setting (50x50 at stride 6 of 224) and colours"},
			&cli.StringFlag{Name: "npy", Usage: "write the numbers as arrays into `DIR`"},
			&cli.IntFlag{Name: "batch", Usage: "positions per forward pass, 0: chosen by memory; results do not depend on it"}},
		Action: occlude,
	}
}

// parsePair reads "7" or "5x9".
func parsePair(flag, s string) ([2]int, error) {
	if s == "" {
		return [2]int{}, nil
	}
	rows, cols, two := strings.Cut(s, "x")
	a, err := strconv.Atoi(rows)
	b := a
	if err == nil && two {
		b, err = strconv.Atoi(cols)
	}
	if err != nil || a < 1 || b < 1 {
		return [2]int{}, usage(fmt.Sprintf("--%s %s: want a positive number, or ROWSxCOLUMNS", flag, s), "")
	}
	return [2]int{a, b}, nil
}

func occlusionOptions(c *cli.Context, net *model.Network) (o occlusion.Options, err error) {
	if o.Patch, err = parsePair("size", c.String("size")); err != nil {
		return o, err
	}
	if o.Stride, err = parsePair("stride", c.String("stride")); err != nil {
		return o, err
	}
	if c.Bool("paper") && (c.IsSet("size") || c.IsSet("stride")) {
		return o, usage("--paper sets size and stride", "leave out --size and --stride")
	}
	switch c.String("edge") {
	case "cover":
		o.Cover = true
	case "inside":
	default:
		return o, usage("--edge "+c.String("edge")+": want inside or cover", "")
	}
	if o.Fill, err = occlusion.ParseFill(c.String("fill")); err != nil {
		return o, usageErr(err)
	}
	if s := c.String("class"); s != "" {
		for _, name := range splitNames(s, net.Classes) {
			k, err := net.ResolveClass(name)
			if err != nil {
				return o, usageErr(err)
			}
			if !slices.Contains(o.Classes, k) {
				o.Classes = append(o.Classes, k)
			}
		}
	}
	if s := c.String("layer"); s != "" {
		if o.Layers, err = resolveLayers(net, s); err != nil {
			return o, err
		}
	}
	o.Batch = c.Int("batch")
	return o, nil
}

// splitNames splits a list at commas, unless the whole is one of the names
// ("Egyptian cat, tabby").
func splitNames(s string, names []string) []string {
	for _, n := range names {
		if n == s {
			return []string{s}
		}
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func occlude(c *cli.Context) error {
	paths := inputPaths(c)
	if len(paths) == 0 && c.String("data") == "" {
		return usage("no image given", "viz occlude img.png")
	}
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	o, err := occlusionOptions(c, net)
	if err != nil {
		return err
	}
	positions, macs, err := occlusion.Cost(net, o)
	if err != nil {
		return usageErr(err)
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if err := out.several(src.Len()*max(len(o.Classes), 1), "images and classes"); err != nil {
		return err
	}
	if dir := c.String("npy"); dir != "" {
		if err := outDir(c, dir, "--npy"); err != nil {
			return err
		}
	}
	note(c, "%d positions, %s multiply-adds an image", positions, count(macs))
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var results []occlusionNumbers
	for i := range src.Len() {
		x, err := src.load(i)
		if err != nil {
			return err
		}
		step, end := progress(c, "occluding "+title(src.names[i]))
		o.Progress = step
		m, err := occlusion.Scan(c.Context, engine, net, x, o)
		end()
		if err != nil {
			return err
		}
		base := "occlusion-" + src.stems[i]
		for j, k := range m.Classes {
			name := base
			if len(m.Classes) > 1 {
				name += "-" + net.Class(k)
			}
			if _, err := drawOcclusion(out, m, name, src.names[i], j, c.Bool("paper")); err != nil {
				return err
			}
		}
		results = append(results, occlusionSummary(m, src.names[i], m.Classes...))
		if dir := c.String("npy"); dir != "" {
			if src.Len() > 1 {
				dir = filepath.Join(dir, fileName(base))
				if err := outDir(c, dir, "--npy"); err != nil {
					return err
				}
			}
			if err := writeOcclusion(m, dir); err != nil {
				return err
			}
			wrote(c, dir)
		}
	}
	if c.Bool("json") {
		return printJSON(c, results)
	}
	return nil
}

// drawOcclusion writes the figure of class j (index into m.Classes), with the
// per-pixel loss as an array [H, W] and everything else as JSON beside it, and
// returns the picture's file name.
func drawOcclusion(out *output, m *occlusion.Map, name, image string, j int, paper bool) (string, error) {
	k := m.Classes[j]
	img := m.Figure(occlusion.Style{Class: j, Paper: paper, Name: title(image)})
	return out.picture(name, img, numbers{json: occlusionSummary(m, image, k), shape: []int{m.Net.Input.H, m.Net.Input.W}, data: m.PixelDrop[j]},
		"image", image, "class", m.Net.Class(k), "patch", pair(m.Patch), "stride", pair(m.Stride), "fill", m.FillName)
}

// occlusionNumbers is the JSON form of an occlusion map.
type occlusionNumbers struct {
	Model     string           `json:"model"`
	Image     string           `json:"image"`
	Patch     [2]int           `json:"patch"`
	Stride    [2]int           `json:"stride"`
	Fill      string           `json:"fill"`
	Rows      int              `json:"rows"`
	Cols      int              `json:"cols"`
	CleanBest string           `json:"clean_best"`
	Whole     int64            `json:"whole_macs"` // of as many whole passes
	MACs      int64            `json:"macs"`       // made
	Classes   []occlusionClass `json:"classes"`
	Layers    []occlusionLayer `json:"layers"`
	ArgMax    []int32          `json:"argmax"`
}

type occlusionClass struct {
	Class      int       `json:"class"`
	Name       string    `json:"name"`
	CleanProb  float32   `json:"clean_prob"`
	CleanLogit float32   `json:"clean_logit"`
	Lowest     model.Box `json:"lowest"` // patch with the smallest probability
	Prob       []float32 `json:"prob"`   // by position, row by row
	Logit      []float32 `json:"logit"`
}

type occlusionLayer struct {
	Layer string    `json:"layer"`
	Map   int       `json:"map"`
	Clean float32   `json:"clean"`
	Total []float32 `json:"total"`
}

// occlusionSummary lists all numbers by position, of the given classes.
func occlusionSummary(m *occlusion.Map, image string, classes ...int) occlusionNumbers {
	n := occlusionNumbers{Model: hash(m.Net), Image: image, Patch: m.Patch, Stride: m.Stride, Fill: m.FillName, Rows: m.Rows, Cols: m.Cols,
		CleanBest: m.Net.Class(m.CleanBest), MACs: m.MACs, Whole: m.Whole, ArgMax: m.ArgMax}
	for j, k := range m.Classes {
		if slices.Contains(classes, k) {
			n.Classes = append(n.Classes, occlusionClass{k, m.Net.Class(k), m.CleanProb[j], m.CleanLogit[j], m.Lowest(j), m.Prob[j], m.Logit[j]})
		}
	}
	for _, t := range m.Totals {
		n.Layers = append(n.Layers, occlusionLayer{t.Layer, t.Channel, t.Clean, t.Total})
	}
	return n
}

// writeOcclusion writes prob, logit, argmax, total, pixel_drop and positions. With
// several classes or layers, the second and later ones carry their number or name.
func writeOcclusion(m *occlusion.Map, dir string) error {
	in := m.Net.Input
	shape := []int{m.Rows, m.Cols}
	file := func(name string) string { return filepath.Join(dir, fileName(name)+".npy") }
	for j, k := range m.Classes {
		tail := ""
		if j > 0 {
			tail = fmt.Sprintf("-%d", k)
		}
		for name, data := range map[string][]float32{"prob": m.Prob[j], "logit": m.Logit[j]} {
			if err := npy.WriteFile(file(name+tail), shape, data); err != nil {
				return err
			}
		}
		if err := npy.WriteFile(file("pixel_drop"+tail), []int{in.H, in.W}, m.PixelDrop[j]); err != nil {
			return err
		}
	}
	for j, t := range m.Totals {
		name := "total"
		if j > 0 {
			name += "-" + t.Layer
		}
		if err := npy.WriteFile(file(name), shape, t.Total); err != nil {
			return err
		}
	}
	if err := npy.WriteFile(file("argmax"), shape, m.ArgMax); err != nil {
		return err
	}
	var positions []int32
	for _, b := range m.Boxes {
		positions = append(positions, int32(b.Y0), int32(b.X0))
	}
	return npy.WriteFile(file("positions"), []int{m.Rows, m.Cols, 2}, positions)
}
