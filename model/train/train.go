package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/model"
	G "gorgonia.org/gorgonia"
)

// Hooks are called while Run works, in its goroutine. Each may be nil.
type Hooks struct {
	// Progress is called every LogEvery steps, whenever accuracy was measured,
	// and after the last step.
	Progress func(Report)
	// Checkpoint is called every CheckpointEvery steps, after the last step,
	// and when ctx is cancelled. What it gets is its own. An error ends training.
	Checkpoint func(net *model.Network, state *model.State) error
	// Due is asked after each step whether a checkpoint is wanted besides, such as when time has passed.
	Due func() bool
}

// Report is how training stands after a step.
type Report struct {
	Step, Steps int     // steps taken of all
	Epoch       float64 // passes over the training images so far
	Images      int     // training images seen so far, each as often as it was
	Rate        float64 // learning rate of the step
	Loss        float64 // mean over the steps since the last report, with dropout on
	Train, Test *Score  // nil unless measured now
}

// Diverged is the error of a loss that is no longer finite. The weights of the
// step before are in the last checkpoint only if one was taken then.
type Diverged struct {
	Step int     // whose loss it is, counted from 1
	Loss float64 // NaN or an infinity
	Last float64 // last finite loss, NaN if there was none
	Rate float64
}

func (d *Diverged) Error() string {
	last := "there was no finite one before"
	if !math.IsNaN(d.Last) {
		last = fmt.Sprintf("the last finite one was %.4g", d.Last)
	}
	return fmt.Sprintf("the loss of step %d is %v (%s): the rate %g is too large, try %g", d.Step, d.Loss, last, d.Rate, d.Lower())
}

// Lower is a rate to try instead: a third, rounded to one digit.
func (d *Diverged) Lower() float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(d.Rate/3, 'g', 1, 64), 64)
	if err != nil {
		return d.Rate / 3
	}
	return v
}

// saved is what goes into State.JSON.
type saved struct {
	Options Options `json:"options"`
	Images  int     `json:"images"` // length of the training set: the order depends on it
	Running running `json:"running,omitzero"`
}

// running is the loss since the last report.
type running struct {
	Sum   float64 `json:"sum"`
	Count int     `json:"count"` // steps
}

// Resume reads the options that the training of a state runs with, defaults
// filled in, so that they can be changed where that makes sense (more steps,
// another rate) and passed to Run again.
func Resume(state *model.State) (Options, error) {
	s, err := readSaved(state)
	return s.Options, err
}

// Owes reports whether the training of a state was broken off before it could report on its step: Run does so first.
func Owes(state *model.State) bool {
	s, err := readSaved(state)
	return err == nil && s.Running.Count > 0 && s.Options.due(state.Step)
}

func readSaved(state *model.State) (s saved, err error) {
	if state == nil || len(state.JSON) == 0 {
		return s, fmt.Errorf("the checkpoint holds no training state to go on from")
	}
	if err := json.Unmarshal(state.JSON, &s); err != nil {
		return s, fmt.Errorf("state of the training: %w", err)
	}
	return s, nil
}

// Run trains a copy of net on the images and returns it with the state to go on
// from. test may be nil. With a state from an earlier Run it goes on after that
// step, up to o.Steps in all; with the same options and images the result is the same,
// bit for bit, as without the break.
//
// If ctx is cancelled, Run finishes the step it is in, gives its work to
// Hooks.Checkpoint, and returns it with an error that wraps ctx's.
func Run(ctx context.Context, e *model.Engine, net *model.Network, train, test Images, state *model.State, o Options, h Hooks) (*model.Network, *model.State, error) {
	o, err := o.Resolve(train.Len())
	if err != nil {
		return nil, nil, err
	}
	runtime.GC() // what a training before has left, as large as this one, would come on top of it
	r, err := newRun(e, net, train, state, o)
	if err != nil {
		return nil, nil, err
	}
	defer r.g.close()
	if test != nil && test.Len() == 0 {
		test = nil
	}
	return r.run(ctx, train, test, h)
}

// run is one training.
type run struct {
	e         *model.Engine
	o         Options
	net       *model.Network // changes with each step
	g         *graph
	optimizer *optimizer
	grads     []G.ValueGrad
	loader    *loader
	step      int // steps taken
	images    int
	loss      running
}

func newRun(e *model.Engine, net *model.Network, train Images, state *model.State, o Options) (*run, error) {
	if err := net.Check(); err != nil {
		return nil, err
	}
	r := &run{e: e, o: o, net: net.Clone(), images: train.Len()}
	var err error
	if r.g, err = newGraph(kernel.Of(e), r.net, o.Batch, o.Seed, o.LabelSmoothing); err != nil {
		return nil, err
	}
	classes := r.g.shapes[net.Logits].C
	for i := range r.images {
		if l := train.Label(i); l < 0 || l >= classes {
			return nil, fmt.Errorf("image %d has label %d, the network %d classes", i, l, classes)
		}
	}
	if o.Balance {
		r.g.weight = balance(train, classes)
	}
	for _, p := range r.g.params {
		r.grads = append(r.grads, p)
	}
	r.optimizer = newOptimizer(kernel.Of(e), &r.o, r.g.params)
	r.loader = newLoader(r.net, train, &r.o)
	if state != nil {
		before, err := readSaved(state)
		if err != nil {
			return nil, err
		}
		if before.Options.Optimizer != o.Optimizer {
			return nil, fmt.Errorf("the checkpoint was trained with optimizer %s, cannot go on with %s", before.Options.Optimizer, o.Optimizer)
		}
		if before.Images != r.images {
			return nil, fmt.Errorf("the checkpoint was trained on %d images, these are %d", before.Images, r.images)
		}
		if err := r.optimizer.load(r.g.params, state); err != nil {
			return nil, err
		}
		r.step, r.loss = state.Step, before.Running
	}
	return r, nil
}

func (r *run) run(ctx context.Context, train, test Images, h Hooks) (*model.Network, *model.State, error) {
	kept := -1 // step of the last checkpoint
	checkpoint := func() error {
		kept = r.step
		return r.checkpoint(h)
	}
	last := math.NaN()
	if r.loss.Count > 0 && r.o.due(r.step) {
		if err := r.report(ctx, train, test, h, last); err != nil {
			return nil, nil, err
		}
		if ctx.Err() == nil {
			if err := checkpoint(); err != nil {
				return nil, nil, err
			}
		}
	}
	for r.step < r.o.Steps && ctx.Err() == nil {
		if err := r.one(&last); err != nil {
			return nil, nil, err
		}
		r.loss.Sum, r.loss.Count = r.loss.Sum+last, r.loss.Count+1
		if r.o.due(r.step) {
			if err := r.report(ctx, train, test, h, last); err != nil {
				return nil, nil, err
			}
		}
		if r.o.CheckpointEvery > 0 && r.step%r.o.CheckpointEvery == 0 || h.Due != nil && h.Due() {
			if err := checkpoint(); err != nil {
				return nil, nil, err
			}
		}
	}
	if kept != r.step {
		if err := checkpoint(); err != nil {
			return nil, nil, err
		}
	}
	net, state, err := r.snapshot()
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil && (r.step < r.o.Steps || r.loss.Count > 0) { // or it still owes the last report
		return net, state, fmt.Errorf("stopped after step %d of %d: %w", r.step, r.o.Steps, err)
	}
	return net, state, nil
}

// measured reports whether accuracy is measured after a step.
func (o Options) measured(step int) bool {
	return step == o.Steps || o.EvalEvery > 0 && step%o.EvalEvery == 0
}

// due reports whether there is a report after a step.
func (o Options) due(step int) bool {
	return o.measured(step) || o.LogEvery > 0 && step%o.LogEvery == 0
}

// report tells how training stands, unless it is cancelled meanwhile: then the losses go into the checkpoint, and
// whoever goes on from there begins with the report.
func (r *run) report(ctx context.Context, train, test Images, h Hooks, last float64) error {
	p := Report{Step: r.step, Steps: r.o.Steps, Images: r.step * r.o.Batch, Rate: r.o.rate(max(r.step-1, 0)), Loss: last}
	p.Epoch = float64(p.Images) / float64(r.images)
	if r.loss.Count > 0 {
		p.Loss = r.loss.Sum / float64(r.loss.Count)
	}
	if r.o.measured(r.step) {
		err := r.measure(ctx, train, test, &p)
		if err != nil && errors.Is(err, ctx.Err()) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	r.loss = running{}
	if h.Progress != nil {
		h.Progress(p)
	}
	return nil
}

// measure fills in how the network does on the images.
func (r *run) measure(ctx context.Context, train, test Images, p *Report) (err error) {
	if r.o.EvalTrain > 0 {
		if p.Train, err = Evaluate(ctx, r.e, r.net, train, r.o.EvalTrain); err != nil {
			return err
		}
	}
	if test != nil {
		p.Test, err = Evaluate(ctx, r.e, r.net, test, 0)
	}
	return err
}

// checkpoint gives the hook network and state as they are.
func (r *run) checkpoint(h Hooks) error {
	if h.Checkpoint == nil {
		return nil
	}
	net, state, err := r.snapshot()
	if err != nil {
		return err
	}
	if err := h.Checkpoint(net, state); err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", r.step, err)
	}
	return nil
}

// one takes one step.
func (r *run) one(last *float64) error {
	g := r.g
	if err := r.loader.fill(r.step, g.x, g.labels); err != nil {
		return err
	}
	if err := g.run(r.step); err != nil {
		return err
	}
	r.optimizer.rate = r.o.rate(r.step)
	if math.IsNaN(g.loss) || math.IsInf(g.loss, 0) {
		return &Diverged{Step: r.step + 1, Loss: g.loss, Last: *last, Rate: r.optimizer.rate}
	}
	*last = g.loss
	r.optimizer.t = r.step + 1
	if err := r.optimizer.Step(r.grads); err != nil {
		return err
	}
	if r.o.MaxFilterRMS > 0 {
		limitRMS(g.params, r.o.MaxFilterRMS)
	}
	r.step++
	return nil
}

// snapshot copies network and state as they are.
func (r *run) snapshot() (*model.Network, *model.State, error) {
	text, err := json.Marshal(saved{r.o, r.images, r.loss})
	if err != nil {
		return nil, nil, fmt.Errorf("%w", err)
	}
	net := r.net.Clone()
	net.Origin.Step = r.step
	return net, &model.State{Step: r.step, JSON: text, Tensors: r.optimizer.save(r.g.params)}, nil
}
