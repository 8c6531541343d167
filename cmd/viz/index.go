package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

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

// openFeatures finds the images to draw from and, if there is one, an index of
// them: --features, or features.idx if it fits. A nil index means to scan.
func openFeatures(c *cli.Context, s *view.Session, layers []string, paths []string) (*features.Index, *images.Inputs, error) {
	path, asked := c.String("features"), c.IsSet("features")
	if !asked && (len(paths) > 0 || c.IsSet("data") || c.IsSet("limit") || c.IsSet("split") || c.String("unit") != "" || !isFile(indexName)) {
		src, err := openSource(c, s.Net, paths, false)
		return nil, src, err
	}
	if !asked {
		path = indexName
	}
	index, src, err := useIndex(c, s, layers, path)
	switch {
	case err == nil:
		note(c, "index: %s (%d of %d images)", path, index.Scanned(), index.Images)
		return index, src, nil
	case asked:
		return nil, nil, err
	}
	note(c, "%s is not used: %v", path, err)
	src, err = openSource(c, s.Net, paths, false)
	return nil, src, err
}

// useIndex reads an index and opens its images, if it serves.
func useIndex(c *cli.Context, s *view.Session, layers []string, path string) (*features.Index, *images.Inputs, error) {
	index, err := readIndex(path)
	if err != nil {
		return nil, nil, err
	}
	shapes, err := s.Net.Shapes()
	if err != nil {
		return nil, nil, err
	}
	if err := index.Serves(s.Hash(), shapes, layers, c.Int("top")); err != nil {
		return nil, nil, indexHint(path, err)
	}
	src, from, err := openImages(c, s.Net, indexSource(c, index.Source))
	if err != nil {
		return nil, nil, err
	}
	if err := index.IsOf(src.Len(), from.Names); err != nil {
		return nil, nil, indexHint(path, err)
	}
	index.Keep(c.Int("top"))
	return index, src, nil
}

// indexHint says which index does not serve, and what to do about it.
func indexHint(path string, err error) error {
	if e, ok := errors.AsType[*features.Mismatch](err); ok {
		err = fmt.Errorf("%s %s", path, e.Problem)
	}
	return hinted(err, "viz features makes a new one")
}

// indexSource is the images of an index, or what the command line says of them.
func indexSource(c *cli.Context, from features.Source) features.Source {
	if given := givenSource(c); len(given.Images) > 0 || given.Data != "" {
		from = given
	}
	if c.IsSet("limit") {
		from.Limit = c.Int("limit")
	}
	if c.IsSet("split") {
		from.Split = c.String("split")
	}
	if c.IsSet("data-seed") {
		from.Seed = c.Uint64("data-seed")
	}
	return from
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

// showIndex prints a summary of an index, with the maps of one layer if named.
func showIndex(c *cli.Context, x *features.Index, layer string) error {
	sum, err := view.SummarizeIndex(x, layer)
	if err != nil {
		return requestErr(err)
	}
	if c.Bool("json") {
		return printJSON(c, sum)
	}
	var w io.Writer = c.App.Writer
	if c.Command.Name != "show" {
		if c.Bool("quiet") && layer == "" {
			return nil
		}
		w = c.App.ErrWriter
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if chosen := sum.Chosen(); chosen != nil {
		fmt.Fprintf(w, "%s: %d maps, %d never fire\n", chosen.Name, chosen.Maps, chosen.Dead)
		fmt.Fprintln(t, "map\tmean\tstd\tstrongest\timages that fire\tpositions that fire\t")
		for _, m := range chosen.Map {
			fmt.Fprintf(t, "%d\t%.4g\t%.4g\t%.4g\t%.1f %%\t%.2f %%\t\n", m.Map, m.Mean, m.Std, m.Max, 100*m.Fired, 100*m.Positions)
		}
		return t.Flush()
	}
	fmt.Fprintf(w, "model %s, %d of %d images scanned, %d left out, the %d strongest of each map\n", x.Model, sum.Scanned, sum.Images, sum.Skipped, x.TopK)
	fmt.Fprintln(t, "layer\tmaps\tnever fire\timages that fire\tpositions that fire\t")
	for _, l := range sum.Layers {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.1f %%\t%.1f %%\t\n", l.Name, l.Maps, l.Dead, 100*l.Fired, 100*l.Positions)
	}
	return t.Flush()
}
