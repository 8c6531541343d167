package store

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"gocloud.dev/blob"
)

// Finding says how pictures are found.
type Finding struct {
	// Classes makes the first folder below each place the label of the pictures in it.
	Classes bool
	Limit   int // only so many pictures; 0: all
	// Note is told of what is passed over; nil: nobody is.
	Note func(text string)
}

// Find lists the pictures below places, in order of their keys, and those in tar files in the order that they have
// there, and writes the list to w. In a tar file of WebDataset's kind (1.jpg, 1.cls, 2.jpg, ...) .cls is the label.
// It returns how many there are.
func Find(ctx context.Context, w io.Writer, places []Place, open Open, f Finding) (int, error) {
	head := listHead{}
	var names []string
	for _, p := range places {
		head.Places = append(head.Places, listPlace{p.Bucket, p.Name})
	}
	buckets := make([]*blob.Bucket, len(places))
	for i, p := range places {
		b, err := open(ctx, p.Bucket)
		if err != nil {
			return 0, err
		}
		defer b.Close()
		buckets[i] = b
		if f.Classes {
			found, err := folders(ctx, b, p)
			if err != nil {
				return 0, err
			}
			names = append(names, found...)
		}
	}
	slices.Sort(names)
	head.Classes = slices.Compact(names)
	l, err := newListWriter(w, head)
	if err != nil {
		return 0, err
	}
	for i, p := range places {
		if f.Limit > 0 && l.n >= f.Limit {
			break
		}
		x := finder{ctx: ctx, list: l, bucket: buckets[i], in: i, place: p, classes: head.Classes, f: f}
		if err := x.all(); err != nil {
			return l.n, fmt.Errorf("%s/%s: %w", p.Name, p.Prefix, err)
		}
	}
	if l.n == 0 {
		return 0, errors.New("no pictures were found")
	}
	return l.n, l.end()
}

// folders are the names of the folders right below a place that hold a picture.
func folders(ctx context.Context, b *blob.Bucket, p Place) (names []string, err error) {
	all := b.List(&blob.ListOptions{Prefix: p.Prefix})
	for {
		o, err := all.Next(ctx)
		switch {
		case err == io.EOF:
			return names, nil
		case err != nil:
			return nil, fmt.Errorf("%s/%s: %w", p.Name, p.Prefix, err)
		}
		if name, below := folder(p, o.Key); below && imageio.IsPicture(o.Key) && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
	}
}

// folder is the folder right below a place that a key is in.
func folder(p Place, key string) (string, bool) {
	rest := strings.TrimPrefix(strings.TrimPrefix(key, p.Prefix), "/")
	name, _, below := strings.Cut(rest, "/")
	return name, below
}

// finder lists one place.
type finder struct {
	ctx     context.Context
	list    *listWriter
	bucket  *blob.Bucket
	in      int
	place   Place
	classes []string
	f       Finding
}

func (x *finder) all() error {
	if one, err := x.bucket.Exists(x.ctx, strings.TrimSuffix(x.place.Prefix, "/")); x.place.Prefix != "" && err == nil && one {
		return x.object(strings.TrimSuffix(x.place.Prefix, "/"))
	}
	found := x.list.n
	objects := x.bucket.List(&blob.ListOptions{Prefix: x.place.Prefix})
	for {
		o, err := objects.Next(x.ctx)
		switch {
		case err == io.EOF && x.list.n == found:
			return errors.New("no pictures are there")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if x.full() {
			return nil
		}
		if o.IsDir || strings.HasPrefix(path.Base(o.Key), ".") {
			continue
		}
		if err := x.object(o.Key); err != nil {
			return err
		}
	}
}

// full reports whether there are as many pictures as are wanted.
func (x *finder) full() bool { return x.f.Limit > 0 && x.list.n >= x.f.Limit }

// object lists an object: a picture, or the pictures in a tar file.
func (x *finder) object(key string) error {
	lower := strings.ToLower(key)
	switch {
	case strings.HasSuffix(lower, ".tar"):
		if err := x.tar(key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	case strings.HasSuffix(lower, ".tar.gz"), strings.HasSuffix(lower, ".tgz"):
		return fmt.Errorf("%s: pictures cannot be read from the middle of a compressed tar file: unpack it to .tar", key)
	case !imageio.IsPicture(key):
		if x.f.Note != nil {
			x.f.Note(key + " is passed over: it is no picture")
		}
		return nil
	}
	e := Entry{In: x.in, Key: key}
	if name, below := folder(x.place, key); below && x.f.Classes {
		if k, ok := slices.BinarySearch(x.classes, name); ok {
			e.Label = &k
		}
	}
	return x.list.add(e)
}

// tar lists the pictures in a tar file. What belongs to one picture lies side by side.
func (x *finder) tar(key string) error {
	r, err := x.bucket.NewReader(x.ctx, key, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	in := &counter{r: r}
	files := tar.NewReader(in)
	var group []Entry
	var stem string
	var label *int
	flush := func() error {
		for _, e := range group {
			if x.full() {
				break
			}
			e.Label = label
			if err := x.list.add(e); err != nil {
				return err
			}
		}
		group, label = nil, nil
		return nil
	}
	for {
		h, err := files.Next()
		if err == io.EOF || x.full() {
			return flush()
		}
		if err != nil {
			return fmt.Errorf("not a whole tar file: %w", err)
		}
		if h.Typeflag != tar.TypeReg || strings.HasPrefix(path.Base(h.Name), ".") {
			continue
		}
		at := in.n
		if s := webStem(h.Name); s != stem {
			if err := flush(); err != nil {
				return err
			}
			stem = s
		}
		switch {
		case strings.EqualFold(path.Ext(h.Name), ".cls"):
			if label, err = readLabel(files); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
		case imageio.IsPicture(h.Name):
			group = append(group, Entry{In: x.in, Key: key, Member: h.Name, At: at, Size: h.Size})
		}
	}
}

// webStem is what the files of one sample have in common: the name up to the first dot of its last part.
func webStem(name string) string {
	dir, base := path.Split(name)
	stem, _, _ := strings.Cut(base, ".")
	return dir + stem
}

func readLabel(r io.Reader) (*int, error) {
	text, err := io.ReadAll(io.LimitReader(r, 64))
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return nil, fmt.Errorf("label %q: want a number of a class from 0 on", text)
	}
	return &n, nil
}

// counter counts what is read. It does not seek, so that a tar file is read in one go.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
