// Package lockfile keeps two processes from writing to one file or folder.
//
//	unlock, err := lockfile.Take("ckpt.bin", "viz train", func(note string) { ... })
//	defer unlock()
package lockfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// owner is the content of a lock file: who writes into a folder or a checkpoint.
type owner struct {
	PID     int    `json:"pid"`
	Host    string `json:"host"`
	Command string `json:"command"`
}

func (o owner) String() string {
	if o.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %s (%s)", o.PID, o.Host, o.Command)
}

// InUse says that another process writes to Path.
type InUse struct {
	Path, Lock string // what is locked, and the lock file
	Owner      string // who, for people
}

func (e *InUse) Error() string { return e.Path + " is in use by " + e.Owner }

// Hint says what can be done.
func (e *InUse) Hint() string {
	return "wait for it, or choose another place with --out; if it does not run any more, remove " + e.Lock
}

// Take keeps other processes from writing to path, a folder or a file, until unlock is called; command is what they
// are told. The lock is the operating system's, on a file: .lock in the folder, .NAME.lock beside the file. It ends
// with the process, however that ends. A file that a process of this host left is taken over, and note is told so; one
// of another host stays, for that host's locks may not be seen here. A file system without locks is noted, and no
// obstacle.
func Take(path, command string, note func(string)) (unlock func(), err error) {
	name := lockName(path)
	if name == "" {
		return func() {}, nil
	}
	if note == nil {
		note = func(string) {}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	for range 100 {
		lock := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
		ours, err := lock.TryLock()
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			lock.Close()
			note(fmt.Sprintf("nothing keeps other processes from writing to %s: its file system has no locks", path))
			return func() {}, nil
		case errors.Is(err, fs.ErrNotExist) && isDir(filepath.Dir(name)):
			lock.Close()
			continue // given up while it was opened
		case err != nil:
			lock.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		case !ours:
			lock.Close()
			return nil, &InUse{path, name, readOwner(name).String()}
		case !current(lock, name):
			lock.Close()
			continue // it was given up, and its file removed, before the lock was ours
		}
		before, whole := parse(name)
		if whole && before.Host != host {
			lock.Close()
			return nil, &InUse{path, name, before.String()}
		}
		say(name, owner{os.Getpid(), host, command})
		if whole {
			note(fmt.Sprintf("taking over %s from %s, which is gone", path, before))
		}
		return func() { give(lock, name) }, nil
	}
	return nil, fmt.Errorf("lock %s: it comes and goes", name)
}

// lockName is the lock file of a path; "" for pipes and devices, which need none.
func lockName(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return filepath.Join(path, ".lock")
	case err == nil && !info.Mode().IsRegular():
		return ""
	}
	dir, base := filepath.Split(path)
	return filepath.Join(dir, "."+base+".lock")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// current reports whether the file that is locked is the one that has the name now.
func current(lock *flock.Flock, name string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(name)
	return err == nil && os.SameFile(held, named)
}

// give removes a lock file and ends the lock, in this order: whoever locks the removed file sees that it is gone.
func give(lock *flock.Flock, name string) {
	err := os.Remove(name)
	lock.Close()
	if err != nil {
		os.Remove(name) // some systems remove no file that is open
	}
}

// say tells others who has the lock. It holds without that, too: where a locked file cannot be written, or a disk is full.
func say(name string, o owner) {
	if text, err := json.Marshal(o); err == nil {
		os.WriteFile(name, text, 0o644)
	}
}

// parse reads a lock file. One that is not whole is of nobody.
func parse(name string) (o owner, whole bool) {
	b, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(b, &o) != nil || o.PID <= 0 {
		return owner{}, false
	}
	return o, true
}

// readOwner is who has a lock; it waits a moment for one who has just got it to say so.
func readOwner(name string) owner {
	for range 10 {
		if o, whole := parse(name); whole {
			return o
		}
		time.Sleep(20 * time.Millisecond)
	}
	return owner{}
}
