package main

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/urfave/cli/v2"
)

func ablateCommand() *cli.Command {
	return &cli.Command{
		Name: "ablate", Usage: "train variants of a network with layers left out or resized, and compare their errors",
		UsageText: "viz ablate [flags]",
		Description: "All variants are trained on the same images for the same number of steps, each with several\n" +
			"seeds. The default list is the paper's: without hidden dense layers, without the middle\n" +
			"convolutions, without both; dense layers of half and double width, later convolutions of double\n" +
			"width, both. --variant adds your own instead: a name and what to do, as in\n" +
			"\"thin: conv1*0.5 conv2*0.5 -fc1\". Broken off, the same command goes on.\n\n" +
			examples("viz ablate --data shapes --steps 400", "viz ablate --arch lenet5 --data mnist --variant \"no fc1: -fc1\" --variant \"wide: conv1*2 conv2*2\""),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "arch", Value: "small", Usage: "architecture to vary: " + strings.Join(model.Arches()[:2], ", ")},
			&cli.Float64Flag{Name: "width", Value: 0.5, Usage: "scale the numbers of maps of all variants"},
			dataFlag, seedFlag,
			&cli.StringSliceFlag{Name: "variant", Usage: "`\"NAME: -LAYER LAYER*FACTOR ...\"`"},
			&cli.IntFlag{Name: "seeds", Value: 3, Usage: "runs of each variant"},
			&cli.StringFlag{Name: "solver", Value: "adam", Usage: strings.Join(train.Solvers(), ", ")},
			&cli.Float64Flag{Name: "rate", Value: 0.002, Usage: "learning rate"},
			&cli.StringFlag{Name: "schedule", Value: "cosine", Usage: "of the rate: " + strings.Join(train.Schedules(), ", ")},
			&cli.IntFlag{Name: "batch", Value: 100, Usage: "images a step"},
			&cli.IntFlag{Name: "steps", Value: 600, Usage: "`NUMBER` of steps"},
			&cli.IntFlag{Name: "evals", Value: 5, Usage: "measurements of accuracy in each run"},
			&cli.Float64Flag{Name: "keep", DefaultText: "the architecture's", Usage: "probability to keep a value in dropout"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "ablate", Usage: "`DIR` for runs, table and figure"},
			jsonFlag, workersFlag, quietFlag},
		Action: ablate,
	}
}

// variant is a network to train.
type variant struct {
	name  string
	v     model.Variation
	paper string // what the paper found for the same change
}

// ablateRow is a line of the table; errors are shares of images, one for each seed
// whose run did not diverge.
type ablateRow struct {
	Variant        string    `json:"variant"`
	Change         string    `json:"change"`
	Parameters     int       `json:"parameters"`
	MACs           int64     `json:"macs"`
	Train          []float64 `json:"train_error"`
	Test           []float64 `json:"test_error"`
	TrainMean      *float64  `json:"train_mean"`
	TrainDeviation *float64  `json:"train_deviation"` // of two seeds and more
	TestMean       *float64  `json:"test_mean"`
	TestDeviation  *float64  `json:"test_deviation"`
	Diverged       int       `json:"diverged,omitempty"` // seeds that did
	Paper          string    `json:"paper,omitempty"`
}

// spread writes a mean and its deviation, in %.
func spread(mean, deviation *float64) string {
	switch {
	case mean == nil:
		return "-"
	case deviation == nil:
		return num(100**mean, 1)
	}
	return num(100**mean, 1) + " ± " + num(100**deviation, 1)
}

// paperVariants is the paper's list for a network: [zeiler14] Table 2 (arXiv
// Table 3), whose network has five convolutions and two hidden dense layers.
// Errors there are train and validation top-1, in %.
func paperVariants(net *model.Network) []variant {
	var convs, dense []string
	for _, n := range net.Nodes {
		switch n.Layer.(type) {
		case *model.Conv:
			convs = append(convs, n.Name)
		case *model.Dense:
			if n.Name != net.Logits {
				dense = append(dense, n.Name)
			}
		}
	}
	list := []variant{{"full", model.Variation{}, "Krizhevsky's 35.1 / 40.5; own model 33.1 / 38.4"}}
	times := func(names []string, f float64) map[string]float64 {
		m := map[string]float64{}
		for _, n := range names {
			m[n] = f
		}
		return m
	}
	middle := convs[min(len(convs)/2, len(convs)):max(len(convs)-1, len(convs)/2)]
	later := convs[len(convs)/2:]
	if len(dense) > 1 {
		list = append(list, variant{"without the last dense layer", model.Variation{Remove: dense[len(dense)-1:]}, "Krizhevsky's without 7: 27.4 / 40.0"})
	}
	if len(dense) > 0 {
		list = append(list, variant{"without dense layers", model.Variation{Remove: dense}, "Krizhevsky's without 6, 7: 27.4 / 44.8"})
	}
	if len(middle) > 0 {
		list = append(list, variant{"without middle convolutions", model.Variation{Remove: middle}, "Krizhevsky's without 3, 4: 41.8 / 45.4"})
		if len(dense) > 0 {
			list = append(list, variant{"without both", model.Variation{Remove: slices.Concat(middle, dense)}, "Krizhevsky's without 3, 4, 6, 7: 71.1 / 71.3"})
		}
	}
	if len(dense) > 0 {
		list = append(list, variant{"dense layers half as wide", model.Variation{Width: times(dense, 0.5)}, "own model, 2048: 38.2 / 40.2"},
			variant{"dense layers twice as wide", model.Variation{Width: times(dense, 2)}, "own model, 8192: 22.0 / 38.8"})
	}
	list = append(list, variant{"later convolutions wider", model.Variation{Width: times(later, 2)}, "own model, 3-5 of 512, 1024, 512: 18.8 / 37.5"})
	if len(dense) > 0 {
		both := times(later, 2)
		for _, n := range dense {
			both[n] = 2
		}
		list = append(list, variant{"both wider", model.Variation{Width: both}, "own model, both: 10.0 / 38.3"})
	}
	return list
}

// parseVariant reads "NAME: -LAYER LAYER*FACTOR".
func parseVariant(s string) (variant, error) {
	bad := usage(fmt.Sprintf("--variant %q: want a name and changes, as in \"thin: conv1*0.5 -fc1\"", s), "")
	name, rest, ok := strings.Cut(s, ":")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return variant{}, bad
	}
	v := variant{name: name, v: model.Variation{Width: map[string]float64{}}}
	for _, word := range strings.Fields(rest) {
		if layer, ok := strings.CutPrefix(word, "-"); ok {
			v.v.Remove = append(v.v.Remove, layer)
			continue
		}
		layer, factor, ok := strings.Cut(word, "*")
		f, err := strconv.ParseFloat(factor, 64)
		if !ok || err != nil {
			return variant{}, bad
		}
		v.v.Width[layer] = f
	}
	return v, nil
}

func (v variant) change() string {
	var parts []string
	for _, n := range v.v.Remove {
		parts = append(parts, "-"+n)
	}
	var widths []string
	for n, f := range v.v.Width {
		widths = append(widths, fmt.Sprintf("%s*%g", n, f))
	}
	slices.Sort(widths)
	return strings.Join(append(parts, widths...), " ")
}

func ablate(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz ablate takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	if c.Int("seeds") < 1 || c.Int("steps") < 2 || c.Int("evals") < 1 {
		return usage("--seeds and --evals must be at least 1, --steps at least 2", "")
	}
	var own []variant
	for _, s := range c.StringSlice("variant") {
		v, err := parseVariant(s)
		if err != nil {
			return err
		}
		own = append(own, v)
	}
	spec := c.String("data")
	if spec == "" {
		spec = "shapes"
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var base *model.Network
	k, _, err := openCampaign(c, engine, spec, func(s *images.List, classes []string) (*model.Network, error) {
		var err error
		base, err = build(s, classes, c.String("arch"), model.ArchOptions{Width: c.Float64("width"), Keep: c.Float64("keep")})
		return base, err
	})
	if err != nil {
		return err
	}
	defer k.close()
	measure(base, k.images[0], true)
	list := paperVariants(base)
	if own != nil {
		list = append(list[:1], own...)
	}
	var jobs []job
	var rows []ablateRow
	for _, v := range list {
		for s := range c.Int("seeds") {
			v.v.Seed = uint64(s)
			net, err := model.Vary(base, v.v)
			if err != nil {
				return usageErr(fmt.Errorf("variant %s: %w", v.name, err))
			}
			o := train.Options{Solver: c.String("solver"), Rate: c.Float64("rate"), Schedule: c.String("schedule"), Batch: c.Int("batch"), Steps: c.Int("steps"),
				Warmup: c.Int("steps") / 10, Seed: uint64(s), EvalTrain: 2000}
			jobs = append(jobs, job{name: fmt.Sprintf("%s, seed %d", v.name, s), net: net, evals: c.Int("evals"), o: o})
		}
		rows = append(rows, ablateRow{Variant: v.name, Change: v.change(), Paper: v.paper})
	}
	if err := k.plan(jobs); err != nil {
		return err
	}
	for i := range jobs {
		r, err := k.run(&jobs[i])
		if err != nil {
			return err
		}
		row := &rows[i/c.Int("seeds")]
		row.Parameters, row.MACs = r.Parameters, r.MACs
		last := r.final()
		if r.Diverged != "" {
			row.Diverged++
			continue
		}
		if last.TestAccuracy == nil {
			return hinted(fmt.Errorf("there are no test images to compare variants on"), "--hold-out 0.1 tests on a tenth of the images")
		}
		row.Train, row.Test = append(row.Train, 1-*last.TrainAccuracy), append(row.Test, 1-*last.TestAccuracy)
	}
	for i := range rows {
		r := &rows[i]
		mean, sd := meanDeviation(r.Train)
		r.TrainMean, r.TrainDeviation = finite(mean), finite(sd)
		mean, sd = meanDeviation(r.Test)
		r.TestMean, r.TestDeviation = finite(mean), finite(sd)
	}
	if classes := len(base.Classes); 1-orNaN(rows[0].TestMean) < 2/float64(classes) {
		note(c, "the full network is hardly better than chance (%.0f %% right): it takes more --steps to compare variants", 100*(1-*rows[0].TestMean))
	}
	return writeAblation(c, k, rows)
}

func writeAblation(c *cli.Context, k *campaign, rows []ablateRow) error {
	var names []string
	var values, errors []float64
	var colors []color.Color
	for _, r := range rows {
		names, values = append(names, r.Variant, ""), append(values, 100*orNaN(r.TestMean), 100*orNaN(r.TrainMean))
		errors = append(errors, 100*orNaN(r.TestDeviation), 100*orNaN(r.TrainDeviation))
		colors = append(colors, render.Categorical(0), render.Categorical(2))
	}
	// A name under each pair is too long for a bar: they are numbered and listed below.
	var caption strings.Builder
	for i, r := range rows {
		names[2*i] = strconv.Itoa(i + 1)
		fmt.Fprintf(&caption, "%d: %s (%.2f M parameters, %.1f M multiply-adds). ", i+1, r.Variant, float64(r.Parameters)/1e6, float64(r.MACs)/1e6)
	}
	chart := render.Chart{YLabel: "error, %", Width: max(900, 130*len(rows)), Height: 700, Scale: 1.6, Errors: errors, Colors: colors,
		Legend: []render.LegendEntry{{Color: render.Categorical(0), Text: "test"}, {Color: render.Categorical(2), Text: "training"}}}
	plate := render.Plate{Title: fmt.Sprintf("Variants of %s on %s", c.String("arch"), k.data), Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Bars(names, values)},
		Caption: []string{caption.String(), fmt.Sprintf("Mean of %d seeds after %d steps of %d images; lines are one standard deviation.", c.Int("seeds"), c.Int("steps"), c.Int("batch"))}}
	if err := writePlate(c, k.dir, "ablate", plate.Draw()); err != nil {
		return err
	}
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, []string{r.Variant, r.Change, strconv.Itoa(r.Parameters), strconv.FormatInt(r.MACs, 10), num(orNaN(r.TrainMean), 4), num(orNaN(r.TrainDeviation), 4),
			num(orNaN(r.TestMean), 4), num(orNaN(r.TestDeviation), 4), strconv.Itoa(r.Diverged), r.Paper})
	}
	result := map[string]any{"data": k.data, "arch": c.String("arch"), "steps": c.Int("steps"), "rows": rows}
	header := []string{"variant", "change", "parameters", "macs", "train_error", "train_deviation", "test_error", "test_deviation", "diverged", "paper_train_and_validation_error_percent"}
	if err := writeNumbers(c, k.dir, "ablate", result, header, lines); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, result)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nvariant\tparameters\tmultiply-adds\ttraining error %\ttest error %\tagainst full\tthe paper on ImageNet: training / validation %")
	for _, r := range rows {
		against, test := "", spread(r.TestMean, r.TestDeviation)
		difference := orNaN(r.TestMean) - orNaN(rows[0].TestMean)
		if r.Variant != rows[0].Variant && difference == difference {
			against = fmt.Sprintf("%+.1f", 100*difference)
			if e := math.Hypot(orNaN(r.TestDeviation)/math.Sqrt(float64(len(r.Test))), orNaN(rows[0].TestDeviation)/math.Sqrt(float64(len(rows[0].Test)))); e > 0 {
				against += fmt.Sprintf(" (%.1f standard errors)", difference/e)
			}
		}
		if r.Diverged > 0 {
			test += fmt.Sprintf(" (%d diverged)", r.Diverged)
		}
		fmt.Fprintf(w, "%s\t%.3f M\t%.1f M\t%s\t%s\t%s\t%s\n", r.Variant, float64(r.Parameters)/1e6, float64(r.MACs)/1e6, spread(r.TrainMean, r.TrainDeviation), test, against, r.Paper)
	}
	return w.Flush()
}
