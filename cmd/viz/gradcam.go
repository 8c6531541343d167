package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func gradcamCommand() cmdline.Command {
	var r view.GradCAM
	return cmdline.Command{
		Name: "gradcam", Usage: "draw a Grad-CAM heat map: the regions that support a class", Args: "IMG...",
		About:    "IMG is an image, a folder of images, or a .npy array in the network's input units.",
		Examples: []string{"viz gradcam img.png", "viz gradcam --layer 3 --class cat img.png"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.Index,
		Fields:   r.Fields(),
		Do: func(c *cmdline.Run) error {
			w, err := c.Work(cmdline.Need{Pictures: true, Check: func(s *view.Session) error { return r.Validate(s.Net) }})
			if err != nil {
				return err
			}
			defer w.Close()
			if err := w.Out.Several(w.Src.Len(), "images"); err != nil {
				return err
			}
			plan, err := r.Plan(w.Session)
			if err != nil {
				return err
			}
			return w.Figures("drawing", func(in view.Input) ([]view.Figure, error) {
				t, err := plan.Run(in.Tensor)
				if err != nil {
					return nil, err
				}
				figure, err := w.Session.GradCAM(r, t, in)
				return []view.Figure{figure}, err
			})
		},
	}
}
