package view

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/occlusion"
)

// ring is the built-in network, on one worker, and a picture of testdata.
func ring(t *testing.T) (*Session, Input) {
	t.Helper()
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(1)
	t.Cleanup(engine.Close)
	p, err := images.OpenFile(filepath.Join("..", "testdata", "ring.png"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := p.Tensor(net.Preprocess, net.Input)
	if err != nil {
		t.Fatal(err)
	}
	return NewSession(engine, net), Input{Name: "ring.png", Stem: "ring", Tensor: x}
}

// TestOcclusionValidate: what is wrong with a request is an error that names the field.
func TestOcclusionValidate(t *testing.T) {
	s, _ := ring(t)
	segments := make([]int32, 32*32)
	for _, c := range []struct {
		field string
		r     Occlusion
	}{
		{"patch", Occlusion{Options: occlusion.Options{Patch: [2]int{40, 4}}}},
		{"patch", Occlusion{Options: occlusion.Options{Sizes: [][2]int{{4, 40}}}}},
		{"patch", Occlusion{Options: occlusion.Options{Patch: [2]int{-1, 4}}}},
		{"stride", Occlusion{Options: occlusion.Options{Stride: [2]int{3, -1}}}},
		{"soft", Occlusion{Options: occlusion.Options{Soft: -1}}},
		{"mask", Occlusion{Options: occlusion.Options{Segments: segments[:9]}}},
		{"mask", Occlusion{Options: occlusion.Options{Segments: segments, Stride: [2]int{1, 1}}}},
		{"mask", Occlusion{Options: occlusion.Options{Segments: segments, Cover: true}}},
		{"method", Occlusion{Options: occlusion.Options{Method: "slow"}}},
		{"memory", Occlusion{Options: occlusion.Options{Memory: -1}}},
		{"class", Occlusion{Options: occlusion.Options{Classes: []int{10}}}},
		{"at", Occlusion{Options: occlusion.Options{At: &[2]int{0, 1}}}},
		{"paper", Occlusion{Paper: true, Options: occlusion.Options{Stride: [2]int{1, 1}}}},
		{"scale", Occlusion{Scale: PerTile}},
		{"scale", Occlusion{Scale: Fixed, Fixed: 1.5}},
		{"opacity", Occlusion{Opacity: 1.5}},
	} {
		_, err := s.Occluder(c.r)
		if e, ok := errors.AsType[*FieldError](err); !ok || e.Field != c.field {
			t.Errorf("%+v: %v, want an error about %s", c.r, err, c.field)
		}
	}
	if _, err := s.Occluder(Occlusion{}); err != nil {
		t.Errorf("the zero request: %v", err)
	}
	if _, err := s.Occluder(Occlusion{Options: occlusion.Options{Memory: 1}}); !isMemory(err) {
		t.Errorf("one byte of memory: %v", err)
	}
}

func isMemory(err error) bool {
	_, ok := errors.AsType[*occlusion.MemoryError](err)
	return ok
}

// TestOcclusionText: every field that results depend on is in the text, and those that they do not depend on are not.
func TestOcclusionText(t *testing.T) {
	o := func(o occlusion.Options) Occlusion { return Occlusion{Options: o} }
	seen := map[string]Occlusion{}
	fill := func(s string) occlusion.Fill {
		f, err := occlusion.ParseFill(s)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, r := range []Occlusion{
		{}, o(occlusion.Options{Patch: [2]int{8, 8}}), o(occlusion.Options{Patch: [2]int{8, 9}}), o(occlusion.Options{Patch: [2]int{8, 8}, Sizes: [][2]int{{9, 9}}}),
		o(occlusion.Options{Stride: [2]int{8, 8}}), o(occlusion.Options{Cover: true}), o(occlusion.Options{Fill: fill("blur")}), o(occlusion.Options{Fill: fill("noise:1")}),
		o(occlusion.Options{Fill: fill("noise:2")}), o(occlusion.Options{Soft: 1}), o(occlusion.Options{Segments: []int32{1, 2}}), o(occlusion.Options{Segments: []int32{2, 1}}),
		o(occlusion.Options{Classes: []int{1, 2}}), o(occlusion.Options{Classes: []int{12}}), o(occlusion.Options{At: &[2]int{1, 2}}), o(occlusion.Options{Layers: []string{"relu1"}}),
		o(occlusion.Options{Method: occlusion.Box}), {Paper: true}, {Scale: PerSeries}, {Scale: Fixed, Fixed: 0.5}, {Scale: Fixed, Fixed: 0.6}, {Opacity: 0.8},
	} {
		if other, ok := seen[r.Text()]; ok {
			t.Errorf("%+v and %+v are both %q", r, other, r.Text())
		}
		seen[r.Text()] = r
	}
	same := Occlusion{Options: occlusion.Options{Memory: 1 << 30, Batch: 3, Fill: fill("mean")}, Scale: PerPicture, Opacity: 0.55}
	if same.Text() != "" {
		t.Errorf("a request of defaults: %q", same.Text())
	}
}

// TestParse: texts of requests, and what is wrong with them.
func TestParse(t *testing.T) {
	patch, sizes, err := ParsePatches("8,6x10,8x8,3")
	if err != nil || patch != [2]int{8, 8} || len(sizes) != 2 || sizes[0] != [2]int{6, 10} || sizes[1] != [2]int{3, 3} {
		t.Errorf("patches %v %v, %v", patch, sizes, err)
	}
	for _, bad := range []string{"8,", "x", "8x", "0", "-3", "8x0", "8,9,", "99999999999999999999"} {
		if _, _, err := ParsePatches(bad); err == nil || !strings.HasPrefix(err.Error(), "patch "+strings.Split(bad, ",")[0]) && !strings.Contains(err.Error(), "missing") {
			t.Errorf("patch %s: %v", bad, err)
		}
	}
	if k, err := ParseClasses(&model.Network{Classes: []string{"Egyptian cat, tabby", "dog"}}, "Egyptian cat, tabby"); err != nil || len(k) != 1 || k[0] != 0 {
		t.Errorf("a name with a comma: %v, %v", k, err)
	}
	if k, err := ParseClasses(&model.Network{Classes: []string{"cat", "dog"}}, "dog, cat,1"); err != nil || len(k) != 2 || k[0] != 1 || k[1] != 0 {
		t.Errorf("two classes: %v, %v", k, err)
	}
	if at, err := ParseAt("3, 4"); err != nil || *at != [2]int{3, 4} {
		t.Errorf("at %v, %v", at, err)
	}
	if maps, err := ParseMaps("0,3-5,4", 6); err != nil || len(maps) != 4 {
		t.Errorf("maps %v, %v", maps, err)
	}
}

// TestOcclusionScale: a scale that is given, or that a series shares, is that of the picture.
func TestOcclusionScale(t *testing.T) {
	s, in := ring(t)
	o, err := s.Occluder(Occlusion{Scale: Fixed, Fixed: 0.5, Opacity: 0.8, Options: occlusion.Options{Stride: [2]int{8, 8}}})
	if err != nil {
		t.Fatal(err)
	}
	if style := o.style(in, 2, nil); style.Scale.Loss != 0.5 || style.Alpha != 0.8 || style.Class != 2 || style.Name != "ring.png" {
		t.Errorf("style %+v", style)
	}
	o.r.Scale = PerSeries
	maps, err := o.Scan(context.Background(), in.Tensor, nil)
	if err != nil {
		t.Fatal(err)
	}
	if series := SeriesScale(maps...); o.style(in, 0, series).Scale != series || series.Loss < 0.01 || len(series.Totals) != 1 {
		t.Errorf("series %+v", series)
	}
}

// TestOcclusionArrays: the arrays of a map, by name; positions are rows and columns of the patches' corners.
func TestOcclusionArrays(t *testing.T) {
	s, in := ring(t)
	o, err := s.Occluder(Occlusion{Options: occlusion.Options{Patch: [2]int{8, 6}, Stride: [2]int{12, 13}, Classes: []int{4, 2}, Layers: []string{"relu1", "relu5"}}})
	if err != nil {
		t.Fatal(err)
	}
	maps, err := o.Scan(context.Background(), in.Tensor, nil)
	if err != nil {
		t.Fatal(err)
	}
	names := ""
	arrays := OcclusionArrays(maps[0])
	for _, a := range arrays {
		names += a.Name + " "
		if n := len(a.Float) + len(a.Int); n != product(a.Shape) {
			t.Errorf("%s is %v with %d values", a.Name, a.Shape, n)
		}
	}
	if want := "prob logit pixel_drop prob-2 logit-2 pixel_drop-2 total total-relu5 argmax positions "; names != want {
		t.Errorf("%s, want %s", names, want)
	}
	if p := arrays[len(arrays)-1].Int; p[0] != 0 || p[1] != 0 || p[2] != 0 || p[3] != 13 || p[len(p)-2] != 24 || p[len(p)-1] != 26 {
		t.Errorf("positions %v", p)
	}
}

// TestMade: numbers that were kept are those of one request, network, name and picture only.
func TestMade(t *testing.T) {
	s, in := ring(t)
	r := Occlusion{Options: occlusion.Options{Patch: [2]int{16, 16}, Stride: [2]int{16, 16}}}
	figures, err := s.Occlude(context.Background(), r, in)
	if err != nil {
		t.Fatal(err)
	}
	n := figures[0].Numbers.(OcclusionNumbers)
	o, err := s.Occluder(r)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Made(n, in) {
		t.Error("the same request is another")
	}
	other := in
	other.Tensor = in.Tensor.Slice(0, 1)
	other.Tensor.Data = append([]float32{in.Tensor.Data[0] + 1}, in.Tensor.Data[1:]...)
	if o.Made(n, other) {
		t.Error("another picture of the same name is taken for the first")
	}
	r.Soft = 1
	if o, err = s.Occluder(r); err != nil || o.Made(n, in) {
		t.Errorf("another request is taken for the first (%v)", err)
	}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
