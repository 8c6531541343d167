package dataset

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// idx packs an IDX file of unsigned bytes.
func idx(data []byte, dims ...uint32) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

// records packs CIFAR-10 records: red is 10*label+row of its pixel, green its column, blue the index.
func records(labels ...byte) []byte {
	var b []byte
	for i, l := range labels {
		r := make([]byte, cifarRecord)
		r[0] = l
		for p := range cifarPlane {
			r[1+p] = 10*l + byte(p/cifarSide)
			r[1+cifarPlane+p] = byte(p % cifarSide)
			r[1+2*cifarPlane+p] = byte(i)
		}
		b = append(b, r...)
	}
	return b
}

func gz(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

// grey encodes a PNG of one grey level.
func grey(w, h int, level byte) []byte {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = level
	}
	var buf bytes.Buffer
	png.Encode(&buf, m)
	return buf.Bytes()
}

// member is a file of a folder or archive built in a test.
type member struct {
	name string
	data []byte
}

func pack(members []member) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.data)), Typeflag: tar.TypeReg})
		w.Write(m.data)
	}
	w.Close()
	return buf.Bytes()
}

func unpack(t *testing.T, members []member) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "set")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		write(t, filepath.Join(dir, filepath.FromSlash(m.name)), m.data)
	}
	return dir
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// describe writes a split as "name=label name=label".
func describe(s *Set) string {
	var b []string
	for i := range s.Len() {
		b = append(b, fmt.Sprintf("%s=%d", s.id(i), s.Label(i)))
	}
	return strings.Join(b, " ")
}

// Each layout is opened as a folder, as .tar and as .tar.gz, with the same result.
func TestLayouts(t *testing.T) {
	img := grey(4, 3, 9)
	tenGrey := idx(make([]byte, 3*2*5), 3, 2, 5)
	for _, tt := range []struct {
		name        string
		members     []member
		classes     string // joined by a space
		train, test string
		shape       [3]int
	}{
		{"train and test", []member{
			{"train/dog/2.png", img}, {"train/cat/1.png", img}, {"train/dog/1.png", img}, {"test/dog/7.png", img},
		}, "cat dog", "train/cat/1.png=0 train/dog/1.png=1 train/dog/2.png=1", "test/dog/7.png=1", [3]int{1, 3, 4}},
		{"the course's tree", []member{
			{"Train/1/Image00000.png", img}, {"Train/0/Image00000.png", img}, {"Test/0/Image00000.png", img},
		}, "0 1", "Train/0/Image00000.png=0 Train/1/Image00000.png=1", "Test/0/Image00000.png=0", [3]int{1, 3, 4}},
		{"wrapped", []member{
			{"pics/train/a/1.png", img}, {"pics/train/b/1.PNG", img}, {"pics/val/b/2.png", img}, {"pics/notes/x/1.png", img},
		}, "a b", "train/a/1.png=0 train/b/1.PNG=1", "val/b/2.png=1", [3]int{1, 3, 4}},
		{"test wins over val", []member{
			{"train/a/1.png", img}, {"val/a/2.png", img}, {"test/a/3.png", img},
		}, "a", "train/a/1.png=0", "test/a/3.png=0", [3]int{1, 3, 4}},
		{"no splits, numbers", []member{
			{"10/a.png", img}, {"9/a.png", img}, {"1/a.png", img},
		}, "1 9 10", "1/a.png=0 9/a.png=1 10/a.png=2", "", [3]int{1, 3, 4}},
		{"no splits, wrapped, mixed sizes", []member{
			{"w/b/a.png", img}, {"w/a/a.png", grey(2, 2, 0)},
		}, "a b", "a/a.png=0 b/a.png=1", "", [3]int{0, 0, 0}},
		{"things to skip", []member{
			{"train/a/1.png", img}, {"train/a/._1.png", img}, {"train/.cache/1.png", img}, {"__MACOSX/train/c/1.png", img},
			{"train/a/readme.txt", img}, {"cover.png", img}, {"train/loose.png", img}, {".git/a/1.png", img}, {"train/b/2.png", img},
		}, "a b", "train/a/1.png=0 train/b/2.png=1", "", [3]int{1, 3, 4}},
		{"idx", []member{
			{"train-images-idx3-ubyte.gz", gz(tenGrey)}, {"train-labels-idx1-ubyte", idx([]byte{5, 0, 9}, 3)},
			{"t10k-images-idx3-ubyte", idx(make([]byte, 10), 1, 2, 5)}, {"t10k-labels-idx1-ubyte.gz", gz(idx([]byte{3}, 1))},
		}, "0 1 2 3 4 5 6 7 8 9", "train/0=5 train/1=0 train/2=9", "test/0=3", [3]int{1, 2, 5}},
		{"idx with dots and names, packed and plain", []member{
			{"m/train-images.idx3-ubyte", tenGrey}, {"m/train-images.idx3-ubyte.gz", gz(tenGrey)},
			{"m/train-labels.idx1-ubyte", idx([]byte{1, 0, 1}, 3)}, {"m/classes.txt", []byte("no\r\nyes\r\n")},
		}, "no yes", "train/0=1 train/1=0 train/2=1", "", [3]int{1, 2, 5}},
		{"cifar", []member{
			{"data_batch_10.bin", records(7)}, {"data_batch_2.bin.gz", gz(records(1, 2))}, {"data_batch_1.bin", records(6)}, {"test_batch.bin", records(3)},
		}, "airplane automobile bird cat deer dog frog horse ship truck", "train/0=6 train/1=1 train/2=2 train/3=7", "test/0=3", [3]int{3, 32, 32}},
		{"cifar as distributed", []member{
			{"cifar-10-batches-bin/data_batch_1.bin", records(6, 9)}, {"cifar-10-batches-bin/batches.meta.txt", []byte("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n")},
			{"cifar-10-batches-bin/readme.html", []byte("<html>")},
		}, "a b c d e f g h i j", "train/0=6 train/1=9", "", [3]int{3, 32, 32}},
	} {
		dir := unpack(t, tt.members)
		packed := pack(tt.members)
		for _, spec := range []string{
			dir, write(t, filepath.Join(dir, "..", "set.tar"), packed), write(t, filepath.Join(dir, "..", "set.tgz"), gz(packed)),
		} {
			d, err := Open(context.Background(), spec, Options{})
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if got := strings.Join(d.Classes, " "); got != tt.classes {
				t.Errorf("%s: %s: classes: got %q, want %q", tt.name, spec, got, tt.classes)
			}
			if got := describe(d.Train); got != tt.train {
				t.Errorf("%s: %s: train: got %q, want %q", tt.name, spec, got, tt.train)
			}
			if got := describe(d.Test); got != tt.test || (tt.test == "") != (d.Test == nil) {
				t.Errorf("%s: %s: test: got %q, want %q", tt.name, spec, got, tt.test)
			}
			if c, h, w := d.Train.Shape(); [3]int{c, h, w} != tt.shape {
				t.Errorf("%s: %s: shape: got %d,%d,%d, want %v", tt.name, spec, c, h, w, tt.shape)
			}
			if d.Name != "set" || d.Source != spec || d.Train.Name() != "set" || d.Train.Split() != "train" {
				t.Errorf("%s: got name %q, source %q, set %q %q", tt.name, d.Name, d.Source, d.Train.Name(), d.Train.Split())
			}
			for i := range d.Train.Len() {
				if it, err := d.Train.Item(i); err != nil || it.Image.Bounds().Empty() || !it.Object.Empty() || it.Label != d.Train.Label(i) {
					t.Errorf("%s: %s: item %d: got %+v, %v", tt.name, spec, i, it, err)
				}
			}
		}
	}
}

func TestPixels(t *testing.T) {
	dir := unpack(t, []member{{"data_batch_1.bin", records(2, 8)}})
	d, err := Open(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	it, err := d.Train.Item(1)
	if err != nil {
		t.Fatal(err)
	}
	// records: red = 10*label + row, green = column, blue = index; row 5, column 7 of record 1.
	if got, want := it.Image.(*image.NRGBA).NRGBAAt(7, 5), (color.NRGBA{85, 7, 1, 255}); got != want {
		t.Errorf("cifar: got %v, want %v", got, want)
	}
	dir = unpack(t, []member{
		{"train-images-idx3-ubyte", idx([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 2, 2, 3)}, {"train-labels-idx1-ubyte", idx([]byte{0, 1}, 2)},
	})
	if d, err = Open(context.Background(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if it, err = d.Train.Item(1); err != nil {
		t.Fatal(err)
	}
	if got := it.Image.(*image.Gray).GrayAt(2, 1).Y; got != 11 {
		t.Errorf("idx: got %d, want 11", got)
	}
	// The image is the caller's own: changing it does not change the set.
	it.Image.(*image.Gray).Pix[0] = 99
	if again, _ := d.Train.Item(1); again.Image.(*image.Gray).Pix[0] != 6 {
		t.Error("idx: items share pixels")
	}
}

func TestSingleFiles(t *testing.T) {
	dir := unpack(t, []member{
		{"data_batch_3.bin.gz", gz(records(4, 5))}, {"test_batch.bin", records(1)},
		{"digits-images.idx3", idx(make([]byte, 8), 2, 2, 2)}, {"digits-labels.idx1.gz", gz(idx([]byte{1, 2}, 2))},
		{"fashion-mnist/train-images-idx3-ubyte", idx(make([]byte, 4), 1, 2, 2)}, {"fashion-mnist/train-labels-idx1-ubyte", idx([]byte{9}, 1)},
	})
	for _, tt := range []struct{ file, name, split, items string }{
		{"data_batch_3.bin.gz", "data_batch_3", "train", "train/0=4 train/1=5"},
		{"test_batch.bin", "test_batch", "test", "test/0=1"},
		{"digits-images.idx3", "digits-images.idx3", "train", "train/0=1 train/1=2"},
		{"fashion-mnist", "fashion-mnist", "train", "train/0=9"},
	} {
		d, err := Open(context.Background(), filepath.Join(dir, tt.file), Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		s, err := d.Split(tt.split)
		if err != nil || describe(s) != tt.items || d.Name != tt.name {
			t.Errorf("%s: got name %q, items %q, %v", tt.file, d.Name, describe(s), err)
		}
		if tt.name == "fashion-mnist" && d.Classes[9] != "Ankle boot" {
			t.Errorf("%s: got classes %q", tt.file, d.Classes)
		}
		if other := map[string]string{"train": "test", "test": "train"}[tt.split]; other != "" {
			if _, err := d.Split(other); err == nil || !strings.Contains(err.Error(), "want "+tt.split) {
				t.Errorf("%s: split %s: got error %v", tt.file, other, err)
			}
		}
	}
}

// Damage is an error that names file, offset, got and want.
func TestDamage(t *testing.T) {
	img := grey(4, 3, 9)
	labels3 := member{"train-labels-idx1-ubyte", idx([]byte{0, 1, 2}, 3)}
	images3 := member{"train-images-idx3-ubyte", idx(make([]byte, 12), 3, 2, 2)}
	bigTar := pack([]member{{"train/a/1.png", img}, {"train/b/1.png", bytes.Repeat(img, 40)}})
	badSum := gz(records(1, 2))
	badSum[len(badSum)-5] ^= 1 // the sum is in the eight bytes at the end
	notBoth := idx([]byte{0, 1, 10}, 3)
	for _, tt := range []struct {
		name    string
		members []member
		spec    string   // below the folder; "" for the folder
		want    []string // parts of the error
	}{
		{"cifar truncated", []member{{"test_batch.bin", records(make([]byte, 500)...)[:499*cifarRecord+12]}}, "",
			[]string{"test_batch.bin: record 499: truncated at offset 1533427: want 3073 bytes, got 12"}},
		{"cifar label", []member{{"data_batch_1.bin", records(1, 2, 10)}}, "", []string{"data_batch_1.bin: record 2: label at offset 6146: got 10, want 0..9"}},
		{"cifar empty", []member{{"data_batch_1.bin", nil}}, "", []string{"data_batch_1.bin: record 0: truncated at offset 0: want 3073 bytes, got 0"}},
		{"cifar cut gzip", []member{{"data_batch_1.bin.gz", gz(records(1, 2))[:60]}}, "", []string{"data_batch_1.bin.gz: record", "compressed data ends early"}},
		{"cifar gzip sum", []member{{"data_batch_1.bin.gz", badSum}}, "", []string{"data_batch_1.bin.gz", "checksum"}},
		{"cifar not gzip", []member{{"data_batch_1.bin.gz", records(1)}}, "", []string{"data_batch_1.bin.gz: not a gzip file"}},
		{"cifar names", []member{{"data_batch_1.bin", records(1)}, {"batches.meta.txt", []byte("a\nb\n")}}, "", []string{"batches.meta.txt", "got 2 class names, want 10"}},
		{"idx magic", []member{{"train-images-idx3-ubyte", idx(make([]byte, 6), 6)}, labels3}, "",
			[]string{"train-images-idx3-ubyte: header: truncated at offset 0: want 16 bytes, got 14"}},
		{"idx swapped", []member{{"train-images-idx3-ubyte", idx(make([]byte, 20), 20)}, labels3}, "", []string{"magic at offset 0: got 0x00000801, want 0x00000803"}},
		{"idx zero", []member{{"train-images-idx3-ubyte", idx(nil, 3, 0, 2)}, labels3}, "", []string{"dimension 1 at offset 8: got 0"}},
		{"idx huge", []member{{"train-images-idx3-ubyte", idx(make([]byte, 84), 1<<31, 28, 28)}, labels3}, "", []string{"dimension 0 at offset 4: got 2147483648", "at most 100"}},
		{"idx huge gzip", []member{{"train-images-idx3-ubyte.gz", gz(idx(make([]byte, 84), 1<<31, 28, 28))}, labels3}, "", []string{"dimension 0 at offset 4: got 2147483648"}},
		{"idx short gzip", []member{{"train-images-idx3-ubyte.gz", gz(idx(make([]byte, 11), 3, 2, 2))}, labels3}, "", []string{"data: truncated at offset 16: want 12 bytes, got 11"}},
		{"idx long gzip", []member{{"train-images-idx3-ubyte.gz", gz(idx(make([]byte, 13), 3, 2, 2))}, labels3}, "", []string{"more bytes after offset 28"}},
		{"idx long", []member{{"train-images-idx3-ubyte", idx(make([]byte, 13), 3, 2, 2)}, labels3}, "", []string{"more bytes after offset 28"}},
		{"idx counts", []member{images3, {"train-labels-idx1-ubyte", idx([]byte{0, 1}, 2)}}, "", []string{"train-labels-idx1-ubyte: got 2 labels, want 3"}},
		{"idx label", []member{images3, {"train-labels-idx1-ubyte", notBoth}}, "", []string{"train-labels-idx1-ubyte: label at offset 10: got 10, want 0..9; more classes can be named"}},
		{"idx no labels", []member{images3}, "", []string{"images without labels"}},
		{"idx no images", []member{labels3}, "", []string{"labels without images"}},
		{"single idx, no labels", []member{{"x-images", images3.data}}, "x-images", []string{"x-images: no labels beside it"}},
		{"single idx labels", []member{{"x-labels", labels3.data}}, "x-labels", []string{"got an IDX file of labels, want the images"}},
		{"single unknown", []member{{"notes.txt", []byte("hello")}}, "notes.txt", []string{"notes.txt: no data set found", "68 65 6c 6c"}},
		{"nothing", []member{{"notes.txt", []byte("hello")}}, "", []string{"no data set found"}},
		{"no classes", []member{{"train/1.png", img}, {"test/1.png", img}}, "", []string{"got images directly in", "want folders named after their class"}},
		{"two sets", []member{{"a/train/x/1.png", img}, {"b/train/x/1.png", img}}, "", []string{"got a data set in a and one in b"}},
		{"cut tar", []member{{"x.tar", bigTar[:len(bigTar)-4096]}}, "x.tar", []string{"x.tar: tar: train/b/1.png: truncated near offset", "want"}},
		{"cut tar.gz", []member{{"x.tar.gz", gz(bigTar)[:150]}}, "x.tar.gz", []string{"x.tar.gz: tar header", "ends early"}},
		{"not a tar", []member{{"x.tar", bytes.Repeat([]byte("no"), 600)}}, "x.tar", []string{"x.tar: tar header near offset"}},
		{"cifar in tar", []member{{"x.tar", pack([]member{{"c/test_batch.bin", records(1)[:100]}})}}, "x.tar", []string{"x.tar: c/test_batch.bin: record 0: truncated at offset 0: want 3073 bytes, got 100"}},
	} {
		dir := unpack(t, tt.members)
		_, err := Open(context.Background(), filepath.Join(dir, tt.spec), Options{})
		if err == nil {
			t.Errorf("%s: got no error", tt.name)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got error %q, want %q in it", tt.name, err, part)
			}
		}
	}
}

// A damaged picture does not keep the others from being used; its error names the file and the archive.
func TestDamagedPicture(t *testing.T) {
	good := grey(4, 3, 9)
	huge := slices.Clone(good)
	binary.BigEndian.PutUint32(huge[16:], 1<<30) // the width in IHDR, whose sum is then wrong as well
	members := []member{{"a/good.png", good}, {"b/cut.png", good[:len(good)-30]}, {"b/huge.png", huge}, {"b/text.png", []byte("hello")}}
	dir := unpack(t, members)
	for _, spec := range []string{dir, write(t, filepath.Join(dir, "../set.tar.gz"), gz(pack(members)))} {
		d, err := Open(context.Background(), spec, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c, h, w := d.Train.Shape(); c != 1 || h != 3 || w != 4 {
			t.Errorf("shape: got %d,%d,%d, want 1,3,4", c, h, w)
		}
		if _, err := d.Train.Item(0); err != nil {
			t.Error(err)
		}
		for i, name := range []string{"cut.png", "huge.png", "text.png"} {
			_, err := d.Train.Item(1 + i)
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), spec) {
				t.Errorf("%s: got error %v, want it to name %s", name, err, spec)
			}
		}
	}
}

func TestNamedSets(t *testing.T) {
	cache := t.TempDir()
	ctx := context.Background()
	for _, name := range Public() {
		_, err := Open(ctx, name, Options{CacheDir: cache})
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "run: viz data get "+name) || strings.Contains(err.Error(), "does not exist") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	if _, err := Open(ctx, "mnist", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no cache: got error %v", err)
	}
	// A download that was broken off is not there yet.
	write(t, filepath.Join(cache, "mnist/train-images-idx3-ubyte.gz.part"), []byte("x"))
	if _, err := Open(ctx, "mnist", Options{CacheDir: cache}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("only .part: got error %v", err)
	}
	images, labels := gz(idx(make([]byte, 4), 1, 2, 2)), gz(idx([]byte{9}, 1))
	for _, f := range []member{{"train-images-idx3-ubyte.gz", images}, {"train-labels-idx1-ubyte.gz", labels}, {"t10k-images-idx3-ubyte.gz", images}} {
		write(t, filepath.Join(cache, "fashion-mnist", f.name), f.data)
		if _, err := Open(ctx, "fashion-mnist", Options{CacheDir: cache}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "not complete") {
			t.Errorf("fetched up to %s: got error %v", f.name, err)
		}
	}
	write(t, filepath.Join(cache, "fashion-mnist/t10k-labels-idx1-ubyte.gz"), labels)
	if d, err := Open(ctx, "fashion-mnist", Options{CacheDir: cache}); err != nil || d.Name != "fashion-mnist" || d.Test.Classes()[9] != "Ankle boot" {
		t.Errorf("fashion-mnist: got %+v, %v", d, err)
	}
	write(t, filepath.Join(cache, "cifar10/cifar-10-binary.tar.gz"), gz(pack([]member{
		{"cifar-10-batches-bin/test_batch.bin", records(3)}, {"cifar-10-batches-bin/data_batch_1.bin", records(1, 2)}})))
	d, err := Open(ctx, "cifar10", Options{CacheDir: cache})
	if err != nil || d.Name != "cifar10" || d.Test.Len() != 1 || d.Train.Len() != 2 {
		t.Errorf("cifar10: got %+v, %v", d, err)
	}
	if _, err := Open(ctx, filepath.Join(cache, "nonsense"), Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "not one of shapes, cifar10") {
		t.Errorf("nonsense: got error %v", err)
	}
}

func TestSubset(t *testing.T) {
	d, err := Open(context.Background(), unpack(t, []member{{"data_batch_1.bin", records(5, 6, 7, 8)}}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	index := []int{3, 1}
	s := d.Train.Subset("test", index)
	index[0] = 0 // the set keeps its own copy
	if got := describe(s); got != "train/3=8 train/1=6" || s.Split() != "test" {
		t.Errorf("got %q, split %q", got, s.Split())
	}
	if it, err := s.Item(0); err != nil || it.Label != 8 || it.Image.(*image.NRGBA).Pix[2] != 3 {
		t.Errorf("got %v, %v", it, err)
	}
}

func TestOpenStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	img := grey(2, 2, 1)
	dir := unpack(t, []member{{"a/1.png", img}, {"x.tar", pack([]member{{"a/1.png", img}})}, {"y.bin", records(1)}})
	for _, spec := range []string{dir, filepath.Join(dir, "x.tar")} {
		if _, err := Open(ctx, spec, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v, want context.Canceled", spec, err)
		}
	}
	if _, err := Open(ctx, filepath.Join(dir, "y.bin"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("y.bin: got error %v, want context.Canceled", err)
	}
}

func TestProgress(t *testing.T) {
	dir := unpack(t, []member{{"a/1.png", grey(2, 2, 1)}, {"b/1.png", grey(2, 2, 1)}})
	file := write(t, filepath.Join(dir, "../set.tar"), pack([]member{{"a/1.png", grey(2, 2, 1)}, {"b/1.png", grey(2, 2, 1)}}))
	for _, spec := range []string{dir, file} {
		calls, last := 0, 0.0
		_, err := Open(context.Background(), spec, Options{Progress: func(done, total int) { calls++; last = float64(done) / float64(total) }})
		if err != nil || calls == 0 || last != 1 {
			t.Errorf("%s: got %d calls, the last at %v, %v", spec, calls, last, err)
		}
	}
}

// A link to a class folder counts as the folder.
func TestLinks(t *testing.T) {
	dir := unpack(t, []member{{"a/1.png", grey(2, 2, 1)}})
	if err := os.Symlink("a", filepath.Join(dir, "b")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(".", filepath.Join(dir, "a", "loop")); err != nil {
		t.Skip(err)
	}
	d, err := Open(context.Background(), dir, Options{})
	if err != nil || describe(d.Train) != "a/1.png=0 b/1.png=1" {
		t.Errorf("got %q, %v", describe(d.Train), err)
	}
}

// Sets are read by many goroutines at once; run with -race.
func TestConcurrentItems(t *testing.T) {
	img := grey(4, 4, 7)
	d, err := Open(context.Background(), unpack(t, []member{{"a/1.png", img}, {"b/1.png", img}, {"b/2.png", img}}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	sh, err := Open(context.Background(), "shapes", Options{Train: 20})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 20 {
				if _, err := d.Train.Item(i % 3); err != nil {
					t.Error(err)
				}
				if _, err := sh.Train.Item(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
