package main

import (
	"fmt"
	"path/filepath"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/view"
)

// chosenMaps reads --maps or --map for each layer, and checks that the rule leads down from it.
func chosenMaps(c *cmdline.Run, s *view.Session, r view.Sheets, layers []string) ([][]int, error) {
	shapes, err := s.Net.Shapes()
	if err != nil {
		return nil, err
	}
	spec := c.String("maps")
	if spec == "" {
		spec = c.String("map")
	}
	var chosen [][]int
	for _, layer := range layers {
		if err := s.CheckSheets(r, layer); err != nil {
			return nil, cmdline.UsageErr(err)
		}
		maps, err := view.ParseMaps(spec, shapes[layer].C)
		if err != nil {
			return nil, cmdline.UsageErr(fmt.Errorf("layer %s: %w", layer, err))
		}
		chosen = append(chosen, maps)
	}
	return chosen, nil
}

// drawSheets draws the sheets of layers, or large sheets of single maps, and the pages of an atlas around them.
func drawSheets(c *cmdline.Run, s *view.Session, r view.Sheets, index *features.Index, src *images.Inputs, layers []string, chosen [][]int, out *cmdline.Output) error {
	atlas := c.String("maps") == "all" || len(layers) > 1
	if atlas {
		r.Most = view.AtlasMaps
	}
	var sheets [][]view.AtlasSheet
	for i, layer := range layers {
		r.Maps = chosen[i]
		if c.IsSet("map") {
			if err := out.Several(len(r.Maps), "maps"); err != nil {
				return err
			}
			if err := s.Maps(c.Context, r, src, index.Layer(layer), func(f view.Figure) error { _, err := out.Figures(f); return err }); err != nil {
				return err
			}
			continue
		}
		written, err := layerSheets(c, s, r, src, index.Layer(layer), out)
		if err != nil {
			return err
		}
		sheets = append(sheets, written)
	}
	if !atlas || out.One != "" || c.IsSet("map") {
		return nil
	}
	return writeAtlas(c, s, view.Atlas{Layers: layers, Sheets: sheets, Rule: string(r.Rule), Version: version()}, src, index, out)
}

// layerSheets draws the sheets of one layer, and writes --npy.
func layerSheets(c *cmdline.Run, s *view.Session, r view.Sheets, src *images.Inputs, layer *features.Layer, out *cmdline.Output) ([]view.AtlasSheet, error) {
	step, end := c.Progress("projecting")
	defer end()
	r.Progress = step
	var written []view.AtlasSheet
	full, err := s.Sheets(c.Context, r, src, layer, func(sheet view.Sheet) error {
		if err := out.Several(len(written)+1, "sheets of maps"); err != nil {
			return err
		}
		names, err := out.Figures(sheet.Figure)
		if err == nil {
			written = append(written, view.AtlasSheet{File: names[0], Size: sheet.Image.Bounds().Size(), Maps: sheet.Maps, Places: sheet.Places})
		}
		return err
	})
	if err == nil && full != nil {
		if err = npy.WriteFile(c.String("npy"), full.Shape, full.Data); err == nil {
			c.Wrote(c.String("npy"))
		}
	}
	return written, cmdline.RequestErr(err)
}

// writeAtlas writes the pages of an atlas and the picture of its images.
func writeAtlas(c *cmdline.Run, s *view.Session, r view.Atlas, src *images.Inputs, index *features.Index, out *cmdline.Output) error {
	for _, name := range r.Layers {
		r.Files = append(r.Files, cmdline.FileName("layer-"+name)+".html")
	}
	step, end := c.Progress("images of the atlas")
	r.Progress = step
	pages, picture, remark, err := s.Atlas(c.Context, r, src, index)
	end()
	if err != nil {
		return err
	}
	if remark != "" {
		c.Note("%s", remark)
	}
	if picture != nil {
		path := filepath.Join(out.Dir, "images.png")
		if err := imageio.WritePNG(path, picture, c.Provenance(s, "images", src.From)); err != nil {
			return err
		}
		c.Wrote(path)
	}
	for _, p := range pages {
		if err := out.Page(p); err != nil {
			return err
		}
	}
	return nil
}
