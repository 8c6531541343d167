package main

import (
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

func deconvCommand() cmdline.Command {
	r := &deconvRun{}
	unit := *r.unit.Fields().Named("unit")
	fields := append(r.selection.Fields(), r.sheets.Fields()...)
	return cmdline.Command{
		Name: "deconv", Usage: "project the strongest activations of a layer to pixels, beside the image patches that caused them", Args: "[IMG...]",
		About: "IMG is an image, a folder of images, or a .npy array in the network's input units.\n" +
			"Without images, those of the data set the network was trained on. With an index made by\n" +
			"viz features nothing is scanned; ./features.idx is taken if it is of this network.\n\n" +
			"All maps (--maps all, or several layers) make an atlas: sheets in pages, and index.html, which\n" +
			"leads from layers to maps to images and back.",
		Examples: []string{"viz deconv --layer 2", "viz deconv --layer 3 --maps 0,3,7 --rule guided photos/", "viz deconv --features features.idx --layer all --maps all --out atlas",
			"viz deconv --layer 2 --map 17", "viz deconv --unit relu2:5:3:4 --npy unit.npy img.png"},
		Flags: cmdline.Model | cmdline.Out | cmdline.JSON | cmdline.Workers | cmdline.Pictures | cmdline.Index,
		Fields: append(fields, unit,
			view.TextField(view.Field{Name: "features", Usage: "index `FILE` that viz features made"}, &r.features),
			view.TextField(view.Field{Name: "npy", Usage: "write the projections in full image size as an array to `FILE`"}, &r.npy)),
		Do: func(c *cmdline.Run) error {
			if c.Given("unit") {
				return r.one(c)
			}
			return r.all(c)
		},
	}
}

// keptPictures is how many bytes of pictures are kept from scanning to drawing, so that they are decoded once.
const keptPictures = 256 << 20

// deconvRun is one run of viz deconv.
type deconvRun struct {
	selection     view.Selection
	sheets        view.Sheets
	unit          view.Unit
	features, npy string
	layers        []string
	maps          [][]int // of each layer
}

// one projects one unit of one image. With --npy and no --out it draws nothing.
func (r *deconvRun) one(c *cmdline.Run) error {
	for _, f := range []string{"layer", "maps", "map", "features"} {
		if c.Given(f) {
			return cmdline.Usage("--unit and --"+f+" exclude each other", "")
		}
	}
	w, err := c.Work(cmdline.Need{Elsewhere: r.npy != "" && !c.Given("out")})
	if err != nil {
		return err
	}
	defer w.Close()
	if r.npy != "" {
		if err := c.OutFile(r.npy, "--npy"); err != nil {
			return err
		}
	}
	x, err := w.Src.Load(0)
	if err != nil {
		return err
	}
	r.unit.Rule, r.unit.Clip = r.sheets.Rule, r.sheets.Clip
	in := view.InputOf(w.Src, 0, x)
	p, err := w.Session.ProjectUnit(r.unit, in)
	if err != nil {
		return err
	}
	if r.npy != "" {
		size := w.Session.Net.Input
		if err := c.WriteArray(r.npy, []int{size.C, size.H, size.W}, p.Full(size.H, size.W)); err != nil {
			return err
		}
		c.Wrote(r.npy)
	}
	if w.Out == nil {
		return nil
	}
	if _, err := w.Out.Figures(w.Session.UnitFigure(r.unit, in, p)); err != nil {
		return err
	}
	return w.Out.End()
}

// all draws the sheets of layers, or large sheets of single maps.
func (r *deconvRun) all(c *cmdline.Run) error {
	if c.Given("index") {
		return cmdline.Usage("--index goes with --unit", "")
	}
	r.sheets.Full = r.npy != ""
	s, err := c.OpenSession(len(c.InputPaths()) > 0)
	if err != nil {
		return err
	}
	defer s.Engine.Close()
	if r.layers, r.maps, err = r.selection.Choose(s.Net); err != nil {
		return cmdline.RequestErr(err)
	}
	for _, layer := range r.layers {
		if err := s.CheckSheets(r.sheets, layer); err != nil {
			return cmdline.UsageErr(cmdline.RequestErr(err))
		}
	}
	index, src, err := c.OpenFeatures(s, r.layers, r.features, r.sheets.Top)
	if err != nil {
		return err
	}
	if r.npy != "" {
		if err := c.OutFile(r.npy, "--npy"); err != nil {
			return err
		}
		if len(r.layers) > 1 {
			return cmdline.Usage("--npy is one array, but there are several layers", "each sheet has its numbers beside it")
		}
	}
	src = src.Kept(keptPictures)
	w := &cmdline.Work{Run: c, Session: s, Src: src}
	if w.Out, err = c.OpenOutput(s); err != nil {
		return err
	}
	if err := w.Out.Several(len(r.layers), "layers"); err != nil {
		return err
	}
	bad, err := c.NewFailures(src.List)
	if err != nil {
		return err
	}
	if index == nil {
		if index, err = r.scan(c, s, src, bad); err != nil {
			return err
		}
	}
	if err := r.draw(w, index); err != nil {
		return err
	}
	if err := w.Out.End(); err != nil {
		return err
	}
	return bad.Err()
}

// scan looks for the strongest activations.
func (r *deconvRun) scan(c *cmdline.Run, s *view.Session, src *images.Inputs, bad *cmdline.Failures) (*features.Index, error) {
	step, end := c.Progress("scanning")
	defer end()
	return features.Collect(c.Context, s.Engine, s.Net, src, features.Options{Layers: r.layers, Top: r.sheets.Top, Readers: 2, Progress: step,
		Unreadable: func(_ int, err error) error { return bad.Add(err) }})
}
