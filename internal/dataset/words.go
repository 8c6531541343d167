package dataset

import (
	"archive/tar"
	"archive/zip"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io/fs"
)

// absent is data that is not there: its text says so itself.
type absent string

func (e absent) Error() string { return string(e) }
func (absent) Unwrap() error   { return fs.ErrNotExist }

// plainly says what is wrong with an archive without the names of packages.
func plainly(err error) error {
	for _, k := range []struct {
		err  error
		text string
	}{
		{zip.ErrFormat, "not a zip archive, or cut off"}, {zip.ErrAlgorithm, "packed in a way that is not supported"}, {zip.ErrChecksum, "damaged: wrong checksum"},
		{gzip.ErrHeader, "not a gzip file"}, {gzip.ErrChecksum, "damaged: wrong checksum"}, {tar.ErrHeader, "not a tar archive, or damaged"},
	} {
		if errors.Is(err, k.err) {
			return errors.New(k.text)
		}
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok {
		return errors.New("damaged: it cannot be unpacked")
	}
	return err
}
