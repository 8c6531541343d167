package main

import (
	"time"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func featuresCommand() cmdline.Command {
	s := &featureScan{}
	return cmdline.Command{
		Name: "features", Usage: "scan many images once for what every map of a layer responds to, and keep it as an index", Args: "[IMG...]",
		Form: "viz features [flags] [IMG...]\n   viz features merge [flags] INDEX...\n   viz features show [flags] [INDEX]",
		About: "Images are a folder, an archive, a data set by name, or files; without, those the network was\n" +
			"trained on. The index holds for every map the strongest images, with place and value, and\n" +
			"statistics; viz deconv --features draws from it. An interrupted scan resumes where it stopped:\n" +
			"run the same command again. Images that cannot be read are named, counted and left out, and are an error at the end; another run tries them again.",
		Examples: []string{"viz features --layers all --images photos/", "viz features --layers 1,2,3 --images cifar10 --out cifar10.idx",
			"viz features --predict --predict-images 1300000 --images photos/", "viz features --images photos/ --shard 1/4 --out part1.idx", "viz features merge --out all.idx part1.idx part2.idx part3.idx part4.idx"},
		Flags: cmdline.Model | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.To,
		Change: view.Fields{{Name: "images", Usage: "`DIR`, archive (.tar, .tar.gz), data set by name, or files"},
			{Name: "out", Default: cmdline.IndexName, Usage: "index `FILE`, written every 20 seconds and at the end"}},
		Fields: append(s.request.Fields(), append(s.prediction.Fields(), view.SwitchField(view.Field{Name: "restart", Usage: "begin anew, even if the index is there"}, &s.restart),
			view.SwitchField(view.Field{Name: "predict", Usage: "only say how long it would take here and on more machines, and how large the index would be"}, &s.onlyPredict),
			view.SwitchField(view.Field{Name: "fast", Usage: "the default", Hidden: true}, new(bool)))...),
		Commands: []cmdline.Command{mergeCommand(), showCommand()},
		Do:       s.do,
	}
}

// checkpointEvery is how often a scan is written to its file.
const checkpointEvery = 20 * time.Second

// featureScan is one run of viz features.
type featureScan struct {
	*cmdline.Run
	request view.Scan
	restart bool

	onlyPredict bool
	prediction  view.Prediction

	src   *images.Inputs
	from  features.Source
	bad   *cmdline.Failures
	saved time.Time
}

func (s *featureScan) do(c *cmdline.Run) error {
	if err := s.request.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	session, err := c.OpenSession(len(c.InputPaths()) > 0)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	s.Run, s.saved = c, time.Now()
	if s.src, s.from, err = c.OpenIndexed(session.Net, c.GivenSource()); err != nil {
		return err
	}
	if s.onlyPredict {
		return s.predict(session)
	}
	if err := c.OutFile(c.Out, "--out"); err != nil {
		return err
	}
	if err := s.request.Cut(s.src.Len()); err != nil {
		return cmdline.RequestErr(err)
	}
	if !s.restart {
		if s.request.Resume, err = c.IndexBefore(s.from, s.src); err != nil {
			return err
		}
	}
	if s.request.Resume != nil && s.request.Resume.Fast == 0 && !c.Given("exact") {
		s.request.Exact = true // as it was begun
	}
	if s.bad, err = c.NewFailures(s.src.List); err != nil {
		return err
	}
	return s.scan(session)
}

func (s *featureScan) save(x *features.Index) error {
	x.Source = s.from
	view.NameIndex(x, s.src)
	return cmdline.WriteIndex(s.Out, x)
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

func (s *featureScan) scan(session *view.Session) error {
	o := s.request.Options
	o.Readers, o.Hash = max(s.Workers, 2), session.Hash()
	step, end := s.Progress("scanning")
	o.Unreadable = s.bad.AddNew(o.Resume)
	o.Progress, o.Each = step, s.each
	start := time.Now()
	before := 0
	if o.Resume != nil {
		before = o.Resume.Scanned()
	}
	x, err := features.Collect(s.Context, session.Engine, session.Net, s.src, o)
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
		s.Note("%d images are done and kept in %s: rerun the same command to resume", x.Scanned(), s.Out)
		return err
	}
	if n := x.Scanned() - before; n > 0 {
		s.Note("%d images in %v, %.0f a second", n, time.Since(start).Round(time.Millisecond), float64(n)/time.Since(start).Seconds())
	}
	s.Wrote(s.Out)
	if err := showIndex(s.Run, s.Stderr, x, ""); err != nil {
		return err
	}
	if before := len(x.Skipped) - len(s.bad.Errs) + len(s.src.Problems); before > 0 {
		s.Note("%d images were left out before, too, because they could not be read: %s names them", before, s.Out)
	}
	return s.bad.Err()
}
