package cmdline

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
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/view"
)

// OpenSession finds the network a command works on, as findModel does, and makes an engine for it, which the caller
// closes.
func (c *Run) OpenSession(images bool) (*view.Session, error) {
	engine := model.NewEngine(c.Workers)
	s, _, err := c.FindModel(engine, images)
	if err == nil {
		err = c.Settle(s.Net)
	}
	if err != nil {
		engine.Close()
	}
	return s, err
}

// LoadModel is FindModel for commands that need no session, and reads the settings that depend on the network.
func (c *Run) LoadModel(images bool) (*model.Network, error) {
	s, _, err := c.FindModel(nil, images)
	if err == nil {
		err = c.Settle(s.Net)
	}
	if err != nil {
		return nil, err
	}
	return s.Net, nil
}

// FindModel finds the network a command works on: --model, $VIZ_MODEL,
// ./ckpt.bin, or a built-in one (cifar10 if the user brings images). from says
// which, for messages.
func (c *Run) FindModel(engine *model.Engine, images bool) (s *view.Session, from string, err error) {
	return c.FindNamed(c.ModelName(), engine, images)
}

// FindNamed is FindModel for a network that is named, or not: "".
func (c *Run) FindNamed(name string, engine *model.Engine, images bool) (s *view.Session, from string, err error) {
	o, err := c.ModelOptions()
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
	net, err := OpenNetwork(c.Context, name, o)
	if err != nil {
		return nil, "", c.nameFrom(err)
	}
	s = view.NewSession(engine, net)
	c.Note("model: %s (%s)", from, s.Hash())
	c.NoteOrigin(net)
	if images && c.Unstated(net) {
		c.Note("no preprocessing known for this model; feeding raw pixels 0–255 (see --preprocess)")
	}
	return s, from, nil
}

// ModelArgument takes the model, in a session without an engine, from the only argument or as every command does.
func (c *Run) ModelArgument() (*view.Session, error) {
	switch {
	case len(c.Args) > 1:
		return nil, Usage(fmt.Sprintf("one model at a time, got %d", len(c.Args)), "")
	case len(c.Args) == 1 && c.Model != "":
		return nil, Usage("both an argument and --model are given", "")
	case len(c.Args) == 1:
		o, err := c.ModelOptions()
		if err != nil {
			return nil, err
		}
		o.Like = ""
		net, err := OpenNetwork(c.Context, c.Args[0], o)
		if err != nil {
			return nil, err
		}
		c.NoteOrigin(net)
		return view.NewSession(nil, net), nil
	}
	s, _, err := c.FindModel(nil, false)
	return s, err
}

// ModelName is the network that the user names: --model, $VIZ_MODEL, ./ckpt.bin, or "".
func (c *Run) ModelName() string { return elseModel(c.Model) }

// NetworkFirst takes the first argument for the network if it has the name of one, as in "net.onnx photo.jpg", and
// --model does not name another.
func (c *Run) NetworkFirst() {
	if len(c.Args) > 0 && c.Model == "" && slices.Contains([]string{".onnx", ".bin", ".safetensors"}, strings.ToLower(filepath.Ext(c.Args[0]))) {
		c.Model, c.Args = c.Args[0], c.Args[1:]
	}
}

// elseModel is a name, or what stands for it if it is "".
func elseModel(name string) string {
	if name == "" {
		name = os.Getenv("VIZ_MODEL")
	}
	if name == "" && IsFile("ckpt.bin") && !IsDir("ckpt.bin") {
		name = "ckpt.bin"
	}
	return name
}

// ModelNames is ModelName for a command that may name several; of a built-in network that is not named it is the name.
func ModelNames(names []string, images bool) []string {
	if len(names) > 0 {
		return names
	}
	switch name := elseModel(""); {
	case name != "":
		return []string{name}
	case images:
		return []string{"cifar10"}
	}
	return []string{"shapes"}
}

// NetworkArguments are the flags about a network, beside its name, that the command was given.
func (c *Run) NetworkArguments() (out []string) {
	for _, f := range c.networkFields() {
		text, given := c.given(f.Name)
		for line := range strings.SplitSeq(text, "\n") {
			if given {
				out = append(out, "--"+f.Name, line)
			}
		}
	}
	return out
}

// ImageArguments are the arguments that name a list of images again.
func ImageArguments(s images.Spec) (out []string) {
	if s.Data == "" {
		return s.Paths
	}
	out = []string{"--data", s.Data}
	if s.Split != "" {
		out = append(out, "--split", s.Split)
	}
	if s.Limit > 0 {
		out = append(out, "--limit", fmt.Sprint(s.Limit))
	}
	if s.Seed != 1 {
		out = append(out, "--data-seed", fmt.Sprint(s.Seed))
	}
	return out
}

// nameFrom says where the name of a network that cannot be opened came from, if not from the command line.
func (c *Run) nameFrom(err error) error {
	p, ok := errors.AsType[*Problem](err)
	if ok && p.Code == 2 { // of another flag
		return err
	}
	from := ""
	switch {
	case c.Model != "":
		return err
	case os.Getenv("VIZ_MODEL") != "":
		from = "$VIZ_MODEL"
	case IsFile("ckpt.bin") && !IsDir("ckpt.bin"):
		from = "./ckpt.bin, as no --model is given"
	default:
		return err
	}
	named := fmt.Errorf("%s: %w", from, err)
	if ok {
		return Hinted(named, p.Hint)
	}
	return named
}

// CacheDir is where public data sets are kept, "" if the user has no folder for it. Others may put anything into the
// folder for temporary files.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "viz", "data")
}

// imageList opens images for a command: a hint says what to do about a data set that is not here.
func (c *Run) imageList(spec images.Spec) (*images.List, error) {
	step, end := c.Progress("reading " + spec.Data)
	defer end()
	list, err := images.Open(c.Context, spec, images.Options{CacheDir: CacheDir(), Progress: step, Stdin: os.Stdin, Memory: c.spare})
	if m, ok := errors.AsType[*images.MemoryError](err); ok {
		return nil, c.tooLittle(c.Memory-c.spare+m.Need, m.Error())
	}
	if _, ok := errors.AsType[*images.SplitError](err); ok {
		return nil, UsageErr(err)
	}
	return list, dataHint(err, spec.Data)
}

// GivenImages is what the command line says about images.
func (c *Run) GivenImages() images.Spec {
	s := images.Spec{Paths: c.InputPaths(), Data: c.Data, Limit: c.Limit, Seed: c.DataSeed}
	if c.Given("split") || c.Split != "test" { // another default than the usual is as good as asked for
		s.Split = c.Split
	}
	return s
}

// OpenData opens a data set by name, folder or file, both splits of it, to learn from: pictures that cannot be
// found are an error.
func (c *Run) OpenData(spec string) (*dataset.Data, error) {
	step, end := c.Progress("reading " + spec)
	defer end()
	data, err := dataset.Open(c.Context, spec, dataset.Options{CacheDir: CacheDir(), Seed: c.DataSeed, Progress: step})
	if err != nil {
		return nil, dataHint(err, spec)
	}
	if skipped := data.Skipped.String(); skipped != "" {
		c.Note("%s", skipped)
	}
	for _, p := range data.Problems {
		err = errors.Join(err, p.Err)
	}
	return data, err
}

// OpenTraining opens a data set to learn from.
func (c *Run) OpenTraining(spec string, seed uint64) (*images.Data, error) {
	step, end := c.Progress("reading " + spec)
	defer end()
	data, err := images.OpenData(c.Context, images.Spec{Data: spec, Seed: seed}, images.Options{CacheDir: CacheDir(), Progress: step})
	if err != nil {
		return nil, dataHint(err, spec)
	}
	if data.Note != "" {
		c.Note("%s", data.Note)
	}
	end()
	return data, c.leftOut(data)
}

// leftOut names the pictures of a data set that cannot be used. The others are learnt from; that some are
// missing is an error at the end of the run, see unusable.
func (c *Run) leftOut(data *images.Data) error {
	f := &Failures{c: c, total: len(data.Problems) + data.Train.Len() + data.Test.Len()}
	for _, p := range data.Problems {
		if err := f.Add(p.Err); err != nil {
			return err
		}
	}
	c.ends.unusable = errors.Join(c.ends.unusable, f.Err())
	return nil
}

// dataHint says how to get a data set that is not here.
func dataHint(err error, spec string) error {
	if err != nil && slices.Contains(dataset.Public(), spec) && errors.Is(err, fs.ErrNotExist) {
		return Hinted(err, "viz data get "+spec+" downloads it")
	}
	return err
}

// OpenSource finds the inputs a command works on: arguments and --images,
// --data, or the data set the network was trained on. If that is not here and
// the command needs no labels, the generated shapes stand in for it.
func (c *Run) OpenSource(net *model.Network, paths []string, labels bool) (*images.Inputs, error) {
	spec := c.GivenImages()
	spec.Paths = paths
	if len(paths) > 0 && spec.Data != "" {
		return nil, Usage("both images and --data are given", "use one of them")
	}
	recorded := len(paths) == 0 && spec.Data == ""
	if recorded {
		if spec.Data = net.Origin.Data; spec.Data == "" {
			return nil, Usage("no images given, and the model does not record its data set", "name images as arguments, or use --data")
		}
	}
	in, err := c.OpenInputs(net, spec)
	if errors.Is(err, fs.ErrNotExist) && recorded && !labels && net.Input.C == 3 && spec.Data != "shapes" {
		c.Note("the data set it was trained on is not here (%s): using the generated shapes", spec.Data)
		spec.Data = "shapes"
		in, err = c.OpenInputs(net, spec)
	}
	return in, err
}

// OpenInputs opens images for a network.
func (c *Run) OpenInputs(net *model.Network, spec images.Spec) (*images.Inputs, error) {
	list, err := c.imageList(spec)
	if err != nil {
		return nil, err
	}
	if list.Data != "" {
		c.Note("images: %s (%d)", list.From, list.Len())
	}
	if list.Note != "" {
		c.Note("%s", list.Note)
	}
	if i := c.Index; c.Given("index") {
		if i >= list.Len() { // a negative one was refused before
			return nil, Usage(fmt.Sprintf("--index %d: there are %d images, counted from 0", i, list.Len()), "")
		}
		list = list.Subset([]int{i})
		list.Problems = nil
	}
	return images.For(list, net)
}

// InputPaths are the images a command was given.
func (c *Run) InputPaths() []string {
	return append(c.Args, c.Images...)
}

// IsFile reports whether there is something of a name.
func IsFile(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// SameFile reports whether two names are of one file.
func SameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return a == b || errA == nil && errB == nil && os.SameFile(x, y)
}
