package main

import (
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/view"
)

func classifyCommand() cmdline.Command {
	var r view.Classify
	return cmdline.Command{
		Name: "classify", Usage: "name the most probable classes of images", Args: "IMG...",
		Examples: []string{"viz classify photo.jpg", "viz classify --model net.onnx --preprocess imagenet --labels names.txt --json photo.jpg"},
		Flags:    cmdline.Model | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.Index | cmdline.ByNumber,
		Fields:   r.Fields(),
		Do:       func(c *cmdline.Run) error { return classify(c, r) },
	}
}

func classify(c *cmdline.Run, r view.Classify) error {
	w, err := c.Work(cmdline.Need{Pictures: true, Check: func(s *view.Session) error {
		_, err := s.Net.Classifier()
		return err
	}})
	if err != nil {
		return err
	}
	defer w.Close()
	src, err := c.MatchIfPossible(w.Src)
	if err != nil {
		return err
	}
	classifier, err := w.Session.Classifier(r)
	if err != nil {
		return err
	}
	var out []view.Classified
	return c.Each(src, "classifying", func(i int, x *tensor.Tensor) error {
		if len(out) == 0 {
			if err := c.WarnInput(w.Session.Engine, w.Session.Net, x); err != nil {
				return err
			}
		}
		one, err := classifier.Classify(src, i, x)
		out = append(out, one)
		return err
	}, func() error {
		if c.JSON {
			return c.PrintJSON(out)
		}
		return c.PrintRows(w.Session.ClassifiedText(out))
	})
}
