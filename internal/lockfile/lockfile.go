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
	"strings"
	"syscall"
	"time"
)

// owner is the content of a lock file: who writes into a folder or a checkpoint.
type owner struct {
	PID     int    `json:"pid"`
	Host    string `json:"host"`
	Process string `json:"process,omitempty"` // tells apart processes that had the same number, "" where that is not known
	Command string `json:"command"`
}

func (o owner) String() string {
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
// are told. The lock is a file: .lock in the folder, .NAME.lock beside the file. One whose process is gone from this
// host is taken over, and note is told so.
func Take(path, command string, note func(string)) (unlock func(), err error) {
	name := lockName(path)
	if name == "" {
		return func() {}, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	me := owner{os.Getpid(), host, processID(os.Getpid()), command}
	for range 100 {
		err := createLock(name, me)
		if err == nil {
			return func() {
				if o, _, err := readLock(name); err == nil && o == me {
					os.Remove(name)
				}
			}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		other, text, err := readLock(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it has just been given up
		case err != nil:
			return nil, fmt.Errorf("lock %s: %w", name, err)
		case !other.gone(host):
			return nil, &InUse{path, name, other.String()}
		}
		if err := takeAway(name, text); err != nil {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if note != nil {
			note(fmt.Sprintf("taking over %s from %s, which is gone", path, other))
		}
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

// createLock makes a lock file that is never seen without its content.
func createLock(name string, o owner) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".lock-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	err = os.Link(temp.Name(), name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without links.
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// readLock reads a lock file; one that is not whole after a second is of nobody.
func readLock(name string) (o owner, text string, err error) {
	for range 10 {
		b, err := os.ReadFile(name)
		if err != nil {
			return o, "", err
		}
		if json.Unmarshal(b, &o) == nil && o.PID > 0 {
			return o, string(b), nil
		}
		text = string(b)
		time.Sleep(100 * time.Millisecond)
	}
	return owner{}, text, nil
}

// gone reports whether the owner certainly does not run any more.
func (o owner) gone(host string) bool {
	if o.PID == 0 {
		return true
	}
	if o.Host != host {
		return false // who knows
	}
	if now := processID(o.PID); o.Process != "" && now != "" {
		return now != o.Process
	}
	p, err := os.FindProcess(o.PID)
	if err != nil {
		return true
	}
	err = p.Signal(syscall.Signal(0))
	return errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH)
}

// takeAway removes a lock file with that content, and no other that may have come in its place.
func takeAway(name, text string) error {
	aside := fmt.Sprintf("%s.%d-%d", name, os.Getpid(), time.Now().UnixNano())
	if err := os.Rename(name, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if b, err := os.ReadFile(aside); err == nil && string(b) != text {
		os.Link(aside, name) // somebody else was quicker: give it back
	}
	return os.Remove(aside)
}

// processID tells a process from all others that have had or will have its number on this host, by the boot and the
// time it began; "" if it is gone or that cannot be known.
func processID(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// "pid (name) state ...": the 20th field behind the name is the time it began; a zombie has ended.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "ended"
	}
	return strings.TrimSpace(string(boot)) + " " + fields[19]
}
