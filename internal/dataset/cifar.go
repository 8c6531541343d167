package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The binary layout of CIFAR-10 [krizhevsky09], https://www.cs.toronto.edu/~kriz/cifar.html:
// records of one label byte and 1024 red, 1024 green, 1024 blue bytes, rows from the top.

const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = 1 + 3*cifarPlane
	metaName    = "batches.meta.txt"
)

var (
	cifarFile  = regexp.MustCompile(`^(data_batch(_\w+)?|test_batch)\.bin(\.gz)?$`)
	cifarNames = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
)

// openCIFAR returns nil, nil if src holds no CIFAR-10 binary files.
func openCIFAR(ctx context.Context, src *source, name string, o *Options) (*Data, error) {
	dir, ok := src.shallowest(cifarFile.MatchString)
	if !ok {
		return nil, nil
	}
	splits := map[string][]file{}
	for _, f := range preferPlain(src.files) {
		base := path.Base(f.path)
		if path.Dir(f.path) != dir || !cifarFile.MatchString(base) {
			continue
		}
		split := "train"
		if strings.HasPrefix(base, "test") {
			split = "test"
		}
		splits[split] = append(splits[split], f)
	}
	// data_batch_10 comes after data_batch_9.
	slices.SortFunc(splits["train"], func(a, b file) int {
		return cmp.Or(cmp.Compare(len(strings.TrimSuffix(a.path, ".gz")), len(strings.TrimSuffix(b.path, ".gz"))), cmp.Compare(a.path, b.path))
	})
	return newCIFAR(ctx, src, name, splits, o)
}

// newCIFAR reads the files of each split, one after the other.
func newCIFAR(ctx context.Context, src *source, name string, splits map[string][]file, o *Options) (*Data, error) {
	d := &Data{Name: name, Classes: slices.Clone(cifarNames)}
	var dir string
	for _, files := range splits {
		dir = path.Dir(files[0].path)
	}
	names, err := src.names(dir, metaName)
	if err != nil {
		return nil, err
	}
	if names != nil {
		if len(names) != len(cifarNames) {
			return nil, fmt.Errorf("%s: %s: got %d class names, want %d", src.root, metaName, len(names), len(cifarNames))
		}
		d.Classes = names
	}
	for _, split := range []string{"train", "test"} {
		files := splits[split]
		if files == nil {
			continue
		}
		var records [][]byte
		for _, f := range files {
			st, err := src.open(ctx, f, o)
			if err != nil {
				return nil, err
			}
			r, err := readCIFAR(st, len(d.Classes))
			st.Close()
			if err != nil {
				return nil, fmt.Errorf("cifar10: %s: %w", src.where(f), err)
			}
			records = append(records, r...)
		}
		s := &Set{name: name, split: split, c: 3, h: cifarSide, w: cifarSide}
		s.labels = make([]int, len(records))
		for i, r := range records {
			s.labels[i] = int(r[0])
		}
		s.id = func(i int) string { return split + "/" + strconv.Itoa(i) }
		s.draw = func(i int) (image.Image, image.Rectangle, error) {
			return cifarImage(records[i]), image.Rectangle{}, nil
		}
		d.put(s)
	}
	return d, nil
}

// readCIFAR returns the records of a file, each cifarRecord bytes long with a label below classes.
func readCIFAR(st *stream, classes int) ([][]byte, error) {
	var records [][]byte
	for {
		// Up to 128 records at a time: one allocation for each would leave the collector 60,000 pieces.
		offset := int64(len(records)) * cifarRecord
		if offset > st.bound {
			return nil, fmt.Errorf("record %d: offset %d: got more bytes than the %d the file can hold", len(records), offset, st.bound)
		}
		block, err := readN(st, min(128, 1+(st.bound-offset)/cifarRecord)*cifarRecord)
		for len(block) >= cifarRecord {
			if label := int(block[0]); label >= classes {
				return nil, fmt.Errorf("record %d: label at offset %d: got %d, want 0..%d", len(records), int64(len(records))*cifarRecord, label, classes-1)
			}
			records = append(records, block[:cifarRecord:cifarRecord])
			block = block[cifarRecord:]
		}
		offset = int64(len(records)) * cifarRecord
		switch {
		case err == nil:
		case !errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("record %d: offset %d: %w", len(records), st.offset, err)
		case len(block) > 0:
			return nil, fmt.Errorf("record %d: truncated at offset %d: want %d bytes, got %d", len(records), offset, cifarRecord, len(block))
		case len(records) == 0:
			return nil, fmt.Errorf("record 0: truncated at offset 0: want %d bytes, got 0", cifarRecord)
		default:
			return records, nil
		}
	}
}

// cifarImage turns the planes of a record into pixels.
func cifarImage(record []byte) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, cifarSide, cifarSide))
	r, g, b := record[1:1+cifarPlane], record[1+cifarPlane:1+2*cifarPlane], record[1+2*cifarPlane:]
	for i := range r {
		p := m.Pix[4*i : 4*i+4 : 4*i+4]
		p[0], p[1], p[2], p[3] = r[i], g[i], b[i], 255
	}
	return m
}
