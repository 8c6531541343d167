package main

import (
	"path/filepath"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/view"
)

// draw draws the sheets of layers, or large sheets of single maps, and the pages of an atlas around them.
func (r *deconvRun) draw(w *cmdline.Work, index *features.Index) error {
	atlas := r.selection.Maps == "all" || len(r.layers) > 1
	if atlas {
		r.sheets.Most = view.AtlasMaps
	}
	var sheets [][]view.AtlasSheet
	for i, layer := range r.layers {
		r.sheets.Maps = r.maps[i]
		if r.selection.Large {
			if err := w.Out.Several(len(r.sheets.Maps), "maps"); err != nil {
				return err
			}
			if err := w.Session.Maps(w.Run.Context, r.sheets, w.Src, index.Layer(layer), func(f view.Figure) error { _, err := w.Out.Figures(f); return err }); err != nil {
				return err
			}
			continue
		}
		written, err := r.layer(w, index.Layer(layer))
		if err != nil {
			return err
		}
		sheets = append(sheets, written)
	}
	if !atlas || w.Out.One != "" || r.selection.Large {
		return nil
	}
	return writeAtlas(w, view.Atlas{Layers: r.layers, Sheets: sheets, Rule: string(r.sheets.Rule), Version: w.Version}, index)
}

// layer draws the sheets of one layer, and writes --npy.
func (r *deconvRun) layer(w *cmdline.Work, layer *features.Layer) ([]view.AtlasSheet, error) {
	step, end := w.Progress("projecting")
	defer end()
	r.sheets.Progress = step
	var written []view.AtlasSheet
	full, err := w.Session.Sheets(w.Run.Context, r.sheets, w.Src, layer, func(sheet view.Sheet) error {
		if err := w.Out.Several(len(written)+1, "sheets of maps"); err != nil {
			return err
		}
		names, err := w.Out.Figures(sheet.Figure)
		if err == nil {
			written = append(written, view.AtlasSheet{File: names[0], Size: sheet.Image.Bounds().Size(), Maps: sheet.Maps, Places: sheet.Places})
		}
		return err
	})
	if err == nil && full != nil {
		if err = w.WriteArray(r.npy, full.Shape, full.Data); err == nil {
			w.Wrote(r.npy)
		}
	}
	return written, cmdline.RequestErr(err)
}

// writeAtlas writes the pages of an atlas and the picture of its images.
func writeAtlas(w *cmdline.Work, r view.Atlas, index *features.Index) error {
	for _, name := range r.Layers {
		r.Files = append(r.Files, cmdline.FileName("layer-"+name)+".html")
	}
	step, end := w.Progress("images of the atlas")
	r.Progress = step
	pages, picture, remark, err := w.Session.Atlas(w.Run.Context, r, w.Src, index)
	end()
	if err != nil {
		return err
	}
	if remark != "" {
		w.Note("%s", remark)
	}
	if picture != nil {
		path := filepath.Join(w.Out.Dir, "images.png")
		if err := imageio.WritePNG(path, picture, w.Provenance(w.Session, "images", w.Src.From)); err != nil {
			return err
		}
		w.Wrote(path)
	}
	for _, p := range pages {
		if err := w.Out.Page(p); err != nil {
			return err
		}
	}
	return nil
}
