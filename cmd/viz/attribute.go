package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func attributeCommand() *cli.Command {
	return &cli.Command{
		Name: "attribute", Usage: "draw what of an image a score comes from, by gradients, class activation maps and other methods",
		UsageText: "viz attribute [flags] IMG...",
		Description: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n" +
			"docs/methods.md says which question each method answers.\n\n" +
			cmdline.Examples("viz attribute --method ig --class cat img.png", "viz attribute --method all img.png"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.OutFlag, cmdline.QuietFlag, cmdline.JSONFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.ImagesFlag,
			&cli.StringFlag{Name: "method", Value: string(attribution.IntegratedGradients), Usage: "`METHOD`s, comma-separated, or all: " + methodNames()},
			&cli.StringFlag{Name: "class", Usage: "`CLASS`es by name or number, comma-separated; default: the image's most probable one"}, cmdline.AtFlag,
			&cli.StringFlag{Name: "target", Usage: "`UNIT`s to explain instead of classes, such as 5:12:3:4 or fc1:7, comma-separated"},
			&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "of class activation maps, `LAYER` by number or name; several, comma-separated, are fused; default: the last block or convolution before the scores"},
			&cli.StringFlag{Name: "tokens", Usage: "`ROWSxCOLUMNS` in which a transformer's tokens lie in the image, such as 14x14; default: as the network shows it"},
			&cli.IntFlag{Name: "nodes", Value: 50, Usage: "of integrated gradients: `N` gradients between the baseline and the image"},
			&cli.StringFlag{Name: "baseline", Value: "0", Usage: "of integrated gradients: 0, V or V/V/V in network units, mean (of the training data), image (its mean), or blur"},
			&cli.StringFlag{Name: "base", Value: string(attribution.Saliency), Usage: "`METHOD` that smoothgrad, smoothgrad2 and vargrad repeat"},
			&cli.IntFlag{Name: "samples", Value: 25, Usage: "noisy copies of the image that they take"},
			&cli.Float64Flag{Name: "noise", Value: 0.15, Usage: "standard deviation of the noise, as a share of the image's range"},
			&cli.IntFlag{Name: "masks", Value: 1000, Usage: "random masks of rise"},
			&cli.Uint64Flag{Name: "seed", Usage: "of noise and masks"},
			&cli.StringFlag{Name: "memory", Usage: "keep the whole process within about `SIZE`, such as 900M or 2G"},
			&cli.BoolFlag{Name: "resume", Usage: "leave out images whose results are there already, made with the same options"},
			&cli.Float64Flag{Name: "opacity", Value: 0.7, Usage: "of the overlay where the map is strongest, 0 to 1"},
			&cli.StringFlag{Name: "npy", Usage: "write the map, [H, W], to `FILE` and draw nothing"},
			&cli.BoolFlag{Name: "raw", Usage: "with --npy: the array as the method makes it, [C, H, W], or [h, w] of the layer before the final rectifier"},
			cmdline.IndexFlag},
		Action: cmdline.Action(attribute),
	}
}

func methodNames() string {
	var names []string
	for _, m := range attribution.Methods() {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

func attribute(c *cmdline.Run) error {
	paths := c.InputPaths()
	if len(paths) == 0 && c.String("data") == "" {
		return cmdline.Usage("no image given", "viz attribute img.png")
	}
	request, err := attributeRequest(c)
	if err != nil {
		return err
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
	if limit > 0 {
		if request.Memory, err = cmdline.ScanMemory(net, limit); err != nil {
			return err
		}
	}
	if err := attributeNames(c, net, &request); err != nil {
		return err
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	explainer := attribution.New(session.Engine, net)
	if c.String("npy") != "" {
		return attributeArray(c, session, explainer, request, src)
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if err := out.Several(src.Len()*max(len(request.Targets), 1), "images and targets"); err != nil {
		return err
	}
	what := string(request.Methods[0])
	if len(request.Methods) > 1 {
		what = fmt.Sprintf("%d methods", len(request.Methods))
	}
	left := 0
	return c.Each(src, "explaining", func(i int, x *tensor.Tensor) error {
		in := view.InputOf(src, i, x)
		if c.Bool("resume") && attributeDone(out, session, request, in) {
			left++
			return nil
		}
		if src.Len() == 1 {
			step, end := c.Progress(what)
			defer end()
			request.Progress = step
		}
		figures, err := session.Attribution(c.Context, explainer, request, in)
		if err != nil {
			return cmdline.RequestErr(err)
		}
		_, err = out.Figures(figures...)
		return err
	}, func() error {
		if left > 0 {
			c.Note("%d of %d images were done before", left, src.Len())
		}
		return out.End()
	})
}

// attributeRequest reads the flags that do not name parts of the network.
func attributeRequest(c *cmdline.Run) (r view.Attribution, err error) {
	if r.Methods, err = attributionMethods(c.String("method")); err != nil {
		return r, err
	}
	for _, name := range []string{"nodes", "samples", "masks"} {
		if c.Int(name) < 1 {
			return r, cmdline.Usage(fmt.Sprintf("--%s %d: want at least 1", name, c.Int(name)), "")
		}
	}
	r.Nodes, r.Samples, r.Masks, r.Seed, r.Opacity = c.Int("nodes"), c.Int("samples"), c.Int("masks"), c.Uint64("seed"), c.Float64("opacity")
	noise := c.Float64("noise")
	r.Deviation = &noise
	if r.Base, err = attribution.ParseMethod(c.String("base")); err != nil {
		return r, cmdline.UsageErr(fmt.Errorf("--base: %w", err))
	}
	if r.Baseline, err = attribution.ParseBaseline(c.String("baseline")); err != nil {
		return r, cmdline.UsageErr(err)
	}
	if r.Tokens, err = parsePair("tokens", c.String("tokens")); err != nil {
		return r, err
	}
	if c.Bool("raw") && c.String("npy") == "" {
		return r, cmdline.Usage("--raw says what --npy writes, and is of no use without it", "--npy FILE names the file")
	}
	if c.String("npy") != "" && (len(r.Methods) > 1 || c.String("out") != "") {
		return r, cmdline.Usage("--npy writes the map of one method, and no picture", "without --npy, arrays are written beside the pictures")
	}
	return r, cmdline.RequestErr(r.Validate())
}

// attributionMethods reads --method.
func attributionMethods(list string) (out []attribution.Method, err error) {
	for spec := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(spec) == "all" {
			return attribution.Methods(), nil
		}
		m, err := attribution.ParseMethod(spec)
		if err != nil {
			return nil, cmdline.UsageErr(fmt.Errorf("--method: %w", err))
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out, nil
}

// attributeNames reads the flags that name classes, units and layers.
func attributeNames(c *cmdline.Run, net *model.Network, r *view.Attribution) error {
	at, err := c.AtPlace()
	if err != nil {
		return err
	}
	classes, units := c.String("class"), c.String("target")
	switch {
	case units != "" && (classes != "" || at != nil):
		return cmdline.Usage("--target names units, --class and --at a class: use one of them", "")
	case units != "":
		for spec := range strings.SplitSeq(units, ",") {
			u, err := net.ParseUnit(strings.TrimSpace(spec))
			if err != nil {
				return cmdline.UsageErr(err)
			}
			r.Targets = append(r.Targets, attribution.Unit(u))
		}
	case classes != "":
		for spec := range strings.SplitSeq(classes, ",") {
			class, err := net.ResolveClass(strings.TrimSpace(spec))
			if err != nil {
				return cmdline.UsageErr(err)
			}
			t := attribution.Class(class)
			t.At = at
			r.Targets = append(r.Targets, t)
		}
	case at != nil:
		return cmdline.Usage("--at says where the scores of a class are taken", "name it with --class")
	}
	if spec := c.String("layer"); spec != "" {
		if r.Layers, err = net.ResolveLayers(spec); err != nil {
			return cmdline.UsageErr(err)
		}
	}
	return nil
}
