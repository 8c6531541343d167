// Package dataset turns files, or a seed, into labelled images.
//
// [Open] is the main call. It reads CIFAR-10 and CIFAR-100 (the binary layout of the first, Python's of both), IDX files
// (MNIST, EMNIST and their likes), NumPy's .npz, folders of images named after their class, and tar and zip archives
// of any of these; and it draws
// "shapes", a small generated set where the place of the object is known. [Get] fetches the public
// sets. Everything that can be checked without decoding pictures is checked by Open, so that a
// damaged file is reported before an hour of work, with its name and the offset of the damage.
//
// The package does not know about networks, tensors, resizing or normalising, and does not shuffle:
// items stand in the order of their files.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
)

// Item is one labelled image.
type Item struct {
	// Image is the decoded picture: *image.Gray for grey data, *image.NRGBA for CIFAR binary and
	// shapes, *image.Gray or *image.NRGBA as of imageio.Decode for picture files.
	Image image.Image
	// Label is an index into Classes.
	Label int
	// Name says where the item is from and is the same each time: "test/17" for the 18th test
	// record, "train/cat/0001.jpg" for a file.
	Name string
	// Object is the tight bounding box of the object, in the coordinates of Image, if the data set
	// knows it (shapes does); else empty.
	Object image.Rectangle
}

// Set is one split of a data set. It never changes and may be used by many goroutines at once.
// A nil *Set is an empty one.
type Set struct {
	name, split string
	classes     []string
	labels      []int
	c, h, w     int
	// id and draw are called with 0 <= i < len(labels), from any goroutine.
	id   func(i int) string
	draw func(i int) (image.Image, image.Rectangle, error)
	// head reads what stands before the pixels of item i, and the length of its file; nil if items are not files.
	head func(i int) (imageio.Header, int64, error)
	file func(i int) string // of item i; nil if items are not files
}

// Header is what the file of item i says about its picture before the pixels, and the file's length, of which all is
// read when the item is; ok is false if the item is no file, or one that cannot be read.
func (s *Set) Header(i int) (h imageio.Header, size int64, ok bool) {
	if s == nil || s.head == nil || i < 0 || i >= s.Len() {
		return h, 0, false
	}
	h, size, err := s.head(i)
	return h, size, err == nil
}

// File is the path of the file that item i is, "" if it is none.
func (s *Set) File(i int) string {
	if s == nil || s.file == nil {
		return ""
	}
	return s.file(i)
}

// Name is the name of the data set the split belongs to, e.g. "cifar10".
func (s *Set) Name() string {
	if s == nil {
		return ""
	}
	return s.name
}

// Split is "train" or "test".
func (s *Set) Split() string {
	if s == nil {
		return ""
	}
	return s.split
}

// Classes returns a copy of the class names; labels are indices into it.
func (s *Set) Classes() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.classes)
}

// Len is the number of items.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.labels)
}

// Label returns the label of item i without decoding its image. It panics unless 0 <= i < Len().
func (s *Set) Label(i int) int { return s.labels[i] }

// ItemName returns the name of item i, see Item, without decoding its image. It
// panics unless 0 <= i < Len().
func (s *Set) ItemName(i int) string { return s.id(i) }

// Shape returns channels (1 or 3), height and width of the images, or 0, 0, 0 if they are not all
// alike. Picture files whose header cannot be read are left out of the comparison.
func (s *Set) Shape() (c, h, w int) {
	if s == nil {
		return 0, 0, 0
	}
	return s.c, s.h, s.w
}

// Item decodes item i. The image belongs to the caller. The error names the file, and for an
// archive also the member, that cannot be read; an i outside 0..Len()-1 is an error too.
func (s *Set) Item(i int) (Item, error) {
	if i < 0 || i >= s.Len() {
		return Item{}, fmt.Errorf("item %d: out of range, want 0..%d", i, s.Len()-1)
	}
	m, object, err := s.draw(i)
	if err != nil {
		return Item{}, imageio.OneLine(err)
	}
	return Item{Image: m, Label: s.labels[i], Name: s.id(i), Object: object}, nil
}

// Subset returns the items of s named by index, in that order, as a set of their own with the given
// split name. Items keep their names and labels. It is how a caller makes a test split for data that
// comes without one. It panics if an index is outside 0..Len()-1.
func (s *Set) Subset(split string, index []int) *Set {
	index = slices.Clone(index)
	t := *s
	t.split = split
	t.labels = make([]int, len(index))
	for j, i := range index {
		t.labels[j] = s.labels[i]
	}
	t.id = func(j int) string { return s.id(index[j]) }
	t.draw = func(j int) (image.Image, image.Rectangle, error) { return s.draw(index[j]) }
	if s.head != nil {
		t.head = func(j int) (imageio.Header, int64, error) { return s.head(index[j]) }
		t.file = func(j int) string { return s.File(index[j]) }
	}
	return &t
}

// Data is a data set with its splits. At least one of Train and Test is there: Test is nil for data
// without a test split, Train is nil if only test data was found (say, a single test_batch.bin).
type Data struct {
	Name        string   // "cifar10", or the name of the folder or file without extension
	Classes     []string // label -> name
	Train, Test *Set
	Source      string // where it came from: a path, or "generated, seed 1"
	Generated   bool   // images are drawn when they are asked for
	Files       bool   // every image is a picture file, which may be broken
	// Problems are what could not be followed in class folders: dead links and folders that cannot be read.
	// The pictures there are missing from the splits.
	Problems []imageio.Problem
	// Skipped counts the files in class folders that are no images viz reads, and images that lie elsewhere.
	Skipped imageio.Tally
}

// SizeText is the size of the images, CxHxW, or "various".
func (d *Data) SizeText() string {
	set := d.Train
	if set == nil {
		set = d.Test
	}
	c, h, w := set.Shape()
	if c == 0 {
		return "various"
	}
	return fmt.Sprintf("%dx%dx%d", c, h, w)
}

// Split returns Train for "train" and Test for "test". A split that is not there is an error that
// says which one is.
func (d *Data) Split(name string) (*Set, error) {
	for _, s := range []*Set{d.Train, d.Test} {
		if s != nil && s.split == name {
			return s, nil
		}
	}
	var have []string
	for _, s := range []*Set{d.Train, d.Test} {
		if s != nil {
			have = append(have, s.split)
		}
	}
	return nil, fmt.Errorf("%s: no split %q, want %s", d.Name, name, strings.Join(have, " or "))
}

// put adds a split, which gets class names of its own because those of d are in the caller's hands.
func (d *Data) put(s *Set) {
	s.classes = slices.Clone(d.Classes)
	if s.split == "test" {
		d.Test = s
	} else {
		d.Train = s
	}
}

// Options of [Open]. The zero value opens files and generates shapes with seed 0.
type Options struct {
	// CacheDir is the folder where [Get] stored the public sets, each in CacheDir/NAME.
	CacheDir string
	// Seed chooses the pictures of a generated set. Other sets ignore it.
	Seed uint64
	// Train and Test are the number of images of a generated set; 0 means 20000 and 2000.
	Train, Test int
	// Progress, if not nil, is called from Open's goroutine now and then: bytes read of a file,
	// or files looked at in a folder.
	Progress func(done, total int)
}

func (o *Options) progress(done, total int) {
	if o.Progress != nil {
		o.Progress(done, total)
	}
}

// Names lists the data sets that [Open] knows by name.
func Names() []string { return []string{"shapes", "cifar10", "mnist", "fashion-mnist"} }

// Public lists the data sets that [Get] can fetch.
func Public() []string { return []string{"cifar10", "mnist", "fashion-mnist"} }

// errLayout means that files were readable but nothing in them looks like a data set.
var errLayout = errors.New("no data set found")

// Open opens a data set. spec is one of
//
//   - a name from [Names]; a name wins over a file of that name, which can be given as ./NAME;
//   - a folder, or a .zip, .tar, .tar.gz or .tgz file, that holds, at its top or inside one wrapping folder,
//     CIFAR-10 binary files (data_batch_*.bin, test_batch.bin, batches.meta.txt), or
//     CIFAR-10 or CIFAR-100 for Python (data_batch_1 ..., batches.meta; train, test, meta: the fine labels), or
//     IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...; emnist-letters-train-images-idx3-ubyte ...,
//     whose images are stored transposed and turned upright here), or
//     pictures as train/CLASS/FILE and test/CLASS/FILE, or as CLASS/FILE;
//   - a NumPy .npz file: x_train, y_train, x_test, y_test (Keras); train_images, train_labels, test_images, test_labels
//     (MedMNIST); images, labels. Images are [N,H,W], [N,H,W,C] or [N,C,H,W], bytes 0..255 or numbers 0..1;
//   - a CIFAR-10 .bin file;
//   - an IDX file of images, with the labels beside it.
//
// .bin and IDX files may be gzipped (.gz). A CIFAR file may have any number of records. Folder names
// for the splits are train, training, test, testing, val, valid and validation in any case; if there is a
// test folder, val is ignored. Classes are the sorted folder names that hold at least one picture, by
// value if all are numbers. IDX files have ten classes "0".."9" unless a classes.txt or
// batches.meta.txt lies beside them with one name a line.
//
// A named set that is not in CacheDir gives an error that is [fs.ErrNotExist]. A damaged CIFAR or IDX
// file or archive gives an error with the file, the offset in bytes, got and want; a damaged picture
// gives one when its Item is asked for. Archives stay in memory with their pictures still compressed.
func Open(ctx context.Context, spec string, o Options) (*Data, error) {
	if spec == "shapes" {
		return openShapes(o)
	}
	if files, ok := public[spec]; ok {
		return openCached(ctx, spec, files, o)
	}
	d, err := openPath(ctx, spec, setName(spec), o)
	return d, imageio.OneLine(err)
}

// openCached opens a public set from its folder in the cache. A set that was fetched in part only is not
// there: without the test split, say, every later number would be wrong in silence.
func openCached(ctx context.Context, name string, set remoteSet, o Options) (*Data, error) {
	if o.CacheDir == "" {
		return nil, fmt.Errorf("%s: no cache folder given, so it cannot be looked up: %w", name, fs.ErrNotExist)
	}
	dir := filepath.Join(o.CacheDir, name)
	missing := func(what string) error {
		return absent(fmt.Sprintf("%s: %s in %s; run: viz data get %s", name, what, dir, name))
	}
	path, fetched := dir, true
	for _, f := range set.files {
		fetched = fetched && exists(filepath.Join(dir, f.Name))
	}
	if !exists(dir) {
		return nil, missing("not found")
	}
	// CIFAR-10 is fetched as one archive and read from it; somebody may also have unpacked it.
	if fetched && len(set.files) == 1 {
		path = filepath.Join(dir, set.files[0].Name)
	}
	d, err := openPath(ctx, path, name, o)
	switch {
	case errors.Is(err, errLayout) && !fetched: // an empty folder, or only a download that was broken off
		return nil, missing("not complete")
	case err != nil:
		return nil, err
	case d.Train == nil || d.Test == nil:
		return nil, missing("not complete")
	}
	return d, nil
}

func openPath(ctx context.Context, path, name string, o Options) (*Data, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absent(fmt.Sprintf("%s: no such file or folder, and not one of %s", path, strings.Join(Names(), ", ")))
	}
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	var d *Data
	switch lower := strings.ToLower(path); {
	case fi.IsDir():
		src, err := readDir(ctx, path)
		if err != nil {
			return nil, err
		}
		d, err = openLayout(ctx, src, name, &o)
		if err != nil {
			return nil, err
		}
	case !fi.Mode().IsRegular():
		return nil, fmt.Errorf("%s: got a %v, want a file or folder", path, fi.Mode().Type())
	case hasSuffix(lower, ".tar", ".tar.gz", ".tgz"):
		src, err := readTarFile(ctx, path, fi.Size(), &o)
		if err != nil {
			return nil, err
		}
		d, err = openLayout(ctx, src, name, &o)
		if err != nil {
			return nil, err
		}
	case hasSuffix(lower, ".zip"):
		src, err := readZipFile(ctx, path)
		if err != nil {
			return nil, err
		}
		d, err = openLayout(ctx, src, name, &o)
		if err != nil {
			return nil, err
		}
	case hasSuffix(lower, ".npz"):
		if d, err = openNPZ(ctx, path, name); err != nil {
			return nil, err
		}
	default:
		d, err = openSingle(ctx, path, fi.Size(), name, &o)
		if err != nil {
			return nil, err
		}
	}
	d.Source = path
	return d, nil
}

// openLayout recognises what a folder or archive holds.
func openLayout(ctx context.Context, src *source, name string, o *Options) (*Data, error) {
	for _, open := range []func(context.Context, *source, string, *Options) (*Data, error){openCIFAR, openPython, openIDX, openTree} {
		d, err := open(ctx, src, name, o)
		if d != nil || err != nil {
			return d, err
		}
	}
	note := src.skipped.String()
	if note != "" {
		note = "; " + note
	}
	for _, p := range src.problems {
		note += "; " + p.Err.Error()
	}
	return nil, fmt.Errorf("%s: %w: want CIFAR-10 binary or Python files, IDX files or folders of images named after their class%s", src.root, errLayout, note)
}

// openSingle opens one CIFAR or IDX file. A name that begins with "test" or "t10k" makes it the test
// split, so that a network is not measured on it as if it were training data.
func openSingle(ctx context.Context, path string, size int64, name string, o *Options) (*Data, error) {
	dir, base := filepath.Split(path)
	src := &source{root: dir, files: []file{{path: base, size: size, disk: path}}}
	f := src.files[0]
	split := "train"
	if l := strings.ToLower(base); strings.HasPrefix(l, "test") || strings.HasPrefix(l, "t10k") {
		split = "test"
	}
	if m := idxFile.FindStringSubmatch(base); m != nil && m[1] != "" && m[3] == "images" {
		all, err := readDir(ctx, filepath.Dir(path)) // a file of EMNIST stands for its set
		if err != nil {
			return nil, err
		}
		return openVariant(ctx, all, ".", m[1], "emnist-"+m[1], o)
	}
	magic, err := src.peek(f, 4)
	if err != nil {
		return nil, err
	}
	switch {
	case string(magic) == "\x00\x00\x08\x03":
		labels, ok := labelsBeside(dir, base)
		if !ok {
			return nil, fmt.Errorf("%s: no labels beside it, want a file named as it is with labels for images and idx1 for idx3", path)
		}
		src.files = append(src.files, labels...)
		return newIDX(ctx, src, name, "", map[string][2]file{split: {f, labels[0]}}, o)
	case string(magic) == "\x00\x00\x08\x01":
		return nil, fmt.Errorf("%s: got an IDX file of labels, want the images", path)
	case hasSuffix(strings.ToLower(base), ".bin", ".bin.gz"):
		if meta := filepath.Join(dir, metaName); exists(meta) {
			fi, err := os.Stat(meta)
			if err != nil {
				return nil, fmt.Errorf("%w", err)
			}
			src.files = append(src.files, file{path: metaName, size: fi.Size(), disk: meta})
		}
		return newCIFAR(ctx, src, name, map[string][]file{split: {f}}, o)
	}
	return nil, fmt.Errorf("%s: %w: file begins with % x: want a CIFAR-10 .bin, an IDX file of images, .npz, .zip, .tar, .tar.gz or .tgz", path, errLayout, magic)
}

// setName is the last element of path without its extensions.
func setName(path string) string {
	if abs, err := filepath.Abs(path); err == nil { // so that "." has a name
		path = abs
	}
	name := filepath.Base(path)
	for _, ext := range []string{".gz", ".tgz", ".tar", ".bin", ".zip", ".npz"} {
		if len(name) > len(ext) && hasSuffix(strings.ToLower(name), ext) {
			name = name[:len(name)-len(ext)]
		}
	}
	return name
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func hasSuffix(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(x string) bool { return strings.HasSuffix(s, x) })
}
