package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// Flags that every command with --model gets (see manners).
var (
	inputSizeFlag  = &cli.StringFlag{Name: "input-size", Usage: "input of an ONNX network that leaves it open, `N` or ROWSxCOLUMNS; default: that of the first image"}
	preprocessFlag = &cli.StringFlag{Name: "preprocess", Usage: "how pixels become the input: `SPEC` is " + strings.Join(model.PreprocessPresets(), ", ") +
		", FILE.json of timm or Hugging Face, or settings like fit=stretch,filter=bicubic,size=256,crop=224,scale=1/255,mean=.5/.5/.5,std=.2/.2/.2,order=bgr,invert"}
	layoutFlag = &cli.StringFlag{Name: "layout", Usage: "order of an ONNX input's axes: nchw (channels first), nhwc (channels last) or auto; default: as the graph shows it"}
	scoresFlag = &cli.StringFlag{Name: "scores", Usage: "what the outputs mean: softmax, sigmoid (each by itself; one tells two classes apart), logits (of either) or raw (values); default: as the network ends"}
	outputFlag = &cli.StringFlag{Name: "output", Usage: "`NAME` of the output with the scores, or of a layer; default: the one most like a classifier's"}
	setFlag    = &cli.StringSliceFlag{Name: "set", Usage: "value of another input of an ONNX network than the picture, `INPUT=V[,V...]` or INPUT=@FILE.npy; may be repeated"}
	labelsFlag = &cli.StringFlag{Name: "labels", Usage: "class names: `FILE` of lines (plain or numbered), a table, JSON or YAML, or imagenet for its 1000"}
)

// atFlag is for commands that explain a class.
var atFlag = &cli.StringFlag{Name: "at", Usage: "of a network with scores for every place of a map, those at `ROW,COLUMN`; default: their sum over all places"}

// atPlace reads --at, nil if it is not given.
func atPlace(c *cli.Context) (*[2]int, error) {
	at, err := view.ParseAt(c.String("at"))
	return at, requestErr(err)
}

// modelFlags adds the flags about networks to a command that has --model. --size
// is another name for --input-size unless it means something else there.
func modelFlags(cmd *cli.Command) {
	has := func(name string) bool {
		return slices.ContainsFunc(cmd.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	}
	if !has("model") {
		return
	}
	size := *inputSizeFlag
	if !has("size") {
		size.Aliases = []string{"size"}
	}
	for _, f := range []cli.Flag{&size, preprocessFlag, labelsFlag, layoutFlag, scoresFlag, outputFlag, setFlag} {
		if !has(f.Names()[0]) {
			cmd.Flags = append(cmd.Flags, f)
		}
	}
}

// modelOptionsOf is what flags say about a network beyond its file.
func modelOptionsOf(c *cli.Context) (o open.Options, err error) {
	name := "input-size"
	if o.InputSize, err = parsePair(name, c.String(name)); err != nil {
		return o, err
	}
	if slices.Min(o.InputSize[:]) < 0 || slices.Max(o.InputSize[:]) > 1<<15 {
		return o, usage(fmt.Sprintf("--%s %s: want N or ROWSxCOLUMNS", name, c.String(name)), "")
	}
	o.Preprocess, o.Labels, o.Layout = c.String("preprocess"), c.String("labels"), c.String("layout")
	o.Scores, o.Output = c.String("scores"), c.String("output")
	if o.Set, err = setValues(c.StringSlice("set")); err != nil {
		return o, err
	}
	for _, path := range inputPaths(c) {
		if isFile(path) && !isDir(path) {
			o.Like = path
			break
		}
	}
	return o, nil
}

// setValues reads INPUT=VALUE. The flag's values were split at commas.
func setValues(parts []string) (map[string]string, error) {
	var set map[string]string
	last := ""
	for _, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		switch {
		case ok && name != "":
			if set == nil {
				set = map[string]string{}
			}
			set[name], last = value, name
		case last != "":
			set[last] += "," + p
		default:
			return nil, usage("--set "+p+": want INPUT=V[,V...] or INPUT=@FILE.npy", "")
		}
	}
	return set, nil
}

// openNetwork opens a network, with hints for what can be done about an error.
func openNetwork(name string, o open.Options) (*model.Network, error) {
	net, err := open.Network(name, o)
	if m, ok := errors.AsType[*open.Missing](err); ok && m.Name != name {
		return nil, err // a file of labels or pixels
	}
	if e, ok := errors.AsType[*onnx.Unsupported](err); ok && len(e.Ops) > e.Operators() {
		return nil, hinted(err, "viz inspect --refused "+name+" lists all nodes")
	}
	return net, openHint(err)
}

// openHint says what to do about a network that cannot be opened.
func openHint(err error) error {
	if e, ok := errors.AsType[*open.OptionError](err); ok {
		return usage("--"+e.Error(), "")
	}
	if _, ok := errors.AsType[*open.Missing](err); ok {
		return hinted(err, "built in are "+strings.Join(builtin.Names(), ", ")+"; viz train makes a checkpoint")
	}
	if e, ok := errors.AsType[*open.OpenValues](err); ok {
		return hinted(err, "give them values, such as --set "+e.Err.Others[0].Name+"=0, or --set "+e.Err.Others[0].Name+"=@file.npy")
	}
	if _, ok := errors.AsType[*open.OpenInput](err); ok {
		return hinted(err, "give --input-size 224, or --preprocess with a crop")
	}
	return err
}

// noteOrigin says what was unusual about a network's file.
func noteOrigin(c *cli.Context, net *model.Network) {
	for _, text := range net.Origin.Notes {
		note(c, "note: %s", text)
	}
	if text := net.Assumed(); text != "" && net.Scores == model.RawScores && c.String("scores") == "" {
		classes := "classes"
		if net.NumClasses() == 1 {
			classes = "two classes"
		}
		note(c, "note: the scores are %s (--scores logits reads them as those of %s)", text, classes)
	}
}

// openModel opens a network of which no flag says more.
func openModel(name string) (*model.Network, error) { return openNetwork(name, open.Options{}) }

// unstated reports whether nobody has said how pixels become a network's input.
func unstated(c *cli.Context, net *model.Network) bool {
	return !net.Preprocess.Stated() && c.String("preprocess") == ""
}

// warnInput says if an input looks as if it were in other units than the
// network was trained on.
func warnInput(c *cli.Context, engine *model.Engine, net *model.Network, x *tensor.Tensor) error {
	trace, err := engine.Forward(net, x)
	if err != nil {
		return err
	}
	warnings := trace.Suspicions()
	for i, s := range warnings {
		if i == 3 {
			warn(c, "and %d more signs of that kind", len(warnings)-3)
			break
		}
		warn(c, "%s", s)
	}
	if len(warnings) > 0 {
		hint := "is --preprocess right for this network?"
		if unstated(c, net) {
			hint = "pixels go in as 0..255; most networks want another range: --preprocess imagenet, unit, signed, caffe-bgr"
		}
		note(c, "hint: %s", hint)
	}
	return nil
}

// warn tells the user of something that may be wrong, also with -q.
func warn(c *cli.Context, format string, args ...any) {
	fmt.Fprintf(c.App.ErrWriter, "viz: warning: "+format+"\n", args...)
}
