package cmdline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/lockfile"
)

// keptFile keeps the parts of a measurement as lines of JSON, each written to the disk before the next is measured. It
// implements view.Kept; nil keeps nothing.
type keptFile struct {
	f      *os.File
	size   int64
	parts  map[string][]byte
	used   []string // keys of this run's parts, as it came to them
	seen   map[string]bool
	unlock func()
}

// keptLine is one part.
type keptLine struct {
	Key  string          `json:"key"`
	Part json.RawMessage `json:"part"`
}

// Kept opens NAME-parts.jsonl in the output folder: to go on with the parts that are there, or anew.
func (w *Work) Kept(name string, resume bool) (*keptFile, error) {
	if w.Out.Stdout {
		if resume {
			return nil, Usage("--resume goes on in a folder, but --out - has none", "give --out a folder")
		}
		return nil, nil
	}
	path := w.Out.Path(name) + "-parts.jsonl"
	unlock, err := lockfile.Take(path, commandLine(), func(text string) { w.Note("%s", text) })
	if err != nil {
		return nil, err
	}
	k := &keptFile{parts: map[string][]byte{}, seen: map[string]bool{}, unlock: unlock}
	if err := k.open(path, resume); err != nil {
		unlock()
		return nil, err
	}
	if resume {
		w.Note("%s: %d measured before", path, len(k.parts))
	}
	return k, nil
}

// open reads whole lines, and cuts off what a killed process left behind them.
func (k *keptFile) open(path string, resume bool) error {
	text, err := imageio.ReadPlain(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if k.f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666); err != nil {
		return err
	}
	parts, whole, ours := keptParts(text)
	if !ours {
		return errors.Join(Hinted(fmt.Errorf("%s is there already and was not made by viz", path), "move it away; --out names another folder"), k.f.Close())
	}
	if resume {
		k.parts = parts
	} else {
		whole = 0
	}
	k.size = int64(whole)
	if err := k.f.Truncate(k.size); err != nil {
		return errors.Join(err, k.f.Close())
	}
	return nil
}

// keptParts reads the whole lines that a file of parts begins with, which take so many bytes. ours: viz wrote it.
func keptParts(text []byte) (parts map[string][]byte, whole int, ours bool) {
	parts = map[string][]byte{}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if len(text) > 0 && json.Unmarshal(first, new(keptLine)) != nil && !torn(first) {
		return parts, 0, false
	}
	for line := range bytes.Lines(text) {
		var l keptLine
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &l) != nil || l.Key == "" {
			break
		}
		parts[l.Key] = l.Part
		whole += len(line)
	}
	return parts, whole, true
}

// torn reports whether a line may be what a loss of power has left of one of ours: its beginning, with zeros behind it.
func torn(line []byte) bool {
	begin, line := []byte(`{"key":`), bytes.TrimRight(line, "\x00")
	return bytes.HasPrefix(line, begin) || bytes.HasPrefix(begin, line)
}

// Part reads a part.
func (k *keptFile) Part(key string, v any) (bool, error) {
	if k == nil || k.parts[key] == nil {
		return false, nil
	}
	if err := json.Unmarshal(k.parts[key], v); err != nil {
		return false, fmt.Errorf("%s: part %s: %w", k.f.Name(), key, err)
	}
	k.use(key)
	return true, nil
}

func (k *keptFile) use(key string) {
	if !k.seen[key] {
		k.seen[key] = true
		k.used = append(k.used, key)
	}
}

// Keep appends a part.
func (k *keptFile) Keep(key string, v any) error {
	if k == nil {
		return nil
	}
	part, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line, err := json.Marshal(keptLine{key, part})
	if err != nil {
		return err
	}
	n, err := imageio.AppendLines(k.f, k.size, append(line, '\n'))
	k.size += int64(n)
	if err != nil {
		return err
	}
	k.parts[key] = part
	k.use(key)
	return k.f.Sync()
}

// tidy leaves nothing but the parts of this run, in its order: those of a run that could not read a picture, or that was
// asked for something else, go. It ends the file.
func (k *keptFile) tidy() error {
	if k == nil || len(k.used) == len(k.parts) {
		return nil
	}
	var text []byte
	for _, key := range k.used {
		line, err := json.Marshal(keptLine{key, k.parts[key]})
		if err != nil {
			return err
		}
		text = append(append(text, line...), '\n')
	}
	path := k.f.Name()
	if err := k.f.Close(); err != nil {
		return err
	}
	k.f, k.parts = nil, nil
	return imageio.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// Close ends the file; one without parts goes.
func (k *keptFile) Close() error {
	if k == nil {
		return nil
	}
	defer k.unlock()
	if k.f == nil { // tidied
		return nil
	}
	if len(k.parts) == 0 {
		os.Remove(k.f.Name())
	}
	return k.f.Close()
}
