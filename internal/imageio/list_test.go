package imageio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree makes files with the content "x" in a new folder.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Skip("no symbolic links here")
	}
}

// Everything that is wrong in or beside a folder is told, and nothing of it hides the good files.
func TestFindProblems(t *testing.T) {
	dir := tree(t, "a.png", "b.JPG", "sub/c.webp", "photo.avif", "x.HEIC", "y.heif", "n.txt", "m.txt", "README", ".hid.avif", "only/s.svg")
	at := func(name string) string { return filepath.Join(dir, name) }
	link(t, "gone.png", at("dead.png"))
	link(t, "gone", at("dead"))         // of no interest
	link(t, "loop.jpg", at("loop.jpg")) // cannot be followed
	link(t, "sub", at("linked"))
	l := Find([]string{at("none.png"), at("n.txt"), dir, at("only"), at("a.png")})

	if want := []string{at("n.txt"), at("a.png"), at("b.JPG"), at("sub/c.webp")}; !slices.Equal(l.Files, want) {
		t.Errorf("files %q, want %q", l.Files, want)
	}
	want := Tally{{"HEIC", true, 2}, {"AVIF", true, 1}, {"SVG", true, 1}, {"without extension", false, 2}, {".txt", false, 1}, {"link to a folder", false, 1}}
	if !slices.Equal(l.Skipped, want) {
		t.Errorf("skipped %v, want %v", l.Skipped, want)
	}
	if note := l.Note(); !strings.HasPrefix(note, "skipped 8 files: 2 HEIC (convert to PNG or JPEG), 1 AVIF (convert") || !strings.HasSuffix(note, ", 1 .txt, 1 link to a folder") {
		t.Errorf("note %q", note)
	}
	texts := []string{
		"cannot open " + at("none.png") + ": no such file",
		"cannot open " + at("dead.png") + ": link to gone.png: no such file",
		"cannot open " + at("loop.jpg") + ": ",
		"cannot open " + at("only") + ": no image files (" + formats + ") in this folder; skipped 1 file: 1 SVG (convert",
	}
	if len(l.Problems) != len(texts) {
		t.Fatalf("problems %v, want %d", l.Problems, len(texts))
	}
	for i, p := range l.Problems {
		if !strings.HasPrefix(p.Err.Error(), texts[i]) {
			t.Errorf("problem %q, want %q", p.Err, texts[i])
		}
		if missing := errors.Is(p.Err, fs.ErrNotExist); missing != (i < 2) {
			t.Errorf("%v: is fs.ErrNotExist: %v", p.Err, missing)
		}
	}
	if _, err := List([]string{at("a.png"), at("dead.png")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List gives error %v", err)
	}
}

func TestFindUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := tree(t, "a.png", "shut/b.png", "z.png")
	shut := filepath.Join(dir, "shut")
	if err := os.Chmod(shut, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(shut, 0o755)
	l := Find([]string{dir})
	if len(l.Files) != 2 || len(l.Problems) != 1 || l.Problems[0].Path != shut || !errors.Is(l.Problems[0].Err, fs.ErrPermission) {
		t.Errorf("got %+v", l)
	}
}

func TestFindSpecial(t *testing.T) {
	if _, err := os.Stat("/dev/null"); err != nil {
		t.Skip("no /dev/null")
	}
	dir := tree(t, "a.png")
	link(t, "/dev/null", filepath.Join(dir, "null.png"))
	l := Find([]string{dir, "/dev/null"})
	if len(l.Files) != 1 || len(l.Skipped) != 1 || len(l.Problems) != 1 || !strings.Contains(l.Problems[0].Err.Error(), "cannot open /dev/null: is not a plain file") {
		t.Errorf("got %+v", l)
	}
}

// TestOneLine: names in errors cannot end lines or reach a terminal.
func TestOneLine(t *testing.T) {
	inner := errors.New("a\x1b[31m\nb\xff é \u0085")
	err := OneLine(fmt.Errorf("x: %w", inner))
	if got, want := err.Error(), `x: a\x1b[31m\nb\xff é \u0085`; got != want || !errors.Is(err, inner) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := OneLine(errors.New(strings.Repeat("\x1b", 5000))).Error(); len(got) > 2100 || !strings.HasSuffix(got, `\x1b…`) {
		t.Errorf("%d bytes: %.100q", len(got), got)
	}
	if plain := errors.New("é"); OneLine(plain) != plain || OneLine(nil) != nil {
		t.Error("a plain error is changed")
	}
}
