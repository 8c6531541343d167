package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/urfave/cli/v2"
)

// Flags that every command with --model gets (see manners).
var (
	inputSizeFlag  = &cli.StringFlag{Name: "input-size", Usage: "input of an ONNX network that leaves it open, `N` or ROWSxCOLUMNS; default: that of the first image"}
	preprocessFlag = &cli.StringFlag{Name: "preprocess", Usage: "how pixels become the input: `SPEC` is " + strings.Join(model.PreprocessPresets(), ", ") +
		" or settings like size=256,crop=224,scale=1/255,mean=.5/.5/.5,std=.2/.2/.2,order=bgr"}
	labelsFlag = &cli.StringFlag{Name: "labels", Usage: "class names: `FILE` of lines, or JSON"}
)

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
	for _, f := range []cli.Flag{&size, preprocessFlag, labelsFlag} {
		if !has(f.Names()[0]) {
			cmd.Flags = append(cmd.Flags, f)
		}
	}
}

// sidecar is what NET.onnx.viz.json says about NET.onnx.
type sidecar struct {
	Input      []int             `json:"input,omitempty"` // rows, columns; only if the network leaves them open
	Preprocess *model.Preprocess `json:"preprocess,omitempty"`
	Classes    []string          `json:"classes,omitempty"`
}

func sidecarName(model string) string { return model + ".viz.json" }

func readSidecar(name string) (*sidecar, error) {
	path := sidecarName(name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 16<<20 {
		return nil, fmt.Errorf("%s: not a small plain file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &sidecar{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(s.Input) != 0 && (len(s.Input) != 2 || slices.Min(s.Input) < 1) {
		return nil, fmt.Errorf("%s: input is %v, want rows and columns", path, s.Input)
	}
	return s, nil
}

// writeSidecar writes what viz import found out.
func writeSidecar(name string, s *sidecar) error {
	text, err := encodeJSON(s)
	if err != nil {
		return err
	}
	return imageio.WriteFile(sidecarName(name), func(w io.Writer) error { _, err := w.Write(text); return err })
}

// modelOptions are what flags say about a network beyond its file.
type modelOptions struct {
	size       [2]int // of the input; 0: not said
	preprocess *model.Preprocess
	crop       [2]int
	labels     string
	image      string // the first image, whose size an open input takes
}

func modelOptionsOf(c *cli.Context) (o modelOptions, err error) {
	name := "input-size"
	if o.size, err = parsePair(name, c.String(name)); err != nil {
		return o, err
	}
	if slices.Min(o.size[:]) < 0 || slices.Max(o.size[:]) > 1<<15 {
		return o, usage(fmt.Sprintf("--%s %s: want N or ROWSxCOLUMNS", name, c.String(name)), "")
	}
	if spec := c.String("preprocess"); spec != "" {
		p, crop, err := model.ParsePreprocess(spec)
		if err != nil {
			return o, usage("--preprocess: "+err.Error(), "")
		}
		o.preprocess, o.crop = &p, crop
	}
	o.labels = c.String("labels")
	for _, path := range inputPaths(c) {
		if isFile(path) && !isDir(path) {
			o.image = path
			break
		}
	}
	return o, nil
}

// openNetwork reads a checkpoint, an ONNX file with what is known beside it, or a
// built-in network, and applies what flags say.
func openNetwork(name string, o modelOptions) (*model.Network, error) {
	var net *model.Network
	head, err := []byte(nil), error(nil)
	builtin := isBuiltin(name)
	if !builtin {
		if head, err = readHead(name); err != nil {
			return nil, missingModel(err)
		}
	}
	if builtin || model.IsCheckpoint(head) || !onnx.IsONNX(head) {
		if net, err = openPlain(name); err != nil {
			return nil, err
		}
	} else if net, err = openONNX(name, o); err != nil {
		return nil, err
	}
	return o.apply(net)
}

// apply returns the network with what flags say about it.
func (o modelOptions) apply(net *model.Network) (*model.Network, error) {
	in := net.Input
	if o.size != [2]int{} && o.size != [2]int{in.H, in.W} {
		return nil, usage(fmt.Sprintf("--input-size %dx%d: the input of %s is fixed at %dx%d", o.size[0], o.size[1], net.Name, in.H, in.W), "")
	}
	var err error
	changed := *net
	if o.preprocess != nil {
		mean := changed.Preprocess.DataMean
		changed.Preprocess = o.preprocess.Fill(net.Input.C)
		changed.Preprocess.DataMean = mean
	}
	if o.labels != "" {
		if changed.Classes, err = readLabels(o.labels, net); err != nil {
			return nil, err
		}
	}
	if o.preprocess != nil || o.labels != "" {
		if err := changed.Check(); err != nil {
			return nil, usageErr(err)
		}
		return &changed, nil
	}
	return net, nil
}

func openONNX(name string, o modelOptions) (*model.Network, error) {
	side, err := readSidecar(name)
	if err != nil {
		return nil, err
	}
	opt := onnx.Options{Height: o.size[0], Width: o.size[1]}
	g, err := onnx.ImportGraph(name, opt)
	if open, ok := errors.AsType[*onnx.OpenSize](err); ok {
		switch {
		case o.crop[0] > 0:
			opt.Height, opt.Width = o.crop[0], o.crop[1]
		case side != nil && len(side.Input) == 2:
			opt.Height, opt.Width = side.Input[0], side.Input[1]
		case o.image != "":
			if opt.Height, opt.Width, err = imageSize(o.image); err != nil {
				return nil, err
			}
		default:
			return nil, hinted(fmt.Errorf("%s: %w", name, open), "give --input-size 224, or --preprocess with a crop")
		}
		g, err = onnx.ImportGraph(name, opt)
	}
	if err != nil {
		return nil, err
	}
	if side == nil {
		return g.Net, nil
	}
	if side.Preprocess != nil {
		g.Net.Preprocess = side.Preprocess.Fill(g.Net.Input.C)
	}
	if side.Classes != nil {
		g.Net.Classes = side.Classes
	}
	if err := g.Net.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", sidecarName(name), err)
	}
	return g.Net, nil
}

// imageSize is the height and width of an image or array file.
func imageSize(path string) (h, w int, err error) {
	if strings.HasSuffix(strings.ToLower(path), ".npy") {
		return 0, 0, hinted(fmt.Errorf("the network leaves its input size open, and %s is an array", path), "give --input-size")
	}
	img, err := imageio.Open(path)
	if err != nil {
		return 0, 0, err
	}
	b := img.Bounds()
	return b.Dy(), b.Dx(), nil
}

// wordnet is the identifier in front of ImageNet's class names in some lists.
var wordnet = regexp.MustCompile(`^n\d{8}\s+`)

// readLabels reads class names: one a line, or JSON: a list, or an object from
// class numbers to names, to lists of which the last is the name, or to objects
// with a "label". Of a network with ImageNet's 1001 classes the first is the
// background that lists of 1000 do not have.
func readLabels(path string, net *model.Network) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > 16<<20 {
		return nil, fmt.Errorf("labels %s: not a small plain file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	labels, err := parseLabels(text)
	if err != nil {
		return nil, fmt.Errorf("labels %s: %w", path, err)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	s, ok := shapes[net.Logits]
	if !ok {
		return nil, fmt.Errorf("labels %s: network %s is no classifier", path, net.Name)
	}
	switch want := s.Len(); {
	case len(labels) == want:
	case len(labels) == 1000 && want == 1001:
		labels = append([]string{"background"}, labels...)
	case len(labels) == 1001 && want == 1000:
		labels = labels[1:]
	default:
		return nil, fmt.Errorf("labels %s: %d names, the network has %d classes", path, len(labels), want)
	}
	return labels, nil
}

func parseLabels(text []byte) ([]string, error) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 {
		return nil, fmt.Errorf("the file is empty")
	}
	switch trimmed[0] {
	case '[':
		var list []string
		err := jsonLabels(trimmed, &list)
		return list, err
	case '{':
		var object map[string]json.RawMessage
		if err := jsonLabels(trimmed, &object); err != nil {
			return nil, err
		}
		list := make([]string, len(object))
		for key, raw := range object {
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(list) || list[i] != "" {
				return nil, fmt.Errorf("key %.40q: want class numbers 0 to %d", key, len(list)-1)
			}
			var name string
			var names []string
			var item struct{ Label string }
			switch {
			case json.Unmarshal(raw, &name) == nil:
			case json.Unmarshal(raw, &names) == nil && len(names) > 0:
				name = names[len(names)-1]
			case json.Unmarshal(raw, &item) == nil:
				name = item.Label
			}
			if name == "" {
				return nil, fmt.Errorf("class %d has no name in %.60s", i, raw)
			}
			list[i] = name
		}
		return list, nil
	}
	var list []string
	for line := range strings.Lines(string(trimmed)) {
		list = append(list, wordnet.ReplaceAllString(strings.TrimSpace(line), ""))
	}
	return list, nil
}

func jsonLabels(text []byte, to any) error {
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("not a list or object of names: %w", err)
	}
	return nil
}

// unstated reports whether nobody has said how pixels become a network's input.
func unstated(c *cli.Context, net *model.Network) bool {
	p := net.Preprocess
	return (p.Scale == 0 || p.Scale == 1) && p.Mean == nil && p.Std == nil && c.String("preprocess") == ""
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
