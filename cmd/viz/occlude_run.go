package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"time"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/imageio"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// occlusionRun is one run of viz occlude over its images.
type occlusionRun struct {
	*cmdline.Work
	request   view.Occlusion
	mask, npy string
	resume    bool
	occluder  *view.Occluder
	begun     time.Time
	estimate  cmdline.Estimate
}

// scanned is an image and its maps, one for each size of the patch.
type scanned struct {
	in   view.Input
	maps []*occlusion.Map
}

// all covers the images. Those of a series are drawn at the end, on one scale.
func (r *occlusionRun) all() error {
	c, series := r.Run, r.request.Scale == view.PerSeries
	p := r.occluder.Predict()
	c.Note("%d positions, %s multiply-adds an image, %.1f× fewer than full forward passes; about %d MB on top of the weights",
		p.Positions, view.Count(p.MACs), float64(p.Whole)/float64(max(p.MACs, 1)), p.Memory/1_000_000)
	results := make([][]view.OcclusionNumbers, r.Src.Len())
	var kept []scanned
	left := 0
	bad, err := c.NewFailures(r.Src.List)
	if err != nil {
		return err
	}
	for i := range r.Src.Len() {
		x, err := r.Src.Load(i)
		if err != nil {
			if err := bad.Add(err); err != nil {
				return err
			}
			continue
		}
		in := view.InputOf(r.Src, i, x)
		if r.resume {
			if results[i] = r.finished(in); results[i] != nil {
				left++
				continue
			}
		}
		maps, err := r.scan(i, x)
		if err != nil {
			return err
		}
		for _, m := range maps {
			results[i] = append(results[i], r.occluder.Numbers(in, m, m.Classes...))
		}
		if series {
			kept = append(kept, scanned{in, maps})
		} else if err := r.write(in, maps, nil); err != nil {
			return err
		}
	}
	if left > 0 {
		c.Note("%d of %d images were done before", left, r.Src.Len())
	}
	if err := r.writeSeries(kept); err != nil {
		return err
	}
	if c.JSON {
		if err := c.PrintJSON(slices.Concat(results...)); err != nil {
			return err
		}
	} else if err := r.Out.End(); err != nil {
		return err
	}
	return bad.Err()
}

// writeSeries draws maps on one scale.
func (r *occlusionRun) writeSeries(kept []scanned) error {
	var maps []*occlusion.Map
	for _, k := range kept {
		maps = append(maps, k.maps...)
	}
	for _, k := range kept {
		if err := r.write(k.in, k.maps, view.SeriesScale(maps...)); err != nil {
			return err
		}
	}
	return nil
}

// scan covers image i, and says how long all will take.
func (r *occlusionRun) scan(i int, x *tensor.Tensor) ([]*occlusion.Map, error) {
	step, end := r.Run.Progress("occluding " + images.Title(r.Src.Items[i].Name))
	defer end()
	r.estimate.Images = r.Src.Len()
	r.estimate.Begin(r.Src.Len()-i, time.Since(r.begun).Seconds())
	return r.occluder.Scan(r.Run.Context, x, func(done, total int) {
		if text := r.estimate.Report(done, total, time.Since(r.begun).Seconds()); text != "" {
			r.Run.Note("%s", text)
		}
		if step != nil {
			step(done, total)
		}
	})
}

// write draws and stores the maps of an image.
func (r *occlusionRun) write(in view.Input, maps []*occlusion.Map, series *occlusion.Scale) error {
	for _, m := range maps {
		dir := r.arrays(in, m.Patch)
		if dir == "" {
			break
		}
		if err := r.OutDir(dir, "--npy"); err != nil {
			return err
		}
		if err := r.WriteArrays(dir, view.OcclusionArrays(m), nil); err != nil {
			return err
		}
	}
	_, err := r.Out.Figures(r.occluder.Figures(in, maps, series)...)
	return err
}

// arrays is the folder for the arrays of an image, "" if none are wanted.
func (r *occlusionRun) arrays(in view.Input, patch [2]int) string {
	if r.npy != "" && r.Src.Len()*(1+len(r.request.Sizes)) > 1 {
		return filepath.Join(r.npy, cmdline.FileName(r.occluder.Base(in.Stem, patch)))
	}
	return r.npy
}

// finished returns the numbers of an image if everything that would be written of it is there and was made of the
// same picture with the same options, else nil. The JSON file of a picture is the last that is written.
func (r *occlusionRun) finished(in view.Input) []view.OcclusionNumbers {
	var all []view.OcclusionNumbers
	for _, names := range r.occluder.Names(in.Stem) {
		var n view.OcclusionNumbers
		for j, name := range names {
			path := r.Out.Path(name)
			text, err := imageio.ReadPlain(path + ".json")
			var part view.OcclusionNumbers
			if err != nil || json.Unmarshal(text, &part) != nil || !r.occluder.Made(part, in) || !r.Out.Shows(path, in.Name) {
				return nil
			}
			if j == 0 {
				n = part
			} else {
				n.Classes = append(n.Classes, part.Classes...)
			}
		}
		if dir := r.arrays(in, n.Patch); dir != "" && !cmdline.WholeArrays(dir, n.ArrayNames()...) {
			return nil
		}
		all = append(all, n)
	}
	return all
}
