package model_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
)

// TestPipe: a pipe that nobody writes to is refused, not waited for.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.bin")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for name, open := range map[string]func() error{
		"Load":        func() error { _, err := model.Load(pipe); return err },
		"LoadState":   func() error { _, _, err := model.LoadState(pipe); return err },
		"LoadWeights": func() error { _, err := model.LoadWeights(pipe, "alexnet", [2]int{}); return err },
		"onnx.Import": func() error { _, err := onnx.Import(pipe); return err },
	} {
		if err := open(); err == nil || err.Error() != "open "+pipe+": not a plain file" {
			t.Errorf("%s: got %v, want that it is not a plain file", name, err)
		}
	}
}
