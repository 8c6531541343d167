package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// indexName is where an index goes and is looked for if nothing else is said.
const indexName = "features.idx"

func featuresCommand() *cli.Command {
	return &cli.Command{
		Name: "features", Usage: "scan many images once for what every map of a layer responds to, and keep it as an index",
		UsageText: "viz features [flags] [IMG...]\n   viz features merge [flags] INDEX...\n   viz features show [flags] [INDEX]",
		Description: "Images are a folder, an archive, a data set by name, or files; without, those the network was\n" +
			"trained on. The index holds for every map the strongest images, with place and value, and\n" +
			"statistics; viz deconv --features draws from it. A scan that was stopped goes on where it was:\n" +
			"run the same command again. Images that cannot be read are named, counted and left out.\n\n" +
			examples("viz features --layers all --images photos/", "viz features --layers 1,2,3 --images cifar10 --out cifar10.idx",
				"viz features --images photos/ --shard 1/4 --out part1.idx", "viz features merge --out all.idx part1.idx part2.idx part3.idx part4.idx"),
		Flags: []cli.Flag{modelFlag, quietFlag, workersFlag, dataFlag, splitFlag, limitFlag, seedFlag, jsonFlag,
			&cli.StringSliceFlag{Name: "images", Usage: "`DIR`, archive (.tar, .tar.gz), data set by name, or files"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: indexName, Usage: "index `FILE`, written every 20 seconds and at the end"},
			&cli.StringFlag{Name: "layers", Aliases: []string{"layer", "l"}, Value: "all", Usage: "`LAYERS` by number or name, comma-separated, or all: every convolution layer"},
			&cli.IntFlag{Name: "top", Value: 9, Usage: "strongest images to keep for each map"},
			&cli.StringFlag{Name: "shard", Usage: "scan only part `I/N` of the images, such as 2/4"},
			&cli.IntFlag{Name: "batch", Usage: "images in a forward pass, 0: as memory allows; changes no result, unless --fast"},
			&cli.BoolFlag{Name: "fast", Usage: "Winograd's algorithm: up to twice as fast, activations exact to 1e-4 instead of 1e-6; parts must have one --batch"},
			&cli.BoolFlag{Name: "restart", Usage: "begin anew, even if the index is there"}},
		Action: featuresScan,
		Subcommands: []*cli.Command{
			{Name: "merge", Usage: "combine the indexes of parts", UsageText: "viz features merge [flags] INDEX...",
				Description: examples("viz features merge --out all.idx part1.idx part2.idx"),
				Flags:       []cli.Flag{quietFlag, jsonFlag, &cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: indexName, Usage: "index `FILE`"}}, Action: featuresMerge},
			{Name: "show", Usage: "print what an index holds", UsageText: "viz features show [flags] [INDEX]",
				Description: examples("viz features show", "viz features show --layer 2 all.idx"),
				Flags: []cli.Flag{quietFlag, jsonFlag,
					&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "list the maps of `LAYER`, by name or by place in the index"}}, Action: featuresShow},
		},
	}
}

// convLayers resolves a list of layers; all means every convolution layer.
func convLayers(net *model.Network, list string) ([]string, error) {
	layers, err := net.ResolveLayers(list)
	if err != nil {
		return nil, usageErr(err)
	}
	return layers, nil
}

// openImages opens the images of an index. from describes them, and is returned with the hash of their names.
func openImages(c *cli.Context, net *model.Network, from features.Source) (*images.Inputs, features.Source, error) {
	if len(from.Images) > 0 && from.Data != "" {
		return nil, from, usage("both images and --data are given", "use one of them")
	}
	if len(from.Images) == 0 && from.Data == "" {
		if from.Data = net.Origin.Data; from.Data == "" {
			return nil, from, usage("no images given, and the model does not record its data set", "use --images")
		}
	}
	src, err := openInputs(c, net, images.Spec{Paths: from.Images, Data: from.Data, Split: from.Split, Limit: from.Limit, Seed: max(from.Seed, 1), ByClass: true})
	if err != nil {
		return nil, from, err
	}
	if src.Data != "" && len(from.Images) == 1 && !isDir(from.Images[0]) {
		from.Images, from.Data = nil, src.Data // an archive, or a data set by name
	}
	from.Names = src.Hash()
	return src, from, nil
}

// givenSource is what the command line says about images.
func givenSource(c *cli.Context) features.Source {
	s := features.Source{Images: inputPaths(c), Data: c.String("data"), Limit: c.Int("limit")}
	if c.IsSet("split") {
		s.Split = c.String("split")
	}
	if seed := c.Uint64("data-seed"); seed != 1 {
		s.Seed = seed
	}
	return s
}

// parseShard reads "2/4" as the second quarter of n images.
func parseShard(s string, n int) (from, to int, err error) {
	a, b, ok := strings.Cut(s, "/")
	i, err1 := strconv.Atoi(a)
	of, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || i < 1 || i > of || of > 1<<20 {
		return 0, 0, usage(fmt.Sprintf("--shard %s: want I/N with I from 1 to N, such as 2/4", s), "")
	}
	return n * (i - 1) / of, n * i / of, nil
}

// readIndex reads an index file.
func readIndex(path string) (*features.Index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := features.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return x, nil
}

func writeIndex(path string, x *features.Index) error { return imageio.WriteFile(path, x.Write) }

// checkpointEvery is how often a scan is written to its file.
const checkpointEvery = 20 * time.Second

func featuresScan(c *cli.Context) error {
	if top := c.Int("top"); top < 1 || top > 400 {
		return usage(fmt.Sprintf("--top %d: want 1 to 400", top), "")
	}
	if shard := c.String("shard"); shard != "" {
		if _, _, err := parseShard(shard, 0); err != nil {
			return err
		}
	}
	net, _, err := loadModel(c, len(inputPaths(c)) > 0)
	if err != nil {
		return err
	}
	layers, err := convLayers(net, c.String("layers"))
	if err != nil {
		return err
	}
	src, from, err := openImages(c, net, givenSource(c))
	if err != nil {
		return err
	}
	path := c.String("out")
	if err := outFile(c, path, "--out"); err != nil {
		return err
	}
	o := features.Options{Layers: layers, Top: c.Int("top"), Batch: c.Int("batch"), Readers: max(c.Int("workers"), 2), Fast: c.Bool("fast"), Hash: hash(net)}
	if shard := c.String("shard"); shard != "" {
		if o.From, o.To, err = parseShard(shard, src.Len()); err != nil {
			return err
		}
		if o.From == o.To {
			return usage(fmt.Sprintf("--shard %s is empty: there are %d images", shard, src.Len()), "")
		}
	}
	if !c.Bool("restart") {
		old, err := readIndex(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return hinted(err, "--restart begins anew")
		case old.Source.Names != from.Names:
			return hinted(fmt.Errorf("%s is an index of other images", path), "--restart begins anew; --out names another file")
		default:
			o.Resume = old
			if old.Scanned() > 0 {
				note(c, "resuming %s: %d of %d images are done", path, old.Scanned(), old.Images)
			}
		}
	}
	bad, err := newFailures(c, src.List)
	if err != nil {
		return err
	}
	o.Unreadable = func(_ int, err error) error { return bad.add(err) }
	save := func(x *features.Index) error {
		x.Source = from
		x.SetNames(func(i int) (string, string) {
			label := ""
			if l := src.Items[i].Label; l >= 0 && l < len(src.Classes) {
				label = src.Classes[l]
			}
			return src.Items[i].Name, label
		})
		return writeIndex(path, x)
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	step, end := progress(c, "scanning")
	o.Progress = step
	last := time.Now()
	o.Each = func(x *features.Index) error {
		if time.Since(last) < checkpointEvery {
			return nil
		}
		err := save(x)
		last = time.Now()
		return err
	}
	start := time.Now()
	before := 0
	if o.Resume != nil {
		before = o.Resume.Scanned()
	}
	x, err := features.Collect(c.Context, engine, net, src, o)
	end()
	if x == nil {
		if o.Resume != nil {
			return hinted(err, "--restart begins anew; --out names another file")
		}
		return err
	}
	if err != nil { // interrupted
		if n := x.Scanned(); n > 0 {
			if err := save(x); err != nil {
				return err
			}
			note(c, "%d images are done and kept in %s: the same command goes on from there", n, path)
		}
		return err
	}
	if err := save(x); err != nil {
		return err
	}
	if n := x.Scanned() - before; n > 0 {
		note(c, "%d images in %v, %.0f a second", n, time.Since(start).Round(time.Millisecond), float64(n)/time.Since(start).Seconds())
	}
	wrote(c, path)
	if err := showIndex(c, x, ""); err != nil {
		return err
	}
	if before := len(x.Skipped) - len(bad.errs) + len(src.Problems); before > 0 {
		note(c, "%d images were left out before, because they could not be read: %s names them", before, path)
	}
	return bad.err()
}

func featuresMerge(c *cli.Context) error {
	if c.NArg() == 0 {
		return usage("no index given", "viz features merge --out all.idx part1.idx part2.idx")
	}
	path := c.String("out")
	if err := outFile(c, path, "--out"); err != nil {
		return err
	}
	var parts []*features.Index
	for _, name := range c.Args().Slice() {
		x, err := readIndex(name)
		if err != nil {
			return err
		}
		parts = append(parts, x)
	}
	x, err := features.Merge(parts...)
	if err != nil {
		return err
	}
	if err := writeIndex(path, x); err != nil {
		return err
	}
	if !x.Complete() {
		note(c, "%d of %d images are in these parts", x.Scanned(), x.Images)
	}
	wrote(c, path)
	return showIndex(c, x, "")
}

func featuresShow(c *cli.Context) error {
	if c.NArg() > 1 {
		return usage("viz features show takes one index", "")
	}
	path := c.Args().First()
	if path == "" {
		path = indexName
	}
	x, err := readIndex(path)
	if err != nil {
		return err
	}
	return showIndex(c, x, c.String("layer"))
}

// indexSummary is what features prints about an index.
type indexSummary struct {
	Model    string         `json:"model"`
	Images   int            `json:"images"`
	Scanned  int            `json:"scanned"`
	Skipped  int            `json:"skipped"`
	Complete bool           `json:"complete"`
	Layers   []layerSummary `json:"layers"`
}

type layerSummary struct {
	Name string            `json:"name"`
	Maps int               `json:"maps"`
	Dead int               `json:"dead"`
	Map  []view.MapSummary `json:"map,omitempty"`
}

// showIndex prints a summary of an index, with the maps of one layer if named.
func showIndex(c *cli.Context, x *features.Index, layer string) error {
	sum := indexSummary{Model: x.Model, Images: x.Images, Scanned: x.Scanned(), Skipped: len(x.Skipped), Complete: x.Complete(), Layers: []layerSummary{}}
	var chosen *layerSummary
	var names []string
	for i := range x.Layers {
		l := &x.Layers[i]
		maps := view.Summarize(l)
		s := layerSummary{Name: l.Name, Maps: len(maps)}
		for _, m := range maps {
			if m.Dead {
				s.Dead++
			}
		}
		names = append(names, l.Name)
		if layer == l.Name || layer == strconv.Itoa(i+1) {
			s.Map = maps
		}
		sum.Layers = append(sum.Layers, s)
		if s.Map != nil {
			chosen = &sum.Layers[i]
		}
	}
	if layer != "" && chosen == nil {
		return usage("the index has no layer "+layer, "it has "+strings.Join(names, ", "))
	}
	if c.Bool("json") {
		return printJSON(c, sum)
	}
	if c.Bool("quiet") && layer == "" && c.Command.Name != "show" {
		return nil
	}
	var w io.Writer = c.App.Writer
	if c.Command.Name != "show" {
		w = c.App.ErrWriter
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if chosen != nil {
		fmt.Fprintf(w, "%s: %d maps, %d never fire\n", chosen.Name, chosen.Maps, chosen.Dead)
		fmt.Fprintln(t, "map\tmean\tdeviation\tstrongest\timages that fire\tpositions that fire\t")
		for _, m := range chosen.Map {
			fmt.Fprintf(t, "%d\t%.4g\t%.4g\t%.4g\t%.1f %%\t%.2f %%\t\n", m.Map, m.Mean, m.Std, m.Max, 100*m.Fired, 100*m.Positions)
		}
		return t.Flush()
	}
	fmt.Fprintf(w, "model %s, %d of %d images scanned, %d left out, the %d strongest of each map\n", x.Model, sum.Scanned, sum.Images, sum.Skipped, x.TopK)
	fmt.Fprintln(t, "layer\tmaps\tnever fire\timages that fire\tpositions that fire\t")
	for i, l := range sum.Layers {
		fired, positions := 0.0, 0.0
		for _, m := range view.Summarize(&x.Layers[i]) {
			fired += m.Fired / float64(l.Maps)
			positions += m.Positions / float64(l.Maps)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%.1f %%\t%.1f %%\t\n", l.Name, l.Maps, l.Dead, 100*fired, 100*positions)
	}
	return t.Flush()
}
