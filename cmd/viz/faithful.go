package main

import (
	"time"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func faithfulCommand() cmdline.Command {
	var r view.Faithful
	return cmdline.Command{
		Name: "faithful", Usage: "measure which attribution methods can be believed on a network", Args: "[IMG...]",
		About: "For each image and method: the probability while the strongest pixels are taken away (deletion) or shown\n" +
			"(insertion), the drop when only what the map marks is shown, how well sums of the map predict what hiding pixels\n" +
			"costs (sensitivity-n), and where the object's place is known (shapes), whether the map points at it.\n" +
			"A random map and a map of the centre serve as controls. docs/methods.md says more.",
		Examples: []string{"viz faithful --limit 20", "viz faithful --method gradcam,ig,rise photos/"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures,
		Change:   view.Fields{{Name: "limit", Default: "20"}},
		Fields:   r.Fields(),
		Do: func(c *cmdline.Run) error {
			start := time.Now()
			r.Clock = func() float64 { return time.Since(start).Seconds() }
			return measure(c, "measuring", func() error { return r.Validate() }, func(w *cmdline.Work, step func(done, total int), bad *cmdline.Failures) (measured, error) {
				r.Progress, r.Unreadable = step, bad.Add
				n, err := w.Session.Faithful(c.Context, r, w.Src)
				if err != nil {
					return measured{}, err
				}
				return measured{w.Session.FaithfulFigure(n), n.Table(), n.Text()}, nil
			})
		},
	}
}

// measured is a measurement over pictures.
type measured struct {
	figure view.Figure
	table  view.Table
	text   [][]string
}

// measure opens pictures, measures, and writes what came out.
func measure(c *cmdline.Run, what string, check func() error, do func(*cmdline.Work, func(done, total int), *cmdline.Failures) (measured, error)) error {
	w, err := c.Work(cmdline.Need{Data: true, Check: func(*view.Session) error { return check() }})
	if err != nil {
		return err
	}
	defer w.Close()
	bad, err := c.NewFailures(w.Src.List)
	if err != nil {
		return err
	}
	step, end := c.Progress(what)
	m, err := do(w, step, bad)
	end()
	if err != nil {
		return cmdline.RequestErr(err)
	}
	return w.Measured(m.figure, m.table, m.text, bad)
}
