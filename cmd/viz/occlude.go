package main

import (
	"errors"
	"fmt"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func occludeCommand() *cli.Command {
	return &cli.Command{
		Name: "occlude", Usage: "slide a patch over the image and map the change in class probability",
		UsageText: "viz occlude [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n" +
			"Only what the patch can change is computed. --method box makes the same sums as brute force, bit for bit;\n" +
			"fast agrees with them to rounding and takes about half the time.\n\n" +
			cmdline.Examples("viz occlude img.png", "viz occlude --class cat --patch 8 --stride 2 --out cat.png img.png", "viz occlude --npy numbers/ --layer 1,3 img.png",
				"viz occlude --patch 16,32 --resume --out maps/ photos/"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.JSONFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.IndexFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "class", Usage: "`CLASS` by name or number, or several: cat,dog; default: the image's most probable one"},
			&cli.StringFlag{Name: "patch", Aliases: []string{"size"}, Usage: "patch in input pixels, `N` or ROWSxCOLUMNS, or several: 16,32x8; default: 50/224 of the input, as in the paper"},
			&cli.StringFlag{Name: "stride", Usage: "step between positions in input pixels, `N` or ROWSxCOLUMNS; default: 6/224 of the input"},
			&cli.StringFlag{Name: "position", Usage: "cover only one place: `ROW,COLUMN` of the patch's upper left corner"},
			&cli.StringFlag{Name: "edge", Value: "inside", Usage: "inside: positions at multiples of the stride; cover: and a last row and column at the border"},
			cmdline.AtFlag,
			&cli.StringFlag{Name: "fill", Value: "mean", Usage: "patch: mean (of the training data), image (its mean), blur, noise:SEED, a grey level 0..255, or input:V[,V...] in network units"},
			&cli.IntFlag{Name: "soft", Usage: "`PIXELS` over which the patch fades in from its edge"},
			&cli.StringFlag{Name: "mask", Usage: "picture `FILE` whose colours are segments of the image, each covered in turn instead of a patch; transparent pixels never are"},
			&cli.StringFlag{Name: "layer", Usage: "`LAYER`s whose strongest map is totalled (panel b), by number or name; default: the last block or convolution before the scores"},
			&cli.BoolFlag{Name: "paper", Usage: "the paper's setting (50x50 at stride 6 of 224) and colours"},
			&cli.StringFlag{Name: "method", Value: "fast", Usage: "fast, box (bit for bit as brute force), or brute"},
			&cli.StringFlag{Name: "memory", Usage: "keep the whole process within `SIZE`, such as 900M or 2G; default: 400M beside the network's weights"},
			&cli.BoolFlag{Name: "resume", Usage: "leave out images whose results are there already, made with the same options"},
			&cli.StringFlag{Name: "scale", Value: "own", Usage: "limits of the colour bars: own (of each picture), series (one for all pictures of the run), or the loss at their ends, such as 0.5"},
			&cli.Float64Flag{Name: "opacity", Value: 0.55, Usage: "of the overlay, 0 to 1"},
			&cli.StringFlag{Name: "npy", Usage: "write the numbers as arrays into `DIR`"},
			&cli.IntFlag{Name: "batch", Usage: "positions per forward pass of --method brute, 0: chosen by memory; results do not depend on it"}},
		Action: cmdline.Action(occlude),
	}
}

// parsePair reads "7" or "5x9".
func parsePair(flag, s string) ([2]int, error) {
	p, err := view.ParsePair(flag, s)
	return p, cmdline.RequestErr(err)
}

// occlusionRequest reads what flags say about occlusion maps.
func occlusionRequest(c *cmdline.Run, net *model.Network) (r view.Occlusion, err error) {
	for _, read := range []func() error{
		func() error { r.Patch, r.Sizes, err = view.ParsePatches(c.String("patch")); return err },
		func() error { r.Stride, err = view.ParsePair("stride", c.String("stride")); return err },
		func() error {
			if at := c.String("position"); at != "" {
				return r.Fields().Named("position").Set(net, at)
			}
			return nil
		},
		func() error { r.Cover, err = view.ParseEdge(c.String("edge")); return err },
		func() error { r.Fill, err = occlusion.ParseFill(c.String("fill")); return cmdline.UsageErr(err) },
		func() error { r.Classes, err = view.ParseClasses(net, c.String("class")); return cmdline.UsageErr(err) },
		func() error { r.At, err = view.ParseAt(c.String("at")); return err },
		func() error { r.Method, err = occlusion.ParseMethod(c.String("method")); return cmdline.UsageErr(err) },
		func() error { r.Scale, r.Fixed, err = view.ParseOcclusionScale(c.String("scale")); return err },
	} {
		if err := read(); err != nil {
			return r, cmdline.RequestErr(err)
		}
	}
	if s := c.String("layer"); s != "" {
		if r.Layers, err = cmdline.ResolveLayers(net, s); err != nil {
			return r, err
		}
	}
	if path := c.String("mask"); path != "" {
		mask, err := images.OpenFile(path)
		if err != nil {
			return r, err
		}
		r.Segments = view.MaskLabels(mask.Image, net)
	}
	r.Soft, r.Batch, r.Paper, r.Opacity = c.Int("soft"), c.Int("batch"), c.Bool("paper"), c.Float64("opacity")
	switch {
	case r.Opacity == 0: // 0 means the default in a request
		return r, cmdline.Usage("--opacity 0: want more than 0, at most 1", "")
	case r.Scale == view.PerSeries && c.Bool("resume"):
		return r, cmdline.Usage("--scale series needs all maps of the series and goes without --resume", "give the scale as a number: --scale 0.5")
	}
	return r, cmdline.RequestErr(r.Validate(net))
}

func occlude(c *cmdline.Run) error {
	paths := c.InputPaths()
	if len(paths) == 0 && c.String("data") == "" {
		return cmdline.Usage("no image given", "viz occlude img.png")
	}
	limit, err := c.MemoryLimit()
	if err != nil {
		return err
	}
	session, err := c.OpenSession(len(paths) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	request, err := occlusionRequest(c, net)
	if err != nil {
		return err
	}
	if request.Memory, err = cmdline.ScanMemory(net, limit); err != nil {
		return err
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if err := out.Several(src.Len()*max(len(request.Classes), 1)*(1+len(request.Sizes)), "images, classes and sizes"); err != nil {
		return err
	}
	if dir := c.String("npy"); dir != "" {
		if err := c.OutDir(dir, "--npy"); err != nil {
			return err
		}
	}
	occluder, err := session.Occluder(request)
	if err != nil {
		return occluderHint(err)
	}
	r := &occlusionRun{c: c, occluder: occluder, sizes: 1 + len(request.Sizes), src: src, out: out}
	return r.all(request.Scale == view.PerSeries)
}

// occluderHint explains what is wrong with a request for a network, or that it does not fit into memory.
func occluderHint(err error) error {
	if e, ok := errors.AsType[*view.FieldError](err); ok {
		return cmdline.Hinted(fmt.Errorf("--%w", e), e.Hint)
	}
	return cmdline.MemoryHint(err)
}
