package main

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/urfave/cli/v2"
)

// loadModel finds the network a command works on: --model, $VIZ_MODEL,
// ./ckpt.bin, or a built-in one (cifar10 if the user brings images). from says
// which, for messages.
func loadModel(c *cli.Context, images bool) (net *model.Network, from string, err error) {
	name := c.String("model")
	if name == "" {
		name = os.Getenv("VIZ_MODEL")
	}
	if name == "" && isFile("ckpt.bin") && !isDir("ckpt.bin") {
		name = "ckpt.bin"
	}
	o, err := modelOptionsOf(c)
	if err != nil {
		return nil, "", err
	}
	from = name
	switch {
	case name == "" && images:
		from = "built-in cifar10"
		net, err = builtin.Load("cifar10")
	case name == "":
		from = "built-in shapes"
		net, err = builtin.Load("shapes")
	default:
		if isBuiltin(name) {
			from = "built-in " + name
		}
		net, err = openNetwork(name, o)
	}
	if err == nil && name == "" {
		net, err = o.apply(net)
	}
	if err != nil {
		return nil, "", err
	}
	note(c, "model: %s (%s)", from, hash(net))
	if images && unstated(c, net) {
		note(c, "the model does not say how pixels become its input: they go in as they are, 0..255 (see --preprocess)")
	}
	return net, from, nil
}

// hashes holds the hashes of the networks in use, for large ones take their time.
var hashes sync.Map // *model.Network to string

// hash is the hash of a network that does not change any more.
func hash(net *model.Network) string {
	if h, ok := hashes.Load(net); ok {
		return h.(string)
	}
	h := net.Hash()
	hashes.Store(net, h)
	return h
}

// isBuiltin reports whether a model's name means a built-in network: a file of
// that name goes before it, a folder does not.
func isBuiltin(name string) bool {
	return slices.Contains(builtin.Names(), name) && (!isFile(name) || isDir(name))
}

// openModel reads a checkpoint or an ONNX file, with what is known beside it, or
// gives a built-in network.
func openModel(name string) (*model.Network, error) { return openNetwork(name, modelOptions{}) }

// openPlain reads a checkpoint or gives a built-in network.
func openPlain(name string) (*model.Network, error) {
	if isBuiltin(name) {
		return builtin.Load(name)
	}
	return model.Load(name)
}

// missingModel says what to do about a network's file that cannot be read.
func missingModel(err error) error {
	return hinted(fmt.Errorf("model %w", err), "built in are "+strings.Join(builtin.Names(), ", ")+"; viz train makes a checkpoint")
}

// readHead returns the first bytes of a file.
func readHead(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	return head[:n], nil
}

// cacheDir is where public data sets are kept.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "viz", "data")
}

// openData opens a data set by name, folder or file.
func openData(c *cli.Context, spec string) (*dataset.Data, error) {
	step, end := progress(c, "reading "+spec)
	defer end()
	data, err := dataset.Open(c.Context, spec, dataset.Options{CacheDir: cacheDir(), Seed: c.Uint64("data-seed"), Progress: step})
	if err != nil && slices.Contains(dataset.Public(), spec) && errors.Is(err, fs.ErrNotExist) {
		return nil, hinted(err, "viz data get "+spec+" downloads it")
	}
	return data, err
}

// source is a list of network inputs, wherever they come from. It implements
// features.Images.
type source struct {
	from    string
	net     *model.Network
	names   []string
	stems   []string // short names, for files made from an image
	labels  []int    // -1: unknown
	classes []string
	load    func(i int) (*tensor.Tensor, error) // [1, C, H, W]
	object  func(i int) image.Rectangle         // nil: unknown
}

func (s *source) Len() int { return len(s.names) }

// title is how pictures call an image: a file without its folder, an item of a
// data set ("test/26") in full.
func title(name string) string {
	if filepath.Ext(name) == "" {
		return name
	}
	return filepath.Base(name)
}

func (s *source) Input(i int, dst []float32) error {
	x, err := s.load(i)
	if err == nil {
		copy(dst, x.Data)
	}
	return err
}

// openSource finds the inputs a command works on: arguments and --images,
// --data, or the data set the network was trained on. If that is not here and
// the command needs no labels, the generated shapes stand in for it.
func openSource(c *cli.Context, net *model.Network, paths []string, labels bool) (*source, error) {
	switch {
	case len(paths) > 0 && c.String("data") != "":
		return nil, usage("both images and --data are given", "use one of them")
	case len(paths) > 0:
		return imageSource(net, paths, c.Int("limit"))
	}
	spec := c.String("data")
	if spec == "" {
		if spec = net.Origin.Data; spec == "" {
			return nil, usage("no images given, and the model does not record its data set", "name images as arguments, or use --data")
		}
	}
	data, err := openData(c, spec)
	if errors.Is(err, fs.ErrNotExist) && c.String("data") == "" && !labels && net.Input.C == 3 && spec != "shapes" {
		note(c, "the data set it was trained on is not here (%s): using the generated shapes", spec)
		spec = "shapes"
		data, err = openData(c, spec)
	}
	if err != nil {
		return nil, err
	}
	return dataSource(c, net, data, spec)
}

func dataSource(c *cli.Context, net *model.Network, data *dataset.Data, spec string) (*source, error) {
	split := c.String("split")
	if split == "" {
		split = "test"
	}
	set, err := data.Split(split)
	if err != nil && !c.IsSet("split") && data.Train != nil {
		set, err = data.Train, nil
	}
	if err != nil {
		return nil, usageErr(err)
	}
	n := set.Len()
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if limit := c.Int("limit"); limit > 0 && limit < n {
		// Data sets are often sorted by class: a limited view takes a fixed random sample, in order.
		order = rand.New(rand.NewPCG(1, 2)).Perm(n)[:limit]
		slices.Sort(order)
	}
	s := &source{from: fmt.Sprintf("%s, %s split", spec, set.Split()), net: net, classes: set.Classes()}
	for _, i := range order {
		s.names = append(s.names, set.ItemName(i))
		s.stems = append(s.stems, fmt.Sprintf("%s-%d", set.Split(), i))
		s.labels = append(s.labels, set.Label(i))
	}
	s.load = func(i int) (*tensor.Tensor, error) {
		item, err := set.Item(order[i])
		if err != nil {
			return nil, err
		}
		return net.Preprocess.Tensor(item.Image, net.Input)
	}
	s.object = func(i int) image.Rectangle {
		item, err := set.Item(order[i])
		if err != nil || item.Image.Bounds().Dx() != net.Input.W || item.Image.Bounds().Dy() != net.Input.H {
			return image.Rectangle{}
		}
		return item.Object
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("%s: no images", s.from)
	}
	note(c, "images: %s (%d)", s.from, len(order))
	return s, nil
}

// imageSource takes image files, folders of them, and .npy arrays.
func imageSource(net *model.Network, paths []string, limit int) (*source, error) {
	s := &source{from: strings.Join(paths, " "), net: net}
	var loads []func() (*tensor.Tensor, error)
	for _, path := range paths {
		if strings.EqualFold(filepath.Ext(path), ".npy") {
			x, err := npyInput(path, net.Input)
			if err != nil {
				return nil, err
			}
			for i := range x.Shape[0] {
				name := filepath.Base(path)
				stem := strings.TrimSuffix(name, filepath.Ext(name))
				if x.Shape[0] > 1 {
					name = fmt.Sprintf("%s[%d]", name, i)
					stem = fmt.Sprintf("%s-%d", stem, i)
				}
				s.names, s.stems = append(s.names, name), append(s.stems, stem)
				loads = append(loads, func() (*tensor.Tensor, error) { return x.Slice(i, i+1), nil })
			}
			continue
		}
		files, err := imageio.List([]string{path})
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && !info.Mode().IsRegular() {
				return nil, fmt.Errorf("%s: is not a plain file", f) // reading a pipe could wait for ever
			}
			s.names = append(s.names, f)
			s.stems = append(s.stems, strings.TrimSuffix(filepath.Base(f), filepath.Ext(f)))
			loads = append(loads, func() (*tensor.Tensor, error) {
				img, err := imageio.Open(f)
				if err != nil {
					return nil, err
				}
				x, err := net.Preprocess.Tensor(img, net.Input)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", f, err)
				}
				return x, nil
			})
		}
	}
	if limit > 0 && limit < len(s.names) {
		s.names, s.stems, loads = s.names[:limit], s.stems[:limit], loads[:limit]
	}
	if len(s.names) == 0 {
		return nil, fmt.Errorf("%s: no images found", s.from)
	}
	s.labels = slices.Repeat([]int{-1}, len(s.names))
	// Images of one name from several folders.
	seen := map[string]bool{}
	for i, stem := range s.stems {
		for k := 2; seen[s.stems[i]]; k++ {
			s.stems[i] = fmt.Sprintf("%s-%d", stem, k)
		}
		seen[s.stems[i]] = true
	}
	s.load = func(i int) (*tensor.Tensor, error) { return loads[i]() }
	return s, nil
}

// npyInput reads an array [N, C, H, W] or [C, H, W] as the network's input as it is.
func npyInput(path string, in model.Input) (*tensor.Tensor, error) {
	a, err := npy.ReadFile(path)
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(a.Shape)
	if len(shape) == 3 {
		shape = append([]int{1}, shape...)
	}
	if len(shape) != 4 || shape[0] < 1 || !slices.Equal(shape[1:], []int{in.C, in.H, in.W}) {
		return nil, fmt.Errorf("%s: array is %v, want [N %d %d %d] or [%d %d %d]", path, a.Shape, in.C, in.H, in.W, in.C, in.H, in.W)
	}
	if a.Float32 == nil {
		return nil, fmt.Errorf("%s: array holds integers, want float32 in units of the network's input", path)
	}
	for i, v := range a.Float32 {
		if v-v != 0 { // NaN or infinite
			return nil, fmt.Errorf("%s: value %d is %g, want finite numbers", path, i, v)
		}
	}
	return tensor.From(a.Float32, shape...), nil
}

// inputPaths are the images a command was given.
func inputPaths(c *cli.Context) []string {
	return append(c.Args().Slice(), c.StringSlice("images")...)
}

// provenance is what every picture carries in its text chunks.
func provenance(c *cli.Context, net *model.Network, more ...string) []imageio.Text {
	text := []imageio.Text{
		{Key: "Software", Value: "viz " + version()},
		{Key: "viz.command", Value: strings.Join(os.Args[1:], " ")},
		{Key: "viz.model", Value: net.Name + " " + hash(net)},
	}
	for i := 0; i+1 < len(more); i += 2 {
		text = append(text, imageio.Text{Key: "viz." + more[i], Value: more[i+1]})
	}
	return text
}
