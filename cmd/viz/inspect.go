package main

import (
	"errors"
	"fmt"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/view"
)

func inspectCommand() cmdline.Command {
	refused, occlude, rule := false, "", deconv.Paper
	return cmdline.Command{
		Name: "inspect", Usage: "list a network's layers: shapes, weights, receptive fields, multiply-adds, projection rules", Args: "[MODEL]",
		Examples: []string{"viz inspect ckpt.bin", "viz inspect --rule guided --json net.onnx"},
		Flags:    cmdline.Model | cmdline.JSON | cmdline.Workers,
		Fields: view.Fields{
			view.SwitchField(view.Field{Name: "refused", Usage: "list only the nodes of an ONNX file that are not supported"}, &refused),
			view.TextField(view.Field{Name: "occlude", Usage: "show how an occlusion map with `PATCH/STRIDE` would be computed, such as 16/4"}, &occlude),
			view.RuleField(&rule)},
		Do: func(c *cmdline.Run) error {
			s, err := c.ModelArgument()
			switch {
			case refused:
				return listRefused(c, err)
			case err != nil:
				return err
			case occlude != "":
				return inspectOcclusion(c, s.Net, occlude)
			}
			r, err := cmdline.Await(c.Context, func() (*view.Inspection, error) { return s.Inspect(rule) })
			if err != nil {
				return err
			}
			if c.JSON {
				return c.PrintJSON(r)
			}
			return printInspection(c, s.Net, rule, r)
		},
	}
}

// printInspection prints what goes into a network and comes out, and a table of its layers.
func printInspection(c *cmdline.Run, net *model.Network, rule deconv.Rule, r *view.Inspection) error {
	if err := c.PrintRows(r.Head(net, !c.Unstated(net))); err != nil {
		return err
	}
	if err := c.PrintTable(r.Text(rule)); err != nil {
		return err
	}
	if last := net.LastSpatial(); last != "" {
		fmt.Fprintf(c.Stdout, "\nlayer that commands take by default: %s, the last with maps before the scores\n", cmdline.Plain(last))
	}
	return nil
}

// listRefused lists the nodes that err, from opening a network, is about.
func listRefused(c *cmdline.Run, err error) error {
	e, ok := errors.AsType[*onnx.Unsupported](err)
	if err != nil && !ok {
		return err
	}
	ops := []onnx.UnsupportedOp{}
	if ok {
		ops = e.Ops
	}
	if c.JSON {
		return c.PrintJSON(ops)
	}
	rows := [][]string{{"node", "operator", "opset", "reason", "what would help"}}
	for _, o := range ops {
		rows = append(rows, []string{o.Node, o.Op, fmt.Sprint(o.Opset), o.Reason, o.Help})
	}
	return c.PrintRows(rows)
}

// inspectOcclusion lists how an occlusion map would be computed: PATCH/STRIDE, such as 16/4 or 16x20/4.
func inspectOcclusion(c *cmdline.Run, net *model.Network, spec string) error {
	r, err := view.ParsePatchStride(spec)
	if err == nil {
		err = r.Validate(net)
	}
	if err != nil {
		return cmdline.Usage("--occlude "+spec+": "+err.Error(), "viz inspect --occlude 16/4")
	}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	o, err := view.NewSession(engine, net).Occluder(r)
	if err != nil {
		return err
	}
	p := o.Plan()
	if c.JSON {
		return c.PrintJSON(p)
	}
	fmt.Fprintf(c.Stdout, "%s  patch %s, stride %s  %d positions\n", cmdline.Plain(p.Model), view.PairText(p.Patch), view.PairText(p.Stride), p.Positions)
	if err := c.PrintTable(p.Text()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Stdout, "\nbox: the sums of a full forward pass, where the patch can change them; clip: products with changed inputs only, added to the clean sums;\n"+
		"winograd: clip by F(2x2, 3x3); delta: a dense layer on what changed; whole: all of the layer. Memory: about %d MB on top of the weights.\n", p.Memory/1_000_000)
	return err
}
