package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// IDX is the format of MNIST, http://yann.lecun.com/exdb/mnist: two zero bytes, a type (8 is unsigned
// byte), the number of dimensions, each dimension as a big-endian uint32, then the values.

const (
	namesName = "classes.txt"
	idxUbyte  = 0x0800
	// maxIDX is the most values of a file, which stay in memory: twice what EMNIST's largest has.
	maxIDX = 1 << 30
)

// Some mirrors write a dot where the original has a hyphen.
var idxFile = regexp.MustCompile(`^(?:emnist-([a-z]+)-)?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?$`)

var fashionNames = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

// openIDX returns nil, nil if src holds no IDX files.
func openIDX(ctx context.Context, src *source, name string, o *Options) (*Data, error) {
	dir, ok := src.shallowest(idxFile.MatchString)
	if !ok {
		return nil, nil
	}
	variants := map[string]bool{}
	for _, f := range src.files {
		if m := idxFile.FindStringSubmatch(path.Base(f.path)); path.Dir(f.path) == dir && m != nil {
			variants[m[1]] = true
		}
	}
	if len(variants) > 1 {
		return nil, fmt.Errorf("%s: %w: several sets are in it (%s): name the train images of one", src.root, errLayout,
			strings.Join(slices.Sorted(maps.Keys(variants)), ", "))
	}
	return openVariant(ctx, src, dir, slices.Sorted(maps.Keys(variants))[0], name, o)
}

// openVariant opens the IDX files of a folder: MNIST's (variant "") or one of EMNIST's sets.
func openVariant(ctx context.Context, src *source, dir, variant, name string, o *Options) (*Data, error) {
	splits := map[string][2]file{}
	for _, f := range preferPlain(src.files) {
		m := idxFile.FindStringSubmatch(path.Base(f.path))
		if path.Dir(f.path) != dir || m == nil || m[1] != variant {
			continue
		}
		split, kind := "train", 0
		if m[2] != "train" {
			split = "test"
		}
		if m[3] == "labels" {
			kind = 1
		}
		pair := splits[split]
		pair[kind] = f
		splits[split] = pair
	}
	for _, pair := range splits {
		if pair[0].path == "" {
			return nil, fmt.Errorf("%s: %w: got labels without images", src.where(pair[1]), errLayout)
		}
		if pair[1].path == "" {
			return nil, fmt.Errorf("%s: %w: got images without labels", src.where(pair[0]), errLayout)
		}
	}
	return newIDX(ctx, src, name, variant, splits, o)
}

// newIDX reads for each split a file of images and one of labels.
func newIDX(ctx context.Context, src *source, name, variant string, splits map[string][2]file, o *Options) (*Data, error) {
	d := &Data{Name: name}
	var dir string
	for _, pair := range splits {
		dir = path.Dir(pair[0].path)
	}
	names, err := src.names(dir, namesName, metaName)
	if err != nil {
		return nil, err
	}
	first := 0
	d.Classes = names
	switch {
	case variant != "":
		if d.Classes, first, err = emnistClasses(src, dir, variant); err != nil {
			return nil, err
		}
	case names != nil:
	case name == "fashion-mnist":
		d.Classes = slices.Clone(fashionNames)
	default:
		d.Classes = make([]string, 10)
		for i := range d.Classes {
			d.Classes[i] = strconv.Itoa(i)
		}
	}
	for _, split := range []string{"train", "test"} {
		pair, ok := splits[split]
		if !ok {
			continue
		}
		s, err := readPair(ctx, src, pair, first, d.Classes, names == nil, o)
		if err != nil {
			return nil, err
		}
		if variant != "" {
			s.upright(first)
		}
		s.name, s.split = name, split
		s.id = func(i int) string { return split + "/" + strconv.Itoa(i) }
		d.put(s)
	}
	return d, nil
}

func readPair(ctx context.Context, src *source, pair [2]file, first int, classes []string, guessed bool, o *Options) (*Set, error) {
	dims, pix, err := readIDXFile(ctx, src, pair[0], 3, o)
	if err != nil {
		return nil, err
	}
	ldims, labels, err := readIDXFile(ctx, src, pair[1], 1, o)
	if err != nil {
		return nil, err
	}
	n, h, w := dims[0], dims[1], dims[2]
	if ldims[0] != n {
		return nil, fmt.Errorf("%s: got %d labels, want %d, one for each image of %s", src.where(pair[1]), ldims[0], n, path.Base(pair[0].path))
	}
	s := &Set{c: 1, h: h, w: w, labels: make([]int, n)}
	for i, l := range labels {
		if int(l) < first || int(l) >= first+len(classes) {
			hint := ""
			if guessed {
				hint = fmt.Sprintf("; more classes can be named in a %s beside it, one a line", namesName)
			}
			return nil, fmt.Errorf("%s: label at offset %d: got %d, want %d..%d%s", src.where(pair[1]), 8+i, l, first, first+len(classes)-1, hint)
		}
		s.labels[i] = int(l)
	}
	s.draw = func(i int) (image.Image, image.Rectangle, error) {
		m := image.NewGray(image.Rect(0, 0, w, h))
		copy(m.Pix, pix[i*h*w:(i+1)*h*w])
		return m, image.Rectangle{}, nil
	}
	return s, nil
}

func readIDXFile(ctx context.Context, src *source, f file, dims int, o *Options) ([]int, []byte, error) {
	st, err := src.open(ctx, f, o)
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	shape, data, err := readIDX(st, dims)
	if err != nil {
		return nil, nil, fmt.Errorf("idx: %s: %w", src.where(f), err)
	}
	return shape, data, nil
}

// readIDX reads an IDX stream of unsigned bytes with the given number of dimensions, each at least 1.
// len(data) is the product of shape.
func readIDX(st *stream, dims int) (shape []int, data []byte, err error) {
	head := make([]byte, 4+4*dims)
	if n, err := io.ReadFull(st, head); err != nil {
		return nil, nil, short(err, "header", 0, int64(len(head)), n)
	}
	if got, want := binary.BigEndian.Uint32(head), uint32(idxUbyte|dims); got != want {
		return nil, nil, fmt.Errorf("magic at offset 0: got 0x%08x, want 0x%08x", got, want)
	}
	size := int64(1)
	for i := range dims {
		v := int64(binary.BigEndian.Uint32(head[4+4*i:]))
		if v == 0 {
			return nil, nil, fmt.Errorf("dimension %d at offset %d: got 0, want 1 or more", i, 4+4*i)
		}
		// Both factors are below 1<<33, so the product cannot overflow.
		if size *= v; size > st.bound {
			return nil, nil, fmt.Errorf("dimension %d at offset %d: got %d, which makes %d values or more, want at most %d, which is all the file can hold", i, 4+4*i, v, size, st.bound)
		}
		if size > maxIDX {
			return nil, nil, fmt.Errorf("dimension %d at offset %d: got %d, which makes %d values or more, want at most %d", i, 4+4*i, v, size, int64(maxIDX))
		}
		shape = append(shape, int(v))
	}
	data, err = readN(st, size)
	if err != nil {
		return nil, nil, short(err, "data", int64(len(head)), size, len(data))
	}
	// Reading on also makes gzip check its sum.
	switch n, err := io.ReadFull(st, make([]byte, 1)); {
	case n > 0:
		return nil, nil, fmt.Errorf("data: got more bytes after offset %d, want the end of the file", int64(len(head))+size)
	case err != io.EOF:
		return nil, nil, fmt.Errorf("data: offset %d: %w", st.offset, err)
	}
	return shape, data, nil
}

// short explains why n of want bytes came.
func short(err error, what string, offset, want int64, n int) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: truncated at offset %d: want %d bytes, got %d", what, offset, want, n)
	}
	return fmt.Errorf("%s: offset %d: %w", what, offset+int64(n), err)
}

// labelsBeside finds the labels that belong to an IDX file of images.
func labelsBeside(dir, images string) ([]file, bool) {
	i := strings.LastIndex(images, "images")
	if i < 0 {
		return nil, false
	}
	base := images[:i] + "labels" + strings.Replace(images[i+len("images"):], "idx3", "idx1", 1)
	plain := strings.TrimSuffix(base, ".gz")
	for _, b := range []string{base, plain, plain + ".gz"} {
		p := filepath.Join(dir, b)
		fi, err := os.Stat(p)
		if err != nil {
			continue
		}
		files := []file{{path: b, size: fi.Size(), disk: p}}
		for _, names := range []string{namesName, metaName} {
			p := filepath.Join(dir, names)
			if fi, err := os.Stat(p); err == nil {
				files = append(files, file{path: names, size: fi.Size(), disk: p})
			}
		}
		return files, true
	}
	return nil, false
}
