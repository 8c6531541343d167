package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
)

// splitOf says which split a folder name means: "train", "test", "val" or "".
func splitOf(name string) string {
	switch strings.ToLower(name) {
	case "train", "training":
		return "train"
	case "test", "testing":
		return "test"
	case "val", "valid", "validation":
		return "val"
	}
	return ""
}

// picture is an image file of a class.
type picture struct {
	file
	class string
	name  string // path below the wrapping folder
}

// openTree returns nil, nil if src holds no pictures in class folders.
func openTree(ctx context.Context, src *source, name string, o *Options) (*Data, error) {
	splits, err := findSplits(src)
	if splits == nil || err != nil {
		return nil, err
	}
	d := &Data{Name: name, Files: true, Problems: src.problems, Skipped: src.skipped}
	d.Skipped.Add(outside, false, stray(src, splits))
	if splits["test"] == nil {
		splits["test"] = splits["val"]
	}
	delete(splits, "val")
	var total int
	for _, pictures := range splits {
		total += len(pictures)
		for _, p := range pictures {
			d.Classes = append(d.Classes, p.class)
		}
	}
	d.Classes = sortClasses(d.Classes)
	label := map[string]int{}
	for i, c := range d.Classes {
		label[c] = i
	}
	done := 0
	for _, split := range []string{"train", "test"} {
		pictures := splits[split]
		if pictures == nil {
			continue
		}
		slices.SortFunc(pictures, func(a, b picture) int {
			return cmp.Or(cmp.Compare(label[a.class], label[b.class]), cmp.Compare(a.path, b.path))
		})
		s := &Set{name: name, split: split, labels: make([]int, len(pictures))}
		same := true
		for i, p := range pictures {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("%s: %w", src.root, err)
			}
			s.labels[i] = label[p.class]
			if same { // once they differ, the others need not be opened
				same = s.compareShape(src, p.file)
			}
			if done++; done%256 == 0 || done == total {
				o.progress(done, total)
			}
		}
		if !same {
			s.c, s.h, s.w = 0, 0, 0
		}
		s.id = func(i int) string { return pictures[i].name }
		s.file = func(i int) string { return pictures[i].disk }
		s.head = func(i int) (imageio.Header, int64, error) {
			h, err := src.header(pictures[i].file)
			return h, pictures[i].size, err
		}
		s.draw = func(i int) (image.Image, image.Rectangle, error) {
			m, err := src.decode(pictures[i].file)
			return m, image.Rectangle{}, err
		}
		d.put(s)
	}
	return d, nil
}

// outside is what a skipped image is counted as.
const outside = "outside the class folders"

// stray is the number of images that are in no split.
func stray(src *source, splits map[string][]picture) int {
	n := 0
	for _, f := range src.files {
		if isPicture(f.path) {
			n++
		}
	}
	for _, pictures := range splits {
		n -= len(pictures)
	}
	return n
}

// findSplits sorts the pictures of src into splits by their paths. The first that fits wins: SPLIT/CLASS/FILE,
// WRAP/SPLIT/CLASS/FILE, CLASS/FILE, WRAP/CLASS/FILE; the last two are all "train".
func findSplits(src *source) (map[string][]picture, error) {
	splits := map[string][]picture{}
	wrap := ""
	// inside is where the split (or else the class) stands in the path.
	collect := func(inside int, split bool) (map[string][]picture, error) {
		depth := inside + 2 // components of the path
		if split {
			depth++
		}
		for _, f := range src.files {
			parts := strings.Split(f.path, "/")
			if !isPicture(f.path) || len(parts) != depth {
				continue
			}
			key := "train"
			if split {
				if key = splitOf(parts[inside]); key == "" {
					continue
				}
			}
			if inside > 0 {
				if wrap != "" && wrap != parts[0] {
					return nil, fmt.Errorf("%s: got a data set in %s and one in %s, want one: open the folder itself", src.root, wrap, parts[0])
				}
				wrap = parts[0]
			}
			splits[key] = append(splits[key], picture{f, parts[depth-2], strings.Join(parts[inside:], "/")})
		}
		return splits, nil
	}
	for _, try := range []struct {
		inside int
		split  bool
	}{{0, true}, {1, true}, {0, false}, {1, false}} {
		got, err := collect(try.inside, try.split)
		if err != nil {
			return nil, err
		}
		if len(got) == 0 {
			continue
		}
		if !try.split && !slices.ContainsFunc(got["train"], func(p picture) bool { return splitOf(p.class) == "" }) {
			return nil, fmt.Errorf("%s: got images directly in %s, want folders named after their class there", src.root, path.Dir(got["train"][0].path))
		}
		return got, nil
	}
	return nil, nil
}

// sortClasses returns the different names, sorted; by value if all are numbers, so that 10 follows 9.
func sortClasses(names []string) []string {
	slices.Sort(names)
	names = slices.Clip(slices.Compact(names))
	value := map[string]uint64{}
	for _, n := range names {
		v, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			return names
		}
		value[n] = v
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(value[a], value[b]) })
	return names
}

// compareShape sets the shape of s from the first picture and reports whether this one is alike.
func (s *Set) compareShape(src *source, f file) bool {
	h, err := src.header(f)
	if err != nil {
		return true // Item will say what is wrong with it
	}
	c := 3
	if h.Grey {
		c = 1
	}
	if s.h == 0 {
		s.c, s.h, s.w = c, h.Height, h.Width
	}
	return s.c == c && s.h == h.Height && s.w == h.Width
}

// header reads the header of a picture.
func (s *source) header(f file) (imageio.Header, error) {
	if f.disk == "" {
		return imageio.ReadHeader(bytes.NewReader(f.mem), s.where(f))
	}
	r, err := os.Open(f.disk)
	if err != nil {
		return imageio.Header{}, cannotOpen(f.disk, err)
	}
	defer r.Close()
	return imageio.ReadHeader(r, s.where(f))
}

// cannotOpen is the error of a picture, in the words of imageio.
func cannotOpen(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("cannot open %s: %w", path, err)
}

// decode reads a picture. Its size is checked first: a header of a few bytes can claim gigabytes.
func (s *source) decode(f file) (image.Image, error) {
	b, err := s.picture(f)
	if err != nil {
		return nil, cannotOpen(s.where(f), err)
	}
	r := bytes.NewReader(b)
	h, err := imageio.ReadHeader(r, s.where(f))
	if err != nil {
		return nil, err
	}
	// 4 megapixels are always fine. Above, formats that matter do not reach 4096 pixels a byte.
	limit := min(1<<26, max(1<<22, 4096*int64(len(b))))
	if w, h := int64(h.Width), int64(h.Height); w > limit/h {
		return nil, cannotOpen(s.where(f), fmt.Errorf("got %dx%d pixels in %d bytes, want 1..%d", w, h, len(b), limit))
	}
	return imageio.Decode(r, s.where(f))
}

// picture returns the bytes of a picture file, which must not be more than maxPicture.
func (s *source) picture(f file) ([]byte, error) {
	if f.size > maxPicture {
		return nil, fmt.Errorf("got %d bytes, want at most %d", f.size, maxPicture)
	}
	if f.disk == "" {
		return f.mem, nil
	}
	r, err := os.Open(f.disk)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxPicture)) // it may have changed since it was listed
}
