package sweep

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// Variant is a network to train.
type Variant struct {
	Name   string
	Change model.Variation
	Paper  string // what the paper found for the same change
}

// Ablation asks for variants of a network, with layers left out or resized: trained, each with several seeds, and compared.
type Ablation struct {
	Arch     string
	Width    float64   // of all variants
	Keep     float64   // probability to keep a value in dropout; 0: the architecture's
	Variants []Variant // beside the full network; nil: the paper's
	Seeds    int       // runs of each variant
	Evals    int       // measurements of accuracy in each run
	Options  train.Options
}

// Validate reports the first thing wrong with the request.
func (r Ablation) Validate() error {
	for _, c := range []struct {
		field    string
		n, least int
	}{{"seeds", r.Seeds, 1}, {"evals", r.Evals, 1}, {"steps", r.Options.Steps, 2}} {
		if c.n < c.least {
			return &view.FieldError{Field: c.field, Problem: fmt.Sprintf("must be at least %d", c.least)}
		}
	}
	if r.Seeds > mostRuns {
		return tooMany("seeds", r.Seeds)
	}
	return nil
}

// AblationRow is a line of the table; errors are shares of images, one for each seed
// whose run did not diverge.
type AblationRow struct {
	Variant     string    `json:"variant"`
	Change      string    `json:"change"`
	Parameters  int       `json:"parameters"`
	MACs        int64     `json:"macs"`
	Train       []float64 `json:"train_error"`
	Test        []float64 `json:"test_error"`
	TrainMean   *float64  `json:"train_mean"`
	TrainStd    *float64  `json:"train_std"` // of two seeds and more
	TestMean    *float64  `json:"test_mean"`
	TestStd     *float64  `json:"test_std"`
	OldTrainStd *float64  `json:"train_deviation"` // the older names of the standard deviations, for one more version
	OldTestStd  *float64  `json:"test_deviation"`
	Diverged    int       `json:"diverged,omitempty"` // seeds that did
	Paper       string    `json:"paper,omitempty"`
}

// summarize fills in means and standard deviations.
func (r *AblationRow) summarize() {
	mean, std := meanStd(r.Train)
	r.TrainMean, r.TrainStd = finite(mean), finite(std)
	mean, std = meanStd(r.Test)
	r.TestMean, r.TestStd = finite(mean), finite(std)
	r.OldTrainStd, r.OldTestStd = r.TrainStd, r.TestStd
}

// paperVariants is the paper's list for a network: [zeiler14] Table 2 (arXiv
// Table 3), whose network has five convolutions and two hidden dense layers.
// Errors there are train and validation top-1, in %.
func paperVariants(net *model.Network) []Variant {
	var convs, dense []string
	for _, n := range net.Nodes {
		switch l := n.Layer.(type) {
		case *model.Conv:
			if l.Maps() {
				convs = append(convs, n.Name)
			}
		case *model.Dense:
			if n.Name != net.Logits {
				dense = append(dense, n.Name)
			}
		}
	}
	list := []Variant{{"full", model.Variation{}, "Krizhevsky's 35.1 / 40.5; own model 33.1 / 38.4"}}
	times := func(names []string, f float64) map[string]float64 {
		m := map[string]float64{}
		for _, n := range names {
			m[n] = f
		}
		return m
	}
	middle := convs[min(len(convs)/2, len(convs)):max(len(convs)-1, len(convs)/2)]
	later := convs[len(convs)/2:]
	if len(dense) > 1 {
		list = append(list, Variant{"without the last dense layer", model.Variation{Remove: dense[len(dense)-1:]}, "Krizhevsky's without 7: 27.4 / 40.0"})
	}
	if len(dense) > 0 {
		list = append(list, Variant{"without dense layers", model.Variation{Remove: dense}, "Krizhevsky's without 6, 7: 27.4 / 44.8"})
	}
	if len(middle) > 0 {
		list = append(list, Variant{"without middle convolutions", model.Variation{Remove: middle}, "Krizhevsky's without 3, 4: 41.8 / 45.4"})
		if len(dense) > 0 {
			list = append(list, Variant{"without both", model.Variation{Remove: slices.Concat(middle, dense)}, "Krizhevsky's without 3, 4, 6, 7: 71.1 / 71.3"})
		}
	}
	if len(dense) > 0 {
		list = append(list, Variant{"dense layers half as wide", model.Variation{Width: times(dense, 0.5)}, "own model, 2048: 38.2 / 40.2"},
			Variant{"dense layers twice as wide", model.Variation{Width: times(dense, 2)}, "own model, 8192: 22.0 / 38.8"})
	}
	list = append(list, Variant{"later convolutions wider", model.Variation{Width: times(later, 2)}, "own model, 3-5 of 512, 1024, 512: 18.8 / 37.5"})
	if len(dense) > 0 {
		both := times(later, 2)
		for _, n := range dense {
			both[n] = 2
		}
		list = append(list, Variant{"both wider", model.Variation{Width: both}, "own model, both: 10.0 / 38.3"})
	}
	return list
}

// ParseVariant reads "NAME: -LAYER LAYER*FACTOR".
func ParseVariant(s string) (Variant, error) {
	bad := &view.FieldError{Field: "variant", Problem: fmt.Sprintf("%q: want a name and changes, as in \"thin: conv1*0.5 -fc1\"", s)}
	name, rest, ok := strings.Cut(s, ":")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return Variant{}, bad
	}
	v := Variant{Name: name, Change: model.Variation{Width: map[string]float64{}}}
	for _, word := range strings.Fields(rest) {
		if layer, ok := strings.CutPrefix(word, "-"); ok {
			v.Change.Remove = append(v.Change.Remove, layer)
			continue
		}
		layer, factor, ok := strings.Cut(word, "*")
		f, err := strconv.ParseFloat(factor, 64)
		if !ok || err != nil {
			return Variant{}, bad
		}
		v.Change.Width[layer] = f
	}
	return v, nil
}

// text is what is changed, as ParseVariant reads it.
func (v Variant) text() string {
	var parts []string
	for _, n := range v.Change.Remove {
		parts = append(parts, "-"+n)
	}
	var widths []string
	for n, f := range v.Change.Width {
		widths = append(widths, fmt.Sprintf("%s*%g", n, f))
	}
	slices.Sort(widths)
	return strings.Join(append(parts, widths...), " ")
}

// NoTestImages says that there is nothing to compare trainings on.
type NoTestImages struct{}

func (NoTestImages) Error() string { return "there are no test images to compare variants on" }

// Hint says what can be done.
func (NoTestImages) Hint() string { return "--hold-out 0.1 tests on a tenth of the images" }

// AblationResult is the comparison of variants that were trained.
type AblationResult struct {
	Arch  string        `json:"arch"`
	Data  string        `json:"data"`
	Rows  []AblationRow `json:"rows"`
	Steps int           `json:"steps"`

	request Ablation
}

// ablationJobs are the trainings of a request, and the lines of its table.
func (f *Folder) ablationJobs(r Ablation) (jobs []job, rows []AblationRow, err error) {
	base, err := f.fresh(r.Arch, model.ArchOptions{Width: r.Width, Keep: r.Keep}, true)
	if err != nil {
		return nil, nil, err
	}
	list := paperVariants(base)
	if r.Variants != nil {
		list = append(list[:1], r.Variants...)
	}
	for _, v := range list {
		for s := range r.Seeds {
			o := r.Options
			o.Warmup, o.Seed, o.EvalTrain = o.Steps/10, uint64(s), 2000
			change := v.Change
			change.Seed = uint64(s)
			jobs = append(jobs, job{name: fmt.Sprintf("%s, seed %d", v.Name, s), evals: r.Evals, o: o, build: func() (*model.Network, error) {
				net, err := model.Vary(base, change)
				if err != nil {
					return nil, &SettingError{Err: err}
				}
				return net, nil
			}})
		}
		rows = append(rows, AblationRow{Variant: v.Name, Change: v.text(), Paper: v.Paper})
	}
	return jobs, rows, nil
}

// Ablate trains the variants, or what is left of them, and compares them.
func (f *Folder) Ablate(ctx context.Context, r Ablation) (*AblationResult, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	jobs, rows, err := f.ablationJobs(r)
	if err != nil {
		return nil, err
	}
	if err := f.plan(ctx, jobs); err != nil {
		return nil, err
	}
	for i := range jobs {
		run, err := f.run(ctx, &jobs[i])
		if err != nil {
			return nil, err
		}
		row := &rows[i/r.Seeds]
		row.Parameters, row.MACs = run.Parameters, run.MACs
		last := run.Final()
		if run.Diverged != "" {
			row.Diverged++
			continue
		}
		if last.TestAccuracy == nil {
			return nil, NoTestImages{}
		}
		row.Train, row.Test = append(row.Train, 1-*last.TrainAccuracy), append(row.Test, 1-*last.TestAccuracy)
	}
	for i := range rows {
		rows[i].summarize()
	}
	if classes := len(f.data.Classes); 1-orNaN(rows[0].TestMean) < 2/float64(classes) {
		f.o.note("the full network is hardly better than chance (accuracy %.0f %%): train for more --steps to compare variants", 100*(1-*rows[0].TestMean))
	}
	return &AblationResult{Arch: r.Arch, Data: f.data.Name, Rows: rows, Steps: r.Options.Steps, request: r}, nil
}
