package imageio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
)

// inks says what the components of a JPEG mean.
type inks int

const (
	greyInk inks = iota
	yccInks
	rgbInks
	cmykInks
	ycckInks
)

// jpegHead is what stands before the first scan of a JPEG.
type jpegHead struct {
	w, h, n int    // n components
	ids     string // their names
	sof     byte   // marker that says the kind of coding
	bits    int
	jfif    bool
	samples int // a pixel, rounded up
	adobe   int // colour transform of Adobe's segment; -1 without one
	exif    []byte
	tables  []byte // segments that the decoder needs, in their order
	scan    int64  // where the first scan begins; 0 if there is none
}

// maxStray bounds the bytes between segments, maxFill those of 255 before markers.
const (
	maxStray = 1 << 16
	maxFill  = 1 << 20
)

// readJPEGHead reads segments up to the first scan or, for the tables of a TIFF, to
// the end of the image. Section B.1.1 of ITU-T T.81.
func readJPEGHead(in *input) (*jpegHead, error) {
	j := &jpegHead{adobe: -1}
	stray, fill := 0, 0
	for off := int64(2); ; {
		b, err := in.bytes(off, 2)
		if err != nil {
			return nil, err
		}
		m := b[1]
		switch {
		case b[0] != 0xff: // libjpeg, too, passes over stray bytes between segments
			if stray++; stray > maxStray {
				return nil, fmt.Errorf("no marker at byte %d", off)
			}
			off++
			continue
		case m == 0xff:
			if fill++; fill > maxFill {
				return nil, fmt.Errorf("more than %d bytes before markers", maxFill)
			}
			off++
			continue
		case m == 0xd9: // end of image
			return j, nil
		case m == 1 || m >= 0xd0 && m <= 0xd7 || m == 0: // no length
			off += 2
			continue
		case m == 0xda:
			j.scan = off
			return j, nil
		}
		if b, err = in.bytes(off+2, 2); err != nil {
			return nil, err
		}
		n := int64(binary.BigEndian.Uint16(b))
		if n < 2 {
			return nil, fmt.Errorf("segment of %d bytes at byte %d", n, off)
		}
		if err := j.segment(in, m, off, n); err != nil {
			return nil, err
		}
		off += 2 + n
	}
}

// segment takes what is of use from the segment of n bytes whose marker is at off.
func (j *jpegHead) segment(in *input, m byte, off, n int64) error {
	if m >= 0xe0 && m != 0xe0 && m != 0xe1 && m != 0xee { // notes: other applications', comments
		return nil
	}
	b, err := in.bytes(off, n+2)
	if err != nil {
		return err
	}
	body := b[4:]
	switch {
	case m == 0xe0:
		j.jfif = j.jfif || bytes.HasPrefix(body, []byte("JFIF\x00"))
	case m == 0xe1:
		if j.exif == nil && bytes.HasPrefix(body, []byte("Exif\x00")) {
			j.exif = body
		}
	case m == 0xee:
		if len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")) {
			j.adobe = int(body[11])
		}
	case m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
		if len(body) < 6 || len(body) < 6+3*int(body[5]) {
			return errors.New("frame header ends early")
		}
		j.sof, j.bits, j.n = m, int(body[0]), int(body[5])
		j.h, j.w = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
		j.ids = ""
		sum, wide, high := 0, 1, 1 // of the samples in a square of pixels
		for i := range j.n {
			j.ids += string(rune(body[6+3*i]))
			x, y := int(body[7+3*i]>>4), int(body[7+3*i]&15)
			sum, wide, high = sum+x*y, max(wide, x), max(high, y)
		}
		j.samples = (sum + wide*high - 1) / (wide * high)
		j.tables = append(j.tables, b...)
	default:
		j.tables = append(j.tables, b...)
	}
	return nil
}

// check refuses what is not decoded, by name.
func (j *jpegHead) check() error {
	switch {
	case j.sof == 0 || j.scan == 0:
		return io.ErrUnexpectedEOF
	case j.sof == 0xc3 || j.sof >= 0xc5 && j.sof <= 0xc7 || j.sof == 0xcb || j.sof >= 0xcd:
		return unsupported("lossless or hierarchical JPEG")
	case j.sof >= 0xc9:
		return unsupported("JPEG with arithmetic coding")
	case j.bits != 8:
		return unsupported(fmt.Sprintf("JPEG of %d bits", j.bits))
	case j.n != 1 && j.n != 3 && j.n != 4:
		return unsupported(fmt.Sprintf("JPEG of %d channels", j.n))
	}
	return nil
}

// inks follows libjpeg: JFIF says YCbCr, then Adobe's segment counts, then the names.
func (j *jpegHead) inks() inks {
	switch {
	case j.n == 1:
		return greyInk
	case j.n == 3 && (j.jfif || j.adobe > 0 || j.adobe < 0 && j.ids != "RGB"):
		return yccInks
	case j.n == 3:
		return rgbInks
	case j.adobe <= 0:
		return cmykInks
	}
	return ycckInks
}

// each is what decoding takes a pixel: the components as stored, the picture, of four inks also what lies between; and
// a progressive one's coefficients, four bytes for each sample.
func (j *jpegHead) each() int {
	each := map[int]int{1: 1, 3: j.samples + 4, 4: 4 + 4 + 2 + 4}[j.n]
	if j.sof == progressive {
		each += 4 * j.samples
	}
	return each
}

// progressive marks a JPEG whose scans each add to all of the picture.
const progressive = 0xc2

func headerJPEG(in *input) (Header, decodePixels, error) {
	j, err := readJPEGHead(in)
	if err == nil {
		err = j.check()
	}
	if err != nil {
		return Header{}, nil, err
	}
	h := Header{Width: j.w, Height: j.h, Grey: j.n == 1, orientation: orientationOf(j.exif), each: j.each()}
	return h, func() (image.Image, error) {
		if n := countScans(in, j.scan); j.sof == progressive && n > maxScans {
			return nil, fmt.Errorf("%d scans, want at most %d", n, maxScans)
		}
		img, err := decodeJPEG(j.n, j.inks(), j.tables, in.section(j.scan, in.size-j.scan))
		if m, ok := img.(*image.NRGBA); ok && j.n == 4 {
			// Adobe's programs, and all that follow them, store ink inverted.
			for i := 0; i < len(m.Pix); i += 4 {
				for k := range 4 {
					m.Pix[i+k] = 255 - m.Pix[i+k]
				}
				inkToRGB(m.Pix[i : i+4])
			}
		}
		return img, err
	}, nil
}

// maxScans bounds the scans of a progressive JPEG, each of which goes over all of the picture, however few bytes it has.
// Programs write about ten.
const maxScans = 100

// countScans counts the scans of a JPEG from a place on. Coded data has no such two bytes.
func countScans(in *input, from int64) (n int) {
	r := bufio.NewReader(in.section(from, in.size-from))
	for marker := false; ; {
		c, err := r.ReadByte()
		if err != nil {
			return n
		}
		if marker && c == 0xda {
			n++
		}
		marker = c == 0xff
	}
}

// decodeJPEG decodes a JPEG of n components given as the segments before the first
// scan and the rest. The result is grey or NRGBA; for four components its four bytes
// are the inks as stored.
//
// What image/jpeg would make of the colours is of no use, because it repeats chroma.
// The header it gets keeps it from that: with JFIF's segment it hands out three
// components as they are, and with Adobe's, of transform 0, four, inverted.
func decodeJPEG(n int, colours inks, tables []byte, scans io.Reader) (image.Image, error) {
	head := []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
	if n == 4 {
		head = []byte("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")
	}
	img, err := jpeg.Decode(io.MultiReader(bytes.NewReader(head), bytes.NewReader(tables), scans))
	if err != nil {
		return nil, err
	}
	switch m := img.(type) {
	case *image.Gray:
		return m, nil
	case *image.YCbCr:
		return joinYCbCr(m, colours == yccInks), nil
	case *image.CMYK:
		return joinInks(m, tables, colours == ycckInks), nil
	}
	return nil, fmt.Errorf("decoded to %T", img)
}
