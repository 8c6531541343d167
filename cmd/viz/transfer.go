package main

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/model/train"
	"github.com/urfave/cli/v2"
)

func transferCommand() *cli.Command {
	return &cli.Command{
		Name: "transfer", Usage: "keep a trained network's features, fit new classes on other data, and compare with training from scratch",
		UsageText: "viz transfer [flags]",
		Description: "For each number of images per class and each fold: a softmax (or support vector machines) on\n" +
			"the fixed features of one layer, against the same layers trained from random weights on the same\n" +
			"images. Accuracy is the mean over classes on test images. With --save the network of the first fold\n" +
			"with the most images is written as a checkpoint.\n\n" +
			examples("viz transfer --model cifar10 --data shapes", "viz transfer --model ckpt.bin --data photos/ --per-class 5,15,30 --layer 5 --save photos.bin"),
		Flags: []cli.Flag{modelFlag,
			&cli.StringFlag{Name: "data", Value: "shapes", Usage: "the other data set: a name (shapes, cifar10, mnist, fashion-mnist), a `DIR` or a FILE"}, seedFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Value: "top", Usage: "keep the network up to `LAYER`; top is what the class scores are made of"},
			&cli.StringFlag{Name: "per-class", Value: "5,15,30,60", Usage: "training images of each class, comma-separated"},
			&cli.IntFlag{Name: "test-per-class", Value: 50, Usage: "test images of each class, at most"},
			&cli.IntFlag{Name: "folds", Value: 5, Usage: "random choices of images"},
			&cli.StringFlag{Name: "solver", Value: "softmax", Usage: strings.Join(experiments.Solvers(), " or ")},
			&cli.BoolFlag{Name: "no-scratch", Usage: "leave out training from scratch, which takes most of the time"},
			&cli.IntFlag{Name: "scratch-steps", Value: 300, Usage: "steps of training from scratch"},
			&cli.Float64Flag{Name: "scratch-rate", Value: 0.001, Usage: "its learning rate (adam, cosine, a warm-up of a tenth)"},
			&cli.IntFlag{Name: "scratch-batch", Value: 50, Usage: "its images a step"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of folds and initial weights"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.3, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "save", Usage: "write the network with new classes to `FILE`"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "transfer", Usage: "`DIR` for table and figure"},
			jsonFlag, workersFlag, quietFlag},
		Action: transfer,
	}
}

// transferRow is one number of images per class.
type transferRow struct {
	PerClass  int       `json:"per_class"`
	Method    string    `json:"method"` // "features" or "scratch"
	Accuracy  []float64 `json:"accuracy"`
	Mean      float64   `json:"mean"`
	Deviation float64   `json:"deviation"`
	Lambda    float64   `json:"lambda,omitempty"`
}

func transfer(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz transfer takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	for _, name := range []string{"test-per-class", "folds", "scratch-steps", "scratch-batch"} {
		if c.Int(name) < 1 {
			return usage(fmt.Sprintf("--%s %d: want at least 1", name, c.Int(name)), "")
		}
	}
	var counts []int
	for _, s := range strings.Split(c.String("per-class"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return usage("--per-class "+c.String("per-class")+": want numbers, as in 15,30,60", "")
		}
		counts = append(counts, n)
	}
	slices.Sort(counts)
	counts = slices.Compact(counts)
	if !slices.Contains(experiments.Solvers(), c.String("solver")) {
		return usage("there is no solver "+c.String("solver"), "the solvers are "+strings.Join(experiments.Solvers(), ", "))
	}
	net, _, err := loadModel(c, false)
	if err != nil {
		return err
	}
	layers, err := topLayers(net, c.String("layer"))
	if err != nil {
		return err
	}
	if len(layers) != 1 {
		return usage("--layer "+c.String("layer")+": want one layer", "")
	}
	dir, save := c.String("out"), c.String("save")
	if err := outDir(c, dir, "--out"); err != nil {
		return err
	}
	if save != "" {
		if err := outFile(c, save, "--save"); err != nil {
			return err
		}
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	data, err := openData(c, c.String("data"))
	if err != nil {
		return err
	}
	if net.Origin.Data == c.String("data") {
		note(c, "%s is what the network was trained on: this is no transfer", net.Origin.Data)
	}
	if !c.Bool("no-scratch") {
		if _, err := model.Reset(net, data.Classes, 0); err != nil {
			return hinted(err, "--no-scratch leaves out training from scratch")
		}
	}
	most := counts[len(counts)-1]
	images, folds, err := foldImages(c, engine, net, data, c.Int("folds"), most, c.Int("test-per-class"))
	if err != nil {
		return err
	}
	var features [2]experiments.LayerFeatures
	for s := range features {
		step, end := progress(c, "features")
		f, err := experiments.Extract(c.Context, engine, net, memoryImages{net, images[s]}, layers, math.MaxInt, step)
		end()
		if err != nil {
			return err
		}
		features[s] = f[0]
	}
	classes := len(data.Classes)
	step, end := progress(c, "transfer")
	defer end()
	var rows []transferRow
	done, total := 0, len(counts)*len(folds)
	for _, n := range counts {
		// A smaller choice is a part of the larger one: n of each class's most.
		part := make([]experiments.Fold, len(folds))
		for f, fold := range folds {
			part[f].Test = fold.Test
			for k, i := range fold.Train {
				if k%most < n {
					part[f].Train = append(part[f].Train, i)
				}
			}
		}
		r, err := experiments.Probe(c.Context, engine, c.String("solver"), &features[0], &features[1], images[0].Labels, images[1].Labels, classes, part)
		if err != nil {
			return err
		}
		rows = append(rows, transferRow{n, "features", r.Accuracy, r.Mean, r.Deviation, r.Lambda})
		if save != "" && n == most {
			if err := saveTransfer(c, engine, net, layers[0], save, &features[0], images[0].Labels, data.Classes, part[0], r.Lambda); err != nil {
				return err
			}
		}
		if c.Bool("no-scratch") {
			continue
		}
		row := transferRow{PerClass: n, Method: "scratch"}
		for f, fold := range part {
			a, err := fromScratch(c, engine, net, images, fold, data.Classes, c.Uint64("seed")+uint64(f))
			if err != nil {
				return err
			}
			row.Accuracy = append(row.Accuracy, a)
			if done++; step != nil {
				step(done, total)
			}
		}
		row.Mean, row.Deviation = meanDeviation(row.Accuracy)
		if len(row.Accuracy) == 1 {
			row.Deviation = 0
		}
		rows = append(rows, row)
	}
	end()
	return writeTransfer(c, net, layers[0], dir, rows, classes, len(folds[0].Test))
}

// fromScratch trains the network's layers from random weights on a fold and
// returns the accuracy, mean over classes, on its test images.
func fromScratch(c *cli.Context, engine *model.Engine, net *model.Network, images [2]*train.Memory, fold experiments.Fold, classes []string, seed uint64) (float64, error) {
	fresh, err := model.Reset(net, classes, seed)
	if err != nil {
		return 0, err
	}
	var sets [2]*train.Memory
	for s, index := range [][]int{fold.Train, fold.Test} {
		m := &train.Memory{Size: images[s].Size}
		for _, i := range index {
			m.Bytes = append(m.Bytes, images[s].Bytes[i*m.Size:(i+1)*m.Size]...)
			m.Labels = append(m.Labels, images[s].Labels[i])
		}
		sets[s] = m
	}
	steps := c.Int("scratch-steps")
	trained, _, err := train.Run(c.Context, engine, fresh, sets[0], nil, nil, train.Options{Rate: c.Float64("scratch-rate"), Schedule: "cosine", Warmup: steps / 10,
		Steps: steps, Batch: min(c.Int("scratch-batch"), len(fold.Train)), Seed: seed, EvalTrain: -1, EvalEvery: -1}, train.Hooks{})
	if err != nil {
		return 0, err
	}
	score, err := train.Evaluate(c.Context, engine, trained, sets[1], 0)
	if err != nil {
		return 0, err
	}
	sum, n := 0.0, 0
	for label, row := range score.Confusion {
		all := 0
		for _, v := range row {
			all += v
		}
		if all > 0 {
			sum += float64(row[label]) / float64(all)
			n++
		}
	}
	return sum / float64(n), nil
}

// saveTransfer writes the network up to the layer with new class scores.
func saveTransfer(c *cli.Context, engine *model.Engine, net *model.Network, layer, path string, f *experiments.LayerFeatures, labels []int, classes []string, fold experiments.Fold, lambda float64) error {
	var x []float32
	var y []int
	for _, i := range fold.Train {
		x, y = append(x, f.Data[i*f.Dim:(i+1)*f.Dim]...), append(y, labels[i])
	}
	m, err := experiments.Fit(c.Context, engine, c.String("solver"), x, y, len(classes), lambda)
	if err != nil {
		return err
	}
	// Scores of x itself, without the mean and scale: W·(x-mean)*s + b.
	w, b := tensor.New(m.Classes, m.Dim), make([]float32, m.Classes)
	for k := range m.Classes {
		sum := float64(m.B[k])
		for j := range m.Dim {
			v := m.W[k*m.Dim+j] * m.Scale
			w.Data[k*m.Dim+j] = v
			sum -= float64(v) * float64(m.Mean[j])
		}
		b[k] = float32(sum)
	}
	out, err := model.Fixed(net, layer, w, b, classes)
	if err != nil {
		return err
	}
	out.Origin.Data, out.Origin.Tool = c.String("data"), "viz "+version()
	if err := model.Save(path, out, nil); err != nil {
		return err
	}
	wrote(c, path)
	return nil
}

func writeTransfer(c *cli.Context, net *model.Network, layer, dir string, rows []transferRow, classes, tests int) error {
	names := map[string]string{"features": "features of " + net.Name + ", new " + c.String("solver"), "scratch": "the same layers from scratch"}
	var series []render.Series
	for k, method := range []string{"features", "scratch"} {
		s := render.Series{Name: names[method], Dots: true, Color: render.Categorical(2 * k)}
		for _, r := range rows {
			if r.Method == method {
				s.X, s.Y = append(s.X, float64(r.PerClass)), append(s.Y, 100*r.Mean)
				s.Lo, s.Hi = append(s.Lo, 100*(r.Mean-r.Deviation)), append(s.Hi, 100*(r.Mean+r.Deviation))
			}
		}
		if len(s.X) > 0 {
			series = append(series, s)
		}
	}
	chart := render.Chart{XLabel: "training images per class", YLabel: "accuracy, % (band: one deviation over folds)", Width: 1200, Height: 760, Scale: 1.6, YMin: 0, YMax: 100}
	plate := render.Plate{Title: fmt.Sprintf("Transfer of %s to %s", net.Name, c.String("data")), Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Lines(series)},
		Caption: []string{fmt.Sprintf("Features of layer %s; %d classes, %d test images in each of %d folds; mean of the classes' accuracies. Model %s", layer, classes, tests, c.Int("folds"), hash(net))}}
	if err := writePlate(c, dir, "transfer", plate.Draw(), "model", net.Name+" "+hash(net), "layer", layer); err != nil {
		return err
	}
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, []string{strconv.Itoa(r.PerClass), r.Method, num(r.Mean, 4), num(r.Deviation, 4)})
	}
	result := map[string]any{"model": hash(net), "data": c.String("data"), "layer": layer, "test_images": tests, "rows": rows}
	if err := writeNumbers(c, dir, "transfer", result, []string{"per_class", "method", "accuracy", "deviation"}, lines); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, result)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nimages per class\tmethod\taccuracy %% (%d folds)\n", c.Int("folds"))
	for _, r := range rows {
		fmt.Fprintf(w, "%d\t%s\t%.1f ± %.1f\n", r.PerClass, names[r.Method], 100*r.Mean, 100*r.Deviation)
	}
	return w.Flush()
}
