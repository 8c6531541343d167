package sweep

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deconvnet/viz/experiments"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// recorder is a Writer that remembers what it was given.
type recorder struct {
	t     *testing.T
	drawn map[string][]byte
	table map[string]view.Table
}

func (r *recorder) Figure(dir string, f view.Figure) ([]byte, error) {
	name := filepath.Join(dir, f.Name)
	if r.drawn[name] != nil {
		r.t.Errorf("%s is drawn twice", name)
	}
	var b bytes.Buffer
	err := png.Encode(&b, f.Image)
	r.drawn[name] = b.Bytes()
	return b.Bytes(), err
}

func (r *recorder) Table(dir string, t view.Table) error {
	r.table[filepath.Join(dir, t.Name)] = t
	return nil
}

// TestReport: every figure is drawn once, and the page holds the very bytes of the files.
func TestReport(t *testing.T) {
	engine := model.NewEngine(1)
	defer engine.Close()
	k, j, _ := tiny(t, engine, t.TempDir(), train.Options{Steps: 6, Batch: 5})
	run, err := k.run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	moments, err := k.moments(j, run)
	if err != nil {
		t.Fatal(err)
	}
	result := &TrialsResult{Data: "noise", o: Options{Tool: "viz <test>"}, request: Trials{Shorten: 1}}
	for _, name := range []string{"one", "two: second"} {
		result.done = append(result.done, &finishedTrial{Trial: Trial{Name: name, Optimizer: "adam", Arch: "lenet5", Width: 1, Schedule: "constant"}, Run: run, Moments: moments})
	}
	result.Trials, result.Threshold = trialRows(result.done)
	r := &recorder{t, map[string][]byte{}, map[string]view.Table{}}
	text, err := result.Report(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	page := html.UnescapeString(string(text))
	want := []string{"trials"}
	for _, dir := range []string{"runs/one", "runs/two__second"} {
		for _, name := range []string{"curves", "activity-relu1", "ridges-relu1", "activity-relu2", "ridges-relu2", "filters"} {
			want = append(want, dir+"/"+name)
		}
		if n := len(r.table[dir+"/curves"].Rows); n != len(run.Points) {
			t.Errorf("%s: the table of curves has %d rows, want %d", dir, n, len(run.Points))
		}
		if n := len(r.table[dir+"/activity"].Rows); n != 2*len(moments) {
			t.Errorf("%s: the table of activity has %d rows, want %d", dir, n, 2*len(moments))
		}
	}
	for _, name := range want {
		if len(r.drawn[name]) == 0 || !strings.Contains(page, base64.StdEncoding.EncodeToString(r.drawn[name])) {
			t.Errorf("%s is not in the page as it was written", name)
		}
	}
	if len(r.drawn) != len(want) {
		t.Errorf("%d figures, want %d", len(r.drawn), len(want))
	}
	if !bytes.Contains(text, []byte("viz &lt;test&gt;")) || bytes.Contains(text, []byte("<test>")) {
		t.Error("names are not escaped in the page")
	}
}

// TestReadTrials: the older name of the optimizer is still read, and both stand in the JSON.
func TestReadTrials(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"trials: [{steps: 5, solver: sgd}]", ""},
		{"trials: [{steps: 5, optimizer: sgd}]", ""},
		{"trials: [{steps: 5, optimizer: sgd, solver: sgd}]", ""},
		{"trials: [{steps: 5, optimizer: sgd, solver: adam}]", "trial 1: optimizer is sgd, and solver, its older name, adam"},
		{"trials: [{steps: 5, optimiser: sgd}]", "optimiser"},
		{"trials: []", "no trials"},
		{"trials: [{steps: 5, rate: 0}]", "trial 1: rate is 0"},
	} {
		path := filepath.Join(t.TempDir(), "list.yaml")
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		list, err := ReadTrials(path)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want %q", c.text, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := Trials{List: list}.resolve()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(r.List[0])
		for _, want := range []string{`"optimizer":"sgd"`, `"solver":"sgd"`, `"arch":"lenet5"`, `"steps":5`} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: %s, want %s", c.text, text, want)
			}
		}
	}
}

// TestRequests: what is wrong with a request is said by the name of its field.
func TestRequests(t *testing.T) {
	ablation := Ablation{Seeds: 1, Evals: 1, Options: train.Options{Steps: 2}}
	rnn := RNN{Cells: []string{"gru"}, Hidden: []int{5}, Evals: 1, Options: train.Options{Steps: 4}}
	probe := Probe{PerClass: 1, TestPerClass: 1, Folds: 1, Most: 1}
	transfer := Transfer{PerClass: []int{1}, TestPerClass: 1, Folds: 1, Classifier: "svm", Above: 0.9}
	for _, good := range []interface{ Validate() error }{Trials{}, ablation, rnn, probe, transfer, Split{}} {
		if err := good.Validate(); err != nil {
			t.Errorf("%T: %v", good, err)
		}
	}
	noSeeds, fewSteps, odd, huge, noFolds, forest, negative, above := ablation, ablation, rnn, rnn, probe, probe, transfer, transfer
	noSeeds.Seeds, fewSteps.Options.Steps = 0, 1
	odd.Cells, huge.Hidden = []string{"lsdm"}, []int{5000}
	noFolds.Folds, forest.Classifiers = 0, []experiments.Classifier{"forest"}
	negative.PerClass, above.Above = []int{3, -1}, 95
	manySeeds, manyFolds, manyChoices, backwards, certain := ablation, probe, transfer, rnn, rnn
	manySeeds.Seeds, manyFolds.Folds, manyChoices.Folds = 1001, 1001, math.MaxInt
	backwards.CNN, backwards.CNNRate, certain.Keep = "", -1, 1.5
	for _, c := range []struct {
		r     interface{ Validate() error }
		field string
	}{{manySeeds, "seeds"}, {manyFolds, "folds"}, {manyChoices, "folds"}, {backwards, "cnn-rate"}, {certain, "keep"}, {Trials{Shorten: 2}, "shorten"}, {Trials{Evals: 1}, "evals"}, {Trials{Only: []string{"ninth"}}, "only"}, {noSeeds, "seeds"}, {fewSteps, "steps"},
		{odd, "cells"}, {huge, "hidden"}, {noFolds, "folds"}, {forest, "classifiers"}, {negative, "per-class"}, {above, "exclude-above"},
		{Split{HoldOut: 1}, "hold-out"}} {
		if e, ok := c.r.Validate().(*view.FieldError); !ok || e.Field != c.field {
			t.Errorf("%+v: %v, want an error about %s", c.r, c.r.Validate(), c.field)
		}
	}
}

// TestChoice: the choice of images is kept as text, and what the user says goes before it.
func TestChoice(t *testing.T) {
	kept := Choice{DataSeed: 7, HoldOut: 0.2, Limit: 50}
	if got, want := kept.Text(), `{"data-seed":7,"hold-out":0.2,"limit":50}`; got != want { // as states of earlier versions have it
		t.Errorf("%s, want %s", got, want)
	}
	c := Choice{DataSeed: 1, HoldOut: 0.1, Limit: 9}
	if err := c.Recall(kept.Text(), func(name string) bool { return name == "limit" }); err != nil || c != (Choice{7, 0.2, 9}) {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.Recall("", func(string) bool { return false }); err != nil || c != (Choice{7, 0.2, 9}) {
		t.Errorf("from nothing: %+v, %v", c, err)
	}
	if err := c.Recall("[", func(string) bool { return false }); err == nil {
		t.Error("a torn choice is no error")
	}
}
