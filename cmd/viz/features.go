package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/urfave/cli/v2"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/view"
)

func featuresCommand() *cli.Command {
	return &cli.Command{
		Name: "features", Usage: "scan many images once for what every map of a layer responds to, and keep it as an index",
		UsageText: "viz features [flags] [IMG...]\n   viz features merge [flags] INDEX...\n   viz features show [flags] [INDEX]",
		Description: "Images are a folder, an archive, a data set by name, or files; without, those the network was\n" +
			"trained on. The index holds for every map the strongest images, with place and value, and\n" +
			"statistics; viz deconv --features draws from it. An interrupted scan resumes where it stopped:\n" +
			"run the same command again. Images that cannot be read are named, counted and left out.\n\n" +
			cmdline.Examples("viz features --layers all --images photos/", "viz features --layers 1,2,3 --images cifar10 --out cifar10.idx",
				"viz features --images photos/ --shard 1/4 --out part1.idx", "viz features merge --out all.idx part1.idx part2.idx part3.idx part4.idx"),
		Flags: []cli.Flag{cmdline.ModelFlag, cmdline.QuietFlag, cmdline.WorkersFlag, cmdline.DataFlag, cmdline.SplitFlag, cmdline.LimitFlag, cmdline.SeedFlag, cmdline.JSONFlag,
			&cli.StringSliceFlag{Name: "images", Usage: "`DIR`, archive (.tar, .tar.gz), data set by name, or files"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: cmdline.IndexName, Usage: "index `FILE`, written every 20 seconds and at the end"},
			&cli.StringFlag{Name: "layers", Aliases: []string{"layer", "l"}, Value: "all", Usage: "`LAYERS` by number or name, comma-separated, or all: every convolution layer"},
			&cli.IntFlag{Name: "top", Value: 9, Usage: "strongest images to keep for each map"},
			&cli.StringFlag{Name: "shard", Usage: "scan only part `I/N` of the images, such as 2/4"},
			&cli.IntFlag{Name: "batch", Usage: "images in a forward pass, 0: as memory allows; changes no result"},
			&cli.BoolFlag{Name: "exact", Usage: "sum convolutions directly: activations exact to 1e-6 instead of 1e-4, up to twice as slow"},
			&cli.BoolFlag{Name: "fast", Usage: "the default", Hidden: true},
			&cli.BoolFlag{Name: "restart", Usage: "begin anew, even if the index is there"}},
		Action: cmdline.Action(featuresScan),
		Subcommands: []*cli.Command{
			{Name: "merge", Usage: "combine the indexes of parts", UsageText: "viz features merge [flags] INDEX...",
				Description: cmdline.Examples("viz features merge --out all.idx part1.idx part2.idx"),
				Flags:       []cli.Flag{cmdline.QuietFlag, cmdline.JSONFlag, &cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: cmdline.IndexName, Usage: "index `FILE`"}}, Action: cmdline.Action(featuresMerge)},
			{Name: "show", Usage: "print what an index holds", UsageText: "viz features show [flags] [INDEX]",
				Description: cmdline.Examples("viz features show", "viz features show --layer 2 all.idx"),
				Flags: []cli.Flag{cmdline.QuietFlag, cmdline.JSONFlag,
					&cli.StringFlag{Name: "layer", Aliases: []string{"l"}, Usage: "list the maps of `LAYER`, by name or by place in the index"}}, Action: cmdline.Action(featuresShow)},
		},
	}
}

// checkpointEvery is how often a scan is written to its file.
const checkpointEvery = 20 * time.Second

// featureRequest reads what flags say about a scan.
func featureRequest(c *cmdline.Run, s *view.Session) (o features.Options, err error) {
	o = features.Options{Top: c.Int("top"), Batch: c.Int("batch"), Readers: max(c.Int("workers"), 2), Exact: c.Bool("exact"), Hash: s.Hash()}
	o.Layers, err = cmdline.ConvLayers(s.Net, c.String("layers"))
	return o, err
}

// featureScan is one run of viz features.
type featureScan struct {
	c     *cmdline.Run
	path  string
	src   *images.Inputs
	from  features.Source
	bad   *cmdline.Failures
	saved time.Time
}

func featuresScan(c *cmdline.Run) error {
	if top := c.Int("top"); top < 1 || top > 400 {
		return cmdline.Usage(fmt.Sprintf("--top %d: want 1 to 400", top), "")
	}
	if shard := c.String("shard"); shard != "" {
		if _, _, err := view.ParseShard(shard, 0); err != nil {
			return cmdline.RequestErr(err)
		}
	}
	session, err := c.OpenSession(len(c.InputPaths()) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	o, err := featureRequest(c, session)
	if err != nil {
		return err
	}
	s := &featureScan{c: c, path: c.String("out"), saved: time.Now()}
	if s.src, s.from, err = c.OpenIndexed(session.Net, c.GivenSource()); err != nil {
		return err
	}
	if err := c.OutFile(s.path, "--out"); err != nil {
		return err
	}
	if shard := c.String("shard"); shard != "" {
		if o.From, o.To, err = view.ParseShard(shard, s.src.Len()); err != nil {
			return cmdline.RequestErr(err)
		}
		if o.From == o.To {
			return cmdline.Usage(fmt.Sprintf("--shard %s is empty: there are %d images", shard, s.src.Len()), "")
		}
	}
	if o.Resume, err = s.before(); err != nil {
		return err
	}
	if o.Resume != nil && o.Resume.Fast == 0 && !c.IsSet("exact") {
		o.Exact = true // as it was begun
	}
	if s.bad, err = c.NewFailures(s.src.List); err != nil {
		return err
	}
	return s.run(session, o)
}

// before is the index that is there already, nil if there is none or it is to be made anew.
func (s *featureScan) before() (*features.Index, error) {
	if s.c.Bool("restart") {
		return nil, nil
	}
	old, err := cmdline.ReadIndex(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, cmdline.Hinted(err, "--restart begins anew")
	case old.Source.Names != s.from.Names:
		return nil, cmdline.Hinted(fmt.Errorf("%s is an index of other images", s.path), "--restart begins anew; --out names another file")
	}
	if old.Scanned() > 0 {
		s.c.Note("resuming %s: %d of %d images are done", s.path, old.Scanned(), old.Images)
	}
	return old, nil
}

func (s *featureScan) save(x *features.Index) error {
	x.Source = s.from
	view.NameIndex(x, s.src)
	return cmdline.WriteIndex(s.path, x)
}

// each saves the index now and then.
func (s *featureScan) each(x *features.Index) error {
	if time.Since(s.saved) < checkpointEvery {
		return nil
	}
	err := s.save(x)
	s.saved = time.Now()
	return err
}

func (s *featureScan) run(session *view.Session, o features.Options) error {
	c := s.c
	step, end := c.Progress("scanning")
	o.Unreadable = func(_ int, err error) error { return s.bad.Add(err) }
	o.Progress, o.Each = step, s.each
	start := time.Now()
	before := 0
	if o.Resume != nil {
		before = o.Resume.Scanned()
	}
	x, err := features.Collect(c.Context, session.Engine, session.Net, s.src, o)
	end()
	switch {
	case x == nil && o.Resume != nil:
		return cmdline.Hinted(err, "--restart begins anew; --out names another file")
	case x == nil:
		return err
	case err != nil && x.Scanned() == 0:
		return err
	}
	if err := s.save(x); err != nil {
		return err
	}
	if err != nil { // interrupted
		c.Note("%d images are done and kept in %s: rerun the same command to resume", x.Scanned(), s.path)
		return err
	}
	if n := x.Scanned() - before; n > 0 {
		c.Note("%d images in %v, %.0f a second", n, time.Since(start).Round(time.Millisecond), float64(n)/time.Since(start).Seconds())
	}
	c.Wrote(s.path)
	if err := showIndex(c, x, ""); err != nil {
		return err
	}
	if before := len(x.Skipped) - len(s.bad.Errs) + len(s.src.Problems); before > 0 {
		c.Note("%d images were left out before, because they could not be read: %s names them", before, s.path)
	}
	return s.bad.Err()
}
