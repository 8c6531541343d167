package main

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// trigger cancels a context when a text is written.
type trigger struct {
	mu     sync.Mutex
	at     string
	cancel func()
	all    strings.Builder
}

func (w *trigger) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if strings.Contains(w.all.String(), w.at) {
		w.cancel()
	}
	return len(p), nil
}

// TestInterrupt stops commands in the middle, as Ctrl-C does: exit code 130, and
// no half-written file stays.
func TestInterrupt(t *testing.T) {
	photo, err := filepath.Abs("../../testdata/ring.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, args string }{
		{"images:", "deconv --model shapes --layer 5 --out ."},
		{"images:", "demo --out demo"},
		{"relu5.png", "demo --out demo"},
		{"positions", "occlude --model shapes --stride 1 --out new/folder " + photo},
		{"images:", "eval --model shapes --json"},
		{"images:", "pointing --model shapes"},
		{"images:", "activations --model shapes --data shapes --layer all --npy acts"},
		{"model:", "filters --model shapes --out filters"},
	} {
		t.Chdir(t.TempDir())
		ctx, cancel := context.WithCancel(context.Background())
		w := &trigger{at: c.at, cancel: cancel}
		if code := run(ctx, append([]string{"viz"}, strings.Fields(c.args)...), w, w); code != 130 {
			t.Errorf("viz %s: exit code %d, want 130", c.args, code)
		}
		if !strings.HasSuffix(w.all.String(), "viz: interrupted\n") {
			t.Errorf("viz %s: last words %q", c.args, w.all.String())
		}
		filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
			ext := filepath.Ext(path)
			whole := ext == ".png" || ext == ".json" || ext == ".npy" // pictures that were finished before
			if demo := strings.HasPrefix(c.args, "demo"); path != "." && !(demo && (whole || path == "demo")) {
				t.Errorf("viz %s: %s stays", c.args, path)
			}
			return err
		})
		cancel()
	}
}
