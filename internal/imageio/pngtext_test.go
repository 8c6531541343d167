package imageio

import (
	"bytes"
	"compress/zlib"
	"errors"
	"hash/crc32"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
)

func crc(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

func TestTextRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	text := []Text{
		{"Software", "viz 1.0"},
		{"provenance", "{\n  \"unit\": \"conv4/17\",\n  \"max\": 3.21\n}"},
		{"Titre", "été à 20 °C"},       // Latin-1
		{"Class", "柴犬 → shiba, σ = 2"}, // beyond Latin-1
		{"Tab", "a\tb"},                // not allowed in tEXt
		{"Empty", ""},
	}
	img := halves(9, 5)
	if err := WritePNG(path, img, text); err != nil {
		t.Fatal(err)
	}
	got, err := ReadText(path)
	if err != nil || !slices.Equal(got, text) {
		t.Errorf("got %q, error %v", got, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n, m := bytes.Count(b, []byte("tEXt")), bytes.Count(b, []byte("iTXt")); n != 4 || m != 2 {
		t.Errorf("%d tEXt and %d iTXt chunks, want 4 and 2", n, m)
	}
	// The picture is unharmed.
	back, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for y := range 5 {
		for x := range 9 {
			if !sameColor(back.At(x, y), img.At(x, y)) {
				t.Fatalf("pixel %d,%d: got %v, want %v", x, y, back.At(x, y), img.At(x, y))
			}
		}
	}
	// Without notes the file is that of the picture.
	var plain bytes.Buffer
	want, err := pngFile(img)
	if err := errors.Join(EncodePNG(&plain, img, nil), err); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain.Bytes(), want) {
		t.Error("file without text has other bytes")
	}
}

func sameColor(a, b interface{ RGBA() (r, g, b, a uint32) }) bool {
	r1, g1, b1, a1 := a.RGBA()
	r2, g2, b2, a2 := b.RGBA()
	return r1 == r2 && g1 == g2 && b1 == b2 && a1 == a2
}

func TestTextRefused(t *testing.T) {
	dir := t.TempDir()
	for _, bad := range []Text{
		{"", "x"}, {strings.Repeat("k", 80), "x"}, {" k", "x"}, {"a  b", "x"}, {"日本", "x"}, {"a\nb", "x"},
		{"k", strings.Repeat("x", maxText)},
	} {
		if err := WritePNG(filepath.Join(dir, "a.png"), halves(2, 2), []Text{bad}); err == nil {
			t.Errorf("%.10q, %.10q: no error", bad.Key, bad.Value)
		}
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestNoted: what no text chunk can hold is replaced.
func TestNoted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.png")
	if err := WritePNG(name, halves(2, 2), []Text{{"k", "a\x00b\xffc\x1b"}}); err != nil {
		t.Fatal(err)
	}
	text, err := ReadText(name)
	if err != nil || len(text) != 1 || text[0].Value != "a\ufffdb\ufffdc\x1b" || text[0].Value != Noted("a\x00b\xffc\x1b") {
		t.Errorf("%q, %v", text, err)
	}
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.String()
}

func TestReadTextForeign(t *testing.T) {
	file := func(chunks ...string) []byte {
		b := pngHeader(1, 1)
		for _, c := range chunks {
			b = append(b, chunk([]byte(c))...)
		}
		return append(b, chunk([]byte("IEND"))...)
	}
	bomb := deflated(strings.Repeat("x", maxText+1))
	broken := file("tEXtk\x00v")
	broken[len(broken)-14] ^= 1 // in the text's checksum, which stands before the 12 bytes of IEND
	tests := []struct {
		name string
		file []byte
		want string // value, or error after "!"
	}{
		{"none", file(), ""},
		{"zTXt", file("zTXtk\x00\x00" + deflated("h\xe9")), "hé"},
		{"iTXt", file("iTXtk\x00\x00\x00en\x00Schl\u00fcssel\x00œuf"), "œuf"},
		{"iTXt deflated", file("iTXtk\x00\x01\x00\x00\x00" + deflated("œuf")), "œuf"},
		{"after pixels", file("IDATxxxx", "tEXtk\x00v"), "v"},
		{"no end", pngHeader(1, 1), "!no IEND"},
		{"not png", []byte("GIF89a"), "!not a PNG file"},
		{"checksum", broken, "!checksum"},
		{"key", file("tEXtkey"), "!key without end"},
		{"method", file("zTXtk\x00\x07abc"), "!compression method"},
		{"language", file("iTXtk\x00\x00\x00en"), "!without end"},
		{"utf8", file("iTXtk\x00\x00\x00\x00\x00\xff"), "!not UTF-8"},
		{"bomb", file("zTXtk\x00\x00" + bomb), "!more than"},
		{"claim", append(pngHeader(1, 1), "\xff\xff\xff\xfftEXt"...), "!more than"},
		{"skipped claim", append(pngHeader(1, 1), "\xff\xff\xff\xffabcd"...), "!EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readText(bytes.NewReader(tt.file))
			if want, bad := strings.CutPrefix(tt.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			value := ""
			if len(got) > 0 {
				value = got[0].Value
			}
			if value != tt.want {
				t.Errorf("got %q, want %q", value, tt.want)
			}
		})
	}
}

// TestManyTexts: texts in a picture are not unpacked to look for its orientation, of which there is one.
func TestManyTexts(t *testing.T) {
	for _, key := range []string{"Comment", "Raw profile type exif"} {
		bomb := chunk([]byte("zTXt" + key + "\x00\x00" + deflated(strings.Repeat("x", maxEXIF))))
		b := slices.Concat(pngHeader(1, 1), bytes.Repeat(bomb, 300), chunk([]byte("IDAT"+deflated("\x00\x00"))), chunk([]byte("IEND")))
		if err := hostile.Read(t, len(b), func() error {
			_, err := Decode(bytes.NewReader(b), "texts.png")
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}

// TestManyScans: scans of a progressive JPEG that say nothing are not all gone through.
func TestManyScans(t *testing.T) {
	b := []byte("\xff\xd8\xff\xdb\x00\x43\x00" + strings.Repeat("\x01", 64) + "\xff\xc2\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00\xff\xc4\x00\x14\x10\x01" + strings.Repeat("\x00", 15) + "\xe0")
	for _, n := range []int{maxScans, maxScans + 1} {
		file := slices.Concat(b, bytes.Repeat([]byte("\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00\x00\x00\x00\x00"), n), []byte("\xff\xd9"))
		_, err := Decode(bytes.NewReader(file), "scans.jpg")
		if refused := err != nil && strings.Contains(err.Error(), "want at most 100"); refused != (n > maxScans) {
			t.Errorf("%d scans: %v", n, err)
		}
	}
	for head, want := range map[string]bool{"GIF89a": true, "\xff\xd8\xff": true, "\x00\x00\x00\x00": false} {
		if err := Recognise([]byte(head)); (err == nil) != want {
			t.Errorf("%q: %v", head, err)
		}
	}
}

// FuzzReadText: no file panics, and a note that could be read can be written,
// unless its key or value is beyond what we write.
func FuzzReadText(f *testing.F) {
	var b bytes.Buffer
	if err := EncodePNG(&b, halves(2, 1), []Text{{"a", "b"}, {"c", "→"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(slices.Concat(pngHeader(1, 1), chunk([]byte("zTXtk\x00\x00"+deflated("hello"))), chunk([]byte("IEND"))))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		if len(b) > len(signature) {
			b = sealed(b)
		}
		var text []Text
		if hostile.Read(t, len(b), func() (err error) {
			text, err = readText(bytes.NewReader(b))
			return err
		}) != nil {
			return
		}
		for _, want := range text {
			var out bytes.Buffer
			if EncodePNG(&out, halves(1, 1), []Text{want}) != nil {
				continue
			}
			got, err := readText(&out)
			if want.Value = Noted(want.Value); err != nil || len(got) != 1 || got[0] != want {
				t.Fatalf("got %q, error %v, want %q", got, err, want)
			}
		}
	})
}
