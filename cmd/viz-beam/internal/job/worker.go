package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"gocloud.dev/blob"
)

// Machine is what a worker uses of the machine it is on.
type Machine struct {
	Open    store.Open     // of buckets
	Threads int            // of the engine; 0: all processors
	Clock   func() float64 // seconds; nil: times are not measured
}

// Process is what one process keeps between units: the job it last worked on, with network, engine and plan.
// It may be used by many goroutines at once; units are done one after the other, each on all processors, so that
// memory is that of one.
type Process struct {
	Machine

	mu     sync.Mutex
	place  Place
	worker *Worker
}

// Worker is the worker for a job, opened the first time that it is asked for.
func (p *Process) Worker(ctx context.Context, place Place) (*Worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.worker != nil && p.place == place {
		return p.worker, nil
	}
	w, err := Begin(ctx, place, p.Machine)
	if err != nil {
		return nil, err
	}
	if p.worker != nil {
		p.worker.Close()
	}
	p.worker, p.place = w, place
	return w, nil
}

// source is a numbered list of pictures of which a part can be had.
type source interface {
	Len() int
	Hash() string
	Window(ctx context.Context, from, to int) (*images.List, error)
}

// Worker does units of a job.
type Worker struct {
	Job      Job
	machine  Machine
	bucket   *blob.Bucket
	session  *view.Session
	pictures source
	kind     worked

	mu sync.Mutex // held while a unit is done
}

// worked is what a kind of job does with a unit's pictures: it makes the unit's part.
type worked interface {
	unit(ctx context.Context, src *images.Inputs, from int, count *Count) ([]byte, error)
}

// Count says what a unit took.
type Count struct {
	Pictures int // done, those that were skipped included
	Skipped  int // that cannot be used
	Kept     int // that were done before
	Failed   int // of a unit that cannot be done
}

// Begin opens a job.
func Begin(ctx context.Context, place Place, m Machine) (*Worker, error) {
	w := &Worker{machine: m}
	if err := w.begin(context.WithoutCancel(ctx), place); err != nil { // what is opened outlives the unit that asked for it
		w.Close()
		return nil, fmt.Errorf("job %s in %s: %w", place.ID, place.Work, err)
	}
	return w, nil
}

func (w *Worker) begin(ctx context.Context, place Place) (err error) {
	m := w.machine
	if w.bucket, err = place.open(ctx, m.Open); err != nil {
		return err
	}
	text, err := w.bucket.ReadAll(ctx, jobFile)
	if missing(err) {
		return errors.New("the job is not there: do all workers see this folder?")
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &w.Job); err != nil {
		return err
	}
	if id, err := w.Job.ID(); err != nil || id != place.ID {
		return fmt.Errorf("the job there is %s: it was written by another version, or is damaged", id)
	}
	net, err := readNetwork(ctx, w.bucket)
	if err != nil {
		return err
	}
	w.session = view.NewSession(model.NewEngine(m.Threads), net)
	if got := w.session.Hash(); got != w.Job.Network {
		return fmt.Errorf("the network there is %s, want %s", got, w.Job.Network)
	}
	if w.pictures, err = w.openPictures(ctx, m.Open); err != nil {
		return err
	}
	if w.pictures.Len() != w.Job.Pictures || w.pictures.Hash() != w.Job.Names {
		return fmt.Errorf("here are %d pictures (names %s), want %d (names %s): this machine sees other pictures", w.pictures.Len(), w.pictures.Hash(), w.Job.Pictures, w.Job.Names)
	}
	w.kind, err = w.prepare()
	return err
}

// readNetwork reads the job's network, through a file: checkpoints are read from files.
func readNetwork(ctx context.Context, b *blob.Bucket) (*model.Network, error) {
	dir, err := os.MkdirTemp("", "viz-beam-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, networkFile))
	if err != nil {
		return nil, err
	}
	if err := b.Download(ctx, networkFile, f, nil); err != nil {
		f.Close()
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return model.Load(f.Name())
}

func (w *Worker) openPictures(ctx context.Context, open store.Open) (source, error) {
	if w.Job.List != "" {
		text, err := w.bucket.ReadAll(ctx, listFile)
		if err != nil {
			return nil, err
		}
		return store.ReadList(listFile, bytes.NewReader(text), open)
	}
	if w.Job.Spec == nil {
		return nil, errors.New("the job names no pictures")
	}
	list, err := images.Open(ctx, *w.Job.Spec, images.Options{CacheDir: w.Job.Cache})
	return specced{list}, err
}

// specced is a list that is whole in memory.
type specced struct{ *images.List }

func (l specced) Window(_ context.Context, from, to int) (*images.List, error) {
	numbers := make([]int, to-from)
	for i := range numbers {
		numbers[i] = from + i
	}
	return l.Subset(numbers), nil
}

// set sets a request as a command does: what the job does not say is as if the default were said.
func (w *Worker) set(fields view.Fields) error {
	for _, f := range fields {
		if f.Default == "" || f.Network || f.Switch {
			continue
		}
		if err := f.Set(nil, f.Default); err != nil {
			return err
		}
	}
	return fields.Set(w.session.Net, func(name string) (string, bool) {
		text, given := w.Job.Settings[name]
		return text, given
	})
}

// prepare makes the kind of the job ready.
func (w *Worker) prepare() (worked, error) {
	switch w.Job.Kind {
	case Features:
		return w.features()
	case Classify:
		return w.classify()
	case Occlude:
		return w.occlude()
	case Attribute:
		return w.attribute()
	case Faithful:
		return w.faithful()
	}
	_, err := ParseKind(string(w.Job.Kind))
	return nil, err
}

// Do does a unit, unless it was done before. An error may go away if the unit is tried again; a unit that cannot be
// done leaves the reason, which is the error of the job's end.
func (w *Worker) Do(ctx context.Context, unit int) (Count, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	from, to := w.Job.Range(unit)
	if unit < 0 || from >= to {
		return Count{}, fmt.Errorf("unit %d of %d", unit, w.Job.Units())
	}
	if done, err := w.bucket.Exists(ctx, partFile(unit)); err != nil || done {
		return Count{Kept: to - from}, err
	}
	if err := w.bucket.WriteAll(ctx, beganFile(unit), []byte{'\n'}, nil); err != nil {
		return Count{}, err
	}
	list, err := w.pictures.Window(ctx, from, to)
	if err != nil {
		return Count{}, err
	}
	count := Count{Pictures: to - from}
	text, err := w.guarded(ctx, list, from, &count)
	if _, broken := errors.AsType[*store.Broken](err); broken || ctx.Err() != nil {
		return Count{}, errors.Join(ctx.Err(), err)
	}
	if err != nil {
		text, err := json.Marshal(failure{unit, from, to, err.Error()})
		if err == nil {
			err = w.bucket.WriteAll(ctx, failedFile(unit), text, nil)
		}
		return Count{Failed: to - from}, err
	}
	if err := w.bucket.WriteAll(ctx, partFile(unit), text, nil); err != nil {
		return Count{}, err
	}
	if err := w.bucket.Delete(ctx, beganFile(unit)); err != nil && !missing(err) {
		return Count{}, err
	}
	return count, nil
}

// guarded does a unit. A panic is an error of the unit.
func (w *Worker) guarded(ctx context.Context, list *images.List, from int, count *Count) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	src, err := images.For(list, w.session.Net)
	if err != nil {
		return nil, err
	}
	return w.kind.unit(ctx, src, from, count)
}

// Close gives back what the worker holds.
func (w *Worker) Close() error {
	if w.session != nil {
		w.session.Engine.Close()
	}
	var errs []error
	if c, ok := w.pictures.(interface{ Close() error }); ok {
		errs = append(errs, c.Close())
	}
	if w.bucket != nil {
		errs = append(errs, w.bucket.Close())
	}
	return errors.Join(errs...)
}

// loaded is a picture as the network's input. A decoder that panics is an error of the picture.
func loaded[T any](load func() (T, error), name string) (x T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: the decoder failed: %v", name, r)
		}
	}()
	return load()
}
