package main

import (
	"time"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func occludeCommand() cmdline.Command {
	run := &occlusionRun{}
	return cmdline.Command{
		Name: "occlude", Usage: "slide a patch over the image and map the change in class probability", Args: "IMG...",
		About: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n" +
			"Only what the patch can change is computed. --method box makes the same sums as brute force, bit for bit;\n" +
			"fast agrees with them to rounding and takes about half the time.",
		Examples: []string{"viz occlude img.png", "viz occlude --class cat --patch 8 --stride 2 --out cat.png img.png", "viz occlude --npy numbers/ --layer 1,3 img.png",
			"viz occlude --patch 16,32 --resume --out maps/ photos/"},
		Flags:  cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.Index | cmdline.Memory,
		Change: view.Fields{{Name: "memory", Otherwise: "400M on top of the weights"}},
		Fields: append(run.request.Fields(),
			view.TextField(view.Field{Name: "mask", Usage: "`FILE` of segments, each covered in turn instead of a patch: the colours of a picture but for transparent pixels, or a .npy array [H, W] of the input with numbers from 0"}, &run.mask),
			view.SwitchField(view.Field{Name: "resume", Neutral: true, Usage: "leave out images whose results are there already, made with the same options"}, &run.resume),
			view.TextField(view.Field{Name: "npy", Usage: "write the numbers as arrays into `DIR`"}, &run.npy)),
		Do: run.do,
	}
}

func (r *occlusionRun) do(c *cmdline.Run) error {
	r.begun, r.estimate = time.Now(), cmdline.Estimate{}
	w, err := c.Work(cmdline.Need{Pictures: true, Check: func(s *view.Session) error { return r.prepare(c, s) }})
	if err != nil {
		return err
	}
	defer w.Close()
	r.Work = w
	if err := w.Out.Several(w.Src.Len()*max(len(r.request.Classes), 1)*(1+len(r.request.Sizes)), "images, classes and sizes"); err != nil {
		return err
	}
	if r.npy != "" {
		if err := c.OutDir(r.npy, "--npy"); err != nil {
			return err
		}
	}
	budget, err := c.Budget(w.Src)
	if err != nil {
		return err
	}
	if c.Memory > 0 {
		r.request.Memory = max(budget.Left(), 1) // too little is refused with what is needed
	}
	if r.occluder, err = w.Session.Occluder(r.request); err != nil {
		return occluderHint(budget, err)
	}
	return r.all()
}

// prepare completes the request for a network, and checks it.
func (r *occlusionRun) prepare(c *cmdline.Run, s *view.Session) error {
	if r.mask != "" {
		mask, err := images.OpenMask(r.mask)
		if err != nil {
			return err
		}
		if r.request.Segments, err = view.MaskLabels(mask, s.Net); err != nil {
			return err
		}
	}
	if r.request.Scale == view.PerSeries && r.resume {
		return cmdline.Usage("--scale series needs all maps of the series and goes without --resume", "give the scale as a number: --scale 0.5")
	}
	if err := r.request.Validate(s.Net); err != nil {
		return err
	}
	return c.LimitMemory(s.Net)
}

// occluderHint explains what is wrong with a request for a network, or that it does not fit into memory.
func occluderHint(b cmdline.Budget, err error) error {
	if p, ok := cmdline.RequestErr(err).(*cmdline.Problem); ok && p.Code == 2 {
		return cmdline.Hinted(p.Err, p.Hint)
	}
	return b.MemoryErr(err)
}
