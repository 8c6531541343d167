package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/deconvnet/viz/features"
)

// Fold puts the parts of some units together. It does so by the plan: whatever was done twice is there once. A job
// with units that cannot be done has no result.
func (w *Worker) Fold(ctx context.Context, fold int) error {
	first := fold * w.Job.Fold
	last := min(first+w.Job.Fold, w.Job.Units())
	if fold < 0 || first >= last {
		return fmt.Errorf("fold %d of %d", fold, w.Job.Folds())
	}
	var names []string
	var ranges []features.Range
	for unit := first; unit < last; unit++ {
		from, to := w.Job.Range(unit)
		names, ranges = append(names, partFile(unit)), append(ranges, features.Range{From: from, To: to})
	}
	return w.join(ctx, names, ranges, foldFile(fold), false)
}

// Finish puts the folds together to the result.
func (w *Worker) Finish(ctx context.Context) error {
	var names []string
	var ranges []features.Range
	for fold := range w.Job.Folds() {
		from, _ := w.Job.Range(fold * w.Job.Fold)
		_, to := w.Job.Range(min((fold+1)*w.Job.Fold, w.Job.Units()) - 1)
		names, ranges = append(names, foldFile(fold)), append(ranges, features.Range{From: from, To: to})
	}
	return w.join(ctx, names, ranges, resultFile, true)
}

// join puts files together to one. The last is as users have it.
func (w *Worker) join(ctx context.Context, names []string, ranges []features.Range, to string, last bool) error {
	if done, err := w.bucket.Exists(ctx, to); err != nil || done {
		return err
	}
	if err := failures(ctx, w.bucket); err != nil {
		if _, known := errors.AsType[*Failed](err); known {
			return nil // Result says so
		}
		return err
	}
	if w.Job.Kind == Features {
		return w.joinIndexes(ctx, names, ranges, to, last)
	}
	return w.joinRecords(ctx, names, to)
}

func (w *Worker) joinIndexes(ctx context.Context, names []string, ranges []features.Range, to string, last bool) error {
	at := 0
	x, err := merged(func() (*features.Index, features.Range, error) {
		if at == len(names) {
			return nil, features.Range{}, io.EOF
		}
		text, err := w.bucket.ReadAll(ctx, names[at])
		if err != nil {
			return nil, features.Range{}, err
		}
		x, err := unpackIndex(bytes.NewReader(text))
		if err != nil {
			return nil, features.Range{}, fmt.Errorf("%s: %w", names[at], err)
		}
		at++
		return x, ranges[at-1], nil
	})
	if err != nil {
		return err
	}
	if !last {
		text, err := packIndex(x)
		if err != nil {
			return err
		}
		return w.bucket.WriteAll(ctx, to, text, nil)
	}
	var text bytes.Buffer
	if err := x.Write(&text); err != nil {
		return err
	}
	return w.bucket.WriteAll(ctx, to, text.Bytes(), nil)
}

// joinRecords writes one file behind the other.
func (w *Worker) joinRecords(ctx context.Context, names []string, to string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of a writer that is not closed well: nothing appears
	out, err := w.bucket.NewWriter(ctx, to, nil)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err = w.bucket.Download(ctx, name, out, nil); err != nil {
			cancel()
			out.Close()
			return err
		}
	}
	return out.Close()
}
