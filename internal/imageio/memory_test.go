package imageio

import (
	"bytes"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// TestMemoryOfHeader decodes pictures of each format: what is allocated meanwhile is no more than the header said, and
// half of it at least, so that pictures are not refused without need.
func TestMemoryOfHeader(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, whose tests are the short ones, makes buffers grow differently")
	}
	b := image.Rect(0, 0, 901, 803)
	clear := image.NewNRGBA(b)
	for i := range clear.Pix {
		clear.Pix[i] = uint8(i / 5003)
	}
	as := func(m draw.Image) image.Image {
		draw.Draw(m, b, clear, image.Point{}, draw.Over)
		return m
	}
	solid := image.NewNRGBA(b)
	draw.Draw(solid, b, image.White, image.Point{}, draw.Src)
	draw.Draw(solid, b, clear, image.Point{}, draw.Over)
	asPNG := func(w io.Writer, m image.Image) error { return png.Encode(w, m) }
	asJPEG := func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }
	asTIFF := func(w io.Writer, m image.Image) error { return tiff.Encode(w, m, nil) }
	for _, c := range []struct {
		name   string
		encode func(io.Writer, image.Image) error
		m      image.Image
	}{
		{"PNG", asPNG, solid},
		{"transparent PNG", asPNG, clear},
		{"PNG of 16 bits", asPNG, as(image.NewNRGBA64(b))},
		{"PNG with a palette", asPNG, as(image.NewPaletted(b, palette.Plan9))},
		{"grey PNG", asPNG, as(image.NewGray(b))},
		{"grey PNG of 16 bits", asPNG, as(image.NewGray16(b))},
		{"JPEG", asJPEG, solid},
		{"grey JPEG", asJPEG, as(image.NewGray(b))},
		{"GIF", func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }, solid},
		{"BMP", bmp.Encode, solid},
		{"BMP with a palette", bmp.Encode, as(image.NewPaletted(b, palette.Plan9))},
		{"TIFF", asTIFF, solid},
		{"TIFF of 16 bits", asTIFF, as(image.NewNRGBA64(b))},
	} {
		var text bytes.Buffer
		if err := c.encode(&text, c.m); err != nil {
			t.Fatal(err)
		}
		h, err := ReadHeader(bytes.NewReader(text.Bytes()), c.name)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Decode(bytes.NewReader(text.Bytes()), c.name)
		runtime.ReadMemStats(&after)
		if err != nil || m.Bounds() != b {
			t.Fatalf("%s: %v, %v", c.name, m.Bounds(), err)
		}
		took := int(after.TotalAlloc - before.TotalAlloc)
		t.Logf("%s: %d bytes stated, %d taken", c.name, h.Memory, took)
		if took > h.Memory {
			t.Errorf("%s: decoding took %d bytes, the header said %d", c.name, took, h.Memory)
		}
		if grey := m.ColorModel() == color.GrayModel; !grey && h.Memory > 2*took {
			t.Errorf("%s: the header said %d bytes, decoding took %d", c.name, h.Memory, took)
		}
	}
}

// TestGarbageOfPictures decodes large pictures one after the other while the collector waits: what one leaves is let go of
// before the next is decoded, whose array would come on top of it.
func TestGarbageOfPictures(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const w, h = 4300, 1000
	b := image.Rect(0, 0, w, h)
	for name, m := range map[string]image.Image{"PNG": image.NewNRGBA(b), "grey PNG of 16 bits": image.NewGray16(b)} {
		var text bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&text, m); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 6 {
			if _, err := Decode(bytes.NewReader(text.Bytes()), name); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if took := int(after.HeapAlloc) - int(before.HeapAlloc); took > 3*4*w*h {
			t.Errorf("%s: %d MB are left of six pictures of %d MB", name, took>>20, 4*w*h>>20)
		}
	}
}

// reads counts the calls of a reader.
type reads struct {
	*bytes.Reader
	n int
}

func (r *reads) Read(p []byte) (int, error) { r.n++; return r.Reader.Read(p) }

// TestFewReads: headers of very many small parts are read in blocks, not part by part, and bytes before a marker have a bound.
func TestFewReads(t *testing.T) {
	var picture, small bytes.Buffer
	if err := jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&small, image.NewNRGBA(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	with := func(b []byte, at int, part string, n int) []byte {
		return slices.Concat(b[:at], bytes.Repeat([]byte(part), n), b[at:])
	}
	for name, data := range map[string][]byte{
		"comments":    with(picture.Bytes(), 2, "\xff\xfe\x00\x02", 100_000),
		"no lengths":  with(picture.Bytes(), 2, "\xff\xd0", 100_000),
		"fill":        with(picture.Bytes(), 2, "\xff", 200_000),
		"stray bytes": with(picture.Bytes(), 2, "x", 60_000),
		"chunks":      with(small.Bytes(), 33, "\x00\x00\x00\x00abCd\x7e\x36\x4b\xcb", 50_000),
	} {
		r := &reads{Reader: bytes.NewReader(data)}
		_, err := ReadHeader(r, name)
		if most := len(data)/1000 + 100; err != nil || r.n > most {
			t.Errorf("%s: %d reads of %d bytes, want at most %d; %v", name, r.n, len(data), most, err)
		}
	}
	if _, err := ReadHeader(bytes.NewReader(with(picture.Bytes(), 2, "\xff", 2<<20)), "a.jpg"); err == nil {
		t.Error("two million bytes before a marker are taken")
	}
}
