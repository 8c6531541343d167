package main

import (
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/urfave/cli/v2"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write a network as an ONNX file",
		UsageText:   "viz export --onnx [flags] [MODEL]",
		Description: cmdline.Examples("viz export --onnx ckpt.bin", "viz export --onnx --out shapes.onnx shapes"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.QuietFlag,
			&cli.BoolFlag{Name: "onnx", Usage: "the format: ONNX, the only one there is"},
			&cli.IntFlag{Name: "opset", Value: onnx.DefaultOpset, Usage: "operator set, 13 or later"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE`; default: MODEL.onnx"}},
		Action: cmdline.Action(func(c *cmdline.Run) error {
			if !c.Bool("onnx") {
				return cmdline.Usage("which format?", "viz export --onnx ckpt.bin")
			}
			s, err := modelArgument(c)
			if err != nil {
				return err
			}
			net := s.Net
			from := c.Args().First()
			if from == "" {
				from = c.String("model")
			}
			out := c.String("out")
			if out == "" {
				base := from
				if base == "" {
					base = net.Name
				}
				out = strings.TrimSuffix(base, filepath.Ext(base)) + ".onnx"
			}
			if from != "" && cmdline.SameFile(from, out) {
				return cmdline.Usage("output and input are the same file "+out, "choose another with --out")
			}
			if err := c.OutFile(out, "--out"); err != nil {
				return err
			}
			writing := *net
			writing.Origin = exportOrigin(net.Origin)
			if err := c.ClaimNetwork(out, net); err != nil {
				return err
			}
			if err := onnx.Export(out, &writing, c.Int("opset")); err != nil {
				return err
			}
			c.Wrote(out)
			return nil
		}),
	}
}

// exportOrigin is what travels with an exported network.
func exportOrigin(o model.Origin) model.Origin {
	o.Tool = "viz " + version()
	return o
}
