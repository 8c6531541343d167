package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/viztest"
)

// viz runs the program in this process and returns its stdout.
func viz(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), append([]string{"viz"}, args...), &stdout, &stderr); code != 0 {
		t.Fatalf("viz %s: exit code %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

func floats(t *testing.T, path string) []float32 {
	t.Helper()
	a, err := npy.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return a.Float32
}

// TestGoldenThroughCommand checks the golden arrays as a user would: the network
// imported to a checkpoint, arrays in and arrays out.
func TestGoldenThroughCommand(t *testing.T) {
	networks := viztest.Networks
	if testing.Short() {
		networks = networks[:1] // the library's tests have all of them
	}
	for _, name := range networks {
		t.Run(name, func(t *testing.T) {
			c := viztest.Golden(t, name)
			dir := t.TempDir()
			ckpt := filepath.Join(dir, "ckpt.bin")
			input := filepath.Join(c.Dir, c.Input.File)
			viz(t, "import", "-q", "--out", ckpt, filepath.Join(c.Dir, c.Model))

			acts := filepath.Join(dir, "acts")
			viz(t, "activations", "-q", "--model", ckpt, "--layer", "all", "--max", "1", "--npy", acts, input)
			for _, l := range c.Layers {
				if err := viztest.Close(floats(t, filepath.Join(acts, l.Name+".npy")), c.Floats(t, l.File), c.Tolerance.Activations); err != nil {
					t.Errorf("%s: %v", l.Name, err)
				}
				if l.Switches != "" {
					a, err := npy.ReadFile(filepath.Join(acts, l.Name+".switches.npy"))
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(a.Int32, c.Ints(t, l.Switches)) {
						t.Errorf("%s: switches differ", l.Name)
					}
				}
			}

			unit := filepath.Join(dir, "unit.npy")
			for rule, files := range c.Projections {
				for layer, file := range files {
					var got []float32
					for _, u := range c.Units[layer] {
						viz(t, "deconv", "-q", "--model", ckpt, "--rule", rule, "--unit", fmt.Sprintf("%s:%d:%d:%d", layer, u.Map, u.Row, u.Col),
							"--index", fmt.Sprint(u.Image), "--npy", unit, input)
						got = append(got, floats(t, unit)...)
					}
					if err := viztest.Close(got, c.Floats(t, file), c.Tolerance.Projections); err != nil {
						t.Errorf("%s %s: %v", rule, layer, err)
					}
				}
			}

			for i, o := range c.Occlusion {
				var fill []string
				for _, v := range o.Fill {
					fill = append(fill, fmt.Sprint(v))
				}
				x := c.Images(t).Slice(o.Image, o.Image+1)
				one := filepath.Join(dir, "one.npy")
				if err := npy.WriteFile(one, x.Shape, x.Data); err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(dir, "occlusion")
				viz(t, "occlude", "-q", "--model", ckpt, "--class", fmt.Sprint(o.Class), "--layer", o.Layer, "--fill", "input:"+strings.Join(fill, ","),
					"--size", fmt.Sprintf("%dx%d", o.Patch[0], o.Patch[1]), "--stride", fmt.Sprintf("%dx%d", o.Stride[0], o.Stride[1]),
					"--npy", out, "--out", filepath.Join(dir, "pictures"), one)
				for file, want := range map[string]string{"prob": o.Files.Prob, "logit": o.Files.Logit, "total": o.Files.Total, "pixel_drop": o.Files.PixelDrop} {
					got := floats(t, filepath.Join(out, file+".npy"))
					for i, v := range got {
						if v != v && file == "pixel_drop" {
							got[i] = 0 // no patch covers the pixel, for which the golden files have 0
						}
					}
					if err := viztest.Close(got, c.Floats(t, want), c.Tolerance.Occlusion); err != nil {
						t.Errorf("occlusion %d %s: %v", i, file, err)
					}
				}
				a, err := npy.ReadFile(filepath.Join(out, "argmax.npy"))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(a.Int32, c.Ints(t, o.Files.ArgMax)) {
					t.Errorf("occlusion %d: most probable classes differ", i)
				}
			}
		})
	}
}
