package dataset

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/pickle"
)

// CIFAR-10 and CIFAR-100 as Python's pickles: a dict with data [N][3072] (red, green, blue planes) and labels, or
// fine_labels and coarse_labels, of which the fine ones are taken.

var pythonFile = regexp.MustCompile(`^(data_batch_\d+|test_batch|batches\.meta|train|test|meta)$`)

// openPython returns nil, nil if src holds no such files.
func openPython(ctx context.Context, src *source, name string, o *Options) (*Data, error) {
	pickled := *src
	pickled.files = slices.DeleteFunc(slices.Clone(src.files), func(f file) bool {
		if !pythonFile.MatchString(path.Base(f.path)) {
			return true
		}
		head, err := src.peek(f, 1) // something else may be called train or test
		return err != nil || len(head) == 0 || !bytes.ContainsAny(head, "(}") && head[0] != 0x80
	})
	src = &pickled
	dir, ok := src.shallowest(func(base string) bool { return !strings.Contains(base, "meta") })
	if !ok {
		return nil, nil
	}
	files := map[string][]file{}
	for _, f := range src.files {
		base := path.Base(f.path)
		if path.Dir(f.path) != dir {
			continue
		}
		switch {
		case strings.Contains(base, "meta"):
			files["meta"] = append(files["meta"], f)
		case strings.HasPrefix(base, "test"):
			files["test"] = append(files["test"], f)
		default:
			files["train"] = append(files["train"], f)
		}
	}
	slices.SortFunc(files["train"], func(a, b file) int { // 10 behind 9
		return cmp.Or(cmp.Compare(len(a.path), len(b.path)), cmp.Compare(a.path, b.path))
	})
	d := &Data{Name: name}
	var sets []*Set
	done, fine := 0, false
	for _, split := range []string{"train", "test"} {
		if files[split] == nil {
			continue
		}
		s := &pySet{}
		for _, f := range files[split] {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("%s: %w", src.root, err)
			}
			if err := s.add(src, f); err != nil {
				return nil, fmt.Errorf("%s: %w", src.where(f), err)
			}
			o.progress(done, len(src.files))
			done++
		}
		set, err := s.set(name, split)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", src.where(files[split][0]), err)
		}
		sets, fine = append(sets, set), fine || s.fine
	}
	var err error
	if d.Classes, err = pyClasses(src, files["meta"], fine, sets); err != nil {
		return nil, err
	}
	for _, s := range sets {
		for i, l := range s.labels {
			if l >= len(d.Classes) {
				return nil, fmt.Errorf("%s: %s: label %d is %d, want 0..%d", src.root, s.split, i, l, len(d.Classes)-1)
			}
		}
		d.put(s)
	}
	return d, nil
}

// pyClasses are the names in the meta file, or those that are known.
func pyClasses(src *source, meta []file, fine bool, sets []*Set) ([]string, error) {
	if len(meta) > 0 {
		top, err := src.unpickle(meta[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", src.where(meta[0]), err)
		}
		key := "label_names"
		if fine {
			key = "fine_label_names"
		}
		names, ok := top.Get(key).(*pickle.List)
		if !ok {
			return nil, fmt.Errorf("%s: no list %s", src.where(meta[0]), key)
		}
		var out []string
		for _, n := range names.Items {
			text, ok := pickle.Text(n)
			if !ok || text == "" {
				return nil, fmt.Errorf("%s: %s: class %d has no name", src.where(meta[0]), key, len(out))
			}
			out = append(out, strings.Clone(text))
		}
		return out, nil
	}
	numbers := numberClasses(sets...)
	if !fine && len(numbers) <= len(cifarNames) {
		return slices.Clone(cifarNames), nil
	}
	return numbers, nil
}

func (s *source) unpickle(f file) (*pickle.Dict, error) {
	b, err := s.read(f, 1<<30)
	if err != nil {
		return nil, err
	}
	v, err := unpickle(b)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("it holds no dict, as CIFAR's do")
	}
	return d, nil
}

// pySet gathers the batches of a split.
type pySet struct {
	data   [][]byte // by batch
	labels []int
	fine   bool
}

func (s *pySet) add(src *source, f file) error {
	d, err := src.unpickle(f)
	if err != nil {
		return err
	}
	a, err := pickledArray(d.Get("data"))
	if err != nil {
		return err
	}
	if a == nil || !a.Bytes() || a.Fortran || a.Len() == 0 || len(a.Shape) < 2 || a.Len()/a.Shape[0] != 3*cifarPlane {
		return fmt.Errorf("no array data of bytes [N,3072], as CIFAR's have")
	}
	key := "labels"
	if d.Get(key) == nil && d.Get("fine_labels") != nil {
		key, s.fine = "fine_labels", true
	}
	labels, err := pyLabels(d.Get(key))
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if n := a.Shape[0]; len(labels) != n {
		return fmt.Errorf("%d images and %d labels", n, len(labels))
	}
	s.data = append(s.data, a.Data)
	s.labels = append(s.labels, labels...)
	return nil
}

func pyLabels(v any) ([]int, error) {
	if v, ok := v.(*pickle.List); ok {
		out := make([]int, len(v.Items))
		for i, e := range v.Items {
			n := pickledNumber(e)
			if n < 0 || n >= maxClasses {
				return nil, fmt.Errorf("label %d is %v: want class numbers from 0 to %d", i, e, maxClasses-1)
			}
			out[i] = int(n)
		}
		return out, nil
	}
	a, err := pickledArray(v)
	if err != nil {
		return nil, err
	}
	if a != nil {
		return labelsOf(a)
	}
	return nil, fmt.Errorf("no list of class numbers")
}

// set is the split; its images are [N][3][32][32].
func (s *pySet) set(name, split string) (*Set, error) {
	n := len(s.labels)
	data := s.data[0] // one batch stays in the file's bytes
	if len(s.data) > 1 {
		data = slices.Concat(s.data...)
	}
	images, err := npy.NewRaw("|u1", []int{n, 3, cifarSide, cifarSide}, false, data)
	if err != nil {
		return nil, err
	}
	wide := make([]byte, 0, 8*n)
	for _, l := range s.labels {
		wide = append(wide, byte(l), byte(l>>8), byte(l>>16), byte(l>>24))
	}
	labels, err := npy.NewRaw("<i4", []int{n}, false, wide)
	if err != nil {
		return nil, err
	}
	return arraySet(name, split, images, labels)
}
