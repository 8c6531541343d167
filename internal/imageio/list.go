package imageio

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// extensions are the names under which a file in a folder is taken for an image.
var extensions = []string{".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".tif", ".tiff", ".webp"}

// unread are the extensions of pictures that are not decoded, with the name of
// their format.
var unread = map[string]string{
	".avif": "AVIF", ".heic": "HEIC", ".heif": "HEIC", ".hif": "HEIC", ".jxl": "JPEG XL",
	".jp2": "JPEG 2000", ".j2k": "JPEG 2000", ".jpx": "JPEG 2000", ".svg": "SVG", ".svgz": "SVG", ".pdf": "PDF",
	".cr2": "camera raw", ".cr3": "camera raw", ".nef": "camera raw", ".arw": "camera raw", ".dng": "camera raw",
	".orf": "camera raw", ".rw2": "camera raw", ".raf": "camera raw", ".psd": "Photoshop", ".exr": "OpenEXR",
	".ppm": "PPM", ".pgm": "PGM", ".pbm": "PBM", ".tga": "TGA", ".ico": "ICO", ".dcm": "DICOM",
}

// A Listing is what Find found: the pictures, what it passed over, and what it
// could not use. The three have no path in common.
type Listing struct {
	Files    []string  // in the order of the paths given; of a folder in lexical order
	Skipped  Tally     // files of folders that are no pictures viz reads, by kind
	Problems []Problem // in the order met
}

// A Tally counts skipped files: pictures that could be converted first, then by number.
type Tally []Skipped

// Skipped counts the files of one kind that were passed over.
type Skipped struct {
	Kind    string // "AVIF", ".txt", "without extension", "link to a folder", "special file"
	Picture bool   // a picture, of a format that is not read: convert it
	Count   int
}

// A Problem is a path that should have given pictures and did not. Err names the path.
type Problem struct {
	Path string
	Err  error
}

// Find replaces each folder in paths by the image files beneath it. A file in a
// folder is taken for an image by its extension; others are counted, names that
// begin with a dot are not even that. Paths that are files stand as they are,
// whatever their names; a file reached twice is listed once. What cannot be used
// is a Problem and does not stop the rest: a missing path, a dead link, a folder
// that cannot be read or holds no image, something that is not a plain file.
func Find(paths []string) Listing {
	f := finder{seen: map[string]bool{}}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			f.problem(path, err)
		case info.IsDir():
			f.folder(path)
		case !info.Mode().IsRegular(): // reading a pipe could wait for ever
			f.problem(path, errors.New("is not a plain file"))
		default:
			f.file(filepath.Clean(path))
		}
	}
	return f.Listing
}

// List is Find for callers to whom any problem is an error.
func List(paths []string) ([]string, error) {
	l := Find(paths)
	if len(l.Problems) > 0 {
		return nil, l.Problems[0].Err
	}
	return l.Files, nil
}

// Note is the Skipped of l as a sentence.
func (l Listing) Note() string { return l.Skipped.String() }

// Add counts n more files.
func (t *Tally) Add(kind string, picture bool, n int) {
	if n == 0 {
		return
	}
	i := slices.IndexFunc(*t, func(s Skipped) bool { return s.Kind == kind && s.Picture == picture })
	if i < 0 {
		i = len(*t)
		*t = append(*t, Skipped{kind, picture, 0})
	}
	(*t)[i].Count += n
	slices.SortFunc(*t, func(a, b Skipped) int {
		if a.Picture != b.Picture {
			if a.Picture {
				return -1
			}
			return 1
		}
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Kind, b.Kind))
	})
}

// String says what was skipped, for people: "skipped 5 files: 2 AVIF (convert to PNG or
// JPEG), 3 .txt"; "" if nothing was.
func (t Tally) String() string {
	var parts []string
	n := 0
	for _, s := range t {
		n += s.Count
		part := fmt.Sprintf("%d %s", s.Count, s.Kind)
		if s.Picture {
			part += " (convert to PNG or JPEG)"
		}
		parts = append(parts, part)
	}
	switch n {
	case 0:
		return ""
	case 1:
		return "skipped 1 file: " + parts[0]
	}
	return fmt.Sprintf("skipped %d files: %s", n, strings.Join(parts, ", "))
}

// finder is a Listing being made.
type finder struct {
	Listing
	seen map[string]bool
}

func (f *finder) problem(path string, err error) {
	f.Problems = append(f.Problems, Problem{path, failed(path, err)})
}

func (f *finder) file(path string) {
	if !f.seen[path] {
		f.seen[path] = true
		f.Files = append(f.Files, path)
	}
}

func (f *finder) skip(path, kind string, picture bool) {
	if f.seen[path] {
		return
	}
	f.seen[path] = true
	f.Skipped.Add(kind, picture, 1)
}

// folder adds what is beneath dir.
func (f *finder) folder(dir string) {
	found, problems := 0, len(f.Problems)
	var here Tally                           // to say what there is if there are no images
	root := dir + string(filepath.Separator) // so that a link to a folder is followed
	var files []string
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		path = filepath.Clean(path)
		switch {
		case err != nil:
			f.problem(path, err)
			return nil
		case path == filepath.Clean(root):
			return nil
		case strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		kind, picture, err := kindOf(path)
		switch {
		case err != nil:
			f.problem(path, err)
		case kind == "":
			files = append(files, path)
			found++
		default:
			f.skip(path, kind, picture)
			here.Add(kind, picture, 1)
		}
		return nil
	})
	slices.Sort(files)
	for _, path := range files {
		f.file(path)
	}
	if found == 0 && len(f.Problems) == problems {
		text := "no image files (" + formats + ") in this folder"
		if note := here.String(); note != "" {
			text += "; " + note
		}
		f.problem(dir, errors.New(text))
	}
}

// kindOf says under which kind a file of a folder is skipped; "" if it is an image
// by its name.
func kindOf(path string) (kind string, picture bool, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil && IsPicture(path):
		return "", false, DeadLink(path, err)
	case err == nil && info.IsDir():
		return "link to a folder", false, nil
	case err == nil && !info.Mode().IsRegular():
		return "special file", false, nil
	}
	kind, picture = Kind(path)
	return kind, picture, nil
}

// DeadLink says where a link leads, if that is why there is no file at path.
func DeadLink(path string, err error) error {
	if to, linkErr := os.Readlink(path); linkErr == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link to %s: %w", to, cause(err))
	}
	return err
}

// Kind says what a file is by its name: "" for an image that is decoded, a format's name for
// a picture that is not, else the extension.
func Kind(name string) (kind string, picture bool) {
	ext := strings.ToLower(filepath.Ext(name))
	switch {
	case IsPicture(name):
		return "", true
	case unread[ext] != "":
		return unread[ext], true
	case ext == "":
		return "without extension", false
	}
	return ext, false
}

// IsPicture reports whether a file is taken for an image by its name.
func IsPicture(name string) bool {
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(name)))
}
