package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
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
			"Other fields: init (he, or truncated: the course's), schedule, weight_decay, warmup, seed, and expect,\n" +
			"an accuracy to compare with. What is left out takes its default.\n\n" +
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
		if err := refuseZeros(text); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
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
		if seen[runName(t.Name)] {
			return nil, usage("two trials are called "+t.Name, "give each a name of its own")
		}
		seen[runName(t.Name)] = true
		if t.Arch == "" {
			t.Arch = "lenet5"
		}
		if t.Width == 0 {
			t.Width = 1
		}
		if t.Steps < 1 {
			return nil, usage(fmt.Sprintf("%s has %d steps, want at least 1", t.Name, t.Steps), "")
		}
		if !(t.Expect >= 0 && t.Expect <= 1) {
			return nil, usage(fmt.Sprintf("%s expects a test accuracy of %g, want 0 to 1", t.Name, t.Expect), "")
		}
		t.Steps = max(int(math.Round(float64(t.Steps)*c.Float64("shorten"))), 4)
	}
	return list, nil
}

// refuseZeros finds settings of a list that are 0 in so many words, which must not
// pass for settings left out.
func refuseZeros(text []byte) error {
	var file struct{ Trials []map[string]any }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return err
	}
	for i, t := range file.Trials {
		for _, key := range []string{"width", "keep", "rate", "batch"} {
			if v := t[key]; v == 0 || v == 0.0 {
				return fmt.Errorf("trial %d: %s is 0: leave it out for the default", i+1, key)
			}
		}
	}
	return nil
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
	var set *images.List
	k, data, err := openCampaign(c, engine, c.String("data"), func(s *images.List, classes []string) (*model.Network, error) {
		set = s
		return build(s, classes, "lenet5", model.ArchOptions{})
	})
	if err != nil {
		return err
	}
	defer k.close()
	var jobs []job
	for i := range list {
		t := &list[i]
		net, err := build(set, data.Classes, t.Arch, model.ArchOptions{Width: t.Width, Keep: t.Keep, Init: t.Init, Seed: t.Seed})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		if len(net.ConvLayers()) == 0 {
			return usage(fmt.Sprintf("%s: %s has no convolutions, whose activations trials record", t.Name, t.Arch), "viz rnn compares recurrent networks")
		}
		measure(net, k.images[0], c.Bool("standardize"))
		net.Origin = model.Origin{Arch: t.Arch, Data: k.data, Tool: "viz " + version()}
		j := job{name: t.Name, net: net, evals: c.Int("evals"), o: train.Options{Solver: t.Solver, Rate: t.Rate, Schedule: t.Schedule, Batch: t.Batch,
			Steps: t.Steps, WeightDecay: t.WeightDecay, Warmup: t.Warmup, Seed: t.Seed}}
		j.each = func(step int, net *model.Network) error { return k.watch(&j, step, net) }
		jobs = append(jobs, j)
	}
	if err := k.plan(jobs); err != nil {
		return err
	}
	if c.Bool("plan") {
		k.close()
		tidy(c.App)
		return nil
	}
	for i := range list { // as they are, with the defaults of what was left out
		t, o := &list[i], jobs[i].o
		t.Solver, t.Rate, t.Batch, t.Schedule, t.Keep = o.Solver, o.Rate, o.Batch, o.Schedule, keepRate(jobs[i].net)
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

// keepRate is the probability to keep a value in a network's first dropout, 1 if
// it has none.
func keepRate(net *model.Network) float64 {
	for _, n := range net.Nodes {
		if l, ok := n.Layer.(*model.Dropout); ok {
			return math.Round((1-l.Rate)*1e6) / 1e6
		}
	}
	return 1
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

// describe says what is particular about a trial.
func (f *finishedTrial) describe() string {
	t := f.Trial
	s := fmt.Sprintf("%s: %s, rate %g, batch %d, %d steps, keep rate %g", t.Name, t.Solver, t.Rate, t.Batch, t.Steps, t.Keep)
	if t.Arch != "lenet5" {
		s += ", " + t.Arch
	}
	if t.Width != 1 {
		s += fmt.Sprintf(", width %g", t.Width)
	}
	if t.Schedule != "constant" {
		s += ", rate by " + t.Schedule
	}
	return s
}

// layer is a layer's activity at every moment; empty if the trial has no such layer.
func (f *finishedTrial) layer(name string) (all []experiments.Activity) {
	for _, m := range f.Moments {
		for _, a := range m.Layers {
			if a.Layer == name {
				all = append(all, a)
			}
		}
	}
	return all
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
	MinStep      int       `json:"step_of_minimum_activation"`  // of the first layer before its rectifier, after the start
	LowMeanStep  int       `json:"step_of_lowest_mean_feature"` // of the first layer behind its rectifier, after the start
	Sparsity     []float64 `json:"sparsity"`                    // of each convolution at the end
	MeanRatio    []float64 `json:"mean_ratio"`                  // mean feature at the end over that before training, of each convolution behind its rectifier
	DevRatio     []float64 `json:"deviation_ratio"`             // the same of the deviation
	Speed        *float64  `json:"images_per_second"`
	Seconds      *float64  `json:"seconds"`
	Diverged     string    `json:"diverged,omitempty"`
}

// trialRows makes the lines of the comparison, and the accuracy that convergence
// is measured to: nine tenths of the lowest best, of the trials that reach half of
// the highest and did not diverge, so that one failure does not make it chance.
func trialRows(done []*finishedTrial) (rows []trialRow, threshold float64) {
	top := 0.0
	for _, f := range done {
		if b := f.Run.best().TestAccuracy; b != nil && f.Run.Diverged == "" {
			top = max(top, *b)
		}
	}
	threshold = 0.9 * top
	for _, f := range done {
		if b := f.Run.best().TestAccuracy; b != nil && f.Run.Diverged == "" && *b >= top/2 {
			threshold = min(threshold, 0.9**b)
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
		lowest, lowMean := math.Inf(1), math.Inf(1)
		for i, m := range f.Moments {
			if i == 0 && len(f.Moments) > 1 {
				continue // the first weights are not training's
			}
			if v := m.Layers[0].Min; v < lowest {
				lowest, row.MinStep = v, m.Step
			}
			if v := m.Layers[0].FeatureMean; v < lowMean {
				lowMean, row.LowMeanStep = v, m.Step
			}
		}
		first, last := f.Moments[0], f.Moments[len(f.Moments)-1]
		for l := range last.Layers {
			row.Sparsity = append(row.Sparsity, last.Layers[l].Sparsity)
			row.MeanRatio = append(row.MeanRatio, last.Layers[l].FeatureMean/max(first.Layers[l].FeatureMean, 1e-12))
			row.DevRatio = append(row.DevRatio, last.Layers[l].FeatureDeviation/max(first.Layers[l].FeatureDeviation, 1e-12))
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
		lines = append(lines, append(line, r.Diverged))
	}
	header := []string{"trial", "solver", "rate", "batch", "steps", "keep", "test_accuracy", "best_test_accuracy", "best_step", "train_accuracy", "steps_to_threshold", "images_per_second", "seconds", "expected", "diverged"}
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
	fmt.Fprintln(w, "\ntrial\tsolver\trate\tbatch\tsteps\tkeep\ttest accuracy\texpected\tbest\tat step\timages/s\tseconds")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[13], l[7], l[8], l[11], l[12])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer)
	for _, r := range rows {
		if r.Diverged != "" {
			fmt.Fprintf(c.App.Writer, "%s diverged: %s\n", r.Trial.Name, r.Diverged)
		}
	}
	for _, f := range findings {
		fmt.Fprintf(c.App.Writer, "%s: %s\n", f.Question, f.Answer)
	}
	return nil
}
