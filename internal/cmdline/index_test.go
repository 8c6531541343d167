package cmdline

import (
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
)

// TestUnchanged: an index is not gone on with if a picture was changed after it was written, in a folder of pictures and
// in one of classes.
func TestUnchanged(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, byClass := range []bool{false, true} {
		dir := t.TempDir()
		pictures := filepath.Join(dir, "pictures")
		var files []string
		for _, name := range []string{"cat/a.png", "dog/b.png"} {
			name = filepath.Join(pictures, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
				t.Fatal(err)
			}
			f.Close()
			files = append(files, name)
		}
		c := &Run{Common: &Common{Out: filepath.Join(dir, "x.idx")}}
		if err := os.WriteFile(c.Out, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		list, err := images.Open(context.Background(), images.Spec{Paths: []string{pictures}, ByClass: byClass}, images.Options{})
		if err != nil || byClass != (list.Data != "") {
			t.Fatal(list, err)
		}
		src := &images.Inputs{List: list}
		sizes, _, _, _ := src.Files()
		if sizes == "" {
			t.Error("the sizes of the files are not known")
		}
		x := &features.Index{Images: 2, Source: features.Source{Names: src.Hash(), Sizes: sizes}}
		for _, name := range append(files, c.Out) {
			if err := os.Chtimes(name, now, now); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.unchanged(x, src); err != nil {
			t.Error(err)
		}
		if err := os.Chtimes(files[1], now, now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := c.unchanged(x, src); err == nil || !strings.Contains(err.Error(), "b.png was changed after") {
			t.Error(err)
		}
	}
}
