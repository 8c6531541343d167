package sweep

import (
	"fmt"
	"math"
	"strconv"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// TrialsResult is the comparison of trials that were trained.
type TrialsResult struct {
	Data      string     `json:"data"`
	Findings  []Finding  `json:"findings"`
	Threshold float64    `json:"threshold"` // the accuracy that convergence is measured to
	Trials    []TrialRow `json:"trials"`

	request Trials // resolved
	course  bool   // the course's own list
	limited bool   // to a part of the images
	sizes   [2]int // training and test images
	done    []*finishedTrial
	o       Options
}

// finishedTrial is a trial with all that was recorded.
type finishedTrial struct {
	Trial   Trial
	Run     *Run
	Moments []moment
}

// describe says what is particular about a trial.
func (f *finishedTrial) describe() string {
	t := f.Trial
	s := fmt.Sprintf("%s: %s, rate %g, batch %d, %d steps, keep probability %g", t.Name, t.Optimizer, t.Rate, t.Batch, t.Steps, t.Keep)
	if t.Arch != "lenet5" {
		s += ", " + t.Arch
	}
	if t.Width != 1 {
		s += fmt.Sprintf(", width %g", t.Width)
	}
	if t.Schedule != train.ScheduleConstant {
		s += ", rate by " + string(t.Schedule)
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

// TrialRow is a line of the comparison.
type TrialRow struct {
	Trial        Trial     `json:"trial"`
	TestAccuracy *float64  `json:"test_accuracy"`
	Best         *float64  `json:"best_test_accuracy"`
	BestStep     int       `json:"best_step"`
	Train        *float64  `json:"train_accuracy"`
	ToThreshold  *int      `json:"steps_to_threshold"` // first measured step at the common accuracy
	ToOwn        int       `json:"steps_to_95_percent_of_best"`
	MinStep      int       `json:"step_of_minimum_activation"`  // of the first layer before its ReLU, after the start
	LowMeanStep  int       `json:"step_of_lowest_mean_feature"` // of the first layer after its ReLU, after the start
	Sparsity     []float64 `json:"sparsity"`                    // of each convolution at the end
	MeanRatio    []float64 `json:"mean_ratio"`                  // mean feature at the end over that before training, of each convolution after its ReLU
	StdRatio     []float64 `json:"std_ratio"`                   // the same of the standard deviation
	OldStdRatio  []float64 `json:"deviation_ratio"`             // the older name of StdRatio, for one more version
	Speed        *float64  `json:"images_per_second"`
	Seconds      *float64  `json:"seconds"`
	Diverged     string    `json:"diverged,omitempty"`
}

// commonAccuracy is what convergence is measured to: 90 % of the lowest best accuracy,
// of the trials that reach half of the highest and did not diverge, so that one failure
// does not make it chance.
func commonAccuracy(done []*finishedTrial) float64 {
	top := 0.0
	for _, f := range done {
		if b := f.Run.Best().TestAccuracy; b != nil && f.Run.Diverged == "" {
			top = max(top, *b)
		}
	}
	threshold := 0.9 * top
	for _, f := range done {
		if b := f.Run.Best().TestAccuracy; b != nil && f.Run.Diverged == "" && *b >= top/2 {
			threshold = min(threshold, 0.9**b)
		}
	}
	return threshold
}

// trialRows makes the lines of the comparison, and the common accuracy.
func trialRows(done []*finishedTrial) (rows []TrialRow, threshold float64) {
	threshold = commonAccuracy(done)
	for _, f := range done {
		r := f.Run
		row := TrialRow{Trial: f.Trial, TestAccuracy: r.Final().TestAccuracy, Best: r.Best().TestAccuracy, BestStep: r.Best().Step, Train: r.Final().TrainAccuracy,
			ToOwn: -1, Speed: finite(r.Speed()), Seconds: finite(r.Seconds(r.Final())), Diverged: r.Diverged}
		for _, p := range r.Points {
			a := orNaN(p.TestAccuracy)
			if row.ToThreshold == nil && a >= threshold {
				row.ToThreshold = &p.Step
			}
			if row.ToOwn < 0 && a >= 0.95*orNaN(row.Best) {
				row.ToOwn = p.Step
			}
		}
		row.activity(f.Moments)
		rows = append(rows, row)
	}
	return rows, threshold
}

// activity fills in what is about activations.
func (row *TrialRow) activity(moments []moment) {
	lowest, lowMean := math.Inf(1), math.Inf(1)
	for i, m := range moments {
		if i == 0 && len(moments) > 1 {
			continue // the first weights are not training's
		}
		if v := m.Layers[0].Min; v < lowest {
			lowest, row.MinStep = v, m.Step
		}
		if v := m.Layers[0].FeatureMean; v < lowMean {
			lowMean, row.LowMeanStep = v, m.Step
		}
	}
	first, last := moments[0], moments[len(moments)-1]
	for l := range last.Layers {
		row.Sparsity = append(row.Sparsity, last.Layers[l].Sparsity)
		row.MeanRatio = append(row.MeanRatio, last.Layers[l].FeatureMean/max(first.Layers[l].FeatureMean, 1e-12))
		row.StdRatio = append(row.StdRatio, last.Layers[l].FeatureStd/max(first.Layers[l].FeatureStd, 1e-12))
	}
	row.OldStdRatio = row.StdRatio
}

// Table is the comparison as rows of text.
func (t *TrialsResult) Table() view.Table {
	out := view.Table{Name: "trials", Header: []string{"trial", "solver", "rate", "batch", "steps", "keep", "test_accuracy", "best_test_accuracy", "best_step", "train_accuracy",
		"steps_to_threshold", "images_per_second", "seconds", "expected", "diverged"}}
	for _, r := range t.Trials {
		to, expected := "", ""
		if r.ToThreshold != nil {
			to = strconv.Itoa(*r.ToThreshold)
		}
		if r.Trial.Expect > 0 {
			expected = view.Num(r.Trial.Expect, 3)
		}
		out.Rows = append(out.Rows, []string{r.Trial.Name, string(r.Trial.Optimizer), fmt.Sprint(r.Trial.Rate), strconv.Itoa(r.Trial.Batch), strconv.Itoa(r.Trial.Steps), fmt.Sprint(r.Trial.Keep),
			view.Num(orNaN(r.TestAccuracy), 4), view.Num(orNaN(r.Best), 4), strconv.Itoa(r.BestStep), view.Num(orNaN(r.Train), 4), to, view.Num(orNaN(r.Speed), 0),
			view.Num(orNaN(r.Seconds), 0), expected, r.Diverged})
	}
	return out
}

// Text is the comparison in columns.
func (t *TrialsResult) Text() [][]string {
	text := [][]string{{"trial", "optimizer", "rate", "batch", "steps", "keep", "test accuracy", "expected", "best", "at step", "images/s", "seconds"}}
	for _, l := range t.Table().Rows {
		text = append(text, []string{l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[13], l[7], l[8], l[11], l[12]})
	}
	return text
}

// Remarks says which trials diverged, and what was found.
func (t *TrialsResult) Remarks() (lines []string) {
	for _, r := range t.Trials {
		if r.Diverged != "" {
			lines = append(lines, r.Trial.Name+" diverged: "+r.Diverged)
		}
	}
	for _, f := range t.Findings {
		lines = append(lines, f.Question+": "+f.Answer)
	}
	return lines
}
