package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/internal/campaign/calls"
)

// errno is what a call gives that fails.
type errno syscall.Errno

func (e errno) String() string {
	if e == errno(syscall.ENOSPC) {
		return "ENOSPC"
	}
	return "EIO"
}

// trial is a command whose calls fail by turns.
type trial struct {
	campaign.Trial
	calls    int   // on files, of a run in which nothing fails
	writes   []int // how many bytes each
	entries  int   // calls that change a folder
	faults   []fault
	kinds    map[string]int
	versions map[string][]string // what a file may hold, by hash: all that runs gave its name

	mu   sync.Mutex
	next map[string]error // what came of the run after, by the files that it began with
}

// outcome is what became of a run with a fault.
type outcome int

const (
	failed   outcome = iota // viz said so
	harmless                // all files are there all the same
	missed                  // the run did not make the call
)

// prepare writes down the calls that a run makes and the files that it gives their names.
func (t *trial) prepare() error {
	t.versions, t.next = map[string][]string{}, map[string]error{}
	first := true
	return t.Prepare(func(at string) campaign.Watch {
		seen := map[fault]int{}
		noting := first
		first = false
		return campaign.Watch{Before: func(c *calls.Call) syscall.Errno {
			if strings.HasPrefix(c.Name, "rename") {
				if hash, err := campaign.Content(filepath.Join(at, c.Path)); err == nil {
					t.versions[c.To] = append(t.versions[c.To], hash)
				}
			}
			if noting {
				seen[fault{name: c.Name, path: c.Path}]++
				info, err := os.Stat(filepath.Join(at, c.Path))
				t.note(*c, seen[fault{name: c.Name, path: c.Path}], err == nil && info.IsDir())
			}
			return 0
		}}
	})
}

// note makes faults of a call.
func (t *trial) note(c calls.Call, nth int, folder bool) {
	t.calls++
	if c.Name == "write" && c.Size > 0 {
		t.writes = append(t.writes, int(c.Size))
	}
	if entry(c) {
		t.entries++
	}
	for _, e := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		if e == syscall.EIO || fills(c) {
			t.faults = append(t.faults, fault{name: c.Name, path: c.Path, nth: nth, err: errno(e), folder: folder})
		}
	}
}

// try does harm to a run, and runs the command again.
func (t *trial) try(f fault, number int) (got outcome, err error) {
	at := filepath.Join(t.Dir, fmt.Sprint("try", int(f.harm), "-", number))
	if err := t.Copy(at); err != nil {
		return failed, err
	}
	defer os.RemoveAll(at)
	s := &suffering{fault: f, t: t, at: at, room: f.nth - 1, paths: map[string]bool{}}
	watch := campaign.Watch{Before: s.before}
	if f.harm == homeless && homes[f.nth] != nil {
		watch.Env, s.met = homes[f.nth], true
	}
	end, text, err := t.Run(at, false, watch)
	switch {
	case err != nil:
		return failed, err
	case s.bad != nil:
		return failed, s.bad
	case !s.met:
		return missed, nil
	case end.Code == 0:
		got = harmless
	}
	if err := told(s, end, text); err != nil {
		return got, err
	}
	if _, err := os.Stat(at); err != nil {
		return got, nil // the folder of all was taken away
	}
	if f.harm == removed {
		if err := t.restore(at); err != nil {
			return got, err
		}
	} else if err := t.look(s, at, got); err != nil {
		return got, fmt.Errorf("%w\n%s", err, text)
	}
	if err := campaign.Readable(at); err != nil {
		return got, err
	}
	return got, t.again(at)
}

// again runs the command once more, unless a run began with the same files before: many faults leave the same.
func (t *trial) again(at string) error {
	files, err := campaign.Contents(at)
	if err != nil {
		return err
	}
	delete(files, campaign.Stdout) // it begins anew
	state := fmt.Sprint(files)     // by name
	err = filepath.WalkDir(at, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			state += campaign.Inside(at, path) + "\n"
		}
		return err
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	err, ok := t.next[state]
	t.mu.Unlock()
	if ok {
		return err
	}
	err = t.Again(at)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next[state] = err
	return err
}

// restore puts back the files that were there before, where there are none now.
func (t *trial) restore(at string) error {
	for name := range t.Before {
		to := filepath.Join(at, name)
		if _, err := os.Stat(to); err == nil {
			continue
		}
		content, err := os.ReadFile(filepath.Join(t.Base(), name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o777)
		}
		if err == nil {
			err = os.WriteFile(to, content, 0o666)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// told checks how the run ended and what it said.
func told(s *suffering, end calls.End, text string) error {
	switch {
	case end.Late:
		return fmt.Errorf("it hangs")
	case end.Code == 0:
		return nil
	case end.Code != 1:
		return fmt.Errorf("it ends with %d, want 1\n%s", end.Code, text)
	case strings.Contains(text, "panic") || strings.Contains(text, "goroutine "):
		return fmt.Errorf("it panics\n%s", text)
	}
	errs := 0
	named := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "viz: error: ") {
			errs++
			named = named || s.harm == twice || s.harm == removed || s.harm == homeless || names(line, s.paths)
		}
	}
	switch {
	case errs == 0:
		return fmt.Errorf("it says nothing\n%s", text)
	case errs > 2: // one picture of several, and how many there were
		return fmt.Errorf("it says it %d times\n%s", errs, text)
	case !named:
		return fmt.Errorf("it does not name the file\n%s", text)
	}
	return nil
}

// names reports whether a line names a file whose call failed: the file that was asked for, if it is a part of it or its
// lock.
func names(line string, paths map[string]bool) bool {
	for path := range paths {
		base := filepath.Base(path)
		if path == campaign.Stdout {
			base = "stdout"
		}
		if name, ok := strings.CutSuffix(base, ".part"); ok && strings.HasPrefix(base, ".") {
			base = strings.TrimSuffix(name[1:], filepath.Ext(name))
		}
		if strings.Contains(line, base) {
			return true
		}
	}
	return false
}

// look checks that each file is as it was or whole, and that nothing is left over.
func (t *trial) look(s *suffering, at string, got outcome) error {
	files, err := campaign.Contents(at)
	if err != nil {
		return err
	}
	for name, hash := range t.Before {
		if now, ok := files[name]; !ok {
			return fmt.Errorf("%s is gone", name)
		} else if now != hash && !slices.Contains(t.versions[name], now) {
			return fmt.Errorf("%s is another one", name)
		}
	}
	_, input := t.Before[s.path]
	for name, hash := range files {
		whole, wanted := t.Whole[name]
		switch {
		case name == campaign.Stdout, t.Before[name] == hash:
		case temporary(name) && s.name != "unlinkat" && s.harm != readOnly:
			return fmt.Errorf("%s is left over", name)
		case input && s.harm == once && got == failed: // what could be read is done, and the next run does the rest
		case whole != "" && hash != whole && len(t.versions[name]) > 0 && !slices.Contains(t.versions[name], hash):
			return fmt.Errorf("%s is not whole", name)
		case got == harmless && !wanted && !temporary(name) && !s.paths[name]: // but for what could not be removed
			return fmt.Errorf("%s is too much", name)
		}
	}
	if got != harmless {
		return nil
	}
	if err := campaign.Compare(t.Whole, files); err != nil {
		return fmt.Errorf("it ends with 0, but %w", err)
	}
	if hash := t.Whole[campaign.Stdout]; hash != "" && hash != files[campaign.Stdout] {
		return fmt.Errorf("it ends with 0, but stdout is another one")
	}
	return nil
}

// kind says what failed, in words that are the same for all files of a kind.
func (t *trial) kind(f fault) string {
	what := "an output"
	_, read := t.Before[f.path]
	base := filepath.Base(f.path)
	switch {
	case f.path == campaign.Stdout:
		what = "stdout"
	case strings.HasSuffix(base, ".lock"):
		what = "a lock"
	case strings.HasSuffix(base, ".part"):
		what = "a part"
	case f.folder:
		what = "a folder"
	case read:
		what = "an input"
	}
	return f.name + " of " + what
}

func temporary(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, ".") && (strings.HasSuffix(base, ".part") || strings.HasSuffix(base, ".lock"))
}
