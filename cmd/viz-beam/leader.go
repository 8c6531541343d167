package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/job"
	"github.com/deconvnet/viz/cmd/viz-beam/internal/pipeline"
	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

// leader starts a job and waits for it.
type leader struct {
	kind    job.Kind
	options pipeline.Options
	work    string
	list    string
	unit    int
	keep    bool
	request view.Fields // of the viz command of this name
	// claim refuses to write over what is something else, before work is done; nil: the end does.
	claim func(*cmdline.Run, *view.Session, *job.Job) error
}

// fields are what can be said about how a job is run.
func (l *leader) fields() view.Fields {
	l.options.Runner = pipeline.Prism
	runner := view.FieldOf(view.Field{Name: "runner", Default: string(pipeline.Prism), Usage: "of Beam: prism (on this machine), flink, spark, dataflow, or portable: another with a job service"},
		&l.options.Runner, view.Plain(pipeline.ParseRunner), func(r pipeline.Runner) string { return string(r) })
	return view.Fields{
		runner,
		view.TextField(view.Field{Name: "endpoint", Usage: "`HOST:PORT` of the runner's job service; of prism, without, one in this process"}, &l.options.Endpoint),
		view.TextField(view.Field{Name: "environment", Usage: "how the runner starts workers: docker, process, external, or loopback: in this process"}, &l.options.Environment),
		view.TextField(view.Field{Name: "environment-config", Usage: "of it: a container image, a command, or the address of a pool"}, &l.options.Config),
		view.IntField(view.Field{Name: "processes", Usage: "with prism: do the work in `N` processes of their own on this machine"}, &l.options.Processes, 0),
		view.LinesField(view.Field{Name: "beam", Usage: "`FLAG` of Beam or its runner, such as --parallelism=64; may be repeated"}, &l.options.Beam),
		view.IntField(view.Field{Name: "attempts", Default: "3", Usage: "runs in a row that bring nothing new before the job is given up"}, &l.options.Attempts, 1),
		view.TextField(view.Field{Name: "work", Usage: "folder or URL that all workers see, for the parts; default: OUT.work"}, &l.work),
		view.TextField(view.Field{Name: "list", Usage: "pictures of a list, `FILE`, that viz-beam list made"}, &l.list),
		view.IntField(view.Field{Name: "unit", Otherwise: "about 1024, or 4 where a picture takes long", Usage: "pictures in a unit of work; changes no result"}, &l.unit, 1),
		view.SwitchField(view.Field{Name: "keep", Usage: "keep the parts in the work folder when all is done"}, &l.keep),
		view.SwitchField(view.Field{Name: "verbose", Usage: "show what the runner says"}, &l.options.Verbose),
	}
}

// settings are the given settings of the request, as text.
func (l *leader) settings(c *cmdline.Run) map[string]string {
	given := map[string]string{}
	for _, f := range l.request {
		for _, name := range f.Names() {
			if c.Given(name) {
				given[f.Name] = c.Text(name, "")
			}
		}
	}
	return given
}

// run runs the job on the pictures of the command line, and hands its end to use.
func (l *leader) run(c *cmdline.Run, check func(*view.Session) error, use func(*view.Session, *job.Lead) (*left, error)) error {
	out := c.Out
	if l.work == "" {
		if l.options.Runner != pipeline.Prism {
			return cmdline.Usage("--runner "+string(l.options.Runner)+" needs --work: a folder that all workers see", "--work s3://BUCKET/FOLDER")
		}
		l.work = out + ".work"
	}
	if l.options.Processes > 0 && l.options.Runner != pipeline.Prism {
		return cmdline.Usage("--processes goes with --runner prism", "other runners start their workers by themselves")
	}
	s, err := c.OpenSession(len(c.InputPaths()) > 0 || l.list != "")
	if err != nil {
		return err
	}
	defer s.Engine.Close()
	if err := check(s); err != nil {
		return cmdline.RequestErr(err)
	}
	j := job.Job{Kind: l.kind, Settings: l.settings(c), Unit: l.unit, ByNumber: c.ByNumber}
	list, err := l.pictures(c, s, &j)
	if err != nil {
		return err
	}
	if j.Unit == 0 {
		j.Unit = j.Kind.Unit(j.Pictures, l.options.Processes)
	}
	if l.claim != nil {
		if err := l.claim(c, s, &j); err != nil {
			return err
		}
	}
	lead, err := job.Start(c.Context, j, l.work, s.Net, list, store.OpenBucket)
	if err != nil {
		return err
	}
	defer lead.Close()
	c.Note("pictures: %d, units: %d, job %s in %s", lead.Job.Pictures, lead.Job.Units(), lead.Place.ID, l.work)
	if err := l.wait(c, lead); err != nil {
		return err
	}
	bad, err := use(s, lead)
	if err != nil {
		return err
	}
	if !l.keep {
		if err := lead.Remove(c.Context); err != nil {
			return err
		}
		if !store.IsURL(l.work) {
			lead.Tidy(l.work)
		}
	}
	return bad.err()
}

// wait runs the job to its end.
func (l *leader) wait(c *cmdline.Run, lead *job.Lead) error {
	units, err := lead.Left(c.Context)
	if err != nil {
		return err
	}
	pictures := 0
	for _, unit := range units {
		from, to := lead.Job.Range(unit)
		pictures += to - from
	}
	if before := lead.Job.Pictures - pictures; before > 0 {
		c.Note("%d of them are done", before)
	}
	start := time.Now()
	l.options.Threads, l.options.Note = c.Workers, c.Note
	step, end := c.Progress("units")
	l.options.Progress = step
	m, err := pipeline.Run(c.Context, lead, l.options)
	end()
	if err != nil {
		return cmdline.Hinted(err, "what is done is kept in "+l.work+": run the same command again to go on")
	}
	took := time.Since(start)
	c.Note("%d images in %v, %.0f a second", pictures, took.Round(time.Millisecond), float64(pictures)/took.Seconds())
	if m.Seconds > 0 {
		c.Note("Beam counted %d pictures, %d of them skipped, and %.1f s of work", m.Pictures, m.Skipped, m.Seconds)
	}
	return nil
}

// pictures fills in what a job says of its pictures, and returns the list of those that have one.
func (l *leader) pictures(c *cmdline.Run, s *view.Session, j *job.Job) ([]byte, error) {
	paths := c.InputPaths()
	urls := 0
	for _, p := range paths {
		if store.IsURL(p) {
			urls++
		}
		if p == "-" {
			return nil, cmdline.Usage("workers cannot read this machine's standard input", "name a file")
		}
	}
	switch {
	case l.list != "" && (len(paths) > 0 || c.Data != ""):
		return nil, cmdline.Usage("both --list and other pictures are given", "use one of them")
	case urls > 0 && urls < len(paths):
		return nil, cmdline.Usage("both URLs and local files are given", "name files by URL, too: file:///FOLDER")
	case (l.list != "" || urls > 0) && c.Limit > 0:
		return nil, cmdline.Usage("--limit does not go with lists and URLs", "cut the list: viz-beam list --limit")
	case l.list != "":
		text, err := os.ReadFile(l.list)
		if err != nil {
			return nil, err
		}
		return text, l.listed(text, l.list, []string{l.list}, j)
	case urls > 0:
		var text bytes.Buffer
		if _, err := find(c, &text, paths, store.Finding{}); err != nil {
			return nil, err
		}
		return text.Bytes(), l.listed(text.Bytes(), "the list of pictures", paths, j)
	}
	return nil, l.spec(c, s, paths, j)
}

func (l *leader) listed(text []byte, name string, from []string, j *job.Job) error {
	list, err := store.ReadList(name, bytes.NewReader(text), store.OpenBucket)
	if err != nil {
		return err
	}
	j.Pictures, j.Names = list.Len(), list.Hash()
	j.Source = features.Source{Images: from, Names: list.Hash()}
	return nil
}

// spec names pictures as viz does: every worker opens them by these names.
func (l *leader) spec(c *cmdline.Run, s *view.Session, paths []string, j *job.Job) error {
	spec := c.GivenImages()
	spec.Paths = paths
	var src *images.Inputs
	var err error
	if l.kind == job.Features { // as viz features reads them
		from := c.GivenSource()
		if len(paths) == 0 && from.Data == "" {
			from.Data = s.Net.Origin.Data
		}
		spec = images.Spec{Paths: from.Images, Data: from.Data, Split: from.Split, Limit: from.Limit, Seed: max(from.Seed, 1), ByClass: true}
		src, j.Source, err = c.OpenIndexed(s.Net, from)
	} else {
		if len(paths) == 0 && spec.Data == "" {
			spec.Data = s.Net.Origin.Data
		}
		src, err = c.OpenSource(s.Net, paths, false)
	}
	if err != nil {
		return err
	}
	if src.Data != "" && spec.Data != src.Data && len(paths) == 0 {
		spec.Data = src.Data // what stands for a data set that is not here
	}
	for _, p := range src.Problems {
		fmt.Fprintln(c.Stderr, "viz: error:", cmdline.Plain(p.Err.Error()))
	}
	j.Spec, j.Cache = &spec, cmdline.CacheDir()
	j.Pictures, j.Names = src.Len(), src.Hash()
	return nil
}

// left tells which pictures could not be used, and is the error at the end.
type left struct {
	c          *cmdline.Run
	bad, total int
}

// tellMost is how many are named.
const tellMost = 20

func (l *left) add(text string) {
	if l.bad++; l.bad <= tellMost {
		fmt.Fprintln(l.c.Stderr, "viz: error:", cmdline.Plain(text))
	}
}

func (l *left) err() error {
	switch {
	case l.bad == 0:
		return nil
	case l.bad == l.total:
		return fmt.Errorf("none of the %d images could be used", l.total)
	}
	if l.bad > tellMost {
		l.c.Note("and %d more; the result names all", l.bad-tellMost)
	}
	return fmt.Errorf("%d of %d images could not be used; the others are done", l.bad, l.total)
}
