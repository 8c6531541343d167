package open

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// TestPipe: a pipe that nobody writes to and a device without end are refused by every door, not waited for.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for door, enter := range map[string]func(path string) error{
		"open.Network":      func(p string) error { _, err := Network(p, Options{}); return err },
		"open.Network like": func(p string) error { _, _, err := sizeOf(p); return err },
		"open.IsONNX":       func(p string) error { _, err := IsONNX(p); return err },
		"open.Weights":      func(p string) error { _, err := Weights(p, "resnet18", "", Options{}); return err },
		"open.Labels":       func(p string) error { _, err := Labels(p, &model.Network{}); return err },
		"notes":             func(p string) error { _, err := readSmall(p); return err },
		"model.Load":        func(p string) error { _, err := model.Load(p); return err },
		"model.LoadWeights": func(p string) error { _, err := model.LoadWeights(p, "resnet18", [2]int{}); return err },
		"onnx.Import":       func(p string) error { _, err := onnx.Import(p); return err },
		"onnx.ImportGraph":  func(p string) error { _, err := onnx.ImportGraph(p, onnx.Options{}); return err },
		"npy.ReadFile":      func(p string) error { _, err := npy.ReadFile(p); return err },
		"imageio.Open":      func(p string) error { _, err := imageio.Open(p); return err },
		"imageio.ReadPlain": func(p string) error { _, err := imageio.ReadPlain(p); return err },
	} {
		for _, path := range []string{pipe, "/dev/zero"} {
			if err := enter(path); err == nil || !strings.Contains(err.Error(), "not a plain file") {
				t.Errorf("%s of %s: got %v, want that it is not a plain file", door, path, err)
			}
		}
	}
}
