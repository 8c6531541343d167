package view

import (
	"errors"
	"image"
	"strings"
	"testing"
)

// TestParts: boxes of parts by image, and what is wrong with them.
func TestParts(t *testing.T) {
	s, _ := ring(t)
	src := testSource(t, s.Net, "shapes", 3)
	names := src.Names()
	text := `{"b": {"` + names[0] + `": [1, 2, 5, 9], "` + names[1] + `": [0, 0, 32, 32], "` + names[2] + `": [3, 3, 4, 4]}}`
	boxes, err := ParseParts([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	parts, err := PartsOf(src, boxes)
	if err != nil || len(parts) != 1 || parts[0].Boxes[0] != image.Rect(1, 2, 5, 9) {
		t.Fatalf("%v, %v", parts, err)
	}
	m, err := NamedParts(src, parts)
	if err != nil || m.Images.Shape[0] != 3 || len(m.Names) != 3 {
		t.Errorf("%v, %v", m, err)
	}
	for _, bad := range []string{"", "{}", `{"b": 3}`, strings.Replace(text, "32, 32", "33, 32", 1), strings.Replace(text, "3, 3, 4, 4", "3, 3, 4", 1),
		strings.Replace(text, "1, 2, 5", "5, 2, 5", 1), strings.Replace(text, names[2], "other", 1)} {
		boxes, err := ParseParts([]byte(bad))
		if err == nil {
			_, err = PartsOf(src, boxes)
		}
		if err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	all := testSource(t, s.Net, "shapes", 300)
	if m, err := ObjectParts(all, 2, 5); err != nil || m.Images.Shape[0] != 5 || len(m.Parts) != 5 {
		t.Errorf("%v, %v", m, err)
	}
	for count, field := range map[int]string{2: "count", 199: "count"} {
		_, err := ObjectParts(all, 2, count)
		if e, ok := errors.AsType[*FieldError](err); !ok || e.Field != field {
			t.Errorf("%d images: %v", count, err)
		}
	}
}
