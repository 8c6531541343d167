package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/maximize"
	"github.com/deconvnet/viz/view"
)

func maximizeCommand() cmdline.Command {
	r := &maximizeRun{}
	return cmdline.Command{
		Name: "maximize", Usage: "make pictures that feature maps, units or classes respond to most", Args: "LAYER:CHANNEL...",
		Form: "viz maximize [flags] LAYER:CHANNEL...\n   viz maximize [flags] --class CLASS",
		About: "Gradient ascent from noise. LAYER:CHANNEL is a map's mean, LAYER:CHANNEL:ROW:COLUMN one unit, LAYER several of its\n" +
			"maps. The defaults are for networks of any size; docs/methods.md says what the pictures show and what not.\n" +
			"An interrupted run resumes where it stopped: run the same command again.",
		Examples: []string{"viz maximize 5:17", "viz maximize --class star --starts 4 --diversity 0.5", "viz maximize --maps 0-8 --features features.idx relu3"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers,
		Fields: append(r.request.Fields(),
			view.TextField(view.Field{Name: "features", Usage: "index `FILE` that viz features made: the strongest patches and their projections stand beside; ./features.idx is taken if it is of this network"}, &r.features),
			view.IntField(view.Field{Name: "top", Default: "9", Usage: "patches and projections to show"}, &r.top, 1),
			view.SwitchField(view.Field{Name: "restart", Usage: "begin anew, even if an interrupted run is there"}, &r.restart)),
		Do: r.do,
	}
}

// maximizeRun is one run of viz maximize.
type maximizeRun struct {
	request  view.Maximization
	features string
	top      int
	restart  bool
}

func (m *maximizeRun) do(c *cmdline.Run) error {
	r := &m.request
	if r.Units = c.Args; len(r.Units) == 0 && !c.Given("class") {
		return cmdline.RequestErr(r.Validate())
	}
	session, err := c.OpenSession(false)
	if err != nil {
		return err
	}
	defer session.Engine.Close()
	step, end := c.Progress("climbing")
	defer end()
	r.Progress = step
	index, src, err := m.index(c, session)
	if err != nil {
		return err
	}
	run, err := session.Maximize(*r, index)
	if err != nil {
		return cmdline.UsageErr(cmdline.RequestErr(err))
	}
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if err := out.Several(1+min(r.Frames, 1), "pictures"); err != nil {
		return err
	}
	if err := m.climb(c, run, out); err != nil {
		return err
	}
	end()
	figures, err := session.MaximizeFigures(c.Context, run, index, src)
	if err != nil {
		return err
	}
	if _, err := out.Figures(figures...); err != nil {
		return err
	}
	return out.End()
}

// index opens the index of features that shows what layers respond to in images, nil if there is none.
func (m *maximizeRun) index(c *cmdline.Run, s *view.Session) (*features.Index, *images.Inputs, error) {
	layers, err := m.request.Layers(s.Net)
	if err != nil {
		return nil, nil, cmdline.UsageErr(cmdline.RequestErr(err))
	}
	if len(layers) == 0 || m.features == "" && !cmdline.IsFile(cmdline.IndexName) {
		return nil, nil, nil
	}
	if m.features != "" {
		return c.OpenIndex(s, layers, m.features, m.top)
	}
	index, src, err := c.OpenIndex(s, layers, cmdline.IndexName, m.top)
	if err != nil {
		c.Note("%s is not used: %v", cmdline.IndexName, err)
		return nil, nil, nil
	}
	return index, src, nil
}

// climb makes the steps of a run. What is done is kept beside the picture until all is.
func (m *maximizeRun) climb(c *cmdline.Run, run *maximize.Run, out *cmdline.Output) error {
	path := filepath.Join(out.Dir, "maximize.part")
	save := func() error { return imageio.WriteFile(path, run.Save) }
	if out.Stdout {
		save = func() error { return nil }
	} else if err := m.restore(c, run, path); err != nil {
		return err
	}
	last := time.Now()
	err := run.Run(c.Context, func() error {
		if time.Since(last) < checkpointEvery {
			return nil
		}
		last = time.Now()
		return save()
	})
	if err != nil && c.Context.Err() != nil && run.Done() > 0 && !out.Stdout {
		if err := save(); err != nil {
			return err
		}
		c.Note("%d of %d steps are done and kept in %s: rerun the same command to resume", run.Done(), run.Total(), path)
	}
	if err == nil && !out.Stdout {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// restore goes on from what an interrupted run of the same request left.
func (m *maximizeRun) restore(c *cmdline.Run, run *maximize.Run, path string) error {
	f, _, err := imageio.OpenPlain(path)
	if errors.Is(err, fs.ErrNotExist) || m.restart {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	switch err := run.Restore(f); {
	case errors.Is(err, maximize.ErrOther):
		c.Note("%s is of another run, which it is no use to resume: beginning anew", path)
	case err != nil:
		return cmdline.Hinted(fmt.Errorf("%s: %w", path, err), "--restart begins anew")
	default:
		c.Note("resuming: %d of %d steps are done", run.Done(), run.Total())
	}
	return nil
}
