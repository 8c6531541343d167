package maximize

import (
	"math"
	"math/rand/v2"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model"
)

// glimpse is a view of a canvas, of the input's size: moved, turned and magnified.
// Pixels between those of the canvas are interpolated linearly; beyond its edge is what
// is on it.
type glimpse struct {
	v      *canvas
	h, w   int
	dy, dx float64
	// One step along a row or a column of the view is this much on the canvas.
	cos, sin float64
}

// still is the view that is shown at the end.
func (v *canvas) still(in model.Input) glimpse { return glimpse{v: v, h: in.H, w: in.W, cos: 1} }

// draw is the view of one step.
func (v *canvas) draw(in model.Input, o Options, rng *rand.Rand) glimpse {
	jitter := *o.Jitter
	dy, dx := rng.IntN(2*jitter+1)-jitter, rng.IntN(2*jitter+1)-jitter
	zoom := 1 + float64(*o.Zoom*symmetric(rng))
	sin, cos := exact.Sincos(*o.Turn * symmetric(rng) * math.Pi / 180)
	return glimpse{v: v, h: in.H, w: in.W, dy: float64(dy), dx: float64(dx), cos: cos / zoom, sin: sin / zoom}
}

// symmetric draws a number from -1 to 1.
func symmetric(rng *rand.Rand) float64 { return float64(2*rng.Float64()) - 1 }

// half is exact; the conversion says so to compilers that would round it together with a sum.
func half(n int) float64 { return float64(float64(n) / 2) }

// at are the four pixels of the canvas that pixel (y, x) of the view is made of, with
// their weights.
func (g glimpse) at(y, x int) (where [4]int, weights [4]float64) {
	v := g.v
	ry, rx := float64(y)-half(g.h-1), float64(x)-half(g.w-1)
	sy := float64(g.cos*ry) - float64(g.sin*rx) + half(v.h-1) + g.dy
	sx := float64(g.sin*ry) + float64(g.cos*rx) + half(v.w-1) + g.dx
	sy, sx = min(max(sy, 0), float64(v.h-1)), min(max(sx, 0), float64(v.w-1))
	y0, x0 := int(sy), int(sx)
	fy, fx := sy-float64(y0), sx-float64(x0)
	y1, x1 := min(y0+1, v.h-1), min(x0+1, v.w-1)
	return [4]int{y0*v.w + x0, y0*v.w + x1, y1*v.w + x0, y1*v.w + x1}, [4]float64{(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx}
}

// see writes the view of planes [c][canvas] to dst, [c][h][w].
func (g glimpse) see(planes []float64, dst []float32) {
	from, to := g.v.h*g.v.w, g.h*g.w
	g.v.k.For(g.h, func(y int) {
		for x := range g.w {
			where, weights := g.at(y, x)
			for c := range g.v.c {
				sum := 0.0
				for i, at := range where {
					sum += float64(weights[i] * planes[c*from+at])
				}
				dst[c*to+y*g.w+x] = float32(sum)
			}
		}
	})
}

// back adds a gradient over the view to one over the canvas.
func (g glimpse) back(view []float32, dst []float64) {
	from, to := g.v.h*g.v.w, g.h*g.w
	g.v.k.For(g.v.c, func(c int) {
		for i, d := range view[c*to : (c+1)*to] {
			where, weights := g.at(i/g.w, i%g.w)
			for j, at := range where {
				dst[c*from+at] += float64(weights[j] * float64(d))
			}
		}
	})
}
