package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// inspectOcclusion lists how an occlusion map would be computed: PATCH/STRIDE,
// such as 16/4 or 16x20/4.
func inspectOcclusion(c *cmdline.Run, net *model.Network, spec string) error {
	patch, stride, ok := strings.Cut(spec, "/")
	if !ok || patch == "" || stride == "" {
		return cmdline.Usage("--occlude "+spec+": want PATCH/STRIDE", "viz inspect --occlude 16/4")
	}
	var r view.Occlusion
	var err error
	if r.Patch, err = parsePair("occlude", patch); err != nil {
		return err
	}
	if r.Stride, err = parsePair("occlude", stride); err != nil {
		return err
	}
	if err := r.Validate(net); err != nil {
		return cmdline.Usage("--occlude "+spec+": "+err.Error(), "")
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	o, err := view.NewSession(engine, net).Occluder(r)
	if err != nil {
		return err
	}
	p := o.Plan()
	if c.JSON {
		return c.PrintJSON(p)
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tpatch %s, stride %s\t%d positions\n\n", p.Model, view.PairText(p.Patch), view.PairText(p.Stride), p.Positions)
	fmt.Fprintf(w, "name\tway\tplaces\tof\tmultiply-adds a position\tof\ttimes fewer\n")
	for _, l := range p.Layers {
		if l.Whole == 0 {
			continue
		}
		fewer := "-"
		if l.MACs > 0 {
			fewer = fmt.Sprintf("%.1f", l.Whole/l.MACs)
		}
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%d\t%s\t%s\t%s\n", l.Name, l.Way, l.Box, l.Map, count(int64(l.MACs)), count(int64(l.Whole)), fewer)
	}
	fmt.Fprintf(w, "all, with the clean image\t\t\t\t%s\t%s\t%.1f\n", count(p.MACs/int64(p.Positions)), count(p.Whole/int64(p.Positions)), float64(p.Whole)/float64(max(p.MACs, 1)))
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Stdout, "\nbox: the sums of a whole pass, where the patch can change them; clip: products with changed inputs only, added to the clean sums;\n"+
		"winograd: clip by F(2x2, 3x3); delta: a dense layer on what changed; whole: all of the layer. Memory: about %d MB beside the network.\n", p.Memory/1_000_000)
	return err
}
