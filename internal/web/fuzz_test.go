package web

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/view"
)

// fuzzServer is a page on the built-in network shapes, with few pictures.
func fuzzServer(f *testing.F) *Server {
	engine := model.NewEngine(1)
	f.Cleanup(engine.Close)
	net, err := open.Network("shapes", open.Options{})
	if err != nil {
		f.Fatal(err)
	}
	list, err := images.Open(context.Background(), images.Spec{Data: "shapes", Limit: 3, Seed: 1}, images.Options{})
	if err != nil {
		f.Fatal(err)
	}
	s, err := New(Options{Nets: []Net{{Session: view.NewSession(engine, net), Args: []string{"--model", "shapes"}}}, List: list, Args: []string{"--data", "shapes"}, Memory: 8 << 20, Version: "test"})
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// asks sends one request, for which there is little time. The answer is whole, or says in one line what is wrong.
func (s *Server) asks(t testing.TB, method, path, query string, body []byte) {
	ctx, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer stop()
	r := httptest.NewRequestWithContext(ctx, method, "/", bytes.NewReader(body))
	r.URL.Path, r.URL.RawQuery = path, query
	r.Header.Set("Content-Type", "application/octet-stream")
	w := httptest.NewRecorder()
	hostile.ReadWithin(t, len(query)+len(body), hostile.Memory(len(query)+len(body))+256<<20, func() error { s.Handler().ServeHTTP(w, r); return nil })
	switch {
	case w.Code >= 500 && w.Code != http.StatusServiceUnavailable:
		t.Fatalf("%s %s?%s: %d %s", method, path, query, w.Code, w.Body)
	case w.Code >= 400 && w.Header().Get("Content-Type") == "application/json":
		var p problemBody
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("%s?%s: %v of %s", path, query, err, w.Body)
		}
		hostile.Line(t, strings.ReplaceAll(p.Error, "\n", " "))
	case w.Code == 200 && w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()):
		t.Fatalf("%s?%s: no JSON: %.200s", path, query, w.Body)
	case w.Code == 200 && w.Header().Get("Content-Type") == "image/png":
		if _, err := png.DecodeConfig(w.Body); err != nil {
			t.Fatalf("%s?%s: %v", path, query, err)
		}
	}
}

// FuzzQueries: what the page may ask, with queries that it would not.
func FuzzQueries(f *testing.F) {
	s := fuzzServer(f)
	paths := []string{"state", "pictures", "thumb", "original", "input", "graph", "classes", "maps", "tiles", "map", "unit", "spot", "mask", "colors", "figure", "command", "index", "methods"}
	for i := range paths {
		f.Add(uint8(i), "net=0&image=1&layer=relu1")
	}
	for i, q := range map[int]string{9: "layer=relu2&map=3&image=1", 10: "unit=relu2:1:2:3&image=0&rule=paper", 11: "at=3,4&patch=8&fill=noise:1", 14: "view=occlusion&patch=16&stride=16&class=1", 15: "view=gradcam&layer=1", 13: "cmap=jet", 2: "side=9&image=2"} {
		f.Add(uint8(i), q)
	}
	f.Add(uint8(14), "view=gradcam&layer=%1b[31m&net=-1&image=99999999999999999999&class=%ff&class=%00")
	hostile.Fuzz(f, func(t testing.TB, which uint8, query string) {
		if values, err := url.ParseQuery(query); err == nil && values.Get("view") != "" {
			for _, costly := range []string{"masks", "samples", "steps", "starts", "points", "stride", "patch"} { // a map of every pixel takes its time, until the client goes
				if values.Get(costly) != "" && int(which)%len(paths) == 14 {
					return
				}
			}
		}
		s.asks(t, "GET", "/api/"+paths[int(which)%len(paths)], query, nil)
	})
}

// FuzzUploads: pictures and masks that are dropped on the page.
func FuzzUploads(f *testing.F) {
	s := fuzzServer(f)
	for _, size := range []int{1, 32} {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, size, size))); err != nil {
			f.Fatal(err)
		}
		f.Add("name=a.png", b.Bytes())
	}
	f.Add("name=../../%1b[31m%0a", []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	hostile.Fuzz(f, func(t testing.TB, query string, body []byte) {
		if h := len(body); h > 1<<16 {
			return
		}
		s.asks(t, "POST", "/api/pictures", query, body)
		s.asks(t, "POST", "/api/mask", query, body)
		for _, name := range []string{plainName(query)} {
			hostile.Line(t, name)
			if strings.ContainsAny(name, "/\\") {
				t.Errorf("%q is called %q", query, name)
			}
		}
	})
}
