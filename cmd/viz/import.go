package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/urfave/cli/v2"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "turn an ONNX network, or the weights of a known architecture, into a checkpoint",
		UsageText: "viz import [flags] NET.onnx|WEIGHTS.safetensors|WEIGHTS.pth",
		Description: "What --preprocess, --labels, --layout, --scores, --output, --set and --input-size say about an ONNX network is kept in NET.onnx.viz.json beside it, where every\n" +
			"command finds it; --beside writes nothing else.\n\n" +
			cmdline.Examples("viz import net.onnx", "viz import --beside --preprocess imagenet --labels names.txt net.onnx",
				"viz import --arch mnist-cnn --preprocess scale=1/255,mean=.1307,std=.3081 mnist.safetensors"),
		Flags: []cli.Flag{&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE`; default: NET.bin"}, cmdline.QuietFlag,
			&cli.BoolFlag{Name: "beside", Usage: "only write NET.onnx.viz.json, not a checkpoint"},
			&cli.StringFlag{Name: "arch", Usage: "architecture of weights, safetensors or PyTorch's state_dict (.pth, .pt): " + strings.Join(model.KnownArches(), ", ")},
			&cli.StringFlag{Name: "input-size", Aliases: []string{"size"}, Usage: cmdline.InputSizeFlag.Usage}, cmdline.PreprocessFlag, cmdline.LabelsFlag, cmdline.LayoutFlag, cmdline.ScoresFlag, cmdline.OutputFlag, cmdline.SetFlag,
			&cli.StringSliceFlag{Name: "measure-mean", Usage: "measure the mean pixel of the training data over the pictures in `PATH` (file, folder, archive); occlusion's patches have it"}},
		Action: cmdline.Action(importNetwork),
	}
}

func importNetwork(c *cmdline.Run) error {
	if c.NArg() != 1 {
		return cmdline.Usage(fmt.Sprintf("want one network, got %d arguments", c.NArg()), "viz import net.onnx")
	}
	in := c.Args().First()
	o, err := c.ModelOptions()
	if err != nil {
		return err
	}
	o.Like = ""
	isONNX := open.IsONNX(in)
	var net *model.Network
	if c.String("arch") != "" {
		if net, err = open.Weights(in, c.String("arch"), "viz "+version(), o); err != nil {
			return cmdline.OpenHint(err)
		}
	} else if net, err = cmdline.OpenNetwork(in, o); err != nil {
		return err
	}
	c.NoteOrigin(net)
	if c.Bool("beside") && !isONNX {
		return cmdline.Usage("--beside is for ONNX networks, which "+in+" is not", "")
	}
	if c.Bool("beside") && c.String("out") != "" {
		return cmdline.Usage("--beside and --out are both given", "--beside writes "+open.NotesName(in)+" only")
	}
	out := c.String("out")
	if out == "" {
		out = strings.TrimSuffix(in, filepath.Ext(in)) + ".bin"
	}
	if cmdline.SameFile(in, out) {
		return cmdline.Usage("output and input are the same file "+in, "choose another with --out")
	}
	unread := 0
	if len(c.StringSlice("measure-mean")) > 0 {
		if net, unread, err = measureMean(c, net); err != nil {
			return err
		}
	}
	if !c.Bool("beside") {
		if err := c.OutFile(out, "--out"); err != nil {
			return err
		}
		if err := c.ClaimNetwork(out, net); err != nil {
			return err
		}
		if err := model.Save(out, net, nil); err != nil {
			return err
		}
		c.Wrote(out)
	}
	if isONNX && (c.Bool("beside") || slices.ContainsFunc([]string{"preprocess", "labels", "input-size", "layout", "scores", "output", "set", "measure-mean"}, c.IsSet)) {
		notes, err := o.Notes(in, net, !c.Unstated(net))
		if err != nil {
			return err
		}
		if err := notes.Write(in); err != nil {
			return err
		}
		c.Wrote(open.NotesName(in))
	}
	if unread > 0 {
		return fmt.Errorf("--measure-mean: %d of the pictures could not be used; the mean is that of the others", unread)
	}
	return nil
}

// measureMean returns the network with the mean pixel of the pictures that
// --measure-mean names, and how many of them could not be used.
func measureMean(c *cmdline.Run, net *model.Network) (*model.Network, int, error) {
	list, err := images.Open(c.Context, images.Spec{Paths: c.StringSlice("measure-mean")}, images.Options{CacheDir: cmdline.CacheDir()})
	if err != nil {
		return nil, 0, fmt.Errorf("--measure-mean: %w", err)
	}
	for _, p := range list.Problems {
		c.Warn("%s: %v", p.Path, p.Err)
	}
	step, end := c.Progress("measuring the mean")
	in := images.Inputs{List: list, Net: net}
	mean, used, err := in.MeanPixel(c.Context, func(err error) { c.Warn("%v", err) }, step)
	end()
	unread := list.Len() + len(list.Problems) - used
	if errors.Is(err, images.ErrNoPictures) {
		return nil, 0, fmt.Errorf("--measure-mean: none of the %d pictures could be used", unread)
	}
	if err != nil {
		return nil, 0, err
	}
	measured := *net
	measured.Preprocess.DataMean = mean
	c.Note("mean pixel of %d pictures: %v", used, mean)
	return &measured, unread, nil
}
