package main

import (
	"context"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/deconvnet/viz/internal/cmdline"
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

// TestHangup: a terminal that is closed, or nobody reading the progress, loses no training.
func TestHangup(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	viz := filepath.Join(t.TempDir(), "viz")
	if out, err := exec.Command("go", "build", "-o", viz, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := t.TempDir()
	args := []string{"train", "--limit", "40", "--width", "0.1", "--batch", "5", "--eval-every", "5"}
	cmd := exec.Command(viz, append(args, "--steps", "100", "--out", filepath.Join(dir, "pipe.bin"))...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stderr.Read(make([]byte, 10))
	stderr.Close()
	if err := cmd.Wait(); err != nil || !cmdline.IsFile(filepath.Join(dir, "pipe.bin")) {
		t.Errorf("with a closed stderr: %v", err)
	}

	cmd = exec.Command(viz, append(args, "--steps", "1000000", "--out", filepath.Join(dir, "hangup.bin"))...)
	if stderr, err = cmd.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for text := ""; !strings.Contains(text, "viz: step"); {
		b := make([]byte, 4096)
		n, err := stderr.Read(b)
		if text += string(b[:n]); err != nil {
			t.Fatal(text, err)
		}
	}
	cmd.Process.Signal(syscall.SIGHUP)
	io.Copy(io.Discard, stderr)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 || !cmdline.IsFile(filepath.Join(dir, "hangup.bin")) {
		t.Errorf("after SIGHUP: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// TestNobodyReads: what is said beside the result is not what a run is judged by.
func TestNobodyReads(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range []string{
		"train --limit 20 --width 0.1 --batch 5 --steps 2", "features --data shapes --limit 4", "features merge --out all.idx features.idx", "classify --data shapes --limit 2", "occlude --data shapes --limit 1 --stride 16",
		"attribute --data shapes --limit 1 --method saliency", "sanity --data shapes --limit 1 --method saliency", "faithful --data shapes --limit 1 --method saliency --steps 2 --subsets 2",
		"evolve --data shapes --limit 3 ckpt.bin ckpt.bin", "deconv --layer 1 --maps 0 --data shapes --limit 2", "import --out other.bin ckpt.bin", "export --onnx ckpt.bin", "inspect", "eval --limit 3",
	} {
		if code := run(t.Context(), append([]string{"viz"}, strings.Fields(args)...), io.Discard, closed{}); code != 0 {
			var said strings.Builder
			run(t.Context(), append([]string{"viz"}, strings.Fields(args)...), io.Discard, &said)
			t.Errorf("viz %s: exit code %d; with a terminal: %s", args, code, said.String())
		}
	}
}

// closed is a terminal that is gone.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, syscall.EPIPE }
