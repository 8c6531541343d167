package view

import (
	"context"
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

var update = flag.Bool("update", false, "rewrite the pictures in testdata")

// goldenSheet is a sheet of two maps of which one answers much more than the other, each on its own scale.
func goldenSheet(t *testing.T, s *Session, _ Input) Figure {
	src, layer := shapesIndex(t, s, "relu2")
	maps := firing(layer, 2)
	_, top := maps[0], layer.Top[maps[0]]
	for k, hits := range layer.Top { // the weakest that fires four times
		if len(hits) == 4 && hits[3].Value > 0 && topValue(hits) < topValue(top) {
			maps[1], top = k, hits
		}
	}
	var out Figure
	_, err := s.Sheets(context.Background(), Sheets{Maps: maps, Top: 4, Scale: PerMap}, src, layer, func(sheet Sheet) error {
		out = sheet.Figure
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// goldenMap is the large figure of one map, each tile on its own scale.
func goldenMap(t *testing.T, s *Session, _ Input) Figure {
	src, layer := shapesIndex(t, s, "relu2")
	var out Figure
	err := s.Maps(context.Background(), Sheets{Maps: firing(layer, 1), Top: 2}, src, layer, func(f Figure) error { out = f; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shapesIndex is a few images of the built-in data set, and an index of them.
func shapesIndex(t *testing.T, s *Session, layer string) (*images.Inputs, *features.Layer) {
	src := testSource(t, s.Net, "shapes", 12)
	index, err := features.Collect(context.Background(), s.Engine, s.Net, src, features.Options{Layers: []string{layer}, Top: 4})
	if err != nil {
		t.Fatal(err)
	}
	return src, index.Layer(layer)
}

// goldenUnit is a unit whose receptive field lies high and to the right, partly outside the image.
func goldenUnit(t *testing.T, s *Session, in Input) Figure {
	r := Unit{Unit: model.Unit{Layer: "relu2", Channel: 3, Y: 6, X: 1}}
	p, err := s.ProjectUnit(r, in)
	if err != nil {
		t.Fatal(err)
	}
	if p.Box.Y0 == p.Box.X0 || p.MaxAbs() == 0 {
		t.Fatalf("the box %v or the projection tells nothing", p.Box)
	}
	return s.UnitFigure(r, in, p)
}

func goldenOcclusion(t *testing.T, s *Session, in Input) Figure {
	figures, err := s.Occlude(context.Background(), Occlusion{Options: occlusion.Options{Patch: [2]int{10, 6}, Stride: [2]int{5, 8}, Method: occlusion.Brute}}, in)
	if err != nil {
		t.Fatal(err)
	}
	return figures[0]
}

func goldenActivations(t *testing.T, s *Session, in Input) Figure {
	r := Activations{Layers: []string{"relu3"}, Most: 8, Scale: PerMap}
	plan, err := r.Plan(s, false)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := plan.Run(in.Tensor)
	if err != nil {
		t.Fatal(err)
	}
	figures, err := s.Activations(r, trace, in)
	if err != nil {
		t.Fatal(err)
	}
	return figures[0]
}

func goldenGradCAM(t *testing.T, s *Session, in Input) Figure {
	r := GradCAM{Layer: s.Net.LastSpatial()}
	plan, err := r.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := plan.Run(in.Tensor)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.GradCAM(r, trace, in)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestGolden compares figures with pictures in testdata. Kernels differ in the last bits, so a few pixels may
// differ by little.
func TestGolden(t *testing.T) {
	s, in := ring(t)
	for name, draw := range map[string]func(*testing.T, *Session, Input) Figure{
		"sheet": goldenSheet, "map": goldenMap, "unit": goldenUnit, "occlusion": goldenOcclusion, "activations": goldenActivations, "gradcam": goldenGradCAM,
	} {
		t.Run(name, func(t *testing.T) {
			got := draw(t, s, in).Image
			path := filepath.Join("testdata", name+".png")
			if *update {
				file, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(file, got); err != nil {
					t.Fatal(err)
				}
				if err := file.Close(); err != nil {
					t.Fatal(err)
				}
			}
			p, err := images.OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := different(got, p.Image); n > 200 {
				t.Errorf("%d pixels differ from %s (go test ./view -run Golden -update rewrites it: look at it first)", n, path)
			}
		})
	}
}

// different counts the pixels that differ by more than kernels may; all of them if the sizes do.
func different(a, b image.Image) (n int) {
	if a.Bounds().Size() != b.Bounds().Size() {
		return a.Bounds().Dx() * a.Bounds().Dy()
	}
	pa, pb := a.Bounds().Min, b.Bounds().Min
	near := func(v, w uint32) bool { return max(v, w)-min(v, w) <= 4<<8 }
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r1, g1, b1, _ := a.At(pa.X+x, pa.Y+y).RGBA()
			r2, g2, b2, _ := b.At(pb.X+x, pb.Y+y).RGBA()
			if !near(r1, r2) || !near(g1, g2) || !near(b1, b2) {
				n++
			}
		}
	}
	return n
}
