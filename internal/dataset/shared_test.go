package dataset

import (
	"context"
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// shared is a path of the data that is too large for the repository: VIZ_SHARED, or shared beside it.
func shared(t *testing.T, path string) string {
	t.Helper()
	root := os.Getenv("VIZ_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	path = filepath.Join(root, "data", filepath.FromSlash(path))
	if !exists(path) {
		t.Skipf("%s is not there; set VIZ_SHARED to the folder that has it", path)
	}
	return path
}

func open(t *testing.T, spec string) *Data {
	t.Helper()
	start := time.Now()
	d, err := Open(context.Background(), spec, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %v", filepath.Base(spec), time.Since(start).Round(time.Millisecond))
	return d
}

func counts(s *Set) map[int]int {
	n := map[int]int{}
	for i := range s.Len() {
		n[s.Label(i)]++
	}
	return n
}

// The first records of the real files; labels as published.
func TestSharedCIFAR(t *testing.T) {
	d := open(t, shared(t, "cifar-10-lossless"))
	if d.Train.Len() != 2000 || d.Test.Len() != 500 || d.Classes[9] != "truck" {
		t.Fatalf("got %d train, %d test, classes %q", d.Train.Len(), d.Test.Len(), d.Classes)
	}
	for i, want := range []int{6, 9, 9, 4, 1, 1, 2, 7, 8, 3} {
		if got := d.Train.Label(i); got != want {
			t.Errorf("train %d: got label %d, want %d", i, got, want)
		}
	}
	for i, want := range []int{3, 8, 8, 0, 6, 6, 1, 6, 3, 1} {
		if got := d.Test.Label(i); got != want {
			t.Errorf("test %d: got label %d, want %d", i, got, want)
		}
	}
	// The first training picture, a frog, is known to begin with red 59, green 62, blue 63.
	it, err := d.Train.Item(0)
	if err != nil {
		t.Fatal(err)
	}
	if p := it.Image.(*image.NRGBA).Pix; p[0] != 59 || p[1] != 62 || p[2] != 63 {
		t.Errorf("train 0: got first pixel %v, want 59 62 63", p[:3])
	}
}

// The course's pictures are there as IDX files and, for a few, as the files they were made from.
func TestSharedGray(t *testing.T) {
	d := open(t, shared(t, "cifar10-gray28"))
	if c, h, w := d.Train.Shape(); d.Train.Len() != 10000 || d.Test.Len() != 1000 || c != 1 || h != 28 || w != 28 {
		t.Fatalf("got %d train, %d test of %dx%dx%d", d.Train.Len(), d.Test.Len(), c, h, w)
	}
	tree := open(t, shared(t, "cifar10-gray28/sample-tree"))
	if c, h, w := tree.Train.Shape(); tree.Train.Len() != 20 || tree.Test.Len() != 10 || c != 1 || h != 28 || w != 28 || len(tree.Classes) != 10 {
		t.Fatalf("tree: got %d train, %d test of %dx%dx%d, classes %q", tree.Train.Len(), tree.Test.Len(), c, h, w, tree.Classes)
	}
	// Two of each class in the tree; record 1000*class+k of the IDX file is picture k of the class.
	for i := range tree.Train.Len() {
		a, err := tree.Train.Item(i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.Train.Item(1000*a.Label + i%2)
		if err != nil {
			t.Fatal(err)
		}
		if a.Label != b.Label || string(a.Image.(*image.Gray).Pix) != string(b.Image.(*image.Gray).Pix) {
			t.Errorf("%s and %s differ", a.Name, b.Name)
		}
	}
}

func TestSharedJPEG(t *testing.T) {
	if testing.Short() {
		t.Skip("56,500 pictures")
	}
	d := open(t, shared(t, "cifar-10-jpeg.tar.gz"))
	if c, h, w := d.Train.Shape(); d.Train.Len() != 48000 || d.Test.Len() != 8500 || c != 3 || h != 32 || w != 32 || d.Classes[0] != "airplane" || d.Classes[9] != "truck" {
		t.Fatalf("got %d train, %d test of %dx%dx%d, classes %q", d.Train.Len(), d.Test.Len(), c, h, w, d.Classes)
	}
	if n := counts(d.Test); len(n) != 10 {
		t.Errorf("test: got items by class %v", n)
	}
	it, err := d.Train.Item(0)
	if err != nil || it.Name != "train/airplane/0000.jpg" || it.Label != 0 || it.Image.Bounds().Dx() != 32 {
		t.Errorf("item 0: got %q, label %d, %v", it.Name, it.Label, err)
	}
}
