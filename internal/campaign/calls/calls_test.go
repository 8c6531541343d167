//go:build linux && amd64

package calls

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestMain is the program that is watched, if it is run for that: it writes a file in pieces and renames it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CALLS_TEST"); dir != "" {
		if err := work(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func work(dir string) error {
	f, err := os.Create(filepath.Join(dir, "part"))
	if err != nil {
		return err
	}
	defer f.Close()
	for range 3 {
		if _, err := f.WriteString("ten bytes\n"); err != nil {
			return err
		}
	}
	return os.Rename(f.Name(), filepath.Join(dir, "whole"))
}

// run runs the program, and returns how it ended, what it said, and its folder.
func run(t *testing.T, before func(*Call) syscall.Errno, after func(Call, int64)) (End, string, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	end, err := Run(Program{Args: []string{os.Args[0]}, Dir: dir, Env: []string{"CALLS_TEST=" + dir}, Stderr: stderr, Before: before, After: after})
	if errors.Is(err, ErrCannot) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	return end, string(text), dir
}

// want are the calls that change files.
var want = []string{"openat part 0", "write part 10", "write part 10", "write part 10", "renameat part 0"}

func TestCallsAreSeen(t *testing.T) {
	var begun, ended []string
	line := func(c Call) string {
		if c.Name == "write" {
			return fmt.Sprintf("%s %s %d", c.Name, filepath.Base(c.Path), c.Size)
		}
		return fmt.Sprintf("%s %s 0", c.Name, filepath.Base(c.Path))
	}
	changes := func(c Call) bool {
		return c.Name == "write" || c.Name == "renameat" || c.Name == "openat" && c.Flags&syscall.O_CREAT != 0
	}
	end, text, dir := run(t, func(c *Call) syscall.Errno {
		if changes(*c) {
			begun = append(begun, line(*c))
		}
		return 0
	}, func(c Call, result int64) {
		if changes(c) && result >= 0 {
			ended = append(ended, line(c))
		}
		if c.Name == "write" && result != 10 {
			t.Errorf("a write of 10 bytes gave %d", result)
		}
	})
	if end != (End{}) || text != "" {
		t.Fatalf("the program ended with %+v and said %q", end, text)
	}
	if !slices.Equal(begun, want) || !slices.Equal(ended, want) {
		t.Errorf("calls begun %q, ended %q, want %q", begun, ended, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "whole")); err != nil {
		t.Error(err)
	}
}

func TestCallsFail(t *testing.T) {
	for _, name := range []string{"openat", "write", "renameat"} {
		end, text, dir := run(t, func(c *Call) syscall.Errno {
			if c.Name == name && (name != "openat" || filepath.Base(c.Path) == "part") {
				return syscall.EDQUOT
			}
			return 0
		}, nil)
		if end.Code != 3 || !strings.Contains(text, syscall.EDQUOT.Error()) {
			t.Errorf("%s fails: the program ended with %+v and said %q", name, end, text)
		}
		if _, err := os.Stat(filepath.Join(dir, "whole")); err == nil {
			t.Errorf("%s fails, and the file is there", name)
		}
	}
}

// A disk that is nearly full takes a part of a write.
func TestWritesAreCut(t *testing.T) {
	room := int64(13)
	end, _, dir := run(t, func(c *Call) syscall.Errno {
		if c.Name != "write" {
			return 0
		}
		if room == 0 {
			return syscall.ENOSPC
		}
		c.Size = min(c.Size, room)
		room -= c.Size
		return 0
	}, nil)
	if info, err := os.Stat(filepath.Join(dir, "part")); end.Code != 3 || err != nil || info.Size() != 13 {
		t.Errorf("the program ended with %+v, and the file is %v, %v, want 3 and 13 bytes", end, info, err)
	}
}

func TestNobodyWatches(t *testing.T) {
	if end, text, dir := run(t, nil, nil); end != (End{}) || text != "" {
		t.Errorf("the program ended with %+v and said %q in %s", end, text, dir)
	}
}
