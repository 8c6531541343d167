package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// Point is how a training stands after a step. Accuracy and loss are
// measured with dropout off.
type Point struct {
	Step          int      `json:"step"`
	Images        int      `json:"images"`
	Loss          *float64 `json:"loss,omitempty"` // mean of the steps since the last point, with dropout on
	TrainAccuracy *float64 `json:"train_accuracy,omitempty"`
	TrainLoss     *float64 `json:"train_loss,omitempty"`
	TestAccuracy  *float64 `json:"test_accuracy,omitempty"`
	TestLoss      *float64 `json:"test_loss,omitempty"`
}

// Run is a run of a list, as in its run.json.
type Run struct {
	Name       string        `json:"name"`
	Initial    string        `json:"initial"` // hash of the network before training
	Parameters int           `json:"parameters"`
	MACs       int64         `json:"macs"` // multiply-adds of a forward pass of one image
	Data       string        `json:"data"`
	Sizes      [2]int        `json:"images"` // training and test images
	Options    train.Options `json:"options"`
	Points     []Point       `json:"points"`
	Measured   [2]float64    `json:"measured"` // training images and the seconds they took, without what measuring accuracy took
	Done       bool          `json:"done"`
	Diverged   string        `json:"diverged,omitempty"` // why it ended before its last step
}

// Speed is training images a second.
func (r *Run) Speed() float64 {
	if r.Measured[1] <= 0 {
		return math.NaN()
	}
	return r.Measured[0] / r.Measured[1]
}

// Seconds is how long training took up to a point, at the mean speed.
func (r *Run) Seconds(p Point) float64 { return float64(p.Images) / r.Speed() }

// Final is the last point.
func (r *Run) Final() Point {
	if len(r.Points) == 0 {
		return Point{}
	}
	return r.Points[len(r.Points)-1]
}

// Best is the point of the best test accuracy, the first of equals.
func (r *Run) Best() Point {
	var best Point
	for _, p := range r.Points {
		if p.TestAccuracy != nil && (best.TestAccuracy == nil || *p.TestAccuracy > *best.TestAccuracy) {
			best = p
		}
	}
	return best
}

// series is one of a run's curves over steps or seconds.
func (r *Run) series(x func(Point) float64, y func(Point) *float64) render.Series {
	s := render.Series{Name: r.Name, X: []float64{}}
	for _, p := range r.Points {
		if v := y(p); v != nil {
			s.X, s.Y = append(s.X, x(p)), append(s.Y, *v)
		}
	}
	return s
}

func bySteps(p Point) float64 { return float64(p.Step) }

func testAccuracy(p Point) *float64 { return p.TestAccuracy }

// OtherSettings says that a folder holds a run of the same name with other settings.
type OtherSettings struct{ File string }

func (e *OtherSettings) Error() string { return e.File + " is of a run with other settings" }

// Hint says what can be done.
func (e *OtherSettings) Hint() string {
	return "choose another folder with --out, or remove " + filepath.Dir(e.File)
}

// recall reads what is known of a job: nil if nothing. A run of the same name with
// other settings is an error.
func (f *Folder) recall(j *job) (*Run, error) {
	path := f.file(j, "run.json")
	text, err := imageio.ReadPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := parseRun(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	want := f.newRun(j)
	if r.Initial != want.Initial || r.Data != want.Data || r.Sizes != want.Sizes || r.Options != want.Options {
		return nil, &OtherSettings{path}
	}
	return r, nil
}

func parseRun(text []byte) (*Run, error) {
	r := &Run{}
	return r, json.Unmarshal(text, r)
}

// newRun is a job of which nothing is done.
func (f *Folder) newRun(j *job) *Run {
	return &Run{Name: j.name, Initial: j.facts.hash, Parameters: j.facts.parameters, MACs: j.facts.macs, Data: f.data.Name,
		Sizes: [2]int{f.images[0].Len(), f.images[1].Len()}, Options: j.o}
}

// run does a job, or what is left of it.
func (f *Folder) run(ctx context.Context, j *job) (*Run, error) {
	if err := f.resolve(j); err != nil {
		return nil, err
	}
	if j.facts == nil {
		if _, err := j.first(); err != nil {
			return nil, err
		}
	}
	r, err := f.recall(j)
	if err != nil {
		return nil, err
	}
	if r != nil && r.Done {
		f.o.note("%s: done before", j.name)
		return r, nil
	}
	net, state, r, err := f.start(j, r)
	if err != nil {
		return nil, err
	}
	from := 0
	if state != nil {
		from = state.Step
	}
	// A break while a network was measured leaves a checkpoint without its point, which training makes first, but for
	// the untrained network and for checkpoints of earlier versions.
	if due := from%j.o.EvalEvery == 0 || from == j.o.Steps; due && !train.Owes(state) && (len(r.Points) == 0 || r.Final().Step < from) {
		if err := f.measure(ctx, j, r, from, net); err != nil {
			return nil, err
		}
	}
	imageio.RemoveParts(filepath.Dir(f.file(j, "run.json")))
	f.o.note("%s: from step %d of %d", j.name, from, j.o.Steps)
	err = f.train(ctx, j, r, net, state)
	if diverged, ok := errors.AsType[*train.Diverged](err); ok {
		f.o.note("%s: %v", j.name, diverged)
		r.Diverged, err = err.Error(), nil
	}
	if err != nil {
		if errors.Is(err, context.Canceled) {
			f.o.note("progress is kept in %s: rerun the same command to resume", f.dir)
		}
		return nil, err
	}
	if p := r.Final(); r.Diverged == "" && p.TestAccuracy != nil && p.TestLoss == nil {
		r.Diverged = fmt.Sprintf("after step %d the loss on test images is not finite", p.Step)
	}
	r.Done = true
	return r, f.save(j, r)
}

// start is the network that a job begins with, and the state it goes on from: r is what is known of it, nil if nothing.
func (f *Folder) start(j *job, r *Run) (*model.Network, *model.State, *Run, error) {
	if r == nil {
		net, err := j.first()
		if err != nil {
			return nil, nil, nil, err
		}
		return net, nil, f.newRun(j), imageio.MakeDir(filepath.Dir(f.file(j, "run.json")), 0o777)
	}
	net, state, err := model.LoadState(f.file(j, "ckpt.bin"))
	if errors.Is(err, fs.ErrNotExist) { // the curve is written before the first checkpoint
		net, err = j.first()
		return net, nil, f.newRun(j), err
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if state == nil {
		return nil, nil, nil, fmt.Errorf("%s holds no training state to resume from", f.file(j, "ckpt.bin"))
	}
	for len(r.Points) > 0 && r.Final().Step > state.Step {
		r.Points = r.Points[:len(r.Points)-1]
	}
	return net, state, r, nil
}

// train takes the steps of a job that are left, and keeps its checkpoint and curve.
func (f *Folder) train(ctx context.Context, j *job, r *Run, net *model.Network, state *model.State) error {
	from := 0
	if state != nil {
		from = state.Step
	}
	show, end := f.o.live(from * j.o.Batch)
	defer end()
	meter := f.o.newMeter(from * j.o.Batch)
	save := f.o.newSaving()
	clock := stopwatch{r: r, last: f.o.now(), images: from * j.o.Batch, busy: true}
	_, _, err := train.Run(ctx, f.engine, net, f.images[0], f.images[1], state, j.o, train.Hooks{
		Progress: func(p train.Report) {
			show(meter.report(p))
			measured := p.Train != nil || p.Test != nil
			clock.report(f.o.now(), p.Images, measured)
			if measured {
				point := newPoint(p.Step, p.Images, p.Train, p.Test)
				point.Loss = finite(p.Loss)
				r.Points = append(r.Points, point)
			}
		},
		Due: save.due,
		Checkpoint: func(net *model.Network, state *model.State) error {
			defer func() {
				save.done()
				clock.last, clock.busy = f.o.now(), false
				meter.pause()
			}()
			if j.each != nil && r.Final().Step == state.Step {
				if err := j.each(ctx, state.Step, net); err != nil {
					return err
				}
			}
			// The curve first: points behind the checkpoint are dropped when a run resumes, and are measured again.
			if err := f.save(j, r); err != nil {
				return err
			}
			return model.Save(f.file(j, "ckpt.bin"), net, state)
		},
	})
	return err
}

// stopwatch adds up the time of a run in which nothing but training was done.
type stopwatch struct {
	r      *Run
	last   time.Time
	images int
	busy   bool // the time since last is not all training
}

func (s *stopwatch) report(now time.Time, images int, measured bool) {
	if !s.busy && !measured && !now.Before(s.last) { // a clock may be set back
		s.r.Measured[0] += float64(images - s.images)
		s.r.Measured[1] += now.Sub(s.last).Seconds()
	}
	s.last, s.images, s.busy = now, images, measured
}

// measure adds the point of a step that is not training's to measure.
func (f *Folder) measure(ctx context.Context, j *job, r *Run, step int, net *model.Network) error {
	var scores [2]*train.Score
	for i, n := range [2]int{j.o.EvalTrain, 0} {
		if f.images[i].Len() == 0 {
			continue
		}
		var err error
		if scores[i], err = train.Evaluate(ctx, f.engine, net, f.images[i], n); err != nil {
			return err
		}
	}
	r.Points = append(r.Points, newPoint(step, step*j.o.Batch, scores[0], scores[1]))
	if j.each != nil {
		return j.each(ctx, step, net)
	}
	return nil
}

func newPoint(step, images int, onTrain, onTest *train.Score) Point {
	p := Point{Step: step, Images: images}
	if onTrain != nil {
		p.TrainAccuracy, p.TrainLoss = &onTrain.Accuracy, finite(onTrain.Loss)
	}
	if onTest != nil {
		p.TestAccuracy, p.TestLoss = &onTest.Accuracy, finite(onTest.Loss)
	}
	return p
}

// save writes run.json.
func (f *Folder) save(j *job, r *Run) error {
	text, err := view.JSON(r)
	if err != nil {
		return err
	}
	return imageio.WriteFile(f.file(j, "run.json"), func(w io.Writer) error { _, err := w.Write(text); return err })
}
