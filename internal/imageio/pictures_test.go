package imageio

import (
	"archive/zip"
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"
)

// archive reads testdata/pictures.zip.
func archive(t testing.TB) (names []string, files map[string][]byte) {
	t.Helper()
	z, err := zip.OpenReader("testdata/pictures.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files = map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name)
		files[f.Name] = b
	}
	return names, files
}

// TestPictures holds pictures of all kinds to what PIL, libtiff and libwebp make of
// them; testdata/SOURCES.md says how they came about. JPEG may be off by 3 levels: its
// cosine transform is rounded in other ways, by one level in each component.
func TestPictures(t *testing.T) {
	names, files := archive(t)
	for _, name := range names {
		if strings.HasSuffix(name, ".want.png") || strings.HasSuffix(name, ".error") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := bytes.NewReader(files[name])
			img, err := Decode(r, name)
			if text, ok := files[name+".error"]; ok {
				if err == nil || !strings.HasPrefix(err.Error(), "cannot open "+name+": ") || !strings.Contains(err.Error(), string(text)+": convert it to PNG or JPEG") {
					t.Errorf("got error %v, want %s", err, text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want, err := png.Decode(bytes.NewReader(files[name+".want.png"]))
			if err != nil {
				t.Fatal(err)
			}
			tolerance := 0
			if strings.HasSuffix(name, ".jpg") || strings.HasPrefix(name, "jpeg") {
				tolerance = 3
			}
			if mean := comparePixels(t, img, want, tolerance); mean > 0.1 && img.Bounds().Dx() > 9 {
				t.Errorf("%.3f levels off in the mean: more than rounding", mean)
			}
			h, err := ReadHeader(r, name)
			if _, grey := img.(*image.Gray); err != nil || img.Bounds() != image.Rect(0, 0, h.Width, h.Height) || grey && !h.Grey {
				t.Errorf("header %+v, error %v; picture is a %T of %v", h, err, img, img.Bounds())
			}
		})
	}
}

// comparePixels wants no channel off by more than tolerance; colours where nothing
// is to be seen do not count. It returns the mean of what they are off.
func comparePixels(t *testing.T, got, want image.Image, tolerance int) float64 {
	t.Helper()
	if got.Bounds() != want.Bounds() {
		t.Fatalf("bounds %v, want %v", got.Bounds(), want.Bounds())
	}
	off, n := 0, 0
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			a, b := color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
			if a.A == 0 && b.A == 0 {
				continue
			}
			for _, v := range [][2]uint8{{a.R, b.R}, {a.G, b.G}, {a.B, b.B}, {a.A, b.A}} {
				d := max(int(v[0])-int(v[1]), int(v[1])-int(v[0]))
				if d > tolerance {
					t.Fatalf("pixel %d,%d is %v, want %v", x, y, a, b)
				}
				off, n = off+d, n+1
			}
		}
	}
	return float64(off) / float64(max(n, 1))
}

// The first frame of a GIF may be smaller than the canvas, of which the rest is
// transparent.
func TestGIFCanvas(t *testing.T) {
	frame := image.NewPaletted(image.Rect(2, 1, 4, 3), color.Palette{color.NRGBA{R: 200, A: 255}, color.NRGBA{G: 100, A: 255}})
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 6, Height: 5}})
	if err != nil {
		t.Fatal(err)
	}
	img, err := Decode(bytes.NewReader(b.Bytes()), "x")
	if err != nil || img.Bounds() != image.Rect(0, 0, 6, 5) {
		t.Fatalf("picture of %v, error %v", img.Bounds(), err)
	}
	for y := range 5 {
		for x := range 6 {
			want := color.NRGBA{}
			if image.Pt(x, y).In(frame.Rect) {
				want = color.NRGBA{R: 200, A: 255}
			}
			if got := img.At(x, y); got != want {
				t.Errorf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
}

// Formats that are not decoded are told by their content and named.
func TestForeignFormats(t *testing.T) {
	heif := func(brands string) string {
		return "\x00\x00\x00" + string(rune(8+len(brands))) + "ftyp" + brands + "\x00\x00\x00\x08meta"
	}
	for _, tt := range []struct{ file, want string }{
		{heif("avif\x00\x00\x00\x00avifmif1miaf"), "AVIF"},
		{heif("mif1\x00\x00\x00\x00mif1avifmiaf"), "AVIF"},
		{heif("avis\x00\x00\x00\x00avismsf1"), "AVIF"},
		{heif("heic\x00\x00\x00\x00mif1heic"), "HEIC"},
		{heif("mif1\x00\x00\x00\x00mif1heix"), "HEIC"},
		{heif("crx \x00\x00\x00\x01crx isom"), "camera raw (CR3)"},
		{heif("isom\x00\x00\x02\x00isomiso2"), "film (MP4 or QuickTime)"},
		{"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"},
		{"\xff\x0a\xfa\x1f", "JPEG XL"},
		{"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"},
		{"\xff\x4f\xff\x51\x00\x2f", "JPEG 2000"},
		{"%PDF-1.7\n", "PDF"},
		{"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- x -->\n<svg xmlns=\"\">", "SVG"},
		{"  <SVG>", "SVG"},
		{"8BPS\x00\x01", "Photoshop"},
		{"II\x2a\x00\x10\x00\x00\x00CR\x02\x00", "camera raw"},
		{"P6\n2 2\n255\n", "netpbm (PPM, PGM, PBM)"},
		{"\x00\x00\x01\x00\x01\x00", "ICO"},
	} {
		_, err := Decode(strings.NewReader(tt.file), "x.jpg")
		if want := "cannot open x.jpg: " + tt.want + " is not supported: convert it to PNG or JPEG"; err == nil || err.Error() != want {
			t.Errorf("%.20q: got error %v, want %s", tt.file, err, want)
		}
	}
	for _, page := range []string{"<html>404</html>", "\n<!DOCTYPE HTML>\n"} {
		if _, err := Decode(strings.NewReader(page), "x.jpg"); err == nil || !strings.Contains(err.Error(), "web page") {
			t.Errorf("%q: got error %v", page, err)
		}
	}
}

// A few bytes can claim a picture of any size: it is refused before memory is taken for
// it, and so is one that lacks the data for what it claims.
func TestClaims(t *testing.T) {
	_, files := archive(t)
	claim := func(name string, edit func(b []byte)) []byte {
		b := bytes.Clone(files[name])
		edit(b)
		return b
	}
	huge := func(b []byte, at ...int) { // 16-bit little-endian halves of sizes
		for _, i := range at {
			b[i], b[i+1] = 0xff, 0x3f
		}
	}
	tests := map[string][]byte{
		"jpeg": claim("progressive.jpg", func(b []byte) {
			i := bytes.Index(b, []byte{0xff, 0xc2})
			copy(b[i+5:], []byte{0xff, 0xff, 0xff, 0xff})
		}),
		"gif":  claim("anim.gif", func(b []byte) { huge(b, 6, 8) }),
		"bmp":  claim("rgb.bmp", func(b []byte) { huge(b, 18, 22) }),
		"webp": claim("lossy20.webp", func(b []byte) { huge(b, 26, 28) }),
	}
	for kind, file := range tests {
		if _, err := Decode(bytes.NewReader(file), "x"); err == nil || !strings.Contains(err.Error(), "want at most 100 million pixels") {
			t.Errorf("%s: got error %v", kind, err)
		}
	}
	// A TIFF: 9000x9000 pixels of 8 bits in a strip of 35 bytes; tiles of 2 GB; a directory that never ends.
	small := files["unknown.tif"]
	entry := func(b []byte, tag int, value uint32) {
		n := int(b[4]) | int(b[5])<<8
		for e := b[n+2:]; len(e) >= 12; e = e[12:] {
			if int(e[0])|int(e[1])<<8 == tag {
				e[8], e[9], e[10], e[11] = byte(value), byte(value>>8), byte(value>>16), byte(value>>24)
			}
		}
	}
	for _, tt := range []struct {
		want string
		edit func(b []byte)
	}{
		{"strip or tile 0 ends early", func(b []byte) { entry(b, tagWidth, 9000); entry(b, tagHeight, 9000); entry(b, tagRowsPerStrip, 9000) }},
		{"want at most 100 million", func(b []byte) { entry(b, tagWidth, 1<<31); entry(b, tagHeight, 1<<31) }},
		{"want at most 100 million", func(b []byte) { entry(b, tagWidth, 99_000_000); entry(b, tagHeight, 99_000_000) }},
		{"places of 1 strips or tiles, want 5", func(b []byte) { entry(b, tagRowsPerStrip, 1) }},
		{"strip or tile 0 ends early", func(b []byte) { entry(b, tagStripOffsets, 1<<31) }},
		{"strip or tile 0 ends early", func(b []byte) { entry(b, tagStripCounts, 1<<31) }},
		{"pixels of 0 samples", func(b []byte) { entry(b, tagSamples, 0) }},
		{"a directory of", func(b []byte) { b[int(b[4])|int(b[5])<<8] = 0 }},
	} {
		b := bytes.Clone(small)
		entry(b, tagCompression, compressNone)
		tt.edit(b)
		if _, err := Decode(bytes.NewReader(b), "x"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got error %v, want %s", err, tt.want)
		}
	}
}

// Every picture cut off anywhere is an error or, where only notes are lost, a picture;
// never a panic.
func TestCut(t *testing.T) {
	names, files := archive(t)
	for _, name := range names {
		if strings.HasSuffix(name, ".want.png") || strings.HasSuffix(name, ".error") {
			continue
		}
		b := files[name]
		for n := 1; n < len(b); n += 1 + len(b)/40 {
			if _, err := Decode(bytes.NewReader(b[:n]), name); err != nil && !strings.HasPrefix(err.Error(), "cannot open "+name+": ") {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

// Bytes that belong to no segment are passed over, as by libjpeg.
func TestStrayBytes(t *testing.T) {
	_, files := archive(t)
	b := files["progressive.jpg"]
	want, err := Decode(bytes.NewReader(b), "x")
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte{0xff, 0xdb})
	got, err := Decode(bytes.NewReader(slices.Concat(b[:i], []byte{0, 1, 2}, b[i:])), "x")
	if err != nil {
		t.Fatal(err)
	}
	comparePixels(t, got, want, 0)
}
