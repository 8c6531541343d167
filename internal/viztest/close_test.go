package viztest_test

import (
	"math"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/viztest"
)

func TestClose(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		got, want []float32
		tol       float64
		err       string // "": close
	}{
		{[]float32{1, 2}, []float32{1, 2}, 0, ""},
		{nil, nil, 0, ""},
		{[]float32{0.02, 4}, []float32{0, 4}, 0.01, ""}, // the largest, 4, sets the scale
		{[]float32{0.05, 4}, []float32{0, 4}, 0.01, "element 0 of 2 is 0.05, want 0"},
		{[]float32{1e-30}, []float32{0}, 1, "element 0"}, // all zero must be all zero
		{[]float32{0, 0}, []float32{0, 0}, 0, ""},
		{[]float32{nan, 1}, []float32{1, 1}, 1, "element 0"},
		{[]float32{1, nan}, []float32{1, nan}, 1, "element 1"},
		{[]float32{inf}, []float32{inf}, 0, ""},
		{[]float32{1}, []float32{inf}, 1, "element 0"},
		{[]float32{1}, []float32{1, 2}, 1, "1 values, want 2"},
	} {
		err := viztest.Close(c.got, c.want, c.tol)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v, %v, %g: error %v, want %q", c.got, c.want, c.tol, err, c.err)
		}
	}
}

// TestGolden reads every array that the manifests name.
func TestGolden(t *testing.T) {
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			if c.Case != name || c.Images(t).Shape[0] != len(c.TopClass) || c.Tolerance.Activations <= 0 {
				t.Errorf("manifest %+v", c.Manifest)
			}
			for rule, files := range c.Projections {
				for layer, file := range files {
					if got, want := len(c.Floats(t, file)), len(c.Units[layer])*c.Net.Input.Shape().Len(); got != want || want == 0 {
						t.Errorf("%s of %s: %d values, want %d", rule, layer, got, want)
					}
					for _, u := range c.Units[layer] {
						if err := c.Net.CheckUnit(u.At(layer)); err != nil {
							t.Error(err)
						}
					}
				}
			}
			for _, g := range c.GradCAM {
				if len(c.Floats(t, g.File)) != g.Shape[0]*g.Shape[1] {
					t.Errorf("class map of %s has the wrong size", g.Layer)
				}
			}
			for i, o := range c.Occlusion {
				n := o.Shape[0] * o.Shape[1]
				if len(c.Floats(t, o.Files.Logit)) != n || len(c.Floats(t, o.Files.Prob)) != n || len(c.Floats(t, o.Files.Total)) != n ||
					len(c.Ints(t, o.Files.ArgMax)) != n || len(c.Floats(t, o.Files.PixelDrop)) != c.Net.Input.H*c.Net.Input.W || len(o.Fill) != c.Net.Input.C {
					t.Errorf("occlusion %d has arrays of the wrong size", i)
				}
			}
			if c.Top9 != nil {
				for _, l := range c.Top9.Layers {
					if len(c.Floats(t, l.Value)) != len(c.Ints(t, l.Image)) || len(c.Ints(t, l.Place))%9 != 0 || len(c.Ints(t, c.Top9.Images)) == 0 {
						t.Error("top 9 have arrays of the wrong size")
					}
				}
			}
		})
	}
}
