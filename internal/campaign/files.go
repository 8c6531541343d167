package campaign

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model/open"
)

// Hashes are those of all files in a folder, by name. What is hidden is temporary, but for lock files.
func Hashes(dir string) (map[string]string, error) {
	out, err := Contents(dir)
	maps.DeleteFunc(out, func(name, _ string) bool { return strings.HasSuffix(name, ".lock") })
	return out, err
}

// Contents are the hashes of all files in a folder, by name.
func Contents(dir string) (map[string]string, error) { return each(dir, Content) }

// Files are the files in a folder by name, without lock files.
func Files(dir string) (map[string][]byte, error) {
	out, err := each(dir, os.ReadFile)
	maps.DeleteFunc(out, func(name string, _ []byte) bool { return strings.HasSuffix(name, ".lock") })
	return out, err
}

// each reads all files in a folder, by name.
func each[T any](dir string, read func(path string) (T, error)) (map[string]T, error) {
	out := map[string]T{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[Inside(dir, path)], err = read(path)
		return err
	})
	return out, err
}

// Content is the hash of a file; of the log of a training, that of its losses; of tables and
// JSON, that of what holds no times.
func Content(path string) (string, error) {
	b, err := os.ReadFile(path)
	switch {
	case filepath.Base(path) == "log.jsonl":
		b = losses(b)
	case filepath.Ext(path) == ".csv":
		b = untimed(b)
	case filepath.Ext(path) == ".json" && timed(string(b)):
		var all any
		if json.Unmarshal(b, &all) == nil {
			b = fmt.Append(nil, timeless(all))
		}
	}
	return fmt.Sprintf("%x", sha256.Sum256(b)), err
}

// untimed is a table without its columns of seconds; what is no table is left as it is.
func untimed(table []byte) []byte {
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil || len(rows) == 0 {
		return table
	}
	var out []byte
	for _, row := range rows {
		for i, cell := range row {
			if !timed(rows[0][i]) {
				out = fmt.Appendf(out, "%q,", cell)
			}
		}
		out = append(out, '\n')
	}
	return out
}

// timeless is what JSON holds, without times.
func timeless(all any) any {
	switch v := all.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(name string, _ any) bool { return timed(name) })
		for name, part := range v {
			v[name] = timeless(part)
		}
	case []any:
		for i, part := range v {
			v[i] = timeless(part)
		}
	}
	return all
}

// timed reports whether what has this name, or some of what a file holds, was measured with a clock.
func timed(name string) bool {
	return strings.Contains(name, "second") || strings.Contains(name, "time")
}

// losses are the lines of a log with losses, without what a clock says.
func losses(log []byte) []byte {
	var out []byte
	for line := range bytes.Lines(log) {
		l := map[string]any{}
		if json.Unmarshal(line, &l) == nil && l["loss"] != nil {
			delete(l, "seconds")
			delete(l, "images_per_second")
			out = fmt.Append(out, l, "\n")
		}
	}
	return out
}

// Inside is the name of a file in a folder.
func Inside(dir, path string) string {
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return name
}

// Readable reads every file that is not hidden, as its kind, but for those with the extensions but.
func Readable(dir string, but ...string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || slices.Contains(but, filepath.Ext(path)) {
			return err
		}
		if err := read(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func read(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch filepath.Ext(path) {
	case ".png":
		_, err = png.Decode(bytes.NewReader(content))
	case ".npy":
		_, err = npy.ReadFile(path)
	case ".json":
		if !json.Valid(content) {
			err = errors.New("is no JSON")
		}
	case ".jsonl":
		for line := range bytes.Lines(content) {
			if !json.Valid(line) {
				err = errors.New("has a line that is no JSON")
			}
		}
	case ".idx":
		_, err = features.Read(bytes.NewReader(content))
	case ".bin", ".onnx":
		_, err = open.Network(path, open.Options{})
	}
	return err
}
