package images

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
)

// openPaths lists picture files, folders of them, and arrays, in the order given.
func openPaths(spec Spec, o Options) (*List, error) {
	l := &List{From: strings.Join(spec.Paths, " ")}
	var opens []func() (Picture, error)
	add := func(item Item, open func() (Picture, error)) {
		item.Label = -1
		l.Items = append(l.Items, item)
		opens = append(opens, open)
	}
	l.need = func(i int) (need, bool) { return fileNeed(l.Items[i]) }
	l.file = func(i int) string { return l.Items[i].path }
	var plain []string // paths whose listing is put off, so that a file reached twice is listed once
	list := func() {
		found := imageio.Find(plain)
		plain = nil
		for _, f := range found.Files {
			add(Item{Name: f, path: f, Stem: strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))}, func() (Picture, error) { return OpenFile(f) })
		}
		l.Problems = append(l.Problems, found.Problems...)
		if note := found.Note(); note != "" {
			l.Note = strings.TrimPrefix(l.Note+"; "+note, "; ")
		}
	}
	for _, path := range spec.Paths {
		if path == "-" && o.Stdin != nil {
			list()
			picture, err := readStdin(o.Stdin, o.Memory)
			if _, ok := errors.AsType[*MemoryError](err); ok {
				return nil, err
			}
			if err != nil {
				l.Problems = append(l.Problems, Problem{Path: "stdin", Err: err})
				continue
			}
			add(Item{Name: "stdin", Stem: "stdin"}, func() (Picture, error) { return picture, nil })
			continue
		}
		if strings.EqualFold(filepath.Ext(path), ".npy") {
			list()
			if err := smallEnough(path, o.Memory); err != nil {
				return nil, err
			}
			if err := addArrays(path, add); err != nil {
				l.Problems = append(l.Problems, Problem{Path: path, Err: err})
			}
			continue
		}
		plain = append(plain, path)
	}
	list()
	if n := spec.Limit; n > 0 && n < len(l.Items) { // the first n that can be read
		all, at := l.Items, 0
		l.Items = nil
		for i := 0; i < len(all) && at < n; i++ {
			if need, ok := fileNeed(all[i]); ok && o.Memory > 0 && need.Memory > o.Memory {
				return nil, &MemoryError{all[i].Name, need.Memory, o.Memory}
			}
			if _, err := opens[i](); err != nil {
				l.Problems = append(l.Problems, Problem{Path: all[i].Name, Err: err})
				continue
			}
			l.Items, opens[at] = append(l.Items, all[i]), opens[i]
			at++
		}
	}
	if len(l.Items) == 0 {
		var errs []error
		for _, p := range l.Problems {
			errs = append(errs, p.Err)
		}
		if len(errs) > 0 {
			return nil, errors.Join(errs...)
		}
		return nil, fmt.Errorf("%s: no images found", l.From)
	}
	distinguish(l.Items)
	l.open = func(i int) (Picture, error) { return opens[i]() }
	return l, nil
}

// maxStdin is the largest picture that is read from stdin, in bytes.
const maxStdin = 1 << 28

func readStdin(r io.Reader, memory int) (Picture, error) {
	head := make([]byte, 4096)
	n, err := io.ReadFull(r, head)
	if err == nil { // what is no picture may never end
		err = imageio.Recognise(head)
	} else if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	if err != nil {
		return Picture{}, fmt.Errorf("stdin: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head[:n]), r), maxStdin+1))
	if err != nil {
		return Picture{}, fmt.Errorf("stdin: %w", err)
	}
	if len(text) > maxStdin {
		return Picture{}, fmt.Errorf("stdin: more than %d MB", maxStdin>>20)
	}
	if h, err := imageio.ReadHeader(bytes.NewReader(text), "stdin"); err == nil && memory > 0 && h.Memory > memory {
		return Picture{}, &MemoryError{"stdin", h.Memory, memory}
	}
	img, err := imageio.Decode(bytes.NewReader(text), "stdin")
	return Picture{Name: "stdin", Image: img}, err
}

// distinguish makes stems fit for files, and numbers those of images that have one name, in several folders.
func distinguish(items []Item) {
	seen := map[string]bool{}
	for i := range items {
		stem := imageio.FileName(items[i].Stem)
		items[i].Stem = stem
		for k := 2; seen[items[i].Stem]; k++ {
			items[i].Stem = fmt.Sprintf("%s-%d", stem, k)
		}
		seen[items[i].Stem] = true
	}
}

// addArrays adds the images of a .npy file, which stay in memory.
func addArrays(path string, add func(item Item, open func() (Picture, error))) error {
	x, err := ReadArray(path)
	if err != nil {
		return err
	}
	base := filepath.Base(path)
	for i := range x.Shape[0] {
		name, stem := base, strings.TrimSuffix(base, filepath.Ext(base))
		if x.Shape[0] > 1 {
			name, stem = fmt.Sprintf("%s[%d]", base, i), fmt.Sprintf("%s-%d", stem, i)
		}
		add(Item{Name: name, Stem: stem, array: true, path: path}, func() (Picture, error) { return Picture{Name: path, Array: x.Slice(i, i+1)}, nil })
	}
	return nil
}

// arrange gives an array [1, ...] the shape [1, C, H, W] of a network's input: it may have the channels last,
// or the channels as two axes. ok is false if it fits in neither way.
func arrange(x *tensor.Tensor, in model.Input) (_ *tensor.Tensor, ok bool) {
	s := x.Shape
	switch n := len(s); {
	case slices.Equal(s, in.Shape().Batch(1)):
		return x, true
	case slices.Equal(s, []int{1, in.H, in.W, in.C}):
		out := tensor.New(1, in.C, in.H, in.W)
		for i, v := range x.Data {
			out.Data[i%in.C*in.H*in.W+i/in.C] = v
		}
		return out, true
	case n == 5 && s[1]*s[2] == in.C && s[3] == in.H && s[4] == in.W:
		return tensor.From(x.Data, 1, in.C, in.H, in.W), true
	}
	return nil, false
}

// ReadArray reads a .npy file of images, [N, C, H, W] or [C, H, W] or as a network's file has its input. The
// numbers are in the network's own units, finite; integers stand for themselves. The first axis of the
// result is that of the images.
func ReadArray(path string) (*tensor.Tensor, error) {
	a, err := npy.ReadFile(path)
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(a.Shape)
	if len(shape) == 3 {
		shape = append([]int{1}, shape...)
	}
	if len(shape) < 4 || len(shape) > 5 || slices.Min(shape) < 1 {
		return nil, fmt.Errorf("%s: array is %v, want [N C H W] or [C H W]", path, a.Shape)
	}
	if a.Float32 == nil {
		a.Float32 = make([]float32, len(a.Int32))
		for i, v := range a.Int32 {
			a.Float32[i] = float32(v)
		}
	}
	for i, v := range a.Float32 {
		if v-v != 0 { // NaN or infinite
			return nil, fmt.Errorf("%s: value %d is %g, want finite numbers", path, i, v)
		}
	}
	return tensor.From(a.Float32, shape...), nil
}
