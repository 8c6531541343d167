package imageio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/deconvnet/viz/internal/hostile"
)

// halves is a w x h picture, red on the left, blue on the right.
func halves(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{R: 255, A: 255}
			if x >= w/2 {
				c = color.NRGBA{B: 255, A: 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func encoded(t *testing.T, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func put(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// webpPixel is a lossless WebP of one opaque red pixel: RIFF, VP8L with five one-symbol
// Huffman codes (green 0, red 255, blue 0, alpha 255, distance 0).
func webpPixel() []byte {
	var bits []bool
	put := func(v uint32, n int) {
		for i := range n {
			bits = append(bits, v>>i&1 == 1)
		}
	}
	put(0, 14) // width - 1
	put(0, 14) // height - 1
	put(0, 1)  // alpha hint
	put(0, 3)  // version
	put(0, 1)  // no transform
	put(0, 1)  // no colour cache
	put(0, 1)  // one Huffman group
	for _, symbol := range []uint32{0, 255, 0, 255, 0} {
		put(1, 1) // simple code
		put(0, 1) // one symbol
		put(1, 1) // of 8 bits
		put(symbol, 8)
	}
	data := []byte{0x2f}
	for i := 0; i < len(bits); i += 8 {
		var c byte
		for k, bit := range bits[i:min(i+8, len(bits))] {
			if bit {
				c |= 1 << k
			}
		}
		data = append(data, c)
	}
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+8+len(data)))
	b = binary.LittleEndian.AppendUint32(append(b, "WEBPVP8L"...), uint32(len(data)))
	return append(b, data...)
}

func TestOpenFormats(t *testing.T) {
	img := halves(16, 8)
	files := map[string][]byte{
		"a.png": encoded(t, func(w io.Writer) error { return png.Encode(w, img) }),
		"a.jpg": encoded(t, func(w io.Writer) error { return jpeg.Encode(w, img, nil) }),
		"a.gif": encoded(t, func(w io.Writer) error { return gif.Encode(w, img, nil) }),
		"a.bmp": encoded(t, func(w io.Writer) error { return bmp.Encode(w, img) }),
		// The content counts, not the extension.
		"a.dat": encoded(t, func(w io.Writer) error { return tiff.Encode(w, img, nil) }),
	}
	for name, b := range files {
		got, err := Open(put(t, name, b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Bounds().Dx() != 16 || got.Bounds().Dy() != 8 {
			t.Errorf("%s: bounds %v, want 16x8", name, got.Bounds())
		}
		r, _, b, _ := got.At(got.Bounds().Min.X, got.Bounds().Min.Y).RGBA()
		if r < 0xf000 || b > 0x1000 { // JPEG is off by a little
			t.Errorf("%s: first pixel has red %x, blue %x", name, r, b)
		}
	}
	got, err := Open(put(t, "a.webp", webpPixel()))
	if err != nil {
		t.Fatal(err)
	}
	if c := color.NRGBAModel.Convert(got.At(0, 0)); c != (color.NRGBA{R: 255, A: 255}) {
		t.Errorf("webp: pixel %v, want red", c)
	}
}

// EXIF orientation 6 means: turn by 90 degrees clockwise to display. Red on the
// left of the stored picture then is at the top.
func TestOpenOrientation(t *testing.T) {
	b := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, halves(32, 16), nil) })
	exif := []byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08" + // big-endian TIFF, first directory at 8
		"\x00\x01" + "\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00" + // one entry: 0x112, short, 6
		"\x00\x00\x00\x00")
	app1 := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
	b = slices.Concat(b[:2], app1, exif, b[2:])
	img, err := Open(put(t, "a.jpg", b))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, 16, 32) {
		t.Fatalf("bounds %v, want 16x32", img.Bounds())
	}
	top := color.NRGBAModel.Convert(img.At(8, 2)).(color.NRGBA)
	bottom := color.NRGBAModel.Convert(img.At(8, 29)).(color.NRGBA)
	if top.R < 200 || bottom.B < 200 {
		t.Errorf("top %v, want red; bottom %v, want blue", top, bottom)
	}
}

// pngHeader is the beginning of an 8-bit grey PNG that claims w x h pixels.
func pngHeader(w, h uint32) []byte {
	ihdr := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	ihdr = append(binary.BigEndian.AppendUint32(ihdr, h), 8, 0, 0, 0, 0)
	return append([]byte(signature), chunk(ihdr)...)
}

// chunk frames kind and data with length and checksum.
func chunk(kindAndData []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(kindAndData)-4))
	b = append(b, kindAndData...)
	return binary.BigEndian.AppendUint32(b, crc(kindAndData))
}

// badPalette is an 8-bit BMP of 1x1 pixels with a palette of one colour and a pixel of index 7. Older decoders let it pass,
// and resizing then panicked (CVE-2023-36308).
func badPalette() []byte {
	b := []byte("BM")
	for _, v := range []uint32{62, 0, 58, 40, 1, 1} { // sizes, offset, header size, width, height
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, 1, 0, 8, 0)                            // planes, bits per pixel
	for _, v := range []uint32{0, 4, 2835, 2835, 1, 0} { // no compression, sizes, one colour
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, 1, 2, 3, 0, 7, 0, 0, 0)
}

func TestOpenErrors(t *testing.T) {
	whole := encoded(t, func(w io.Writer) error { return png.Encode(w, halves(64, 64)) })
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"text", []byte("hello"), "not an image (PNG, JPEG, GIF, BMP, TIFF, WebP)"},
		{"empty", nil, "file is empty"},
		{"bomb", pngHeader(16000, 16000), "png of 16000x16000 pixels, want at most 100 million pixels"},
		{"cut", whole[:len(whole)/2], "broken png: "},
		{"cut in header", whole[:12], "broken png: the file ends early"},
		{"palette", badPalette(), "broken bmp: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := put(t, "x.png", tt.file)
			_, err := Open(path)
			if err == nil || !strings.HasPrefix(err.Error(), "cannot open "+path+": ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "cannot open "+dir+": is a folder") {
		t.Errorf("directory: got %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v", err)
	}
}

func crop(u *image.Uniform, w, h int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, u.C)
		}
	}
	return img
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/2.PNG", "b/10.jpg", "a.webp", "notes.txt", ".hidden.png", ".git/x.png", "c/d/e.tif", "other/x.txt"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := func(paths ...string) string {
		for i := range paths {
			paths[i] = filepath.Join(dir, paths[i])
		}
		got, err := List(paths)
		if err != nil {
			return err.Error()
		}
		for i := range got {
			rel, err := filepath.Rel(dir, got[i])
			if err != nil {
				t.Fatal(err)
			}
			got[i] = filepath.ToSlash(rel)
		}
		return strings.Join(got, " ")
	}
	if got, want := list(""), "a.webp b/10.jpg b/2.PNG c/d/e.tif"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := list("notes.txt", "c", "b", "b/2.PNG"), "notes.txt c/d/e.tif b/10.jpg b/2.PNG"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := list("other"); !strings.Contains(got, "no image files") {
		t.Errorf("folder without images: got %q", got)
	}
	if got := list("none"); !strings.HasPrefix(got, "cannot open "+filepath.Join(dir, "none")+": no such file") {
		t.Errorf("missing: got %q", got)
	}
	if err := os.Symlink("b", filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here")
	}
	if got, want := list("link"), "link/10.jpg link/2.PNG"; got != want {
		t.Errorf("link: got %q, want %q", got, want)
	}
}

// FuzzDecode: no file makes Decode or what follows it panic.
func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	p := image.NewPaletted(image.Rect(0, 0, 3, 3), palette.Plan9)
	for _, encode := range []func() error{
		func() error { return png.Encode(&b, p) },
		func() error { return gif.Encode(&b, p, nil) },
		func() error { return tiff.Encode(&b, p, nil) },
		func() error { return bmp.Encode(&b, p) },
		func() error { return jpeg.Encode(&b, p, nil) },
	} {
		b.Reset()
		if err := encode(); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(b.Bytes()))
	}
	f.Add(webpPixel())
	f.Add(badPalette())
	names, files := archive(f)
	for _, name := range names {
		f.Add(files[name])
	}
	hostile.Fuzz(f, decodesWithin)
}
