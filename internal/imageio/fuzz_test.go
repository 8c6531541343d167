package imageio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/deconvnet/viz/internal/hostile"
)

// decodesWithin decodes a picture: in the memory that its header states, to the size that it states, grey or solid only
// as it says.
func decodesWithin(t testing.TB, b []byte) {
	var h Header
	err := hostile.Read(t, len(b), func() (err error) {
		h, err = ReadHeader(bytes.NewReader(b), "fuzz")
		return err
	})
	if err == nil && h.Width*h.Height > 1<<16 {
		return // takes long, as it may
	}
	memory := hostile.Memory(len(b))
	if err == nil {
		memory = h.Memory + 4*len(b) + 4<<20
	}
	var m image.Image
	decodeErr := hostile.ReadWithin(t, len(b), memory, func() (err error) {
		m, err = Decode(bytes.NewReader(b), "fuzz")
		return err
	})
	if decodeErr != nil {
		return
	}
	if err != nil || m.Bounds() != image.Rect(0, 0, h.Width, h.Height) {
		t.Fatalf("header %+v, error %v; decoded to %v", h, err, m.Bounds())
	}
	switch m := m.(type) {
	case *image.Gray:
		if !h.Grey {
			t.Errorf("a grey picture of a header that says colours: %+v", h)
		}
	case *image.NRGBA:
		if !h.Clear && !m.Opaque() {
			t.Errorf("a transparent picture of a header that says none: %+v", h)
		}
	default:
		t.Errorf("decoded to %T", m)
	}
}

// fuzzPictures fuzzes the decoder of one format: every input gets the format's first bytes. Seeds are made by encode
// and by the pictures of testdata with one of the extensions.
func fuzzPictures(f *testing.F, magic string, encode func(io.Writer, image.Image) error, also func([]byte) [][]byte, extensions ...string) {
	if encode != nil {
		for _, m := range []image.Image{halves(3, 2), image.NewGray(image.Rect(0, 0, 9, 2)), image.NewPaletted(image.Rect(0, 0, 5, 5), palette.Plan9[:16])} {
			var b bytes.Buffer
			if err := encode(&b, m); err != nil {
				f.Fatal(err)
			}
			f.Add(b.Bytes())
		}
	}
	names, files := archive(f)
	for _, name := range names {
		if b := files[name]; slices.Contains(extensions, filepath.Ext(name)) && len(b) < 4000 && !strings.HasSuffix(name, ".want.png") {
			f.Add(b)
		}
	}
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		if magic != "" {
			if len(b) < len(magic) {
				return
			}
			b = append([]byte(magic), b[len(magic):]...)
		}
		decodesWithin(t, b)
		if also != nil {
			for _, b := range also(b) {
				decodesWithin(t, b)
			}
		}
	})
}

// sealed is a PNG with the checksums that its chunks should have; the rest of what is no chunk is dropped.
func sealed(b []byte) []byte {
	out := append([]byte(nil), b[:len(signature)]...)
	for rest := b[len(signature):]; len(rest) >= 12; {
		n := int(min(binary.BigEndian.Uint32(rest), uint32(len(rest)-12)))
		out = append(out, chunk(rest[4:8+n])...)
		rest = rest[12+n:]
	}
	return out
}

// stored is data in the format zlib that is not packed: a writer of the standard library takes a megabyte for itself.
func stored(b []byte) []byte {
	out := []byte{0x78, 1}
	for sum := adler32.Checksum(b); ; {
		n := min(len(b), 1<<16-1)
		last := byte(0)
		if n == len(b) {
			last = 1
		}
		out = append(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(append(out, last), uint16(n)), ^uint16(n)), b[:n]...)
		if b = b[n:]; last == 1 {
			return binary.BigEndian.AppendUint32(out, sum)
		}
	}
}

// packed is a PNG of the pixels that a file's bytes are, so that filters, palettes and interlacing are fuzzed and not
// only zlib: the header is the first bytes.
func packed(b []byte) []byte {
	if len(b) < 16 {
		return nil
	}
	w, h := uint32(b[8]%40)+1, uint32(b[9]%40)+1
	depth := []byte{1, 2, 4, 8, 16}[b[10]%5]
	kind := []byte{0, 2, 3, 4, 6}[b[11]%5]
	head := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	head = append(binary.BigEndian.AppendUint32(head, h), depth, kind, 0, 0, b[12]&1)
	colours := int(b[13]) % min(len(b)-15, 257)
	return slices.Concat([]byte(signature), chunk(head), chunk(append([]byte("PLTE"), bytes.Repeat(b[15:][:colours], 3)...)),
		chunk(append([]byte("tRNS"), b[15:][:colours]...)), chunk(append([]byte("IDAT"), stored(b[14:])...)), chunk([]byte("IEND")))
}

func FuzzPNG(f *testing.F) {
	for _, depth := range []byte{8, 16} {
		f.Add(append([]byte(signature), 3, 3, depth, 2, 1, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2))
	}
	fuzzPictures(f, signature, png.Encode, func(b []byte) [][]byte {
		if p := packed(b); p != nil {
			return [][]byte{sealed(b), p}
		}
		return nil
	}, ".png")
}

func FuzzJPEG(f *testing.F) {
	fuzzPictures(f, "\xff\xd8", func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }, nil, ".jpg", ".jpeg")
}

func FuzzGIF(f *testing.F) {
	fuzzPictures(f, "GIF89a", func(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }, nil, ".gif")
}

func FuzzBMP(f *testing.F) {
	f.Add(badPalette())
	fuzzPictures(f, "BM", bmp.Encode, nil, ".bmp")
}

// FuzzTIFF also tries each input as BigTIFF and in the other byte order.
func FuzzTIFF(f *testing.F) {
	fuzzPictures(f, "", func(w io.Writer, m image.Image) error { return tiff.Encode(w, m, nil) }, func(b []byte) (out [][]byte) {
		for _, magic := range []string{"II\x2a\x00", "MM\x00\x2a", "II\x2b\x00"} {
			if len(b) > len(magic) && !bytes.HasPrefix(b, []byte(magic)) {
				out = append(out, append([]byte(magic), b[len(magic):]...))
			}
		}
		return out
	}, ".tif", ".tiff")
}

// FuzzWebP also tries each input as the data of a lossless and of a lossy picture.
func FuzzWebP(f *testing.F) {
	f.Add(webpPixel())
	riff := func(kind string, data []byte) []byte {
		b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(data)+12))
		b = binary.LittleEndian.AppendUint32(append(b, "WEBP"+kind...), uint32(len(data)))
		return append(append(b, data...), make([]byte, len(data)%2)...)
	}
	fuzzPictures(f, "", nil, func(b []byte) [][]byte {
		if len(b) < 12 || bytes.HasPrefix(b, []byte("RIFF")) {
			return nil
		}
		lossy := slices.Concat(b[:3], []byte("\x9d\x01\x2a"), []byte{b[6] & 63, 0, b[8] & 63, 0}, b[10:])
		lossless := slices.Concat([]byte{0x2f, b[1], b[2] & 1, b[3] & 1, b[4]}, b[5:])
		return [][]byte{riff("VP8 ", lossy), riff("VP8L", lossless)}
	}, ".webp")
}

// FuzzEXIF: an orientation, or none, whatever the bytes.
func FuzzEXIF(f *testing.F) {
	f.Add([]byte("Exif\x00\x00II\x2a\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Add([]byte("MM\x00\x2b\x00\x08\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x01\x01\x12\x00\x03\x00\x00\x00\x00\x00\x00\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("MM\x00\x2a\xff\xff\xff\xff"))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		hostile.Read(t, len(b), func() error {
			if o := orientationOf(b); o < 1 || o > 8 {
				t.Errorf("orientation %d", o)
			}
			text := fmt.Sprintf("\nexif\n%8d\n%x\n", len(b), b)
			if got := rawProfile(text); len(b) > 0 && !bytes.Equal(got, b) {
				t.Errorf("a profile of %x is %x", b, got)
			}
			rawProfile(string(b))
			return nil
		})
	})
}

// FuzzNames: what a list of files makes of a name, and the name of a file that a layer's or class's name becomes.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a.png", "../../etc/passwd", "con", "a\x00b", "é\xff.heic", strings.Repeat("é", 300), ".", "-rf", "a/b\\c.TIFF"} {
		f.Add(name)
	}
	hostile.Fuzz(f, func(t testing.TB, name string) {
		hostile.Read(t, len(name), func() error {
			file := FileName(name)
			if len(file) > 200 || strings.ContainsAny(file, "/\x00\n\x1b") || utf8.ValidString(name) && !utf8.ValidString(file) {
				t.Errorf("%q becomes the file name %q", name, file)
			}
			if again := FileName(file); again != file {
				t.Errorf("%q becomes %q, and that %q", name, file, again)
			}
			kind, picture := Kind(name)
			if (kind == "") != IsPicture(name) || kind == "" && !picture {
				t.Errorf("%q is of kind %q: %v %v", name, kind, picture, IsPicture(name))
			}
			var tally Tally
			tally.Add(kind, picture, 2)
			tally.Add(kind, picture, 1)
			if len(tally) != 1 || tally[0].Count != 3 {
				t.Errorf("got %v", tally)
			}
			return nil
		})
	})
}
