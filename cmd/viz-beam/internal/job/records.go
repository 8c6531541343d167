package job

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

// Record is what a job says of one picture.
type Record struct {
	Image  int               `json:"image"` // its number
	Name   string            `json:"name"`
	Values []json.RawMessage `json:"values,omitempty"` // as the viz command of this name prints them
	Error  string            `json:"error,omitempty"`  // why the picture cannot be used
}

// recorder makes one record a picture.
type recorder struct {
	// of is what is said of picture i of a list, loaded before, which has the number among all.
	of func(ctx context.Context, src *images.Inputs, i, number int, x *tensor.Tensor) ([]any, error)
	// match gives a list the labels of the network's classes; nil: they are not used.
	match func(src *images.Inputs) (*images.Inputs, error)
}

func (r recorder) unit(ctx context.Context, src *images.Inputs, from int, count *Count) ([]byte, error) {
	if r.match != nil {
		var err error
		if src, err = r.match(src); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	lines := json.NewEncoder(z)
	for i := range src.Len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		record := Record{Image: from + i, Name: src.Items[i].Name}
		x, err := loaded(func() (*tensor.Tensor, error) { return src.Load(i) }, record.Name)
		if _, broken := errors.AsType[*store.Broken](err); broken {
			return nil, err
		}
		if err != nil {
			record.Error = err.Error()
			count.Skipped++
		} else if record.Values, err = r.values(ctx, src, i, from+i, x); err != nil {
			return nil, fmt.Errorf("%s: %w", record.Name, err)
		}
		if err := lines.Encode(record); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

func (r recorder) values(ctx context.Context, src *images.Inputs, i, number int, x *tensor.Tensor) (out []json.RawMessage, err error) {
	values, err := r.of(ctx, src, i, number, x)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("the numbers are not finite: %w", err)
		}
		out = append(out, text)
	}
	return out, nil
}

func (w *Worker) classify() (worked, error) {
	var r view.Classify
	if err := w.set(r.Fields()); err != nil {
		return nil, err
	}
	c, err := w.session.Classifier(r)
	if err != nil {
		return nil, err
	}
	return recorder{
		match: w.match,
		of: func(_ context.Context, src *images.Inputs, i, _ int, x *tensor.Tensor) ([]any, error) {
			one, err := c.Classify(src, i, x)
			return []any{one}, err
		},
	}, nil
}

// match gives pictures the labels of the network's classes, or none if the classes are others.
func (w *Worker) match(src *images.Inputs) (*images.Inputs, error) {
	if len(src.Classes) == 0 {
		return src, nil
	}
	net := w.session.Net
	names := net.Classes
	if len(names) == 0 {
		r, err := net.Classifier()
		if err != nil {
			return nil, err
		}
		names = classes.Numbers(r.Labels())
	}
	var m *classes.Mapping
	var err error
	if w.Job.ByNumber {
		m, err = classes.ByNumber(src.Classes, len(names))
	} else if m, err = classes.Match(src.Classes, names); err != nil {
		if _, no := errors.AsType[*classes.NoMatch](err); no {
			m, err = &classes.Mapping{}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return &images.Inputs{List: src.Matched(m, net.Classes), Net: net}, nil
}

func (w *Worker) occlude() (worked, error) {
	var r view.Occlusion
	if err := w.set(r.Fields()); err != nil {
		return nil, err
	}
	if err := r.Validate(w.session.Net); err != nil {
		return nil, err
	}
	o, err := w.session.Occluder(r)
	if err != nil {
		return nil, err
	}
	return recorder{of: func(ctx context.Context, src *images.Inputs, i, _ int, x *tensor.Tensor) (out []any, err error) {
		maps, err := o.Scan(ctx, x, nil)
		for _, m := range maps {
			out = append(out, o.Numbers(view.InputOf(src, i, x), m, m.Classes...))
		}
		return out, err
	}}, nil
}

func (w *Worker) attribute() (worked, error) {
	var r view.Attribution
	if err := w.set(r.Fields()); err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	e := attribution.New(w.session.Engine, w.session.Net)
	return recorder{of: func(ctx context.Context, src *images.Inputs, i, _ int, x *tensor.Tensor) (out []any, err error) {
		figures, err := w.session.Attribution(ctx, e, r, view.InputOf(src, i, x))
		for _, f := range figures {
			out = append(out, f.Numbers)
		}
		return out, err
	}}, nil
}

func (w *Worker) faithful() (worked, error) {
	var r view.Faithful
	if err := w.set(r.Fields()); err != nil {
		return nil, err
	}
	r.Clock = w.machine.Clock
	run, err := w.session.FaithfulRun(r)
	if err != nil {
		return nil, err
	}
	return recorder{of: func(ctx context.Context, src *images.Inputs, i, number int, x *tensor.Tensor) ([]any, error) {
		one, err := run.Image(ctx, src, i, number, x)
		return []any{one}, err
	}}, nil
}

// records yields the records of a result, in order of picture, and checks that none is missing or there twice.
func records(r io.Reader, pictures int, yield func(Record) error) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bufio.NewReader(z))
	for i := range pictures {
		var one Record
		if err := d.Decode(&one); err != nil {
			return fmt.Errorf("the record of picture %d of %d: %w", i, pictures, err)
		}
		if one.Image != i {
			return fmt.Errorf("a record of picture %d, want %d", one.Image, i)
		}
		if err := yield(one); err != nil {
			return err
		}
	}
	if d.More() {
		return fmt.Errorf("more records than %d pictures", pictures)
	}
	return nil
}
