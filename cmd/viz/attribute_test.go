package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/viztest"
)

// TestAttributeGolden meets the reference maps as a user would: an array in, an array out.
func TestAttributeGolden(t *testing.T) {
	networks := viztest.Networks
	if testing.Short() {
		networks = networks[:1] // the library's tests have all of them
	}
	for _, name := range networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			dir := c.Dir
			if _, err := os.Stat(filepath.Join(dir, "attribution")); err != nil {
				dir = filepath.Join(viztest.Shared(t), "golden", name)
			}
			text, err := os.ReadFile(filepath.Join(dir, "attribution", "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			var manifest struct {
				Constants []float32
				Arrays    []struct {
					File, Rectified, Method, Layer, Baseline string
					Class, Nodes                             int
					Shape                                    []int
					Tolerance                                float64
				}
			}
			if err := json.Unmarshal(text, &manifest); err != nil {
				t.Fatal(err)
			}
			var constants []string
			for _, v := range manifest.Constants {
				constants = append(constants, fmt.Sprint(v))
			}
			c.Dir = dir
			file, met := filepath.Join(t.TempDir(), "a.npy"), 0
			for _, a := range manifest.Arrays {
				args := []string{"attribute", "-q", "--model", filepath.Join(dir, c.Model), "--raw", "--npy", file, "--class", fmt.Sprint(a.Class)}
				switch {
				case a.Method == "saliency":
					args = append(args, "--method", "saliency")
				case a.Method == "input x gradient":
					args = append(args, "--method", "inputxgradient")
				case a.Nodes > 0:
					args = append(args, "--method", "ig", "--nodes", fmt.Sprint(a.Nodes))
					if a.Baseline != "zero" {
						args = append(args, "--baseline", strings.Join(constants, "/"))
					}
				case a.Rectified != "":
					args = append(args, "--method", a.Method, "--layer", a.Layer)
				default:
					continue
				}
				viz(t, append(args, filepath.Join(dir, c.Input.File))...)
				got, err := npy.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(got.Shape) != fmt.Sprint(a.Shape) {
					t.Errorf("%s: shape %v, want %v", a.File, got.Shape, a.Shape)
				}
				if err := viztest.Close(got.Float32, c.Floats(t, a.File), a.Tolerance); err != nil {
					t.Errorf("%s: %v", a.File, err)
				}
				met++
			}
			if met < 20 {
				t.Errorf("only %d arrays were met", met)
			}
		})
	}
}
