package images

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model"
	"github.com/disintegration/imaging"
)

const cocoText = `{"info": {"year": 2017}, "images": [{"id": 7, "file_name": "a.jpg", "width": 40, "height": 20}, {"id": 9, "file_name": "b.png", "width": 16, "height": 16}],
"annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 4, 8, 6], "iscrowd": 0}, {"image_id": 7, "category_id": 3, "bbox": [30.4, 0, 4, 20]},
{"image_id": 7, "category_id": 5, "bbox": [0, 0, 2, 2]}, {"image_id": 9, "category_id": 5, "bbox": [0.2, 0.3, 0.1, 15.7]}], "categories": [{"id": 3, "name": "Red_Fox"}, {"id": 5, "name": "yak"}]}`

const vocText = `<annotation><folder>VOC2012</folder><filename>a.png</filename><size><width>40</width><height>20</height><depth>3</depth></size>
<object><name>red fox</name><difficult>0</difficult><bndbox><xmin>11</xmin><ymin>5</ymin><xmax>18</xmax><ymax>10</ymax></bndbox></object></annotation>`

// boxesIn writes a file and opens it, or its folder.
func boxesIn(t *testing.T, name, text string, folder bool) (*Boxes, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if folder {
		path = dir
	}
	return OpenBoxes(path)
}

// TestBoxes brings boxes to what a network sees: as they are, halved, and cropped.
func TestBoxes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	if err := imageio.WritePNG(path, imaging.New(40, 20, color.Black), nil); err != nil {
		t.Fatal(err)
	}
	list, err := Open(t.Context(), Spec{Paths: []string{path}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	classes := []string{"wolf", "red fox, Vulpes vulpes", "yak"}
	for _, c := range []struct {
		name, text string
		folder     bool
		h, w       int
		pre        model.Preprocess
		want       []image.Rectangle
	}{
		{"c.json", cocoText, false, 20, 40, model.Preprocess{}, []image.Rectangle{image.Rect(10, 4, 18, 10), image.Rect(30, 0, 34, 20)}},
		{"c.json", cocoText, false, 10, 20, model.Preprocess{}, []image.Rectangle{image.Rect(5, 2, 9, 5), image.Rect(15, 0, 17, 10)}},
		{"c.json", cocoText, false, 20, 20, model.Preprocess{}, []image.Rectangle{image.Rect(0, 4, 8, 10)}}, // the centre: columns 10 to 30
		{"c.json", cocoText, false, 40, 40, model.Preprocess{Mode: model.FitPad, Pad: []float32{255}}, []image.Rectangle{image.Rect(10, 14, 18, 20), image.Rect(30, 10, 34, 30)}},
		{"a.xml", vocText, false, 20, 40, model.Preprocess{}, []image.Rectangle{image.Rect(10, 4, 18, 10)}},
		{"any.xml", vocText, true, 20, 40, model.Preprocess{}, []image.Rectangle{image.Rect(10, 4, 18, 10)}},
	} {
		b, err := boxesIn(t, c.name, c.text, c.folder)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		m, err := b.Match(classes)
		if err != nil {
			t.Fatal(err)
		}
		in, err := For(list, &model.Network{Input: model.Input{Name: "x", C: 3, H: c.h, W: c.w}, Preprocess: c.pre})
		if err != nil {
			t.Fatal(err)
		}
		got, known, err := in.Objects(m, 0, 1)
		if err != nil || !known || !slices.Equal(got, c.want) {
			t.Errorf("%s for %dx%d: %v, %t, %v, want %v", c.name, c.h, c.w, got, known, err, c.want)
		}
		if got, _, _ := in.Objects(m, 0, 0); len(got) != 0 {
			t.Errorf("a wolf at %v", got)
		}
	}
}

// TestBoxesThin keeps a box that lies between the centres of two pixels.
func TestBoxesThin(t *testing.T) {
	in := &Inputs{Net: &model.Network{Input: model.Input{Name: "x", C: 3, H: 16, W: 16}}}
	if got := in.seen(object{"yak", 0.2, 0.3, 0.3, 16}, 16, 16); got != image.Rect(0, 0, 1, 16) {
		t.Errorf("%v", got)
	}
}

// TestBoxesRefused names what is wrong with a file.
func TestBoxesRefused(t *testing.T) {
	change := func(text, from, to string) string {
		if !strings.Contains(text, from) {
			t.Fatalf("no %q", from)
		}
		return strings.Replace(text, from, to, 1)
	}
	for i, c := range []struct{ text, want string }{
		{"", "want COCO's JSON or Pascal VOC's XML"},
		{"[1, 2]", "want COCO's JSON or Pascal VOC's XML"},
		{"{}", "0 images and 0 categories"},
		{cocoText[:len(cocoText)-9], "JSON: unexpected end"},
		{change(cocoText, `"width": 40`, `"width": "40"`), "JSON: "},
		{change(cocoText, `"width": 40`, `"width": 0`), "picture a.jpg is 0x20 pixels"},
		{change(cocoText, `b.png`, `sub/a.png`), "two pictures are called a"},
		{change(cocoText, `"id": 9`, `"id": 7`), "two images have the id 7"},
		{change(cocoText, `"image_id": 9`, `"image_id": 8`), "annotation 3 of the list is of image 8, which is not there"},
		{change(cocoText, `"category_id": 5`, `"category_id": 6`), "annotation 2 of the list is of category 6, which is not there"},
		{change(cocoText, `[0, 0, 2, 2]`, `[0, 0, 2]`), "annotation 2 of the list: want image_id, category_id, and a bbox of four numbers"},
		{change(cocoText, `[0, 0, 2, 2]`, `[0, 0, 0, 2]`), "annotation 2 of the list: the box of a yak is empty"},
		{change(cocoText, `[0, 0, 2, 2]`, `[38, 0, 6, 2]`), "annotation 2 of the list: the box of a yak, columns 38 to 44 and rows 0 to 2, is outside the picture of 40x20"},
		{change(cocoText, `"id": 5, `, ``), "category 1 of the list lacks its id or name"},
		{"<html></html>", "XML: expected element type <annotation>"},
		{vocText[:60], "XML: "},
		{change(vocText, "<width>40</width>", ""), "picture a.png is 0x20 pixels"},
		{change(vocText, "<xmin>11</xmin>", ""), "object 1, red fox: want a bndbox with xmin, ymin, xmax and ymax"},
		{change(vocText, "<xmin>11</xmin>", "<xmin>x</xmin>"), "XML: "},
		{change(vocText, "<xmin>11</xmin>", "<xmin>NaN</xmin>"), "object 1: the box of a red fox has sides that are no numbers"},
		{change(vocText, "<name>red fox</name>", ""), "object 1: an object has no class"},
	} {
		_, err := boxesIn(t, fmt.Sprintf("%d.txt", i), c.text, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %v, want %q", i, err, c.want)
		}
	}
	if _, err := OpenBoxes(t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no .xml files") {
		t.Errorf("an empty folder: %v", err)
	}
	b, err := boxesIn(t, "a.json", cocoText, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Match([]string{"wolf", "bear"}); err == nil || !strings.Contains(err.Error(), "none of its classes (Red_Fox, yak) is a class of the network") {
		t.Errorf("other classes: %v", err)
	}
}
