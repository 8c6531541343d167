package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// attributeDone reports whether all files of an image are there, from the same pixels with the same options.
func attributeDone(out *output, session *view.Session, r view.Attribution, in view.Input) bool {
	entries, err := os.ReadDir(out.dir)
	if err != nil || out.one != "" || out.stdout {
		return false
	}
	found := 0
	for _, e := range entries {
		base, isJSON := strings.CutSuffix(e.Name(), ".json")
		if !isJSON || !strings.HasPrefix(base, fileName(view.AttributionPrefix(in))) {
			continue
		}
		path := filepath.Join(out.dir, base)
		text, err := os.ReadFile(path + ".json")
		var n view.AttributionNumbers
		if err == nil && json.Unmarshal(text, &n) == nil && session.AttributionDone(r, in, n) && isFile(path+".png") && isFile(path+".npy") {
			found++
		}
	}
	return found >= max(len(r.Targets), 1)
}

// attributeArray writes one map as an array.
func attributeArray(c *cli.Context, s *view.Session, e *attribution.Explainer, r view.Attribution, src *images.Inputs) error {
	path, i := c.String("npy"), c.Int("index")
	if err := outFile(c, path, "--npy"); err != nil {
		return err
	}
	if i >= src.Len() {
		return usage(fmt.Sprintf("--index %d: there are %d images, counted from 0", i, src.Len()), "")
	}
	if len(r.Targets) > 1 {
		return usage("--npy writes the map of one class or unit", "")
	}
	x, err := src.Load(i)
	if err != nil {
		return err
	}
	one := r.Request
	one.Method = r.Methods[0]
	step, end := progress(c, string(one.Method))
	defer end()
	one.Progress = step
	results, err := e.Explain(c.Context, x, one)
	if err != nil {
		return requestErr(err)
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
		note(c, "score %s, from the baseline's by %s; the map adds up to that but for %s", view.Number(o.Score), view.Number(o.Completeness.Difference), view.Number(o.Completeness.Residual))
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"model": s.Hash(), "method": o.Method, "target": o.Target.Name(s.Net), "score": o.Score, "layers": o.Layers, "shape": shape, "completeness": o.Completeness, "forward_passes": o.Passes})
	}
	wrote(c, path)
	return nil
}
