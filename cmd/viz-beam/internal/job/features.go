package job

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// scan makes parts of an index of features: what viz features --shard makes of the unit's pictures.
type scan struct {
	w       *Worker
	request view.Scan
	plan    *model.Plan
}

func (w *Worker) features() (worked, error) {
	s := &scan{w: w}
	if err := w.set(s.request.Fields()); err != nil {
		return nil, err
	}
	if err := s.request.Validate(); err != nil {
		return nil, err
	}
	var err error
	s.plan, err = features.Compile(w.session.Engine, w.session.Net, s.request.Options)
	return s, err
}

// window is the pictures of a unit under their numbers among all.
type window struct {
	*images.Inputs
	from, all int
}

func (w window) Len() int { return w.all }

func (w window) Input(i int, dst []float32) error {
	_, err := loaded(func() (struct{}, error) { return struct{}{}, w.Inputs.Input(i-w.from, dst) }, w.Items[i-w.from].Name)
	return err
}

func (s *scan) unit(ctx context.Context, src *images.Inputs, from int, count *Count) ([]byte, error) {
	o := s.request.Options
	o.Plan, o.Hash = s.plan, s.w.Job.Network
	o.From, o.To = from, from+src.Len()
	if o.Readers = s.w.session.Engine.Workers(); o.Readers < 2 {
		o.Readers = 2
	}
	o.Readers = max(o.Readers, min(runtime.GOMAXPROCS(0), 4))
	if s.w.Job.List != "" { // they wait for the network rather than for processors
		o.Readers = max(o.Readers, 16)
	}
	o.Unreadable = func(_ int, err error) error {
		if _, broken := errors.AsType[*store.Broken](err); broken {
			return err
		}
		count.Skipped++
		return nil
	}
	x, err := features.Collect(ctx, s.w.session.Engine, s.w.session.Net, window{src, from, s.w.Job.Pictures}, o)
	if err != nil {
		return nil, err
	}
	x.Source = s.w.Job.Source
	x.SetNames(func(i int) (string, string) { return src.Items[i-from].Name, src.Class(i - from) })
	return packIndex(x)
}

// packIndex is an index as a part has it.
func packIndex(x *features.Index) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err == nil {
		err = x.Write(z)
	}
	if err == nil {
		err = z.Close()
	}
	return out.Bytes(), err
}

func unpackIndex(r io.Reader) (*features.Index, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return features.Read(z)
}

// mergeAtOnce is how many parts are in memory when they are merged.
const mergeAtOnce = 8

// merged is the index of many parts, each of which next returns with the pictures it must be of, until io.EOF.
func merged(next func() (*features.Index, features.Range, error)) (*features.Index, error) {
	var parts []*features.Index
	for {
		x, want, err := next()
		if err != nil && err != io.EOF {
			return nil, err
		}
		if err == nil {
			if len(x.Done) != 1 || x.Done[0] != want {
				return nil, fmt.Errorf("a part is of pictures %v, want %d to %d", x.Done, want.From, want.To-1)
			}
			parts = append(parts, x)
		}
		if len(parts) == mergeAtOnce || err == io.EOF && len(parts) > 1 {
			all, err := features.Merge(parts...)
			if err != nil {
				return nil, err
			}
			parts = append(parts[:0], all)
		}
		if err == io.EOF {
			if len(parts) == 0 {
				return nil, errors.New("there are no parts")
			}
			return parts[0], nil
		}
	}
}
