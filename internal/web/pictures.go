package web

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"unicode"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/view"
)

const (
	maxUpload   = 64 << 20   // bytes of one picture
	maxUploads  = 128 << 20  // bytes of all that are kept
	maxUploaded = 40_000_000 // pixels of one
)

// pictures are those named at the start, and those that were dropped on the page, which have the numbers after them.
// A dropped one is kept in memory, as its file was, and never written.
type pictures struct {
	list *images.List // nil: none

	mu    sync.Mutex
	added []upload
	bytes int
}

// upload is a picture that was dropped; data is nil once it is forgotten.
type upload struct {
	name string
	data []byte
}

// missing says that there is no picture of a number.
type missing struct {
	i         int
	forgotten string
}

func (e *missing) Error() string {
	if e.forgotten != "" {
		return fmt.Sprintf("picture %d (%s) was dropped on the page and is not kept any more: drop it again", e.i, e.forgotten)
	}
	return fmt.Sprintf("there is no picture %d", e.i)
}

// start is how many pictures were named at the start.
func (p *pictures) start() int {
	if p.list == nil {
		return 0
	}
	return p.list.Len()
}

// open decodes picture i.
func (p *pictures) open(i int) (images.Picture, error) {
	n := p.start()
	if i >= 0 && i < n {
		return p.list.Open(i)
	}
	p.mu.Lock()
	if i < n || i-n >= len(p.added) {
		p.mu.Unlock()
		return images.Picture{}, &missing{i: i}
	}
	u := p.added[i-n]
	p.mu.Unlock()
	if u.data == nil {
		return images.Picture{}, &missing{i, u.name}
	}
	img, err := imageio.Decode(bytes.NewReader(u.data), u.name)
	return images.Picture{Name: u.name, Image: img}, err
}

// add keeps a dropped picture if it can be read, and returns its number.
func (p *pictures) add(name string, data []byte) (int, error) {
	name = plainName(name)
	h, err := imageio.ReadHeader(bytes.NewReader(data), name)
	if err != nil {
		return 0, err
	}
	if h.Width > maxUploaded/h.Height {
		return 0, fmt.Errorf("cannot open %s: %d x %d pixels, want at most %d million: make it smaller, or name it when viz serve starts",
			name, h.Width, h.Height, maxUploaded/1_000_000)
	}
	if _, err := imageio.Decode(bytes.NewReader(data), name); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.added = append(p.added, upload{name, data})
	p.bytes += len(data)
	for i := range p.added { // the oldest go first
		if p.bytes <= maxUploads {
			break
		}
		p.bytes -= len(p.added[i].data)
		p.added[i].data = nil
	}
	return p.start() + len(p.added) - 1, nil
}

// plainName is the name of a dropped file without folders, and without what disturbs a terminal or a line.
func plainName(name string) string {
	name = filepath.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if name == "." || name == "/" || name == "" {
		name = "picture"
	}
	if r := []rune(name); len(r) > 120 {
		name = string(r[len(r)-120:])
	}
	return name
}

// pictureInfo is what the page shows of a picture.
type pictureInfo struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Title  string `json:"title"`
	Label  string `json:"label,omitempty"`
	Own    bool   `json:"own,omitempty"` // dropped on the page
	Gone   bool   `json:"gone,omitempty"`
}

// infos lists pictures [from, to).
func (p *pictures) infos(from, to int) []pictureInfo {
	out := []pictureInfo{}
	for i := max(from, 0); i < min(to, p.start()); i++ {
		out = append(out, pictureInfo{Number: i, Name: p.list.Items[i].Name, Title: images.Title(p.list.Items[i].Name), Label: p.list.Class(i)})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, u := range p.added {
		if n := p.start() + i; n >= from && n < to {
			out = append(out, pictureInfo{Number: n, Name: u.name, Title: u.name, Own: true, Gone: u.data == nil})
		}
	}
	return out
}

// count is the number of all pictures.
func (p *pictures) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.start() + len(p.added)
}

// input is picture i as a network sees it, named as the command names a picture alone.
func (p *pictures) input(s *view.Session, i int) (view.Input, error) {
	picture, err := p.open(i)
	if err != nil {
		return view.Input{}, err
	}
	in, err := s.Input(picture)
	if err == nil && i < p.start() {
		in.Name = p.list.Items[i].Name
		if p.list.Data != "" {
			in.Stem = p.list.Items[i].Stem
		}
	}
	return in, err
}
