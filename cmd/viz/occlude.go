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
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n" +
			"Only what the patch can change is computed. --method box makes the same sums as brute force, bit for bit;\n" +
			"fast agrees with them to rounding and takes about half the time.\n\n" +
			examples("viz occlude img.png", "viz occlude --class cat --patch 8 --stride 2 --out cat.png img.png", "viz occlude --npy numbers/ --layer 1,3 img.png",
				"viz occlude --patch 16,32 --resume --out maps/ photos/"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, workersFlag, jsonFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "class", Usage: "`CLASS` by name or number, or several: cat,dog; default: the image's most probable one"},
			&cli.StringFlag{Name: "patch", Aliases: []string{"size"}, Usage: "patch in input pixels, `N` or ROWSxCOLUMNS, or several: 16,32x8; default: 50/224 of the input, as in the paper"},
			&cli.StringFlag{Name: "stride", Usage: "step between positions in input pixels, `N` or ROWSxCOLUMNS; default: 6/224 of the input"},
			&cli.StringFlag{Name: "edge", Value: "inside", Usage: "inside: positions at multiples of the stride; cover: and a last row and column at the border"},
			atFlag,
			&cli.StringFlag{Name: "fill", Value: "mean", Usage: "patch: mean (of the training data), image (its mean), blur, noise:SEED, a grey level 0..255, or input:V[,V...] in network units"},
			&cli.IntFlag{Name: "soft", Usage: "`PIXELS` over which the patch fades in from its edge"},
			&cli.StringFlag{Name: "mask", Usage: "picture `FILE` whose colours are segments of the image, each covered in turn instead of a patch; transparent pixels never are"},
			&cli.StringFlag{Name: "layer", Usage: "`LAYER`s whose strongest map is totalled (panel b), by number or name; default: the last block or convolution before the scores"},
			&cli.BoolFlag{Name: "paper", Usage: "the paper's setting (50x50 at stride 6 of 224) and colours"},
			&cli.StringFlag{Name: "method", Value: "fast", Usage: "fast, box (bit for bit as brute force), or brute"},
			&cli.StringFlag{Name: "memory", Usage: "keep the whole process within `SIZE`, such as 900M or 2G; default: 400M beside the network's weights"},
			&cli.BoolFlag{Name: "resume", Usage: "leave out images whose results are there already, made with the same options"},
			&cli.StringFlag{Name: "scale", Value: "own", Usage: "limits of the colour bars: own (of each picture), series (one for all pictures of the run), or the loss at their ends, such as 0.5"},
			&cli.Float64Flag{Name: "opacity", Value: 0.55, Usage: "of the overlay, 0 to 1"},
			&cli.StringFlag{Name: "npy", Usage: "write the numbers as arrays into `DIR`"},
			&cli.IntFlag{Name: "batch", Usage: "positions per forward pass of --method brute, 0: chosen by memory; results do not depend on it"}},
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
	for i, size := range strings.Split(c.String("patch"), ",") {
		p, err := parsePair("patch", size)
		if err != nil {
			return o, err
		}
		if i == 0 {
			o.Patch = p
		} else if p == [2]int{} {
			return o, usage("--patch "+c.String("patch")+": a size is missing", "")
		} else if p != o.Patch && !slices.Contains(o.Sizes, p) {
			o.Sizes = append(o.Sizes, p)
		}
	}
	if o.Stride, err = parsePair("stride", c.String("stride")); err != nil {
		return o, err
	}
	if c.Bool("paper") && (c.IsSet("patch") || c.IsSet("stride")) {
		return o, usage("--paper sets patch and stride", "leave out --patch and --stride")
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
	if o.At, err = atPlace(c); err != nil {
		return o, err
	}
	if s := c.String("layer"); s != "" {
		if o.Layers, err = resolveLayers(net, s); err != nil {
			return o, err
		}
	}
	o.Batch = c.Int("batch")
	if o.Soft = c.Int("soft"); o.Soft < 0 {
		return o, usage(fmt.Sprintf("--soft %d: must not be negative", o.Soft), "")
	}
	switch m := c.String("method"); m {
	case "fast":
		o.Method = occlusion.Fast
	case "box", "brute":
		o.Method = occlusion.Method(m)
	default:
		return o, usage("--method "+m+": want fast, box or brute", "")
	}
	if mask := c.String("mask"); mask != "" {
		for _, flag := range []string{"patch", "stride", "edge", "soft", "paper"} {
			if c.IsSet(flag) {
				return o, usage("--mask goes without --"+flag+": the mask's segments are what is covered", "")
			}
		}
		if o.Segments, err = readMask(mask, net); err != nil {
			return o, err
		}
	}
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
	limit, err := memoryLimit(c)
	if err != nil {
		return err
	}
	net, _, err := loadModel(c, len(paths) > 0)
	if err != nil {
		return err
	}
	o, err := occlusionOptions(c, net)
	if err != nil {
		return err
	}
	if _, _, err := occlusion.Cost(net, o); err != nil {
		return usageErr(err)
	}
	if o.Memory, err = scanMemory(net, limit); err != nil {
		return err
	}
	style, series, err := styleFlags(c)
	if err != nil {
		return err
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	out, err := openOutput(c, net)
	if err != nil {
		return err
	}
	if err := out.several(src.Len()*max(len(o.Classes), 1)*(1+len(o.Sizes)), "images, classes and sizes"); err != nil {
		return err
	}
	if dir := c.String("npy"); dir != "" {
		if err := outDir(c, dir, "--npy"); err != nil {
			return err
		}
	}
	r := &occlusionRun{c: c, net: net, o: o, src: src, out: out, style: style, series: series}
	return r.all()
}

// occlusionNumbers is the JSON form of an occlusion map.
type occlusionNumbers struct {
	Model     string           `json:"model"`
	Image     string           `json:"image"`
	Options   string           `json:"options"` // what --resume compares
	Patch     [2]int           `json:"patch"`
	Stride    [2]int           `json:"stride"`
	Fill      string           `json:"fill"`
	Soft      int              `json:"soft,omitempty"`
	Labels    []int32          `json:"labels,omitempty"` // of the mask's segments, 0xRRGGBB
	Rows      int              `json:"rows"`
	Cols      int              `json:"cols"`
	Quantity  model.Quantity   `json:"quantity"`      // what clean_prob and prob are: probability, or value
	At        *[2]int          `json:"at,omitempty"`  // row, column of the scores' map
	Sum       bool             `json:"sum,omitempty"` // prob and logit are sums over all places of the scores' map
	CleanBest string           `json:"clean_best"`
	BestClass int              `json:"clean_best_class"`
	Method    string           `json:"method"`
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
	n := occlusionNumbers{Model: hash(m.Net), Image: image, Patch: m.Patch, Stride: m.Stride, Fill: m.FillName, Soft: m.Soft, Labels: m.Labels,
		Rows: m.Rows, Cols: m.Cols, Quantity: m.Quantity, At: m.At, Sum: m.Sum(), CleanBest: m.Predicted(m.CleanBest), BestClass: m.CleanBest, Method: methodName(m.Method), MACs: m.MACs, Whole: m.Whole, ArgMax: m.ArgMax}
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

func methodName(m occlusion.Method) string {
	if m == occlusion.Fast {
		return "fast"
	}
	return string(m)
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
