package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/sweep"
	"github.com/urfave/cli/v2"
)

// campaign trains one network after the other and keeps each run in a folder of
// its own: run.json (settings and curve), ckpt.bin (to go on from). What is
// finished is not done again, what was broken off goes on.
type campaign struct {
	c      *cli.Context
	engine *model.Engine
	dir    string
	data   string // as the user named it
	images [2]*train.Memory
	unlock func()
}

// close lets others into the campaign's folder.
func (k *campaign) close() { k.unlock() }

// curvePoint is how a training stands after a step. Accuracy and loss are
// measured with dropout off.
type curvePoint struct {
	Step          int      `json:"step"`
	Images        int      `json:"images"`
	Loss          *float64 `json:"loss,omitempty"` // mean of the steps since the last point, with dropout on
	TrainAccuracy *float64 `json:"train_accuracy,omitempty"`
	TrainLoss     *float64 `json:"train_loss,omitempty"`
	TestAccuracy  *float64 `json:"test_accuracy,omitempty"`
	TestLoss      *float64 `json:"test_loss,omitempty"`
}

// trained is a run of a campaign, as in its run.json.
type trained struct {
	Name       string        `json:"name"`
	Initial    string        `json:"initial"` // hash of the network before training
	Parameters int           `json:"parameters"`
	MACs       int64         `json:"macs"` // multiply-adds of a forward pass of one image
	Data       string        `json:"data"`
	Sizes      [2]int        `json:"images"` // training and test images
	Options    train.Options `json:"options"`
	Points     []curvePoint  `json:"points"`
	Measured   [2]float64    `json:"measured"` // training images and the seconds they took, without what measuring accuracy took
	Done       bool          `json:"done"`
	Diverged   string        `json:"diverged,omitempty"` // why it ended before its last step
}

// speed is training images a second.
func (r *trained) speed() float64 {
	if r.Measured[1] <= 0 {
		return math.NaN()
	}
	return r.Measured[0] / r.Measured[1]
}

// seconds is how long training took up to a point, at the mean speed.
func (r *trained) seconds(p curvePoint) float64 { return float64(p.Images) / r.speed() }

// final is the last point.
func (r *trained) final() curvePoint {
	if len(r.Points) == 0 {
		return curvePoint{}
	}
	return r.Points[len(r.Points)-1]
}

// best is the point of the best test accuracy, the first of equals.
func (r *trained) best() curvePoint {
	var best curvePoint
	for _, p := range r.Points {
		if p.TestAccuracy != nil && (best.TestAccuracy == nil || *p.TestAccuracy > *best.TestAccuracy) {
			best = p
		}
	}
	return best
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// series is one of a run's curves over steps or seconds.
func (r *trained) series(x func(curvePoint) float64, y func(curvePoint) *float64) render.Series {
	s := render.Series{Name: r.Name, X: []float64{}}
	for _, p := range r.Points {
		if v := y(p); v != nil {
			s.X, s.Y = append(s.X, x(p)), append(s.Y, *v)
		}
	}
	return s
}

func bySteps(p curvePoint) float64 { return float64(p.Step) }

// openCampaign opens and decodes the data of a campaign for networks with the
// input in (its zero fields are taken from the images). The campaign's folder
// is made, and locked until close.
func openCampaign(c *cli.Context, engine *model.Engine, spec string, net func(set *images.List, classes []string) (*model.Network, error)) (*campaign, *images.Data, error) {
	dir := c.String("out")
	if err := outDir(c, dir, "--out"); err != nil {
		return nil, nil, err
	}
	unlock, err := lock(c, dir)
	if err != nil {
		return nil, nil, err
	}
	opened := false
	defer func() {
		if !opened {
			unlock()
		}
	}()
	data, err := openTraining(c, spec, c.Uint64("data-seed"))
	if err != nil {
		return nil, nil, err
	}
	sets, err := trainSets(c, data)
	if err != nil {
		return nil, nil, err
	}
	model, err := net(sets[0], data.Classes)
	if err != nil {
		return nil, nil, err
	}
	images, err := decodeSets(c, engine, model, sets)
	if err != nil {
		return nil, nil, err
	}
	opened = true
	return &campaign{c: c, engine: engine, dir: dir, data: spec, images: images, unlock: unlock}, data, nil
}

// build makes an untrained network for the images of a set.
func build(set *images.List, classes []string, arch string, o model.ArchOptions) (*model.Network, error) {
	net, err := sweep.Fresh(set, classes, arch, o)
	return net, requestErr(err)
}

// evaluations spreads about n measurements over the steps of a run.
func evaluations(steps, n int) int { return max(steps/max(n, 1), 1) }

// job is a run to do.
type job struct {
	name  string
	net   *model.Network
	o     train.Options
	evals int // measurements of accuracy
	// each, if set, sees the network before the first step and at every
	// measurement. It must work again for a step it has seen.
	each func(step int, net *model.Network) error
}

// resolve fills in the options.
func (k *campaign) resolve(j *job) error {
	o, err := j.o.Resolve(k.images[0].Len())
	if err != nil {
		return usageErr(fmt.Errorf("%s: %w", j.name, err))
	}
	if n := k.images[0].Len(); o.Batch > n {
		return usage(fmt.Sprintf("%s: batches of %d images, there are %d to train on", j.name, o.Batch, n), "")
	}
	o.EvalEvery = evaluations(o.Steps, j.evals)
	o.CheckpointEvery = o.EvalEvery
	o.LogEvery = max(1, min(10, o.EvalEvery/4))
	j.o = o
	return nil
}

// plan says on stderr how long jobs will take, from a few steps of each kind. What is
// finished counts nothing. All that can be wrong with a job is wrong here, not
// after hours of others.
func (k *campaign) plan(jobs []job) error {
	total := 0.0
	speeds := map[string]float64{}
	seen := map[string]bool{}
	for i := range jobs {
		j := &jobs[i]
		if seen[runName(j.name)] {
			return usage("two runs are called "+j.name, "give each a name of its own")
		}
		seen[runName(j.name)] = true
		if err := k.resolve(j); err != nil {
			return err
		}
	}
	for i := range jobs {
		j := &jobs[i]
		before, err := k.recall(j)
		if err != nil {
			return err
		}
		from := 0
		if before != nil {
			from = before.final().Step
			if before.Done {
				continue
			}
		}
		macs, err := j.net.MACs()
		if err != nil {
			return err
		}
		key := fmt.Sprint(macs, j.o.Batch, j.o.Solver)
		if speeds[key] == 0 {
			probe := j.o
			probe.Steps, probe.EvalTrain, probe.EvalEvery, probe.CheckpointEvery, probe.LogEvery = 4, -1, -1, 0, 1
			var times []time.Time
			_, _, err := train.Run(k.c.Context, k.engine, j.net, k.images[0], nil, nil, probe, train.Hooks{Progress: func(train.Report) { times = append(times, time.Now()) }})
			var diverged *train.Diverged
			if err != nil && !errors.As(err, &diverged) {
				return err
			}
			if len(times) < 3 {
				continue
			}
			// The first step takes in the memory.
			speeds[key] = float64((len(times)-1)*j.o.Batch) / times[len(times)-1].Sub(times[0]).Seconds()
		}
		total += float64((j.o.Steps-from)*j.o.Batch) / speeds[key]
		note(k.c, "%s: %d steps of %d images at about %.0f images/s, %v", j.name, j.o.Steps, j.o.Batch, speeds[key],
			roundTime(float64((j.o.Steps-from)*j.o.Batch)/speeds[key]))
	}
	if total > 0 {
		note(k.c, "training takes about %v in all, measuring accuracy not counted", roundTime(total))
	}
	return nil
}

func roundTime(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}

func (k *campaign) file(j *job, name string) string {
	return filepath.Join(k.dir, "runs", runName(j.name), name)
}

// recall reads what is known of a job: nil if nothing. A run of the same name with
// other settings is an error.
func (k *campaign) recall(j *job) (*trained, error) {
	path := k.file(j, "run.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r trained
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	want := k.fresh(j)
	if r.Initial != want.Initial || r.Data != want.Data || r.Sizes != want.Sizes || r.Options != want.Options {
		return nil, hinted(fmt.Errorf("%s is of a run with other settings", path), "choose another folder with --out, or remove "+filepath.Dir(path))
	}
	return &r, nil
}

func (k *campaign) fresh(j *job) *trained {
	r := &trained{Name: j.name, Initial: j.net.Hash(), Data: k.data, Sizes: [2]int{k.images[0].Len(), k.images[1].Len()}, Options: j.o}
	if layers, err := j.net.Summary(); err == nil {
		for _, l := range layers {
			r.Parameters += l.Weights
			r.MACs += l.MACs
		}
	}
	return r
}

// run does a job, or what is left of it.
func (k *campaign) run(j *job) (*trained, error) {
	if err := k.resolve(j); err != nil {
		return nil, err
	}
	r, err := k.recall(j)
	if err != nil {
		return nil, err
	}
	if r != nil && r.Done {
		note(k.c, "%s: done before", j.name)
		return r, nil
	}
	net, state, from := j.net, (*model.State)(nil), 0
	if r == nil {
		r = k.fresh(j)
		if err := os.MkdirAll(filepath.Dir(k.file(j, "run.json")), 0o777); err != nil {
			return nil, err
		}
	} else {
		if net, state, err = model.LoadState(k.file(j, "ckpt.bin")); err != nil {
			return nil, err
		}
		if state == nil {
			return nil, fmt.Errorf("%s holds no training state to go on from", k.file(j, "ckpt.bin"))
		}
		from = state.Step
		for len(r.Points) > 0 && r.final().Step > from {
			r.Points = r.Points[:len(r.Points)-1]
		}
	}
	// A break while a network was measured leaves a checkpoint without its point.
	if due := from%j.o.EvalEvery == 0 || from == j.o.Steps; due && (len(r.Points) == 0 || r.final().Step < from) {
		if err := k.measure(j, r, from, net); err != nil {
			return nil, err
		}
	}
	note(k.c, "%s: from step %d of %d", j.name, from, j.o.Steps)
	live, sw := newLive(k.c), sweepOptions(k.c).NewMeter(from*j.o.Batch)
	last, images, busy := time.Now(), from*j.o.Batch, true // busy: the time since last is not all training
	_, _, err = train.Run(k.c.Context, k.engine, net, k.images[0], k.images[1], state, j.o, train.Hooks{
		Progress: func(p train.Report) {
			live.show(sw.Report(p))
			now := time.Now()
			measured := p.Train != nil || p.Test != nil
			if !busy && !measured {
				r.Measured[0] += float64(p.Images - images)
				r.Measured[1] += now.Sub(last).Seconds()
			}
			last, images, busy = now, p.Images, measured
			if measured {
				point := newPoint(p.Step, p.Images, p.Train, p.Test)
				point.Loss = finite(p.Loss)
				r.Points = append(r.Points, point)
			}
		},
		Checkpoint: func(net *model.Network, state *model.State) error {
			defer func() { last, busy = time.Now(), false; sw.Pause() }()
			if j.each != nil && r.final().Step == state.Step {
				if err := j.each(state.Step, net); err != nil {
					return err
				}
			}
			if err := model.Save(k.file(j, "ckpt.bin"), net, state); err != nil {
				return err
			}
			return k.save(j, r)
		},
	})
	live.end()
	var diverged *train.Diverged
	if errors.As(err, &diverged) {
		note(k.c, "%s: %v", j.name, err)
		r.Diverged, err = err.Error(), nil
	} else if err == nil && r.final().Step < j.o.Steps {
		err = k.c.Context.Err() // stopped while the last step was measured
	}
	if err != nil {
		if errors.Is(err, context.Canceled) {
			note(k.c, "what is done is in %s: the same command goes on from there", k.dir)
		}
		return nil, err
	}
	if p := r.final(); r.Diverged == "" && p.TestAccuracy != nil && p.TestLoss == nil {
		r.Diverged = fmt.Sprintf("after step %d the loss on test images is not finite", p.Step)
	}
	r.Done = true
	return r, k.save(j, r)
}

// measure adds the point of a step that is not training's to measure.
func (k *campaign) measure(j *job, r *trained, step int, net *model.Network) error {
	var scores [2]*train.Score
	for i, n := range [2]int{j.o.EvalTrain, 0} {
		if k.images[i].Len() == 0 {
			continue
		}
		var err error
		if scores[i], err = train.Evaluate(k.c.Context, k.engine, net, k.images[i], n); err != nil {
			return err
		}
	}
	r.Points = append(r.Points, newPoint(step, step*j.o.Batch, scores[0], scores[1]))
	if j.each != nil {
		return j.each(step, net)
	}
	return nil
}

func newPoint(step, images int, onTrain, onTest *train.Score) curvePoint {
	p := curvePoint{Step: step, Images: images}
	if onTrain != nil {
		p.TrainAccuracy, p.TrainLoss = &onTrain.Accuracy, finite(onTrain.Loss)
	}
	if onTest != nil {
		p.TestAccuracy, p.TestLoss = &onTest.Accuracy, finite(onTest.Loss)
	}
	return p
}

func (k *campaign) save(j *job, r *trained) error {
	text, err := encodeJSON(r)
	if err != nil {
		return err
	}
	return imageio.WriteFile(k.file(j, "run.json"), func(w io.Writer) error { _, err := w.Write(text); return err })
}

// writeNumbers writes a result as NAME.json and rows of numbers as NAME.csv.
func writeNumbers(c *cli.Context, dir, name string, v any, header []string, rows [][]string) error {
	text, err := encodeJSON(v)
	if err != nil {
		return err
	}
	base := filepath.Join(dir, fileName(name))
	if err := imageio.WriteFile(base+".json", func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	wrote(c, base+".json")
	return writeCSV(c, base+".csv", header, rows)
}

// writeCSV writes a table and names it on stdout.
func writeCSV(c *cli.Context, path string, header []string, rows [][]string) error {
	err := saveCSV(path, header, rows)
	if err == nil {
		wrote(c, path)
	}
	return err
}

// saveCSV writes a table.
func saveCSV(path string, header []string, rows [][]string) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
		return err
	}
	return imageio.WriteFile(path, func(w io.Writer) error { _, err := w.Write(b.Bytes()); return err })
}

// writePlate writes a picture that is of no single network.
func writePlate(c *cli.Context, dir, name string, img image.Image, more ...string) error {
	path, err := savePlate(dir, name, img, more...)
	if err == nil {
		wrote(c, path)
	}
	return err
}

// savePlate is writePlate without a word; it returns the file's name.
func savePlate(dir, name string, img image.Image, more ...string) (string, error) {
	text := []imageio.Text{{Key: "Software", Value: "viz " + version()}, {Key: "viz.command", Value: strings.Join(os.Args[1:], " ")}}
	for i := 0; i+1 < len(more); i += 2 {
		text = append(text, imageio.Text{Key: "viz." + more[i], Value: more[i+1]})
	}
	path := filepath.Join(dir, fileName(name)+".png")
	return path, imageio.WritePNG(path, img, text)
}

// num writes a number for CSV and tables: "" for NaN.
func num(v float64, digits int) string {
	if v-v != 0 {
		return ""
	}
	return fmt.Sprintf("%.*f", digits, v)
}
