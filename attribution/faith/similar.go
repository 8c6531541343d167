package faith

import (
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
)

// Spearman is the correlation of the ranks of two maps, equal values sharing their
// mean rank; NaN if a map is constant. Places where either is NaN do not count.
// magnitude compares magnitudes.
func Spearman(a, b []float32, magnitude bool) float64 {
	a, b = numbers(a, b)
	return exact.Correlation(ranks(a, magnitude), ranks(b, magnitude))
}

// numbers are the values of two maps where both have one.
func numbers(a, b []float32) (of, other []float32) {
	nan := func(v float32) bool { return v != v }
	if !slices.ContainsFunc(a, nan) && !slices.ContainsFunc(b, nan) {
		return a, b
	}
	for i := range a {
		if !nan(a[i]) && !nan(b[i]) {
			of, other = append(of, a[i]), append(other, b[i])
		}
	}
	return of, other
}

func ranks(v []float32, magnitude bool) []float64 {
	values := make([]float64, len(v))
	for i, x := range v {
		if values[i] = float64(x); magnitude {
			values[i] = math.Abs(values[i])
		}
	}
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			out[order[k]] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

// UniformWindow are the weights of 7 rows or columns, alike.
func UniformWindow() []float64 {
	w := make([]float64, 7)
	for i := range w {
		w[i] = 1. / 7
	}
	return w
}

// GaussianWindow are the weights of 11 rows or columns of deviation 1.5, which add up to 1.
func GaussianWindow() []float64 {
	w, sum := make([]float64, 11), 0.0
	for i := range w {
		w[i] = exact.Exp(-float64((i-5)*(i-5)) / (2 * 1.5 * 1.5))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// SSIM is the structural similarity of two maps, [h, w]: the mean over all windows that
// lie inside, with the weights of window for rows and columns (Z. Wang et al., Image
// Quality Assessment, 2004, equation 13; K1 0.01, K2 0.03). The range is from the smallest value of
// both to the largest. NaN if the maps are smaller than the window.
func SSIM(a, b []float32, h, w int, window []float64) float64 {
	lo, hi := math.Inf(1), math.Inf(-1)
	x, y := make([]float64, len(a)), make([]float64, len(a))
	for i := range a {
		x[i], y[i] = float64(a[i]), float64(b[i])
		lo, hi = min(lo, x[i], y[i]), max(hi, x[i], y[i])
	}
	if lo == hi {
		return 1
	}
	c1, c2 := exact.Pow(0.01*(hi-lo), 2), exact.Pow(0.03*(hi-lo), 2)
	product := func(p, q []float64) []float64 {
		out := make([]float64, len(p))
		for i := range p {
			out[i] = p[i] * q[i]
		}
		return out
	}
	mx, my := means(x, h, w, window), means(y, h, w, window)
	xx, yy, xy := means(product(x, x), h, w, window), means(product(y, y), h, w, window), means(product(x, y), h, w, window)
	sum := 0.0
	for i := range mx {
		mx2, my2, mxy := float64(mx[i]*mx[i]), float64(my[i]*my[i]), float64(mx[i]*my[i])
		vx, vy, cov := xx[i]-mx2, yy[i]-my2, xy[i]-mxy
		sum += (2*mxy + c1) * (2*cov + c2) / ((mx2 + my2 + c1) * (vx + vy + c2))
	}
	return sum / float64(len(mx))
}

// means are the weighted means over all windows inside.
func means(v []float64, h, w int, window []float64) []float64 {
	n := len(window)
	rows := make([]float64, h*max(w-n+1, 0))
	for y := range h {
		for x := range w - n + 1 {
			for i, g := range window {
				rows[y*(w-n+1)+x] += float64(g * v[y*w+x+i])
			}
		}
	}
	out := make([]float64, max(h-n+1, 0)*max(w-n+1, 0))
	for y := range h - n + 1 {
		for x := range w - n + 1 {
			for i, g := range window {
				out[y*(w-n+1)+x] += float64(g * rows[(y+i)*(w-n+1)+x])
			}
		}
	}
	return out
}

// Pointed says whether a map points at an object.
type Pointed struct {
	Point  *[2]int  `json:"point"`  // row, column of the first maximum; nil: no value is positive
	Hit    bool     `json:"hit"`    // it lies on the object (J. Zhang et al., Excitation Backprop, 2016, section 4, without margin)
	Energy *float64 `json:"energy"` // share of what is positive that lies on the object (H. Wang et al., Score-CAM, 2020, section 4.3); nil: nothing is
}

// Point compares a map, [h, w], with boxes [top, left, bottom, right) in pixels, which
// count as their union.
func Point(m []float32, w int, boxes [][4]int) Pointed {
	inside := func(i int) bool {
		return slices.ContainsFunc(boxes, func(b [4]int) bool { return i/w >= b[0] && i%w >= b[1] && i/w < b[2] && i%w < b[3] })
	}
	var out Pointed
	best, sum, on := -1, 0.0, 0.0
	for i, v := range m {
		if !(v > 0) {
			continue
		}
		if best < 0 || v > m[best] {
			best = i
		}
		if sum += float64(v); inside(i) {
			on += float64(v)
		}
	}
	if best < 0 {
		return out
	}
	energy := on / sum
	return Pointed{&[2]int{best / w, best % w}, inside(best), &energy}
}
