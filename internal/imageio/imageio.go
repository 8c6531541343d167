// Package imageio moves pictures between files and image.Image: it decodes,
// lists image files and writes files atomically. PNG files carry
// text that says how they were made.
//
// The main calls are Open and WritePNG. The package knows nothing of networks:
// turning pixels into numbers is model.Preprocess, numbers into pixels is
// internal/render.
package imageio

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"

	"github.com/disintegration/imaging" // registers BMP and TIFF beside GIF, JPEG and PNG
	_ "golang.org/x/image/webp"
)

// MaxPixels is the largest picture that is decoded, in pixels (width x height).
// A file of a few kilobytes can claim a picture of many gigabytes.
const MaxPixels = 100_000_000

const formats = "PNG, JPEG, GIF, BMP, TIFF, WebP"

// Open decodes the picture in the file at path: PNG, JPEG, GIF (first frame),
// BMP, TIFF or WebP, told apart by content. A JPEG's EXIF orientation is applied.
// Errors name the file and say whether it is a directory, empty, no image at
// all, larger than MaxPixels or broken.
func Open(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, failed(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, failed(path, err)
	}
	if info.IsDir() {
		return nil, failed(path, errors.New("is a folder, want an image file"))
	}
	return Decode(f, path)
}

// Decode is Open for a picture that is not in a file, such as an upload; name
// takes the place of the path in errors. It reads from the beginning of r.
func Decode(r io.ReadSeeker, name string) (image.Image, error) {
	img, err := decode(r)
	if err != nil {
		return nil, failed(name, err)
	}
	return img, nil
}

// failed is the error of a picture or folder that cannot be used, as users read it.
func failed(path string, err error) error { return fmt.Errorf("cannot open %s: %w", path, cause(err)) }

func decode(r io.ReadSeeker) (image.Image, error) {
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
	config, format, err := image.DecodeConfig(r)
	if errors.Is(err, image.ErrFormat) {
		return nil, fmt.Errorf("not an image (%s)", formats)
	}
	if err != nil {
		return nil, fmt.Errorf("broken image: %w", err)
	}
	w, h := config.Width, config.Height
	if w < 1 || h < 1 {
		return nil, fmt.Errorf("broken %s: size is %dx%d", format, w, h)
	}
	if w > MaxPixels/h {
		return nil, fmt.Errorf("%s of %dx%d pixels, want at most %d million pixels", format, w, h, MaxPixels/1_000_000)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, err := imaging.Decode(r, imaging.AutoOrientation(true))
	if err != nil {
		return nil, fmt.Errorf("broken %s: %w", format, err)
	}
	return smoothChroma(img), nil
}
