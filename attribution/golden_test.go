package attribution_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// manifest lists reference values of a golden network, in float64 by an
// independent program.
type manifest struct {
	Constants []float32 `json:"constants"`
	Arrays    []entry   `json:"arrays"`
}

type entry struct {
	File       string
	Rectified  string
	Shape      []int
	Class      int
	Method     string
	Layer      string
	Baseline   string
	Nodes      int
	Tolerance  float64
	Logit      *float64
	Residual   float64
	Difference float64
}

// request is what an entry asks for; max: the largest magnitude over the channels.
func (a entry) request(constants []float32) (r attribution.Request, max, ok bool) {
	r.Targets = []attribution.Target{attribution.Class(a.Class)}
	name, _, _ := strings.Cut(a.Method, ",")
	switch name {
	case "integrated gradients":
		r.Method, r.Nodes = attribution.IntegratedGradients, a.Nodes
		if a.Baseline != "zero" {
			r.Baseline = attribution.Baseline{Kind: attribution.ConstantBaseline, Values: constants}
		}
		return r, false, true
	case "scorecam":
		r.Method, r.Layers = attribution.ScoreCAM, []string{a.Layer}
		return r, false, a.Rectified != ""
	}
	m, err := attribution.ParseMethod(name)
	r.Method = m
	if a.Layer != "" {
		r.Layers = []string{a.Layer}
	}
	return r, strings.HasPrefix(a.Method, "saliency, max"), err == nil
}

// goldenAttribution is a golden network's manifest of attributions, if it is here.
func goldenAttribution(t *testing.T, name string) (*viztest.Case, manifest, *tensor.Tensor) {
	t.Helper()
	c := viztest.Golden(t, name)
	if c.Net.Logits == "" {
		c.Net.Logits = c.Logits
	}
	dir := c.Dir
	text, err := os.ReadFile(filepath.Join(dir, "attribution", "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		dir = filepath.Join(viztest.Shared(t), "golden", name)
		text, err = os.ReadFile(filepath.Join(dir, "attribution", "manifest.json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Dir = dir
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return c, m, c.Images(t).Slice(0, 1)
}

// TestGolden meets every map of every golden network within its tolerance, and
// what else is said of it.
func TestGolden(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c, m, x := goldenAttribution(t, name)
			e := attribution.New(engine, c.Net)
			met := map[attribution.Method]int{}
			for _, a := range m.Arrays {
				r, magnitude, ok := a.request(m.Constants)
				if !ok {
					continue
				}
				results, err := e.Explain(context.Background(), x, r)
				if err != nil {
					t.Errorf("%s: %v", a.File, err)
					continue
				}
				got := results[0]
				values := got.Values
				if magnitude {
					values = got.Plane()
				}
				want := c.Floats(t, a.File)
				if err := viztest.Close(values, want, a.Tolerance); err != nil {
					t.Errorf("%s: %v", a.File, err)
				}
				if a.Rectified != "" {
					largest := 0.0
					for _, v := range want {
						largest = max(largest, math.Abs(float64(v)))
					}
					for i, v := range c.Floats(t, a.Rectified) {
						if d := math.Abs(float64(got.Plane()[i] - v)); !(d <= a.Tolerance*largest) {
							t.Errorf("%s: element %d is %g, want %g", a.Rectified, i, got.Plane()[i], v)
						}
					}
				}
				if a.Logit != nil && math.Abs(got.Score-*a.Logit) > 2e-5*max(1, math.Abs(*a.Logit)) {
					t.Errorf("%s: score %g, want %g", a.File, got.Score, *a.Logit)
				}
				if a.Nodes > 0 {
					sum := 0.0
					for _, v := range want {
						sum += math.Abs(float64(v))
					}
					if d := math.Abs(got.Completeness.Residual - a.Residual); d > a.Tolerance*sum {
						t.Errorf("%s: residual %g, want %g", a.File, got.Completeness.Residual, a.Residual)
					}
					if d := math.Abs(got.Completeness.Difference - a.Difference); d > 1e-4*max(1, math.Abs(a.Difference)) {
						t.Errorf("%s: difference %g, want %g", a.File, got.Completeness.Difference, a.Difference)
					}
				}
				met[r.Method]++
			}
			for _, method := range []attribution.Method{attribution.Saliency, attribution.InputXGradient, attribution.IntegratedGradients, attribution.GradCAM,
				attribution.GradCAMPlus, attribution.HiResCAM, attribution.XGradCAM, attribution.LayerCAM} {
				if met[method] == 0 {
					t.Errorf("no reference of %s was met", method)
				}
			}
		})
	}
}
