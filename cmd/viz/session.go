package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// openSession finds the network a command works on, as findModel does, and makes an engine for it, which the caller
// closes.
func openSession(c *cli.Context, images bool) (*view.Session, error) {
	engine := model.NewEngine(c.Int("workers"))
	s, _, err := findModel(c, engine, images)
	if err != nil {
		engine.Close()
	}
	return s, err
}

// loadModel is findModel for commands that need no session.
func loadModel(c *cli.Context, images bool) (net *model.Network, from string, err error) {
	s, from, err := findModel(c, nil, images)
	if err != nil {
		return nil, "", err
	}
	return s.Net, from, nil
}

// findModel finds the network a command works on: --model, $VIZ_MODEL,
// ./ckpt.bin, or a built-in one (cifar10 if the user brings images). from says
// which, for messages.
func findModel(c *cli.Context, engine *model.Engine, images bool) (s *view.Session, from string, err error) {
	name := modelName(c)
	o, err := modelOptionsOf(c)
	if err != nil {
		return nil, "", err
	}
	switch {
	case name == "" && images:
		name = "cifar10"
	case name == "":
		name = "shapes"
	}
	if from = name; open.Builtin(name) {
		from = "built-in " + name
	}
	net, err := openNetwork(name, o)
	if err != nil {
		return nil, "", nameFrom(c, err)
	}
	s = view.NewSession(engine, net)
	note(c, "model: %s (%s)", from, s.Hash())
	noteOrigin(c, net)
	if images && unstated(c, net) {
		note(c, "no preprocessing known for this model; feeding raw pixels 0–255 (see --preprocess)")
	}
	return s, from, nil
}

// modelName is the network that the user names: --model, $VIZ_MODEL, ./ckpt.bin, or "".
func modelName(c *cli.Context) string {
	name := c.String("model")
	if name == "" {
		name = os.Getenv("VIZ_MODEL")
	}
	if name == "" && isFile("ckpt.bin") && !isDir("ckpt.bin") {
		name = "ckpt.bin"
	}
	return name
}

// nameFrom says where the name of a network that cannot be opened came from, if not from the command line.
func nameFrom(c *cli.Context, err error) error {
	p, ok := errors.AsType[*problem](err)
	if ok && p.code == 2 { // of another flag
		return err
	}
	from := ""
	switch {
	case c.String("model") != "":
		return err
	case os.Getenv("VIZ_MODEL") != "":
		from = "$VIZ_MODEL"
	case isFile("ckpt.bin") && !isDir("ckpt.bin"):
		from = "./ckpt.bin, as no --model is given"
	default:
		return err
	}
	named := fmt.Errorf("%s: %w", from, err)
	if ok {
		return hinted(named, p.hint)
	}
	return named
}

// cacheDir is where public data sets are kept.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "viz", "data")
}

// imageList opens images for a command: a hint says what to do about a data set that is not here.
func imageList(c *cli.Context, spec images.Spec) (*images.List, error) {
	step, end := progress(c, "reading "+spec.Data)
	defer end()
	list, err := images.Open(c.Context, spec, images.Options{CacheDir: cacheDir(), Progress: step, Stdin: os.Stdin})
	if _, ok := errors.AsType[*images.SplitError](err); ok {
		return nil, usageErr(err)
	}
	return list, dataHint(err, spec.Data)
}

// givenImages is what the command line says about images.
func givenImages(c *cli.Context) images.Spec {
	s := images.Spec{Paths: inputPaths(c), Data: c.String("data"), Limit: c.Int("limit"), Seed: c.Uint64("data-seed")}
	if c.IsSet("split") || c.String("split") != "test" { // another default than the usual is as good as asked for
		s.Split = c.String("split")
	}
	return s
}

// openData opens a data set by name, folder or file, both splits of it, to learn from: pictures that cannot be
// found are an error.
func openData(c *cli.Context, spec string) (*dataset.Data, error) {
	step, end := progress(c, "reading "+spec)
	defer end()
	data, err := dataset.Open(c.Context, spec, dataset.Options{CacheDir: cacheDir(), Seed: c.Uint64("data-seed"), Progress: step})
	if err != nil {
		return nil, dataHint(err, spec)
	}
	if skipped := data.Skipped.String(); skipped != "" {
		note(c, "%s", skipped)
	}
	for _, p := range data.Problems {
		err = errors.Join(err, p.Err)
	}
	return data, err
}

// openTraining opens a data set to learn from.
func openTraining(c *cli.Context, spec string, seed uint64) (*images.Data, error) {
	step, end := progress(c, "reading "+spec)
	defer end()
	data, err := images.OpenData(c.Context, images.Spec{Data: spec, Seed: seed}, images.Options{CacheDir: cacheDir(), Progress: step})
	if err != nil {
		return nil, dataHint(err, spec)
	}
	if data.Note != "" {
		note(c, "%s", data.Note)
	}
	end()
	return data, leftOut(c, data)
}

// leftOut names the pictures of a data set that cannot be used. The others are learnt from; that some are
// missing is an error at the end of the run, see unusable.
func leftOut(c *cli.Context, data *images.Data) error {
	f := &failures{c: c, total: len(data.Problems) + data.Train.Len() + data.Test.Len()}
	for _, p := range data.Problems {
		if err := f.add(p.Err); err != nil {
			return err
		}
	}
	before, _ := c.App.Metadata["unusable"].(error)
	c.App.Metadata["unusable"] = errors.Join(before, f.err())
	return nil
}

// unusable is an error if images of data sets that were learnt from could not be used.
func unusable(app *cli.App) error {
	err, _ := app.Metadata["unusable"].(error)
	return err
}

// dataHint says how to get a data set that is not here.
func dataHint(err error, spec string) error {
	if err != nil && slices.Contains(dataset.Public(), spec) && errors.Is(err, fs.ErrNotExist) {
		return hinted(err, "viz data get "+spec+" downloads it")
	}
	return err
}

// openSource finds the inputs a command works on: arguments and --images,
// --data, or the data set the network was trained on. If that is not here and
// the command needs no labels, the generated shapes stand in for it.
func openSource(c *cli.Context, net *model.Network, paths []string, labels bool) (*images.Inputs, error) {
	spec := givenImages(c)
	spec.Paths = paths
	if len(paths) > 0 && spec.Data != "" {
		return nil, usage("both images and --data are given", "use one of them")
	}
	recorded := len(paths) == 0 && spec.Data == ""
	if recorded {
		if spec.Data = net.Origin.Data; spec.Data == "" {
			return nil, usage("no images given, and the model does not record its data set", "name images as arguments, or use --data")
		}
	}
	in, err := openInputs(c, net, spec)
	if errors.Is(err, fs.ErrNotExist) && recorded && !labels && net.Input.C == 3 && spec.Data != "shapes" {
		note(c, "the data set it was trained on is not here (%s): using the generated shapes", spec.Data)
		spec.Data = "shapes"
		in, err = openInputs(c, net, spec)
	}
	return in, err
}

// openInputs opens images for a network.
func openInputs(c *cli.Context, net *model.Network, spec images.Spec) (*images.Inputs, error) {
	list, err := imageList(c, spec)
	if err != nil {
		return nil, err
	}
	if list.Data != "" {
		note(c, "images: %s (%d)", list.From, list.Len())
	}
	if list.Note != "" {
		note(c, "%s", list.Note)
	}
	return images.For(list, net)
}

// inputPaths are the images a command was given.
func inputPaths(c *cli.Context) []string {
	return append(c.Args().Slice(), c.StringSlice("images")...)
}

// provenance is what every picture carries in its text chunks.
func provenance(s *view.Session, more ...string) []imageio.Text {
	text := []imageio.Text{
		{Key: "Software", Value: "viz " + version()},
		{Key: "viz.command", Value: strings.Join(os.Args[1:], " ")},
		{Key: "viz.model", Value: s.Net.Name + " " + s.Hash()},
	}
	for i := 0; i+1 < len(more); i += 2 {
		text = append(text, imageio.Text{Key: "viz." + more[i], Value: more[i+1]})
	}
	return text
}
