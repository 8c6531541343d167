package images

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
)

// write stores a picture of one colour.
func write(t *testing.T, path string, c color.NRGBA) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		copy(img.Pix[4*i:], []uint8{c.R, c.G, c.B, 255})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "x.png"), color.NRGBA{R: 10})
	write(t, filepath.Join(dir, "b", "x.png"), color.NRGBA{R: 20})
	array := filepath.Join(dir, "n.npy")
	if err := npy.WriteFile(array, []int{2, 3, 8, 8}, make([]float32, 2*3*64)); err != nil {
		t.Fatal(err)
	}
	list, err := Open(context.Background(), Spec{Paths: []string{filepath.Join(dir, "a"), filepath.Join(dir, "b"), array}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var stems []string
	for _, item := range list.Items {
		stems = append(stems, item.Stem)
		if item.Label != -1 {
			t.Errorf("%s has label %d, want none", item.Name, item.Label)
		}
	}
	if want := []string{"x", "x-2", "n-0", "n-1"}; !slices.Equal(stems, want) {
		t.Errorf("stems %v, want %v", stems, want)
	}
	p, err := list.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	// One picture, two networks.
	for _, scale := range []float32{1, 0.5} {
		x, err := p.Tensor(model.Preprocess{Scale: scale}, model.Input{C: 3, H: 8, W: 8})
		if err != nil {
			t.Fatal(err)
		}
		if x.Data[0] != 20*scale {
			t.Errorf("scale %g: first value %g, want %g", scale, x.Data[0], 20*scale)
		}
	}
	one, err := Open(context.Background(), Spec{Paths: []string{array}, Limit: 1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := For(one, &model.Network{Input: model.Input{C: 3, H: 9, W: 8}}); err == nil {
		t.Error("an array of another shape is taken")
	}
}

func TestByClass(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cat", "1.png"), color.NRGBA{R: 10})
	write(t, filepath.Join(dir, "dog", "2.png"), color.NRGBA{R: 20})
	for _, byClass := range []bool{false, true} {
		list, err := Open(context.Background(), Spec{Paths: []string{dir}, ByClass: byClass}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := []int{-1, -1}
		if byClass {
			want = []int{0, 1}
		}
		if got := list.Labels(); !slices.Equal(got, want) {
			t.Errorf("by class %v: labels %v, want %v", byClass, got, want)
		}
		if byClass && list.Class(1) != "dog" {
			t.Errorf("class %q, want dog", list.Class(1))
		}
	}
}

// A limit counts the pictures that can be read; the broken ones before them are told.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.png", "d.png", "e.png"} {
		write(t, filepath.Join(dir, name), color.NRGBA{A: 255})
	}
	for _, name := range []string{"a.png", "c.png", "f.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("no picture"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int][2]int{1: {1, 1}, 2: {2, 2}, 3: {3, 2}, 5: {3, 3}, 6: {6, 0}} {
		list, err := Open(context.Background(), Spec{Paths: []string{dir}, Limit: limit}, Options{})
		if err != nil || list.Len() != want[0] || len(list.Problems) != want[1] {
			t.Fatalf("limit %d: %+v (%v), want %d pictures and %d problems", limit, list, err, want[0], want[1])
		}
		if p, err := list.Open(list.Len() - 1); want[1] > 0 && (err != nil || p.Name != list.Items[list.Len()-1].Name) {
			t.Errorf("limit %d: the last is %s (%v), want %s", limit, p.Name, err, list.Items[list.Len()-1].Name)
		}
	}
}

func TestErrors(t *testing.T) {
	if _, err := Open(context.Background(), Spec{}, Options{}); !errors.Is(err, ErrNone) {
		t.Errorf("nothing named: %v", err)
	}
	if _, err := Open(context.Background(), Spec{Paths: []string{"a"}, Data: "b"}, Options{}); err == nil {
		t.Error("images and data are both taken")
	}
	var split *SplitError
	if _, err := Open(context.Background(), Spec{Data: "shapes", Split: "half"}, Options{}); !errors.As(err, &split) {
		t.Errorf("unknown split: %v", err)
	}
	list, err := Open(context.Background(), Spec{Data: "shapes", Limit: 5}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list.Open(5); err == nil {
		t.Error("image 5 of 5 is opened")
	}
}

// TestHash: the hash tells lists of other names and labels apart.
func TestHash(t *testing.T) {
	a := &List{Items: []Item{{Name: "x", Label: 1}, {Name: "y", Label: 2}}}
	b := &List{Items: []Item{{Name: "x", Label: 2}, {Name: "y", Label: 1}}}
	if a.Hash() == b.Hash() {
		t.Error("lists with other labels have one hash")
	}
}

// TestArrays: arrays come with the channels first or last, as volumes, and as integers.
func TestArrays(t *testing.T) {
	dir := t.TempDir()
	in := model.Input{C: 6, H: 4, W: 5}
	want := make([]float32, 6*4*5)
	for i := range want {
		want[i] = float32(i)
	}
	last := make([]int32, len(want)) // [4, 5, 6]
	for i := range last {
		last[i] = int32(want[i%6*20+i/6])
	}
	files := map[string][]int{"first.npy": {1, 6, 4, 5}, "plain.npy": {6, 4, 5}, "volume.npy": {1, 2, 3, 4, 5}}
	for name, shape := range files {
		if err := npy.WriteFile(filepath.Join(dir, name), shape, want); err != nil {
			t.Fatal(err)
		}
	}
	if err := npy.WriteFile(filepath.Join(dir, "last.npy"), []int{1, 4, 5, 6}, last); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first.npy", "plain.npy", "volume.npy", "last.npy"} {
		list, err := Open(context.Background(), Spec{Paths: []string{filepath.Join(dir, name)}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := list.Open(0)
		if err != nil {
			t.Fatal(err)
		}
		x, err := p.Tensor(model.Preprocess{}, in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(x.Data, want) || !slices.Equal(x.Shape, []int{1, 6, 4, 5}) {
			t.Errorf("%s: %v of shape %v, want %v", name, x.Data[:6], x.Shape, want[:6])
		}
		if _, err := p.Tensor(model.Preprocess{}, model.Input{C: 5, H: 4, W: 7}); err == nil {
			t.Errorf("%s: an array of another shape is taken", name)
		}
	}
}

// TestMeanPixel: the mean over pictures, without what is none.
func TestMeanPixel(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.png"), color.NRGBA{R: 10, G: 200})
	write(t, filepath.Join(dir, "b.png"), color.NRGBA{R: 20, B: 4})
	if err := os.WriteFile(filepath.Join(dir, "c.png"), []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	list, err := Open(context.Background(), Spec{Paths: []string{dir}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := Inputs{List: list, Net: &model.Network{Input: model.Input{C: 3, H: 8, W: 8}}}
	var told []error
	mean, used, err := in.MeanPixel(context.Background(), func(err error) { told = append(told, err) }, nil)
	if err != nil || used != 2 || len(told) != 1 || !slices.Equal(mean, []float32{15, 100, 2}) {
		t.Errorf("mean %v of %d, told %v, %v", mean, used, told, err)
	}
	in.List, err = Open(context.Background(), Spec{Paths: []string{filepath.Join(dir, "c.png")}}, Options{})
	if err == nil {
		_, _, err = in.MeanPixel(context.Background(), func(error) {}, nil)
	}
	if !errors.Is(err, ErrNoPictures) {
		t.Errorf("no picture at all: %v", err)
	}
}

// A list of one's own numbers its pictures and tells stems apart.
func TestNew(t *testing.T) {
	l := New("elsewhere", []string{"a", "b"}, []Item{{Name: "x/1", Stem: "1", Label: 1}, {Name: "y/1", Stem: "1", Label: -1}}, func(i int) (Picture, error) {
		return Picture{Name: []string{"x/1", "y/1"}[i]}, nil
	})
	p, err := l.Open(1)
	if err != nil || p.Name != "y/1" || l.Len() != 2 || l.Class(0) != "b" || l.Class(1) != "" || l.Items[1].Stem != "1-2" {
		t.Errorf("got %+v, %v, %+v", p, err, l.Items)
	}
	if _, err := l.Open(2); err == nil {
		t.Error("a picture behind the end was opened")
	}
}
