package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/view"
)

// attributeDone reports whether all files of an image are there, from the same pixels with the same options.
func attributeDone(out *cmdline.Output, session *view.Session, r view.Attribution, in view.Input) bool {
	entries, err := os.ReadDir(out.Dir)
	if err != nil || out.One != "" || out.Stdout {
		return false
	}
	found := 0
	for _, e := range entries {
		base, isJSON := strings.CutSuffix(e.Name(), ".json")
		if !isJSON || !strings.HasPrefix(base, cmdline.FileName(view.AttributionPrefix(in))) {
			continue
		}
		path := filepath.Join(out.Dir, base)
		text, err := os.ReadFile(path + ".json")
		var n view.AttributionNumbers
		if err == nil && json.Unmarshal(text, &n) == nil && session.AttributionDone(r, in, n) && cmdline.IsFile(path+".png") && cmdline.IsFile(path+".npy") {
			found++
		}
	}
	return found >= max(len(r.Targets), 1)
}

// attributeArray writes one map as an array.
func attributeArray(c *cmdline.Run, s *view.Session, e *attribution.Explainer, r view.Attribution, src *images.Inputs) error {
	path := c.String("npy")
	if err := c.OutFile(path, "--npy"); err != nil {
		return err
	}
	if len(r.Targets) > 1 {
		return cmdline.Usage("--npy writes the map of one class or unit", "")
	}
	x, err := src.Load(0)
	if err != nil {
		return err
	}
	one := r.Request
	one.Method = r.Methods[0]
	step, end := c.Progress(string(one.Method))
	defer end()
	one.Progress = step
	results, err := e.Explain(c.Context, x, one)
	if err != nil {
		return cmdline.RequestErr(err)
	}
	o := results[0]
	shape, values := o.Shape, o.Values
	if !c.Bool("raw") {
		shape, values = []int{s.Net.Input.H, s.Net.Input.W}, o.PlaneAt(s.Net.Input.H, s.Net.Input.W)
	}
	if err := npy.WriteFile(path, shape, values); err != nil {
		return err
	}
	if o.Completeness != nil {
		c.Note("score %s, from the baseline's by %s; the map adds up to that but for %s", view.Number(o.Score), view.Number(o.Completeness.Difference), view.Number(o.Completeness.Residual))
	}
	if c.JSON {
		return c.PrintJSON(map[string]any{"model": s.Hash(), "method": o.Method, "target": o.Target.Name(s.Net), "score": o.Score, "layers": o.Layers, "shape": shape, "completeness": o.Completeness, "forward_passes": o.Passes})
	}
	c.Wrote(path)
	return nil
}
