package main

import (
	"time"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func faithfulCommand() cmdline.Command {
	var r view.Faithful
	var resume bool
	return cmdline.Command{
		Name: "faithful", Usage: "measure which attribution methods can be believed on a network", Args: "[IMG...]",
		About: "For each image and method: the probability while the strongest pixels are taken away (deletion) or shown\n" +
			"(insertion), the drop when only what the map marks is shown, how well sums of the map predict what hiding pixels\n" +
			"costs (sensitivity-n), and where the object's place is known (shapes), whether the map points at it.\n" +
			"A random map and a map of the centre serve as controls. docs/methods.md says more.",
		Examples: []string{"viz faithful --limit 20", "viz faithful --method gradcam,ig,rise photos/"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures,
		Change:   view.Fields{{Name: "limit", Default: "20"}},
		Fields:   append(r.Fields(), resumeField("images that were measured before, with the same options, are not measured again", &resume)),
		Do: func(c *cmdline.Run) error {
			start := time.Now()
			r.Clock = func() float64 { return time.Since(start).Seconds() }
			return measure(c, "measuring", resume, func() error { return r.Validate() }, func(w *cmdline.Work, kept view.Kept, step func(done, total int), bad *cmdline.Failures) (measured, error) {
				r.Progress, r.Unreadable, r.Kept = step, bad.Add, kept
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

// resumeField is --resume of a measurement.
func resumeField(usage string, v *bool) view.Field {
	return view.SwitchField(view.Field{Name: "resume", Usage: "go on where a run was interrupted: " + usage}, v)
}

// measure opens pictures, measures, and writes what came out. What is measured on the way is kept.
func measure(c *cmdline.Run, what string, resume bool, check func() error, do func(*cmdline.Work, view.Kept, func(done, total int), *cmdline.Failures) (measured, error)) error {
	w, err := c.Work(cmdline.Need{Data: true, Check: func(*view.Session) error { return check() }})
	if err != nil {
		return err
	}
	defer w.Close()
	bad, err := c.NewFailures(w.Src.List)
	if err != nil {
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
		return cmdline.RequestErr(err)
	}
	return w.Measured(m.figure, m.table, m.text, bad)
}
