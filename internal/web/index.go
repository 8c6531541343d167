package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/view"
)

// indexes are what maps answer to over the pictures of the start: from the index that was given, else scanned when
// somebody asks.
type indexes struct{ s *Server }

func newIndexes(s *Server) *indexes { return &indexes{s} }

// given reports whether the index of the start holds a layer of a network.
func (x *indexes) given(st *station, layer string) *features.Layer {
	if x.s.o.Index == nil || x.s.o.Index.Model != st.Session.Hash() {
		return nil
	}
	return x.s.o.Index.Layer(layer)
}

// args are the arguments by which the command uses the same index.
func (x *indexes) args(st *station) []string {
	if x.s.o.Index != nil && x.s.o.Index.Model == st.Session.Hash() {
		return x.s.o.IndexArgs
	}
	return nil
}

func (x *indexes) key(st *station, layer string) string {
	return "index " + st.Session.Hash() + " " + layer
}

// source is the pictures of the start as a network sees them.
func (x *indexes) source(st *station) (*images.Inputs, error) {
	if x.s.o.List == nil {
		return nil, &view.FieldError{Field: "index", Problem: "needs pictures: name some, a folder or a data set, when viz serve starts"}
	}
	return images.For(x.s.o.List, st.Session.Net)
}

// errNotScanned says that nobody has scanned the pictures for a layer yet.
var errNotScanned = errors.New("the pictures have not been scanned for this layer yet")

// layer is the index of a layer, with its pictures.
func (x *indexes) layer(ctx context.Context, st *station, layer string) (*features.Layer, *images.Inputs, error) {
	src, err := x.source(st)
	if err != nil {
		return nil, nil, err
	}
	if l := x.given(st, layer); l != nil {
		return l, src, nil
	}
	if !x.s.cache.has(x.key(st, layer)) {
		return nil, nil, errNotScanned
	}
	l, err := x.collect(ctx, st, layer, "", nil)
	return l, src, err
}

// collect scans the pictures for a layer.
func (x *indexes) collect(ctx context.Context, st *station, layer, client string, progress func(done, total int)) (*features.Layer, error) {
	return get(ctx, x.s.cache, x.key(st, layer), func() (l *features.Layer, bytes int, err error) {
		src, err := x.source(st)
		if err != nil {
			return nil, 0, err
		}
		err = x.s.long.do(ctx, client, func(ctx context.Context) error {
			index, err := features.Collect(ctx, st.Session.Engine, st.Session.Net, src, features.Options{Layers: []string{layer}, Readers: 2, Progress: progress,
				Unreadable: func(_ int, err error) error { return ctx.Err() }})
			if err != nil {
				return err
			}
			l = index.Layer(layer)
			for _, hits := range l.Top {
				bytes += 24*len(hits) + 400
			}
			return nil
		})
		return l, bytes, err
	})
}

// indexState says what is known of a layer over the pictures, map by map.
func (s *Server) indexState(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	st, err := s.station(q)
	if err != nil {
		return err
	}
	layer, err := asked{station: st, query: q}.layerOf()
	if err != nil {
		return err
	}
	out := map[string]any{"layer": layer, "pictures": s.pictures.start(), "ready": false}
	l, _, err := s.index.layer(r.Context(), st, layer)
	if err == nil {
		out["ready"], out["maps"] = true, view.Summarize(l)
	} else if err != errNotScanned {
		return err
	}
	return sendJSON(w, out)
}

// indexScan scans the pictures for a layer, and tells how far it is.
func (s *Server) indexScan(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	st, err := s.station(q)
	if err != nil {
		return err
	}
	layer, err := asked{station: st, query: q}.layerOf()
	if err != nil {
		return err
	}
	e, ctx := s.listen(w, r)
	defer e.cancel()
	_, err = s.index.collect(ctx, st, layer, q.client(), e.progress)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	e.end(err, map[string]any{"layer": layer})
	return nil
}
