// Package imageio moves pictures between files and image.Image: it decodes,
// lists image files and writes files atomically. PNG files carry
// text that says how they were made.
//
// The main calls are Open, Find and WritePNG. The package knows nothing of networks:
// turning pixels into numbers is model.Preprocess, numbers into pixels is
// internal/render.
//
// Every picture of every command is decoded here, to 8 bits and the right way up:
//
//   - the EXIF orientation of JPEG, PNG, TIFF and WebP files is applied;
//   - the chroma of JPEG and lossy WebP is interpolated as libjpeg and libwebp do;
//   - of 16-bit samples the upper 8 bits are kept (as PIL does for colour);
//   - CMYK becomes (255-C)*(255-K)/255; colour profiles are ignored;
//   - a TIFF of floats must lie in 0..1, which becomes 0..255, or in 0..255;
//   - of an animated file the first frame is decoded, on the whole canvas;
//   - transparency is kept: model.Preprocess lays it on white.
package imageio

import (
	"errors"
	"fmt"
	"image"
	"io"
	"runtime"
)

// MaxPixels is the largest picture that is decoded, in pixels (width x height).
// A file of a few kilobytes can claim a picture of many gigabytes.
const MaxPixels = 100_000_000

const formats = "PNG, JPEG, GIF, BMP, TIFF, WebP"

// Open decodes the picture in the file at path: PNG, JPEG, GIF, BMP, TIFF or
// WebP, told apart by content; see Decode. Errors name the file and say whether it
// is a folder, empty, no image at all, of a format or kind that is not supported,
// larger than MaxPixels or broken.
func Open(path string) (image.Image, error) {
	f, _, err := OpenPlain(path)
	if err != nil {
		return nil, failed(path, err)
	}
	defer f.Close()
	return Decode(f, path)
}

// Decode is Open for a picture that is not in a file, such as an upload; name
// takes the place of the path in errors. It reads from the beginning of r. The
// result begins at 0,0 and is an *image.Gray, or an *image.NRGBA.
func Decode(r io.ReadSeeker, name string) (image.Image, error) {
	img, err := decode(r)
	if err != nil {
		return nil, failed(name, err)
	}
	return img, nil
}

// A Header is what a file says about its picture before the pixels.
type Header struct {
	Format        string // "png", "jpeg", "gif", "bmp", "tiff" or "webp"
	Width, Height int    // of the picture as Decode returns it
	Grey          bool   // one channel, or a palette of greys
	// Memory is the most bytes that Decode takes for the picture, with what it returns.
	Memory      int
	Clear       bool // the picture may be transparent
	orientation int  // EXIF's: 1 to 8
	each        int  // bytes a pixel of decoding, with the picture as it is stored
}

// ReadHeader returns the header of a picture, which Decode would check first: sizes
// are within 1 and MaxPixels.
func ReadHeader(r io.ReadSeeker, name string) (Header, error) {
	in, err := newInput(r)
	if err != nil {
		return Header{}, failed(name, err)
	}
	h, _, err := readHeader(in)
	if err != nil {
		return Header{}, failed(name, err)
	}
	if h.orientation >= 5 {
		h.Width, h.Height = h.Height, h.Width
	}
	return h, nil
}

// failed is the error of a picture or folder that cannot be used, as users read it.
func failed(path string, err error) error { return fmt.Errorf("cannot open %s: %w", path, cause(err)) }

// decodePixels decodes a picture whose size has been checked, as it is stored.
type decodePixels func() (image.Image, error)

func decode(r io.ReadSeeker) (image.Image, error) {
	in, err := newInput(r)
	if err != nil {
		return nil, err
	}
	h, pixels, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	collect(h.Memory)
	img, err := pixels()
	if err != nil {
		return nil, explain(h.Format, err)
	}
	turned := turn(plain(img), h.orientation)
	collect(h.Memory - 4*h.Width*h.Height)
	return turned, nil
}

// collect lets go of garbage before or after a large picture is decoded. The collector counts an array after it has been
// given: a picture would come on top of the one before, which nobody needs any more.
func collect(bytes int) {
	const large = 16 << 20
	if bytes >= large {
		runtime.GC()
	}
}

// readHeader reads the header of a picture as it is stored, not turned, and checks it.
func readHeader(in *input) (Header, decodePixels, error) {
	format, err := sniff(in)
	if err != nil {
		return Header{}, nil, err
	}
	read := map[string]func(*input) (Header, decodePixels, error){
		"png": headerPNG, "jpeg": headerJPEG, "gif": headerGIF, "bmp": headerBMP, "tiff": headerTIFF, "webp": headerWebP,
	}[format]
	h, pixels, err := read(in)
	if err != nil {
		return Header{}, nil, explain(format, err)
	}
	h.Format = format
	if h.Width < 1 || h.Height < 1 {
		return Header{}, nil, fmt.Errorf("broken %s: size is %dx%d", format, h.Width, h.Height)
	}
	if h.Width > MaxPixels/h.Height {
		return Header{}, nil, fmt.Errorf("%s of %dx%d pixels, want at most %d million pixels", format, h.Width, h.Height, MaxPixels/1_000_000)
	}
	h.Memory = h.memory(in.size)
	return h, pixels, nil
}

// memory is the most that decoding takes: JPEG and WebP work in squares of 16 pixels, or 32 where chroma is stored at a
// quarter of the resolution, and a turned picture is another.
func (h Header) memory(file int64) int {
	pixels := (h.Width + 31) * (h.Height + 31)
	if h.Format == "png" || h.Format == "bmp" || h.Format == "gif" {
		pixels = h.Width * h.Height
	}
	each := h.each
	if h.orientation >= 2 && h.orientation <= 8 {
		each += 4
	}
	most := pixels*each + 1<<20 // the decoders' own buffers and tables
	if h.Format == "tiff" || h.Format == "webp" {
		most += int(min(file, 1<<30)) // of which they read parts in one piece
	}
	return most
}

// input is a file that is read here and there. Its beginning is read once.
type input struct {
	r      io.ReadSeeker
	size   int64
	head   []byte
	window []byte // of the file from at on, where a few bytes were read last
	at     int64
}

func newInput(r io.ReadSeeker) (*input, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return nil, errors.New("file is empty")
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	in := &input{r: r, size: size, head: make([]byte, min(size, 4096))}
	if _, err := io.ReadFull(r, in.head); err != nil {
		return nil, err
	}
	return in, nil
}

// ReadAt is that of io.ReaderAt, but not for several goroutines.
func (in *input) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= in.size {
		return 0, io.EOF
	}
	if off+int64(len(p)) <= int64(len(in.head)) {
		return copy(p, in.head[off:]), nil
	}
	if len(p) > len(in.head)/4 {
		return in.readAt(p, off)
	}
	if off < in.at || off+int64(len(p)) > in.at+int64(len(in.window)) { // a few bytes: those behind are asked for next
		block := make([]byte, len(in.head))
		if cap(in.window) > 0 {
			block = in.window[:len(in.head)]
		}
		n, err := in.readAt(block, off)
		if err != nil && err != io.EOF {
			n = 0
		}
		if in.window, in.at = block[:n], off; n == 0 {
			return 0, err
		}
	}
	if n := copy(p, in.window[off-in.at:]); n < len(p) {
		return n, io.EOF
	}
	return len(p), nil
}

func (in *input) readAt(p []byte, off int64) (int, error) {
	if _, err := in.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(in.r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// all reads the file from its beginning.
func (in *input) all() io.Reader { return io.NewSectionReader(in, 0, in.size) }

// bytes returns n bytes at off, which the file must have.
func (in *input) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > in.size || n > in.size-off {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if _, err := in.ReadAt(b, off); err != nil && n > 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}
