package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
)

// Run with -fuzzminimizetime 20x: by default go test spends its time shrinking records of 3073 bytes.

// reads runs a reader of a file. What is packed may hold what the limits say.
func reads(t testing.TB, input int, read func() error) error {
	t.Helper()
	return hostile.ReadWithin(t, input, hostile.Memory(input)+8*maxRatio*input, read)
}

// small fails the test if f allocates more than a small file gives reason to.
func small(t testing.TB, input int, f func()) { reads(t, input, func() error { f(); return nil }) }

// streams gives the bytes as a plain and as a gzip file.
func streams(b []byte) []*stream {
	src := &source{archive: true}
	var all []*stream
	for _, name := range []string{"f", "f.gz"} {
		if st, err := src.open(context.Background(), file{path: name, size: int64(len(b)), mem: b}, &Options{}); err == nil {
			all = append(all, st)
		}
	}
	return all
}

func FuzzIDX(f *testing.F) {
	f.Add(idx(make([]byte, 12), 3, 2, 2))
	f.Add(idx(make([]byte, 84), 1<<31, 28, 28))
	f.Add(gz(idx(make([]byte, 5000), 5, 10, 100)))
	f.Add(gz(idx(nil, 1<<16, 1<<16, 1<<16)))
	f.Add([]byte{0, 0, 8, 3})
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		for _, st := range streams(b) {
			var shape []int
			var data []byte
			err := reads(t, len(b), func() (err error) {
				shape, data, err = readIDX(st, 3)
				return err
			})
			if err != nil {
				continue
			}
			if shape[0]*shape[1]*shape[2] != len(data) {
				t.Errorf("got %d values for shape %v", len(data), shape)
			}
			again, same, err := readIDX(streams(idx(data, uint32(shape[0]), uint32(shape[1]), uint32(shape[2])))[0], 3)
			if err != nil || !slices.Equal(again, shape) || !bytes.Equal(same, data) {
				t.Errorf("%v, written again, is %v, %v", shape, again, err)
			}
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(records(1, 2))
	f.Add(records(10))
	f.Add(records(1)[:100])
	f.Add(gz(records(1, 2, 3)))
	f.Add(gz(records(1))[:20])
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		for _, st := range streams(b) {
			var records [][]byte
			err := reads(t, len(b), func() (err error) {
				records, err = readCIFAR(st, 10)
				return err
			})
			if err == nil && len(records) == 0 {
				t.Error("got neither records nor an error")
			}
			for _, r := range records {
				if len(r) != cifarRecord || r[0] > 9 {
					t.Errorf("got a record of %d bytes, label %d", len(r), r[0])
				}
			}
		}
	})
}

func FuzzTar(f *testing.F) {
	img := grey(3, 2, 1)
	f.Add(pack([]member{{"train/a/1.png", img}, {"test/b/1.png", img}}))
	f.Add(pack([]member{{"c/data_batch_1.bin", records(1)}}))
	f.Add(pack([]member{{"train-images-idx3-ubyte", idx(make([]byte, 4), 1, 2, 2)}, {"train-labels-idx1-ubyte", idx([]byte{1}, 1)}}))
	f.Add(gz(pack([]member{{"../../etc/a.png", img}, {"a/b.png", img[:20]}})))
	f.Add(pack([]member{{"a/1.png", img}})[:700])
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		for _, st := range streams(b) {
			opensAs(t, len(b), "fuzz.tar", func() (*source, error) { return readTar(st) })
		}
	})
}

// opensAs reads an archive, recognises what it holds and looks at it.
func opensAs(t testing.TB, size int, name string, read func() (*source, error)) {
	t.Helper()
	var d *Data
	err := reads(t, size, func() error {
		src, err := read()
		if err != nil {
			return imageio.OneLine(err)
		}
		src.root = name
		if d, err = openLayout(context.Background(), src, "fuzz", &Options{}); err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("got error %q", err)
		}
		return imageio.OneLine(err)
	})
	if err == nil {
		looks(t, size, d)
	}
}

// looks opens the first pictures of a data set.
func looks(t testing.TB, size int, d *Data) {
	t.Helper()
	for _, s := range []*Set{d.Train, d.Test} {
		for i := range min(s.Len(), 5) {
			if l := s.Label(i); l < 0 || l >= len(d.Classes) {
				t.Errorf("item %d: got label %d of %d classes", i, l, len(d.Classes))
			}
			if h, _, ok := s.Header(i); ok && h.Width*h.Height > 1<<16 {
				continue // a decoder may use a hundred bytes for each of 4 million pixels before it finds out
			}
			reads(t, size, func() error {
				_, err := s.Item(i)
				return imageio.OneLine(err)
			})
		}
	}
}

func FuzzZip(f *testing.F) {
	img := grey(3, 2, 1)
	f.Add(zipped(zip.Store, []member{{"train/a/1.png", img}, {"test/b/1.png", img}}))
	f.Add(zipped(zip.Deflate, []member{{"c/data_batch_1.bin", records(1)}}))
	f.Add(zipped(zip.Deflate, []member{{`..\..\a\b.png`, img}, {"/a/../b/c.png", img}, {"__MACOSX/x.png", nil}}))
	f.Add(zipped(zip.Deflate, []member{{"a/b.png", make([]byte, 100_000)}}))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		opensAs(t, len(b), "fuzz.zip", func() (*source, error) {
			z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				return nil, err
			}
			return readZip(context.Background(), z, int64(len(b)), "fuzz.zip")
		})
	})
}

func FuzzNPZ(f *testing.F) {
	for _, name := range []string{"keras", "medmnist", "float"} {
		b, err := os.ReadFile("testdata/npz/" + name + ".npz")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	header := func(descr, shape string, data ...byte) []byte {
		d := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", descr, shape)
		return slices.Concat([]byte("\x93NUMPY\x01\x00"), []byte{byte(len(d)), 0}, []byte(d), data)
	}
	f.Add(zipped(zip.Store, []member{{"images.npy", header("|u1", "1, 1, 2", 1, 2)}, {"labels.npy", header("<i2", "1,", 3, 0)}}))
	f.Add(zipped(zip.Store, []member{{"x_train.npy", header("<f4", "1, 1, 1, 1", 0, 0, 0, 63)}, {"y_train.npy", header("|u1", "1, 1", 0)}}))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		var d *Data
		if reads(t, len(b), func() (err error) {
			d, err = readArrays(context.Background(), z, int64(len(b)), "/none/fuzz.npz", "fuzz")
			return imageio.OneLine(err)
		}) == nil {
			looks(t, len(b), d)
		}
	})
}

func FuzzPickle(f *testing.F) {
	for p := range 6 {
		b, err := os.ReadFile(fmt.Sprint("testdata/python/protocol", p))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 400)])
	}
	f.Add(python2([]byte{1}, make([]byte, 10)))
	hostile.Fuzz(f, func(t testing.TB, b []byte) {
		reads(t, len(b), func() error {
			_, err := unpickle(b)
			return err
		})
		opensAs(t, len(b), "fuzz", func() (*source, error) {
			return &source{archive: true, files: []file{{path: "cifar-10-batches-py/data_batch_1", size: int64(len(b)), mem: b}}}, nil
		})
	})
}

// FuzzTree: class folders whose names are the lines of a text.
func FuzzTree(f *testing.F) {
	f.Add("train/a/1.png\ntest/b/2.jpg\nval/c/x.gif")
	f.Add("x/10/1.png\nx/9/2.png\n./x\n//\n\x1b[31m/a.png")
	f.Add("a.png\nb/c.png\nb/labels.txt\ntrain/1.png")
	img := grey(3, 2, 1)
	hostile.Fuzz(f, func(t testing.TB, text string) {
		src := &source{archive: true}
		names := map[string]bool{}
		for line := range strings.Lines(text) {
			if name := strings.TrimPrefix(path.Clean("/"+strings.TrimSuffix(line, "\n")), "/"); wanted(name) && !names[name] && len(names) < 100 {
				names[name] = true
				src.files = append(src.files, file{path: name, size: int64(len(img)), mem: img})
			}
		}
		src.sort()
		n := len(src.files)
		opensAs(t, len(text)+n*len(img), "fuzz", func() (*source, error) { return src, nil })
	})
}

// TestOddNames: names of members stand in errors in one line.
func TestOddNames(t *testing.T) {
	name := "a/x\x1b[31m\ny.png"
	path := write(t, filepath.Join(t.TempDir(), "odd.tar"), pack([]member{{name, []byte("no picture")}, {"b/1.png", grey(3, 2, 1)}}))
	d, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Train.Item(0); err == nil || !strings.Contains(err.Error(), `x\x1b[31m\ny.png`) {
		t.Errorf("got %q", err)
	}
	path = write(t, filepath.Join(t.TempDir(), "odd.zip"), bytes.Replace(zipped(zip.Store, []member{{name, []byte("no picture")}}), []byte("no pic"), []byte("on pic"), 1))
	if _, err := Open(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), `x\x1b[31m\ny.png`) {
		t.Errorf("got %q", err)
	}
}

// TestManyMembers: members that are each small enough are refused together, before they are unpacked.
func TestManyMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("packs 72 MB twice; TestGrowing is the short form")
	}
	var members []member
	zeros := make([]byte, 6<<20)
	for i := range 12 {
		members = append(members, member{fmt.Sprintf("a/%d.bmp", i), zeros})
	}
	path := write(t, filepath.Join(t.TempDir(), "many.zip"), zipped(zip.Deflate, members))
	if _, err := Open(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), "zip bomb") {
		t.Errorf("zip: %v", err)
	}
	path = write(t, filepath.Join(t.TempDir(), "many.tar.gz"), gz(pack(members)))
	if _, err := Open(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("tar: %v", err)
	}
}

// TestGrowing: what is unpacked may be large, or small and packed well, but not both.
func TestGrowing(t *testing.T) {
	for _, k := range []struct {
		packed, unpacked int64
		ok               bool
	}{{1, maxSmall, true}, {1, maxSmall + 1, false}, {maxSmall/maxRatio + 1, maxSmall + 1, true}} {
		g := &growing{Reader: bytes.NewReader([]byte{1}), packed: &counted{n: k.packed}, n: k.unpacked - 1}
		if _, err := g.Read(make([]byte, 1)); (err == nil) != k.ok {
			t.Errorf("%+v: %v", k, err)
		}
	}
}

func TestReadN(t *testing.T) {
	big := make([]byte, 5<<20+3)
	for _, tt := range []struct {
		have int
		want int64
	}{{0, 0}, {10, 10}, {10, 9}, {9, 10}, {0, 1 << 30}, {5<<20 + 3, 5<<20 + 3}, {5 << 20, 1 << 40}} {
		b, err := readN(bytes.NewReader(big[:tt.have]), tt.want)
		if short := int64(tt.have) < tt.want; short != (err == io.ErrUnexpectedEOF) || int64(len(b)) != min(int64(tt.have), tt.want) || cap(b) > max(2*tt.have, 1<<20) {
			t.Errorf("%d of %d: got %d bytes, capacity %d, %v", tt.want, tt.have, len(b), cap(b), err)
		}
	}
}
