package main

import (
	"fmt"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func explainCommand() cmdline.Command {
	var r view.Explain
	return cmdline.Command{
		Name: "explain", Usage: "explain why a network said what it said about a picture: one page, without knowing any method",
		Form: "viz explain [flags] [NET.onnx] IMG...", Args: "IMG...",
		About: "The page has the best classes, three maps of what speaks for the first two, where these agree, the strongest\n" +
			"features, what would have to be covered to change the answer, how far each map can be believed, what went into\n" +
			"the network, and the commands that make each part. The parts lie in a folder beside it.",
		Examples: []string{"viz explain net.onnx photo.jpg", "viz explain --model net.onnx --class cat,dog photos/"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.Memory,
		Fields:   r.Fields(),
		Do:       func(c *cmdline.Run) error { return explain(c, &r) },
	}
}

func explain(c *cmdline.Run, r *view.Explain) error {
	c.NetworkFirst()
	w, err := c.Work(cmdline.Need{Pictures: true, Check: func(s *view.Session) error {
		if err := r.Validate(s.Net); err != nil {
			return err
		}
		return c.LimitExplain(s.Net)
	}})
	if err != nil {
		return err
	}
	defer w.Close()
	if r.Memory, err = c.ExplainMemory(w.Session, w.Src); err != nil {
		return err
	}
	if w.Out.One != "" || w.Out.Stdout {
		return cmdline.Usage("viz explain writes a page and its parts", "give --out a folder")
	}
	stages := c.Stages()
	defer stages.End()
	r.Version, r.Progress = c.Version, stages.Step
	name := c.ModelName()
	if name == "" {
		name = cmdline.ModelNames(nil, len(c.InputPaths()) > 0)[0]
	}
	r.Network = append([]string{"--model", name}, c.NetworkArguments()...)
	r.Source = cmdline.ImageArguments(c.GivenImages())
	explainer, err := w.Session.Explainer(*r)
	if err != nil {
		return cmdline.RequestErr(err)
	}
	var pages []*view.Explanation
	return c.EachPicture(w.Src, "explaining", func(i int, p view.Picture) error {
		if err := w.Out.ClaimPage(p.Stem+".html", "this network and picture", p.Hash()); err != nil {
			return err
		}
		if !w.Src.Alone(i) {
			p.Again = append([]string{"--index", fmt.Sprint(i)}, r.Source...)
		}
		made, err := explainer.Explain(c.Context, p)
		stages.End()
		if err != nil {
			return err
		}
		pages = append(pages, made)
		return writeExplanation(w.Out, p.Stem, made)
	}, func() error {
		if len(pages) > 1 {
			index, err := w.Session.ExplainIndex(c.Version, pages)
			if err != nil {
				return err
			}
			if err := w.Out.Page(index); err != nil {
				return err
			}
		}
		return w.Out.End()
	})
}

// writeExplanation writes a page, and its parts into a folder beside it.
func writeExplanation(out *cmdline.Output, stem string, made *view.Explanation) error {
	parts, err := out.Parts(stem + "-parts")
	if err != nil {
		return err
	}
	if _, err := parts.Figures(made.Figures...); err != nil {
		return err
	}
	if err := out.Numbers(stem, made.Numbers); err != nil {
		return err
	}
	return out.Page(made.Page)
}
