package imageio

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FileName is the name of a layer, class or image as a file name. Only what file
// systems refuse is changed: separators, control characters and those that turn the direction of writing, names of
// folders, and on Windows a few more. Long names that differ give file names that do.
func FileName(name string) string {
	refused := "/"
	if runtime.GOOS == "windows" {
		refused = `/\:*?"<>|`
	}
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(refused, r) || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, ".") == "" { // this folder, the one above, or nothing
		name = strings.Repeat("_", max(len(name), 1))
	}
	// File systems take 255 bytes, of which extensions and temporary names need some.
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	cut := name[:maxName-9]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return cut + "~" + hex.EncodeToString(sum[:4])
}

// maxName is the longest file name, in bytes.
const maxName = 200

// oneLine is an error whose text is one line.
type oneLine struct {
	text string
	err  error
}

func (e *oneLine) Error() string { return e.text }
func (e *oneLine) Unwrap() error { return e.err }

// maxLine is about how many bytes an error may have.
const maxLine = 2000

// OneLine is an error as one line: names that a file gives may hold ends of lines, what a terminal acts on and bytes that
// are no UTF-8, which are written as Go writes them, \x1b; what is very long ends early. A plain error stays as it is.
func OneLine(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) <= maxLine && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl) {
		return err
	}
	var b strings.Builder
	for i, r := range text {
		if b.Len() > maxLine {
			b.WriteString("…")
			break
		}
		switch _, n := utf8.DecodeRuneInString(text[i:]); {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsControl(r):
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return &oneLine{b.String(), err}
}

// OpenPlain opens a file of the given size, but no folder, pipe or device. It looks before it opens: a pipe that nobody
// writes to would be waited for without end.
func OpenPlain(path string) (f *os.File, size int64, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil: // os.Open says it
	case info.IsDir():
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: errors.New("is a folder, want a file")}
	case !info.Mode().IsRegular():
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a plain file")}
	}
	if f, err = os.Open(path); err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// ReadPlain is os.ReadFile for plain files: no folder, pipe or device.
func ReadPlain(path string) ([]byte, error) {
	f, _, err := OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// ReadSmall reads a plain file of at most most bytes.
func ReadSmall(path string, most int64) ([]byte, error) {
	f, size, err := OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > most {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", path, size, most)
	}
	text := make([]byte, size)
	n, err := io.ReadFull(f, text)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // it has changed
		err = nil
	}
	return text[:n], err
}
