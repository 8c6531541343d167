package dataset

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestShapesSet(t *testing.T) {
	d, err := Open(context.Background(), "shapes", Options{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "shapes" || d.Train.Len() != 20000 || d.Test.Len() != 2000 || len(d.Classes) != 10 || d.Source != "generated, seed 3" {
		t.Errorf("got %s, %d train, %d test, %d classes, source %q", d.Name, d.Train.Len(), d.Test.Len(), len(d.Classes), d.Source)
	}
	if c, h, w := d.Train.Shape(); c != 3 || h != 32 || w != 32 {
		t.Errorf("shape: got %d,%d,%d, want 3,32,32", c, h, w)
	}
	count := make([]int, 10)
	for i := range d.Test.Len() {
		count[d.Test.Label(i)]++
	}
	for c, n := range count {
		if n != 200 {
			t.Errorf("class %d: got %d items, want 200", c, n)
		}
	}
	it, err := d.Test.Item(17)
	if err != nil || it.Name != "test/17" || it.Label != 7 || d.Classes[7] != "rows" {
		t.Errorf("item 17: got %q, label %d, %v", it.Name, it.Label, err)
	}
	if _, err := d.Test.Item(2000); err == nil {
		t.Error("item 2000 of 2000: got no error")
	}
	if _, err := Open(context.Background(), "shapes", Options{Train: -1}); err == nil {
		t.Error("size -1: got no error")
	}
}

// An image depends on seed, split and index, and on nothing else: not on the sizes, not on the order.
func TestShapesDeterministic(t *testing.T) {
	pix := func(o Options, split string, i int) []byte {
		d, err := Open(context.Background(), "shapes", o)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Split(split)
		if err != nil {
			t.Fatal(err)
		}
		it, err := s.Item(i)
		if err != nil {
			t.Fatal(err)
		}
		return it.Image.(*image.NRGBA).Pix
	}
	a := pix(Options{Seed: 1}, "train", 12)
	if !bytes.Equal(a, pix(Options{Seed: 1, Train: 13, Test: 5}, "train", 12)) {
		t.Error("same seed, split, index: got another image")
	}
	for name, b := range map[string][]byte{
		"seed": pix(Options{Seed: 2}, "train", 12), "split": pix(Options{Seed: 1}, "test", 12), "index": pix(Options{Seed: 1}, "train", 22),
	} {
		if bytes.Equal(a, b) {
			t.Errorf("another %s: got the same image", name)
		}
	}
}

// Object bounds all pixels that the object touches, and tightly: the same image is drawn without it.
func TestShapesObject(t *testing.T) {
	var mean [10]float64
	const n = 2000
	for i := range uint64(n) {
		label := int(i % 10)
		with, object := drawShape(5, 1, i, label, true)
		without, none := drawShape(5, 1, i, label, false)
		if !none.Empty() {
			t.Fatalf("without object: got rectangle %v", none)
		}
		var diff image.Rectangle
		for y := range shapeSide {
			for x := range shapeSide {
				if with.NRGBAAt(x, y) != without.NRGBAAt(x, y) {
					diff = diff.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		if !diff.In(object) {
			t.Errorf("image %d (%s): got object %v, but pixels differ in %v", i, shapes[label].name, object, diff)
		}
		// A pixel touched by one sample of 16 may round to the same value, so an edge may be off by one.
		if diff.Dx() < object.Dx()-2 || diff.Dy() < object.Dy()-2 {
			t.Errorf("image %d (%s): got object %v, want it tight around %v", i, shapes[label].name, object, diff)
		}
		if !object.In(image.Rect(0, 0, shapeSide, shapeSide)) || max(object.Dx(), object.Dy()) < 10 || max(object.Dx(), object.Dy()) > 21 {
			t.Errorf("image %d (%s): object %v is %dx%d", i, shapes[label].name, object, object.Dx(), object.Dy())
		}
		mean[label] += float64(max(object.Dx(), object.Dy())) / (n / 10)
	}
	t.Logf("mean long side by class: %.1f", mean)
}

// Background and colour do not depend on the class: with the same seed, split and index every class gets
// the same picture outside its object.
func TestShapesClassOnlyInObject(t *testing.T) {
	for i := range uint64(50) {
		want, _ := drawShape(1, 1, i, 0, false)
		for label := range shapes {
			got, object := drawShape(1, 1, i, label, true)
			draw.Draw(got, object, want, object.Min, draw.Src)
			if !bytes.Equal(got.Pix, want.Pix) {
				t.Errorf("image %d, class %s: pixels outside the object differ", i, shapes[label].name)
			}
		}
	}
}

// Every form stays within the unit square, or drawShape would cut it off.
func TestShapesWithinUnit(t *testing.T) {
	for _, s := range shapes {
		for k := 0.0; k <= 1; k += 0.25 {
			for j := range 400 {
				sin, cos := math.Sincos(float64(j) * math.Pi / 200)
				e := 1.001 / max(math.Abs(sin), math.Abs(cos))
				if s.in(e*cos, e*sin, k) {
					t.Errorf("%s: holds %.3f, %.3f", s.name, e*cos, e*sin)
				}
			}
			// The triangle at 20 degrees is the widest; drawShape's margin of 1.2 must cover every one.
			sin, cos := math.Sincos(s.tilt * math.Pi / 180)
			for y := -1.0; y <= 1; y += 0.01 {
				for x := -1.0; x <= 1; x += 0.01 {
					if s.in(x, y, k) && max(math.Abs(cos*x-sin*y), math.Abs(sin*x+cos*y)) > 1.2 {
						t.Fatalf("%s: turned by %v reaches past 1.2", s.name, s.tilt)
					}
				}
			}
		}
	}
}

// TestShapesPicture writes a sheet to look at, ten of each class, into the folder named by VIZ_PICTURES.
func TestShapesPicture(t *testing.T) {
	dir := os.Getenv("VIZ_PICTURES")
	if dir == "" {
		t.Skip("VIZ_PICTURES is not set")
	}
	d, err := Open(context.Background(), "shapes", Options{})
	if err != nil {
		t.Fatal(err)
	}
	const zoom, cell = 3, 32*3 + 4
	sheet := image.NewNRGBA(image.Rect(0, 0, 10*cell, 10*cell))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	for i := range 100 {
		it, err := d.Train.Item(i)
		if err != nil {
			t.Fatal(err)
		}
		ox, oy := i/10*cell+2, it.Label*cell+2
		for y := range 32 * zoom {
			for x := range 32 * zoom {
				sheet.Set(ox+x, oy+y, it.Image.At(x/zoom, y/zoom))
			}
		}
		if i >= 80 { // the last two columns show the object's box
			b := it.Object
			for x := b.Min.X * zoom; x < b.Max.X*zoom; x++ {
				sheet.Set(ox+x, oy+b.Min.Y*zoom, color.White)
				sheet.Set(ox+x, oy+b.Max.Y*zoom-1, color.White)
			}
			for y := b.Min.Y * zoom; y < b.Max.Y*zoom; y++ {
				sheet.Set(ox+b.Min.X*zoom, oy+y, color.White)
				sheet.Set(ox+b.Max.X*zoom-1, oy+y, color.White)
			}
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, sheet); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "shapes.png")
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Log(path)
}

func BenchmarkShapes(b *testing.B) {
	for i := range b.N {
		drawShape(1, 1, uint64(i), i%10, true)
	}
}
