package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// plan notes how long jobs will take, from a few steps of each kind. What is
// finished counts nothing. All that can be wrong with a job is wrong here, not
// after hours of others. Networks are built one at a time, and not kept.
func (f *Folder) plan(ctx context.Context, jobs []job) error {
	seen := map[string]bool{}
	for i := range jobs {
		j := &jobs[i]
		if seen[runName(j.name)] {
			return &SettingError{fmt.Errorf("two runs are called %s", j.name), "give each a name of its own"}
		}
		seen[runName(j.name)] = true
		if err := f.resolve(j); err != nil {
			return err
		}
	}
	total := 0.0
	speeds := map[string]float64{}
	for i := range jobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		seconds, err := f.planJob(ctx, &jobs[i], speeds)
		if err != nil {
			return err
		}
		total += seconds
	}
	if total > 0 {
		f.o.note("training takes about %v in all, measuring accuracy not counted", roundTime(total))
	}
	return nil
}

// planJob is how many seconds a job will take, 0 if it is done or nobody knows. Speeds are of networks of a kind.
func (f *Folder) planJob(ctx context.Context, j *job, speeds map[string]float64) (float64, error) {
	net, err := j.first()
	if err != nil {
		return 0, err
	}
	before, err := f.recall(j)
	if err != nil {
		return 0, err
	}
	from := 0
	if before != nil {
		if before.Done {
			return 0, nil
		}
		from = before.Final().Step
	}
	key := fmt.Sprint(j.facts.macs, j.o.Batch, j.o.Optimizer)
	if speeds[key] == 0 {
		if speeds[key], err = f.probe(ctx, net, j.o); err != nil {
			return 0, err
		}
	}
	if speeds[key] == 0 {
		return 0, nil
	}
	seconds := float64((j.o.Steps-from)*j.o.Batch) / speeds[key]
	f.o.note("%s: %d steps of %d images at about %.0f images/s, %v", j.name, j.o.Steps, j.o.Batch, speeds[key], roundTime(seconds))
	return seconds, nil
}

// probe measures how many images a second a network trains on, 0 if it cannot be told.
func (f *Folder) probe(ctx context.Context, net *model.Network, o train.Options) (float64, error) {
	o.Steps, o.EvalTrain, o.EvalEvery, o.CheckpointEvery, o.LogEvery = 4, -1, -1, 0, 1
	var times []time.Time
	_, _, err := train.Run(ctx, f.engine, net, f.images[0], nil, nil, o, train.Hooks{Progress: func(train.Report) { times = append(times, f.o.now()) }})
	if _, diverged := errors.AsType[*train.Diverged](err); err != nil && !diverged {
		return 0, err
	}
	if len(times) < 3 {
		return 0, nil
	}
	// The first step takes in the memory.
	took := times[len(times)-1].Sub(times[0]).Seconds()
	if took <= 0 {
		return 0, nil
	}
	return float64((len(times)-1)*o.Batch) / took, nil
}

func roundTime(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}
