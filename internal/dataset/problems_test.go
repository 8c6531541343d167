package dataset

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/imageio"
)

// What cannot be used in class folders, or in an archive of them, is told and costs nothing else.
func TestProblems(t *testing.T) {
	members := []member{
		{"cat/1.png", grey(2, 2, 10)}, {"dog/1.png", grey(2, 2, 20)}, {"cat/new.avif", []byte("x")}, {"cat/notes.txt", []byte("x")},
		{"top.png", grey(2, 2, 30)}, {"dog/a/b/deep.png", grey(2, 2, 30)}, {"dog/.hidden", nil},
	}
	want := imageio.Tally{{Kind: "AVIF", Picture: true, Count: 1}, {Kind: outside, Count: 2}, {Kind: ".txt", Count: 1}}
	tar := write(t, filepath.Join(t.TempDir(), "set.tar"), pack(members))
	d, err := Open(context.Background(), tar, Options{})
	if err != nil || d.Train.Len() != 2 || !slices.Equal(d.Skipped, want) {
		t.Fatalf("archive: %+v, error %v; want %v skipped", d, err, want)
	}

	dir := unpack(t, members)
	for link, to := range map[string]string{"cat/dead.png": "gone.png", "dog/dead": "gone"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip("no symbolic links here")
		}
	}
	shut := filepath.Join(dir, "dog", "shut")
	if err := os.Mkdir(shut, 0); err != nil {
		t.Fatal(err)
	}
	d, err = Open(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 2 || !slices.Equal(d.Skipped, want) {
		t.Errorf("%d pictures, skipped %v; want 2, %v", d.Train.Len(), d.Skipped, want)
	}
	dead := filepath.Join(dir, "cat", "dead.png")
	if len(d.Problems) == 0 || d.Problems[0].Path != dead || !errors.Is(d.Problems[0].Err, fs.ErrNotExist) ||
		!strings.HasPrefix(d.Problems[0].Err.Error(), "cannot open "+dead+": link to gone.png: ") {
		t.Errorf("problems %v, want one with %s", d.Problems, dead)
	}
	if os.Geteuid() != 0 && (len(d.Problems) != 2 || !errors.Is(d.Problems[1].Err, fs.ErrPermission)) {
		t.Errorf("problems %v, want a second one with %s", d.Problems, shut)
	}
	_, err = Open(context.Background(), unpack(t, []member{{"cat/1.heic", nil}}), Options{})
	if !errors.Is(err, errLayout) || !strings.Contains(err.Error(), "skipped 1 file: 1 HEIC (convert to PNG or JPEG)") {
		t.Errorf("a folder of HEIC: error %v", err)
	}
}

// Pictures of a class folder, of an archive and of a plain folder are decoded in one way: here a
// JPEG with chroma at half the resolution, to be turned by a quarter.
func TestOneDecoder(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 21, 14))
	for i := range 21 * 14 {
		img.Set(i%21, i/21, color.NRGBA{uint8(37 * i), uint8(11 * i), uint8(200 - 5*i), 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	exif := "\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	file := slices.Concat(b.Bytes()[:2], []byte(exif), b.Bytes()[2:])
	want, err := imageio.Decode(bytes.NewReader(file), "x.jpg")
	if err != nil || want.Bounds() != image.Rect(0, 0, 14, 21) {
		t.Fatalf("picture of %v, error %v; want 14x21", want.Bounds(), err)
	}
	members := []member{{"cat/x.jpg", file}}
	for _, path := range []string{unpack(t, members), write(t, filepath.Join(t.TempDir(), "set.tar"), pack(members))} {
		d, err := Open(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c, h, w := d.Train.Shape(); c != 3 || h != 21 || w != 14 {
			t.Errorf("%s: shape %d, %d, %d, want that of the turned picture", path, c, h, w)
		}
		item, err := d.Train.Item(0)
		if err != nil {
			t.Fatal(err)
		}
		if got := item.Image.(*image.NRGBA); !bytes.Equal(got.Pix, want.(*image.NRGBA).Pix) {
			t.Errorf("%s: pixels differ from those of the file alone", path)
		}
	}
}
