package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/deconvnet/viz/internal/campaign/calls"
)

// harm is what is done to a run.
type harm int

const (
	once     harm = iota // one call fails
	full                 // the disk is full after so many bytes
	readOnly             // from some call on that makes, renames or removes a file, no such call is done
	removed              // the output folder goes
	twice                // the same command runs in the same folder, and ends, meanwhile
	homeless             // HOME, TMPDIR or the current folder is missing
)

// harms are what is tried, and what the tables say of it.
var harms = []struct {
	harm
	name, title string
}{
	{once, "call", "one call fails"},
	{full, "full", "disk full"},
	{readOnly, "readonly", "read-only"},
	{removed, "removed", "removed"},
	{twice, "twice", "twice"},
	{homeless, "homeless", "no HOME ..."},
}

// homes are environments, and the current folder that is not there.
var homes = [][]string{{"HOME"}, {"HOME=/nowhere/at/all"}, {"TMPDIR=/nowhere/at/all"}, {"HOME", "TMPDIR", "PATH"}, nil}

// sizes are all places where the disk can be full: before each write, and after its first byte, half of it, and all but its
// last byte. Without a write it is full from the begin.
func (t *trial) sizes() []fault {
	at, from := []int{0}, 0
	for _, n := range t.writes {
		at = append(at, from, from+1, from+n/2, from+n-1)
		from += n
	}
	slices.Sort(at)
	var out []fault
	for _, room := range slices.Compact(at) {
		if room < max(from, 1) {
			out = append(out, fault{harm: full, nth: room + 1})
		}
	}
	return out
}

// upTo makes n faults of a kind, from the first-th.
func upTo(h harm, first, n int) []fault {
	var out []fault
	for i := range n {
		out = append(out, fault{harm: h, nth: first + i})
	}
	return out
}

// draw makes n faults of a kind that is met at any call; 0: at each.
func (t *trial) draw(h harm, n int, r *rand.Rand) []fault {
	if n == 0 || n > t.calls {
		return upTo(h, 1, t.calls)
	}
	var out []fault
	for i := range n { // evenly, and the first for sure
		at := 1 + int((float64(i)+r.Float64())*float64(t.calls)/float64(n))
		if i == 0 {
			at = 1
		}
		out = append(out, fault{harm: h, nth: min(at, t.calls)})
	}
	return out
}

func (f fault) String() string {
	switch f.harm {
	case full:
		return fmt.Sprintf("disk full after %d bytes", f.nth-1)
	case readOnly:
		return fmt.Sprintf("read-only from change %d on", f.nth)
	case removed:
		return fmt.Sprintf("out removed at call %d", f.nth)
	case twice:
		return fmt.Sprintf("a second run at call %d", f.nth)
	case homeless:
		if homes[f.nth] == nil {
			return "current folder removed"
		}
		return "environment " + strings.Join(homes[f.nth], " ")
	}
	return fmt.Sprintf("%v at %s %s #%d", f.err, f.name, f.path, f.nth)
}

// suffering is a run and what is done to it.
type suffering struct {
	fault
	t     *trial
	at    string
	n     int
	room  int
	met   bool            // it was done
	paths map[string]bool // the files whose calls failed
	bad   error           // what is wrong with the second run
}

// before is asked before each call of the run.
func (s *suffering) before(c *calls.Call) syscall.Errno {
	switch s.harm {
	case full:
		return s.fills(c)
	case once:
		if c.Name != s.name || c.Path != s.path {
			return 0
		}
	case readOnly:
		if !entry(*c) {
			return 0
		}
	}
	s.n++
	switch {
	case s.harm == readOnly && s.n >= s.nth:
		return s.fail(c, syscall.EACCES)
	case s.harm == homeless && s.n == 1 && homes[s.nth] == nil:
		s.met = true
		os.RemoveAll(s.at)
	case s.n != s.nth:
	case s.harm == once:
		return s.fail(c, syscall.Errno(s.err))
	case s.harm == removed:
		s.met = true
		os.RemoveAll(filepath.Join(s.at, "out"))
	case s.harm == twice:
		s.met = true
		switch code, text := s.t.Beside(s.at); {
		case strings.Contains(text, "panic"), code != 0 && code != 1, code == 1 && !strings.Contains(text, "viz: error: "):
			s.bad = fmt.Errorf("the second run ends with %d\n%s", code, text)
		}
	}
	return 0
}

// fills takes room from the disk, and fails when there is none.
func (s *suffering) fills(c *calls.Call) syscall.Errno {
	if s.room == 0 && fills(*c) && (c.Name != "write" || c.Size > 0) {
		return s.fail(c, syscall.ENOSPC)
	}
	if c.Name == "write" {
		c.Size = min(c.Size, int64(s.room))
		s.room -= int(c.Size)
	}
	return 0
}

func (s *suffering) fail(c *calls.Call, e syscall.Errno) syscall.Errno {
	s.met = true
	s.paths[c.Path] = true
	return e
}

// entry reports whether a call changes a folder.
func entry(c calls.Call) bool {
	switch c.Name {
	case "mkdirat", "renameat", "renameat2", "unlinkat":
		return true
	}
	return c.Name == "openat" && c.Flags&syscall.O_CREAT != 0
}

// fills reports whether a call takes room on the disk. viz makes files shorter with ftruncate, never longer.
func fills(c calls.Call) bool {
	switch c.Name {
	case "write", "pwrite64", "fsync", "mkdirat", "renameat", "renameat2":
		return true
	case "openat":
		return c.Flags&syscall.O_CREAT != 0
	}
	return false
}
