package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/urfave/cli/v2"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "turn an ONNX network into a checkpoint",
		UsageText:   "viz import [flags] NET.onnx",
		Description: examples("viz import net.onnx", "viz import --out ckpt.bin net.onnx"),
		Flags:       []cli.Flag{&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE`; default: NET.bin"}, quietFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage(fmt.Sprintf("want one network, got %d arguments", c.NArg()), "viz import net.onnx")
			}
			in := c.Args().First()
			net, err := openModel(in)
			if err != nil {
				return err
			}
			out := c.String("out")
			if out == "" {
				out = strings.TrimSuffix(in, filepath.Ext(in)) + ".bin"
			}
			if sameFile(in, out) {
				return usage("output and input are the same file "+in, "choose another with --out")
			}
			if err := outFile(c, out, "--out"); err != nil {
				return err
			}
			if err := model.Save(out, net, nil); err != nil {
				return err
			}
			wrote(c, out)
			return nil
		},
	}
}

func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return a == b || errA == nil && errB == nil && os.SameFile(x, y)
}
