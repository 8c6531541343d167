package main

import (
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// diagnoseFilters is viz filters --diagnose.
func diagnoseFilters(c *cmdline.Run) error {
	if c.NArg() > 2 {
		return cmdline.Usage("--diagnose compares two networks at most", "")
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	var sessions []*view.Session
	var names []string
	if c.NArg() == 0 {
		session, from, err := c.FindModel(engine, false)
		if err != nil {
			return err
		}
		sessions, names = append(sessions, session), append(names, from)
	}
	for _, file := range c.Args().Slice() {
		net, err := cmdline.OpenModel(file)
		if err != nil {
			return err
		}
		sessions, names = append(sessions, view.NewSession(engine, net)), append(names, filepath.Base(file))
	}
	if len(names) == 2 && names[0] == names[1] {
		names = []string{c.Args().Get(0), c.Args().Get(1)}
	}
	var chosen [][]string // convolutions of each network
	for i, s := range sessions {
		convs, err := convNodes(s.Net, c.String("layer"))
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
	return printDiagnosis(c.Stdout, all)
}

// strongestImages is an index of the strongest image of each map over some images of the network's data set, nil
// if there are none to be had.
func strongestImages(c *cmdline.Run, s *view.Session) (*features.Index, *images.Inputs, error) {
	if c.Int("limit") == 0 || c.String("data") == "" && s.Net.Origin.Data == "" {
		c.Note("no images: maps that never fire are not looked for (--data names some)")
		return nil, nil, nil
	}
	src, err := c.OpenSource(s.Net, nil, false)
	if err != nil && c.String("data") == "" {
		c.Note("maps that never fire are not looked for: %v", err)
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

func printDiagnosis(to io.Writer, all []view.Diagnosis) error {
	for _, m := range all {
		fmt.Fprintf(to, "\n%s\n", m.Model)
		w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
		tried := "silent"
		if m.Images == 0 {
			tried = "silent (not tried)"
		}
		fmt.Fprintf(w, "layer\tkernel/stride\tfilters\tdead\t%s\tduplicates\tdominant\tmax/median RMS\tenergy low, middle, high\taliased white, natural\n", tried)
		for _, d := range m.Layers {
			energy := "-"
			if d.Energy != nil {
				energy = fmt.Sprintf("%.2f %.2f %.2f", d.Energy[0], d.Energy[1], d.Energy[2])
			}
			fmt.Fprintf(w, "%s\t%dx%d/%d\t%d\t%d\t%s\t%d\t%d\t%.2f\t%s\t%.2f %.2f\n", d.Layer, d.Kernel[0], d.Kernel[1], d.Stride[0], d.Filters, len(d.Dead), view.Silent(d, "-"),
				len(d.Duplicate), len(d.Dominant), d.Spread, energy, d.Aliased, d.AliasedNatural)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		found := false
		for _, d := range m.Layers {
			for _, r := range d.Remedies {
				fmt.Fprintf(to, "%s: %s\n", d.Layer, r)
				found = true
			}
		}
		if !found {
			fmt.Fprintln(to, "nothing to remedy")
		}
	}
	return nil
}
