package main

import (
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/urfave/cli/v2"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write a network as an ONNX file",
		UsageText:   "viz export --onnx [flags] [MODEL]",
		Description: examples("viz export --onnx ckpt.bin", "viz export --onnx --out shapes.onnx shapes"),
		Flags: []cli.Flag{modelFlag, quietFlag,
			&cli.BoolFlag{Name: "onnx", Usage: "the format: ONNX, the only one there is"},
			&cli.IntFlag{Name: "opset", Value: onnx.DefaultOpset, Usage: "operator set, 13 or later"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE`; default: MODEL.onnx"}},
		Action: func(c *cli.Context) error {
			if !c.Bool("onnx") {
				return usage("which format?", "viz export --onnx ckpt.bin")
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
			if from != "" && sameFile(from, out) {
				return usage("output and input are the same file "+out, "choose another with --out")
			}
			if err := outFile(c, out, "--out"); err != nil {
				return err
			}
			writing := *net
			writing.Origin = exportOrigin(net.Origin)
			if err := claimNetwork(c, out, net); err != nil {
				return err
			}
			if err := onnx.Export(out, &writing, c.Int("opset")); err != nil {
				return err
			}
			wrote(c, out)
			return nil
		},
	}
}

// exportOrigin is what travels with an exported network.
func exportOrigin(o model.Origin) model.Origin {
	o.Tool = "viz " + version()
	return o
}
