package imageio

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe: a pipe that nobody writes to is refused, not waited for.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.png")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for name, open := range map[string]func() error{
		"Open":      func() error { _, err := Open(pipe); return err },
		"OpenPlain": func() error { _, _, err := OpenPlain(pipe); return err },
		"ReadSmall": func() error { _, err := ReadSmall(pipe, 1); return err },
		"ReadText":  func() error { _, err := ReadText(pipe); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "open "+pipe+": not a plain file") {
			t.Errorf("%s: got %v, want that it is not a plain file", name, err)
		}
	}
}
