package main

import (
	"fmt"
	"path/filepath"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// diagnosis is viz filters --diagnose.
func (r *filtersRun) diagnosis(c *cmdline.Run) error {
	if len(c.Args) > 2 {
		return cmdline.Usage("--diagnose compares two networks at most", "")
	}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	sessions, names, err := diagnosed(c, engine)
	if err != nil {
		return err
	}
	var chosen [][]string // convolutions of each network
	for i, s := range sessions {
		convs, err := r.layers(c, s.Net, "all")
		if err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
		chosen = append(chosen, convs)
	}
	out, err := c.OpenOutput(sessions[0])
	if err != nil {
		return err
	}
	var all []view.Diagnosis
	for i, s := range sessions {
		index, src, err := strongestImages(c, s)
		if err != nil {
			return err
		}
		d, err := s.Diagnose(names[i], chosen[i], index, src)
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	figure, table := view.Diagnoses(all)
	if _, err := out.Figures(figure); err != nil {
		return err
	}
	if err := out.Table(table); err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(all)
	}
	for _, d := range all {
		fmt.Fprintf(c.Stdout, "\n%s\n", cmdline.Plain(d.Model))
		if err := c.PrintRows(d.Text()); err != nil {
			return err
		}
		for _, text := range d.Remedies() {
			fmt.Fprintln(c.Stdout, cmdline.Plain(text))
		}
	}
	return nil
}

// diagnosed opens the networks, and says what they are called.
func diagnosed(c *cmdline.Run, engine *model.Engine) (sessions []*view.Session, names []string, err error) {
	if len(c.Args) == 0 {
		session, from, err := c.FindModel(engine, false)
		return []*view.Session{session}, []string{from}, err
	}
	for _, file := range c.Args {
		net, err := cmdline.OpenModel(c.Context, file)
		if err != nil {
			return nil, nil, err
		}
		sessions, names = append(sessions, view.NewSession(engine, net)), append(names, filepath.Base(file))
	}
	if len(names) == 2 && names[0] == names[1] {
		names = c.Args
	}
	return sessions, names, nil
}

// strongestImages is an index of the strongest image of each map over some images of the network's data set, nil
// if there are none to be had.
func strongestImages(c *cmdline.Run, s *view.Session) (*features.Index, *images.Inputs, error) {
	if c.Limit == 0 || c.Data == "" && s.Net.Origin.Data == "" {
		c.Note("no images, so maps that never fire are not reported (name some with --data)")
		return nil, nil, nil
	}
	src, err := c.OpenSource(s.Net, nil, false)
	if err != nil && c.Data == "" {
		c.Note("maps that never fire are not reported: %v", err)
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	step, end := c.Progress("scanning")
	defer end()
	index, err := features.Collect(c.Context, s.Engine, s.Net, src, features.Options{Top: 1, Progress: step, Hash: s.Hash()})
	return index, src, err
}
