// Package images turns names into pictures: files, folders, archives, data sets and arrays become one
// numbered list, with labels where the source has them.
//
//	list, err := images.Open(ctx, images.Spec{Paths: []string{"photos/"}}, images.Options{})
//	picture, err := list.Open(0)                  // the decoded picture, or an array
//	x, err := picture.Tensor(net.Preprocess, net.Input) // what a network makes of it
//
// A list knows nothing of networks, so that one picture can be shown to several of them. Items have the
// same numbers each time, so that work over a list can be cut into parts and done elsewhere.
package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/internal/dataset"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// Spec says which images are wanted: Paths or Data, not both.
type Spec struct {
	Paths []string // picture files, folders of them, archives, .npy arrays [N, C, H, W] or [C, H, W]
	Data  string   // a data set: its name, a folder or a file
	Split string   // of a data set: "test" or "train"; "": test, or train where there is no test split
	Limit int      // use only so many that can be read; of a data set a fixed random sample, in order; 0: all
	Seed  uint64   // of a generated data set
	// ByClass takes a single folder of class folders for a data set, which has labels. Otherwise it is a
	// folder of pictures like any other.
	ByClass bool
}

// Options of Open.
type Options struct {
	CacheDir string    // where downloaded data sets are kept
	Stdin    io.Reader // what the path "-" reads a picture from; nil: "-" is a file's name
	// Progress is told how far reading a data set is: bytes or files.
	Progress func(done, total int)
	// Memory is how many bytes a picture may take that is decoded while the list is made, or an array, which
	// stays; 0: any. More is a *[MemoryError].
	Memory int
}

// ErrNone says that a Spec names nothing.
var ErrNone = errors.New("no images are named")

// Item is one image of a list.
type Item struct {
	Name  string // its path, or "test/17" of a data set: the same each time
	Stem  string // a short name that no other item of the list has, for files made from the image
	Label int    // index into List.Classes, -1 if unknown
	array bool
	path  string // of its file, if it is one of openPaths
}

// List is a numbered list of images. It does not change, and may be used by many goroutines at once.
type List struct {
	From    string   // where the images come from, for people
	Data    string   // the data set they are of, "" for files
	Classes []string // names of the labels, nil without labels
	Items   []Item
	// Problems are paths that could not be used, such as dead links and folders that cannot be read, and what
	// is wrong with each. The list has the others.
	Problems []Problem
	Note     string // what was passed over in folders, for people: "skipped 5 files: 2 AVIF ..."; "" if nothing was
	open     func(i int) (Picture, error)
	need     func(i int) (need, bool) // of item i, if its file can be read; nil: the pictures are there already
	file     func(i int) string       // that item i is in, "" for none; nil: the pictures are there already
	c, h, w  int                      // of all pictures, see Shape
}

// Problem is a file or folder that could not be used. Err names it.
type Problem = imageio.Problem

// New makes a list whose pictures come from elsewhere than files and data sets: open gives picture i, and may be called
// from many goroutines at once. Its errors name the picture. from says for people where they come from.
func New(from string, classes []string, items []Item, open func(i int) (Picture, error)) *List {
	l := &List{From: from, Classes: classes, Items: items, open: open}
	distinguish(l.Items)
	return l
}

// Len is the number of images.
func (l *List) Len() int { return len(l.Items) }

// Open decodes image i. Errors name the file.
func (l *List) Open(i int) (Picture, error) {
	if i < 0 || i >= len(l.Items) {
		return Picture{}, fmt.Errorf("image %d is not in the list, which has %d", i, len(l.Items))
	}
	return l.open(i)
}

// Hash identifies the list by the names and labels of its items.
func (l *List) Hash() string {
	h := sha256.New()
	for _, item := range l.Items {
		fmt.Fprintf(h, "%s\x00%d\n", item.Name, item.Label)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Files tells of the files that the pictures are in: a hash of their sizes, and which was changed last, and when. All are
// "" and 0 if they are in none. If the disk does not say all sizes there is no hash, and err is the first that it gave.
func (l *List) Files() (sizes, last string, changed time.Time, err error) {
	if l.file == nil {
		return "", "", changed, nil
	}
	h, before := sha256.New(), ""
	for i := range l.Items {
		name := l.file(i)
		if name == before { // one file of many pictures
			continue
		}
		before = name
		info, problem := os.Stat(name)
		if problem != nil && !errors.Is(problem, fs.ErrNotExist) && err == nil {
			err = problem
		}
		if problem != nil || info.IsDir() {
			continue // generated, or what is wrong with it is said when it is read
		}
		fmt.Fprintf(h, "%d\x00%d\n", i, info.Size())
		if last == "" || info.ModTime().After(changed) {
			last, changed = name, info.ModTime()
		}
	}
	if last == "" || err != nil {
		return "", last, changed, err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), last, changed, nil
}

// Class is the name of item i's label, "" if it has none.
func (l *List) Class(i int) string {
	if k := l.Items[i].Label; k >= 0 && k < len(l.Classes) {
		return l.Classes[k]
	}
	return ""
}

// Picture is one decoded image. Either Image or Array is set.
type Picture struct {
	Name  string
	Image image.Image
	Array *tensor.Tensor // [1, C, H, W], numbers in a network's own units
	// Object is the bounding box of the object in Image, if the data set knows it.
	Object image.Rectangle
}

// Tensor is the input [1, C, H, W] of a network with the given preprocessing. An array goes in as it is. It
// must have the input's shape, or that with the channels last, or with the channels as two axes (volumes).
func (p Picture) Tensor(pre model.Preprocess, in model.Input) (*tensor.Tensor, error) {
	if p.Array != nil {
		x, ok := arrange(p.Array, in)
		if !ok {
			volumes := ""
			if in.C > 4 {
				volumes = fmt.Sprintf(", or volumes [N channels depth %d %d] of %d planes", in.H, in.W, in.C)
			}
			return nil, fmt.Errorf("%s: array is %v, want [N %d %d %d] or [%d %d %d], or with the channels last%s", p.Name, p.Array.Shape[1:], in.C, in.H, in.W, in.C, in.H, in.W, volumes)
		}
		return x, nil
	}
	x, err := pre.Tensor(p.Image, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	return x, nil
}

// Open makes the list that spec asks for. A list without images is an error, ErrNone if nothing was named.
func Open(ctx context.Context, spec Spec, o Options) (*List, error) {
	if len(spec.Paths) > 0 && spec.Data != "" {
		return nil, errors.New("both images and a data set are given: use one of them")
	}
	if len(spec.Paths) == 1 {
		switch name := spec.Paths[0]; {
		case isArchive(name), slices.Contains(dataset.Names(), name) && !exists(name):
			spec.Paths, spec.Data = nil, name
		case spec.ByClass && isDir(name):
			if data, err := openData(ctx, name, spec, o); err == nil {
				return FromData(data, name, spec)
			} else if ctx.Err() != nil {
				return nil, err
			}
		}
	}
	switch {
	case len(spec.Paths) > 0:
		return openPaths(spec, o)
	case spec.Data == "":
		return nil, ErrNone
	}
	data, err := openData(ctx, spec.Data, spec, o)
	if err != nil {
		return nil, err
	}
	return FromData(data, spec.Data, spec)
}

// OpenFile decodes one picture file, as every command does: EXIF orientation applied, colours of a JPEG
// interpolated.
func OpenFile(path string) (Picture, error) {
	img, err := imageio.Open(path)
	return Picture{Name: path, Image: img}, err
}

// isArchive reports whether a path names a file that holds many images.
func isArchive(path string) bool {
	lower := strings.ToLower(path)
	return slices.ContainsFunc([]string{".tar", ".tar.gz", ".tgz", ".zip", ".npz", ".bin"}, func(ext string) bool { return strings.HasSuffix(lower, ext) })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Alone reports whether item i is a picture file, whose name is all that a command needs to be given.
func (l *List) Alone(i int) bool {
	return l.Data == "" && !l.Items[i].array && l.Items[i].Name != "stdin"
}

// Single is a list of one picture, which is there already.
func Single(p Picture) *List {
	base := filepath.Base(p.Name)
	return &List{From: p.Name, Items: []Item{{Name: p.Name, Stem: imageio.FileName(strings.TrimSuffix(base, filepath.Ext(base))), Label: -1, array: p.Array != nil}},
		open: func(int) (Picture, error) { return p, nil }}
}

// Title is what pictures call an image: a file without its folder, an item of a data set ("test/26") in full.
func Title(name string) string {
	if filepath.Ext(name) == "" {
		return name
	}
	return filepath.Base(name)
}

// Names lists the names of all items.
func (l *List) Names() []string {
	out := make([]string, len(l.Items))
	for i, item := range l.Items {
		out[i] = item.Name
	}
	return out
}

// Labels lists the labels of all items, -1 where none is known.
func (l *List) Labels() []int {
	out := make([]int, len(l.Items))
	for i, item := range l.Items {
		out[i] = item.Label
	}
	return out
}

// Matched is the list with the labels and classes of a network: to says which class of the network each of the
// list's classes is.
func (l *List) Matched(to *classes.Mapping, network []string) *List {
	out := *l
	out.Items, out.Classes = slices.Clone(l.Items), slices.Clone(network)
	for i := range out.Items {
		out.Items[i].Label = to.Label(l.Items[i].Label)
	}
	return &out
}
