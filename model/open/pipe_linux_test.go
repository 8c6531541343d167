package open

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe: a pipe that nobody writes to is refused, not waited for.
func TestPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe.onnx")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := readHead(name); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Errorf("got %v, want that it is not a plain file", err)
	}
}
