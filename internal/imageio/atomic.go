package imageio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile lets write produce the content of the file at path. The bytes go to
// a hidden file ".NAME.N.part" in the same folder, which is synced, closed and
// renamed; if anything fails, or write panics, it is removed and path is as it
// was. The file gets mode 0644 less the umask. A link to a file stays a link.
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
	target := path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		target = real
	}

	f, err := createTemp(target)
	if err != nil {
		return cause(err)
	}
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
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
	return nil
}

// createTemp makes a new file beside path. os.CreateTemp would make it 0600, and
// the umask cannot be read without changing it.
func createTemp(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for n := 0; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d.part", base, n))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) && n < 10000 {
			continue
		}
		return f, err
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
