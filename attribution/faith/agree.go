package faith

import "math"

// Cells are the means of a map [h, w] over a grid of rows x cols cells, as even as
// whole pixels allow, so that maps of any grain can be compared.
func Cells(m []float32, h, w, rows, cols int) []float32 {
	out := make([]float32, 0, rows*cols)
	for r := range rows {
		for c := range cols {
			y0, y1, x0, x1 := r*h/rows, (r+1)*h/rows, c*w/cols, (c+1)*w/cols
			sum := 0.0
			for y := y0; y < y1; y++ {
				for _, v := range m[y*w+x0 : y*w+x1] {
					sum += float64(v)
				}
			}
			out = append(out, float32(sum/float64((y1-y0)*(x1-x0))))
		}
	}
	return out
}

// Top marks the share of a map's places that are largest, at least one, equal values in
// row-major order.
func Top(m []float32, share float64) []bool {
	out := make([]bool, len(m))
	for _, at := range Order(m)[:max(int(math.Round(share*float64(len(m)))), 1)] {
		out[at] = true
	}
	return out
}

// Overlap is the area that marked places share over the area of either (Jaccard's
// index): 1 if they are the same, 0 if none is. Of two sets of a share s drawn by chance it is about s/(2-s).
func Overlap(a, b []bool) float64 {
	both, either := 0, 0
	for i := range a {
		if a[i] && b[i] {
			both++
		}
		if a[i] || b[i] {
			either++
		}
	}
	if either == 0 {
		return 0
	}
	return float64(both) / float64(either)
}

// Moved is a map [h, w] shifted by rows and columns; what leaves at one side comes in at the
// other. It has the same values and the same grain at other places: a control for what
// the places of a map are worth.
func Moved(m []float32, h, w, rows, cols int) []float32 {
	out := make([]float32, len(m))
	for y := range h {
		for x := range w {
			out[(y+rows)%h*w+(x+cols)%w] = m[y*w+x]
		}
	}
	return out
}
