package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// occlusionRun is one run of viz occlude over its images.
type occlusionRun struct {
	c        *cmdline.Run
	occluder *view.Occluder
	sizes    int // of the patch
	src      *images.Inputs
	out      *cmdline.Output
	told     bool // how long it will take
}

// scanned is an image and its maps, one for each size of the patch.
type scanned struct {
	in   view.Input
	maps []*occlusion.Map
}

// all covers the images. Those of a series are drawn at the end, on one scale.
func (r *occlusionRun) all(series bool) error {
	c := r.c
	p := r.occluder.Predict()
	c.Note("%d positions, %s multiply-adds an image, %.1f× fewer than full forward passes; about %d MB on top of the weights",
		p.Positions, count(p.MACs), float64(p.Whole)/float64(max(p.MACs, 1)), p.Memory/1_000_000)
	results := make([][]view.OcclusionNumbers, r.src.Len())
	var kept []scanned
	left := 0
	bad, err := c.NewFailures(r.src.List)
	if err != nil {
		return err
	}
	for i := range r.src.Len() {
		x, err := r.src.Load(i)
		if err != nil {
			if err := bad.Add(err); err != nil {
				return err
			}
			continue
		}
		in := view.InputOf(r.src, i, x)
		if c.Bool("resume") {
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
		c.Note("%d of %d images were done before", left, r.src.Len())
	}
	if err := r.writeSeries(kept); err != nil {
		return err
	}
	if c.JSON {
		if err := c.PrintJSON(slices.Concat(results...)); err != nil {
			return err
		}
	} else if err := r.out.End(); err != nil {
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

// scan covers image i, and says after a second how long all will take.
func (r *occlusionRun) scan(i int, x *tensor.Tensor) ([]*occlusion.Map, error) {
	step, end := r.c.Progress("occluding " + images.Title(r.src.Items[i].Name))
	defer end()
	start := time.Now()
	return r.occluder.Scan(r.c.Context, x, func(done, total int) {
		if spent := time.Since(start); !r.told && done > 0 && spent > time.Second {
			r.told = true
			r.c.Note("%s", estimate(spent.Seconds()*float64(total)/float64(done), r.src.Len()-i, r.src.Len()))
		}
		if step != nil {
			step(done, total)
		}
	})
}

// estimate says how long the images that are left will take, if one takes so many seconds.
func estimate(image float64, left, images int) string {
	if images == 1 {
		return "estimated time: " + seconds(image)
	}
	return fmt.Sprintf("estimated time: %s an image, %s in all", seconds(image), seconds(image*float64(left)))
}

// seconds writes a time with as many digits as are known.
func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// write draws and stores the maps of an image.
func (r *occlusionRun) write(in view.Input, maps []*occlusion.Map, series *occlusion.Scale) error {
	for _, m := range maps {
		dir := r.arrays(in, m.Patch)
		if dir == "" {
			break
		}
		if err := r.c.OutDir(dir, "--npy"); err != nil {
			return err
		}
		for _, a := range view.OcclusionArrays(m) {
			if err := writeArray(filepath.Join(dir, cmdline.FileName(a.Name)+".npy"), a); err != nil {
				return err
			}
		}
		r.c.Wrote(dir)
	}
	_, err := r.out.Figures(r.occluder.Figures(in, maps, series)...)
	return err
}

// arrays is the folder for the arrays of an image, "" if none are wanted.
func (r *occlusionRun) arrays(in view.Input, patch [2]int) string {
	dir := r.c.String("npy")
	if dir != "" && r.src.Len()*r.sizes > 1 {
		dir = filepath.Join(dir, cmdline.FileName(r.occluder.Base(in.Stem, patch)))
	}
	return dir
}

func writeArray(path string, a view.NamedArray) error {
	if a.Int != nil {
		return npy.WriteFile(path, a.Shape, a.Int)
	}
	return npy.WriteFile(path, a.Shape, a.Float)
}

// finished returns the numbers of an image if everything that would be written of it is there and was made of the
// same picture with the same options, else nil. The JSON file of a picture is the last that is written.
func (r *occlusionRun) finished(in view.Input) []view.OcclusionNumbers {
	var all []view.OcclusionNumbers
	for _, names := range r.occluder.Names(in.Stem) {
		var n view.OcclusionNumbers
		for j, name := range names {
			path := r.out.Path(name)
			text, err := os.ReadFile(path + ".json")
			var part view.OcclusionNumbers
			if err != nil || json.Unmarshal(text, &part) != nil || !r.occluder.Made(part, in) || !cmdline.IsFile(path+".npy") || !r.out.Shows(path+r.out.Ext, in.Name) {
				return nil
			}
			if j == 0 {
				n = part
			} else {
				n.Classes = append(n.Classes, part.Classes...)
			}
		}
		if dir := r.arrays(in, n.Patch); dir != "" && !cmdline.IsFile(filepath.Join(dir, "positions.npy")) {
			return nil
		}
		all = append(all, n)
	}
	return all
}
