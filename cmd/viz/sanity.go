package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/sweep"
	"github.com/deconvnet/viz/view"
)

func sanityCommand() cmdline.Command {
	var r view.Sanity
	var labels, resume bool
	return cmdline.Command{
		Name: "sanity", Usage: "test which attribution methods depend on what the network has learned", Args: "[IMG...]",
		About: "Weights are randomised layer by layer, from the scores down and each layer alone, and maps before and after are\n" +
			"compared: by rank correlation, with signs and of magnitudes, and by structural similarity. A method whose maps\n" +
			"stay alike without any learned weight shows the image and the architecture, not the decision.",
		Examples: []string{"viz sanity", "viz sanity --method saliency,guided,gradcam --limit 4 photos/"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures,
		Change:   view.Fields{{Name: "limit", Default: "8"}},
		Fields: append(r.Fields(), view.SwitchField(view.Field{Name: "permuted-labels", Usage: "also train the network anew, on 256 images of its data with their labels, and with permuted labels; " +
			"of small networks, in about a minute"}, &labels), cmdline.ResumeField("layers whose maps were compared before, with the same images and options, are not compared again", &resume)),
		Do: func(c *cmdline.Run) error {
			return cmdline.Measure(c, "comparing", resume, func() error { return r.Validate() }, func(w *cmdline.Work, kept view.Kept, step func(done, total int), bad *cmdline.Failures) (cmdline.Measured, error) {
				r.Progress, r.Unreadable, r.Kept = step, bad.Add, kept
				if labels {
					if err := retrain(c, w, &r); err != nil {
						return cmdline.Measured{}, err
					}
				}
				n, err := w.Session.Sanity(c.Context, r, w.Src)
				if err != nil {
					return cmdline.Measured{}, err
				}
				return cmdline.Measured{Figure: w.Session.SanityFigure(n), Table: n.Table(), Text: n.Text()}, nil
			})
		},
	}
}

// retrain trains the network anew on true and permuted labels.
func retrain(c *cmdline.Run, w *cmdline.Work, r *view.Sanity) error {
	spec := w.Session.Net.Origin.Data
	if c.Data != "" {
		spec = c.Data
	}
	if spec == "" {
		return cmdline.Usage("the model does not record its data set", "name one with --data")
	}
	data, err := c.OpenTraining(spec, c.DataSeed)
	if err != nil {
		return err
	}
	r.Trained, err = sweep.Relabel{Seed: r.Seed}.Run(c.Context, w.Session.Engine, w.Session.Net, data, c.SweepOptions())
	return err
}
