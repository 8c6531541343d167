package main

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func probeCommand() *cli.Command {
	return &cli.Command{
		Name: "probe", Usage: "measure how well linear classifiers do on the features of each layer",
		UsageText: "viz probe [flags]",
		Description: "A linear support vector machine and a softmax are fitted to the features of each layer; accuracy\n" +
			"is the mean over classes, its mean and deviation are over folds, each a random choice of training\n" +
			"and test images. Maps that would give more than --most values are averaged over a grid. The\n" +
			"solver is gonum's L-BFGS; the strength of regularisation is chosen on training images.\n\n" +
			examples("viz probe --model cifar10 --data cifar10", "viz probe --model net.onnx --data photos/ --per-class 30 --layers 1,3,5,top"),
		Flags: []cli.Flag{modelFlag, dataFlag, seedFlag,
			&cli.StringFlag{Name: "layers", DefaultText: "convolutions, at most 8 of them, and top", Usage: "`LAYER`s by number or name; top is what the class scores are made of"},
			&cli.IntFlag{Name: "per-class", Value: 100, Usage: "training images of each class in a fold"},
			&cli.IntFlag{Name: "test-per-class", Value: 50, Usage: "test images of each class in a fold, at most"},
			&cli.IntFlag{Name: "folds", Value: 5, Usage: "random choices of images"},
			&cli.StringFlag{Name: "solvers", Value: strings.Join(experiments.Solvers(), ","), Usage: "comma-separated"},
			&cli.IntFlag{Name: "most", Value: 4096, Usage: "values of a layer, at most"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the folds"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.3, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "probe", Usage: "`DIR` for table and figure"},
			jsonFlag, workersFlag, quietFlag},
		Action: probe,
	}
}

// memoryImages are decoded images as experiments take them.
type memoryImages struct {
	net *model.Network
	m   *train.Memory
}

func (s memoryImages) Len() int { return s.m.Len() }
func (s memoryImages) Input(i int, dst []float32) error {
	s.net.Preprocess.Apply(s.m.Bytes[i*s.m.Size:(i+1)*s.m.Size], s.net.Input, dst)
	return nil
}

// foldImages draws folds from training and test set and decodes the images they
// use. The folds index the decoded images.
func foldImages(c *cli.Context, engine *model.Engine, net *model.Network, sets sweep.Sets, classes, folds, trainPer, testPer int) ([2]*train.Memory, []experiments.Fold, error) {
	var none [2]*train.Memory
	if sets[1].Len() == 0 {
		return none, nil, usage("the data has no test images", "--hold-out 0.3 tests on three tenths of the images")
	}
	labels := func(s *images.List) []int {
		out := make([]int, s.Len())
		for i := range out {
			out[i] = s.Items[i].Label
		}
		return out
	}
	drawn, err := experiments.Folds(labels(sets[0]), labels(sets[1]), classes, folds, trainPer, testPer, c.Uint64("seed"))
	if err != nil {
		return none, nil, err
	}
	for s := range sets {
		of := func(f *experiments.Fold) *[]int {
			if s == 0 {
				return &f.Train
			}
			return &f.Test
		}
		var used []int
		for i := range drawn {
			used = append(used, *of(&drawn[i])...)
		}
		slices.Sort(used)
		used = slices.Compact(used)
		place := map[int]int{}
		for k, i := range used {
			place[i] = k
		}
		for i := range drawn {
			index := *of(&drawn[i])
			for k, v := range index {
				index[k] = place[v]
			}
		}
		sets[s] = sets[s].Subset(used)
	}
	images, err := decodeSets(c, engine, net, sets)
	return images, drawn, err
}

// probeLayers are the layers a probe takes by default.
func probeLayers(net *model.Network) ([]string, error) {
	convs := net.ConvLayers()
	var out []string
	if most := 8; len(convs) > most {
		for i := range most {
			out = append(out, convs[i*(len(convs)-1)/(most-1)])
		}
	} else {
		out = append(out, convs...)
	}
	top, err := experiments.Top(net)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(out, top) {
		out = append(out, top)
	}
	return out, nil
}

func probe(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz probe takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	for _, name := range []string{"per-class", "test-per-class", "folds", "most"} {
		if c.Int(name) < 1 {
			return usage(fmt.Sprintf("--%s %d: want at least 1", name, c.Int(name)), "")
		}
	}
	solvers := strings.Split(c.String("solvers"), ",")
	for _, s := range solvers {
		if !slices.Contains(experiments.Solvers(), s) {
			return usage("there is no solver "+s, "the solvers are "+strings.Join(experiments.Solvers(), ", "))
		}
	}
	net, _, err := loadModel(c, false)
	if err != nil {
		return err
	}
	var layers []string
	if s := c.String("layers"); s != "" {
		layers, err = topLayers(net, s)
	} else {
		layers, err = probeLayers(net)
	}
	if err != nil {
		return err
	}
	spec := c.String("data")
	if spec == "" {
		if spec = net.Origin.Data; spec == "" {
			return usage("the model does not record its data set", "name one with --data")
		}
	}
	dir := c.String("out")
	if err := outDir(c, dir, "--out"); err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	data, err := openTraining(c, spec, c.Uint64("data-seed"))
	if err != nil {
		return err
	}
	sets, err := trainSets(c, data)
	if err != nil {
		return err
	}
	images, folds, err := foldImages(c, engine, net, sets, len(data.Classes), c.Int("folds"), c.Int("per-class"), c.Int("test-per-class"))
	if err != nil {
		return err
	}
	var features [2][]experiments.LayerFeatures
	for s := range features {
		step, end := progress(c, "features")
		features[s], err = experiments.Extract(c.Context, engine, net, memoryImages{net, images[s]}, layers, c.Int("most"), step)
		end()
		if err != nil {
			return err
		}
	}
	step, end := progress(c, "fitting")
	defer end()
	var results []*experiments.ProbeResult
	for l := range layers {
		for _, solver := range solvers {
			r, err := experiments.Probe(c.Context, engine, solver, &features[0][l], &features[1][l], images[0].Labels, images[1].Labels, len(data.Classes), folds)
			if err != nil {
				return err
			}
			results = append(results, r)
			if step != nil {
				step(len(results), len(layers)*len(solvers))
			}
		}
	}
	end()
	title := fmt.Sprintf("Linear classifiers on the layers of %s: %s, %d training images a class, %d folds", net.Name, spec, c.Int("per-class"), c.Int("folds"))
	if err := writePlate(c, dir, "probe", drawProbe(title, layers, solvers, results, len(data.Classes)), "model", net.Name+" "+hash(net)); err != nil {
		return err
	}
	var rows [][]string
	for _, r := range results {
		row := []string{r.Layer, r.Solver, fmt.Sprint(r.Dim), num(r.Lambda, 6), num(r.Mean, 4), num(r.Deviation, 4)}
		for _, a := range r.Accuracy {
			row = append(row, num(a, 4))
		}
		rows = append(rows, row)
	}
	header := []string{"layer", "solver", "values", "lambda", "accuracy", "deviation"}
	for f := range folds {
		header = append(header, fmt.Sprintf("fold%d", f+1))
	}
	result := map[string]any{"model": hash(net), "data": spec, "per_class": c.Int("per-class"), "test_images": len(folds[0].Test), "results": results}
	if err := writeNumbers(c, dir, "probe", result, header, rows); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, result)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nlayer\tclassifier\tvalues\taccuracy %% (%d folds, %d test images)\tlambda\n", len(folds), len(folds[0].Test))
	for _, r := range results {
		grid := ""
		if shape := features[0][slices.Index(layers, r.Layer)].Shape; r.Grid != [2]int{shape.H, shape.W} {
			grid = fmt.Sprintf(" (means over %dx%d places)", r.Grid[0], r.Grid[1])
		}
		fmt.Fprintf(w, "%s\t%s\t%d%s\t%s\t%g\n", r.Layer, r.Solver, r.Dim, grid, overFolds(r.Mean, r.Deviation, r.Accuracy), r.Lambda)
	}
	return w.Flush()
}

// overFolds writes a mean, and its deviation if there is one, in %.
func overFolds(mean, deviation float64, folds []float64) string {
	if len(folds) < 2 {
		return spread(&mean, nil)
	}
	return spread(&mean, &deviation)
}

func drawProbe(title string, layers, solvers []string, results []*experiments.ProbeResult, classes int) *image.NRGBA {
	var series []render.Series
	for k, solver := range solvers {
		s := render.Series{Name: solver, Dots: true, Color: render.Categorical(2 * k)}
		for i := range layers {
			r := results[i*len(solvers)+k]
			s.X, s.Y = append(s.X, float64(i+1)), append(s.Y, 100*r.Mean)
			s.Lo, s.Hi = append(s.Lo, 100*(r.Mean-r.Deviation)), append(s.Hi, 100*(r.Mean+r.Deviation))
		}
		series = append(series, s)
	}
	chance := render.Series{Name: "chance", Dashed: true, Color: render.Categorical(-1)}
	for i := range layers {
		chance.X, chance.Y = append(chance.X, float64(i+1)), append(chance.Y, 100/float64(classes))
	}
	chart := render.Chart{XLabel: "layer", YLabel: "accuracy, % (band: one deviation over folds)", Width: 1200, Height: 760, Scale: 1.6, YMin: 0, YMax: 100, XNames: layers}
	return render.Plate{Title: title, Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Lines(append(series, chance))}}.Draw()
}
