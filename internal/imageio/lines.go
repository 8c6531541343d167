package imageio

import (
	"bytes"
	"io"
)

// LineFile is a file of lines, open for appending.
type LineFile interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// AppendLines writes lines behind the size bytes that a file has, and returns how many bytes of them it has now. Of a line
// that only a part of could be written, on a disk that is full, nothing stays: whoever reads the file finds whole lines.
func AppendLines(f LineFile, size int64, lines []byte) (int, error) {
	n, err := f.Write(lines)
	if whole := bytes.LastIndexByte(lines[:n], '\n') + 1; whole < n && f.Truncate(size+int64(whole)) == nil {
		n = whole
	}
	return n, err
}
