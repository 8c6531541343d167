package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/view"
)

func exportCommand() cmdline.Command {
	format, opset := false, onnx.DefaultOpset
	return cmdline.Command{
		Name: "export", Usage: "write a network as an ONNX file", Args: "[MODEL]", Form: "viz export --onnx [flags] [MODEL]",
		Examples: []string{"viz export --onnx ckpt.bin", "viz export --onnx --out shapes.onnx shapes"},
		Flags:    cmdline.Model | cmdline.Out,
		Change:   view.Fields{{Name: "out", Usage: "write to `FILE`; default: MODEL.onnx"}},
		Fields: view.Fields{
			view.SwitchField(view.Field{Name: "onnx", Usage: "the format: ONNX, the only one there is"}, &format),
			view.IntField(view.Field{Name: "opset", Default: fmt.Sprint(onnx.DefaultOpset), Usage: "operator set, 13 or later"}, &opset, 1)},
		Do: func(c *cmdline.Run) error {
			if !format {
				return cmdline.Usage("which format?", "viz export --onnx ckpt.bin")
			}
			return export(c, opset)
		},
	}
}

func export(c *cmdline.Run, opset int) error {
	s, err := c.ModelArgument()
	if err != nil {
		return err
	}
	from := append(c.Args, c.Model)[0]
	out := c.Out
	if out == "" {
		base := from
		if base == "" {
			base = s.Net.Name
		}
		out = strings.TrimSuffix(base, filepath.Ext(base)) + ".onnx"
	}
	if from != "" && cmdline.SameFile(from, out) {
		return cmdline.Usage("output and input are the same file "+out, "choose another with --out")
	}
	writing := *s.Net
	writing.Origin.Tool = "viz " + c.Version
	return writeNetwork(c, out, s.Net, func() error { return onnx.Export(out, &writing, opset) })
}
