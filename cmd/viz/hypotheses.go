package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// finding is an answer to one of the questions of the course's report.
type finding struct {
	Question string   `json:"question"`
	Answer   string   `json:"answer"`
	Numbers  []string `json:"numbers"`
}

// comparison is what the questions are put to. Few trials that differ in several
// settings at once prove little: correlations are given with the probability of
// one as strong by chance, and pairs of trials that differ in one setting alone
// are named. Trials that diverged have no part in it.
type comparison struct {
	rows      []trialRow
	done      []*finishedTrial
	threshold float64 // the common accuracy, see trialRows
}

// hypotheses answers the questions of the course's report.
func hypotheses(rows []trialRow, done []*finishedTrial, threshold float64) []finding {
	c := comparison{threshold: threshold}
	for i, r := range rows {
		if r.Diverged == "" {
			c.rows, c.done = append(c.rows, r), append(c.done, done[i])
		}
	}
	return []finding{c.keepAndSpeed(), c.sparsityAndAccuracy(), c.shrinking(), c.batchSize(), c.lowestAndBest()}
}

func (c comparison) column(f func(r trialRow) float64) []float64 {
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
	return fmt.Sprintf("%s: rank correlation %+.2f over %d trials (as strong by chance: %.2f)", what, rho, n, p), rho, p
}

// verdict is the answer that a rank correlation gives.
func verdict(rho, p float64, up, down string) string {
	switch {
	case rho != rho:
		return "cannot be told from these trials"
	case p > 0.05:
		return fmt.Sprintf("not shown by these trials (rank correlation %+.2f, as strong by chance in %.0f %% of cases)", rho, 100*p)
	case rho > 0:
		return fmt.Sprintf("%s (rank correlation %+.2f, p = %.3f)", up, rho, p)
	}
	return fmt.Sprintf("%s (rank correlation %+.2f, p = %.3f)", down, rho, p)
}

func (c comparison) keepAndSpeed() finding {
	keep := c.column(func(r trialRow) float64 { return r.Trial.Keep })
	text, rho, p := correlate("keep rate and steps to the common accuracy", keep, c.column(func(r trialRow) float64 {
		if r.ToThreshold == nil {
			return math.NaN()
		}
		return float64(*r.ToThreshold)
	}))
	own, _, _ := correlate("keep rate and steps to 95 % of a trial's own best", keep, c.column(func(r trialRow) float64 {
		if r.ToOwn < 0 {
			return math.NaN()
		}
		return float64(r.ToOwn)
	}))
	f := finding{Question: "Does a lower keep rate slow convergence?", Answer: verdict(rho, p, "no, the other way round", "yes, a lower keep rate takes more steps"),
		Numbers: []string{fmt.Sprintf("common accuracy: %.3f, nine tenths of the lowest best of the trials that reach half of the highest", c.threshold), text, own}}
	for _, pair := range onlyDiffer(c.rows, "keep") {
		a, b := c.rows[pair[0]], c.rows[pair[1]]
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s and %s differ in the keep rate alone, %g and %g: %s and %s steps to %.3f; test accuracy %.3f and %.3f at the end", a.Trial.Name, b.Trial.Name,
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

func (c comparison) sparsityAndAccuracy() finding {
	f := finding{Question: "Do sparser activations go with higher accuracy?"}
	best := c.column(func(r trialRow) float64 { return orNaN(r.Best) })
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
	f.Answer = verdict(strongest, min(1, chance*float64(len(layers))), "yes, across trials", "no, the other way round")
	for _, t := range c.done {
		var sparse, acc []float64
		for _, m := range t.Moments {
			for _, pt := range t.Run.Points {
				if pt.Step == m.Step && m.Step > 0 {
					sparse, acc = append(sparse, m.Layers[0].Sparsity), append(acc, orNaN(pt.TestAccuracy))
				}
			}
		}
		if rho := pearson(ranks(sparse), ranks(acc)); len(sparse) >= 3 && rho == rho {
			f.Numbers = append(f.Numbers, fmt.Sprintf("%s: rank correlation %+.2f of the first layer's sparsity and test accuracy through its %d measurements after the start", t.Trial.Name, rho, len(sparse)))
		}
	}
	return f
}

// shrinking looks at features behind the rectifier, from before training to the end,
// as the course's charts do.
func (c comparison) shrinking() finding {
	f := finding{Question: "Does RMSProp, and it alone, shrink mean and deviation of the activations?"}
	first, every := map[string][]bool{}, map[string][]bool{}
	for i, r := range c.rows {
		all := true
		var parts []string
		shrinks := func(l int) bool { return r.MeanRatio[l] < 1 && r.DevRatio[l] < 1 }
		for l := range r.MeanRatio {
			all = all && shrinks(l)
			parts = append(parts, fmt.Sprintf("%s mean times %.2f, deviation times %.2f", c.done[i].Moments[0].Layers[l].Layer, r.MeanRatio[l], r.DevRatio[l]))
		}
		family := strings.TrimSuffix(r.Trial.Solver, "_zero")
		first[family], every[family] = append(first[family], shrinks(0)), append(every[family], all)
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s (%s), behind the rectifier, from before training to the end: %s", r.Trial.Name, r.Trial.Solver, strings.Join(parts, "; ")))
	}
	f.Answer = "in the first convolution: " + onlyRMSProp(first) + "; in every convolution: " + onlyRMSProp(every)
	return f
}

// onlyRMSProp tells from what shrank, in the trials of each solver, whether all of
// RMSProp did and none of the others.
func onlyRMSProp(shrank map[string][]bool) string {
	mine, has := shrank["rmsprop"]
	if !has || len(shrank) < 2 {
		return "cannot be told: it takes trials with RMSProp and with other solvers"
	}
	if n := trues(mine); n < len(mine) {
		return fmt.Sprintf("no, both shrink in %d of %d trials with RMSProp", n, len(mine))
	}
	var others []string
	for solver, s := range shrank {
		if solver != "rmsprop" && trues(s) > 0 {
			others = append(others, fmt.Sprintf("%s (%d of %d)", solver, trues(s), len(s)))
		}
	}
	if slices.Sort(others); len(others) > 0 {
		return "RMSProp's trials do, but so do those of " + strings.Join(others, ", ")
	}
	return "yes, and in no other solver's trials"
}

func (c comparison) batchSize() finding {
	last := c.column(func(r trialRow) float64 { return orNaN(r.TestAccuracy) })
	text, rho, p := correlate("batch size and test accuracy at the end", c.column(func(r trialRow) float64 { return float64(r.Trial.Batch) }), last)
	seen, _, _ := correlate("training images seen and test accuracy at the end", c.column(func(r trialRow) float64 { return float64(r.Trial.Batch * r.Trial.Steps) }), last)
	f := finding{Question: "Do larger batches end with higher test accuracy?", Answer: verdict(rho, p, "yes, across trials", "no, the other way round"),
		Numbers: []string{text, seen + "; a larger batch sees more images in as many steps"}}
	for _, pair := range onlyDiffer(c.rows, "batch") {
		a, b := c.rows[pair[0]], c.rows[pair[1]]
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s and %s differ in the batch alone, %d and %d: %.3f and %.3f", a.Trial.Name, b.Trial.Name, a.Trial.Batch, b.Trial.Batch, orNaN(a.TestAccuracy), orNaN(b.TestAccuracy)))
	}
	return f
}

func (c comparison) lowestAndBest() finding {
	share := func(step func(r trialRow) int) []float64 {
		return c.column(func(r trialRow) float64 { return float64(step(r)) / float64(r.Trial.Steps) })
	}
	lowest, top := share(func(r trialRow) int { return r.MinStep }), share(func(r trialRow) int { return r.BestStep })
	text, rho, p := correlate("step of the lowest activation and step of the best test accuracy, as shares of all steps", lowest, top)
	means, _, _ := correlate("step of the lowest mean behind the rectifier and step of the best test accuracy", share(func(r trialRow) int { return r.LowMeanStep }), top)
	f := finding{Question: "Is the lowest activation of the first layer reached when test accuracy is best?", Numbers: []string{text, means}}
	near := 0
	for i, r := range c.rows {
		if math.Abs(lowest[i]-top[i]) <= 0.1 {
			near++
		}
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s: lowest activation before the rectifier at step %d, lowest mean behind it at step %d, best test accuracy at step %d of %d", r.Trial.Name, r.MinStep, r.LowMeanStep, r.BestStep, r.Trial.Steps))
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
func onlyDiffer(rows []trialRow, setting string) [][2]int {
	plain := func(t trial) trial {
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

// spearman is the rank correlation of x and y, where both are finite, and the
// share of orders of y that give one as strong: of all orders up to 8 pairs,
// beyond of 20000 random ones.
func spearman(x, y []float64) (rho, p float64, n int) {
	var a, b []float64
	for i := range x {
		if x[i]-x[i] == 0 && y[i]-y[i] == 0 {
			a, b = append(a, x[i]), append(b, y[i])
		}
	}
	n = len(a)
	ra, rb := ranks(a), ranks(b)
	rho = pearson(ra, rb)
	if n < 3 || rho != rho {
		return math.NaN(), math.NaN(), n
	}
	as, all := 0, 0
	try := func(order []float64) {
		all++
		if math.Abs(pearson(ra, order)) >= math.Abs(rho)-1e-12 {
			as++
		}
	}
	if n <= 8 {
		permute(slices.Clone(rb), try)
	} else {
		rng := rand.New(rand.NewPCG(1, 2))
		order := slices.Clone(rb)
		for range 20000 {
			rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
			try(order)
		}
	}
	return rho, float64(as) / float64(all), n
}

// permute calls f with every order of v (Heap's algorithm).
func permute(v []float64, f func([]float64)) {
	var walk func(k int)
	walk = func(k int) {
		if k <= 1 {
			f(v)
			return
		}
		for i := range k {
			walk(k - 1)
			if k%2 == 0 {
				v[i], v[k-1] = v[k-1], v[i]
			} else {
				v[0], v[k-1] = v[k-1], v[0]
			}
		}
	}
	walk(len(v))
}

// ranks gives equals their mean rank.
func ranks(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, a := range v {
		below, same := 0, 0
		for _, b := range v {
			if b < a {
				below++
			}
			if b == a {
				same++
			}
		}
		out[i] = float64(below) + float64(same+1)/2
	}
	return out
}

// pearson is the linear correlation, NaN if one of them is constant.
func pearson(x, y []float64) float64 {
	var mx, my, xy, xx, yy float64
	for i := range x { // sums of ranks are exact, so that what is constant has a deviation of 0
		mx, my = mx+x[i], my+y[i]
	}
	mx, my = mx/float64(len(x)), my/float64(len(y))
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}
