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
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
		return nil, fmt.Errorf("imageio: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("imageio: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("imageio: %s: is a directory, want an image file", path)
	}
	return Decode(f, path)
}

// Decode is Open for a picture that is not in a file, such as an upload; name
// takes the place of the path in errors. It reads from the beginning of r.
func Decode(r io.ReadSeeker, name string) (image.Image, error) {
	img, err := decode(r)
	if err != nil {
		return nil, fmt.Errorf("imageio: %s: %w", name, err)
	}
	return img, nil
}

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

// extensions are the names under which List takes a file for an image.
var extensions = []string{".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"}

// List replaces each folder in paths by the image files beneath it, in lexical
// order of their paths. A file is taken for an image by its extension; names
// that begin with a dot are skipped, as are links to folders. Paths that are
// files stand as they are, whatever their names, in the order given; a file
// reached twice is listed once. A folder without images is an error.
func List(paths []string) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	add := func(path string) {
		if !seen[path] {
			seen[path] = true
			files = append(files, path)
		}
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("imageio: %w", err)
		}
		if !info.IsDir() {
			add(filepath.Clean(path))
			continue
		}
		found, err := walk(path)
		if err != nil {
			return nil, fmt.Errorf("imageio: %w", err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("imageio: %s: no image files (%s) in this folder", path, formats)
		}
		for _, f := range found {
			add(f)
		}
	}
	return files, nil
}

// walk lists the image files beneath dir.
func walk(dir string) ([]string, error) {
	var files []string
	root := dir + string(filepath.Separator) // so that a link to a folder is followed
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == root {
			return nil
		}
		if strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(extensions, strings.ToLower(filepath.Ext(path))) {
			return nil
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			files = append(files, filepath.Clean(path))
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}
