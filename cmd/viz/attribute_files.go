package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/view"
)

// done reports whether all files of an image are there, from the same pixels with the same options.
func (r *attributeRun) done(in view.Input) bool {
	entries, err := os.ReadDir(r.Out.Dir)
	if err != nil || r.Out.One != "" || r.Out.Stdout {
		return false
	}
	found := 0
	for _, e := range entries {
		base, isJSON := strings.CutSuffix(e.Name(), ".json")
		if !isJSON || !cmdline.BeginsWith(base, view.AttributionPrefix(in)) {
			continue
		}
		path := filepath.Join(r.Out.Dir, base)
		text, err := imageio.ReadPlain(path + ".json")
		var n view.AttributionNumbers
		if err == nil && json.Unmarshal(text, &n) == nil && r.Session.AttributionDone(r.request, in, n) && r.Out.Shows(path, in.Name) {
			found++
		}
	}
	return found >= max(len(r.request.Targets), 1)
}

// array writes one map as an array.
func (r *attributeRun) array() error {
	if err := r.OutFile(r.npy, "--npy"); err != nil {
		return err
	}
	if len(r.request.Targets) > 1 {
		return cmdline.Usage("--npy writes the map of one class or unit", "")
	}
	if len(r.Args) > 1 {
		return cmdline.Usage(fmt.Sprintf("--npy writes the map of one image, not of %d", len(r.Args)), "without --npy, arrays are written beside the pictures")
	}
	if n := r.Src.Len(); n > 1 {
		r.Note("--npy writes the map of one image: the first of %d is taken (see --index)", n)
	}
	x, err := r.Src.Load(0)
	if err != nil {
		return err
	}
	one := r.request.Request
	one.Method = r.request.Methods[0]
	step, end := r.Progress(string(one.Method))
	defer end()
	one.Progress = step
	results, err := r.explainer.Explain(r.Run.Context, x, one)
	if err != nil {
		return cmdline.RequestErr(err)
	}
	o, in := results[0], r.Session.Net.Input
	shape, values := o.Shape, o.Values
	if !r.raw {
		shape, values = []int{in.H, in.W}, o.PlaneAt(in.H, in.W)
	}
	if err := r.WriteArray(r.npy, shape, values); err != nil {
		return err
	}
	if o.Completeness != nil {
		r.Note("score %s, %s more than the baseline's; the map sums to that difference up to %s", view.Number(o.Score), view.Number(o.Completeness.Difference), view.Number(o.Completeness.Residual))
	}
	if r.JSON {
		return r.PrintJSON(map[string]any{"model": r.Session.Hash(), "method": o.Method, "target": o.Target.Name(r.Session.Net), "score": o.Score, "layers": o.Layers, "shape": shape, "completeness": o.Completeness, "forward_passes": o.Passes})
	}
	r.Wrote(r.npy)
	return nil
}
