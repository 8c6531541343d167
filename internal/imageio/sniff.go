package imageio

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

	"golang.org/x/image/bmp"
)

// sniff tells the format of a file from its first bytes. What is not decoded is
// named in the error.
func sniff(in *input) (string, error) {
	b := in.head
	at := func(off int, s string) bool { return len(b) >= off+len(s) && string(b[off:off+len(s)]) == s }
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"png", at(0, signature)},
		{"jpeg", at(0, "\xff\xd8")},
		{"gif", at(0, "GIF87a") || at(0, "GIF89a")},
		{"bmp", at(0, "BM") && len(b) > 14},
		{"tiff", (at(0, "II\x2a\x00") || at(0, "MM\x00\x2a") || at(0, "II\x2b\x00") || at(0, "MM\x00\x2b")) && !at(8, "CR\x02")},
		{"webp", at(0, "RIFF") && at(8, "WEBP")},
	} {
		if f.is {
			return f.name, nil
		}
	}
	if name := foreign(b, at); name != "" {
		return "", unsupported(name)
	}
	text := strings.ToLower(string(bytes.TrimSpace(bytes.TrimPrefix(b[:min(len(b), 1024)], []byte("\xef\xbb\xbf")))))
	switch {
	case strings.HasPrefix(text, "<svg"), strings.HasPrefix(text, "<?xml") && strings.Contains(text, "<svg"):
		return "", unsupported("SVG")
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "", errors.New("not an image but a web page (HTML)")
	}
	return "", fmt.Errorf("not an image (%s)", formats)
}

// Recognise says what is wrong with a file that begins so, if it is no picture of a format that is decoded.
func Recognise(head []byte) error {
	_, err := sniff(&input{size: int64(len(head)), head: head})
	return err
}

// foreign names formats of pictures that are not decoded, and of films; "" for others.
func foreign(b []byte, at func(off int, s string) bool) string {
	if at(4, "ftyp") { // ISO media: the major brand, a version, the brands it is compatible with
		size := min(int(b[3])|int(b[2])<<8, len(b))
		brands := string(b[8:max(size, min(12, len(b)))])
		for _, k := range []struct{ name, brands string }{
			{"camera raw (CR3)", "crx "}, {"AVIF", "avif avis"}, {"HEIC", "heic heix hevc hevx heim heis mif1 msf1"}, {"JPEG 2000", "jp2 jpx "},
		} {
			for i := 0; i+4 <= len(brands); i += 4 {
				if i != 4 && strings.Contains(k.brands, brands[i:i+4]) {
					return k.name
				}
			}
		}
		return "film (MP4 or QuickTime)"
	}
	for _, k := range []struct {
		name string
		is   bool
	}{
		{"JPEG XL", at(0, "\xff\x0a") || at(0, "\x00\x00\x00\x0cJXL ")},
		{"JPEG 2000", at(0, "\xff\x4f\xff\x51") || at(0, "\x00\x00\x00\x0cjP  ")},
		{"PDF", at(0, "%PDF-")},
		{"PostScript", at(0, "%!PS")},
		{"Photoshop", at(0, "8BPS")},
		{"OpenEXR", at(0, "\x76\x2f\x31\x01")},
		{"Radiance HDR", at(0, "#?RADIANCE") || at(0, "#?RGBE")},
		{"ICO", at(0, "\x00\x00\x01\x00")},
		{"DICOM", at(128, "DICM")},
		{"DDS", at(0, "DDS ")},
		{"QOI", at(0, "qoif")},
		{"camera raw", at(8, "CR\x02") || at(0, "FUJIFILMCCD-RAW") || at(0, "IIRO") || at(0, "IIRS") || at(0, "MMOR") || at(0, "IIU\x00")},
		{"netpbm (PPM, PGM, PBM)", len(b) > 2 && b[0] == 'P' && b[1] >= '1' && b[1] <= '7' && (b[2] == '\n' || b[2] == ' ' || b[2] == '\r' || b[2] == '\t')},
	} {
		if k.is {
			return k.name
		}
	}
	return ""
}

// unsupported is the error of a picture that may be in order but is not decoded.
type unsupported string

func (e unsupported) Error() string {
	return string(e) + " is not supported: convert it to PNG or JPEG"
}

// explain tells what is broken from what is not supported, and drops the prefixes of
// the decoders' own packages.
func explain(format string, err error) error {
	name := map[string]string{"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "webp": "WebP"}[format]
	var p png.UnsupportedError
	var j jpeg.UnsupportedError
	var u unsupported
	switch {
	case errors.As(err, &u):
		return u
	case errors.As(err, &p):
		return unsupported(name + " with " + string(p))
	case errors.As(err, &j):
		return unsupported(name + " with this " + string(j))
	case errors.Is(err, bmp.ErrUnsupported):
		return unsupported(name + " of this kind")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("broken %s: the file ends early", format)
	}
	text := cause(err).Error()
	for _, prefix := range []string{"png: ", "gif: ", "jpeg: ", "bmp: ", "tiff: ", "webp: ", "vp8l: ", "vp8: ", "riff: ", "lzw: ", "ccitt: ", "zlib: ", "flate: ", "invalid format: ", "invalid JPEG format: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return fmt.Errorf("broken %s: %s", format, text)
}
