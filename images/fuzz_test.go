package images

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
)

// readBoxes reads the text of one file of boxes.
func readBoxes(t testing.TB, text []byte) (*Boxes, error) {
	t.Helper()
	b := &Boxes{From: "fuzz", of: map[string]*boxed{}}
	err := hostile.Read(t, len(text), func() error { return imageio.OneLine(b.read(text, "fuzz.xml", false)) })
	return b, err
}

// FuzzBoxes: boxes lie in their pictures, and what was read is read again from COCO's and from Pascal VOC's format.
func FuzzBoxes(f *testing.F) {
	f.Add([]byte(`{"images":[{"id":1,"file_name":"a.jpg","width":9,"height":8}],"annotations":[{"image_id":1,"category_id":2,"bbox":[1,2.5,3,4]}],"categories":[{"id":2,"name":"cat"}]}`))
	f.Add([]byte(`{"annotations":[],"categories":null,"info":[[{}]],"images":[{"id":1}]}`))
	f.Add([]byte("\xef\xbb\xbf<annotation><filename>a</filename><size><width>9</width><height>8</height></size><object><name>dog</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>9</ymax></bndbox></object></annotation>"))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>`))
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		b, err := readBoxes(t, text)
		if err != nil {
			return
		}
		var pictures, objects, categories []string
		ids := map[string]int{}
		for name, p := range b.of {
			pictures = append(pictures, fmt.Sprintf(`{"id":%d,"file_name":"p%d","width":%d,"height":%d}`, len(pictures), len(pictures), p.w, p.h))
			for _, o := range p.objects {
				if !(o.left < o.right && o.top < o.bottom && o.left >= -1 && o.top >= -1 && o.right <= float64(p.w)+1 && o.bottom <= float64(p.h)+1) || o.class == "" {
					t.Fatalf("%q: box %+v in %dx%d pixels", name, o, p.w, p.h)
				}
				if _, ok := ids[o.class]; !ok {
					ids[o.class] = len(ids)
					categories = append(categories, fmt.Sprintf(`{"id":%d,"name":"c%d"}`, ids[o.class], ids[o.class]))
				}
				// As left and width, a box may be rounded away.
				if w, h := o.right-o.left, o.bottom-o.top; w > 1e-3 && h > 1e-3 && math.Abs(o.left) > 1e-9 && math.Abs(o.top) > 1e-9 {
					objects = append(objects, fmt.Sprintf(`{"image_id":%d,"category_id":%d,"bbox":[%g,%g,%g,%g]}`, len(pictures)-1, ids[o.class], max(o.left, 0), max(o.top, 0), min(w, 1e-3), min(h, 1e-3)))
				}
			}
		}
		if len(categories) == 0 || slices.ContainsFunc(pictures, func(string) bool { return len(pictures) > 100 }) {
			return
		}
		again := fmt.Sprintf(`{"annotations":[%s],"images":[%s],"categories":[%s]}`, strings.Join(objects, ","), strings.Join(pictures, ","), strings.Join(categories, ","))
		got, err := readBoxes(t, []byte(again))
		if err != nil || len(got.of) != len(b.of) || len(got.Classes) != len(objects) {
			t.Fatalf("%d pictures, %d boxes, %v of %s", len(got.of), len(got.Classes), err, again)
		}
	})
}

// TestBoxesBomb: a long list of nothing is refused at its first item.
func TestBoxesBomb(t *testing.T) {
	text := []byte(`{"images":[],"annotations":[{}` + strings.Repeat(",{}", 4<<20) + `]}`)
	if _, err := readBoxes(t, text); err == nil || !strings.Contains(err.Error(), "annotation 0") {
		t.Errorf("got %v", err)
	}
}
