package lockfile

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLock(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "ckpt.bin")} {
		unlock, err := Take(path, "viz train", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Take(path, "viz train", nil); err == nil || !strings.Contains(err.Error(), "is in use by process") {
			t.Errorf("second lock of %s: %v", path, err)
		}
		unlock()
		again, err := Take(path, "viz train", nil)
		if err != nil {
			t.Fatal(err)
		}
		again()
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// TestLockStale takes over what processes left that are gone, and nothing else.
func TestLockStale(t *testing.T) {
	host, _ := os.Hostname()
	for _, k := range []struct {
		name  string
		o     owner
		stale bool
	}{
		{"ended", owner{PID: 1 << 30, Host: host}, true},
		{"its number given to another", owner{PID: os.Getpid(), Host: host}, true},
		{"on another host", owner{PID: 77, Host: host + "x"}, false},
		{"not whole", owner{}, true},
	} {
		dir := t.TempDir()
		text, _ := json.Marshal(k.o)
		if k.o.PID == 0 {
			text = nil
		}
		if err := os.WriteFile(filepath.Join(dir, ".lock"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		var notes []string
		unlock, err := Take(dir, "viz train", func(text string) { notes = append(notes, text) })
		if (err == nil) != k.stale {
			t.Errorf("%s: got %v, want it taken over: %v", k.name, err, k.stale)
		}
		if told := len(notes) > 0; told != (k.stale && k.o.PID != 0) {
			t.Errorf("%s: notes %q", k.name, notes)
		}
		if err == nil {
			unlock()
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("%s: %v is left", k.name, left)
			}
		}
	}
}

// TestLockKilled takes over the lock of a process that was killed, not before.
func TestLockKilled(t *testing.T) {
	if dir := os.Getenv("LOCKFILE_TEST_DIR"); dir != "" {
		if _, err := Take(dir, "viz train", nil); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("locked\n")
		select {} // until it is killed
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockKilled$")
	cmd.Env = append(os.Environ(), "LOCKFILE_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	if _, err := Take(dir, "viz train", nil); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("while it runs: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	unlock, err := Take(dir, "viz train", nil)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// TestLockRace lets many try to take over one stale lock, and give it up, at the same time: never do two have it.
func TestLockRace(t *testing.T) {
	dir := t.TempDir()
	host, _ := os.Hostname()
	text, _ := json.Marshal(owner{PID: 1 << 30, Host: host})
	if err := os.WriteFile(filepath.Join(dir, ".lock"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	var have, got atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				unlock, err := Take(dir, "viz train", nil)
				if err != nil {
					continue
				}
				if n := have.Add(1); n != 1 {
					t.Errorf("%d have the lock at once", n)
				}
				got.Add(1)
				runtime.Gosched()
				have.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if got.Load() == 0 {
		t.Error("nobody had the lock")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}
