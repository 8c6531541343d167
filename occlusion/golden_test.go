package occlusion_test

import (
	"context"
	"slices"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
)

// TestGolden holds every stored occlusion array to ours.
func TestGolden(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			x := c.Images(t)
			for i, want := range c.Occlusion {
				m, err := occlusion.Scan(context.Background(), engine, c.Net, x.Slice(want.Image, want.Image+1), occlusion.Options{
					Patch: want.Patch, Stride: want.Stride, Fill: occlusion.Fill{Kind: "value", Values: want.Fill},
					Classes: []int{want.Class}, Layers: []string{want.Layer}})
				if err != nil {
					t.Fatal(err)
				}
				if got := []int{m.Rows, m.Cols}; !slices.Equal(got, want.Shape) {
					t.Fatalf("occlusion %d: %v positions, want %v", i, got, want.Shape)
				}
				if m.Totals[0].Channel != want.Map {
					t.Errorf("occlusion %d: strongest map %d, want %d", i, m.Totals[0].Channel, want.Map)
				}
				if m.CleanBest != want.Class {
					t.Errorf("occlusion %d: top class %d, want %d", i, m.CleanBest, want.Class)
				}
				if !slices.Equal(m.ArgMax, c.Ints(t, want.Files.ArgMax)) {
					t.Errorf("occlusion %d: most probable classes differ", i)
				}
				for _, a := range []struct {
					name string
					got  []float32
					file string
				}{{"prob", m.Prob[0], want.Files.Prob}, {"logit", m.Logit[0], want.Files.Logit},
					{"total", m.Totals[0].Total, want.Files.Total}, {"pixel_drop", covered(m.PixelDrop[0]), want.Files.PixelDrop}} {
					if err := viztest.Close(a.got, c.Floats(t, a.file), c.Tolerance.Occlusion); err != nil {
						t.Errorf("occlusion %d: %s: %v", i, a.name, err)
					}
				}
			}
		})
	}
}

// covered gives the golden files' value, 0, to pixels that no patch covers.
func covered(drop []float32) []float32 {
	out := slices.Clone(drop)
	for i, v := range out {
		if v != v {
			out[i] = 0
		}
	}
	return out
}
