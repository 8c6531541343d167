package main

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

func transferCommand() *cli.Command {
	return &cli.Command{
		Name: "transfer", Usage: "keep a trained network's features, fit new classes on other data, and compare with training from scratch",
		UsageText: "viz transfer [flags]",
		Description: "For each number of images per class and each fold: a softmax (or support vector machines) on\n" +
			"the fixed features of one layer, against the whole network trained from random weights on the same\n" +
			"images. Accuracy is the mean over classes on test images. With --save the network of the first fold\n" +
			"with the most images is written as a checkpoint.\n\n" +
			"Images that the network was trained on are left out first: those whose correlation with one of them\n" +
			"(grey, at the size of the network's input) is at least --exclude-above.\n\n" +
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
			&cli.StringFlag{Name: "exclude", Usage: "leave out copies of the training images of `DATA`, or none", DefaultText: "what the network was trained on, if it is here"},
			&cli.Float64Flag{Name: "exclude-above", Value: 0.95, Usage: "what counts as a copy, up to 1"},
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

// transferResult is the JSON form of viz transfer.
type transferResult struct {
	Model      string        `json:"model"`
	Data       string        `json:"data"`
	Layer      string        `json:"layer"`
	TestImages int           `json:"test_images"`
	Excluded   *exclusion    `json:"excluded,omitempty"`
	Rows       []transferRow `json:"rows"`
}

// exclusion is what was left out because the network had seen it in training.
type exclusion struct {
	Data        string     `json:"data"`        // what it had seen
	Correlation float64    `json:"correlation"` // from which on an image is a copy
	Images      int        `json:"images"`      // looked at
	Copies      []seenCopy `json:"copies"`
}

type seenCopy struct {
	Image       string  `json:"image"`
	Of          string  `json:"of"`
	Correlation float64 `json:"correlation"`
}

// greys are the images of sets, one after the other, as grey inputs of a network.
type greys struct {
	net  *model.Network
	sets []*images.List
}

func (g greys) at(i int) (*images.List, int) {
	for _, s := range g.sets {
		if i < s.Len() {
			return s, i
		}
		i -= s.Len()
	}
	panic("greys: no such image")
}

func (g greys) Len() (n int) {
	for _, s := range g.sets {
		n += s.Len()
	}
	return n
}

func (g greys) Input(i int, dst []float32) error {
	set, k := g.at(i)
	item, err := set.Open(k)
	if err != nil {
		return err
	}
	h, w := g.net.Input.H, g.net.Input.W
	pixels := make([]uint8, h*w)
	model.Planar(g.net.Preprocess.Fit(item.Image, h, w), 1, false, pixels)
	for p, v := range pixels {
		dst[p] = float32(v)
	}
	return nil
}

// excludeSeen takes the images out of training and test set that the network has
// seen in training; nil if that was not looked for.
func excludeSeen(c *cli.Context, engine *model.Engine, net *model.Network, sets sweep.Sets) (sweep.Sets, *exclusion, error) {
	spec, asked := c.String("exclude"), c.String("exclude") != ""
	if !asked {
		if spec = net.Origin.Data; spec == c.String("data") {
			note(c, "%s is what the network was trained on: this is no transfer", spec)
			return sets, nil, nil
		}
	}
	if spec == "" || spec == "none" {
		return sets, nil, nil
	}
	data, err := openTraining(c, spec, c.Uint64("data-seed"))
	if errors.Is(err, fs.ErrNotExist) && !asked {
		note(c, "what the network was trained on is not here (%s): images that it has seen are not left out, unless --exclude names them", spec)
		return sets, nil, nil
	}
	if err != nil {
		return sets, nil, err
	}
	fresh, seen := greys{net, sets[:]}, greys{net, []*images.List{data.Train}}
	x := &exclusion{Data: spec, Correlation: c.Float64("exclude-above"), Images: fresh.Len(), Copies: []seenCopy{}}
	step, end := progress(c, "looking for images of "+spec)
	copies, err := experiments.Copies(c.Context, engine, net.Input.H, net.Input.W, fresh, seen, x.Correlation, step)
	end()
	if err != nil {
		return sets, nil, err
	}
	gone := map[int]bool{}
	for _, p := range copies {
		set, i := fresh.at(p.Image)
		gone[p.Image] = true
		x.Copies = append(x.Copies, seenCopy{set.Items[i].Name, data.Train.Items[p.Of].Name, p.Correlation})
	}
	at := 0
	for s, set := range sets {
		var keep []int
		for i := range set.Len() {
			if !gone[at] {
				keep = append(keep, i)
			}
			at++
		}
		sets[s] = set.Subset(keep)
	}
	note(c, "%d of %d images are copies of training images of %s (correlation %g and more) and left out", len(copies), x.Images, spec, x.Correlation)
	return sets, x, nil
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
	if t := c.Float64("exclude-above"); !(t > 0 && t <= 1) {
		return usage(fmt.Sprintf("--exclude-above %g: want more than 0 and at most 1", t), "")
	}
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
	data, err := openTraining(c, c.String("data"), c.Uint64("data-seed"))
	if err != nil {
		return err
	}
	if !c.Bool("no-scratch") {
		if _, err := model.Reset(net, data.Classes, 0); err != nil {
			return hinted(err, "--no-scratch leaves out training from scratch")
		}
	}
	most := counts[len(counts)-1]
	sets, err := trainSets(c, data)
	if err != nil {
		return err
	}
	sets, excluded, err := excludeSeen(c, engine, net, sets)
	if err != nil {
		return err
	}
	images, folds, err := foldImages(c, engine, net, sets, len(data.Classes), c.Int("folds"), most, c.Int("test-per-class"))
	if err != nil {
		return err
	}
	if err := fitsMemory(net, layers[0], images[0].Len()+images[1].Len()); err != nil {
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
	return writeTransfer(c, net, dir, classes, transferResult{hash(net), c.String("data"), layers[0], len(folds[0].Test), excluded, rows})
}

// fitsMemory refuses features of a layer that take more than 4 GB.
func fitsMemory(net *model.Network, layer string, images int) error {
	shapes, err := net.Shapes()
	if err != nil {
		return err
	}
	if values := shapes[layer].Len(); values > 1<<30/images {
		return hinted(fmt.Errorf("layer %s has %d values: of %d images they take %.1f GB, want at most 4", layer, values, images, 4*float64(values)*float64(images)/(1<<30)),
			"take a higher --layer, fewer --folds or fewer images --per-class")
	}
	return nil
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
	return score.PerClass(), nil
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

func writeTransfer(c *cli.Context, net *model.Network, dir string, classes int, result transferResult) error {
	names := map[string]string{"features": fmt.Sprintf("%s up to %s, new %s", net.Name, result.Layer, c.String("solver")), "scratch": "all of it from scratch"}
	var series []render.Series
	for k, method := range []string{"features", "scratch"} {
		s := render.Series{Name: names[method], Dots: true, Color: render.Categorical(2 * k)}
		for _, r := range result.Rows {
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
		Caption: []string{fmt.Sprintf("Features of layer %s; %d classes, %d test images in each of %d folds; mean of the classes' accuracies. Model %s", result.Layer, classes, result.TestImages, c.Int("folds"), result.Model)}}
	if x := result.Excluded; x != nil {
		plate.Caption = append(plate.Caption, fmt.Sprintf("Of %d images, %d were left out as copies of training images of %s (correlation %g and more).", x.Images, len(x.Copies), x.Data, x.Correlation))
	}
	if err := writePlate(c, dir, "transfer", plate.Draw(), "model", net.Name+" "+result.Model, "layer", result.Layer); err != nil {
		return err
	}
	var lines [][]string
	for _, r := range result.Rows {
		lines = append(lines, []string{strconv.Itoa(r.PerClass), r.Method, num(r.Mean, 4), num(r.Deviation, 4)})
	}
	if err := writeNumbers(c, dir, "transfer", result, []string{"per_class", "method", "accuracy", "deviation"}, lines); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, result)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nimages per class\tmethod\taccuracy %% (%d folds)\n", c.Int("folds"))
	for _, r := range result.Rows {
		fmt.Fprintf(w, "%d\t%s\t%s\n", r.PerClass, names[r.Method], overFolds(r.Mean, r.Deviation, r.Accuracy))
	}
	return w.Flush()
}
