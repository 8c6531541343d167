package onnx_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// readZip reads a file of testdata/detect.
func readZip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "detect", name+".onnx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestDetectors: of boxes with scores, the highest of each class are the image's,
// and the layer taken by default is one that all candidates depend on.
func TestDetectors(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "detect", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]float64
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	defer engine.Close()
	for name, p := range want {
		g, err := onnx.ReadGraph(readZip(t, name), onnx.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		net := g.Net
		r, err := net.Classifier()
		if err != nil || r.NumClasses() != len(p) || net.Scores != model.SigmoidScores {
			t.Errorf("%s: %v scores at %s, %v", name, net.Scores, net.Logits, err)
			continue
		}
		plan, err := engine.Compile(net, model.Keep{Layers: []string{net.Logits}})
		if err != nil {
			t.Fatal(err)
		}
		trace, err := plan.Run(waves(net.Input))
		if err != nil {
			t.Fatal(err)
		}
		got := r.Probabilities(trace.Value(net.Logits).Data)
		for i := range p {
			if math.Abs(got[i]-p[i]) > 2e-6 {
				t.Errorf("%s: class %d has %g, want %g", name, i, got[i], p[i])
			}
		}
		if len(g.Notes) == 0 || !strings.Contains(strings.Join(g.Notes, "\n"), "candidates with boxes") {
			t.Errorf("%s: notes %q", name, g.Notes)
		}
		levels := !strings.Contains("detr rt ssd nas", name)
		if last := net.LastSpatial(); levels && last != "/bk/Relu_1" || !levels && last != "/bk/Relu_2" {
			t.Errorf("%s: the last maps are those of %s", name, last)
		}
	}
	// The candidates themselves can be asked for.
	g, err := onnx.ReadGraph(readZip(t, "v8"), onnx.Options{Output: "output0"})
	if err != nil || g.Net.Node(g.Net.Logits) == nil || len(g.Notes) > 0 {
		t.Fatal(err, g.Notes)
	}
	if r, err := g.Net.Reading(); err != nil || r.Shape != (model.Shape{C: 10, H: 1, W: 20}) {
		t.Errorf("candidates are %+v, %v", r, err)
	}
}

// TestNoDetectors: networks with similar ends that have no boxes keep their scores.
func TestNoDetectors(t *testing.T) {
	maps := []part{input("x", 1, 2, 4, 4), floats("w", []int64{5, 2, 1, 1}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), op("Conv", "x w", "c"), longs("list", 1, 5, 16)}
	for name, graph := range map[string][]part{
		"sigmoids of maps":     join(maps, op("Sigmoid", "c", "y"), output("y")),
		"sigmoids of a list":   join(maps, op("Reshape", "c list", "r"), op("Sigmoid", "r", "y"), output("y")),
		"five and a sigmoid":   join(maps, op("Sigmoid", "c", "s"), op("Concat", "c s", "cat", integer("axis", 1)), longs("ten", 1, 10, 16), op("Reshape", "cat ten", "y"), output("y")),
		"features and classes": join(maps, op("Reshape", "c list", "r"), op("Transpose", "r", "f", ints("perm", 0, 2, 1)), op("Sigmoid", "f", "y"), output("y"), output("f")),
	} {
		g, err := onnx.ReadGraph(file(13, graph...), onnx.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(strings.Join(g.Notes, "\n"), "candidates") {
			t.Errorf("%s: notes %q, scores at %s", name, g.Notes, g.Net.Logits)
		}
	}
}
