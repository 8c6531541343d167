package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/view"
)

func demoCommand() cmdline.Command {
	return cmdline.Command{
		Name: "demo", Usage: "show everything on a built-in network: needs nothing, takes seconds, leaves a folder with index.html",
		Examples: []string{"viz demo", "viz demo --out /tmp/demo --limit 2000"},
		Flags:    cmdline.To | cmdline.Workers | cmdline.Seed | cmdline.Limit,
		Change:   view.Fields{{Name: "out", Default: "demo", Usage: "write into `DIR`"}, {Name: "limit", Default: "1000", Usage: "number of images to search"}},
		Instead:  "choose the folder with --out",
		Do:       demo,
	}
}

func demo(c *cmdline.Run) error {
	net, err := builtin.Load("shapes")
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Workers)
	defer engine.Close()
	session := view.NewSession(engine, net)
	c.Note("model: built-in shapes (%s)", session.Hash())
	out, err := c.OpenOutput(session)
	if err != nil {
		return err
	}
	if out.One != "" {
		return cmdline.Usage("viz demo writes many files", "give --out a folder")
	}
	c.Data = "shapes"
	src, err := c.OpenSource(net, nil, false)
	if err != nil {
		return err
	}
	stages := c.Stages()
	p, err := session.Demo(c.Context, view.Demo{Version: c.Version, Progress: stages.Step}, src.Kept(keptPictures), out.Figures)
	stages.End()
	if err != nil {
		return err
	}
	return out.Page(p)
}
