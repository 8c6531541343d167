package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// setTimes gives all files of a folder one time.
func setTimes(dir string, t time.Time) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, t, t)
	})
}

// clock reports whether a key or a column has what a clock gave. docs/reliability.md lists them.
func clock(name string) bool {
	return strings.Contains(name, "second") || name == "measured" // of a run: images, and seconds for them
}

// lastCell, and what a sentence says of the time.
var lastCell = regexp.MustCompile(`<td>\d+</td></tr>|Training took \S+`)

// timeless is the content of a file without what a clock says.
func timeless(name string, content []byte) []byte {
	var out bytes.Buffer
	switch ext := filepath.Ext(name); {
	case ext == ".csv":
		rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		if err != nil || len(rows) == 0 {
			return content
		}
		for _, row := range rows {
			for i, cell := range row {
				if !clock(rows[0][i]) {
					out.WriteString(cell + "\x00")
				}
			}
			out.WriteByte('\n')
		}
	case ext == ".json" || ext == ".jsonl" || name == printed:
		d := json.NewDecoder(bytes.NewReader(content))
		d.UseNumber()
		for d.More() {
			var v any
			if d.Decode(&v) != nil {
				return content
			}
			text, err := json.Marshal(without(v, strings.HasSuffix(name, "faithful-parts.jsonl")))
			if err != nil {
				return content
			}
			out.Write(append(text, '\n'))
		}
	case ext == ".html": // the last column of the report of viz trials has images a second
		return lastCell.ReplaceAll(content, nil)
	case filepath.Base(name) == "rnn-curves.png": // half of it is drawn over seconds
		size, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			return content
		}
		fmt.Fprint(&out, size.Width, size.Height)
	default:
		return content
	}
	return out.Bytes()
}

// without is a value without what a clock says: keys, and of the parts of viz faithful the last of the values.
func without(v any, faithful bool) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if list, ok := v[k].([]any); ok && faithful && k == "values" {
				v[k] = list[:len(list)-1]
			} else if clock(k) {
				delete(v, k)
			} else {
				v[k] = without(v[k], faithful)
			}
		}
	case []any:
		for i := range v {
			v[i] = without(v[i], faithful)
		}
	}
	return v
}
