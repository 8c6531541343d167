package faith_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/deconvnet/viz/attribution/faith"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/viztest"
	"github.com/deconvnet/viz/model"
)

// TestGolden meets the curves and subsets of the golden networks, made in float64 by
// an independent program.
func TestGolden(t *testing.T) {
	engine := model.NewEngine(2)
	defer engine.Close()
	for _, name := range viztest.Networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			if c.Net.Logits == "" {
				c.Net.Logits = c.Logits
			}
			text, err := os.ReadFile(filepath.Join(c.Dir, "attribution", "manifest.json"))
			if errors.Is(err, fs.ErrNotExist) {
				c.Dir = filepath.Join(viztest.Shared(t), "golden", name)
				text, err = os.ReadFile(filepath.Join(c.Dir, "attribution", "manifest.json"))
			}
			if err != nil {
				t.Fatal(err)
			}
			var m struct {
				Constants []float32
				Arrays    []struct {
					File, Method, Order, Subsets string
					Shape                        []int
					Class, Steps                 int
					Area, Tolerance, Infidelity  float64
					SensitivityN                 float64 `json:"sensitivity_n"`
				}
			}
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			in, ctx := c.Net.Input, context.Background()
			x, plane := c.Images(t).Data[:in.Shape().Len()], in.H*in.W
			constant := make([]float32, len(x))
			for i := range constant {
				constant[i] = m.Constants[i/plane]
			}
			curves := 0
			var shares []float64
			for _, a := range m.Arrays {
				p, err := faith.NewProbe(engine, c.Net, model.Target{Class: a.Class})
				if err != nil {
					t.Fatal(err)
				}
				from, to := x, constant
				switch {
				case a.Method == "insertion":
					from, to = constant, x
				case strings.HasPrefix(a.Method, "sum of input x gradient"):
					for _, v := range c.Floats(t, a.File) {
						shares = append(shares, float64(v))
					}
					continue
				case a.Subsets != "":
					file, err := npy.ReadFile(filepath.Join(c.Dir, a.Subsets))
					if err != nil {
						t.Fatal(err)
					}
					flat, sets := file.Int32, [][]int{}
					for i := range file.Shape[0] {
						n := file.Shape[1]
						set := make([]int, n)
						for j := range set {
							set[j] = int(flat[i*n+j])
						}
						sets = append(sets, set)
					}
					drops, err := p.Drops(ctx, x, sets)
					if err != nil {
						t.Fatal(err)
					}
					close32(t, a.File, drops, c.Floats(t, a.File), a.Tolerance)
					if d := faith.SensitivityN(shares, drops) - a.SensitivityN; math.Abs(d) > 1e-5 {
						t.Errorf("sensitivity-n off by %g", d)
					}
					if v := faith.Infidelity(shares, drops); math.Abs(v-a.Infidelity) > 1e-4*a.Infidelity {
						t.Errorf("infidelity %g, want %g", v, a.Infidelity)
					}
					own := c.Floats(t, "attribution/"+filepath.Base(strings.Replace(a.File, "subset_drop", "input_x_gradient", 1)))
					close32(t, "shares", faith.Shares(own, plane, sets), float32s(shares), 1e-5)
					continue
				case a.Steps == 0:
					continue
				}
				order := faith.Order(c.Floats(t, "attribution/"+a.Order+".npy"))
				got, err := p.Curve(ctx, from, to, order, a.Steps)
				if err != nil {
					t.Fatal(err)
				}
				close32(t, a.File, got, c.Floats(t, a.File), a.Tolerance)
				if d := faith.Area(got) - a.Area; math.Abs(d) > 1e-5 {
					t.Errorf("%s: area off by %g", a.File, d)
				}
				curves++
			}
			if curves < 4 || shares == nil {
				t.Errorf("%d curves", curves)
			}
		})
	}
}

func float32s(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

func close32(t *testing.T, what string, got []float64, want []float32, tolerance float64) {
	t.Helper()
	if err := viztest.Close(float32s(got), want, tolerance); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// fixture reads a map and the JSON file of a folder.
func fixture(t *testing.T, folder, file string, v any) func(name string) *npy.Array {
	t.Helper()
	dir := viztest.GoldenDir(t, folder)
	text, err := os.ReadFile(filepath.Join(dir, file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
	return func(name string) *npy.Array {
		a, err := npy.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

// TestSimilarity: values of scipy and scikit-image.
func TestSimilarity(t *testing.T) {
	for _, name := range []string{"noisy", "signed", "tied"} {
		var want struct {
			Spearman float64
			Absolute float64 `json:"spearman_magnitude"`
			SSIM     float64
			Gaussian float64 `json:"ssim_gaussian"`
		}
		read := fixture(t, "similarity", name, &want)
		a, b := read(name+".a.npy"), read(name+".b.npy")
		h, w := a.Shape[0], a.Shape[1]
		for what, d := range map[string]float64{
			"spearman":           faith.Spearman(a.Float32, b.Float32, false) - want.Spearman,
			"spearman_magnitude": faith.Spearman(a.Float32, b.Float32, true) - want.Absolute,
			"ssim":               faith.SSIM(a.Float32, b.Float32, h, w, faith.UniformWindow()) - want.SSIM,
			"ssim_gaussian":      faith.SSIM(a.Float32, b.Float32, h, w, faith.GaussianWindow()) - want.Gaussian,
		} {
			if !(math.Abs(d) < 1e-5) {
				t.Errorf("%s: %s off by %g", name, what, d)
			}
		}
	}
	flat := make([]float32, 64)
	nan := float32(math.NaN())
	if v := faith.Spearman([]float32{1, nan, 2, 3, 9}, []float32{5, 7, 4, nan, 3}, false); math.Abs(v+1) > 1e-15 {
		t.Errorf("places that are NaN count: got %v, want -1", v)
	}
	if v := faith.Spearman([]float32{nan, nan}, []float32{1, 2}, true); !math.IsNaN(v) {
		t.Errorf("of no place at all: got %v, want NaN", v)
	}
	if v := faith.Spearman(flat, flat, false); !math.IsNaN(v) {
		t.Errorf("rank correlation of constant maps is %g", v)
	}
	if v := faith.SSIM(flat, flat, 8, 8, faith.UniformWindow()); v != 1 {
		t.Errorf("similarity of equal constant maps is %g", v)
	}
	if v := faith.SSIM([]float32{1, 2}, []float32{2, 1}, 1, 2, faith.UniformWindow()); !math.IsNaN(v) {
		t.Errorf("similarity of maps smaller than the window is %g", v)
	}
}

// TestPointing meets the stored answers.
func TestPointing(t *testing.T) {
	cases := 0
	for _, name := range []string{"negative", "peak", "ties", "zero"} {
		var want struct {
			Map   string
			Cases []struct {
				Boxes [][4]int
				faith.Pointed
			}
		}
		read := fixture(t, "pointing", name, &want)
		m := read(want.Map)
		for i, c := range want.Cases {
			got := faith.Point(m.Float32, m.Shape[1], c.Boxes)
			near := (got.Energy == nil) == (c.Energy == nil) && (got.Energy == nil || math.Abs(*got.Energy-*c.Energy) < 1e-5)
			if !near || got.Hit != c.Hit || !reflect.DeepEqual(got.Point, c.Point) {
				t.Errorf("%s %d: %+v, want %+v", name, i, got, c.Pointed)
			}
			cases++
		}
	}
	if cases < 6 {
		t.Errorf("%d cases", cases)
	}
}

// TestScaledInfidelity knows attributions that foretell drops but for a factor, and by hand what others miss.
func TestScaledInfidelity(t *testing.T) {
	drops := []float64{1, -2, 3}
	for _, c := range []struct {
		shares []float64
		want   float64
	}{{[]float64{-2, 4, -6}, 0}, {[]float64{2, 1, 0}, 1}, {[]float64{0, 0, 0}, 1}, {[]float64{1, 1, 1}, 1 - 4.0/3/14}} {
		if got := faith.ScaledInfidelity(c.shares, drops); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %g, want %g", c.shares, got, c.want)
		}
	}
	if got := faith.ScaledInfidelity([]float64{1, 2}, []float64{0, 0}); !math.IsNaN(got) {
		t.Errorf("nothing drops: %g", got)
	}
}
