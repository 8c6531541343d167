package imageio

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"strings"
	"unicode/utf8"
)

// Section numbers below are of the PNG specification, 3rd edition (W3C, 2025).

// A Text is a note in a PNG file, such as Software: viz 1.0. Key has 1 to 79
// printable Latin-1 characters, no space at either end nor two in a row (11.3.3.1);
// Value is any text; see Noted.
type Text struct{ Key, Value string }

// maxText bounds the bytes of all text chunks of a file and, decompressed, of all
// their values.
const maxText = 16 << 20

const signature = "\x89PNG\r\n\x1a\n"

// WritePNG writes img with the notes in text to path, atomically (see
// WriteFile). Equal pictures and notes give equal files: there is no time stamp.
func WritePNG(path string, img image.Image, text []Text) error {
	return WriteFile(path, func(w io.Writer) error { return EncodePNG(w, img, text) })
}

// EncodePNG writes img as PNG to w. Each note becomes a tEXt chunk if its value is
// plain Latin-1, else an uncompressed iTXt chunk (UTF-8); they stand before the
// pixels, so that they can be read without decoding.
func EncodePNG(w io.Writer, img image.Image, text []Text) error {
	var notes []byte
	for _, t := range text {
		chunk, err := textChunk(t)
		if err != nil {
			return err
		}
		notes = append(notes, chunk...)
	}
	b, err := pngFile(img)
	if err != nil {
		return err
	}
	// The signature is followed by IHDR, whose 13 bytes of data are framed by
	// length, type and checksum.
	const ihdr = len(signature) + 4 + 4 + 13 + 4
	for _, part := range [][]byte{b[:ihdr], notes, b[ihdr:]} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Noted is the value that a note has in a file: bytes that are no UTF-8, and NUL, become U+FFFD, for names are what
// strangers make them.
func Noted(value string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(value, "\x00", "\ufffd"), "\ufffd")
}

// textChunk is t as a complete chunk.
func textChunk(t Text) ([]byte, error) {
	key, ok := toLatin1(t.Key, false)
	if !ok || len(key) < 1 || len(key) > 79 || strings.TrimSpace(t.Key) != t.Key || strings.Contains(t.Key, "  ") {
		return nil, fmt.Errorf("PNG text key %q, want 1 to 79 printable Latin-1 characters", t.Key)
	}
	t.Value = Noted(t.Value)
	if len(t.Value) > maxText/2 {
		return nil, fmt.Errorf("PNG text %q: value has %d bytes, want at most %d", t.Key, len(t.Value), maxText/2)
	}
	data := append(key, 0)
	kind := "tEXt"
	if value, ok := toLatin1(t.Value, true); ok {
		data = append(data, value...)
	} else {
		kind = "iTXt"
		data = append(data, 0, 0) // not compressed
		data = append(data, 0, 0) // no language, no translated key
		data = append(data, t.Value...)
	}
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	chunk = append(append(chunk, kind...), data...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:])), nil
}

// toLatin1 encodes s as printable Latin-1, with newlines if allowed.
func toLatin1(s string, newline bool) ([]byte, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		printable := r >= 0x20 && r <= 0x7e || r >= 0xa1 && r <= 0xff
		if !printable && !(newline && r == '\n') {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}

func fromLatin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// ReadText returns the notes in the PNG file at path, in file order: tEXt, zTXt and
// iTXt chunks. The picture is not decoded. A file that is not a PNG, a broken or
// overlong text chunk and a file that ends early are errors.
func ReadText(path string) ([]Text, error) {
	f, _, err := OpenPlain(path)
	if err != nil {
		return nil, failed(path, err)
	}
	defer f.Close()
	text, err := readText(f)
	if err != nil {
		return nil, failed(path, err)
	}
	return text, nil
}

func readText(src io.Reader) ([]Text, error) {
	r := bufio.NewReader(src)
	sig := make([]byte, len(signature))
	if _, err := io.ReadFull(r, sig); err != nil || string(sig) != signature {
		return nil, errors.New("not a PNG file")
	}
	var text []Text
	left := maxText // bytes of chunks still allowed
	room := maxText // bytes of values still allowed
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, fmt.Errorf("broken png: no IEND chunk: %w", err)
		}
		length, kind := binary.BigEndian.Uint32(head[:4]), string(head[4:])
		switch kind {
		case "IEND":
			return text, nil
		case "tEXt", "zTXt", "iTXt":
		default:
			if _, err := io.CopyN(io.Discard, r, int64(length)+4); err != nil {
				return nil, fmt.Errorf("broken png: chunk %q of %d bytes: %w", kind, length, err)
			}
			continue
		}
		if left -= int(min(length, maxText+1)); left < 0 {
			return nil, fmt.Errorf("broken png: text chunks have more than %d bytes", maxText)
		}
		// CopyN grows with the bytes that are there, not with the claim.
		var data bytes.Buffer
		if _, err := io.CopyN(&data, r, int64(length)+4); err != nil {
			return nil, fmt.Errorf("broken png: chunk %q of %d bytes: %w", kind, length, err)
		}
		body, sum := data.Bytes()[:length], binary.BigEndian.Uint32(data.Bytes()[length:])
		if got := crc32.Update(crc32.ChecksumIEEE(head[4:]), crc32.IEEETable, body); got != sum {
			return nil, fmt.Errorf("broken png: chunk %q has checksum %08x, want %08x", kind, got, sum)
		}
		t, err := parseText(kind, body, room)
		if err != nil {
			return nil, fmt.Errorf("broken png: chunk %q: %w", kind, err)
		}
		text = append(text, t)
		room -= min(len(t.Value), room)
	}
}

// parseText decodes the data of a tEXt, zTXt or iTXt chunk (11.3.3). A compressed
// value may have at most room bytes.
func parseText(kind string, b []byte, room int) (Text, error) {
	key, b, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return Text{}, errors.New("key without end")
	}
	t := Text{Key: fromLatin1(key)}
	compressed := false
	switch kind {
	case "tEXt":
		t.Value = fromLatin1(b)
		return t, nil
	case "zTXt":
		if len(b) < 1 || b[0] != 0 {
			return t, errors.New("unknown compression method")
		}
		b, compressed = b[1:], true
	case "iTXt":
		if len(b) < 2 || b[0] > 1 || b[0] == 1 && b[1] != 0 {
			return t, errors.New("unknown compression method")
		}
		compressed, b = b[0] == 1, b[2:]
		for range 2 { // language tag, translated key
			if _, b, ok = bytes.Cut(b, []byte{0}); !ok {
				return t, errors.New("language or translated key without end")
			}
		}
	}
	if compressed {
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return t, err
		}
		if b, err = io.ReadAll(io.LimitReader(z, int64(room)+1)); err != nil {
			return t, err
		}
		if len(b) > room {
			return t, fmt.Errorf("text values have more than %d bytes", maxText)
		}
	}
	if kind == "zTXt" {
		t.Value = fromLatin1(b)
	} else {
		if !utf8.Valid(b) {
			return t, errors.New("value is not UTF-8")
		}
		t.Value = string(b)
	}
	return t, nil
}
