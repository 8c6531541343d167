package dataset

import (
	"archive/zip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
)

// npzNames are the names that images and labels of a split have in .npz files.
var npzNames = []struct{ split, images, labels string }{
	{"train", "x_train", "y_train"}, {"test", "x_test", "y_test"},
	{"train", "train_images", "train_labels"}, {"test", "test_images", "test_labels"},
	{"train", "images", "labels"}, {"train", "x", "y"}, {"train", "X", "y"}, {"train", "data", "labels"}, {"train", "data", "target"},
}

// openNPZ opens arrays that numpy.savez wrote.
func openNPZ(ctx context.Context, name, set string) (*Data, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plainly(err))
	}
	defer z.Close()
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plainly(err))
	}
	return readArrays(ctx, &z.Reader, info.Size(), name, set)
}

// readArrays reads the sets of an archive of so many bytes that is open.
func readArrays(ctx context.Context, z *zip.Reader, stored int64, name, set string) (*Data, error) {
	fail := func(err error) (*Data, error) { return nil, fmt.Errorf("%s: %w", name, err) }
	members, have := map[string]*zip.File{}, []string{}
	for _, m := range z.File {
		key := strings.TrimSuffix(m.Name, ".npy")
		members[key], have = m, append(have, key)
	}
	d := &Data{Name: set}
	var sets []*Set
	var held int64
	for _, n := range npzNames {
		if members[n.images] == nil || members[n.labels] == nil || len(sets) > 0 && sets[len(sets)-1].split == n.split {
			continue
		}
		var arrays [2]*npy.Raw
		for i, key := range []string{n.images, n.labels} {
			var err error
			if arrays[i], err = readNPZ(ctx, members[key], min(unpacked(stored), maxHeld), &held); err != nil {
				return fail(fmt.Errorf("%s: %w", key, err))
			}
		}
		s, err := arraySet(set, n.split, arrays[0], arrays[1])
		if err != nil {
			return fail(fmt.Errorf("%s, %s: %w", n.images, n.labels, err))
		}
		sets = append(sets, s)
		if n.split == "train" && n.images != "x_train" && n.images != "train_images" {
			break
		}
	}
	if len(sets) == 0 {
		return fail(fmt.Errorf("%w: it has the arrays %s, want x_train and y_train, train_images and train_labels, or images and labels", errLayout,
			strings.Join(have[:min(len(have), 20)], ", ")))
	}
	d.Classes = numberClasses(sets...)
	beside := &source{root: filepath.Dir(name)}
	if path := filepath.Join(beside.root, namesName); exists(path) {
		var err error
		if beside, err = readDir(ctx, beside.root); err != nil {
			return nil, err
		}
		names, err := beside.names("", namesName)
		if err != nil {
			return nil, err
		}
		if len(names) < len(d.Classes) {
			return fail(fmt.Errorf("%s has %d names, there are %d classes", path, len(names), len(d.Classes)))
		}
		d.Classes = names
	}
	for _, s := range sets {
		d.put(s)
	}
	return d, nil
}

// readNPZ reads one array; held counts the bytes of all.
func readNPZ(ctx context.Context, m *zip.File, most int64, held *int64) (*npy.Raw, error) {
	size := int64(min(m.UncompressedSize64, 1<<62))
	limit := unpacked(int64(min(m.CompressedSize64, 1<<62)))
	if *held += size; size > limit || *held > most {
		return nil, fmt.Errorf("%d bytes packed, %d unpacked, want at most %d times as many and %d in all: a zip bomb?", m.CompressedSize64, m.UncompressedSize64,
			maxRatio, most)
	}
	if m.Flags&1 != 0 {
		return nil, fmt.Errorf("it is encrypted")
	}
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return npy.ReadRaw(&stream{Reader: r, bound: size, closer: r, ctx: ctx}, size)
}
