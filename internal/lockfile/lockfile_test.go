package lockfile

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Skip(err)
	}
	host, _ := os.Hostname()
	alive := processID(os.Getpid())
	for _, k := range []struct {
		name  string
		o     owner
		stale bool
	}{
		{"ended", owner{PID: cmd.Process.Pid, Host: host, Process: "boot 1"}, true},
		{"ended, start unknown", owner{PID: cmd.Process.Pid, Host: host}, true},
		{"its number given to another", owner{PID: os.Getpid(), Host: host, Process: "boot 1"}, alive != ""},
		{"running", owner{PID: os.Getpid(), Host: host, Process: alive}, false},
		{"on another host", owner{PID: cmd.Process.Pid, Host: host + "x"}, false},
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
		unlock, err := Take(dir, "viz train", nil)
		if (err == nil) != k.stale {
			t.Errorf("%s: got %v, want it taken over: %v", k.name, err, k.stale)
		}
		if err == nil {
			unlock()
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("%s: %v is left", k.name, left)
			}
		}
	}
}

// TestLockRace lets many try to take over one stale lock: one gets it.
func TestLockRace(t *testing.T) {
	dir := t.TempDir()
	host, _ := os.Hostname()
	text, _ := json.Marshal(owner{PID: 1 << 30, Host: host})
	if err := os.WriteFile(filepath.Join(dir, ".lock"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	var got sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := Take(dir, "viz train", nil); err == nil {
				got.Store(i, true)
			}
		})
	}
	wg.Wait()
	n := 0
	got.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d have the lock, want 1", n)
	}
}
