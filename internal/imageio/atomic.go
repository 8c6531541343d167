package imageio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"

	"github.com/gofrs/flock"
)

// WriteFile lets write produce the content of the file at path. The bytes go to
// a hidden file ".NAME.N.part" in the same folder, which is synced, closed and
// renamed, and the folder is synced; if anything fails, or write panics, it is removed and path is as it
// was. What a process that was killed leaves, the next write of the file takes away, or RemoveParts. The file gets mode 0644 less the umask. A
// link stays a link, also to a file that is not there yet.
//
// Something that is not a plain file, such as a pipe or /dev/stdout, is written
// directly; a directory is an error. An error from write is wrapped with path.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := writeFile(path, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	switch info, err := os.Stat(path); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return cause(err)
	case err == nil && info.IsDir():
		return errors.New("is a directory, want a file name")
	case err == nil && !info.Mode().IsRegular():
		return writeDirect(path, write)
	}
	target, err := linked(path)
	if err != nil {
		return err
	}
	f, unlock, err := createTemp(target)
	if err != nil {
		return cause(err)
	}
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
		unlock()
	}()
	if err := fill(f, write); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return cause(err)
	}
	if err := f.Close(); err != nil {
		return cause(err)
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return cause(err)
	}
	done = true
	return SyncDir(filepath.Dir(target))
}

// linked is the file that a path leads to through links, whether it is there or not.
func linked(path string) (string, error) {
	for range 40 {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", cause(err)
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", errors.New("too many links")
}

// SyncDir makes names in a folder last through a loss of power. Systems and file systems that know nothing of the
// kind are no error.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // it may be written to and not read
	}
	defer d.Close()
	if err := d.Sync(); errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) {
		return cause(err)
	}
	return nil
}

// MakeDir makes a folder and those above it that are missing, as os.MkdirAll does, so that they last through a loss of
// power.
func MakeDir(dir string, mode fs.FileMode) error {
	var above []string // the folders that get new entries
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		above = append(above, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	for _, d := range above {
		if err := SyncDir(d); err != nil {
			return &fs.PathError{Op: "sync", Path: d, Err: err}
		}
	}
	return nil
}

// createTemp makes a new file beside path, and locks it, so that RemoveParts sees that it is being written.
// os.CreateTemp would make it 0600, and the umask cannot be read without changing it.
func createTemp(path string) (f *os.File, unlock func(), err error) {
	dir, base := filepath.Split(path)
	for n := 0; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d.part", base, n))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) && n < 10000 {
			removePart(name)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		unlock, ours := lockPart(name)
		same, err := named(f, name)
		if ours && same {
			return f, unlock, nil
		}
		if err != nil {
			os.Remove(name)
		}
		unlock() // another process took it for one that was left, before it was locked
		f.Close()
		if err != nil {
			return nil, nil, err
		}
	}
}

// TryDir reports whether files can be made in a folder, by making one, which goes again.
func TryDir(dir string) error {
	f, unlock, err := createTemp(filepath.Join(dir, "viz"))
	if err != nil {
		return err
	}
	defer unlock()
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// lockPart locks a part. ours is false if another process has it; where there are no locks it is true.
func lockPart(name string) (unlock func(), ours bool) {
	if runtime.GOOS == "windows" { // a lock there keeps our own writes out, too
		return func() {}, true
	}
	lock := flock.New(name, flock.SetFlag(os.O_RDWR))
	ours, err := lock.TryLock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		ours = true
	}
	return func() { lock.Close() }, ours
}

// named reports whether an open file still has its name.
func named(f *os.File, name string) (bool, error) {
	held, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(held, there), err
}

// part matches the names of files that WriteFile did not finish.
var part = regexp.MustCompile(`^\..+\.[0-9]+\.part$`)

// RemoveParts takes away what processes that are gone were writing into a folder with WriteFile. Parts that are
// being written stay, by their locks; where there are no locks all stay.
func RemoveParts(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil || runtime.GOOS == "windows" {
		return
	}
	for _, e := range entries {
		if part.MatchString(e.Name()) {
			removePart(filepath.Join(dir, e.Name()))
		}
	}
}

// removePart removes a part that nobody is writing.
func removePart(name string) {
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() || runtime.GOOS == "windows" {
		return
	}
	lock := flock.New(name, flock.SetFlag(os.O_RDWR))
	defer lock.Close()
	if ours, err := lock.TryLock(); err == nil && ours {
		os.Remove(name)
	}
}

func writeDirect(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return cause(err)
	}
	defer f.Close()
	return fill(f, write)
}

func fill(f *os.File, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return cause(err)
	}
	return nil
}

// cause drops the operation and the temporary file's name from err: the caller
// names the file that was asked for.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
