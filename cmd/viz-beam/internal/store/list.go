package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"gocloud.dev/blob"
)

// A list is a file of lines of JSON. The first says what it is and where its pictures are,
//
//	{"format":"viz list of pictures","version":1,"places":[{"bucket":"s3://b?region=x","name":"s3://b"}]}
//
// then comes one line a picture, whose number is that of the line, from 0 on,
//
//	{"key":"a/1.jpg"}                                    an object, or a file
//	{"key":"s/000.tar","member":"1.jpg","at":1536,"size":9876,"label":3}
//
// and the last says how many there were: {"pictures":2}. A list that was cut does not have it.
const (
	listFormat  = "viz list of pictures"
	listVersion = 1
)

type listHead struct {
	Format  string      `json:"format"`
	Version int         `json:"version"`
	Places  []listPlace `json:"places"`
	Classes []string    `json:"classes,omitempty"`
}

type listPlace struct {
	Bucket string `json:"bucket"`
	Name   string `json:"name"`
}

type listEnd struct {
	Pictures *int `json:"pictures"`
}

// Entry is one picture of a list.
type Entry struct {
	In     int    `json:"in,omitempty"`     // place
	Key    string `json:"key"`              // of the object
	Member string `json:"member,omitempty"` // of the tar file that the object is
	At     int64  `json:"at,omitempty"`     // of the member's first byte
	Size   int64  `json:"size,omitempty"`   // of the member
	Label  *int   `json:"label,omitempty"`
}

// List is a list of pictures as its text, of which only the lines that are wanted are read.
type List struct {
	head  listHead
	text  []byte
	lines []uint32 // where each picture's line begins; the last: where they end
	hash  string
	open  Open

	mu      sync.Mutex
	buckets []*blob.Bucket
}

// maxList bounds a list, in bytes: some thirty million pictures.
const maxList = 1<<32 - 1

// ReadList reads a list. name is for errors.
func ReadList(name string, r io.Reader, open Open) (*List, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxList {
		return nil, fmt.Errorf("%s: more than %d bytes: make several lists", name, maxList)
	}
	l := &List{text: text, open: open}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if json.Unmarshal(line, &l.head) != nil || l.head.Format != listFormat {
		return nil, fmt.Errorf("%s: not a list of pictures: viz-beam list makes one", name)
	}
	if l.head.Version != listVersion {
		return nil, fmt.Errorf("%s: list of version %d, want %d", name, l.head.Version, listVersion)
	}
	l.buckets = make([]*blob.Bucket, len(l.head.Places))
	sum, at, ended := sha256.New(), len(text)-len(rest), false
	for n := 0; at < len(text); n++ {
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 {
			break
		}
		line := text[at : at+end]
		if bytes.HasPrefix(line, []byte(`{"pictures":`)) {
			var last listEnd
			if json.Unmarshal(line, &last) != nil || last.Pictures == nil || *last.Pictures != n || at+end+1 != len(text) {
				return nil, fmt.Errorf("%s: its last line, %d, does not fit the %d pictures before", name, n+2, n)
			}
			ended = true
			break
		}
		e, err := l.entry(line)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, n+2, err)
		}
		fmt.Fprintf(sum, "%s\x00%d\n", l.nameOf(e), label(e))
		l.lines = append(l.lines, uint32(at))
		at += end + 1
	}
	if !ended {
		return nil, fmt.Errorf("%s: the list is cut: its last line, with the number of pictures, is missing", name)
	}
	l.lines = append(l.lines, uint32(at))
	l.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	if l.Len() == 0 {
		return nil, fmt.Errorf("%s: no pictures", name)
	}
	return l, nil
}

func (l *List) entry(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if e.Key == "" || e.In < 0 || e.In >= len(l.head.Places) || e.At < 0 || e.Size < 0 {
		return e, fmt.Errorf("want a key and one of %d places", len(l.head.Places))
	}
	return e, nil
}

func (l *List) nameOf(e Entry) string {
	name := l.head.Places[e.In].Name + "/" + e.Key
	if e.Member != "" {
		name += "/" + e.Member
	}
	return name
}

func label(e Entry) int {
	if e.Label == nil {
		return -1
	}
	return *e.Label
}

// Len is the number of pictures.
func (l *List) Len() int { return len(l.lines) - 1 }

// Hash identifies the list by the names and labels of its pictures, as images.List does.
func (l *List) Hash() string { return l.hash }

// Classes are the names of the labels, nil if there are none.
func (l *List) Classes() []string { return l.head.Classes }

// Window is the pictures [from, to) as a list of their own.
func (l *List) Window(ctx context.Context, from, to int) (*images.List, error) {
	entries, items := make([]Entry, to-from), make([]images.Item, to-from)
	for i := range entries {
		e, err := l.entry(bytes.TrimSpace(l.text[l.lines[from+i]:l.lines[from+i+1]]))
		if err != nil {
			return nil, err
		}
		base := path.Base(e.Key)
		if e.Member != "" {
			base = path.Base(e.Member)
		}
		entries[i], items[i] = e, images.Item{Name: l.nameOf(e), Stem: strings.TrimSuffix(base, path.Ext(base)), Label: label(e)}
	}
	return images.New("list", l.head.Classes, items, func(i int) (images.Picture, error) { return l.picture(ctx, entries[i]) }), nil
}

// picture reads and decodes a picture. A *Broken is an error of the store, any other of the picture.
func (l *List) picture(ctx context.Context, e Entry) (images.Picture, error) {
	name := l.nameOf(e)
	b, err := l.bucket(ctx, e.In)
	if err != nil {
		return images.Picture{}, &Broken{fmt.Errorf("%s: %w", name, err)}
	}
	at, size := int64(0), int64(-1)
	if e.Member != "" {
		at, size = e.At, e.Size
	}
	text, err := read(ctx, b, e.Key, at, size)
	if err != nil {
		if broken, ok := errors.AsType[*Broken](err); ok {
			return images.Picture{}, &Broken{fmt.Errorf("%s: %w", name, broken.Err)}
		}
		return images.Picture{}, fmt.Errorf("%s: %w", name, err)
	}
	img, err := imageio.Decode(bytes.NewReader(text), name)
	return images.Picture{Name: name, Image: img}, err
}

// bucket opens the bucket of a place once.
func (l *List) bucket(ctx context.Context, place int) (*blob.Bucket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets[place] == nil {
		b, err := l.open(context.WithoutCancel(ctx), l.head.Places[place].Bucket)
		if err != nil {
			return nil, err
		}
		l.buckets[place] = b
	}
	return l.buckets[place], nil
}

// Close closes the buckets.
func (l *List) Close() error {
	var errs []error
	for _, b := range l.buckets {
		if b != nil {
			errs = append(errs, b.Close())
		}
	}
	return errors.Join(errs...)
}

// ReadListFile reads a list of a file.
func ReadListFile(name string, open Open) (*List, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadList(name, f, open)
}

// listWriter writes a list line by line.
type listWriter struct {
	w *bufio.Writer
	n int
}

func newListWriter(w io.Writer, head listHead) (*listWriter, error) {
	l := &listWriter{w: bufio.NewWriter(w)}
	head.Format, head.Version = listFormat, listVersion
	return l, l.line(head)
}

func (l *listWriter) line(v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = l.w.Write(append(text, '\n'))
	}
	return err
}

func (l *listWriter) add(e Entry) error {
	l.n++
	return l.line(e)
}

func (l *listWriter) end() error {
	if err := l.line(listEnd{&l.n}); err != nil {
		return err
	}
	return l.w.Flush()
}
