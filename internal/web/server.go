package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

//go:embed assets
var embedded embed.FS

// Net is a network to look at.
type Net struct {
	Session *view.Session
	Args    []string // flags of commands that mean it: --model net.onnx
}

// Options of a page.
type Options struct {
	Nets []Net        // one, or two to compare
	List *images.List // pictures; nil: only those that are dropped on the page
	Args []string     // arguments of commands that mean the list: photos/ or --data shapes
	// Index of features of the list, if there is one, and the flags of commands that mean it: --features features.idx
	Index     *features.Index
	IndexArgs []string
	Memory    int      // bytes of results that are kept; 0: 120 MiB
	Token     string   // who knows it may ask; "": everybody who reaches the server
	Names     []string // of this machine, beside localhost and numbers
	Version   string   // of the program, for provenance
	// Checkpoints of the first network in the order of training, for the view of its evolution.
	Checkpoints []string
	Open        func(i int) (*model.Network, error)
}

// Server answers the page's requests.
type Server struct {
	o        Options
	stations []*station
	pictures *pictures
	cache    *cache
	work     *work // short requests
	long     *work // scans
	index    *indexes
	handler  http.Handler
	slow     time.Duration // that a client may take to read an answer
}

// station is a network at work.
type station struct {
	Net
	number  int
	look    *view.Look
	inspect func() (*view.Inspection, error) // once
}

// New makes a server. Sessions and their engines stay the caller's.
func New(o Options) (*Server, error) {
	if o.Memory == 0 {
		o.Memory = 120 << 20 // a trace of VGG16 takes 115
	}
	s := &Server{o: o, pictures: &pictures{list: o.List}, cache: newCache(o.Memory), work: newWork(2), long: newWork(1), slow: 30 * time.Second}
	for i, n := range o.Nets {
		look, err := n.Session.Look()
		if err != nil {
			return nil, err
		}
		s.stations = append(s.stations, &station{Net: n, number: i, look: look,
			inspect: sync.OnceValues(func() (*view.Inspection, error) { return n.Session.Inspect(deconv.Paper) })})
	}
	if len(s.stations) == 0 {
		return nil, errors.New("web: no network")
	}
	s.index = newIndexes(s)
	s.handler = guard{token: o.Token, names: o.Names}.wrap(s.routes())
	return s, nil
}

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	assets, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(assets)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, assets, "index.html") })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, assets, "icon.svg") })
	for pattern, h := range map[string]handler{
		"GET /api/state":        s.state,
		"GET /api/pictures":     s.listPictures,
		"POST /api/pictures":    s.addPicture,
		"GET /api/thumb":        s.thumb,
		"GET /api/original":     s.original,
		"GET /api/input":        s.input,
		"GET /api/graph":        s.graph,
		"GET /api/classes":      s.classes,
		"GET /api/maps":         s.maps,
		"GET /api/tiles":        s.tiles,
		"GET /api/map":          s.oneMap,
		"GET /api/unit":         s.unit,
		"GET /api/spot":         s.spot,
		"POST /api/mask":        s.mask,
		"GET /api/mask":         s.keptMask,
		"GET /api/scan":         s.scan,
		"GET /api/loss":         s.loss,
		"GET /api/colors":       s.colors,
		"GET /api/figure":       s.figure,
		"GET /api/command":      s.command,
		"GET /api/index":        s.indexState,
		"GET /api/index/scan":   s.indexScan,
		"GET /api/methods":      s.methods,
		"GET /api/methods/test": s.faithful,
	} {
		mux.Handle(pattern, s.answer(h))
	}
	return mux
}

// handler answers one request, or says what is wrong with it.
type handler func(w http.ResponseWriter, r *http.Request) error

// answer turns errors into what the page shows.
func (s *Server) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &timed{ResponseWriter: w, slow: s.slow}
		err := h(t, r)
		if err == nil || t.begun || errors.Is(err, context.Canceled) {
			return
		}
		code, body := problem(err)
		w.Header().Set("Content-Type", "application/json")
		t.WriteHeader(code)
		json.NewEncoder(t).Encode(body)
	})
}

// timed gives a client a time to read the answer in, from when there is something to read.
type timed struct {
	http.ResponseWriter
	slow  time.Duration
	begun bool
}

func (t *timed) WriteHeader(code int) { t.begin(); t.ResponseWriter.WriteHeader(code) }
func (t *timed) Write(b []byte) (int, error) {
	t.begin()
	return t.ResponseWriter.Write(b)
}
func (t *timed) Unwrap() http.ResponseWriter { return t.ResponseWriter }
func (t *timed) begin() {
	t.begun = true
	http.NewResponseController(t.ResponseWriter).SetWriteDeadline(time.Now().Add(t.slow))
}

// problemBody is an error as the page shows it.
type problemBody struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
	Field string `json:"field,omitempty"`
}

// problem is what the page is told of an error: what the command would say.
func problem(err error) (int, problemBody) {
	if err == errBusy {
		return http.StatusServiceUnavailable, problemBody{Error: err.Error()}
	}
	if e, ok := errors.AsType[*missing](err); ok {
		return http.StatusNotFound, problemBody{Error: e.Error()}
	}
	if e, ok := errors.AsType[*view.FieldError](err); ok {
		return http.StatusBadRequest, problemBody{e.Error(), e.Hint, e.Field}
	}
	if e, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		return http.StatusUnprocessableEntity, problemBody{Error: err.Error(), Hint: e.Hint()}
	}
	return http.StatusUnprocessableEntity, problemBody{Error: err.Error()}
}

// sendJSON answers with numbers.
func sendJSON(w http.ResponseWriter, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		_, err = view.JSON(v) // says what numbers that are not finite mean
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(text)
	return err
}

// query reads the settings of a request.
type query struct {
	r      *http.Request
	values url.Values
}

func queryOf(r *http.Request) query { return query{r, r.URL.Query()} }

func (q query) get(name string) string { return q.values.Get(name) }

// given is what view.Fields read: an empty setting is none.
func (q query) given(name string) (string, bool) { text := q.get(name); return text, text != "" }

// number reads a whole number of at least 0.
func (q query) number(name string, otherwise int) (int, error) {
	text := q.get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, &view.FieldError{Field: name, Problem: shortened(text) + ": want a whole number from 0"}
	}
	return n, nil
}

// shortened keeps a text from filling an error.
func shortened(text string) string {
	if r := []rune(text); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return text
}

// client tells who asks, so that nobody keeps the others waiting: each page has made up a name for itself.
func (q query) client() string {
	if c := q.get("client"); c != "" && len(c) <= 40 {
		return c
	}
	return strings.Split(q.r.RemoteAddr, ":")[0]
}

// station is the network that is asked about.
func (s *Server) station(q query) (*station, error) {
	n, err := q.number("net", 0)
	if err == nil && n >= len(s.stations) {
		err = &view.FieldError{Field: "net", Problem: strconv.Itoa(n) + ": there are " + strconv.Itoa(len(s.stations))}
	}
	if err != nil {
		return nil, err
	}
	return s.stations[n], nil
}

// asked is a network and a picture.
type asked struct {
	*station
	image int
	in    view.Input
	query query
}

// key begins the keys under which results about the network and the picture are kept.
func (a asked) key(what string) string {
	return what + " " + strconv.Itoa(a.number) + " " + strconv.Itoa(a.image) + " "
}

// asked finds the network and the picture that a request is about.
func (s *Server) asked(r *http.Request) (a asked, err error) {
	a.query = queryOf(r)
	if a.station, err = s.station(a.query); err != nil {
		return a, err
	}
	if a.image, err = a.query.number("image", 0); err != nil {
		return a, err
	}
	a.in, err = get(r.Context(), s.cache, a.key("input"), func() (in view.Input, bytes int, err error) {
		err = s.work.do(r.Context(), a.query.client(), func(context.Context) error {
			in, err = s.pictures.input(a.Session, a.image)
			return err
		})
		if err != nil {
			return in, 0, err
		}
		return in, 4 * in.Tensor.Len(), nil
	})
	return a, err
}
