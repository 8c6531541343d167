package tensor

import "testing"

// A box is compared with another place by place.
func TestBoxes(t *testing.T) {
	var boxes []Box
	for y0 := range 3 {
		for x0 := range 3 {
			for h := range 3 {
				for w := range 3 {
					boxes = append(boxes, Box{y0, x0, y0 + h, x0 + w})
				}
			}
		}
	}
	has := func(b Box, y, x int) bool { return y >= b.Y0 && y < b.Y1 && x >= b.X0 && x < b.X1 }
	for _, a := range boxes {
		area := 0
		for _, b := range boxes {
			contains, both := true, a.Intersect(b)
			area = 0
			for y := range 6 {
				for x := range 6 {
					if has(a, y, x) {
						area++
					}
					contains = contains && (has(a, y, x) || !has(b, y, x))
					if has(both, y, x) != (has(a, y, x) && has(b, y, x)) {
						t.Fatalf("%v and %v have %v in common", a, b, both)
					}
				}
			}
			if a.Contains(b) != contains {
				t.Fatalf("%v contains %v: %v", a, b, a.Contains(b))
			}
			if u := a.Union(b); !u.Contains(a) || !u.Contains(b) || u.Area() > (max(a.Y1, b.Y1)-min(a.Y0, b.Y0))*(max(a.X1, b.X1)-min(a.X0, b.X0)) {
				t.Fatalf("the union of %v and %v is %v", a, b, u)
			}
		}
		if a.Area() != area || a.Empty() != (area == 0) || a.Shift(2, 1) != (Box{a.Y0 + 2, a.X0 + 1, a.Y1 + 2, a.X1 + 1}) {
			t.Fatalf("%v: area %d, empty %v, moved %v", a, a.Area(), a.Empty(), a.Shift(2, 1))
		}
	}
}
