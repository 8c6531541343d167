package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// trial is one line of a list of trials.
type trial struct {
	Name        string  `yaml:"name" json:"name"`
	Arch        string  `yaml:"arch" json:"arch"`   // default lenet5
	Width       float64 `yaml:"width" json:"width"` // default 1
	Keep        float64 `yaml:"keep" json:"keep"`
	Init        string  `yaml:"init" json:"init,omitempty"` // how weights start: he (default) or truncated
	Solver      string  `yaml:"solver" json:"solver"`
	Rate        float64 `yaml:"rate" json:"rate"`
	Schedule    string  `yaml:"schedule" json:"schedule,omitempty"`
	Batch       int     `yaml:"batch" json:"batch"`
	Steps       int     `yaml:"steps" json:"steps"`
	WeightDecay float64 `yaml:"weight_decay" json:"weight_decay,omitempty"`
	Warmup      int     `yaml:"warmup" json:"warmup,omitempty"`
	Seed        uint64  `yaml:"seed" json:"seed"`
	Expect      float64 `yaml:"expect" json:"expect,omitempty"` // test accuracy at the end to compare with, 0: none
}

// courseTrials are the eight of [course], with weights that start as its code's
// do; the accuracies were read off its report's charts.
var courseTrials = []trial{
	{Name: "trial 1", Solver: "adam", Init: "truncated", Rate: 1e-4, Batch: 100, Steps: 10000, Keep: 0.8, Expect: 0.53},
	{Name: "trial 2", Solver: "adam", Init: "truncated", Rate: 1e-4, Batch: 100, Steps: 10000, Keep: 0.6, Expect: 0.55},
	{Name: "trial 3", Solver: "adam", Init: "truncated", Rate: 1e-4, Batch: 100, Steps: 8000, Keep: 0.6, Expect: 0.53},
	{Name: "trial 4", Solver: "adam", Init: "truncated", Rate: 1e-4, Batch: 500, Steps: 8000, Keep: 0.4, Expect: 0.57},
	{Name: "trial 5", Solver: "sgd", Init: "truncated", Rate: 0.01, Batch: 500, Steps: 8000, Keep: 0.6, Expect: 0.53},
	{Name: "trial 6", Solver: "sgd", Init: "truncated", Rate: 0.05, Batch: 100, Steps: 8000, Keep: 0.6, Expect: 0.50},
	{Name: "trial 7", Solver: "rmsprop", Init: "truncated", Rate: 0.0025, Batch: 200, Steps: 5000, Keep: 0.5, Expect: 0.53},
	{Name: "trial 8", Solver: "rmsprop", Init: "truncated", Rate: 0.0005, Batch: 500, Steps: 20000, Keep: 0.4, Expect: 0.555},
}

func trialsCommand() *cli.Command {
	return &cli.Command{
		Name: "trials", Usage: "train a list of settings one after the other, with curves, activations and filters over time, and compare them",
		UsageText: "viz trials [flags]",
		Description: "Without --list, the course's eight trials of lenet5 on small grey images. A list is YAML or JSON:\n\n" +
			"   trials:\n" +
			"     - {name: slow, solver: adam, rate: 1e-4, batch: 100, steps: 2000, keep: 0.6}\n" +
			"     - {name: fast, solver: rmsprop, rate: 0.001, batch: 200, steps: 1000, keep: 0.5, arch: lenet5, width: 0.5}\n\n" +
			"The plan with its time is shown first. Broken off, the same command goes on. Everything goes into\n" +
			"a folder with report.html, which needs no other file.\n\n" +
			examples("viz trials --data CIFAR10/ --out course", "viz trials --list trials.yaml --data mnist --only fast", "viz trials --data shapes --shorten 0.01 --out try"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "list", Usage: "YAML or JSON `FILE` of trials", DefaultText: "the course's eight"},
			&cli.StringFlag{Name: "only", Usage: "names of trials, comma-separated"},
			dataFlag, seedFlag,
			&cli.IntFlag{Name: "evals", Value: 40, Usage: "measurements in each trial"},
			&cli.Float64Flag{Name: "shorten", Value: 1, Usage: "take only this share of the steps, to try out"},
			&cli.BoolFlag{Name: "standardize", Usage: "subtract the mean and divide by the deviation; without it input is pixel/255 as in the course"},
			&cli.BoolFlag{Name: "plan", Usage: "only say how long it takes"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "trials", Usage: "`DIR` for everything"},
			jsonFlag, workersFlag, quietFlag},
		Action: runTrials,
	}
}

// readTrials reads a list of trials, or gives the course's.
func readTrials(c *cli.Context) ([]trial, error) {
	list := slices.Clone(courseTrials)
	if path := c.String("list"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var file struct {
			Trials []trial `yaml:"trials"`
		}
		d := yaml.NewDecoder(bytes.NewReader(text)) // JSON is YAML too
		d.KnownFields(true)
		if err := d.Decode(&file); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if list = file.Trials; len(list) == 0 {
			return nil, fmt.Errorf("%s: no trials, want a list called trials", path)
		}
	}
	if s := c.String("only"); s != "" {
		var some []trial
		for _, name := range strings.Split(s, ",") {
			name = strings.TrimSpace(name)
			i := slices.IndexFunc(list, func(t trial) bool { return t.Name == name || t.Name == "trial "+name })
			if i < 0 {
				return nil, usage("there is no trial "+name, "")
			}
			some = append(some, list[i])
		}
		list = some
	}
	seen := map[string]bool{}
	for i := range list {
		t := &list[i]
		if t.Name == "" {
			t.Name = fmt.Sprintf("trial %d", i+1)
		}
		if seen[fileName(t.Name)] {
			return nil, usage("two trials are called "+t.Name, "give each a name of its own")
		}
		seen[fileName(t.Name)] = true
		if t.Arch == "" {
			t.Arch = "lenet5"
		}
		if t.Steps < 1 {
			return nil, usage(fmt.Sprintf("%s has %d steps, want at least 1", t.Name, t.Steps), "")
		}
		t.Steps = max(int(math.Round(float64(t.Steps)*c.Float64("shorten"))), 4)
	}
	return list, nil
}

// moment is what is recorded of a network at one step.
type moment struct {
	Step   int                    `json:"step"`
	Layers []experiments.Activity `json:"layers"`
	// Filters are the first convolution's weights, [maps, inputs, rows, columns].
	Shape   []int     `json:"filter_shape"`
	Filters []float32 `json:"filters"`
}

// activityReach is the range of the histograms of activations, to both sides.
const activityReach = 16

func runTrials(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz trials takes no arguments, got "+c.Args().First(), "name the list with --list, the data with --data")
	}
	if s := c.Float64("shorten"); !(s > 0 && s <= 1) {
		return usage(fmt.Sprintf("--shorten %g: want more than 0 and at most 1", s), "")
	}
	if c.Int("evals") < 2 {
		return usage("--evals must be at least 2", "")
	}
	if c.String("data") == "" {
		return usage("no data named", "--data CIFAR10/ is the course's folder; --data shapes needs no files")
	}
	list, err := readTrials(c)
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var set *dataset.Set
	k, data, err := openCampaign(c, engine, c.String("data"), func(s *dataset.Set, classes []string) (*model.Network, error) {
		set = s
		return build(s, classes, list[0].Arch, model.ArchOptions{})
	})
	if err != nil {
		return err
	}
	var jobs []job
	for i := range list {
		t := &list[i]
		net, err := build(set, data.Classes, t.Arch, model.ArchOptions{Width: t.Width, Keep: t.Keep, Init: t.Init, Seed: t.Seed})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		measure(net, k.images[0], c.Bool("standardize"))
		net.Origin = model.Origin{Arch: t.Arch, Data: k.data, Tool: "viz " + version()}
		j := job{name: t.Name, net: net, evals: c.Int("evals"), o: train.Options{Solver: t.Solver, Rate: t.Rate, Schedule: t.Schedule, Batch: t.Batch,
			Steps: t.Steps, WeightDecay: t.WeightDecay, Warmup: t.Warmup, Seed: t.Seed}}
		j.each = func(step int, net *model.Network) error { return k.watch(&j, step, net) }
		jobs = append(jobs, j)
	}
	if err := k.plan(jobs); err != nil || c.Bool("plan") {
		return err
	}
	var done []*finishedTrial
	for i := range jobs {
		r, err := k.run(&jobs[i])
		if err != nil {
			return err
		}
		f := &finishedTrial{Trial: list[i], Run: r}
		if f.Moments, err = k.moments(&jobs[i], r); err != nil {
			return err
		}
		done = append(done, f)
		if err := drawTrial(k, &jobs[i], f, done); err != nil {
			return err
		}
	}
	for i, f := range done { // once more, with the ranges of all
		if err := drawTrial(k, &jobs[i], f, done); err != nil {
			return err
		}
	}
	return reportTrials(c, k, done)
}

// watch records the activity and the first filters of a network at a step.
func (k *campaign) watch(j *job, step int, net *model.Network) error {
	images := k.images[1]
	if images.Len() == 0 {
		images = k.images[0]
	}
	layers, err := experiments.Watch(k.c.Context, k.engine, net, memoryImages{net, images}, activityReach)
	if err != nil {
		return err
	}
	m := moment{Step: step, Layers: layers}
	for _, n := range net.Nodes {
		if l, ok := n.Layer.(*model.Conv); ok {
			m.Shape, m.Filters = l.Weight.Shape, l.Weight.Data
			break
		}
	}
	text, err := json.Marshal(m)
	var odd *json.UnsupportedValueError
	if errors.As(err, &odd) { // it diverges: what follows ends it
		note(k.c, "%s: step %d: weights or activations are not finite, they are not recorded", j.name, step)
		return nil
	}
	if err != nil {
		return err
	}
	path := k.file(j, filepath.Join("watch", fmt.Sprintf("%07d.json", step)))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(text); return err })
}

// moments reads what watch recorded for the points of a run.
func (k *campaign) moments(j *job, r *trained) ([]moment, error) {
	var out []moment
	for _, p := range r.Points {
		text, err := os.ReadFile(k.file(j, filepath.Join("watch", fmt.Sprintf("%07d.json", p.Step))))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var m moment
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no activations were recorded", j.name)
	}
	return out, nil
}

// finishedTrial is a trial with all that was recorded.
type finishedTrial struct {
	Trial   trial
	Run     *trained
	Moments []moment
	Files   []string // pictures, as paths in the campaign's folder
}

func (f *finishedTrial) describe() string {
	t, o := f.Trial, f.Run.Options
	s := fmt.Sprintf("%s: %s, rate %g, batch %d, %d steps", t.Name, o.Solver, o.Rate, o.Batch, o.Steps)
	if t.Keep > 0 {
		s += fmt.Sprintf(", keep rate %g", t.Keep)
	}
	if t.Arch != "lenet5" {
		s += ", " + t.Arch
	}
	return s
}

// drawTrial draws a trial's figures into its folder, charts on ranges that hold
// those of all trials so far, so that they can be compared.
func drawTrial(k *campaign, j *job, f *finishedTrial, all []*finishedTrial) error {
	r := f.Run
	f.Files = nil
	write := func(name string, img image.Image) error {
		path, err := savePlate(filepath.Dir(k.file(j, name)), name, img, "trial", f.describe())
		f.Files = append(f.Files, path)
		return err
	}
	// span is the range of a number over all trials that have the layer.
	span := func(layer string, v func(a experiments.Activity) float64) (lo, hi float64) {
		lo, hi = math.Inf(1), math.Inf(-1)
		for _, t := range all {
			for _, m := range t.Moments {
				for _, a := range m.Layers {
					if a.Layer == layer {
						lo, hi = min(lo, v(a)), max(hi, v(a))
					}
				}
			}
		}
		room := 0.04 * (hi - lo)
		return lo - room, hi + room
	}
	panel := func(title, y string, lo, hi float64, v func(curvePoint) *float64) image.Image {
		s := r.series(bySteps, v)
		s.Name = ""
		return render.Chart{Title: title, XLabel: "steps", YLabel: y, Width: 820, Height: 520, Scale: 1.6, YMin: lo, YMax: hi}.Lines([]render.Series{s})
	}
	curves := render.Plate{Title: f.describe(), Columns: 2, Scale: 1.6, Panels: []image.Image{
		panel("Test accuracy", "share of images", 0, 1, func(p curvePoint) *float64 { return p.TestAccuracy }),
		panel("Test loss", "cross-entropy, nats", 0, 2.5, func(p curvePoint) *float64 { return p.TestLoss }),
		panel("Training accuracy", "share of images", 0, 1, func(p curvePoint) *float64 { return p.TrainAccuracy }),
		panel("Training loss", "cross-entropy, nats", 0, 2.5, func(p curvePoint) *float64 { return p.TrainLoss })},
		Caption: []string{fmt.Sprintf("Measured with dropout off, on %d test images and %d training images. Losses above 2.5 lie outside.", r.Sizes[1], min(r.Options.EvalTrain, r.Sizes[0]))}}
	if err := write("curves", curves.Draw()); err != nil {
		return err
	}
	for l := range f.Moments[0].Layers {
		layer := f.Moments[0].Layers[l].Layer
		var x []float64
		for _, m := range f.Moments {
			x = append(x, float64(m.Step))
		}
		stat := func(title, y string, v func(a experiments.Activity) float64) image.Image {
			s := render.Series{X: x}
			for _, m := range f.Moments {
				s.Y = append(s.Y, v(m.Layers[l]))
			}
			lo, hi := span(layer, v)
			return render.Chart{Title: title, XLabel: "steps", YLabel: y, Width: 760, Height: 500, Scale: 1.6, YMin: lo, YMax: hi}.Lines([]render.Series{s})
		}
		plate := render.Plate{Title: "Activations of " + layer + ", " + f.describe(), Columns: 3, Scale: 1.6, Panels: []image.Image{
			stat("Maximum", "activation", func(a experiments.Activity) float64 { return a.Max }),
			stat("Mean", "activation", func(a experiments.Activity) float64 { return a.Mean }),
			stat("Sparsity", "share of features that are 0", func(a experiments.Activity) float64 { return a.Sparsity }),
			stat("Minimum", "activation", func(a experiments.Activity) float64 { return a.Min }),
			stat("Standard deviation", "activation", func(a experiments.Activity) float64 { return a.Deviation }),
			stat("Mean behind the rectifier", "activation", func(a experiments.Activity) float64 { return a.FeatureMean })},
			Caption: []string{"Over all test images and places. Maximum to deviation are of the convolution before its rectifier (behind it the minimum is always 0); sparsity is behind it. Ranges hold all trials."}}
		if err := write("activity-"+layer, plate.Draw()); err != nil {
			return err
		}
		if err := write("ridges-"+layer, ridges(f, l, all)); err != nil {
			return err
		}
	}
	if err := write("filters", filterStrip(f)); err != nil {
		return err
	}
	var rows [][]string
	for _, m := range f.Moments {
		for _, a := range m.Layers {
			rows = append(rows, []string{strconv.Itoa(m.Step), a.Layer, num(a.Max, 5), num(a.Mean, 6), num(a.Min, 5), num(a.Deviation, 6), num(a.Sparsity, 5), num(a.FeatureMean, 6), num(a.FeatureDeviation, 6)})
		}
	}
	if err := saveCSV(k.file(j, "activity.csv"), []string{"step", "layer", "max", "mean", "min", "deviation", "sparsity", "feature_mean", "feature_deviation"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, p := range r.Points {
		rows = append(rows, []string{strconv.Itoa(p.Step), strconv.Itoa(p.Images), num(orNaN(p.Loss), 5), num(orNaN(p.TrainAccuracy), 5), num(orNaN(p.TrainLoss), 5), num(orNaN(p.TestAccuracy), 5), num(orNaN(p.TestLoss), 5)})
	}
	return saveCSV(k.file(j, "curves.csv"), []string{"step", "images", "batch_loss", "train_accuracy", "train_loss", "test_accuracy", "test_loss"}, rows)
}

// ridges draws the histograms of a layer's activations over the steps.
func ridges(f *finishedTrial, l int, all []*finishedTrial) image.Image {
	const rows, bins = 14, 120
	layer := f.Moments[0].Layers[l].Layer
	// The range holds all but a thousandth at each end, at every moment of every trial.
	lo, hi := math.Inf(1), math.Inf(-1)
	edge := func(a experiments.Activity, i int) float64 {
		return a.Range * (2*float64(i)/float64(len(a.Histogram)) - 1)
	}
	for _, t := range all {
		for _, m := range t.Moments {
			for _, a := range m.Layers {
				if a.Layer != layer {
					continue
				}
				sum, first, last := 0, -1, 0
				for i, v := range a.Histogram {
					if sum += v; first < 0 && sum > a.Values/1000 {
						first = i
					}
					if sum < a.Values-a.Values/1000 {
						last = i + 1
					}
				}
				lo, hi = min(lo, edge(a, max(first, 0))), max(hi, edge(a, min(last+1, len(a.Histogram))))
			}
		}
	}
	if !(hi > lo) {
		lo, hi = -1, 1
	}
	var names []string
	var counts [][]float64
	n := min(rows, len(f.Moments))
	for r := range n {
		m := f.Moments[r*(len(f.Moments)-1)/max(n-1, 1)]
		a := m.Layers[l]
		// below is the share of values below x: straight within a fine bin.
		total := make([]int, len(a.Histogram)+1)
		for i, v := range a.Histogram {
			total[i+1] = total[i] + v
		}
		below := func(x float64) float64 {
			at := min(max((x+a.Range)/(2*a.Range), 0), 1) * float64(len(a.Histogram))
			i := min(int(at), len(a.Histogram)-1)
			return (float64(total[i]) + (at-float64(i))*float64(a.Histogram[i])) / float64(a.Values)
		}
		row := make([]float64, bins)
		for b := range row {
			share := below(lo+(hi-lo)*float64(b+1)/bins) - below(lo+(hi-lo)*float64(b)/bins)
			row[b] = math.Sqrt(share) // roots, or the peak at 0 hides the rest
		}
		names, counts = append(names, strconv.Itoa(m.Step)), append(counts, row)
	}
	chart := render.Chart{Title: "Activations of " + layer + " over steps", XLabel: "activation before the rectifier", YLabel: "step", Width: 1100, Height: 900, Scale: 1.6}
	return render.Plate{Title: f.describe(), Columns: 1, Scale: 1.6, Panels: []image.Image{chart.Ridges(names, counts, lo, hi)},
		Caption: []string{"Histograms over all test images and places, heights as square roots, one scale. The range leaves out a thousandth at each end."}}.Draw()
}

// filterStrip draws the first filters at up to eight moments, on one scale.
func filterStrip(f *finishedTrial) image.Image {
	const most = 8
	scale := 0.0
	n := min(most, len(f.Moments))
	var shown []moment
	for i := range n {
		m := f.Moments[i*(len(f.Moments)-1)/max(n-1, 1)]
		shown = append(shown, m)
		scale = max(scale, render.MaxAbs(m.Filters))
	}
	var panels []image.Image
	for _, m := range shown {
		s := m.Shape
		size := s[1] * s[2] * s[3]
		var tiles []image.Image
		for i := range min(s[0], 64) {
			w := m.Filters[i*size : (i+1)*size]
			if s[1] == 3 {
				tiles = append(tiles, render.Signed(w, 3, s[2], s[3], scale))
			} else {
				tiles = append(tiles, render.Signed(w[:s[2]*s[3]], 1, s[2], s[3], scale))
			}
		}
		grid := render.Magnify(render.Grid(tiles, render.GridOptions{}), 8)
		panels = append(panels, render.Plate{Title: fmt.Sprintf("step %d", m.Step), Columns: 1, Scale: 1.4, Panels: []image.Image{grid}}.Draw())
	}
	return render.Plate{Title: "First filters, " + f.describe(), Columns: 4, Scale: 1.6, Panels: panels,
		Caption: []string{"One scale for all: 0 is mid-grey, white and black are ±" + render.Number(scale) + "."}}.Draw()
}

// trialRow is a line of the comparison.
type trialRow struct {
	Trial        trial     `json:"trial"`
	TestAccuracy *float64  `json:"test_accuracy"`
	Best         *float64  `json:"best_test_accuracy"`
	BestStep     int       `json:"best_step"`
	Train        *float64  `json:"train_accuracy"`
	ToThreshold  *int      `json:"steps_to_threshold"` // first measured step at the common accuracy
	ToOwn        int       `json:"steps_to_95_percent_of_best"`
	MinStep      int       `json:"step_of_minimum_activation"`
	Sparsity     []float64 `json:"sparsity"`        // of each convolution at the end
	MeanRatio    []float64 `json:"mean_ratio"`      // |mean| at the end over that at the first measurement after the start
	DevRatio     []float64 `json:"deviation_ratio"` // the same of the deviation
	Speed        *float64  `json:"images_per_second"`
	Seconds      *float64  `json:"seconds"`
	Diverged     string    `json:"diverged,omitempty"`
}

func trialRows(done []*finishedTrial) (rows []trialRow, threshold float64) {
	// An accuracy that every trial reaches: nine tenths of the lowest best.
	threshold = 1
	for _, f := range done {
		if b := orNaN(f.Run.best().TestAccuracy); 0.9*b < threshold {
			threshold = 0.9 * b
		}
	}
	for _, f := range done {
		r := f.Run
		row := trialRow{Trial: f.Trial, TestAccuracy: r.final().TestAccuracy, Best: r.best().TestAccuracy, BestStep: r.best().Step, Train: r.final().TrainAccuracy,
			ToOwn: -1, Speed: finite(r.speed()), Seconds: finite(r.seconds(r.final())), Diverged: r.Diverged}
		for _, p := range r.Points {
			a := orNaN(p.TestAccuracy)
			if row.ToThreshold == nil && a >= threshold {
				row.ToThreshold = &p.Step
			}
			if row.ToOwn < 0 && a >= 0.95*orNaN(row.Best) {
				row.ToOwn = p.Step
			}
		}
		lowest := math.Inf(1)
		for _, m := range f.Moments {
			if v := m.Layers[0].Min; v < lowest {
				lowest, row.MinStep = v, m.Step
			}
		}
		first, last := f.Moments[min(1, len(f.Moments)-1)], f.Moments[len(f.Moments)-1]
		for l := range last.Layers {
			row.Sparsity = append(row.Sparsity, last.Layers[l].Sparsity)
			row.MeanRatio = append(row.MeanRatio, math.Abs(last.Layers[l].Mean)/max(math.Abs(first.Layers[l].Mean), 1e-12))
			row.DevRatio = append(row.DevRatio, last.Layers[l].Deviation/max(first.Layers[l].Deviation, 1e-12))
		}
		rows = append(rows, row)
	}
	return rows, threshold
}

// reportTrials compares all trials and writes trials.json, trials.csv and
// report.html.
func reportTrials(c *cli.Context, k *campaign, done []*finishedTrial) error {
	rows, threshold := trialRows(done)
	findings := hypotheses(rows, done, threshold)
	var lines [][]string
	for _, r := range rows {
		to := ""
		if r.ToThreshold != nil {
			to = strconv.Itoa(*r.ToThreshold)
		}
		line := []string{r.Trial.Name, r.Trial.Solver, fmt.Sprint(r.Trial.Rate), strconv.Itoa(r.Trial.Batch), strconv.Itoa(r.Trial.Steps), fmt.Sprint(r.Trial.Keep),
			num(orNaN(r.TestAccuracy), 4), num(orNaN(r.Best), 4), strconv.Itoa(r.BestStep), num(orNaN(r.Train), 4), to, num(orNaN(r.Speed), 0), num(orNaN(r.Seconds), 0)}
		if r.Trial.Expect > 0 {
			line = append(line, num(r.Trial.Expect, 3))
		} else {
			line = append(line, "")
		}
		lines = append(lines, line)
	}
	header := []string{"trial", "solver", "rate", "batch", "steps", "keep", "test_accuracy", "best_test_accuracy", "best_step", "train_accuracy", "steps_to_threshold", "images_per_second", "seconds", "course"}
	result := map[string]any{"data": k.data, "threshold": threshold, "trials": rows, "findings": findings}
	if err := writeNumbers(c, k.dir, "trials", result, header, lines); err != nil {
		return err
	}
	overview, err := drawTrials(c, k, done)
	if err != nil {
		return err
	}
	if err := writeReport(c, k, done, rows, findings, threshold, overview); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, result)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ntrial\tsolver\trate\tbatch\tsteps\tkeep\ttest accuracy\tcourse\tbest\tat step\timages/s\tseconds")
	for i, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[13], l[7], l[8], l[11], l[12])
		_ = i
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer)
	for _, f := range findings {
		fmt.Fprintf(c.App.Writer, "%s: %s\n", f.Question, f.Answer)
	}
	return nil
}

// drawTrials draws the curves of all trials together.
func drawTrials(c *cli.Context, k *campaign, done []*finishedTrial) (string, error) {
	curves := func(x func(*trained) func(curvePoint) float64, y func(curvePoint) *float64) []render.Series {
		var out []render.Series
		for i, f := range done {
			s := f.Run.series(x(f.Run), y)
			s.Name, s.Color = f.Trial.Name, render.Categorical(i)
			out = append(out, s)
		}
		return out
	}
	steps := func(*trained) func(curvePoint) float64 { return bySteps }
	images := func(*trained) func(curvePoint) float64 {
		return func(p curvePoint) float64 { return float64(p.Images) }
	}
	accuracy := func(p curvePoint) *float64 { return p.TestAccuracy }
	chart := func(title, x, y string, lo, hi float64) render.Chart {
		return render.Chart{Title: title, XLabel: x, YLabel: y, Width: 960, Height: 640, Scale: 1.6, YMin: lo, YMax: hi}
	}
	plate := render.Plate{Title: "All trials on " + k.data, Columns: 2, Scale: 1.6, Panels: []image.Image{
		chart("Test accuracy by steps", "steps", "share of images", 0, 1).Lines(curves(steps, accuracy)),
		chart("Test accuracy by training images seen", "images", "share of images", 0, 1).Lines(curves(images, accuracy)),
		chart("Training accuracy by steps", "steps", "share of images", 0, 1).Lines(curves(steps, func(p curvePoint) *float64 { return p.TrainAccuracy })),
		chart("Test loss by steps", "steps", "cross-entropy, nats", 0, 2.5).Lines(curves(steps, func(p curvePoint) *float64 { return p.TestLoss }))},
		Caption: []string{"Measured with dropout off."}}
	return filepath.Join(k.dir, "trials.png"), writePlate(c, k.dir, "trials", plate.Draw())
}
