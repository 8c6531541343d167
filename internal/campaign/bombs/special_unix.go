//go:build unix

package main

import (
	"os"
	"syscall"
)

// pipe makes a named pipe, from which nothing ever comes.
func pipe(path string) error { return syscall.Mkfifo(path, 0o666) }

func linkTo(to string) func(string) error {
	return func(path string) error { return os.Symlink(to, path) }
}
