package cmdline

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

// Work is what most commands work with: a network, pictures, and where results go.
type Work struct {
	*Run
	Session *view.Session
	Src     *images.Inputs
	Out     *Output // nil if the command writes no pictures
}

// Need says what a command needs.
type Need struct {
	Pictures  bool // named as arguments or by --data: those of the network's own data set will not do
	Labels    bool // only labelled pictures will do
	Data      bool // --data chooses the built-in network for pictures, too
	Elsewhere bool // results go elsewhere than --out
	// Check says what is wrong with the request for the network; it may be nil.
	Check func(*view.Session) error
}

// Work opens what a command works with. The caller closes it.
func (c *Run) Work(need Need) (w *Work, err error) {
	paths := c.InputPaths()
	if need.Pictures && len(paths) == 0 && c.Data == "" {
		return nil, Usage("no image given", "viz "+c.Command+" img.png")
	}
	c.collectorBound()
	if err := c.smallNetwork(); err != nil {
		return nil, err
	}
	s, err := c.OpenSession(len(paths) > 0 || need.Data && c.Data != "" && c.Data != "shapes")
	if err != nil {
		return nil, err
	}
	w = &Work{Run: c, Session: s}
	defer func() {
		if err != nil {
			s.Engine.Close()
		}
	}()
	if need.Check != nil {
		if err := need.Check(s); err != nil {
			return nil, RequestErr(err)
		}
	}
	if w.Src, err = c.OpenSource(s.Net, paths, need.Labels); err != nil {
		return nil, err
	}
	if c.fields.Named("out") != nil && !need.Elsewhere {
		w.Out, err = c.OpenOutput(s)
	}
	return w, err
}

// Close gives the engine back.
func (w *Work) Close() { w.Session.Engine.Close() }

// Figures draws every picture that can be loaded, one after the other.
func (w *Work) Figures(what string, draw func(in view.Input) ([]view.Figure, error)) error {
	return w.FiguresThen(what, draw, func() error { return nil })
}

// FiguresThen is Figures, with something to be done behind the last.
func (w *Work) FiguresThen(what string, draw func(in view.Input) ([]view.Figure, error), then func() error) error {
	return w.Each(w.Src, what, func(i int, x *tensor.Tensor) error {
		figures, err := draw(view.InputOf(w.Src, i, x))
		if err != nil {
			return RequestErr(err)
		}
		_, err = w.Out.Figures(figures...)
		return err
	}, func() error {
		if err := then(); err != nil {
			return err
		}
		return w.Out.End()
	})
}

// WriteArrays writes arrays into a folder, and what is to be said of them as images.json, and names the folder on stdout.
func (c *Run) WriteArrays(dir string, arrays []view.NamedArray, about any) error {
	used := map[string]bool{}
	for _, a := range arrays {
		var err error
		name := FileName(a.Name)
		for k := 2; used[name]; k++ { // names that differ in what file names cannot have
			name = fmt.Sprintf("%s-%d", FileName(a.Name), k)
		}
		used[name] = true
		if path := filepath.Join(dir, name+".npy"); a.Int != nil {
			err = npy.WriteFile(path, a.Shape, a.Int)
		} else {
			err = npy.WriteFile(path, a.Shape, a.Float)
		}
		if err != nil {
			return err
		}
	}
	if about != nil {
		text, err := view.JSON(about)
		if err != nil {
			return err
		}
		if err := imageio.WriteFile(filepath.Join(dir, "images.json"), func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
			return err
		}
	}
	c.Wrote(dir)
	return nil
}

// Measured is what a measurement over pictures came to.
type Measured struct {
	Figure view.Figure
	Table  view.Table
	Text   [][]string // in columns
}

// ResumeField is --resume of a measurement.
func ResumeField(usage string, v *bool) view.Field {
	return view.SwitchField(view.Field{Name: "resume", Neutral: true, Usage: "go on where a run was interrupted: " + usage}, v)
}

// Measure opens pictures, measures, and writes what came out. What is measured on the way is kept.
func Measure(c *Run, what string, resume bool, check func() error, do func(*Work, view.Kept, func(done, total int), *Failures) (Measured, error)) error {
	w, err := c.Work(Need{Data: true, Check: func(*view.Session) error { return check() }})
	if err != nil {
		return err
	}
	defer w.Close()
	bad, err := c.NewFailures(w.Src.List)
	if err != nil {
		return err
	}
	w.Out.resumed = resume
	if err := w.Out.ahead(c.Command); err != nil {
		return err
	}
	kept, err := w.Kept(c.Command, resume)
	if err != nil {
		return err
	}
	defer kept.Close()
	step, end := c.Progress(what)
	m, err := do(w, kept, step, bad)
	end()
	if err != nil {
		return RequestErr(err)
	}
	if len(bad.Errs) == 0 {
		if err := kept.tidy(); err != nil {
			return err
		}
	}
	return w.Report(m, bad)
}

// Report ends a measurement over pictures: its figure and table are written, it is printed in columns or as
// JSON, and pictures that were left out are an error.
func (w *Work) Report(m Measured, bad *Failures) error {
	if _, err := w.Out.Figures(m.Figure); err != nil {
		return err
	}
	if err := w.Out.Table(m.Table); err != nil {
		return err
	}
	if w.JSON {
		if err := w.Out.End(); err != nil {
			return err
		}
	} else if err := w.PrintRows(m.Text); err != nil {
		return err
	}
	return bad.Err()
}
