package render

import (
	"image"

	"github.com/deconvnet/viz/internal/exact"
)

func inside(v point, r image.Rectangle) bool {
	return v.X >= float64(r.Min.X) && v.X <= float64(r.Max.X+1) && v.Y >= float64(r.Min.Y) && v.Y <= float64(r.Max.Y+1)
}

// edges are the four limits of a rectangle with its last pixels: how far inside of each a point is.
func edges(r image.Rectangle) [4]func(point) float64 {
	return [4]func(point) float64{
		func(v point) float64 { return v.X - float64(r.Min.X) },
		func(v point) float64 { return float64(r.Max.X+1) - v.X },
		func(v point) float64 { return v.Y - float64(r.Min.Y) },
		func(v point) float64 { return float64(r.Max.Y+1) - v.Y },
	}
}

// along is the point at a share t of the way from a to b.
func along(a, b point, t float64) point {
	return point{X: a.X + float64(t*(b.X-a.X)), Y: a.Y + float64(t*(b.Y-a.Y))}
}

// clipLine is what of a line of straight pieces is inside a rectangle.
func clipLine(points []point, r image.Rectangle) [][]point {
	var runs [][]point
	limits := edges(r)
	open := false
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		from, to := 0.0, 1.0
		for _, in := range limits {
			switch x, y := in(a), in(b); {
			case x < 0 && y < 0:
				from = 2
			case x < 0:
				from = max(from, x/(x-y))
			case y < 0:
				to = min(to, x/(x-y))
			}
		}
		if from > to {
			open = false
			continue
		}
		if !open || from > 0 {
			runs = append(runs, []point{along(a, b, from)})
		}
		if to < 1 {
			b = along(a, b, to)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], b)
		open = to == 1
	}
	return runs
}

// clipPolygon is what of a polygon is inside a rectangle.
func clipPolygon(points []point, r image.Rectangle) []point {
	for _, in := range edges(r) {
		var kept []point
		for i, b := range points {
			a := points[(i+len(points)-1)%len(points)]
			x, y := in(a), in(b)
			if x < 0 != (y < 0) {
				kept = append(kept, along(a, b, x/(x-y)))
			}
			if y >= 0 {
				kept = append(kept, b)
			}
		}
		points = kept
	}
	return points
}

// dashes are pieces of a line, on long, with gaps of off.
func dashes(points []point, on, off float64) [][]point {
	pieces := [][]point{points[:1:1]}
	draw, left := true, on
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		length := exact.Hypot(b.X-a.X, b.Y-a.Y)
		done := 0.0
		for length-done > left {
			done += left
			at := along(a, b, done/length)
			if draw {
				pieces[len(pieces)-1] = append(pieces[len(pieces)-1], at)
				draw, left = false, off
				continue
			}
			pieces = append(pieces, []point{at})
			draw, left = true, on
		}
		left -= length - done
		if draw {
			pieces[len(pieces)-1] = append(pieces[len(pieces)-1], b)
		}
	}
	return pieces
}
