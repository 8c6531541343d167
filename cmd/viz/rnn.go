package main

import (
	"fmt"
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

func rnnCommand() *cli.Command {
	return &cli.Command{
		Name: "rnn", Usage: "compare recurrent networks that read images row by row with each other and with a convolutional one",
		UsageText: "viz rnn [flags]",
		Description: "Trains every cell in every size and the convolutional network on the same images in the same\n" +
			"order, once for equal steps and once for equal time (that of the convolutional one), and writes\n" +
			"curves and tables into a folder. Broken off, the same command goes on.\n\n" +
			examples("viz rnn --data mnist", "viz rnn --data mnist --hidden 50,100,200,500 --rate 0.001 --schedule constant --out course-rnn"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Value: "mnist", Usage: "grey images: a name (mnist, fashion-mnist), a `DIR` or a FILE"}, seedFlag,
			&cli.StringFlag{Name: "cells", Value: "rnn,lstm,gru", Usage: "comma-separated"},
			&cli.StringFlag{Name: "hidden", Value: "50,100,200", Usage: "hidden units, comma-separated (the course also has 500)"},
			&cli.StringFlag{Name: "cnn", Value: "lenet5", Usage: "convolutional `ARCH`itecture beside them, or none"},
			&cli.StringFlag{Name: "solver", Value: "adam", Usage: strings.Join(train.Solvers(), ", ")},
			&cli.Float64Flag{Name: "rate", Value: 0.003, Usage: "learning rate of the recurrent networks"},
			&cli.Float64Flag{Name: "cnn-rate", Value: 0.001, Usage: "learning rate of the convolutional one"},
			&cli.StringFlag{Name: "schedule", Value: "cosine", Usage: "of the rate: " + strings.Join(train.Schedules(), ", ")},
			&cli.IntFlag{Name: "batch", Value: 100, Usage: "images a step"},
			&cli.IntFlag{Name: "steps", Value: 500, Usage: "`NUMBER` of steps"},
			&cli.BoolFlag{Name: "steps-only", Usage: "do not train the recurrent networks once more for as long as the convolutional one took"},
			&cli.IntFlag{Name: "evals", Value: 20, Usage: "measurements of accuracy in each run"},
			&cli.Float64Flag{Name: "keep", Value: 0.5, Usage: "probability to keep a value in the convolutional network's dropout"},
			&cli.Uint64Flag{Name: "seed", Usage: "of initial weights, order and dropout"},
			&cli.IntFlag{Name: "limit", Usage: "train and test on `N` images at most, a fixed random choice, 0: all"},
			&cli.Float64Flag{Name: "hold-out", Value: 0.1, Usage: "share of the images to test on if the data has no test split"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "rnn", Usage: "`DIR` for runs, curves and tables"},
			jsonFlag, workersFlag, quietFlag,
		},
		Action: runRNN,
	}
}

// rnnRow is a line of the comparison.
type rnnRow struct {
	Name          string   `json:"name"`
	Parameters    int      `json:"parameters"`
	MACs          int64    `json:"macs"`
	TestAccuracy  *float64 `json:"test_accuracy"` // after all steps
	TrainAccuracy *float64 `json:"train_accuracy"`
	TestLoss      *float64 `json:"test_loss"`
	Best          *float64 `json:"best_test_accuracy"`
	Plateau       *float64 `json:"plateau_deviation"` // standard deviation of the test accuracy over the last third of its measurements
	Speed         *float64 `json:"images_per_second"`
	Seconds       *float64 `json:"seconds"`
	StepsInTime   int      `json:"steps_in_equal_time,omitempty"` // in the time the convolutional network took for all steps
	AtEqualTime   *float64 `json:"test_accuracy_in_equal_time,omitempty"`
	Diverged      string   `json:"diverged,omitempty"`
}

func runRNN(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz rnn takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	cells := strings.Split(c.String("cells"), ",")
	var hidden []int
	for _, s := range strings.Split(c.String("hidden"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 4096 {
			return usage(fmt.Sprintf("--hidden %s: want numbers from 1 to 4096, as in 50,100,200", c.String("hidden")), "")
		}
		hidden = append(hidden, n)
	}
	for _, cell := range cells {
		if !slices.Contains([]string{"rnn", "lstm", "gru"}, cell) {
			return usage("--cells "+c.String("cells")+": want some of rnn,lstm,gru", "")
		}
	}
	if c.Int("steps") < 2 || c.Int("evals") < 1 {
		return usage("--steps must be at least 2, --evals at least 1", "")
	}
	timed := c.String("cnn") != "none" && !c.Bool("steps-only")
	if timed && c.Int("steps") < 2*c.Int("evals") {
		return usage(fmt.Sprintf("%d measurements in %d steps leave no time between them to measure speed", c.Int("evals"), c.Int("steps")),
			"give more --steps or fewer --evals, or compare for equal steps alone with --steps-only")
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var set *images.List
	k, data, err := openCampaign(c, engine, c.String("data"), func(s *images.List, classes []string) (*model.Network, error) {
		if ch, _, _ := s.Shape(); ch != 1 {
			return nil, usage("recurrent networks read grey images row by row, these have colours", "use mnist, fashion-mnist or other grey images")
		}
		set = s
		return build(s, classes, cells[0], model.ArchOptions{})
	})
	if err != nil {
		return err
	}
	defer k.close()
	var jobs []job
	add := func(name, arch string, o model.ArchOptions, rate float64) error {
		o.Seed = c.Uint64("seed")
		net, err := build(set, data.Classes, arch, o)
		if err != nil {
			return err
		}
		measure(net, k.images[0], true)
		net.Name, net.Origin = name, model.Origin{Arch: arch, Data: k.data, Tool: "viz " + version()}
		jobs = append(jobs, job{name: name, net: net, evals: c.Int("evals"), o: train.Options{Solver: c.String("solver"), Rate: rate,
			Schedule: c.String("schedule"), Batch: c.Int("batch"), Steps: c.Int("steps"), Seed: c.Uint64("seed")}})
		return nil
	}
	for _, cell := range cells {
		for _, n := range hidden {
			if err := add(fmt.Sprintf("%s %d", cell, n), cell, model.ArchOptions{Width: float64(n) / 100}, c.Float64("rate")); err != nil {
				return err
			}
		}
	}
	if arch := c.String("cnn"); arch != "none" {
		if err := add("cnn "+arch, arch, model.ArchOptions{Keep: c.Float64("keep")}, c.Float64("cnn-rate")); err != nil {
			return err
		}
	}
	if err := k.plan(jobs); err != nil {
		return err
	}
	var runs []*trained
	for i := range jobs {
		r, err := k.run(&jobs[i])
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	equal, inTime := math.NaN(), []*trained(nil)
	if timed {
		equal = runs[len(runs)-1].seconds(runs[len(runs)-1].final())
		if inTime, err = k.equalTime(jobs, runs, equal); err != nil {
			return err
		}
	}
	if err := drawRNN(c, k, runs, inTime, equal); err != nil {
		return err
	}
	return tableRNN(c, k, compareRuns(runs, inTime), equal)
}

// equalTime trains the recurrent networks once more, with as many steps as fit into
// the given seconds, those that the last run, the convolutional network's, took.
func (k *campaign) equalTime(jobs []job, runs []*trained, seconds float64) ([]*trained, error) {
	var more []job
	for i, r := range runs[:len(runs)-1] {
		j := jobs[i]
		fit := seconds * r.speed() / float64(j.o.Batch)
		if fit != fit {
			return nil, hinted(fmt.Errorf("%s: there are too few steps to measure its speed", r.Name), "give more --steps, or compare for equal steps alone with --steps-only")
		}
		most := 100 * j.o.Steps
		if fit > float64(most) {
			note(k.c, "%s: %.0f steps would fit into %.0f s, %d are taken", r.Name, fit, seconds, most)
		}
		j.name += ", equal time"
		j.o.Steps = max(int(math.Round(min(fit, float64(most)))), 2)
		j.o.DropEvery, j.o.EvalEvery, j.o.CheckpointEvery, j.o.LogEvery = 0, 0, 0, 0 // they follow from the steps
		more = append(more, j)
	}
	out := slices.Clone(runs)
	for i := range more {
		r, err := k.run(&more[i])
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}

// compareRuns makes the table of the runs for equal steps and, unless it is nil, for
// equal time.
func compareRuns(runs, inTime []*trained) (rows []rnnRow) {
	for i, r := range runs {
		last := r.final()
		row := rnnRow{Name: r.Name, Parameters: r.Parameters, MACs: r.MACs, TestAccuracy: last.TestAccuracy, TrainAccuracy: last.TrainAccuracy,
			TestLoss: last.TestLoss, Best: r.best().TestAccuracy, Speed: finite(r.speed()), Seconds: finite(r.seconds(last))}
		var plateau []float64
		for _, p := range r.Points[len(r.Points)-max(len(r.Points)/3, 1):] {
			plateau = append(plateau, orNaN(p.TestAccuracy))
		}
		_, sd := meanDeviation(plateau)
		row.Plateau = finite(sd)
		row.Diverged = r.Diverged
		if inTime != nil {
			row.StepsInTime, row.AtEqualTime = inTime[i].final().Step, inTime[i].final().TestAccuracy
			if row.Diverged == "" {
				row.Diverged = inTime[i].Diverged
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// meanDeviation is the mean and the standard deviation, as over a sample (n-1).
func meanDeviation(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	if len(v) == 0 {
		return math.NaN(), math.NaN()
	}
	if len(v) == 1 {
		return mean, math.NaN()
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean) / float64(len(v)-1)
	}
	return mean, math.Sqrt(sd)
}

func drawRNN(c *cli.Context, k *campaign, runs, inTime []*trained, equal float64) error {
	accuracy := func(p curvePoint) *float64 { return p.TestAccuracy }
	curves := func(runs []*trained, px func(*trained, curvePoint) float64, py func(curvePoint) *float64) []render.Series {
		var out []render.Series
		for _, r := range runs {
			s := r.series(func(p curvePoint) float64 { return px(r, p) }, py)
			s.Name = strings.TrimSuffix(s.Name, ", equal time")
			s.Dashed = strings.HasPrefix(r.Name, "cnn")
			out = append(out, s)
		}
		return out
	}
	steps := func(_ *trained, p curvePoint) float64 { return float64(p.Step) }
	seconds := func(r *trained, p curvePoint) float64 { return r.seconds(p) }
	floor := 0.8
	for _, r := range runs {
		if v := orNaN(r.final().TestAccuracy); v < floor+0.05 {
			floor = math.Max(0, math.Floor(v*10-1)/10)
		}
	}
	byTime := fmt.Sprintf("Test accuracy by time (%.0f s for each)", equal)
	if inTime == nil {
		byTime, inTime = "Test accuracy by time", runs
	}
	panels := []struct {
		title, x, y string
		s           []render.Series
		lo, hi      float64
	}{
		{"Test accuracy by steps", "steps", "share of test images", curves(runs, steps, accuracy), floor, 1},
		{"Test loss by steps", "steps", "cross-entropy, nats", curves(runs, steps, func(p curvePoint) *float64 { return p.TestLoss }), 0, 0},
		{"Training loss by steps", "steps", "cross-entropy, nats", curves(runs, steps, func(p curvePoint) *float64 { return p.TrainLoss }), 0, 0},
		{byTime, "seconds of training", "share of test images", curves(inTime, seconds, accuracy), floor, 1},
	}
	plate := render.Plate{Title: "Recurrent networks beside a convolutional one on " + k.data, Columns: 2, Scale: 1.7,
		Caption: []string{fmt.Sprintf("Each network takes %d steps of %d images. Accuracy and loss are measured with dropout off. The time is that of training alone.",
			runs[0].Options.Steps, runs[0].Options.Batch)}}
	for _, p := range panels {
		plate.Panels = append(plate.Panels, render.Chart{Title: p.title, XLabel: p.x, YLabel: p.y, Width: 900, Height: 640, Scale: 1.7, YMin: p.lo, YMax: p.hi}.Lines(p.s))
	}
	return writePlate(c, k.dir, "rnn-curves", plate.Draw())
}

func tableRNN(c *cli.Context, k *campaign, rows []rnnRow, equal float64) error {
	header := []string{"network", "parameters", "macs", "test_accuracy", "train_accuracy", "test_loss", "best_test_accuracy", "plateau_deviation",
		"images_per_second", "seconds", "steps_in_equal_time", "test_accuracy_in_equal_time", "diverged"}
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, []string{r.Name, strconv.Itoa(r.Parameters), strconv.FormatInt(r.MACs, 10), num(orNaN(r.TestAccuracy), 4), num(orNaN(r.TrainAccuracy), 4),
			num(orNaN(r.TestLoss), 4), num(orNaN(r.Best), 4), num(orNaN(r.Plateau), 5), num(orNaN(r.Speed), 0), num(orNaN(r.Seconds), 1), strconv.Itoa(r.StepsInTime), num(orNaN(r.AtEqualTime), 4), r.Diverged})
	}
	result := map[string]any{"data": k.data, "equal_time_seconds": finite(equal), "rows": rows}
	if err := writeNumbers(c, k.dir, "rnn", result, header, lines); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, result)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nnetwork\tparameters\tmultiply-adds\ttest accuracy\tbest\tplateau ±\timages/s\tseconds")
	timed := equal == equal
	if timed {
		fmt.Fprintf(w, "\tin %.0f s\tsteps", equal)
	}
	fmt.Fprintln(w)
	for i, r := range rows {
		l := lines[i]
		fmt.Fprintf(w, "%s\t%d\t%.2f M\t%s\t%s\t%s\t%s\t%s", r.Name, r.Parameters, float64(r.MACs)/1e6, l[3], l[6], l[7], l[8], l[9])
		if timed {
			fmt.Fprintf(w, "\t%s\t%s", l[11], l[10])
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Diverged != "" {
			fmt.Fprintf(c.App.Writer, "%s diverged: %s\n", r.Name, r.Diverged)
		}
	}
	return nil
}
