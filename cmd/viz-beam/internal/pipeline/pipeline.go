// Package pipeline runs jobs on Apache Beam: as a pipeline for any of its runners, on Prism in this process, and on
// worker processes that it starts.
package pipeline

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/deconvnet/viz/cmd/viz-beam/internal/job"
	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
)

// process is what this process keeps between bundles. Beam makes the functions below anew, from their JSON, wherever
// and whenever it likes; a variable of the package is the only thing that they can share.
var process = job.Process{Machine: job.Machine{Open: store.OpenBucket, Clock: func() float64 { return float64(time.Now().UnixNano()) / 1e9 }}}

func init() { // Beam finds functions by their types' names
	register.DoFn3x1[context.Context, int, func(int, int), error](&unitFn{})
	register.DoFn4x1[context.Context, int, func(*int) bool, func(int, int), error](&foldFn{})
	register.DoFn3x1[context.Context, int, func(*int) bool, error](&finishFn{})
	register.Emitter2[int, int]()
	register.Iter1[int]()
	beam.RegisterType(reflect.TypeFor[job.Place]())
}

// Names of the metrics, in the namespace "viz".
const (
	namespace = "viz"
	pictures  = "pictures" // done
	skipped   = "skipped"  // of these, those that cannot be used
	kept      = "kept"     // that were done before
	failed    = "failed"   // of units that cannot be done
	millis    = "milliseconds"
)

// unitFn does units, and emits each under the fold it belongs to.
type unitFn struct{ Place job.Place }

func (f *unitFn) ProcessElement(ctx context.Context, unit int, emit func(int, int)) error {
	w, err := process.Worker(ctx, f.Place)
	if err != nil {
		return err
	}
	start := time.Now()
	n, err := w.Do(ctx, unit)
	if err != nil {
		return fmt.Errorf("unit %d: %w", unit, err)
	}
	for name, v := range map[string]int{pictures: n.Pictures, skipped: n.Skipped, kept: n.Kept, failed: n.Failed, millis: int(time.Since(start).Milliseconds())} {
		beam.NewCounter(namespace, name).Inc(ctx, int64(v))
	}
	emit(unit/w.Job.Fold, unit)
	return nil
}

// foldFn puts the units of a fold together once all are done. Which are there is known from the job: what comes is
// only the signal.
type foldFn struct{ Place job.Place }

func (f *foldFn) ProcessElement(ctx context.Context, fold int, _ func(*int) bool, emit func(int, int)) error {
	w, err := process.Worker(ctx, f.Place)
	if err != nil {
		return err
	}
	if err := w.Fold(ctx, fold); err != nil {
		return fmt.Errorf("fold %d: %w", fold, err)
	}
	emit(0, fold)
	return nil
}

// finishFn puts the folds together.
type finishFn struct{ Place job.Place }

func (f *finishFn) ProcessElement(ctx context.Context, _ int, _ func(*int) bool) error {
	w, err := process.Worker(ctx, f.Place)
	if err != nil {
		return err
	}
	return w.Finish(ctx)
}

// build makes the pipeline of a job. branches is how many parts the units are dealt to, each of which may be given to
// a worker of its own.
func build(j job.Job, place job.Place, branches int) *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	var done []beam.PCollection
	for b := range branches {
		var units []int
		for unit := b; unit < j.Units(); unit += branches {
			units = append(units, unit)
		}
		if len(units) == 0 {
			continue
		}
		part := s.Scope(branchName(b))
		shuffled := beam.Reshuffle(part, beam.CreateList(part, units))
		done = append(done, beam.ParDo(part, &unitFn{Place: place}, shuffled))
	}
	folded := beam.ParDo(s, &foldFn{place}, beam.GroupByKey(s, beam.Flatten(s, done...)))
	beam.ParDo0(s, &finishFn{place}, beam.GroupByKey(s, folded))
	return p
}

func branchName(b int) string { return fmt.Sprintf("worker %d", b+1) }
