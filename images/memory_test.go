package images

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/model"
)

// TestLargest: what a list will take is known from headers, and a picture that may not be decoded is not.
func TestLargest(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, w, h int) []byte {
		var text bytes.Buffer
		if err := png.Encode(&text, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return text.Bytes()
	}
	write("a.png", 30, 30)
	large := write("b.png", 3000, 1000)
	if err := os.WriteFile(filepath.Join(dir, "c.png"), large[:len(large)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	net := &model.Network{Input: model.Input{C: 1, H: 28, W: 28}}
	list, err := Open(context.Background(), Spec{Paths: []string{dir}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := &Inputs{List: list, Net: net}
	bytesOf, name, err := in.Largest(context.Background())
	if want := 4 * 3000 * 1000; err != nil || filepath.Base(name) != "b.png" || bytesOf < want || bytesOf > 3*want {
		t.Errorf("largest: %s with %d bytes, %v; want b.png with %d to %d", name, bytesOf, err, want, 3*want)
	}
	in.List = list.Subset([]int{0})
	if bytesOf, name, err = in.Largest(context.Background()); err != nil || filepath.Base(name) != "a.png" || bytesOf > 2<<20 {
		t.Errorf("of the first alone: %s with %d bytes, %v", name, bytesOf, err)
	}
	for what, open := range map[string]func(memory int) error{
		"limit": func(memory int) error {
			_, err := Open(context.Background(), Spec{Paths: []string{dir}, Limit: 2}, Options{Memory: memory})
			return err
		},
		"stdin": func(memory int) error {
			_, err := Open(context.Background(), Spec{Paths: []string{"-"}}, Options{Stdin: bytes.NewReader(large), Memory: memory})
			return err
		},
	} {
		if m, ok := errors.AsType[*MemoryError](open(5 << 20)); !ok || m.Need < 12_000_000 {
			t.Errorf("%s: a large picture within 5 MB: %v", what, m)
		}
		if err := open(100 << 20); err != nil {
			t.Errorf("%s: within 100 MB: %v", what, err)
		}
	}
}
