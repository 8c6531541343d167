package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"
)

func lockContext() *cli.Context {
	return cli.NewContext(&cli.App{ErrWriter: new(strings.Builder)}, nil, nil)
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	c := lockContext()
	for _, path := range []string{dir, filepath.Join(dir, "ckpt.bin")} {
		unlock, err := lock(c, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock(c, path); err == nil || !strings.Contains(err.Error(), "is in use by process") {
			t.Errorf("second lock of %s: %v", path, err)
		}
		unlock()
		again, err := lock(c, path)
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
		unlock, err := lock(lockContext(), dir)
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
			if _, err := lock(lockContext(), dir); err == nil {
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
	if err := cmd.Wait(); err != nil || !isFile(filepath.Join(dir, "pipe.bin")) {
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
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 || !isFile(filepath.Join(dir, "hangup.bin")) {
		t.Errorf("after SIGHUP: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}
