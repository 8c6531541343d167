package main

import (
	"fmt"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func attributeCommand() cmdline.Command {
	r := &attributeRun{}
	return cmdline.Command{
		Name: "attribute", Usage: "draw attribution maps: which pixels and regions a score depends on, by gradients, class activation maps and other methods", Args: "IMG...",
		About: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n" +
			"docs/methods.md says which question each method answers.",
		Examples: []string{"viz attribute --method ig --class cat img.png", "viz attribute --method all img.png"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.Index | cmdline.Memory,
		Fields: append(r.request.Fields(),
			view.SwitchField(view.Field{Name: "resume", Neutral: true, Usage: "leave out images whose results are there already, made with the same options"}, &r.resume),
			view.TextField(view.Field{Name: "npy", Usage: "write the map, [H, W], to `FILE` and draw nothing"}, &r.npy),
			view.SwitchField(view.Field{Name: "raw", Usage: "with --npy: the array as the method makes it, [C, H, W], or [h, w] of the layer before the final rectifier"}, &r.raw)),
		Do: r.do,
	}
}

// attributeRun is one run of viz attribute over its images.
type attributeRun struct {
	*cmdline.Work
	request     view.Attribution
	resume, raw bool
	npy         string
	budget      cmdline.Budget
	explainer   *attribution.Explainer
}

// check says what is wrong with the command line.
func (r *attributeRun) check(c *cmdline.Run) error {
	switch {
	case r.raw && r.npy == "":
		return cmdline.Usage("--raw says what --npy writes: it goes with --npy", "--npy FILE names the file")
	case r.npy != "" && (len(r.request.Methods) > 1 || c.Out != ""):
		return cmdline.Usage("--npy writes the map of one method, and no picture", "without --npy, arrays are written beside the pictures")
	}
	return cmdline.RequestErr(r.request.Validate())
}

// bound gives the methods what --memory leaves them, and refuses what does not fit.
func (r *attributeRun) bound(c *cmdline.Run) error {
	budget, err := c.Budget(r.Src)
	if err != nil || c.Memory == 0 {
		return err
	}
	least, err := r.explainer.Memory(r.request.Methods...)
	if err != nil {
		return err
	}
	r.request.Memory, r.budget = max(budget.Left(), 1), budget
	r.request.Patches.Memory = r.request.Memory
	return budget.Refuse("the methods", least)
}

func (r *attributeRun) do(c *cmdline.Run) error {
	if err := r.check(c); err != nil {
		return err
	}
	w, err := c.Work(cmdline.Need{Pictures: true, Elsewhere: r.npy != "", Check: func(s *view.Session) error {
		if c.Memory == 0 {
			return nil
		}
		return c.LimitMemory(s.Net)
	}})
	if err != nil {
		return err
	}
	defer w.Close()
	r.Work, r.explainer = w, attribution.New(w.Session.Engine, w.Session.Net)
	if err := r.bound(c); err != nil {
		return err
	}
	if r.npy != "" {
		return r.array()
	}
	if err := w.Out.Several(w.Src.Len()*max(len(r.request.Targets), 1), "images and targets"); err != nil {
		return err
	}
	what := string(r.request.Methods[0])
	if len(r.request.Methods) > 1 {
		what = fmt.Sprintf("%d methods", len(r.request.Methods))
	}
	left := 0
	return w.FiguresThen("explaining", func(in view.Input) ([]view.Figure, error) {
		if r.resume && r.done(in) {
			left++
			return nil, nil
		}
		if w.Src.Len() == 1 {
			step, end := c.Progress(what)
			defer end()
			r.request.Progress = step
		}
		figures, err := w.Session.Attribution(c.Context, r.explainer, r.request, in)
		return figures, r.budget.MemoryErr(err)
	}, func() error {
		if left > 0 {
			c.Note("%d of %d images were done before", left, w.Src.Len())
		}
		return nil
	})
}
