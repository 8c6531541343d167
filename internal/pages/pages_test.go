package pages

import "testing"

// TestFloats: arrays of all sizes are zero and can be written to their ends, as can those beside them.
func TestFloats(t *testing.T) {
	var all [][]float32
	for _, n := range []int{0, 1, least - 1, least, least + 1, 1 << 20, 1<<20 + 3} {
		for range 3 {
			s := Floats(n)
			if len(s) != n {
				t.Fatalf("%d numbers, want %d", len(s), n)
			}
			for i, v := range s {
				if v != 0 {
					t.Fatalf("number %d of %d is %v", i, n, v)
				}
				s[i] = float32(n)
			}
			all = append(all, s)
		}
	}
	for _, s := range all {
		for i, v := range s {
			if v != float32(len(s)) {
				t.Fatalf("number %d of %d is %v", i, len(s), v)
			}
		}
	}
}
