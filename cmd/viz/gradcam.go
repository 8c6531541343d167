package main

import (
	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func gradcamCommand() *cli.Command {
	return &cli.Command{
		Name: "gradcam", Usage: "draw a Grad-CAM heat map: the regions that support a class",
		UsageText: "viz gradcam [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n\n" +
			cmdline.Examples("viz gradcam img.png", "viz gradcam --layer 3 --class cat img.png"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.IndexFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` by number, name, block or module (3, relu3, block2, layer4.1); default: the last block or convolution before the scores, of a transformer the last tokens that all count"},
			&cli.StringFlag{Name: "tokens", Usage: "`ROWSxCOLUMNS` in which a transformer's tokens lie in the image, such as 14x14; default: as the network shows it"},
			&cli.StringFlag{Name: "class", Usage: "`CLASS` by name or number; default: the image's most probable one"}, cmdline.AtFlag,
			&cli.StringFlag{Name: "cmap", Value: string(view.Viridis), Usage: "colours: `NAME` is viridis, jet or gray"},
			&cli.Float64Flag{Name: "opacity", Value: 0.7, Usage: "of the overlay where the map is strongest, 0 to 1"}},
		Action: cmdline.Action(gradcam),
	}
}

func gradcam(c *cmdline.Run) error {
	paths := c.InputPaths()
	if len(paths) == 0 && c.String("data") == "" {
		return cmdline.Usage("no image given", "viz gradcam img.png")
	}
	session, err := c.OpenSession(len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	layers := []string{net.LastTokens()}
	if c.String("layer") != "" || layers[0] == "" {
		if layers, err = c.DeconvLayers(net); err != nil {
			return err
		}
	}
	if len(layers) != 1 {
		return cmdline.Usage("viz gradcam takes one layer", "")
	}
	request := view.GradCAM{Layer: layers[0], Opacity: c.Float64("opacity"), Palette: view.Palette(c.String("cmap"))}
	if spec := c.String("class"); spec != "" {
		class, err := net.ResolveClass(spec)
		if err != nil {
			return cmdline.UsageErr(err)
		}
		request.Class = &class
	}
	if request.At, err = c.AtPlace(); err != nil {
		return err
	}
	if request.Tokens, err = parsePair("tokens", c.String("tokens")); err != nil {
		return err
	}
	if _, err := net.Reading(); err != nil {
		return err
	}
	if err := request.Validate(net); err != nil {
		return cmdline.UsageErr(cmdline.RequestErr(err))
	}
	if _, err := deconv.GradCAMKeep(net, request.Layer); err != nil {
		return cmdline.UsageErr(err)
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if err := out.Several(src.Len(), "images"); err != nil {
		return err
	}
	plan, err := request.Plan(session)
	if err != nil {
		return err
	}
	return c.Each(src, "drawing", func(i int, x *tensor.Tensor) error {
		t, err := plan.Run(x)
		if err != nil {
			return err
		}
		figure, err := session.GradCAM(request, t, view.InputOf(src, i, x))
		if err != nil {
			return err
		}
		_, err = out.Figures(figure)
		return err
	}, out.End)
}
