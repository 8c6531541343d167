package main

import (
	"fmt"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

func pointingCommand() *cli.Command {
	return &cli.Command{
		Name: "pointing", Usage: "measure how often maps and projections point at the object, on data that knows where it is",
		UsageText: "viz pointing [flags]",
		Description: "For each image: is the centre of the patch that lowers the true class's probability most inside the\n" +
			"object's box, and how much of the energy of the strongest projection of the last maps lies there?\n\n" +
			cmdline.Examples("viz pointing", "viz pointing --model ckpt.bin --limit 50 --stride 2 --json"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.JSONFlag, cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.SeedFlag, cmdline.SplitFlag, cmdline.ByNumberFlag,
			&cli.IntFlag{Name: "limit", Value: 200, Usage: "number of images"},
			&cli.StringFlag{Name: "patch", Aliases: []string{"size"}, Usage: "patch, see viz occlude"},
			&cli.StringFlag{Name: "stride", Usage: "stride, see viz occlude"},
			&cli.StringFlag{Name: "fill", Value: "mean", Usage: "fill, see viz occlude"},
			&cli.StringFlag{Name: "rule", Value: string(deconv.Paper), Usage: "projection `RULE`, see viz deconv"}},
		Action: cmdline.Action(pointing),
	}
}

func pointing(c *cmdline.Run) error {
	if c.NArg() > 0 {
		return cmdline.Usage("viz pointing takes no arguments, got "+c.Args().First(), "")
	}
	session, err := c.OpenSession(false)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	net := session.Net
	request := view.Pointing{}
	for _, read := range []func() error{
		func() error { request.Rule, err = deconv.ParseRule(c.String("rule")); return cmdline.UsageErr(err) },
		func() error { request.Occlusion.Patch, err = view.ParsePair("patch", c.String("patch")); return err },
		func() error { request.Occlusion.Stride, err = view.ParsePair("stride", c.String("stride")); return err },
		func() error {
			request.Occlusion.Fill, err = occlusion.ParseFill(c.String("fill"))
			return cmdline.UsageErr(err)
		},
		func() error { return request.Validate(net) },
	} {
		if err := read(); err != nil {
			return cmdline.RequestErr(err)
		}
	}
	spec := c.GivenImages()
	spec.Paths, spec.Data = nil, "shapes"
	src, err := c.OpenInputs(net, spec)
	if err != nil {
		return err
	}
	if src, _, err = c.MatchClasses(src); err != nil {
		return err
	}
	step, end := c.Progress("pointing")
	request.Progress = step
	r, err := session.Pointing(c.Context, request, src)
	end()
	if err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(r)
	}
	fmt.Fprintf(c.Stdout, "occlusion: the lowest-probability patch lies on the object in %d of %d images, %.1f %% (chance %.1f %%)\n",
		r.OnObject, r.Images, 100*r.Occlusion, 100*r.Chance)
	fmt.Fprintf(c.Stdout, "projection (%s, rule %s): %.1f %% of the energy lies on the object, which covers %.1f %% of the image;\n"+
		"more than half of it does in %.1f %% of the images; energy per pixel on it is %.1f times that of the background\n",
		r.Layer, r.Rule, 100*r.EnergyShare, 100*r.AreaShare, 100*r.EnergyMajor, r.EnergyDensity)
	return nil
}
