package web

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/view"
)

// job is a request of a kind of figure: its settings, what draws it, and how its command is called.
type job struct {
	command  string
	fields   view.Fields
	validate func() error
	draw     func(ctx context.Context) (view.Figure, error)
	pictures which
	evolve   bool     // over the checkpoints
	array    bool     // the figure has an array
	numbers  bool     // there is no picture, only numbers
	extra    []string // further arguments of the command
	mask     string   // the name of a brushed mask, which the command reads as a file
}

// which says what pictures a figure is made of.
type which int

const (
	onePicture which = iota
	allPictures
	noPicture
)

// kinds are the figures that the page shows and saves: those of the commands.
var kinds = map[string]func(s *Server, a asked) *job{
	"activations": (*Server).activationsJob,
	"unit":        (*Server).unitJob,
	"top":         (*Server).topJob,
	"occlusion":   (*Server).occlusionJob,
	"gradcam":     (*Server).gradcamJob,
	"attribution": (*Server).attributionJob,
	"filters":     (*Server).filtersJob,
	"evolution":   (*Server).evolutionJob,
	"classes":     (*Server).classesJob,
}

func first(figures []view.Figure, err error) (view.Figure, error) {
	if err != nil {
		return view.Figure{}, err
	}
	return figures[0], nil
}

// classesJob lists the best classes. There is no picture of them.
func (s *Server) classesJob(a asked) *job {
	r := &view.Classify{}
	return &job{command: "classify", fields: r.Fields(), validate: func() error { return r.Validate() }, numbers: true,
		draw: func(context.Context) (f view.Figure, err error) {
			src, i, err := s.labelled(a)
			if err != nil {
				return f, err
			}
			c, err := a.Session.Classifier(*r)
			if err != nil {
				return f, err
			}
			n, err := c.Classify(src, i, a.in.Tensor)
			f.Numbers = []view.Classified{n}
			return f, err
		}}
}

// labelled is the list that a picture is of, with labels that are classes of the network.
func (s *Server) labelled(a asked) (*images.Inputs, int, error) {
	net, list, i := a.Session.Net, s.o.List, a.image
	if i >= s.pictures.start() {
		list, i = images.Single(images.Picture{Name: a.in.Name}), 0
	}
	if len(list.Classes) > 0 {
		names := net.Classes
		if len(names) == 0 {
			names = classes.Numbers(net.NumClasses())
		}
		to, err := classes.Match(list.Classes, names)
		if _, ok := errors.AsType[*classes.NoMatch](err); ok {
			to, err = &classes.Mapping{}, nil
		}
		if err != nil {
			return nil, 0, err
		}
		list = list.Matched(to, net.Classes)
	}
	return &images.Inputs{List: list, Net: net}, i, nil
}

func (s *Server) activationsJob(a asked) *job {
	r := &view.Activations{}
	return &job{array: true, command: "activations", fields: r.Fields(), validate: func() error { return r.Validate() },
		draw: func(context.Context) (view.Figure, error) {
			plan, err := r.Plan(a.Session, false)
			if err != nil {
				return view.Figure{}, err
			}
			t, err := plan.Run(a.in.Tensor)
			if err != nil {
				return view.Figure{}, err
			}
			if r.Layers == nil {
				return view.Figure{}, &view.FieldError{Field: "layer", Problem: "is not given"}
			}
			return first(a.Session.Activations(*r, t, a.in))
		}}
}

func (s *Server) unitJob(a asked) *job {
	r := &view.Unit{}
	return &job{array: true, command: "deconv", fields: r.Fields(), draw: func(context.Context) (view.Figure, error) {
		p, err := a.Session.ProjectUnit(*r, a.in)
		if err != nil {
			return view.Figure{}, err
		}
		return a.Session.UnitFigure(*r, a.in, p), nil
	}}
}

func (s *Server) topJob(a asked) *job {
	r, choice := &view.Sheets{}, &view.Selection{}
	return &job{array: true, command: "deconv", fields: slices.Concat(choice.Fields(), r.Fields()), validate: func() error { return r.Validate() }, pictures: allPictures,
		extra: s.index.args(a.station),
		draw: func(ctx context.Context) (f view.Figure, err error) {
			layers, maps, err := choice.Choose(a.Session.Net)
			if err != nil {
				return f, err
			}
			layer, src, err := s.index.layer(ctx, a.station, layers[0])
			if err != nil {
				return f, err
			}
			one := *r
			one.Maps = maps[0]
			if choice.Large {
				err = a.Session.Maps(ctx, one, src, layer, func(figure view.Figure) error { f = figure; return nil })
				return f, err
			}
			_, err = a.Session.Sheets(ctx, one, src, layer, func(sheet view.Sheet) error { f = sheet.Figure; return nil })
			return f, err
		}}
}

func (s *Server) occlusionJob(a asked) *job {
	r := &view.Occlusion{}
	j := &job{array: true, command: "occlude", fields: r.Fields()}
	if j.mask = a.query.get("mask"); j.mask != "" {
		j.extra = []string{"--mask", maskFile(j.mask)}
	}
	j.validate = func() (err error) {
		if j.mask != "" {
			if r.Segments, err = s.brushed(a.query.r.Context(), j.mask, a.Session.Net.Input); err != nil {
				return err
			}
		}
		return r.Validate(a.Session.Net)
	}
	j.draw = func(ctx context.Context) (view.Figure, error) {
		done, err := s.scanMaps(ctx, a, *r, nil, nil, nil)
		if err != nil {
			return view.Figure{}, err
		}
		return done.occluder.Figures(done.in, done.maps, nil)[0], nil
	}
	return j
}

func (s *Server) gradcamJob(a asked) *job {
	r := &view.GradCAM{}
	return &job{array: true, command: "gradcam", fields: r.Fields(), validate: func() error { return r.Validate(a.Session.Net) },
		draw: func(context.Context) (view.Figure, error) {
			plan, err := r.Plan(a.Session)
			if err != nil {
				return view.Figure{}, err
			}
			t, err := plan.Run(a.in.Tensor)
			if err != nil {
				return view.Figure{}, err
			}
			return a.Session.GradCAM(*r, t, a.in)
		}}
}

func (s *Server) attributionJob(a asked) *job {
	r := &view.Attribution{}
	return &job{array: true, command: "attribute", fields: r.Fields(), validate: func() error { return r.Validate() },
		draw: func(ctx context.Context) (view.Figure, error) {
			return first(a.Session.Attribution(ctx, attribution.New(a.Session.Engine, a.Session.Net), *r, a.in))
		}}
}

func (s *Server) filtersJob(a asked) *job {
	r := &view.Filters{}
	return &job{array: true, command: "filters", fields: r.Fields(), validate: func() error { return r.Validate() }, pictures: noPicture,
		draw: func(context.Context) (view.Figure, error) { return first(a.Session.Filters(*r)) }}
}

// evolutionJob is the filters of one layer through the checkpoints.
func (s *Server) evolutionJob(a asked) *job {
	r := &view.Filters{}
	j := &job{array: true, command: "filters", fields: r.Fields(), validate: func() error { return r.Validate() }, pictures: noPicture, evolve: true}
	j.draw = func(context.Context) (view.Figure, error) {
		e := view.FilterEvolution{Files: s.o.Checkpoints, Called: j.fields.Named("layer").Text(), Most: r.Most, Scale: r.Scale}
		if e.Called == "" {
			e.Called = "1"
		}
		var sessions []*view.Session
		for i := range s.o.Checkpoints {
			st, err := s.checkpoint(i)
			if err != nil {
				return view.Figure{}, err
			}
			layers, err := view.ParseConvolutions(st.Session.Net, e.Called)
			if err != nil {
				return view.Figure{}, err
			}
			sessions, e.Layers = append(sessions, st.Session), append(e.Layers, layers[0])
		}
		if len(sessions) == 0 {
			return view.Figure{}, &view.FieldError{Field: "evolve", Problem: "needs checkpoints", Hint: "viz serve --model FOLDER, a folder with ckpt-*.bin"}
		}
		return view.EvolveFilters(sessions, e)
	}
	return j
}

// checkpoint is the first network as it was at a checkpoint.
func (s *Server) checkpoint(i int) (*station, error) {
	if i >= len(s.o.Checkpoints) {
		return nil, &view.FieldError{Field: "checkpoint", Problem: strconv.Itoa(i) + ": there are " + strconv.Itoa(len(s.o.Checkpoints))}
	}
	return get(context.Background(), s.cache, "checkpoint "+strconv.Itoa(i), func() (*station, int, error) {
		net, err := s.o.Open(i)
		if err != nil {
			return nil, 0, err
		}
		bytes := 1 << 16
		if layers, err := net.Summary(); err == nil {
			for _, l := range layers {
				bytes += 4 * l.Weights
			}
		}
		n := Net{Session: view.NewSession(s.stations[0].Session.Engine, net), Args: []string{"--model", s.o.Checkpoints[i]}}
		return &station{Net: n, number: -1 - i}, bytes, nil
	})
}

// job reads a request of a kind.
func (s *Server) job(r *http.Request) (a asked, j *job, err error) {
	q := queryOf(r)
	make, ok := kinds[q.get("kind")]
	if !ok {
		return a, nil, &view.FieldError{Field: "kind", Problem: shortened(q.get("kind")) + ": there is no such figure"}
	}
	a.query = q
	if a.station, err = s.station(q); err != nil {
		return a, nil, err
	}
	if q.get("checkpoint") != "" {
		i, err := q.number("checkpoint", 0)
		if err != nil {
			return a, nil, err
		}
		if a.station, err = s.checkpoint(i); err != nil {
			return a, nil, err
		}
	}
	if j = make(s, a); j.pictures == onePicture && a.number >= 0 {
		if a, err = s.asked(r); err != nil {
			return a, nil, err
		}
		j = make(s, a)
	}
	if j.evolve && len(s.o.Checkpoints) > 0 { // as the command, whose pictures are said to be of the first
		if a.station, err = s.checkpoint(0); err != nil {
			return a, nil, err
		}
	}
	for _, f := range j.fields { // as the command does: results tell of their settings
		if f.Default != "" && !f.Network && !f.Switch {
			if err := f.Set(nil, f.Default); err != nil {
				return a, nil, err
			}
		}
	}
	if err := j.fields.Set(a.Session.Net, q.given); err != nil {
		return a, nil, err
	}
	if j.validate != nil {
		err = j.validate()
	}
	return a, j, err
}

// arguments are those of the command that makes the figure: what viz is given.
func (s *Server) arguments(a asked, j *job) []string {
	of := a.Args
	if j.evolve {
		of = []string{"--evolve"}
	}
	out := []string{"--out", j.name(a) + ".png"}
	if j.numbers {
		out = []string{"--json"}
	}
	args := slices.Concat([]string{j.command}, of, j.fields.Arguments(), j.extra, out)
	switch {
	case j.evolve:
		args = append(args, s.o.Checkpoints...)
	case j.pictures == noPicture:
	case j.pictures == allPictures:
		args = append(args, s.o.Args...)
	case a.image >= s.pictures.start(), s.o.List.Alone(a.image):
		if strings.HasPrefix(a.in.Name, "-") {
			args = append(args, "--")
		}
		args = append(args, a.in.Name)
	default:
		args = append(append(args, "--index", strconv.Itoa(a.image)), s.o.Args...)
	}
	return args
}

// makeFigure draws a figure, or takes it from the cache.
func (s *Server) makeFigure(ctx context.Context, a asked, j *job) (*view.Figure, error) {
	key := a.key("figure") + j.command + " " + strings.Join(slices.Concat(j.fields.Arguments(), j.extra), "\x00")
	return get(ctx, s.cache, key, func() (m *view.Figure, bytes int, err error) {
		draw := func(ctx context.Context) error {
			f, err := j.draw(ctx)
			if err != nil {
				return err
			}
			m = &f
			if f.Image != nil {
				b := f.Image.Bounds()
				bytes = 4 * b.Dx() * b.Dy()
			}
			if f.Array != nil {
				bytes += 4 * len(f.Array.Data)
			}
			return nil
		}
		if j.command == "occlude" || j.pictures == allPictures {
			err = draw(ctx) // waits for its turn itself
		} else {
			err = s.work.do(ctx, a.query.client(), draw)
		}
		return m, bytes, err
	})
}

// figure is the figure of a command, with the bytes that the command writes: as=png, npy, json, or the picture alone.
func (s *Server) figure(w http.ResponseWriter, r *http.Request) error {
	a, j, err := s.job(r)
	if err != nil {
		return err
	}
	m, err := s.makeFigure(r.Context(), a, j)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	ext, kind := a.query.get("as"), ""
	if j.numbers && ext != "json" {
		return &view.FieldError{Field: "as", Problem: "json is all that there is of classes"}
	}
	switch ext {
	case "":
		return sendPNG(w, m.Image)
	case "png":
		kind = "image/png"
		err = imageio.EncodePNG(&out, m.Image, s.provenance(a, m, s.arguments(a, j)))
	case "npy":
		kind = "application/octet-stream"
		if m.Array == nil {
			return &view.FieldError{Field: "as", Problem: "npy: the figure has no array"}
		}
		err = npy.Write(&out, m.Array.Shape, m.Array.Data)
	case "json":
		kind = "application/json"
		var text []byte
		text, err = view.JSON(m.Numbers)
		out.Write(text)
	default:
		err = &view.FieldError{Field: "as", Problem: shortened(ext) + ": want png, npy or json"}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": j.name(a) + "." + ext}))
	_, err = w.Write(out.Bytes())
	return err
}

// provenance is what the command writes into its picture.
func (s *Server) provenance(a asked, m *view.Figure, args []string) (text []imageio.Text) {
	for _, f := range a.Session.Provenance(s.o.Version, args, m.Facts) {
		text = append(text, imageio.Text{Key: f.Key, Value: f.Value})
	}
	return text
}

// command is the line that makes the same figure and numbers.
func (s *Server) command(w http.ResponseWriter, r *http.Request) error {
	a, j, err := s.job(r)
	if err != nil {
		return err
	}
	args := s.arguments(a, j)
	mask := ""
	if j.mask != "" {
		mask = maskFile(j.mask)
	}
	return sendJSON(w, map[string]any{"args": args, "line": "viz " + view.ShellLine(args), "name": j.name(a), "npy": j.array, "png": !j.numbers, "mask": mask,
		"own": j.pictures == onePicture && a.image >= s.pictures.start()})
}

// name is that of the figure's files, without extension.
func (j *job) name(a asked) string {
	name := j.command
	if j.pictures == onePicture {
		name += "-" + a.in.Stem
	}
	return imageio.FileName(name)
}
