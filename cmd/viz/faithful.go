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
		Fields:   append(r.Fields(), cmdline.ResumeField("images that were measured before, with the same options, are not measured again", &resume)),
		Do: func(c *cmdline.Run) error {
			start := time.Now()
			r.Clock = func() float64 { return time.Since(start).Seconds() }
			return cmdline.Measure(c, "measuring", resume, func() error { return r.Validate() }, func(w *cmdline.Work, kept view.Kept, step func(done, total int), bad *cmdline.Failures) (cmdline.Measured, error) {
				r.Progress, r.Unreadable, r.Kept = step, bad.Add, kept
				n, err := w.Session.Faithful(c.Context, r, w.Src)
				if err != nil {
					return cmdline.Measured{}, err
				}
				return cmdline.Measured{Figure: w.Session.FaithfulFigure(n), Table: n.Table(), Text: n.Text()}, nil
			})
		},
	}
}
