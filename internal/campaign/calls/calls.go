// Package calls runs a program and sees what it asks of files: each system call on a file of a folder can be recorded, or
// fail instead of being done. It needs Linux on amd64, and leave to trace processes.
//
//	end, err := calls.Run(calls.Program{Args: args, Dir: dir, Before: func(c *calls.Call) syscall.Errno { ... }})
package calls

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// Program is a program to run and to watch.
type Program struct {
	Args           []string // the first is the program's path
	Dir            string   // where it runs; absolute, and without links
	Env            []string
	Stdout, Stderr *os.File
	Limit          time.Duration // it is killed after this long

	Within string // only calls on files in this folder are seen; "": Dir
	Data   bool   // calls have the bytes that they write

	// Before is asked before each call; what it returns is what the call gives instead of being done, 0: it is done. It
	// may make the Size of a write less: then only so much is written.
	// After learns what a call that was done gave: a number, or less than 0 for an error. Both may be nil. They are
	// called one after the other, and the program's thread waits meanwhile.
	Before func(*Call) syscall.Errno
	After  func(c Call, result int64)
}

// Call is one system call on a file.
type Call struct {
	Name   string // as Linux calls it: openat, pwrite64
	Path   string // of the file
	To     string // of what renames or links: the new name
	FD     int    // of what works on open files
	Flags  int    // of openat
	Size   int64  // how much is asked for; of ftruncate: the length
	Offset int64  // of pwrite64 and lseek
	Whence int    // of lseek
	Data   []byte
}

// End is how a program ended.
type End struct {
	Code   int // the exit code, -1 if a signal ended it
	Signal syscall.Signal
	Late   bool // it was killed after Limit
}

// ErrCannot says that this system cannot do it, or does not allow it.
var ErrCannot = errors.New("programs cannot be traced here: it takes Linux on amd64, and leave to use ptrace and seccomp")
