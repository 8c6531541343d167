package view

import (
	"math"
	"slices"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
)

// TestAttributionFigures: scales are what the numbers say, arrays are what the methods
// gave, and 0 of a signed map is mid-grey.
func TestAttributionFigures(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	photo, err := images.OpenFile("../testdata/star.png")
	if err != nil {
		t.Fatal(err)
	}
	x, err := photo.Tensor(net.Preprocess, net.Input)
	if err != nil {
		t.Fatal(err)
	}
	s, e := NewSession(engine, net), attribution.New(engine, net)
	in := Input{Name: "star.png", Stem: "star", Tensor: x}
	r := Attribution{Methods: []attribution.Method{attribution.Saliency, attribution.InputXGradient, attribution.GradCAM, attribution.Occlusion}}
	u := model.Unit{Layer: net.LastSpatial(), Channel: 3, Y: 2, X: 2}
	r.Targets = []attribution.Target{attribution.Class(5), attribution.Unit(u)}
	figures, err := s.Attribution(t.Context(), e, r, in)
	if err != nil {
		t.Fatal(err)
	}
	// Occlusion does not know units, and a run of several targets is one; so it is named for both.
	if len(figures) != 2 || figures[0].Name != "attribute-star-star" || !slices.Equal(figures[1].Array.Shape, []int{4, 32, 32}) {
		t.Fatalf("%d figures, %q", len(figures), figures[0].Name)
	}
	n := figures[0].Numbers.(AttributionNumbers)
	for i, part := range n.Methods[:3] {
		results, err := e.Explain(t.Context(), x, attribution.Request{Method: part.Method, Targets: r.Targets[:1]})
		if err != nil {
			t.Fatal(err)
		}
		if got := figures[0].Array.Data[i*1024 : (i+1)*1024]; !slices.Equal(got, results[0].PlaneAt(32, 32)) {
			t.Errorf("%s: another map in the array", part.Method)
		}
		if n.Score != results[0].Score {
			t.Errorf("score %g, want %g", n.Score, results[0].Score)
		}
		plane := results[0].Plane()
		want := render.PercentileAbs(plane, 99.5)
		if part.Method == attribution.GradCAM {
			want = render.MaxAbs(plane)
		}
		lo, outside := 0.0, 0
		if part.Method == attribution.InputXGradient {
			lo = -want
		}
		for _, v := range plane {
			if math.Abs(float64(v)) > want {
				outside++
			}
		}
		if part.Hi != want || part.Lo != lo || part.Outside != outside || part.Problem != "" {
			t.Errorf("%+v, want %g to %g, %d outside", part, lo, want, outside)
		}
	}
	if n.Methods[3].Problem == "" || n.Class == nil || *n.Class != 5 || figures[1].Numbers.(AttributionNumbers).Class != nil {
		t.Errorf("%+v", n)
	}
	one, err := s.Attribution(t.Context(), e, Attribution{Request: attribution.Request{Targets: r.Targets[:1]}}, in)
	if err != nil {
		t.Fatal(err)
	}
	numbers := one[0].Numbers.(AttributionNumbers)
	if c := numbers.Methods[0].Completeness; !slices.Equal(one[0].Array.Shape, []int{3, 32, 32}) || c == nil || c.Nodes != 50 {
		t.Errorf("%+v", numbers)
	}
	if !s.AttributionDone(Attribution{Request: attribution.Request{Targets: r.Targets[:1]}}, in, numbers) || s.AttributionDone(r, in, numbers) {
		t.Error("a request does not know its own numbers, or takes others for its own")
	}
	f := attributionPanels{picture: in.picture(net), h: 32, w: 32, k: 1, opacity: 1}
	flat := &attribution.Result{Method: attribution.InputXGradient, Shape: []int{1, 1, 2}, Values: []float32{0, 2}}
	alone, over := f.panels(flat, &AttributionMethod{})
	if r, g, b, _ := alone.Image.At(0, 0).RGBA(); r>>8 != 128 || g>>8 != 128 || b>>8 != 128 {
		t.Errorf("0 is drawn as %d, %d, %d", r>>8, g>>8, b>>8)
	}
	if over.Image.At(0, 0) != f.picture.At(0, 0) || over.Image.At(31, 0) == f.picture.At(31, 0) {
		t.Error("the overlay is not as opaque as strong")
	}
	for _, bad := range []Attribution{{Opacity: 2}, {Methods: []attribution.Method{"magic"}}, {Request: attribution.Request{Nodes: -1}}} {
		if _, ok := bad.Validate().(*FieldError); !ok {
			t.Errorf("%+v: %v", bad, bad.Validate())
		}
	}
}
