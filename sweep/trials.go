package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
	"go.yaml.in/yaml/v3"
)

// Trial is one line of a list of trials. What is left out takes its default.
type Trial struct {
	Name        string          `yaml:"name" json:"name"`
	Arch        string          `yaml:"arch" json:"arch"`   // default lenet5
	Width       float64         `yaml:"width" json:"width"` // default 1
	Keep        float64         `yaml:"keep" json:"keep"`
	Init        model.Init      `yaml:"init" json:"init,omitempty"` // how weights start: he (default) or truncated
	Optimizer   train.Optimizer `yaml:"optimizer" json:"optimizer"`
	Solver      train.Optimizer `yaml:"solver" json:"solver"` // the older name of Optimizer, for one more version
	Rate        float64         `yaml:"rate" json:"rate"`
	Schedule    train.Schedule  `yaml:"schedule" json:"schedule,omitempty"`
	Batch       int             `yaml:"batch" json:"batch"`
	Steps       int             `yaml:"steps" json:"steps"`
	WeightDecay float64         `yaml:"weight_decay" json:"weight_decay,omitempty"`
	Warmup      int             `yaml:"warmup" json:"warmup,omitempty"`
	Seed        uint64          `yaml:"seed" json:"seed"`
	Expect      float64         `yaml:"expect" json:"expect,omitempty"` // test accuracy at the end to compare with, 0: none
}

// Course is the list of the eight trials of [course], with weights that start as its code's
// do; the accuracies were read off its report's charts.
func Course() []Trial {
	return []Trial{
		{Name: "trial 1", Optimizer: train.Adam, Init: model.InitTruncated, Rate: 1e-4, Batch: 100, Steps: 10000, Keep: 0.8, Expect: 0.53},
		{Name: "trial 2", Optimizer: train.Adam, Init: model.InitTruncated, Rate: 1e-4, Batch: 100, Steps: 10000, Keep: 0.6, Expect: 0.55},
		{Name: "trial 3", Optimizer: train.Adam, Init: model.InitTruncated, Rate: 1e-4, Batch: 100, Steps: 8000, Keep: 0.6, Expect: 0.53},
		{Name: "trial 4", Optimizer: train.Adam, Init: model.InitTruncated, Rate: 1e-4, Batch: 500, Steps: 8000, Keep: 0.4, Expect: 0.57},
		{Name: "trial 5", Optimizer: train.SGD, Init: model.InitTruncated, Rate: 0.01, Batch: 500, Steps: 8000, Keep: 0.6, Expect: 0.53},
		{Name: "trial 6", Optimizer: train.SGD, Init: model.InitTruncated, Rate: 0.05, Batch: 100, Steps: 8000, Keep: 0.6, Expect: 0.50},
		{Name: "trial 7", Optimizer: train.RMSProp, Init: model.InitTruncated, Rate: 0.0025, Batch: 200, Steps: 5000, Keep: 0.5, Expect: 0.53},
		{Name: "trial 8", Optimizer: train.RMSProp, Init: model.InitTruncated, Rate: 0.0005, Batch: 500, Steps: 20000, Keep: 0.4, Expect: 0.555},
	}
}

// ReadTrials reads a list of trials, YAML or JSON.
func ReadTrials(path string) ([]Trial, error) {
	const most = 1 << 20 // people write it by hand
	text, err := imageio.ReadSmall(path, most)
	if err != nil {
		return nil, err
	}
	list, err := parseTrials(text)
	if err != nil {
		return nil, imageio.OneLine(fmt.Errorf("%s: %w", path, err))
	}
	return list, nil
}

func parseTrials(text []byte) ([]Trial, error) {
	var file struct {
		Trials []Trial `yaml:"trials"`
	}
	d := yaml.NewDecoder(bytes.NewReader(text)) // JSON is YAML too
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, plainYAML(err)
	}
	if len(file.Trials) == 0 {
		return nil, errors.New("no trials, want a list called trials")
	}
	if err := refuseZeros(text); err != nil {
		return nil, err
	}
	for i, t := range file.Trials {
		if t.Optimizer != "" && t.Solver != "" && t.Optimizer != t.Solver {
			return nil, fmt.Errorf("trial %d: optimizer is %s, and solver, its older name, %s", i+1, t.Optimizer, t.Solver)
		}
	}
	return file.Trials, nil
}

var (
	yamlField = regexp.MustCompile(`^(line \d+): field (.*) not found in type .*$`)
	yamlValue = regexp.MustCompile(`^(line \d+): cannot unmarshal !!\w+ (?:` + "`(.*)` )?" + `into (.*)$`)
)

// plainYAML says the first thing that is wrong with a list in words of the list, not of this program.
func plainYAML(err error) error {
	wrong, ok := errors.AsType[*yaml.TypeError](err)
	if !ok || len(wrong.Errors) == 0 {
		return err
	}
	first := wrong.Errors[0]
	if m := yamlField.FindStringSubmatch(first); m != nil {
		return fmt.Errorf("%s: there is no setting %s", m[1], m[2])
	}
	if m := yamlValue.FindStringSubmatch(first); m != nil {
		want := "settings"
		switch {
		case strings.HasPrefix(m[3], "int"), strings.HasPrefix(m[3], "uint"):
			want = "a whole number"
		case strings.HasPrefix(m[3], "float"):
			want = "a number"
		case strings.HasPrefix(m[3], "[]"):
			want = "a list"
		case !strings.HasPrefix(m[3], "sweep.Trial") && !strings.HasPrefix(m[3], "struct"):
			want = "a word"
		}
		if m[2] == "" {
			return fmt.Errorf("%s: want %s", m[1], want)
		}
		return fmt.Errorf("%s: %s: want %s", m[1], m[2], want)
	}
	return fmt.Errorf("%s", first)
}

// refuseZeros finds settings of a list that are an explicit 0, which must not
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

// Trials asks for a list of trials: trained one after the other, with curves, activations and filters over time, and compared.
type Trials struct {
	List        []Trial  // nil: Course
	Only        []string // names of those wanted; nil: all
	Evals       int      // measurements in each trial; 0: 40
	Shorten     float64  // share of the steps to take, to try out; 0: all
	Standardize bool     // subtract the mean of the pixels and divide by their deviation; else input is pixel/255
}

// Validate reports the first thing wrong with the request.
func (r Trials) Validate() error {
	_, err := r.resolve()
	return err
}

// resolve fills in the defaults, also of the trials, and leaves those that are wanted.
func (r Trials) resolve() (Trials, error) {
	if r.Shorten == 0 {
		r.Shorten = 1
	}
	if r.Evals == 0 {
		r.Evals = 40
	}
	if !(r.Shorten > 0 && r.Shorten <= 1) {
		return r, &view.FieldError{Field: "shorten", Problem: fmt.Sprintf("%g: want more than 0 and at most 1", r.Shorten)}
	}
	if r.Evals < 2 {
		return r, &view.FieldError{Field: "evals", Problem: "must be at least 2"}
	}
	list := slices.Clone(r.List)
	if r.List == nil {
		list = Course()
	}
	if r.Only != nil {
		var some []Trial
		for _, name := range r.Only {
			i := slices.IndexFunc(list, func(t Trial) bool { return t.Name == name || t.Name == "trial "+name })
			if i < 0 {
				return r, &view.FieldError{Field: "only", Problem: name + ": there is no such trial"}
			}
			some = append(some, list[i])
		}
		list = some
	}
	seen := map[string]bool{}
	for i := range list {
		if err := list[i].resolve(i, r.Shorten); err != nil {
			return r, err
		}
		if name := list[i].Name; seen[runName(name)] {
			return r, &SettingError{fmt.Errorf("two trials are called %s", name), "give each a name of its own"}
		}
		seen[runName(list[i].Name)] = true
	}
	r.List = list
	return r, nil
}

// resolve fills in the defaults of trial i, but for those that training has.
func (t *Trial) resolve(i int, shorten float64) error {
	if t.Name == "" {
		t.Name = fmt.Sprintf("trial %d", i+1)
	}
	if t.Arch == "" {
		t.Arch = "lenet5"
	}
	if t.Width == 0 {
		t.Width = 1
	}
	if t.Optimizer == "" {
		t.Optimizer = t.Solver
	}
	t.Solver = t.Optimizer
	if t.Steps < 1 {
		return setting("%s has %d steps, want at least 1", t.Name, t.Steps)
	}
	if !(t.Expect >= 0 && t.Expect <= 1) {
		return setting("%s expects a test accuracy of %g, want 0 to 1", t.Name, t.Expect)
	}
	t.Steps = max(int(math.Round(float64(t.Steps)*shorten)), 4)
	return nil
}

// trialJobs are the trainings of a resolved request.
func (f *Folder) trialJobs(r Trials) []job {
	jobs := make([]job, len(r.List))
	for i, t := range r.List {
		j := &jobs[i]
		*j = job{name: t.Name, evals: r.Evals, o: train.Options{Optimizer: t.Optimizer, Rate: t.Rate, Schedule: t.Schedule, Batch: t.Batch,
			Steps: t.Steps, WeightDecay: t.WeightDecay, Warmup: t.Warmup, Seed: t.Seed}}
		j.build = func() (*model.Network, error) {
			net, err := f.fresh(t.Arch, model.ArchOptions{Width: t.Width, Keep: t.Keep, Init: t.Init, Seed: t.Seed}, r.Standardize)
			if err != nil {
				return nil, err
			}
			if len(net.ConvLayers()) == 0 {
				return nil, &SettingError{fmt.Errorf("%s has no convolutions, whose activations trials record", t.Arch), "viz rnn compares recurrent networks"}
			}
			net.Origin = model.Origin{Arch: t.Arch, Data: f.data.Name, Tool: f.o.Tool}
			return net, nil
		}
		j.each = func(ctx context.Context, step int, net *model.Network) error { return f.watch(ctx, j, step, net) }
	}
	return jobs
}

// PlanTrials notes how long the trials would take.
func (f *Folder) PlanTrials(ctx context.Context, r Trials) error {
	r, err := r.resolve()
	if err != nil {
		return err
	}
	return f.plan(ctx, f.trialJobs(r))
}

// Trials trains the list, or what is left of it, and compares the trials.
func (f *Folder) Trials(ctx context.Context, r Trials) (*TrialsResult, error) {
	course := r.List == nil
	r, err := r.resolve()
	if err != nil {
		return nil, err
	}
	jobs := f.trialJobs(r)
	if err := f.plan(ctx, jobs); err != nil {
		return nil, err
	}
	result := &TrialsResult{Data: f.data.Name, request: r, course: course, limited: f.split.Limit > 0, o: f.o}
	for i := range jobs {
		run, err := f.run(ctx, &jobs[i])
		if err != nil {
			return nil, err
		}
		t, o := r.List[i], jobs[i].o // as they are, with the defaults of what was left out
		t.Optimizer, t.Solver, t.Rate, t.Batch, t.Schedule, t.Keep = o.Optimizer, o.Optimizer, o.Rate, o.Batch, o.Schedule, jobs[i].facts.keep
		done := &finishedTrial{Trial: t, Run: run}
		if done.Moments, err = f.moments(&jobs[i], run); err != nil {
			return nil, err
		}
		result.done = append(result.done, done)
	}
	result.Trials, result.Threshold = trialRows(result.done)
	result.Findings = hypotheses(result.Trials, result.done, result.Threshold)
	result.sizes = [2]int{f.images[0].Len(), f.images[1].Len()}
	return result, nil
}

// keepProbability is that of a value in a network's first dropout, 1 if it has none.
func keepProbability(net *model.Network) float64 {
	for _, n := range net.Nodes {
		if l, ok := n.Layer.(*model.Dropout); ok {
			return math.Round((1-l.Rate)*1e6) / 1e6
		}
	}
	return 1
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

func (f *Folder) momentFile(j *job, step int) string {
	return f.file(j, filepath.Join("watch", fmt.Sprintf("%07d.json", step)))
}

// watch records the activity and the first filters of a network at a step.
func (f *Folder) watch(ctx context.Context, j *job, step int, net *model.Network) error {
	images := f.images[1]
	if images.Len() == 0 {
		images = f.images[0]
	}
	layers, err := experiments.Watch(ctx, f.engine, net, memoryImages{net, images}, activityReach)
	if err != nil {
		return err
	}
	m := moment{Step: step, Layers: layers}
	for _, n := range net.Nodes {
		if l := model.ConvOfMaps(n.Layer); l != nil {
			m.Shape, m.Filters = l.Weight.Shape, l.Weight.Floats()
			break
		}
	}
	text, err := json.Marshal(m)
	if _, odd := errors.AsType[*json.UnsupportedValueError](err); odd { // it diverges: what follows ends it
		f.o.note("%s: step %d: weights or activations are not finite, they are not recorded", j.name, step)
		return nil
	}
	if err != nil {
		return err
	}
	path := f.momentFile(j, step)
	if err := imageio.MakeDir(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(text); return err })
}

// moments reads what watch recorded for the points of a run.
func (f *Folder) moments(j *job, r *Run) ([]moment, error) {
	var out []moment
	for _, p := range r.Points {
		path := f.momentFile(j, p.Step)
		text, err := imageio.ReadPlain(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := parseMoment(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no activations were recorded", j.name)
	}
	return out, nil
}

func parseMoment(text []byte) (m moment, err error) {
	if err := json.Unmarshal(text, &m); err != nil {
		return m, err
	}
	for i := range m.Layers {
		if l := &m.Layers[i]; l.Std == 0 && l.FeatureStd == 0 { // of an older version
			l.Std, l.FeatureStd = l.OldStd, l.OldFeatureStd
		}
	}
	return m, nil
}
