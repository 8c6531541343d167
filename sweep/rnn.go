package sweep

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// RNN asks for recurrent networks that read images row by row, every cell in every size, and a convolutional one
// beside them: trained on the same images in the same order and compared.
type RNN struct {
	Cells     []string // of rnn, lstm, gru
	Hidden    []int    // hidden units
	CNN       string   // the convolutional network's architecture; "": none
	Keep      float64  // probability to keep a value in its dropout
	CNNRate   float64  // its learning rate
	Options   train.Options
	Evals     int  // measurements of accuracy in each run
	StepsOnly bool // do not train once more for as long as the convolutional network took
}

// timed tells whether the recurrent networks are trained once more for equal time.
func (r RNN) timed() bool { return r.CNN != "" && !r.StepsOnly }

// Validate reports the first thing wrong with the request.
func (r RNN) Validate() error {
	for _, n := range r.Hidden {
		if n < 1 || n > 4096 {
			return &view.FieldError{Field: "hidden", Problem: fmt.Sprintf("%d: want numbers from 1 to 4096, as in 50,100,200", n)}
		}
	}
	for _, cell := range r.Cells {
		if !slices.Contains([]string{"rnn", "lstm", "gru"}, cell) {
			return &view.FieldError{Field: "cells", Problem: cell + ": want some of rnn,lstm,gru"}
		}
	}
	if r.Options.Steps < 2 {
		return &view.FieldError{Field: "steps", Problem: "must be at least 2"}
	}
	if r.Evals < 1 {
		return &view.FieldError{Field: "evals", Problem: "must be at least 1"}
	}
	if !(r.CNNRate >= 0) { // even where no convolutional network is trained
		return &view.FieldError{Field: "cnn-rate", Problem: fmt.Sprintf("%g: must not be negative", r.CNNRate)}
	}
	if !(r.Keep >= 0 && r.Keep <= 1) {
		return &view.FieldError{Field: "keep", Problem: fmt.Sprintf("%g: want a share from 0 to 1", r.Keep)}
	}
	if r.timed() && r.Options.Steps < 2*r.Evals {
		return &SettingError{fmt.Errorf("%d measurements in %d steps leave no time between them to measure speed", r.Evals, r.Options.Steps),
			"give more --steps or fewer --evals, or compare for equal steps alone with --steps-only"}
	}
	return nil
}

// Fits reports an error unless a data set is of grey images.
func (r RNN) Fits(data *images.Data) error {
	if c, _, _ := data.Train.Shape(); data.Train.Len() > 0 && c != 1 {
		return &SettingError{errors.New("recurrent networks read grey images row by row, these have colours"), "use mnist, fashion-mnist or other grey images"}
	}
	return nil
}

// TooFewSteps says that the speed of a run cannot be told.
type TooFewSteps struct{ Run string }

func (e *TooFewSteps) Error() string {
	return e.Run + ": there are too few steps to measure its speed"
}

// Hint says what can be done.
func (e *TooFewSteps) Hint() string {
	return "give more --steps, or compare for equal steps alone with --steps-only"
}

// RNNRow is a line of the comparison.
type RNNRow struct {
	Name          string   `json:"name"`
	Parameters    int      `json:"parameters"`
	MACs          int64    `json:"macs"`
	TestAccuracy  *float64 `json:"test_accuracy"` // after all steps
	TrainAccuracy *float64 `json:"train_accuracy"`
	TestLoss      *float64 `json:"test_loss"`
	Best          *float64 `json:"best_test_accuracy"`
	Plateau       *float64 `json:"plateau_std"`       // standard deviation of the test accuracy over the last third of its measurements
	OldPlateau    *float64 `json:"plateau_deviation"` // the older name of Plateau, for one more version
	Speed         *float64 `json:"images_per_second"`
	Seconds       *float64 `json:"seconds"`
	StepsInTime   int      `json:"steps_in_equal_time,omitempty"` // in the time the convolutional network took for all steps
	AtEqualTime   *float64 `json:"test_accuracy_in_equal_time,omitempty"`
	Diverged      string   `json:"diverged,omitempty"`
}

// RNNResult is the comparison of networks that were trained.
type RNNResult struct {
	Data    string   `json:"data"`
	Seconds *float64 `json:"equal_time_seconds"` // what the convolutional network took; nil without equal time
	Rows    []RNNRow `json:"rows"`

	runs, inTime []*Run // for equal steps and, unless nil, for equal time
}

// rnnJobs are the trainings for equal steps; the convolutional network is the last.
func (f *Folder) rnnJobs(r RNN) (jobs []job) {
	add := func(name, arch string, o model.ArchOptions, rate float64) {
		o.Seed = r.Options.Seed
		options := r.Options
		options.Rate = rate
		jobs = append(jobs, job{name: name, evals: r.Evals, o: options, build: func() (*model.Network, error) {
			net, err := f.fresh(arch, o, true)
			if err != nil {
				return nil, err
			}
			net.Name, net.Origin = name, model.Origin{Arch: arch, Data: f.data.Name, Tool: f.o.Tool}
			return net, nil
		}})
	}
	for _, cell := range r.Cells {
		for _, n := range r.Hidden {
			add(fmt.Sprintf("%s %d", cell, n), cell, model.ArchOptions{Width: float64(n) / 100}, r.Options.Rate)
		}
	}
	if r.CNN != "" {
		add("cnn "+r.CNN, r.CNN, model.ArchOptions{Keep: r.Keep}, r.CNNRate)
	}
	return jobs
}

// CompareRNN trains the networks, or what is left of them, and compares them.
func (f *Folder) CompareRNN(ctx context.Context, r RNN) (*RNNResult, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if err := r.Fits(f.data); err != nil {
		return nil, err
	}
	jobs := f.rnnJobs(r)
	if err := f.plan(ctx, jobs); err != nil {
		return nil, err
	}
	result := &RNNResult{Data: f.data.Name}
	for i := range jobs {
		run, err := f.run(ctx, &jobs[i])
		if err != nil {
			return nil, err
		}
		result.runs = append(result.runs, run)
	}
	if r.timed() {
		last := result.runs[len(result.runs)-1]
		seconds := last.Seconds(last.Final())
		inTime, err := f.equalTime(ctx, jobs, result.runs, seconds)
		if err != nil {
			return nil, err
		}
		result.inTime, result.Seconds = inTime, finite(seconds)
	}
	result.Rows = compareRuns(result.runs, result.inTime)
	return result, nil
}

// equalTime trains the recurrent networks once more, with as many steps as fit into
// the given seconds, those that the last run, the convolutional network's, took.
func (f *Folder) equalTime(ctx context.Context, jobs []job, runs []*Run, seconds float64) ([]*Run, error) {
	var more []job
	for i, r := range runs[:len(runs)-1] {
		j := jobs[i]
		fit := seconds * r.Speed() / float64(j.o.Batch)
		if fit != fit {
			return nil, &TooFewSteps{r.Name}
		}
		most := 100 * j.o.Steps
		if fit > float64(most) {
			f.o.note("%s: %.0f steps would fit into %.0f s, %d are taken", r.Name, fit, seconds, most)
		}
		j.name += ", equal time"
		j.o.Steps = max(int(math.Round(min(fit, float64(most)))), 2)
		j.o.DropEvery, j.o.EvalEvery, j.o.CheckpointEvery, j.o.LogEvery = 0, 0, 0, 0 // they follow from the steps
		more = append(more, j)
	}
	out := slices.Clone(runs)
	for i := range more {
		r, err := f.run(ctx, &more[i])
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}

// compareRuns makes the table of the runs for equal steps and, unless it is nil, for
// equal time.
func compareRuns(runs, inTime []*Run) (rows []RNNRow) {
	for i, r := range runs {
		last := r.Final()
		row := RNNRow{Name: r.Name, Parameters: r.Parameters, MACs: r.MACs, TestAccuracy: last.TestAccuracy, TrainAccuracy: last.TrainAccuracy,
			TestLoss: last.TestLoss, Best: r.Best().TestAccuracy, Speed: finite(r.Speed()), Seconds: finite(r.Seconds(last))}
		var plateau []float64
		for _, p := range r.Points[len(r.Points)-max(len(r.Points)/3, 1):] {
			plateau = append(plateau, orNaN(p.TestAccuracy))
		}
		_, std := meanStd(plateau)
		row.Plateau = finite(std)
		row.OldPlateau = row.Plateau
		row.Diverged = r.Diverged
		if inTime != nil {
			row.StepsInTime, row.AtEqualTime = inTime[i].Final().Step, inTime[i].Final().TestAccuracy
			if row.Diverged == "" {
				row.Diverged = inTime[i].Diverged
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// Diverged says which runs diverged.
func (t *RNNResult) Diverged() (lines []string) {
	for _, r := range t.Rows {
		if r.Diverged != "" {
			lines = append(lines, r.Name+" diverged: "+r.Diverged)
		}
	}
	return lines
}
