package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/view"
)

func importCommand() cmdline.Command {
	r := &importRun{}
	return cmdline.Command{
		Name: "import", Usage: "turn an ONNX network, or the weights of a known architecture, into a checkpoint", Args: "NET.onnx|WEIGHTS.safetensors|WEIGHTS.pth",
		About: "What --preprocess, --labels, --layout, --scores, --output, --set and --input-size say about an ONNX\n" +
			"network is kept in NET.onnx.viz.json beside it, where every command finds it; --beside writes nothing else.",
		Examples: []string{"viz import net.onnx", "viz import --beside --preprocess imagenet --labels names.txt net.onnx",
			"viz import --arch mnist-cnn --preprocess scale=1/255,mean=.1307,std=.3081 mnist.safetensors"},
		Flags:  cmdline.Network | cmdline.Out,
		Change: view.Fields{{Name: "out", Usage: "write to `FILE`; default: NET.bin"}},
		Fields: view.Fields{
			view.SwitchField(view.Field{Name: "beside", Usage: "only write NET.onnx.viz.json, not a checkpoint"}, &r.beside),
			view.TextField(view.Field{Name: "arch", Usage: "architecture of weights, safetensors or PyTorch's state_dict (.pth, .pt): " + strings.Join(model.KnownArches(), ", ")}, &r.arch),
			view.LinesField(view.Field{Name: "measure-mean", Usage: "measure the mean pixel of the training data over the pictures in `PATH` (file, folder, archive); it is the default fill of occlusion patches"}, &r.mean)},
		Do: r.do,
	}
}

// importRun is one run of viz import.
type importRun struct {
	beside bool
	arch   string
	mean   []string // pictures to measure the mean over
}

func (r *importRun) do(c *cmdline.Run) error {
	if len(c.Args) != 1 {
		return cmdline.Usage(fmt.Sprintf("want one network, got %d arguments", len(c.Args)), "viz import net.onnx")
	}
	in := c.Args[0]
	o, err := c.ModelOptions()
	if err != nil {
		return err
	}
	o.Like = ""
	var net *model.Network
	if r.arch != "" {
		if net, err = open.Weights(in, r.arch, "viz "+c.Version, o); err != nil {
			return cmdline.OpenHint(err)
		}
	} else if net, err = cmdline.OpenNetwork(c.Context, in, o); err != nil {
		return err
	}
	c.NoteOrigin(net)
	out, isONNX, err := r.output(c, in)
	if err != nil {
		return err
	}
	unread := 0
	if len(r.mean) > 0 {
		if net, unread, err = r.measure(c, net); err != nil {
			return err
		}
	}
	if !r.beside {
		if err := writeNetwork(c, out, net, func() error { return model.Save(out, net, nil) }); err != nil {
			return err
		}
	}
	if isONNX && (r.beside || slices.ContainsFunc([]string{"preprocess", "labels", "input-size", "layout", "scores", "output", "set", "measure-mean"}, c.Given)) {
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

// output is the file to write a checkpoint to, and whether what is read is an ONNX network.
func (r *importRun) output(c *cmdline.Run, in string) (out string, isONNX bool, err error) {
	out = c.Out
	if out == "" {
		out = strings.TrimSuffix(in, filepath.Ext(in)) + ".bin"
	}
	switch isONNX, err = open.IsONNX(in); {
	case err != nil:
		return "", false, err
	case r.beside && !isONNX:
		return "", false, cmdline.Usage("--beside is for ONNX networks, which "+in+" is not", "")
	case r.beside && c.Out != "":
		return "", false, cmdline.Usage("--beside and --out are both given", "--beside writes "+open.NotesName(in)+" only")
	case cmdline.SameFile(in, out):
		return "", false, cmdline.Usage("output and input are the same file "+in, "choose another with --out")
	}
	return out, isONNX, nil
}

// writeNetwork writes a network to a file that holds no other.
func writeNetwork(c *cmdline.Run, out string, net *model.Network, write func() error) error {
	if err := c.OutFile(out, "--out"); err != nil {
		return err
	}
	if err := c.ClaimNetwork(out, net); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	c.Wrote(out)
	return nil
}

// measure returns the network with the mean pixel of the pictures that --measure-mean names, and how many of them
// could not be used.
func (r *importRun) measure(c *cmdline.Run, net *model.Network) (*model.Network, int, error) {
	list, err := images.Open(c.Context, images.Spec{Paths: r.mean}, images.Options{CacheDir: cmdline.CacheDir()})
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
