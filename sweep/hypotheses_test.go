package sweep

import (
	"math"
	"strings"
	"testing"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model/train"
)

// trained by hand: a trial whose test accuracy goes from 0.1 to best, past half of it
// at the given step, and whose features have the given mean and deviation at
// steps 0, 100 and 200.
func handTrial(name string, solver train.Optimizer, keep float64, at int, best float64, mean, deviation [3]float64) *finishedTrial {
	acc := func(v float64) *float64 { return &v }
	f := &finishedTrial{Trial: Trial{Name: name, Optimizer: solver, Keep: keep, Batch: 100, Steps: 200}, Run: &Run{Name: name}}
	f.Run.Points = []Point{{Step: 0, TestAccuracy: acc(0.1)}}
	for step := 100; step <= 200; step += 10 {
		v := 0.2
		if step >= at {
			v = best
		}
		f.Run.Points = append(f.Run.Points, Point{Step: step, TestAccuracy: acc(v)})
	}
	for i, step := range []int{0, 100, 200} {
		f.Moments = append(f.Moments, moment{Step: step, Layers: []experiments.Activity{
			{Layer: "relu1", FeatureMean: mean[i], FeatureStd: deviation[i], Min: -[3]float64{9, 1, 2}[i], Max: 1}}})
	}
	return f
}

func TestHypotheses(t *testing.T) {
	grow, shrink := [3]float64{1, 1, 2}, [3]float64{2, 1, 1}
	done := []*finishedTrial{
		handTrial("a", "adam", 0.2, 150, 0.6, grow, grow),
		handTrial("b", "adam", 0.4, 140, 0.5, grow, shrink),
		handTrial("c", "sgd", 0.6, 130, 0.6, grow, grow),
		handTrial("d", "rmsprop", 0.8, 120, 0.7, shrink, shrink),
		handTrial("e", "rmsprop_zero", 0.9, 110, 0.6, shrink, shrink),
		handTrial("dead", "sgd", 1, 100, 0.1, grow, grow),       // never learns: no measure of speed
		handTrial("wild", "sgd", 0.1, 100, 0.6, shrink, shrink), // diverged: no part in anything
	}
	done[6].Run.Diverged = "the loss is NaN"
	rows, threshold := trialRows(done)
	if math.Abs(threshold-0.45) > 1e-12 { // of b, not of dead
		t.Errorf("common accuracy %v, want 0.45", threshold)
	}
	if rows[5].ToThreshold != nil || rows[0].ToThreshold == nil || *rows[0].ToThreshold != 150 {
		t.Errorf("steps to it: %v, %v", rows[5].ToThreshold, rows[0].ToThreshold)
	}
	if rows[0].MinStep != 200 { // not the first weights' -9
		t.Errorf("lowest activation at step %d, want 200", rows[0].MinStep)
	}
	if rows[0].LowMeanStep != 100 {
		t.Errorf("lowest mean at step %d, want 100", rows[0].LowMeanStep)
	}
	f := hypotheses(rows, done, threshold)
	for i, want := range []string{
		"yes, a lower keep probability takes more steps (rank correlation -1.00, p = 0.017)", // 2 of 120 orders
		"cannot be told from these trials",                                                   // one sparsity for all
		"in the first convolution: yes, and in no other optimizer's trials; in every convolution: yes, and in no other optimizer's trials",
		"cannot be told from these trials", // one batch for all
		"within a tenth of the steps in 0 of 6 trials",
	} {
		if !strings.HasPrefix(f[i].Answer, want) {
			t.Errorf("%s %q, want %q", f[i].Question, f[i].Answer, want)
		}
		if text := strings.Join(f[i].Numbers, " "); strings.Contains(text, "wild") || strings.Contains(text, "NaN") {
			t.Errorf("%s %s", f[i].Question, text)
		}
	}
	done[2] = handTrial("c", "sgd", 0.6, 130, 0.6, shrink, shrink)
	rows, threshold = trialRows(done)
	if got, want := hypotheses(rows, done, threshold)[2].Answer, "RMSProp's trials do, but so do those of sgd (1 of 2)"; !strings.Contains(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// Failures alone.
	rows, threshold = trialRows(done[6:])
	if f := hypotheses(rows, done[6:], threshold); len(f) != 5 {
		t.Errorf("%d findings", len(f))
	}
}

// Trials that are of another size have a range of their own and leave that of the
// others as it is.
func TestSharedRange(t *testing.T) {
	var all []*finishedTrial
	ranges := map[*finishedTrial][2]float64{}
	for _, r := range [][2]float64{{-1, 2}, {0, 3}, {-2, 1}, {-1e20, 5}, {math.Inf(1), math.Inf(-1)}} {
		f := &finishedTrial{}
		all, ranges[f] = append(all, f), r
	}
	of := func(f *finishedTrial) (lo, hi float64) { return ranges[f][0], ranges[f][1] }
	for i, want := range [][2]float64{{-2, 3}, {-2, 3}, {-2, 3}, {-1e20, 5}} {
		if lo, hi := sharedRange(all[i], all, of); lo != want[0] || hi != want[1] {
			t.Errorf("trial %d: %g to %g, want %v", i, lo, hi, want)
		}
	}
	if lo, hi := sharedRange(nil, all, of); lo != -2 || hi != 3 {
		t.Errorf("all: %g to %g", lo, hi)
	}
	if lo, hi := sharedRange(nil, all[4:], of); lo != 0 || hi != 0 {
		t.Errorf("none: %g to %g", lo, hi)
	}
}

func TestApart(t *testing.T) {
	if apart(0.52-0.55) || apart(0.58-0.55) || !apart(0.519-0.55) || !apart(0.581-0.55) {
		t.Error("0.03 is within 0.03, 0.031 is not")
	}
}

// Rank correlations worked out by hand.
func TestSpearman(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		x, y   []float64
		rho, p float64
		n      int
	}{
		{[]float64{1, 2, 3, 4}, []float64{10, 20, 30, 99}, 1, 2. / 24, 4}, // and the one in reverse
		{[]float64{1, 2, 3}, []float64{5, 4, 3}, -1, 2. / 6, 3},           //
		{[]float64{1, 2, 3, 4}, []float64{1, 3, 2, 4}, 0.8, 8. / 24, 4},   // 1 - 6*2/(4*15); as strong: +-1, and +-0.8 thrice each
		{[]float64{1, 2, nan, 3}, []float64{5, 4, 100, 3}, -1, 2. / 6, 3}, // NaN is left out
		{[]float64{1, 1, 1, 1}, []float64{1, 2, 3, 4}, nan, nan, 4},       // nothing varies
		{[]float64{1, 2, 3, 4, 5, 6}, []float64{7, 7, 7, 7, 7, 7}, nan, nan, 6},
		{[]float64{1, 2}, []float64{1, 2}, nan, nan, 2},               // too few
		{[]float64{1, 1, 2, 2}, []float64{3, 3, 7, 7}, 1, 8. / 24, 4}, // ties
	} {
		rho, p, n := spearman(c.x, c.y)
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 || a != a && b != b }
		if !same(rho, c.rho) || !same(p, c.p) || n != c.n {
			t.Errorf("%v, %v: %v, %v, %d, want %v, %v, %d", c.x, c.y, rho, p, n, c.rho, c.p, c.n)
		}
	}
}

// Pairs of trials that differ in one setting alone are found whatever they are called.
func TestOnlyDiffer(t *testing.T) {
	var rows []TrialRow
	for _, c := range Course() {
		rows = append(rows, TrialRow{Trial: c})
	}
	if got := onlyDiffer(rows, "keep"); len(got) != 1 || got[0] != [2]int{0, 1} {
		t.Errorf("differ in the keep probability alone: %v", got)
	}
	if got := onlyDiffer(rows, "batch"); len(got) != 0 {
		t.Errorf("differ in the batch alone: %v", got)
	}
}
