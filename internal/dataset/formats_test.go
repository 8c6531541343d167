package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rgbAt is a pixel of an item.
func rgbAt(t *testing.T, s *Set, i, x, y int) [3]uint8 {
	t.Helper()
	item, err := s.Item(i)
	if err != nil {
		t.Fatal(err)
	}
	c := color.NRGBAModel.Convert(item.Image.At(item.Image.Bounds().Min.X+x, item.Image.Bounds().Min.Y+y)).(color.NRGBA)
	return [3]uint8{c.R, c.G, c.B}
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPython reads what pickle and NumPy wrote in every protocol; the values are NumPy's.
func TestPython(t *testing.T) {
	for p := range 6 {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "cifar-10-batches-py", "data_batch_1"), fixture(t, fmt.Sprint("python/protocol", p)))
		write(t, filepath.Join(dir, "cifar-10-batches-py", "test_batch"), fixture(t, "python/protocol2"))
		d, err := Open(context.Background(), dir, Options{})
		if err != nil {
			t.Errorf("protocol %d: %v", p, err)
			continue
		}
		if d.Train.Len() != 2 || d.Train.Label(0) != 6 || d.Train.Label(1) != 9 || d.Classes[9] != "truck" || d.Test.Len() != 2 {
			t.Errorf("protocol %d: %d images, labels %v, classes %v", p, d.Train.Len(), d.Train.labels, d.Classes)
		}
		if got, want := rgbAt(t, d.Train, 1, 0, 0), [3]uint8{169, 58, 0}; got[0] != want[0] || got[1] != want[1] {
			t.Errorf("protocol %d: first pixel %v", p, got)
		}
		if got := rgbAt(t, d.Train, 1, 31, 31); got[2] != 80 {
			t.Errorf("protocol %d: last pixel %v", p, got)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "train"), fixture(t, "python/cifar100"))
	write(t, filepath.Join(dir, "meta"), fixture(t, "python/meta"))
	d, err := Open(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Classes, []string{"apple", "beaver", "camel"}) || d.Train.Label(0) != 2 || rgbAt(t, d.Train, 0, 1, 1) != [3]uint8{165, 225, 32} {
		t.Errorf("CIFAR-100: classes %v, labels %v, pixel %v", d.Classes, d.Train.labels, rgbAt(t, d.Train, 0, 1, 1))
	}
	// A file of that name that is no pickle does not hide class folders.
	dir = t.TempDir()
	write(t, filepath.Join(dir, "test"), []byte("#!/bin/sh\n"))
	write(t, filepath.Join(dir, "a", "1.png"), grey(2, 2, 9))
	if d, err := Open(context.Background(), dir, Options{}); err != nil || d.Train.Len() != 1 {
		t.Errorf("class folders beside a script called test: %v", err)
	}
}

// python2 is a batch as Python 2's cPickle wrote CIFAR-10: texts are bytes.
func python2(labels []byte, data []byte) []byte {
	var b bytes.Buffer
	b.WriteString("\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x05batchq\x03U\x06labelsq\x04]q\x05(")
	for _, l := range labels {
		b.Write([]byte{'K', l})
	}
	b.WriteString("eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x0b(K\x01M")
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(labels))))
	b.WriteString("M\x00\x0c\x86cnumpy\ndtype\nq\x0dU\x02u1K\x00K\x01\x87Rq\x0f(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T")
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
	b.Write(data)
	b.WriteString("tbU\tfilenamesq\x10]q\x11(U\x05a.pngq\x12eu.")
	return b.Bytes()
}

func TestPython2(t *testing.T) {
	data := bytes.Repeat([]byte{1, 2, 3, 4}, 3*3072/4)
	dir := t.TempDir()
	for i := range 10 { // data_batch_10 comes last
		data[0] = byte(i)
		write(t, filepath.Join(dir, fmt.Sprint("data_batch_", i+1)), python2([]byte{byte(i), 1, 2}, data))
	}
	d, err := Open(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 30 || d.Train.Label(27) != 9 || rgbAt(t, d.Train, 27, 0, 0)[0] != 9 {
		t.Errorf("%d images, labels %v", d.Train.Len(), d.Train.labels)
	}
}

// TestPickleRefused: nothing is called, and what is damaged says where.
func TestPickleRefused(t *testing.T) {
	good := python2([]byte{1}, make([]byte, 3072))
	for _, k := range []struct {
		name, want string
		b          []byte
	}{
		{"a call", "calls posix.system", fixture(t, "python/call")},
		{"cut", "ends too early", good[:len(good)-100]},
		{"label too large", "label 0 is 11, want 0..10", python2([]byte{11}, make([]byte, 3072))},
		{"shape that does not fit", "needs 2 x 1 bytes", []byte("\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89U\x01atbu.")},
		{"no dict", "it holds no dict", []byte("\x80\x02]q\x00.")},
		{"no data", "no array data", []byte("\x80\x02}q\x00.")},
		{"instruction", "instruction 0x82 is not known", []byte("\x80\x02\x82\x01.")},
		{"empty stack", "a value is missing", []byte("\x80\x020.")},
		{"many values", "more than 1048576 operations", append([]byte("\x80\x02"), bytes.Repeat([]byte("N"), 1<<20+1)...)},
		{"text again and again", "bytes of text are turned into bytes", append([]byte("\x80\x02c_codecs\nencode\nX\x00\x04\x00\x00"+strings.Repeat("x", 1024)+"q\x01U\x06latin1\x86q\x02R"),
			bytes.Repeat([]byte("c_codecs\nencode\nh\x02R0"), 200)...)},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "data_batch_1"), k.b)
		if k.name == "label too large" { // 11 names
			write(t, filepath.Join(dir, "batches.meta"), []byte("\x80\x02}(U\x0blabel_names](U\x01aU\x01bU\x01cU\x01dU\x01eU\x01fU\x01gU\x01hU\x01iU\x01jU\x01keu."))
		}
		_, err := Open(context.Background(), dir, Options{})
		if err == nil || !strings.Contains(err.Error(), k.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want %q", k.name, err, k.want)
		}
	}
}

// TestNPZ reads what NumPy wrote; the values are NumPy's.
func TestNPZ(t *testing.T) {
	open := func(name string) *Data {
		t.Helper()
		d, err := Open(context.Background(), filepath.Join("testdata", "npz", name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open("keras.npz")
	if got := describe(d.Train) + describe(d.Test); !slices.Equal(d.Train.labels, []int{0, 2, 1}) || d.Test.Len() != 1 || !slices.Equal(d.Classes, []string{"0", "1", "2"}) {
		t.Errorf("keras: %s, %v", got, d.Classes)
	}
	for x, want := range []uint8{8, 19, 30, 41} {
		if got := rgbAt(t, d.Train, 1, x, 2); got != [3]uint8{want, want, want} {
			t.Errorf("keras: pixel %d is %v, want %d", x, got, want)
		}
	}
	for _, name := range []string{"medmnist.npz", "float.npz"} {
		d := open(name)
		c, h, w := d.Train.Shape()
		if got := rgbAt(t, d.Train, 1, 3, 2); got != [3]uint8{7, 20, 33} || c != 3 || h != 4 || w != 5 {
			t.Errorf("%s: %dx%dx%d, pixel %v", name, c, h, w, got)
		}
	}
	if d := open("float.npz"); !slices.Equal(d.Train.labels, []int{2, 0}) {
		t.Errorf("one of K: labels %v", d.Train.labels)
	}
	if d := open("medmnist.npz"); d.Train.Label(0) != 1 || d.Test.Label(1) != 1 {
		t.Error("medmnist: labels")
	}
}

// TestEMNIST: images are stored transposed, labels of letters begin with 1, and classes are letters.
func TestEMNIST(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) string { return write(t, filepath.Join(dir, name), b) }
	images := idx([]byte{1, 2, 3, 4, 5, 6}, 1, 3, 2)
	train := put("emnist-letters-train-images-idx3-ubyte.gz", gz(images))
	put("emnist-letters-train-labels-idx1-ubyte.gz", gz(idx([]byte{3}, 1)))
	put("emnist-letters-test-images-idx3-ubyte", images)
	put("emnist-letters-test-labels-idx1-ubyte", idx([]byte{26}, 1))
	for range 2 {
		d, err := Open(context.Background(), train, Options{})
		if err != nil {
			t.Fatal(err)
		}
		item, err := d.Train.Item(0)
		if err != nil {
			t.Fatal(err)
		}
		if g := item.Image.(*image.Gray); g.Bounds() != image.Rect(0, 0, 3, 2) || !slices.Equal(g.Pix, []byte{1, 3, 5, 2, 4, 6}) {
			t.Errorf("image %v %v", g.Bounds(), g.Pix)
		}
		if d.Name != "emnist-letters" || d.Classes[d.Train.Label(0)] != "C" || d.Classes[d.Test.Label(0)] != "Z" {
			t.Errorf("%s: classes %v, labels %v, %v", d.Name, d.Classes, d.Train.labels, d.Test.labels)
		}
		var lines string // once more with the file of codes
		for i := range 26 {
			lines += fmt.Sprintf("%d %d %d\n", i+1, 'A'+i, 'a'+i)
		}
		put("emnist-letters-mapping.txt", []byte(lines))
	}
	put("emnist-digits-train-images-idx3-ubyte", images)
	if _, err := Open(context.Background(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "digits, letters") {
		t.Errorf("two sets in a folder: %v", err)
	}
	put("emnist-letters-train-labels-idx1-ubyte.gz", gz(idx([]byte{0}, 1)))
	if _, err := Open(context.Background(), train, Options{}); err == nil || !strings.Contains(err.Error(), "got 0, want 1..26") {
		t.Errorf("label 0: %v", err)
	}
}

// zipped packs members; method 0 stores them.
func zipped(method uint16, members []member) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
		if err != nil {
			panic(err)
		}
		w.Write(m.data)
	}
	z.Close()
	return b.Bytes()
}

// TestZip holds a zip to what a folder with the same files gives.
func TestZip(t *testing.T) {
	members := []member{{name: "set/train/cat/1.png", data: grey(3, 2, 7)}, {name: "set/train/dog/1.png", data: grey(3, 2, 8)}, {name: "set/test/dog/2.png", data: grey(3, 2, 9)},
		{name: "__MACOSX/set/train/cat/._1.png", data: []byte("x")}, {name: "set/readme.txt", data: []byte("x")}}
	dir := unpack(t, members[:3])
	want, err := Open(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		path := write(t, filepath.Join(t.TempDir(), "set.zip"), zipped(method, members))
		got, err := Open(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if describe(got.Train) != describe(want.Train) || describe(got.Test) != describe(want.Test) || got.Name != "set" {
			t.Errorf("got %s %s, want %s %s", describe(got.Train), describe(got.Test), describe(want.Train), describe(want.Test))
		}
	}
}

// TestBombs: what is small and claims or holds very much is refused at once, with the limit.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("packs 700 MB, which takes a minute under the race detector")
	}
	zeros := make([]byte, 200<<20)
	npy := append([]byte("\x93NUMPY\x01\x00\x76\x00"), fmt.Sprintf("%-117s\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (200000, 32, 32), }")...)
	for _, k := range []struct {
		name string
		b    []byte
	}{
		{"train-images-idx3-ubyte.gz", gz(append(idx(nil, 4e6, 28, 28), zeros[:100<<20]...))},
		{"bomb.zip", zipped(zip.Deflate, []member{{name: "a/b.bmp", data: zeros}})},
		{"bomb.npz", zipped(zip.Deflate, []member{{name: "images.npy", data: append(npy, zeros[:200000*1024]...)}, {name: "labels.npy", data: npy}})},
		{"bomb.tar.gz", gz(pack([]member{{name: "a/b.png", data: zeros[:100<<20]}}))},
	} {
		path := write(t, filepath.Join(t.TempDir(), k.name), k.b)
		write(t, filepath.Join(filepath.Dir(path), "train-labels-idx1-ubyte"), idx([]byte{1}, 1))
		start := time.Now()
		small(t, len(k.b), func() {
			if _, err := Open(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), "at most") {
				t.Errorf("%s: got %v", k.name, err)
			}
		})
		if d := time.Since(start); d > time.Minute { // a busy machine with the race detector takes seconds
			t.Errorf("%s: refused after %v", k.name, d)
		}
	}
}
