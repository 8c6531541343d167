package imageio

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"
)

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}

func hello(w io.Writer) error {
	_, err := io.WriteString(w, "hello")
	return err
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := WriteFile(path, func(w io.Writer) error {
		if got := content(t, path); got != "old" {
			t.Errorf("while writing: %q, want the old content", got)
		}
		return hello(w)
	})
	if err != nil || content(t, path) != "hello" || names(t, dir) != "a.txt" {
		t.Errorf("error %v, content %q, files %s", err, content(t, path), names(t, dir))
	}
	// A file made the ordinary way shows what the umask leaves of 0644.
	if err := os.WriteFile(filepath.Join(dir, "b.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	a, _ := os.Stat(path)
	b, _ := os.Stat(filepath.Join(dir, "b.txt"))
	if a.Mode() != b.Mode() {
		t.Errorf("mode %v, want %v", a.Mode(), b.Mode())
	}
}

func TestWriteFileFails(t *testing.T) {
	broken := errors.New("out of ideas")
	t.Run("write fails", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a.txt")
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := WriteFile(path, func(w io.Writer) error {
			hello(w)
			return broken
		})
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
		if content(t, path) != "old" || names(t, dir) != "a.txt" {
			t.Errorf("content %q, files %s", content(t, path), names(t, dir))
		}
	})
	t.Run("write panics", func(t *testing.T) {
		dir := t.TempDir()
		func() {
			defer func() { recover() }()
			WriteFile(filepath.Join(dir, "a.txt"), func(io.Writer) error { panic("bug") })
		}()
		if names(t, dir) != "" {
			t.Errorf("left behind: %s", names(t, dir))
		}
	})
	t.Run("no folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "none", "a.txt")
		if err := WriteFile(path, hello); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), ".part") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		if err := WriteFile(dir, hello); err == nil || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("got %v", err)
		}
		if names(t, dir) != "" {
			t.Errorf("left behind: %s", names(t, dir))
		}
	})
	t.Run("folder is a file", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(filepath.Join(dir, "f", "a.txt"), hello); err == nil {
			t.Error("no error")
		}
	})
	t.Run("unwritable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(filepath.Join(dir, "a.txt"), hello); !errors.Is(err, os.ErrPermission) {
			t.Errorf("got %v", err)
		}
		if names(t, dir) != "" {
			t.Errorf("left behind: %s", names(t, dir))
		}
	})
}

// A name left by a run that was killed does not stop the next one, and goes.
func TestWriteFileLeftover(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".a.txt.0.part"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "a.txt"), hello); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "a.txt" && runtime.GOOS != "windows" {
		t.Errorf("files %s", got)
	}
}

func TestWriteFileSpecial(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs links and /dev/null")
	}
	if err := WriteFile("/dev/null", hello); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("/dev/null is now %v, error %v", info.Mode(), err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "real"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "link"), hello); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(dir, "link"))
	if err != nil || info.Mode()&os.ModeSymlink == 0 || content(t, filepath.Join(dir, "real")) != "hello" {
		t.Errorf("link is %v, error %v, content %q", info.Mode(), err, content(t, filepath.Join(dir, "real")))
	}
}

// TestRemoveParts: what dead processes left goes, what is being written and what is no part stays.
func TestRemoveParts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("parts are not locked there")
	}
	dir := t.TempDir()
	for _, name := range []string{".a.png.0.part", ".a.png.17.part", ".b.part", "c.3.part", ".d.3.part.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("left"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := WriteFile(filepath.Join(dir, "a.png"), func(w io.Writer) error {
		RemoveParts(dir)
		if _, err := os.Stat(filepath.Join(dir, ".a.png.1.part")); err != nil {
			t.Errorf("the part that is being written is gone: %v", err)
		}
		_, err := w.Write([]byte("whole"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{".b.part", ".d.3.part.png", "a.png", "c.3.part"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a.png")); err != nil || string(text) != "whole" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestWriteFileDangling: a link to what is not there yet stays a link, and its file is made.
func TestWriteFileDangling(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "to"), 0o755); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	if err := os.Symlink("to/file", second); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(second, first); err != nil {
		t.Fatal(err)
	}
	write := func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }
	if err := WriteFile(first, write); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{first, second} {
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", link, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "to", "file")); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(loop, write); err == nil {
		t.Error("a link to itself is written to")
	}
}

// TestTryDir: what a killed process leaves of the try is taken away like other parts.
func TestTryDir(t *testing.T) {
	dir := t.TempDir()
	f, unlock, err := createTemp(filepath.Join(dir, "viz"))
	if err != nil {
		t.Fatal(err)
	}
	unlock() // as if its process were gone
	f.Close()
	if err := TryDir(dir); err != nil {
		t.Fatal(err)
	}
	RemoveParts(dir)
	if left, err := os.ReadDir(dir); err != nil || runtime.GOOS != "windows" && len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if err := TryDir(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there can be written into")
	}
}

// TestLeftPart: what a killed process was writing goes when the same file is written again; what is being written stays.
func TestLeftPart(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no locks on parts")
	}
	dir := t.TempDir()
	left, used := filepath.Join(dir, ".x.0.part"), filepath.Join(dir, ".x.1.part")
	for _, name := range []string{left, used} {
		if err := os.WriteFile(name, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	lock := flock.New(used, flock.SetFlag(os.O_RDWR))
	defer lock.Close()
	if ours, err := lock.TryLock(); !ours || err != nil {
		t.Fatal(ours, err)
	}
	if err := WriteFile(filepath.Join(dir, "x"), func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("the part that was left is still there")
	}
	if text, err := os.ReadFile(used); string(text) != "half" {
		t.Errorf("the part that is being written is %q, %v", text, err)
	}
}
