package sweep

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model/train"
)

// Finding is an answer to one of the questions of the course's report.
type Finding struct {
	Question string   `json:"question"`
	Answer   string   `json:"answer"`
	Numbers  []string `json:"numbers"`
}

// comparison is what the questions are put to. Few trials that differ in several
// settings at once prove little: correlations are given with the probability of
// one as strong by chance, and pairs of trials that differ in one setting alone
// are named. Trials that diverged have no part in it.
type comparison struct {
	rows      []TrialRow
	done      []*finishedTrial
	threshold float64 // the common accuracy, see TrialRows
}

// hypotheses answers the questions of the course's report.
func hypotheses(rows []TrialRow, done []*finishedTrial, threshold float64) []Finding {
	c := comparison{threshold: threshold}
	for i, r := range rows {
		if r.Diverged == "" {
			c.rows, c.done = append(c.rows, r), append(c.done, done[i])
		}
	}
	return []Finding{c.keepAndSpeed(), c.sparsityAndAccuracy(), c.shrinking(), c.batchSize(), c.lowestAndBest()}
}

func (c comparison) column(f func(r TrialRow) float64) []float64 {
	out := make([]float64, len(c.rows))
	for i, r := range c.rows {
		out[i] = f(r)
	}
	return out
}

// correlate is the rank correlation of two columns as a sentence and as numbers.
func correlate(what string, x, y []float64) (text string, rho, p float64) {
	rho, p, n := spearman(x, y)
	switch {
	case n < 3:
		return fmt.Sprintf("%s: too few trials to correlate", what), rho, p
	case rho != rho:
		return fmt.Sprintf("%s: the same in all of %d trials", what, n), rho, p
	}
	return fmt.Sprintf("%s: rank correlation %+.2f over %d trials (p = %.2f, permutation test)", what, rho, n, p), rho, p
}

// verdict is the answer that a rank correlation gives.
func verdict(rho, p float64, up, down string) string {
	switch {
	case rho != rho:
		return "cannot be told from these trials"
	case p > 0.05:
		return fmt.Sprintf("not shown by these trials (rank correlation %+.2f, p = %.2f, permutation test)", rho, p)
	case rho > 0:
		return fmt.Sprintf("%s (rank correlation %+.2f, p = %.3f)", up, rho, p)
	}
	return fmt.Sprintf("%s (rank correlation %+.2f, p = %.3f)", down, rho, p)
}

func (c comparison) keepAndSpeed() Finding {
	keep := c.column(func(r TrialRow) float64 { return r.Trial.Keep })
	text, rho, p := correlate("keep probability and steps to the common accuracy", keep, c.column(func(r TrialRow) float64 {
		if r.ToThreshold == nil {
			return math.NaN()
		}
		return float64(*r.ToThreshold)
	}))
	own, _, _ := correlate("keep probability and steps to 95 % of a trial's own best", keep, c.column(func(r TrialRow) float64 {
		if r.ToOwn < 0 {
			return math.NaN()
		}
		return float64(r.ToOwn)
	}))
	f := Finding{Question: "Does a lower keep probability slow convergence?", Answer: verdict(rho, p, "no, the opposite", "yes, a lower keep probability takes more steps"),
		Numbers: []string{fmt.Sprintf("common accuracy: %.3f, 90 %% of the lowest best accuracy among trials that reach half the top one", c.threshold), text, own}}
	for _, pair := range onlyDiffer(c.rows, "keep") {
		a, b := c.rows[pair[0]], c.rows[pair[1]]
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s and %s differ in the keep probability alone, %g and %g: %s and %s steps to %.3f; test accuracy %.3f and %.3f at the end", a.Trial.Name, b.Trial.Name,
			a.Trial.Keep, b.Trial.Keep, stepsText(a.ToThreshold), stepsText(b.ToThreshold), c.threshold, orNaN(a.TestAccuracy), orNaN(b.TestAccuracy)))
	}
	return f
}

// layers are the names of the convolution layers of any trial.
func (c comparison) layers() (names []string) {
	for _, t := range c.done {
		for _, a := range t.Moments[0].Layers {
			if !slices.Contains(names, a.Layer) {
				names = append(names, a.Layer)
			}
		}
	}
	return names
}

func (c comparison) sparsityAndAccuracy() Finding {
	f := Finding{Question: "Do sparser activations go with higher accuracy?"}
	best := c.column(func(r TrialRow) float64 { return orNaN(r.Best) })
	strongest, chance := math.NaN(), math.NaN()
	layers := c.layers()
	for _, layer := range layers {
		sparse := make([]float64, len(c.done))
		for i, t := range c.done {
			sparse[i] = math.NaN()
			if a := t.layer(layer); len(a) > 0 {
				sparse[i] = a[len(a)-1].Sparsity
			}
		}
		text, rho, p := correlate("sparsity of "+layer+" at the end and best test accuracy", sparse, best)
		f.Numbers = append(f.Numbers, text)
		if strongest != strongest || math.Abs(rho) > math.Abs(strongest) {
			strongest, chance = rho, p
		}
	}
	// Several layers were looked at, so the strongest of them must be rarer.
	f.Answer = verdict(strongest, min(1, chance*float64(len(layers))), "yes, across trials", "no, the opposite")
	for _, t := range c.done {
		var sparse, acc []float64
		for _, m := range t.Moments {
			for _, pt := range t.Run.Points {
				if pt.Step == m.Step && m.Step > 0 {
					sparse, acc = append(sparse, m.Layers[0].Sparsity), append(acc, orNaN(pt.TestAccuracy))
				}
			}
		}
		if rho := exact.Correlation(ranks(sparse), ranks(acc)); len(sparse) >= 3 && rho == rho {
			f.Numbers = append(f.Numbers, fmt.Sprintf("%s: rank correlation %+.2f of the first layer's sparsity and test accuracy through its %d measurements after the start", t.Trial.Name, rho, len(sparse)))
		}
	}
	return f
}

// shrinking looks at features behind the rectifier, from before training to the end,
// as the course's charts do.
func (c comparison) shrinking() Finding {
	f := Finding{Question: "Does RMSProp, and it alone, shrink mean and standard deviation of the activations?"}
	first, every := map[train.Optimizer][]bool{}, map[train.Optimizer][]bool{}
	for i, r := range c.rows {
		all := true
		var parts []string
		shrinks := func(l int) bool { return r.MeanRatio[l] < 1 && r.StdRatio[l] < 1 }
		for l := range r.MeanRatio {
			all = all && shrinks(l)
			parts = append(parts, fmt.Sprintf("%s mean ×%.2f, standard deviation ×%.2f", c.done[i].Moments[0].Layers[l].Layer, r.MeanRatio[l], r.StdRatio[l]))
		}
		family := r.Trial.Optimizer
		if family == train.RMSPropZero {
			family = train.RMSProp
		}
		first[family], every[family] = append(first[family], shrinks(0)), append(every[family], all)
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s (%s), after ReLU, end of training relative to start: %s", r.Trial.Name, r.Trial.Optimizer, strings.Join(parts, "; ")))
	}
	f.Answer = "in the first convolution: " + onlyRMSProp(first) + "; in every convolution: " + onlyRMSProp(every)
	return f
}

// onlyRMSProp tells from what shrank, in the trials of each optimizer, whether all of
// RMSProp did and none of the others.
func onlyRMSProp(shrank map[train.Optimizer][]bool) string {
	mine, has := shrank[train.RMSProp]
	if !has || len(shrank) < 2 {
		return "undecided: that needs trials with RMSProp and with other optimizers"
	}
	if n := trues(mine); n < len(mine) {
		return fmt.Sprintf("no, both shrink in %d of %d trials with RMSProp", n, len(mine))
	}
	var others []string
	for optimizer, s := range shrank {
		if optimizer != train.RMSProp && trues(s) > 0 {
			others = append(others, fmt.Sprintf("%s (%d of %d)", optimizer, trues(s), len(s)))
		}
	}
	if slices.Sort(others); len(others) > 0 {
		return "RMSProp's trials do, but so do those of " + strings.Join(others, ", ")
	}
	return "yes, and in no other optimizer's trials"
}

func (c comparison) batchSize() Finding {
	last := c.column(func(r TrialRow) float64 { return orNaN(r.TestAccuracy) })
	text, rho, p := correlate("batch size and test accuracy at the end", c.column(func(r TrialRow) float64 { return float64(r.Trial.Batch) }), last)
	seen, _, _ := correlate("training images seen and test accuracy at the end", c.column(func(r TrialRow) float64 { return float64(r.Trial.Batch * r.Trial.Steps) }), last)
	f := Finding{Question: "Do larger batches end with higher test accuracy?", Answer: verdict(rho, p, "yes, across trials", "no, the opposite"),
		Numbers: []string{text, seen + "; a larger batch sees more images in as many steps"}}
	for _, pair := range onlyDiffer(c.rows, "batch") {
		a, b := c.rows[pair[0]], c.rows[pair[1]]
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s and %s differ in the batch alone, %d and %d: %.3f and %.3f",
			a.Trial.Name, b.Trial.Name, a.Trial.Batch, b.Trial.Batch, orNaN(a.TestAccuracy), orNaN(b.TestAccuracy)))
	}
	return f
}

func (c comparison) lowestAndBest() Finding {
	share := func(step func(r TrialRow) int) []float64 {
		return c.column(func(r TrialRow) float64 { return float64(step(r)) / float64(r.Trial.Steps) })
	}
	lowest, top := share(func(r TrialRow) int { return r.MinStep }), share(func(r TrialRow) int { return r.BestStep })
	text, rho, p := correlate("step of the lowest activation and step of the best test accuracy, as shares of all steps", lowest, top)
	means, _, _ := correlate("step of the lowest mean after ReLU and step of the best test accuracy", share(func(r TrialRow) int { return r.LowMeanStep }), top)
	f := Finding{Question: "Is the lowest activation of the first layer reached when test accuracy is best?", Numbers: []string{text, means}}
	near := 0
	for i, r := range c.rows {
		if math.Abs(lowest[i]-top[i]) <= 0.1 {
			near++
		}
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s: lowest activation before ReLU at step %d, lowest mean after it at step %d, best test accuracy at step %d of %d",
			r.Trial.Name, r.MinStep, r.LowMeanStep, r.BestStep, r.Trial.Steps))
	}
	f.Answer = fmt.Sprintf("within a tenth of the steps in %d of %d trials; %s", near, len(c.rows), verdict(rho, p, "later minima go with later bests", "later minima go with earlier bests"))
	return f
}

func trues(v []bool) int {
	n := 0
	for _, b := range v {
		if b {
			n++
		}
	}
	return n
}

func stepsText(v *int) string {
	if v == nil {
		return "never"
	}
	return fmt.Sprint(*v)
}

// onlyDiffer lists the pairs of trials whose settings are equal but for one.
func onlyDiffer(rows []TrialRow, setting string) [][2]int {
	plain := func(t Trial) Trial {
		t.Name, t.Expect = "", 0
		switch setting {
		case "keep":
			t.Keep = 0
		case "batch":
			t.Batch = 0
		}
		return t
	}
	var out [][2]int
	for i := range rows {
		for j := range i {
			a, b := rows[j].Trial, rows[i].Trial
			if plain(a) == plain(b) && (a.Keep != b.Keep || a.Batch != b.Batch) {
				out = append(out, [2]int{j, i})
			}
		}
	}
	return out
}
