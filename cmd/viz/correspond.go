package main

import (
	"fmt"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

func correspondCommand() cmdline.Command {
	r := &correspondRun{}
	return cmdline.Command{
		Name: "correspond", Usage: "mask the same part in several images and see whether features change alike", Args: "[IMG...]",
		About: "The score is the Hamming distance of the signs of the changes, as a mean over pairs of images\n" +
			"and over the layer's values; signs are -1, 0, 1, so values that stay as they are agree. Lower\n" +
			"is more alike. Each part is compared with masks of its sizes at random places in the same\n" +
			"images; \"random, aligned\" has them at one random place in all images, which tells how much comes\n" +
			"from being in the same place alone. Standard errors are by the jackknife over images.\n\n" +
			"Parts are a JSON file: {\"left eye\": {\"dog1.png\": [x0, y0, x1, y1], ...}, ...}, in pixels of the\n" +
			"network's input (x1, y1 exclusive). Data that knows where its objects are (shapes) needs none:\n" +
			"images of one class whose objects stand alike are chosen, parts are the corners and the middle\n" +
			"of the object's box, of half its size.",
		Examples: []string{"viz correspond --model shapes --data shapes --class disc", "viz correspond --parts parts.json dog1.png dog2.png dog3.png dog4.png dog5.png"},
		Flags:    cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Data | cmdline.Split | cmdline.Seed | cmdline.Images,
		Fields: append(r.request.Fields(),
			view.TextField(view.Field{Name: "parts", Usage: "`FILE` of boxes"}, &r.parts),
			view.TextField(view.Field{Name: "class", Usage: "of a data set: class whose images are taken, by name or number; default: the first"}, &r.class),
			view.IntField(view.Field{Name: "count", Default: "24", Usage: "of a data set: choose `N` images (the paper has 5)"}, &r.count, 1)),
		Do: r.do,
	}
}

// correspondRun is one run of viz correspond.
type correspondRun struct {
	request      view.Correspondence
	parts, class string
	count        int
}

func (r *correspondRun) do(c *cmdline.Run) error {
	paths := c.InputPaths()
	if err := r.request.Validate(); err != nil {
		return cmdline.RequestErr(err)
	}
	if len(paths) > 0 && r.parts == "" {
		return cmdline.Usage("images need --parts, a JSON file with the boxes of the parts", "viz correspond --help shows its form")
	}
	if len(paths) == 0 && r.parts != "" {
		return cmdline.Usage("--parts needs the images that it has boxes of", "viz correspond --parts parts.json a.png b.png c.png")
	}
	w, err := c.Work(cmdline.Need{Check: func(s *view.Session) error { return r.request.Prepare(s.Net) }})
	if err != nil {
		return err
	}
	defer w.Close()
	masked, err := r.masked(c, w.Src)
	if err != nil {
		return cmdline.RequestErr(err)
	}
	step, end := c.Progress("masking")
	err = w.Session.Correspond(c.Context, &r.request, masked, step)
	end()
	if err != nil {
		return err
	}
	figure, table := w.Session.Correspondence(r.request)
	if _, err := w.Out.Figures(figure); err != nil {
		return err
	}
	if err := w.Out.Table(table); err != nil {
		return err
	}
	if c.JSON {
		return c.PrintJSON(figure.Numbers)
	}
	return c.PrintTable(r.request.Text())
}

// masked loads images and what is masked in them: parts that a file names, or those of the objects of one class.
func (r *correspondRun) masked(c *cmdline.Run, src *images.Inputs) (*view.MaskedParts, error) {
	if r.parts != "" {
		text, err := imageio.ReadSmall(r.parts, 16<<20)
		if err != nil {
			return nil, err
		}
		boxes, err := view.ParseParts(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.parts, err)
		}
		parts, err := view.PartsOf(src, boxes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.parts, err)
		}
		return view.NamedParts(src, parts)
	}
	class := 0
	if r.class != "" {
		// The data's class, whatever classes the network tells apart.
		var err error
		if class, err = (&model.Network{Classes: src.Classes}).ResolveClass(r.class); err != nil {
			return nil, cmdline.UsageErr(err)
		}
	}
	m, err := view.ObjectParts(src, class, r.count)
	if err == nil {
		c.Note("%d images of class %s, whose objects' corners differ by up to %d pixels", len(m.Names), src.Classes[class], m.Spread)
	}
	return m, err
}
