package images

import (
	"strings"
	"testing"
)

// TestStem: what files are made from images are called lies in their folder, whatever the images are called.
func TestStem(t *testing.T) {
	names := []string{"..", "a/b", "a\x1b[2J", strings.Repeat("x", 400), "a_b"}
	var items []Item
	for _, name := range names {
		items = append(items, Item{Name: name, Stem: name})
	}
	seen := map[string]bool{}
	for _, item := range New("here", nil, items, nil).Items {
		if strings.ContainsAny(item.Stem, "/\x1b") || strings.Trim(item.Stem, ".") == "" || len(item.Stem) > 200 || seen[item.Stem] {
			t.Errorf("%.20q: stem %.20q", item.Name, item.Stem)
		}
		seen[item.Stem] = true
	}
	if one := Single(Picture{Name: "x/a\nb.png"}).Items[0].Stem; one != "a_b" {
		t.Errorf("%q", one)
	}
}
