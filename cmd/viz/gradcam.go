package main

import (
	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func gradcamCommand() *cli.Command {
	return &cli.Command{
		Name: "gradcam", Usage: "draw a Grad-CAM heat map: the regions that support a class",
		UsageText: "viz gradcam [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n\n" +
			examples("viz gradcam img.png", "viz gradcam --layer 3 --class cat img.png"),
		Flags: []cli.Flag{modelFlag, outFlag, quietFlag, jsonFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, imagesFlag,
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "`LAYER` by number, name, block or module (3, relu3, block2, layer4.1); default: the last block or convolution before the scores, of a transformer the last tokens that all count"},
			&cli.StringFlag{Name: "tokens", Usage: "`ROWSxCOLUMNS` in which a transformer's tokens lie in the image, such as 14x14; default: as the network shows it"},
			&cli.StringFlag{Name: "class", Usage: "`CLASS` by name or number; default: the image's most probable one"}, atFlag,
			&cli.StringFlag{Name: "cmap", Value: string(view.Viridis), Usage: "colours: `NAME` is viridis, jet or gray"},
			&cli.Float64Flag{Name: "opacity", Value: 0.7, Usage: "of the overlay where the map is strongest, 0 to 1"}},
		Action: gradcam,
	}
}

func gradcam(c *cli.Context) error {
	paths := inputPaths(c)
	if len(paths) == 0 && c.String("data") == "" {
		return usage("no image given", "viz gradcam img.png")
	}
	session, err := openSession(c, len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	layers := []string{net.LastTokens()}
	if c.String("layer") != "" || layers[0] == "" {
		if layers, err = deconvLayers(c, net); err != nil {
			return err
		}
	}
	if len(layers) != 1 {
		return usage("viz gradcam takes one layer", "")
	}
	request := view.GradCAM{Layer: layers[0], Opacity: c.Float64("opacity"), Palette: view.Palette(c.String("cmap"))}
	if spec := c.String("class"); spec != "" {
		class, err := net.ResolveClass(spec)
		if err != nil {
			return usageErr(err)
		}
		request.Class = &class
	}
	if request.At, err = atPlace(c); err != nil {
		return err
	}
	if request.Tokens, err = parsePair("tokens", c.String("tokens")); err != nil {
		return err
	}
	if _, err := net.Reading(); err != nil {
		return err
	}
	if err := request.Validate(net); err != nil {
		return usageErr(requestErr(err))
	}
	if _, err := deconv.GradCAMKeep(net, request.Layer); err != nil {
		return usageErr(err)
	}
	src, err := openSource(c, net, paths, false)
	if err != nil {
		return err
	}
	out, err := openOutput(c, session)
	if err != nil {
		return err
	}
	if err := out.several(src.Len(), "images"); err != nil {
		return err
	}
	plan, err := request.Plan(session)
	if err != nil {
		return err
	}
	return each(c, src, "drawing", func(i int, x *tensor.Tensor) error {
		t, err := plan.Run(x)
		if err != nil {
			return err
		}
		figure, err := session.GradCAM(request, t, view.InputOf(src, i, x))
		if err != nil {
			return err
		}
		_, err = out.figures(figure)
		return err
	}, out.end)
}
