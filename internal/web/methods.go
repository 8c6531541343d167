package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/view"
)

// methods lists the attribution methods.
func (s *Server) methods(w http.ResponseWriter, r *http.Request) error {
	type info struct {
		Name    string `json:"name"`
		Title   string `json:"title"`
		Formula string `json:"formula"`
		Layer   bool   `json:"layer"` // at a layer
	}
	var out []info
	for _, m := range attribution.Methods() {
		out = append(out, info{string(m), m.Title(), m.Formula(), m.AtLayer()})
	}
	return sendJSON(w, out)
}

// faithful measures deletion and insertion for one method and picture.
func (s *Server) faithful(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asked(r)
	if err != nil {
		return err
	}
	method, err := attribution.ParseMethod(a.query.get("method"))
	if err != nil {
		return &view.FieldError{Field: "method", Problem: err.Error()}
	}
	p, err := s.pictures.open(a.image)
	if err != nil {
		return err
	}
	src, err := images.For(images.Single(p), a.Session.Net)
	if err != nil {
		return err
	}
	e, ctx := s.listen(w, r)
	defer e.cancel()
	var n *view.FaithfulNumbers
	err = s.long.do(ctx, a.query.client(), func(ctx context.Context) error {
		n, err = a.Session.Faithful(ctx, view.Faithful{Methods: []attribution.Method{method}, Progress: e.progress}, src)
		return err
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	e.end(err, n)
	return nil
}
