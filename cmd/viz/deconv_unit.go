package main

import (
	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/view"
)

// deconvUnit projects one unit of one image. With --npy and no --out it draws nothing.
func deconvUnit(c *cmdline.Run, session *view.Session, sheets view.Sheets, paths []string) error {
	net := session.Net
	u, err := net.ParseUnit(c.String("unit"))
	if err != nil {
		return cmdline.UsageErr(err)
	}
	src, err := c.OpenSource(net, paths, false)
	if err != nil {
		return err
	}
	path := c.String("npy")
	if path != "" {
		if err := c.OutFile(path, "--npy"); err != nil {
			return err
		}
	}
	var out *cmdline.Output
	if path == "" || c.IsSet("out") {
		if out, err = c.OpenOutput(session); err != nil {
			return err
		}
	}
	x, err := src.Load(0)
	if err != nil {
		return err
	}
	request, in := view.Unit{Unit: u, Rule: sheets.Rule, Clip: sheets.Clip}, view.InputOf(src, 0, x)
	p, err := session.ProjectUnit(request, in)
	if err != nil {
		return err
	}
	if path != "" {
		if err := npy.WriteFile(path, []int{net.Input.C, net.Input.H, net.Input.W}, p.Full(net.Input.H, net.Input.W)); err != nil {
			return err
		}
		c.Wrote(path)
	}
	if out == nil {
		return nil
	}
	if _, err := out.Figures(session.UnitFigure(request, in, p)); err != nil {
		return err
	}
	return out.End()
}
