package imageio

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
)

// maxEXIF bounds the bytes of EXIF data that are looked at; JPEG allows 64 KiB.
const maxEXIF = 1 << 20

// orientationOf returns the orientation in EXIF data: a TIFF without picture, which
// some programs begin with "Exif" and two zeros. 1, as stored, if it says nothing
// that makes sense: a picture is not refused for its EXIF.
func orientationOf(exif []byte) int {
	exif = bytes.TrimPrefix(exif, []byte("Exif\x00\x00"))
	d, err := readIFD(&input{r: bytes.NewReader(exif), size: int64(len(exif))})
	if err != nil {
		return 1
	}
	return d.orientation()
}

// orientation is the value of tag 274 of the TIFF specification.
func (d *ifd) orientation() int {
	if v := d.ints(tagOrientation, 1); len(v) == 1 && v[0] >= 1 && v[0] <= 8 {
		return v[0]
	}
	return 1
}

// orientationPNG looks for an eXIf chunk, or for the text in which ImageMagick keeps
// EXIF. Broken chunks are not looked at further; the decoder will say so.
func orientationPNG(in *input) int {
	text, seen := 1, false
	for off := int64(len(signature)); ; {
		var head [8]byte
		if _, err := in.ReadAt(head[:], off); err != nil {
			return text
		}
		n, kind := int64(binary.BigEndian.Uint32(head[:4])), string(head[4:])
		switch kind {
		case "IEND":
			return text
		case "eXIf", "tEXt", "zTXt", "iTXt":
			if n > maxEXIF {
				break
			}
			body, err := in.bytes(off+8, n)
			if err != nil {
				return text
			}
			if kind == "eXIf" {
				return orientationOf(body)
			}
			// Other texts are not unpacked: a file may have very many. Of several profiles the first counts.
			key, _, _ := bytes.Cut(body, []byte{0})
			if seen || string(key) != "Raw profile type exif" && string(key) != "Raw profile type APP1" {
				break
			}
			seen = true
			if t, err := parseText(kind, body, maxEXIF); err == nil {
				text = orientationOf(rawProfile(t.Value))
			}
		}
		off += 12 + n
	}
}

// rawProfile decodes ImageMagick's profile text: a line with its name, one with its
// length, then hexadecimal digits.
func rawProfile(s string) []byte {
	lines := strings.Fields(s)
	if len(lines) < 3 {
		return nil
	}
	b, err := hex.DecodeString(strings.Join(lines[2:], ""))
	if err != nil {
		return nil
	}
	return b
}

// section reads part of a file.
func (in *input) section(off, n int64) io.Reader { return io.NewSectionReader(in, off, n) }
