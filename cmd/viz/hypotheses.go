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

// hypotheses puts the questions of the course's report to the numbers. Few trials
// that differ in several settings at once prove little: correlations are given
// with the probability of one as strong by chance, and pairs of trials that differ
// in one setting alone are named.
func hypotheses(rows []trialRow, done []*finishedTrial, threshold float64) []finding {
	column := func(f func(r trialRow) float64) []float64 {
		out := make([]float64, len(rows))
		for i, r := range rows {
			out[i] = f(r)
		}
		return out
	}
	keep := column(func(r trialRow) float64 { return r.Trial.Keep })
	batch := column(func(r trialRow) float64 { return float64(r.Trial.Batch) })
	last := column(func(r trialRow) float64 { return orNaN(r.TestAccuracy) })
	best := column(func(r trialRow) float64 { return orNaN(r.Best) })
	reach := column(func(r trialRow) float64 {
		if r.ToThreshold == nil {
			return math.NaN()
		}
		return float64(*r.ToThreshold)
	})
	correlate := func(what string, x, y []float64) (string, float64, float64) {
		rho, p, n := spearman(x, y)
		if n < 3 {
			return fmt.Sprintf("%s: too few trials to correlate", what), math.NaN(), math.NaN()
		}
		return fmt.Sprintf("%s: rank correlation %+.2f over %d trials (as strong by chance: %.2f)", what, rho, n, p), rho, p
	}
	verdict := func(rho, p float64, up, down string) string {
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
	var out []finding

	text, rho, p := correlate("keep rate and steps to the common accuracy", keep, reach)
	f := finding{Question: "Does a lower keep rate slow convergence?", Numbers: []string{fmt.Sprintf("common accuracy: %.3f, nine tenths of the lowest best", threshold), text},
		Answer: verdict(rho, p, "no, the other way round", "yes, a lower keep rate takes more steps")}
	for _, pair := range onlyDiffer(rows, "keep") {
		a, b := rows[pair[0]], rows[pair[1]]
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s and %s differ in the keep rate alone, %g and %g: %s and %s steps to %.3f; test accuracy %.3f and %.3f at the end", a.Trial.Name, b.Trial.Name,
			a.Trial.Keep, b.Trial.Keep, stepsText(a.ToThreshold), stepsText(b.ToThreshold), threshold, orNaN(a.TestAccuracy), orNaN(b.TestAccuracy)))
	}
	out = append(out, f)

	f = finding{Question: "Do sparser activations go with higher accuracy?"}
	var strongest, chance float64 = math.NaN(), math.NaN()
	for l, layer := range done[0].Moments[0].Layers {
		sparse := column(func(r trialRow) float64 {
			if l < len(r.Sparsity) {
				return r.Sparsity[l]
			}
			return math.NaN()
		})
		text, rho, p := correlate("sparsity of "+layer.Layer+" and best test accuracy", sparse, best)
		f.Numbers = append(f.Numbers, text)
		if strongest != strongest || math.Abs(rho) > math.Abs(strongest) {
			strongest, chance = rho, p
		}
	}
	// Several layers were looked at, so the strongest of them must be rarer.
	f.Answer = verdict(strongest, min(1, chance*float64(len(done[0].Moments[0].Layers))), "yes, across trials", "no, the other way round")
	for _, t := range done {
		var sparse, acc []float64
		for _, m := range t.Moments {
			for _, pt := range t.Run.Points {
				if pt.Step == m.Step {
					sparse, acc = append(sparse, m.Layers[0].Sparsity), append(acc, orNaN(pt.TestAccuracy))
				}
			}
		}
		rho, _, n := spearman(sparse, acc)
		if n >= 3 {
			f.Numbers = append(f.Numbers, fmt.Sprintf("%s, through its %d measurements: %+.2f", t.Trial.Name, n, rho))
		}
	}
	out = append(out, f)

	f = finding{Question: "Does RMSProp, and it alone, shrink mean and deviation of the activations?"}
	shrinks := map[string][]bool{}
	for i, r := range rows {
		all := true
		var parts []string
		for l := range r.MeanRatio {
			all = all && r.MeanRatio[l] < 1 && r.DevRatio[l] < 1
			parts = append(parts, fmt.Sprintf("%s mean times %.2f, deviation times %.2f", done[i].Moments[0].Layers[l].Layer, r.MeanRatio[l], r.DevRatio[l]))
		}
		family := strings.TrimSuffix(r.Trial.Solver, "_zero")
		shrinks[family] = append(shrinks[family], all)
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s (%s), from the first measurement after the start to the end: %s", r.Trial.Name, r.Trial.Solver, strings.Join(parts, "; ")))
	}
	switch mine, has := shrinks["rmsprop"]; {
	case !has || len(shrinks) < 2:
		f.Answer = "cannot be told: it takes trials with RMSProp and with other solvers"
	case slices.Contains(mine, false):
		f.Answer = fmt.Sprintf("no: of %d trials with RMSProp, %d shrink both in every layer", len(mine), trues(mine))
	default:
		var others []string
		for solver, s := range shrinks {
			if solver != "rmsprop" && trues(s) > 0 {
				others = append(others, fmt.Sprintf("%s (%d of %d)", solver, trues(s), len(s)))
			}
		}
		slices.Sort(others)
		if f.Answer = "yes, in every layer, and no other solver's trials do"; len(others) > 0 {
			f.Answer = "RMSProp's trials do, but so do those of " + strings.Join(others, ", ")
		}
	}
	out = append(out, f)

	text, rho, p = correlate("batch size and test accuracy at the end", batch, last)
	f = finding{Question: "Do larger batches end with higher test accuracy?", Numbers: []string{text}, Answer: verdict(rho, p, "yes, across trials", "no, the other way round")}
	text, _, _ = correlate("training images seen and test accuracy at the end", column(func(r trialRow) float64 { return float64(r.Trial.Batch * r.Trial.Steps) }), last)
	f.Numbers = append(f.Numbers, text+" (a larger batch sees more images in as many steps)")
	for _, pair := range onlyDiffer(rows, "batch") {
		a, b := rows[pair[0]], rows[pair[1]]
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s and %s differ in the batch alone, %d and %d: %.3f and %.3f", a.Trial.Name, b.Trial.Name, a.Trial.Batch, b.Trial.Batch, orNaN(a.TestAccuracy), orNaN(b.TestAccuracy)))
	}
	out = append(out, f)

	share := func(step func(r trialRow) int) []float64 {
		return column(func(r trialRow) float64 { return float64(step(r)) / float64(r.Trial.Steps) })
	}
	lowest, top := share(func(r trialRow) int { return r.MinStep }), share(func(r trialRow) int { return r.BestStep })
	text, rho, p = correlate("step of the lowest activation and step of the best test accuracy, as shares of all steps", lowest, top)
	f = finding{Question: "Is the lowest activation of the first layer reached when test accuracy is best?", Numbers: []string{text}}
	near := 0
	for i, r := range rows {
		if math.Abs(lowest[i]-top[i]) <= 0.1 {
			near++
		}
		f.Numbers = append(f.Numbers, fmt.Sprintf("%s: lowest activation at step %d, best test accuracy at step %d of %d", r.Trial.Name, r.MinStep, r.BestStep, r.Trial.Steps))
	}
	f.Answer = fmt.Sprintf("within a tenth of the steps in %d of %d trials; %s", near, len(rows), verdict(rho, p, "later minima go with later bests", "later minima go with earlier bests"))
	return append(out, f)
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
	mx, _ := meanDeviation(x)
	my, _ := meanDeviation(y)
	var xy, xx, yy float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}
