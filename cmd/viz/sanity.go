package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func sanityCommand() cmdline.Command {
	var r view.Sanity
	return cmdline.Command{
		Name: "sanity", Usage: "test which attribution methods depend on what the network has learned", Args: "[IMG...]",
		About: "Weights are drawn anew layer by layer, from the scores down and each layer alone, and maps before and after are\n" +
			"compared: by rank correlation, with signs and of magnitudes, and by structural similarity. A method whose maps\n" +
			"stay alike without any learned weight shows the image and the wiring, not the decision.",
		Examples: []string{"viz sanity", "viz sanity --method saliency,guided,gradcam --limit 4 photos/"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures,
		Change:   view.Fields{{Name: "limit", Default: "8"}},
		Fields:   r.Fields(),
		Do: func(c *cmdline.Run) error {
			return measure(c, "comparing", func() error { return r.Validate() }, func(w *cmdline.Work, step func(done, total int), bad *cmdline.Failures) (measured, error) {
				r.Progress, r.Unreadable = step, bad.Add
				n, err := w.Session.Sanity(c.Context, r, w.Src)
				if err != nil {
					return measured{}, err
				}
				return measured{w.Session.SanityFigure(n), n.Table(), n.Text()}, nil
			})
		},
	}
}
